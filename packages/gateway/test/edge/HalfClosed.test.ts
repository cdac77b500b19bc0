/** Clients that close their side after their request, and wait for the answer. */
import { assert, describe, it } from "@effect/vitest"
import * as FakeProvider from "@switchyard/testing/FakeProvider"
import { Effect } from "effect"
import { authorized, messages, start } from "../support/gateways.js"
import { connectTo, head } from "../support/rawHttp.js"

/** Sends a request, closes that side once `begins` has come, and gives the last of the answers (the first may be an interim one). */
const answerTo = (path: string, body: object, behaviour: FakeProvider.Behaviour, begins = "") =>
  Effect.gen(function* () {
    const upstream = yield* FakeProvider.make({ name: "one" })
    yield* upstream.behave(behaviour)
    const gateway = yield* start([upstream], {})
    const client = yield* connectTo(gateway, { allowHalfOpen: true })
    const bytes = JSON.stringify({ model: "smart", ...body })
    client.send(head("POST", path, { ...authorized, "content-length": Buffer.byteLength(bytes) }) + bytes)
    yield* client.until((text) => text.includes(begins))
    client.socket.end()
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
      // Pauses of many times the while after which a silent client is asked: which of two timers is first is not left to the machine.
      const behaviour = { chunkGapMs: 300, chunks: 4, reply: "one two three four" }
      const { text } = yield* answerTo("/v1/chat/completions", { messages, stream: true }, behaviour, "data: {")
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
      const behaviour = { chunkGapMs: 60, chunks: 4, audioBytes: 4000 }
      const slow = yield* answerTo("/v1/audio/speech", body, behaviour)
      const fast = yield* answerTo("/v1/audio/speech", body, { ...behaviour, chunkGapMs: 0 })
      assert.strictEqual(slow.text, fast.text)
    })
  )

  it.scopedLive("gets an answer that is long in coming", () =>
    Effect.gen(function* () {
      const { text } = yield* answerTo("/v1/chat/completions", { messages }, { latencyMs: 100, reply: "late" })
      assert.strictEqual(JSON.parse(text).choices[0].message.content, "late")
    })
  )
})
