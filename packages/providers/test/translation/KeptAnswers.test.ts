/**
 * Callers of Responses over providers that keep no answers: what they refer to by ids is told again in full.
 */
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { assert, describe, it } from "@effect/vitest"
import type { JsonObject } from "@switchyard/core/Json"
import * as LlmRequest from "@switchyard/core/LlmRequest"
import { responses } from "@switchyard/dialects/Responses"
import { Effect } from "effect"
import { KeptAnswers } from "../../src/translation/keptAnswers.js"
import * as S from "../support/support.js"

const weather = { type: "function", name: "weather", parameters: { type: "object", properties: {} } }
const call = { id: "call_1", type: "function", function: { name: "weather", arguments: "{}" } }

const answerOf = (message: JsonObject): JsonObject => ({
  id: "c",
  object: "chat.completion",
  model: "m",
  choices: [{ index: 0, message: { role: "assistant", ...message }, finish_reason: "stop" }]
})

const streamOf = (message: JsonObject): string => {
  const chunk = (delta: JsonObject, finish_reason: string | null = null): string =>
    `data: ${JSON.stringify({ id: "c", choices: [{ index: 0, delta, finish_reason }] })}\n\n`
  const { tool_calls: calls, ...words } = message
  const called = Array.isArray(calls) ? calls.map((one: JsonObject, index) => ({ index, ...one })) : undefined
  const delta = called === undefined ? words : { ...words, tool_calls: called }
  return `${chunk(delta)}${chunk({}, "stop")}data: [DONE]\n\n`
}

/** A provider of chats that calls a tool first, and what it was asked. */
const rig = Effect.gen(function* () {
  const asked: Array<JsonObject> = []
  const server = createServer((request, response) => {
    let text = ""
    request.on("data", (chunk: Buffer) => {
      text += chunk.toString()
    })
    request.on("end", () => {
      const body = JSON.parse(text) as JsonObject
      asked.push(body)
      const message = asked.length === 1 ? { content: "I look.", tool_calls: [call] } : { content: "It is fine." }
      const isStream = body.stream === true
      response.writeHead(200, { "content-type": isStream ? "text/event-stream" : "application/json" })
      response.end(isStream ? streamOf(message) : JSON.stringify(answerOf(message)))
    })
  })
  yield* Effect.acquireRelease(
    Effect.async<void>((resume) => {
      server.listen(0, "127.0.0.1", () => resume(Effect.void))
    }),
    () =>
      Effect.sync(() => {
        server.closeAllConnections()
        server.close()
      })
  )
  const { port } = server.address() as AddressInfo
  const service = yield* S.serviceOver(S.undici)
  const ask = (body: JsonObject, caller?: string) =>
    S.call(service, LlmRequest.of(responses, "chat", { model: "m", tools: [weather], ...body }, { caller }), {
      baseUrl: `http://127.0.0.1:${port}`
    })
  return { ask, asked }
})

const whole = (answer: Parameters<typeof S.complete>[0]): JsonObject => S.complete(answer).body as JsonObject
const itemsIn = (answer: JsonObject): ReadonlyArray<JsonObject> => answer.output as ReadonlyArray<JsonObject>

const told = [
  { role: "user", content: "How is it?" },
  { role: "assistant", content: "I look.", tool_calls: [call] },
  { role: "tool", tool_call_id: "call_1", content: "sunny" }
]
const result = { type: "function_call_output", call_id: "call_1", output: "sunny" }

