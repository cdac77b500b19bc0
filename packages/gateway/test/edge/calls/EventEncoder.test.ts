import { assert, describe, it } from "@effect/vitest"
import type { StreamEvent } from "@switchyard/core/Dialect"
import { openAi } from "@switchyard/core/OpenAi"
import { encoderFor } from "../../../src/edge/calls/eventEncoder.js"

const event = (json: Readonly<Record<string, unknown>>, name?: string): StreamEvent => ({
  ...(name === undefined ? {} : { event: name }),
  data: JSON.stringify(json),
  json
})

const told = { error: { message: "it broke", type: "server_error", param: null, code: "upstream_unavailable" } }
const around = { status: 503, id: "r1" }
const words = openAi.answer

/** What a client of server-sent events reads. */
const parsed = (text: string) =>
  text
    .split("\n\n")
    .filter((block) => block.trim() !== "" && !block.startsWith(":"))
    .map((block) => {
      const lines = block.trim().split("\n")
      const of = (field: string) => lines.find((line) => line.startsWith(`${field}: `))?.slice(field.length + 2)
      return { event: of("event"), data: of("data") }
    })

describe("a stream", () => {
  it("of chat has no names and ends with [DONE], an error with nothing", () => {
    const chat = encoderFor("chat", words)
    const text = chat.encode([event({ choices: [{ delta: { content: "Hi" } }] })]) + chat.ending(undefined)
    assert.deepStrictEqual(
      parsed(text).map(({ data, event: name }) => [name, data?.slice(0, 10)]),
      [
        [undefined, '{"choices"'],
        [undefined, "[DONE]"]
      ]
    )
    assert.notInclude(chat.failure(told, around), "[DONE]")
  })

  it("of Messages has names, pings while nothing comes, ends by its own last event, and tells an error as one", () => {
    const messages = encoderFor("messages", words)
    const stop = event({ type: "message_stop" })
    assert.strictEqual(messages.encode([stop]), 'event: message_stop\ndata: {"type":"message_stop"}\n\n')
    assert.strictEqual(messages.ending(undefined), "")
    assert.deepStrictEqual(parsed(messages.alive), [{ event: "ping", data: '{"type":"ping"}' }])
    const [failed] = parsed(messages.failure(told, around))
    assert.strictEqual(failed?.event, "error")
    assert.deepInclude(JSON.parse(failed?.data ?? ""), { type: "error", request_id: "r1" })
    assert.deepInclude(JSON.parse(failed?.data ?? "").error, { type: "overloaded_error", message: "it broke" })
  })

  it("of Responses goes on counting when it fails, and says so by both events that clients look for", () => {
    const responses = encoderFor("responses", words)
    const begun = { type: "response.created", sequence_number: 0, response: { id: "resp_1", model: "m", output: [] } }
    responses.encode([event(begun), event({ type: "response.output_text.delta", sequence_number: 7, delta: "x" })])
    const [error, failed] = parsed(responses.failure(told, around))
    assert.strictEqual(error?.event, "error")
    assert.deepInclude(JSON.parse(error?.data ?? ""), { type: "error", sequence_number: 8, message: "it broke" })
    assert.strictEqual(failed?.event, "response.failed")
    const { response, sequence_number } = JSON.parse(failed?.data ?? "")
    assert.strictEqual(sequence_number, 9)
    assert.deepInclude(response, { id: "resp_1", model: "m", status: "failed" })
    assert.deepStrictEqual(response.error, { code: "upstream_unavailable", message: "it broke" })
    assert.match(responses.alive, /^:/)
  })

  it("of Gemini has no names, no comments and no last word", () => {
    const gemini = encoderFor("gemini", words)
    assert.strictEqual(gemini.encode([event({ candidates: [] })]), 'data: {"candidates":[]}\n\n')
    assert.strictEqual(gemini.ending(undefined), "")
    assert.strictEqual(gemini.alive.trim() + gemini.waiting.trim(), "")
    assert.deepInclude(JSON.parse(parsed(gemini.failure(told, around))[0]?.data ?? "").error, {
      code: 503,
      status: "UNAVAILABLE"
    })
  })

  it("of Gemini as a list is JSON once it is whole, with signs of life in it or an error at its end", () => {
    const make = () => encoderFor("gemini", words, { isList: true })
    const list = make()
    const text =
      list.waiting +
      list.encode([event({ n: 1 }), event({ n: 2 })]) +
      list.alive +
      list.encode([event({ n: 3 })]) +
      list.ending(undefined)
    assert.deepStrictEqual(JSON.parse(text), [{ n: 1 }, { n: 2 }, { n: 3 }])
    assert.deepStrictEqual(JSON.parse(make().ending(undefined)), [])
    const broken = make()
    const cut = broken.encode([event({ n: 1 })])
    assert.throws(() => JSON.parse(cut))
    assert.strictEqual(JSON.parse(cut + broken.failure(told, around))[1].error.code, 503)
    assert.match(list.contentType, /^application\/json/)
  })
})
