import type { JsonObject } from "@switchyard/core/Json"
import { Either } from "effect"
import { describe, expect, it } from "vitest"
import { chat } from "../../src/chat/Chat.js"
import { completions } from "../../src/completions/Completions.js"
import * as Pair from "../../src/pairs/Pair.js"
import type { WireEvent } from "../../src/Translator.js"

const right = <A>(either: Either.Either<A, unknown>): A => {
  if (Either.isLeft(either)) throw new Error(JSON.stringify(either.left))
  return either.right
}

const requests: ReadonlyArray<JsonObject> = [
  { model: "m", prompt: "Once" },
  {
    model: "m",
    prompt: ["Once"],
    stream: true,
    max_tokens: 5,
    temperature: 0,
    top_p: 1,
    n: 2,
    logprobs: 0,
    echo: true,
    best_of: 3,
    suffix: "x",
    stop: "a",
    seed: 1,
    user: "u",
    presence_penalty: null,
    stream_options: { include_usage: true }
  }
]

describe("legacy completions", () => {
  it("are written as they were read", () => {
    for (const body of requests) {
      const written = right(completions.writeRequest(right(completions.readRequest(body)), { model: "m" }))
      expect(JSON.parse(JSON.stringify(written.body))).toEqual(body)
    }
  })

  it("are a conversation of one turn to another dialect, and refused by name where they are none", () => {
    const read = right(completions.readRequest({ model: "m", prompt: "Once", max_tokens: 5, stop: "a" }))
    expect(right(Pair.write(read, completions, chat, { model: "c" })).body).toEqual({
      model: "c",
      messages: [{ role: "user", content: "Once" }],
      max_tokens: 5,
      stop: ["a"]
    })
    const problems = (body: JsonObject): ReadonlyArray<string> => {
      const result = completions.readRequest(body)
      return Either.isLeft(result) ? result.left.map(({ path }) => path) : []
    }
    expect([problems({}), problems({ prompt: [1, 2] }), problems({ prompt: ["a", "b"], n: "x" })]).toEqual([
      ["prompt"],
      ["prompt"],
      ["prompt", "n"]
    ])
    const echo = right(completions.readRequest({ prompt: "a", echo: true }))
    const refused = Pair.write(echo, completions, chat, { model: "c" })
    expect(Either.isLeft(refused) && refused.left.map(({ path }) => path)).toEqual(["echo"])
  })

  it("go on where a chat ends, and call no tools", () => {
    const said = (fields: JsonObject) => Pair.write(right(chat.readRequest(fields)), chat, completions, { model: "c" })
    const messages = [
      { role: "system", content: "Be brief." },
      { role: "user", content: "Hi" }
    ]
    expect(right(said({ messages })).body).toMatchObject({ prompt: "Be brief.\n\nUser: Hi\n\nAssistant:" })
    const tools = said({ messages, tools: [{ type: "function", function: { name: "f" } }] })
    expect(Either.isLeft(tools) && tools.left.map(({ path }) => path)).toEqual(["tools"])
  })

  const answer = {
    id: "cmpl-1",
    object: "text_completion",
    created: 1,
    model: "m",
    choices: [{ text: " there", index: 0, logprobs: null, finish_reason: "length" }],
    usage: {
      prompt_tokens: 2,
      completion_tokens: 1,
      total_tokens: 3,
      prompt_tokens_details: { cached_tokens: 0 },
      completion_tokens_details: { reasoning_tokens: 0 }
    }
  }
  const options = {
    conversation: right(completions.readRequest({ prompt: "a" })),
    id: "x",
    created: 1,
    wantsUsage: true
  }

  it("answer as they were read, whole and in events", () => {
    expect(completions.writeAnswer(right(completions.readAnswer(answer)), options)).toEqual(answer)
    const chunk = (text: string, finish_reason: string | null) => ({
      id: "cmpl-1",
      object: "text_completion",
      created: 1,
      model: "m",
      choices: [{ text, index: 0, logprobs: null, finish_reason }]
    })
    const events = [
      chunk("a", null),
      chunk("b", null),
      chunk("", "stop"),
      { ...chunk("", null), choices: [], usage: answer.usage }
    ]
    const bridge = Pair.events(completions, completions, options)
    const written: Array<JsonObject> = []
    const tell = ({ json }: WireEvent): void => void written.push(json)
    for (const json of events) bridge.read(json, tell)
    bridge.end(tell)
    expect(written).toEqual(events)
    expect(Either.isLeft(completions.readAnswer({}))).toBe(true)
  })
})
