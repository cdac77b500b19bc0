import type { JsonObject } from "@switchyard/core/Json"
import { responses } from "@switchyard/dialects/Responses"
import { Dice } from "@switchyard/testing/Dice"
import { Either } from "effect"
import { describe, expect, test } from "vitest"
import { eventsOf, optionsFor, stepsOf } from "./fixtures.js"

const request: JsonObject = {
  model: "m",
  instructions: "i",
  stream: true,
  input: [
    {
      role: "user",
      content: [
        { type: "input_text", text: "a" },
        { type: "input_image", image_url: "data:image/png;base64,AA" }
      ]
    },
    {
      type: "reasoning",
      id: "rs",
      summary: [{ type: "summary_text", text: "s" }],
      encrypted_content: "switchyard.messages.s.x"
    },
    { type: "function_call", id: "fc", call_id: "c__sig_gemini_bAAAA", name: "f", arguments: "{}", namespace: "n" },
    { type: "function_call_output", call_id: "c", output: [{ type: "input_text", text: "x" }] }
  ],
  tools: [
    { type: "namespace", name: "n", tools: [{ type: "function", name: "f", parameters: {} }] },
    { type: "custom", name: "p" }
  ],
  tool_choice: { type: "allowed_tools", mode: "auto", tools: [{ type: "function", name: "f" }] },
  text: { format: { type: "json_schema", name: "n", schema: {} } },
  reasoning: { effort: "low" },
  include: ["message.output_text.logprobs"],
  top_logprobs: 1
}

const whole: JsonObject = {
  id: "resp_1",
  object: "response",
  status: "completed",
  model: "m",
  created_at: 1,
  incomplete_details: null,
  output: [
    { type: "reasoning", id: "rs", summary: [{ type: "summary_text", text: "s" }], encrypted_content: "e" },
    {
      type: "message",
      id: "m",
      role: "assistant",
      content: [{ type: "output_text", text: "t", annotations: [{ type: "url_citation", url: "u" }] }]
    },
    { type: "function_call", id: "f", call_id: "c", name: "n", arguments: "{}" },
    { type: "web_search_call", id: "w" }
  ],
  usage: {
    input_tokens: 1,
    input_tokens_details: { cached_tokens: 1 },
    output_tokens: 2,
    output_tokens_details: { reasoning_tokens: 1 },
    total_tokens: 3
  }
}

const stream = eventsOf([
  { type: "reasoning", text: "r", choice: 0, part: 0 },
  { type: "text", text: "t", choice: 0, part: 1 },
  { type: "toolCall", id: "c", name: "n", kind: "function", choice: 0, part: 2 },
  { type: "arguments", text: "{}", choice: 0, part: 2 },
  { type: "finish", choice: 0, finish: "toolCalls" }
]).map(({ json }) => json)

const values = [null, 7, -1.5, "", "x", true, [], {}, [null], [[]], { type: "message" }, { type: 3 }, "data:,"] as const

/** A copy with one value in it put in another's place, taken out or doubled. */
const spoilt = (value: unknown, dice: Dice): unknown => {
  const copy = structuredClone(value)
  let at: unknown = copy
  for (let depth = dice.below(7); ; depth--) {
    if (typeof at !== "object" || at === null) return copy
    const keys = Object.keys(at)
    const key = keys[dice.below(keys.length)]
    if (key === undefined) return copy
    const holder = at as Record<string, unknown>
    const inner = holder[key]
    if (depth <= 0 || typeof inner !== "object" || inner === null) {
      if (dice.roll() < 0.2) delete holder[key]
      else holder[key] = dice.pick(values)
      return copy
    }
    at = inner
  }
}

const seeds = Array.from({ length: 400 }, (_, seed) => seed)

describe("what is spoilt", () => {
  test("in a request is a problem or goes along, and never a fault", () => {
    for (const seed of seeds) {
      const dice = new Dice(seed)
      let body = spoilt(request, dice) as JsonObject
      if (dice.roll() < 0.5) body = spoilt(body, dice) as JsonObject
      const read = responses.readRequest(body)
      if (Either.isRight(read)) {
        responses.writeRequest(read.right, { model: "m" })
        responses.writeRequest({ ...read.right, origin: "chat" }, { model: "m", knowsSignatures: false })
        responses.writeAnswer({ choices: [] }, { ...optionsFor(), conversation: read.right })
      }
      responses.edit(body, { model: "m", stream: true, defaults: { text: { verbosity: "low" } } })
      responses.request.problems("chat", body)
      responses.request.states(body)
      responses.request.size("chat", body)
      responses.request.beginning("chat", body)
      for (const { parts } of responses.request.turns("chat", body)) expect([...parts].length).toBeGreaterThan(-1)
    }
  })

  test("in an answer is told or goes along, and never a fault", () => {
    for (const seed of seeds) {
      const body = spoilt(whole, new Dice(seed)) as JsonObject
      const answer = responses.readAnswer(body)
      if (Either.isRight(answer)) responses.writeAnswer(answer.right, optionsFor())
      responses.readError(body)
      responses.answer.failure("chat", body)
      responses.answer.view(body)
      responses.answer.issued(body)
      responses.answer.events(body)
    }
  })

  test("in a stream, or out of order, ends in nothing worse than what was said", () => {
    for (const seed of seeds) {
      const dice = new Dice(seed)
      const events = stream.map((event) => (dice.roll() < 0.1 ? (spoilt(event, dice) as JsonObject) : event))
      if (dice.roll() < 0.3) events.splice(dice.below(events.length), 1)
      if (dice.roll() < 0.3) events.push(...events.splice(dice.below(events.length), 2))
      const again = eventsOf(stepsOf(events)).map(({ json }) => json)
      again.forEach(({ sequence_number }, at) => {
        expect(sequence_number, `seed ${seed}`).toBe(at)
      })
    }
  })

  test.each([[{}], [{ output: null }], [{ object: "response" }], [{ choices: [] }]])("%j is no answer", (body) => {
    expect(Either.isLeft(responses.readAnswer(body))).toBe(true)
  })

  test.each([
    [{ error: { message: "m", type: "invalid_request_error", code: null, param: "input" } }, 400],
    [{ type: "error", code: "rate_limit_exceeded", message: "m", param: null }, 429],
    [{ type: "response.failed", response: { error: { code: "server_error", message: "m" } } }, 500],
    [{ status: "failed", error: { code: "invalid_prompt", message: "m" } }, 400]
  ])("%j is an error", (body, status) => {
    expect(responses.readError(body)).toMatchObject({ message: "m", status })
  })

  test.each([
    [whole],
    [{ type: "response.created", response: { error: null } }],
    [{ error: null, status: "completed" }]
  ])("%j is none", (body) => {
    expect(responses.readError(body)).toBeUndefined()
  })
})
