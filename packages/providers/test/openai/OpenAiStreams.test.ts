import { inspect } from "node:util"
import { assert, describe, it } from "@effect/vitest"
import { toStream } from "@switchyard/core/EventStream"
import { LlmError } from "@switchyard/core/LlmError"
import * as LlmRequest from "@switchyard/core/LlmRequest"
import * as LlmService from "@switchyard/core/LlmService"
import * as Service from "@switchyard/core/Service"
import type * as OpenAiCompatible from "@switchyard/providers/OpenAiCompatible"
import * as FakeProvider from "@switchyard/testing/FakeProvider"
import { Chunk, Effect, Exit, Fiber, Stream } from "effect"
import * as S from "../support/support.js"

const event = (delta: object, finish: string | null = null): string =>
  `data: ${JSON.stringify({ id: "c1", object: "chat.completion.chunk", choices: [{ index: 0, delta, finish_reason: finish }] })}\n\n`

const done = "data: [DONE]\n\n"

/** A server that answers every request with these bytes as an event stream, and then ends it. */
const sse = (body: string | Buffer, headers: Record<string, string> = {}) =>
  S.rawServer((_, response) => {
    response.writeHead(200, { "content-type": "text/event-stream", ...headers })
    response.end(body)
  })

describe.each([S.undici, S.httpClient])("OpenAiCompatible over $name: streams", (wire) => {
  const scene = (options: OpenAiCompatible.Options = {}) =>
    Effect.all({ up: FakeProvider.make({ name: "up" }), service: S.serviceOver(wire, options) })

  const openAt = (baseUrl: string, options: OpenAiCompatible.Options = {}, request = S.streamed()) =>
    Effect.flatMap(S.serviceOver(wire, options), (service) =>
      Effect.map(S.call(service, request, { baseUrl }), (response) => S.streaming(response))
    )

  const read = (behaviour: FakeProvider.Behaviour, request = S.streamed()) =>
    Effect.gen(function* () {
      const { service, up } = yield* scene()
      yield* up.next(behaviour)
      const response = S.streaming(yield* S.call(service, request, { baseUrl: up.url }))
      const result = yield* Effect.either(S.readAll(response.events))
      const outcome = response.events.settlement.outcome
      if (outcome === undefined) throw new Error("the stream has ended and not settled")
      return { up, response, result, outcome, events: result._tag === "Right" ? result.right : [] }
    })

  const failed = (behaviour: FakeProvider.Behaviour) =>
    Effect.map(read(behaviour), (ended) => {
      if (ended.result._tag === "Right") throw new Error("expected the stream to fail")
      if (ended.outcome._tag !== "Failed") throw new Error(`expected Failed, got ${ended.outcome._tag}`)
      assert.strictEqual(ended.outcome.error, ended.result.left)
      return { ...ended, error: ended.result.left, usage: ended.outcome.usage }
    })

  it.scopedLive("a bound that runs out once the stream is open ends nothing any more", () =>
    Effect.gen(function* () {
      let finish = () => {}
      const server = yield* S.rawServer((_, response) => {
        response.writeHead(200, { "content-type": "text/event-stream" })
        response.write(event({ content: "Hi" }))
        finish = () => void response.end(event({ content: " there" }) + event({}, "stop") + done)
      })
      const service = yield* S.serviceOver(wire)
      const attempt = yield* S.attemptOn(S.streamed(), { baseUrl: server.origin })
      const { events } = S.streaming(yield* service.call(attempt))
      attempt.expire?.(new LlmError({ reason: "Timeout", description: "too late" }))
      finish()
      assert.strictEqual(S.textOf(yield* S.readAll(events)), "Hi there")
      assert.strictEqual(events.settlement.outcome?._tag, "Completed")
    })
  )

  it.scopedLive("every event arrives in order, and the call settles as completed with the reported usage", () =>
    Effect.gen(function* () {
      const { events, outcome, response } = yield* read({
        reply: "Grüße, ✓ 😀 and goodbye",
        chunks: 7,
        usage: { prompt_tokens: 9, completion_tokens: 4, cached_tokens: 1 }
      })
      assert.strictEqual(S.textOf(events), "Grüße, ✓ 😀 and goodbye")
      assert.deepStrictEqual(
        events.map((one) => one.json),
        events.map((one) => JSON.parse(one.data))
      )
      assert.strictEqual(response.status, 200)
      assert.match(response.headers["content-type"] ?? "", /event-stream/)
      assert.strictEqual(outcome._tag, "Completed")
      assert.deepStrictEqual(outcome.usage, {
        inputTokens: 9,
        outputTokens: 4,
        cachedInputTokens: 1,
        reasoningTokens: 0,
        estimated: false
      })
    })
  )

  it.scopedLive("usage is always asked for, and other stream options are kept", () =>
    Effect.gen(function* () {
      const { up } = yield* read({}, S.streamed({ stream_options: { include_obfuscation: false } }))
      const { stream, stream_options } = S.firstBody(up)
      assert.deepStrictEqual(
        { stream, stream_options },
        { stream: true, stream_options: { include_obfuscation: false, include_usage: true } }
      )
      assert.strictEqual(up.journal()[0]?.headers.accept, "text/event-stream")
    })
  )

  it.scopedLive("tool calls and reasoning arrive piece by piece", () =>
    Effect.gen(function* () {
      const { events, outcome, response } = yield* read({
        reasoning: "thinking hard",
        toolCalls: [{ name: "weather", arguments: '{"city":"Kyiv"}' }]
      })
      const joined = events
        .flatMap(
          (one) =>
            (one.json.choices as ReadonlyArray<{
              delta?: { tool_calls?: ReadonlyArray<{ function: { arguments?: string } }> }
            }>) ?? []
        )
        .map((choice) => choice.delta?.tool_calls?.[0]?.function.arguments ?? "")
        .join("")
      assert.strictEqual(joined, '{"city":"Kyiv"}')
      assert.isTrue(response.events.facts.hasReasoning)
      assert.strictEqual(response.events.facts.finishReason, "tool_calls")
      assert.strictEqual(outcome._tag, "Completed")
    })
  )

  it.scopedLive("a legacy completion streams too", () =>
    Effect.gen(function* () {
      const request = LlmRequest.completion({ model: "m", prompt: "Once", stream: true })
      const { events, outcome } = yield* read({ reply: "upon a time" }, request)
      assert.strictEqual(S.textOf(events), "upon a time")
      assert.strictEqual(outcome._tag, "Completed")
    })
  )

  it.scopedLive("usage that the provider does not send is estimated", () =>
    Effect.gen(function* () {
      const { outcome } = yield* read({ usage: null, reply: "x".repeat(40) })
      assert.strictEqual(outcome._tag, "Completed")
      assert.isTrue(outcome.usage?.estimated)
      assert.strictEqual(outcome.usage?.outputTokens, 10)
    })
  )

  describe("ends", () => {
    it.scopedLive("cleanly without [DONE] but with a finish reason: a success", () =>
      Effect.gen(function* () {
        const { events, outcome } = yield* read({ done: false, reply: "all of it" })
        assert.strictEqual(S.textOf(events), "all of it")
        assert.strictEqual(outcome._tag, "Completed")
      })
    )

    it.scopedLive("cleanly without a finish reason: no success, with or without [DONE]", () =>
      Effect.gen(function* () {
        for (const goodbye of [true, false]) {
          const { error } = yield* failed({ finishReason: null, done: goodbye })
          assert.strictEqual(error.reason, "StreamInterrupted")
          assert.strictEqual(error.interruptedBy, "Unavailable")
        }
      })
    )

    it.scopedLive("by a cut before any content: an ordinary failure, which `primed` hands over as one", () =>
      Effect.gen(function* () {
        const { error } = yield* failed({ cutAfterChunks: 0 })
        assert.strictEqual(error.reason, "Unavailable")
        const { service, up } = yield* scene()
        yield* up.next({ cutAfterChunks: 0 })
        const primed = yield* Effect.flip(Service.primed(S.call(service, S.streamed(), { baseUrl: up.url })))
        assert.strictEqual(primed.reason, "Unavailable")
      })
    )

    it.scopedLive("by a cut after content: interrupted, what was used is estimated", () =>
      Effect.gen(function* () {
        const { error, usage } = yield* failed({ cutAfterChunks: 3, reply: "x".repeat(100), chunks: 5 })
        assert.strictEqual(error.reason, "StreamInterrupted")
        assert.strictEqual(error.interruptedBy, "Unavailable")
        assert.isTrue(usage?.estimated)
        assert.strictEqual(usage?.outputTokens, 15)
      })
    )

    it.scopedLive("by a cut when the answer is whole: a success, only the goodbye is missing", () =>
      Effect.gen(function* () {
        const server = yield* S.rawServer((_, response) => {
          response.writeHead(200, { "content-type": "text/event-stream" })
          response.write(event({ content: "whole" }) + event({}, "stop"), () => response.socket?.destroySoon())
        })
        const { events } = yield* openAt(server.origin)
        assert.strictEqual(S.textOf(yield* S.readAll(events)), "whole")
        assert.strictEqual(events.settlement.outcome?._tag, "Completed")
      })
    )

    it.scopedLive("by a malformed event: a cut, and the upstream is aborted", () =>
      Effect.gen(function* () {
        const { error, up } = yield* failed({
          malformedAfterChunks: 2,
          chunkGapMs: 5,
          chunks: 40,
          reply: "x".repeat(200)
        })
        assert.strictEqual(error.reason, "StreamInterrupted")
        assert.strictEqual(error.interruptedBy, "MalformedResponse")
        assert.strictEqual((yield* up.awaitEntry((entry) => entry.end !== undefined)).end, "clientAborted")
      })
    )

    it.scopedLive("by a malformed event before content: a MalformedResponse", () =>
      Effect.gen(function* () {
        assert.strictEqual((yield* failed({ malformedAfterChunks: 0 })).error.reason, "MalformedResponse")
      })
    )

    it.scopedLive.each([["[]"], ['"text"'], ["42"], ["not json"]])("by an event that is %s", ([data]) =>
      Effect.gen(function* () {
        const server = yield* sse(`data: ${data}\n\n${event({ content: "x" }, "stop")}${done}`)
        const { events } = yield* openAt(server.origin)
        assert.strictEqual((yield* Effect.flip(S.readAll(events))).reason, "MalformedResponse")
      })
    )

    it.scopedLive("a malformed event can be skipped, and is counted", () =>
      Effect.gen(function* () {
        const server = yield* sse(`${event({ content: "a" })}data: {"cut\n\n${event({ content: "b" }, "stop")}${done}`)
        const { events } = yield* openAt(server.origin, { onMalformedEvent: "skip" })
        assert.strictEqual(S.textOf(yield* S.readAll(events)), "ab")
        assert.strictEqual(events.skipped, 1)
      })
    )

    it.scopedLive("a deployment's own word about malformed events beats the service's", () =>
      Effect.gen(function* () {
        const server = yield* sse(`${event({ content: "a" })}data: {"cut\n\n${event({ content: "b" }, "stop")}${done}`)
        for (const [service, own, text] of [
          ["cut", "skip", "ab"],
          ["skip", "cut", undefined]
        ] as const) {
          const read = Effect.flatMap(S.serviceOver(wire, { onMalformedEvent: service }), (made) =>
            Effect.flatMap(S.call(made, S.streamed(), { baseUrl: server.origin, onMalformedEvent: own }), (response) =>
              S.readAll(S.streaming(response).events)
            )
          )
          const exit = yield* Effect.exit(read)
          assert.strictEqual(exit._tag === "Success" ? S.textOf(exit.value) : undefined, text)
        }
      })
    )

    it.scopedLive("by an error event: classified by its code, the connection given up", () =>
      Effect.gen(function* () {
        const { error } = yield* failed({
          errorEventAfterChunks: 0,
          error: { message: "too long", code: "context_length_exceeded" }
        })
        assert.strictEqual(error.reason, "ContextWindowExceeded")
        assert.strictEqual(error.providerMessage, "too long")
        const later = yield* failed({
          errorEventAfterChunks: 2,
          error: { message: "busy", code: "rate_limit_exceeded" }
        })
        assert.strictEqual(later.error.reason, "StreamInterrupted")
        assert.strictEqual(later.error.interruptedBy, "RateLimited")
      })
    )

    it.scopedLive("by an event named error, whatever its data is", () =>
      Effect.gen(function* () {
        for (const [data, reason] of [
          ['{"type":"overloaded_error","message":"Overloaded"}', "Unavailable"],
          ['{"code":"insufficient_quota"}', "QuotaExhausted"],
          ["boom", "Unavailable"]
        ]) {
          const server = yield* sse(`event: error\ndata: ${data}\n\n`)
          const { events } = yield* openAt(server.origin)
          assert.strictEqual((yield* Effect.flip(S.readAll(events))).reason, reason)
        }
      })
    )

    it.scopedLive("by an error event that echoes the key: the key is not shown", () =>
      Effect.gen(function* () {
        const { error, outcome } = yield* failed({
          errorEventAfterChunks: 1,
          error: { message: `bad ${S.key}`, code: S.key, type: S.key }
        })
        assert.notInclude(inspect([error, outcome], { depth: 12 }) + JSON.stringify(error) + error.message, S.key)
        assert.include(error.providerMessage, "<secret>")
      })
    )

    it.scopedLive("by an event that is too large: a MalformedResponse, the upstream aborted", () =>
      Effect.gen(function* () {
        const server = yield* S.rawServer((_, response) => {
          response.writeHead(200, { "content-type": "text/event-stream" })
          response.write("data: ")
          const more = () => {
            while (!response.destroyed && response.write("x".repeat(65_536))) {}
            if (!response.destroyed) response.once("drain", more)
          }
          more()
        })
        const { events } = yield* openAt(server.origin, { maxEventLength: 1_000_000 })
        const error = yield* Effect.flip(S.readAll(events))
        assert.strictEqual(error.reason, "MalformedResponse")
        assert.include(error.description, "1000000 characters")
        yield* S.eventually(() => server.sockets() === 0)
      })
    )
  })

  describe("bytes", () => {
    it.scopedLive("bytes without an event of the answer are a sign of life: a comment, a part of an event", () =>
      Effect.gen(function* () {
        let write: (text: string) => void = () => {}
        const server = yield* S.rawServer((_, response) => {
          response.writeHead(200, { "content-type": "text/event-stream" })
          write = (text) => void response.write(text)
          write(event({ content: "a" }))
        })
        const { events } = yield* openAt(`${server.origin}/v1`)
        yield* events.pull
        const reading = yield* Effect.fork(events.pull)
        yield* S.eventually(() => events.silentSince !== undefined)
        for (const text of [": ping\n\n", 'data: {"choices":[{"index":0,']) {
          const before = events.silentSince
          write(text)
          yield* S.eventually(() => events.silentSince !== before)
          assert.isAbove(events.silentSince ?? 0, before ?? 0)
        }
        yield* Fiber.interrupt(reading)
        events.close()
      })
    )

    const whole = Buffer.from(
      `\ufeff: hello\r\n\r\nretry: 3000\nid: 7\nevent: message\n${event({ role: "assistant" })}: keep-alive\n\n` +
        event({ content: "ä✓😀" }).replaceAll("\n", "\r\n") +
        `data:\n\ndata: {"choices":[{"index":0,\ndata: "delta":{"content":"two lines"}}]}\n\n` +
        event({ content: "!" }, "stop") +
        done
    )

    it.scopedLive("may come in any pieces: comments, byte order mark, line ends, many lines, cut characters", () =>
      Effect.gen(function* () {
        const server = yield* S.rawServer((request, response) => {
          const size = Number(request.headers["x-piece"])
          response.writeHead(200, { "content-type": "Text/Event-Stream; charset=utf-8" })
          let at = 0
          const next = () => {
            if (at >= whole.length) return void response.end()
            response.write(whole.subarray(at, at + size), () => setImmediate(next))
            at += size
          }
          next()
        })
        for (const size of [1, 2, 3, 7, 64, 10_000]) {
          const request = S.streamed({}, { overrides: { headers: { "x-piece": String(size) } } })
          const { events } = yield* openAt(server.origin, {}, request)
          assert.strictEqual(S.textOf(yield* S.readAll(events)), "ä✓😀two lines!", `pieces of ${size}`)
          assert.strictEqual(events.settlement.outcome?._tag, "Completed")
        }
      })
    )

    it.scopedLive("of a last event without its empty line still count", () =>
      Effect.gen(function* () {
        const server = yield* sse(event({ content: "a" }) + event({ content: "b" }, "stop").trimEnd())
        const { events } = yield* openAt(server.origin)
        assert.strictEqual(S.textOf(yield* S.readAll(events)), "ab")
        assert.strictEqual(events.settlement.outcome?._tag, "Completed")
      })
    )

    it.scopedLive("of half an event at the end are a cut", () =>
      Effect.gen(function* () {
        const server = yield* sse(event({ content: "a" }) + event({ content: "b" }, "stop").slice(0, 40))
        const { events } = yield* openAt(server.origin)
        const error = yield* Effect.flip(S.readAll(events))
        assert.strictEqual(error.interruptedBy, "Unavailable")
        assert.strictEqual(error.code, "cut")
      })
    )

    it.scopedLive("after [DONE] are not read", () =>
      Effect.gen(function* () {
        const server = yield* sse(
          `${event({ content: "a" }, "stop") + done + event({ content: "b" })}data: {nonsense\n\n`
        )
        const { events } = yield* openAt(server.origin)
        assert.strictEqual(S.textOf(yield* S.readAll(events)), "a")
        assert.strictEqual(events.settlement.outcome?._tag, "Completed")
      })
    )
  })

  describe("a stream request that is answered otherwise", () => {
    const json = (body: string, type: string) =>
      S.rawServer((_, response) => {
        response.writeHead(200, { "content-type": type })
        response.end(body)
      })

    it.scopedLive("with whole JSON is a whole answer, which the accessor streams as one chunk", () =>
      Effect.gen(function* () {
        const body = JSON.stringify({
          object: "chat.completion",
          choices: [{ index: 0, message: { role: "assistant", content: "at once" }, finish_reason: "stop" }]
        })
        const server = yield* json(body, "application/json")
        const service = yield* S.serviceOver(wire)
        assert.strictEqual(S.complete(yield* S.call(service, S.streamed(), { baseUrl: server.origin })).raw, body)
        const requests = Service.request((request) => S.call(service, request, { baseUrl: server.origin }))
        const events = yield* Stream.runCollect(LlmService.stream(requests, S.streamed()))
        assert.strictEqual(S.textOf(Chunk.toReadonlyArray(events)), "at once")
      })
    )

    it.scopedLive("with anything else is a MalformedResponse", () =>
      Effect.gen(function* () {
        for (const [body, type] of [
          ["<html></html>", "text/html"],
          ["", "application/json"]
        ] as const) {
          const server = yield* json(body, type)
          const service = yield* S.serviceOver(wire)
          const error = yield* Effect.flip(S.call(service, S.streamed(), { baseUrl: server.origin }))
          assert.strictEqual(error.reason, "MalformedResponse")
        }
      })
    )
  })

  describe("a caller that leaves", () => {
    it.scopedLive("before the headers aborts the upstream request", () =>
      Effect.gen(function* () {
        const { service, up } = yield* scene()
        yield* up.next({ hang: true })
        const fiber = yield* Effect.fork(S.call(service, S.streamed(), { baseUrl: up.url }))
        yield* up.awaitEntry((entry) => entry.seq === 1)
        assert.isTrue(Exit.isInterrupted(yield* Fiber.interrupt(fiber)))
        assert.strictEqual((yield* up.awaitEntry((entry) => entry.end !== undefined)).end, "clientAborted")
      })
    )

    it.scopedLive("before the first content aborts it, and the call is abandoned", () =>
      Effect.gen(function* () {
        const { service, up } = yield* scene()
        yield* up.next({ stallAfterChunks: 0 })
        const attempt = yield* S.attemptOn(S.streamed(), { baseUrl: up.url })
        const fiber = yield* Effect.fork(Service.primed(service.call(attempt)))
        yield* up.awaitEntry((entry) => entry.status === 200)
        yield* Fiber.interrupt(fiber)
        attempt.release()
        assert.strictEqual((yield* up.awaitEntry((entry) => entry.end !== undefined)).end, "clientAborted")
      })
    )

    it.scopedLive("in mid-stream aborts it, and the call settles as abandoned with estimated usage", () =>
      Effect.gen(function* () {
        const { service, up } = yield* scene()
        yield* up.next({ stallAfterChunks: 2, reply: "x".repeat(80), chunks: 2 })
        const { events } = S.streaming(yield* S.call(service, S.streamed(), { baseUrl: up.url }))
        const fiber = yield* Effect.fork(Stream.runDrain(toStream(events)))
        yield* up.awaitEntry((entry) => entry.chunksSent === 2)
        yield* S.eventually(() => events.facts.characters === 80 && events.silentSince !== undefined)
        yield* Fiber.interrupt(fiber)
        const outcome = events.settlement.outcome
        assert.strictEqual(outcome?._tag, "Abandoned")
        assert.strictEqual(outcome?.usage?.outputTokens, 20)
        assert.strictEqual((yield* up.awaitEntry((entry) => entry.end !== undefined)).end, "clientAborted")
      })
    )

    it.scopedLive("with enough in hand aborts it", () =>
      Effect.gen(function* () {
        const { service, up } = yield* scene()
        yield* up.next({ chunks: 1000, reply: "x".repeat(1000), chunkGapMs: 2 })
        const { events } = S.streaming(yield* S.call(service, S.streamed(), { baseUrl: up.url }))
        yield* Stream.runDrain(Stream.take(toStream(events), 3))
        assert.strictEqual((yield* up.awaitEntry((entry) => entry.end !== undefined)).end, "clientAborted")
        assert.strictEqual(events.settlement.outcome?._tag, "Abandoned")
      })
    )

    it.scopedLive("and whose response got lost is aborted through the attempt", () =>
      Effect.gen(function* () {
        const { service, up } = yield* scene()
        yield* up.next({ stallAfterChunks: 1 })
        const attempt = yield* S.attemptOn(S.streamed(), { baseUrl: up.url })
        yield* service.call(attempt)
        attempt.release()
        assert.strictEqual((yield* up.awaitEntry((entry) => entry.end !== undefined)).end, "clientAborted")
      })
    )
  })

  it.scopedLive("a bound that runs out aborts the upstream and keeps its phase", () =>
    Effect.gen(function* () {
      const { service, up } = yield* scene()
      yield* up.next({ stallAfterChunks: 1 })
      const { events } = S.streaming(yield* S.call(service, S.streamed(), { baseUrl: up.url }))
      yield* events.awaitContent
      const { LlmError } = yield* Effect.promise(() => import("@switchyard/core/LlmError"))
      events.fail(new LlmError({ reason: "Timeout", description: "idle", phase: "idle", bound: "deployment" }))
      assert.strictEqual((yield* up.awaitEntry((entry) => entry.end !== undefined)).end, "clientAborted")
      assert.deepInclude((yield* Effect.flip(Effect.zipRight(events.pull, S.readAll(events)))).data, {
        interruptedBy: "Timeout",
        phase: "idle"
      })
    })
  )

  it.scopedLive(
    "a reader that stops stops the upstream, and one that goes on gets everything",
    () =>
      Effect.gen(function* () {
        const { service, up } = yield* scene()
        const chunks = 1_500
        yield* up.next({ chunks, reply: "0123456789abcdef".repeat(chunks * 1024) })
        const { events } = S.streaming(yield* S.call(service, S.streamed(), { baseUrl: up.url }))
        yield* events.awaitContent
        let before = -1
        let still = 0
        while (still < 200) {
          yield* S.tick
          const entry = up.journal()[0]
          still = entry?.paused === true && entry.chunksSent === before ? still + 1 : 0
          before = entry?.chunksSent ?? -1
        }
        assert.isBelow(before, chunks)
        assert.isUndefined(up.journal()[0]?.end)
        let characters = 0
        for (;;) {
          const batch = yield* events.pull
          if (batch.length === 0) break
          characters += S.textOf(batch).length
        }
        assert.strictEqual(characters, chunks * 1024 * 16)
        assert.strictEqual((yield* up.awaitEntry((entry) => entry.end !== undefined)).end, "answered")
      }),
    120_000
  )

  it.scopedLive("forty streams at once each get their own answer", () =>
    Effect.gen(function* () {
      const { service, up } = yield* scene()
      yield* up.when(({ body }) => ({ reply: `for ${(body as { user?: string }).user}`, chunkGapMs: 1 }))
      const texts = yield* Effect.forEach(
        Array.from({ length: 40 }, (_, i) => i),
        (i) =>
          Effect.flatMap(S.call(service, S.streamed({ user: `u${i}` }), { baseUrl: up.url }), (response) =>
            Effect.map(S.readAll(S.streaming(response).events), S.textOf)
          ),
        { concurrency: "unbounded" }
      )
      assert.deepStrictEqual(
        texts,
        texts.map((_, i) => `for u${i}`)
      )
    })
  )

  describe("the connection", () => {
    /** Lets the response's own end come in, as it does between two calls in real life. */
    const settle = Effect.repeatN(S.tick, 5)

    it.scopedLive("serves the next call after [DONE]", () =>
      Effect.gen(function* () {
        const { service, up } = yield* scene()
        for (let i = 0; i < 5; i++) {
          const { events } = S.streaming(yield* S.call(service, S.streamed(), { baseUrl: up.url }))
          yield* S.readAll(events)
          yield* settle
        }
        assert.strictEqual(up.stats().answered, 5)
        assert.strictEqual(up.stats().connections, 1)
      })
    )

    it.scopedLive("serves the next call when [DONE] came and events are unread, whole answer or not", () =>
      Effect.gen(function* () {
        for (const finish of ["stop", null]) {
          const server = yield* sse(event({ content: "x" }).repeat(200) + event({}, finish) + done)
          const service = yield* S.serviceOver(wire)
          for (let i = 0; i < 5; i++) {
            const { events } = S.streaming(yield* S.call(service, S.streamed(), { baseUrl: server.origin }))
            yield* S.eventually(() => events.settlement.outcome !== undefined)
            assert.strictEqual(events.settlement.outcome?._tag, finish === null ? "Failed" : "Completed")
            events.close()
            yield* settle
          }
          assert.strictEqual(server.accepted(), 1)
        }
      })
    )

    it.scopedLive("of a server that never ends its response after [DONE] is given up when they become many", () =>
      Effect.gen(function* () {
        const server = yield* S.rawServer((_, response) => {
          response.writeHead(200, { "content-type": "text/event-stream" })
          response.write(event({ content: "x" }, "stop") + done)
        })
        const service = yield* S.serviceOver(wire)
        for (let i = 0; i < 50; i++) {
          const { events } = S.streaming(yield* S.call(service, S.streamed(), { baseUrl: server.origin }))
          yield* S.readAll(events)
        }
        assert.isAtLeast(server.accepted(), 50)
        yield* S.eventually(() => server.sockets() < 40)
      })
    )

    it.scopedLive("of a server that talks on after [DONE] is given up", () =>
      Effect.gen(function* () {
        const server = yield* S.rawServer((_, response) => {
          response.writeHead(200, { "content-type": "text/event-stream" })
          response.write(event({ content: "x" }, "stop") + done)
          const more = () => {
            while (!response.destroyed && response.write(": still here\n".repeat(1000))) {}
            if (!response.destroyed) response.once("drain", more)
          }
          setImmediate(more)
        })
        const { events } = yield* openAt(server.origin)
        yield* S.readAll(events)
        assert.strictEqual(events.settlement.outcome?._tag, "Completed")
        yield* S.eventually(() => server.sockets() === 0)
      })
    )
  })
})
