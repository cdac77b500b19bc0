/** Clients that close their side after their request, and wait for the answer. */
import { assert, describe, it } from "@effect/vitest"
import * as FakeProvider from "@switchyard/testing/FakeProvider"
import { Effect } from "effect"
import { authorized, messages, start } from "../support/gateways.js"
import { connectTo, head } from "../support/rawHttp.js"

/**
 * Sends a request, closes that side once `begins` has come, and lets the upstream go on when `asks` has: what the gateway asks him whether
 * he is there by. Gives the last of the answers (the first may be an interim one).
 */
const answerTo = (path: string, body: object, behaviour: FakeProvider.Behaviour, asks: RegExp, begins = /^/) =>
  Effect.gen(function* () {
    const upstream = yield* FakeProvider.make({ name: "one" })
    const gate = FakeProvider.gate()
    yield* upstream.behave({ ...behaviour, gate })
    const gateway = yield* start([upstream], {})
    const client = yield* connectTo(gateway, { allowHalfOpen: true })
    const bytes = JSON.stringify({ model: "smart", ...body })
    client.send(head("POST", path, { ...authorized, "content-length": Buffer.byteLength(bytes) }) + bytes)
    yield* client.until((text) => begins.test(text))
    client.socket.end()
    yield* client.until((text) => asks.test(text))
    gate.open()
    const answers = yield* client.answers(1)
    const [first] = answers
    const answer = first !== undefined && first.status < 200 ? (yield* client.answers(2))[1] : first
    assert(answer !== undefined)
    assert.strictEqual(answer.status, 200)
    return answer
  })

describe("a client that said no more", () => {
  it.scopedLive("gets its stream whole, with a comment in it where it pauses, in chunks that are sound", () =>
    Effect.gen(function* () {
      const behaviour = { gateAfterChunks: 1, chunks: 4, reply: "one two three four" }
      const asked = { messages, stream: true }
      const { text } = yield* answerTo("/v1/chat/completions", asked, behaviour, /: keep-alive\n/, /"content":"[^"]/)
      const events = text.split("\n\n").filter((event) => event !== "")
      assert.include(events, ": keep-alive")
      assert.strictEqual(events.at(-1), "data: [DONE]")
      const said = events
        .filter((event) => event.startsWith("data: {"))
        .map((event) => JSON.parse(event.slice(6)).choices[0]?.delta?.content ?? "")
      assert.strictEqual(said.join(""), behaviour.reply)
    })
  )

  it.scopedLive("gets sound as it was made: what asks whether he is there stands between HTTP's chunks", () =>
    Effect.gen(function* () {
      const body = { input: "Hello", voice: "alloy", response_format: "wav" }
      const behaviour = { gateAfterChunks: 1, chunks: 4, audioBytes: 4000 }
      const { text } = yield* answerTo("/v1/audio/speech", body, behaviour, /\r\n0$/, /\r\n\r\n/)
      assert.strictEqual(text, FakeProvider.soundOf(4000).toString("utf8"))
    })
  )

  it.scopedLive("gets an answer that is long in coming", () =>
    Effect.gen(function* () {
      const { text } = yield* answerTo("/v1/chat/completions", { messages }, { reply: "late" }, /^HTTP\/1.1 100 /)
      assert.strictEqual(JSON.parse(text).choices[0].message.content, "late")
    })
  )
})