describe("an answer of Responses that was translated", () => {
  it.scopedLive("is gone on from by its id, again and again", () =>
    Effect.gen(function* () {
      const { ask, asked } = yield* rig
      const first = whole(yield* ask({ input: "How is it?" }))
      const second = whole(yield* ask({ input: [result], previous_response_id: first.id }))
      assert.containSubset(asked[1]?.messages, told)
      yield* ask({ input: "Sure?", previous_response_id: second.id })
      assert.containSubset(asked[2]?.messages, [
        ...told,
        { role: "assistant", content: "It is fine." },
        { role: "user", content: "Sure?" }
      ])
    })
  )

  it.scopedLive("is referred to item by item, as the AI SDK does, whole or streamed", () =>
    Effect.gen(function* () {
      for (const stream of [false, true]) {
        const { ask, asked } = yield* rig
        const first = yield* ask({ input: "How is it?", stream })
        const last = stream ? (yield* S.readAll(S.streaming(first).events)).at(-1)?.json.response : whole(first)
        const references = itemsIn(last as JsonObject).map(({ id }) => ({ type: "item_reference", id }))
        yield* ask({ input: [{ role: "user", content: "How is it?" }, ...references, result] })
        assert.containSubset(asked[1]?.messages, told)
      }
    })
  )

  it.scopedLive("is nobody else's, and is not kept where the caller does not want it", () =>
    Effect.gen(function* () {
      const { ask } = yield* rig
      const first = whole(yield* ask({ input: "How is it?" }, "a"))
      const stranger = yield* Effect.flip(ask({ input: [result], previous_response_id: first.id }, "b"))
      assert.include(stranger.message, "previous_response_id")
      const unkept = whole(yield* ask({ input: "How is it?", store: false }, "a"))
      const refused = yield* Effect.flip(ask({ input: "And?", previous_response_id: unkept.id }, "a"))
      assert.include(refused.message, "previous_response_id")
    })
  )
})

describe("answers that are kept", () => {
  const answer = (id: string, text: string): JsonObject => ({
    id,
    output: [{ type: "message", id: `msg_${id}`, role: "assistant", content: [{ type: "output_text", text }] }]
  })
  const isKept = (kept: KeptAnswers, id: string): boolean => {
    const body = { previous_response_id: id, input: "x" }
    return kept.resolved(body, undefined) !== body
  }

  it("take a bounded room: the oldest go first, who is asked for stays, and what is too large is not kept", () => {
    const kept = new KeptAnswers(4_000)
    for (const id of ["a", "b", "c"]) kept.keep({ input: "hi" }, undefined, answer(id, "x".repeat(700)))
    assert.isTrue(isKept(kept, "a"))
    for (const id of ["d", "e", "f"]) kept.keep({ input: "hi" }, undefined, answer(id, "x".repeat(600)))
    assert.deepStrictEqual(
      ["a", "b", "c", "f"].map((id) => isKept(kept, id)),
      [true, false, false, true]
    )
    kept.keep({ input: "hi" }, undefined, answer("g", "x".repeat(1_000)))
    assert.isFalse(isKept(kept, "g"))
    const reference = { input: [{ type: "item_reference", id: "msg_b" }] }
    assert.strictEqual(kept.resolved(reference, undefined), reference)
  })

  it("are no other caller's, whatever callers are called and write as an id", () => {
    const kept = new KeptAnswers()
    kept.keep({ input: "hi" }, "team alpha", answer("a", "secret"))
    kept.keep({ input: "hi" }, undefined, answer("b", "secret"))
    for (const [caller, id] of [
      ["team", "alpha a"],
      ["team", "a"],
      ["", "b"],
      [undefined, "team alpha a"],
      [undefined, "10 team alphaa"]
    ] as const) {
      const body = { input: "go on", previous_response_id: id }
      assert.strictEqual(kept.resolved(body, caller), body, `${caller} ${id}`)
    }
    const own = { input: "go on", previous_response_id: "a" }
    assert.notStrictEqual(kept.resolved(own, "team alpha"), own)
  })

  it("leave a payload alone that refers to nothing", () => {
    const kept = new KeptAnswers()
    const body = { input: [{ role: "user", content: "x" }, 5, null], previous_response_id: 7 }
    assert.strictEqual(kept.resolved(body, undefined), body)
  })
})
