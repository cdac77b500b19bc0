/**
 * Answers that what reads them dies of, and answers that nest too deep to be written again, over real sockets.
 */
import { gzipSync } from "node:zlib"
import * as HttpClient from "@effect/platform/HttpClient"
import { assert, describe, it } from "@effect/vitest"
import type { Attempt } from "@switchyard/core/Attempt"
import * as Defect from "@switchyard/core/Defect"
import type { LlmError } from "@switchyard/core/LlmError"
import type { LlmRequest } from "@switchyard/core/LlmRequest"
import * as Transport from "@switchyard/providers/Transport"
import { Cause, Effect, Either, Layer, Logger } from "effect"
import * as S from "../support/support.js"

const chunk = (more: string, content = "Hi"): string =>
  `data: {"id":"c","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"${content}"},"finish_reason":null}]${more}}\n\n`
const end = 'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
const whole = (more: string): string =>
  `{"choices":[{"index":0,"message":{"role":"assistant","content":"Hi"},"finish_reason":"stop"}]${more}}`
const nested = (depth: number): string => `,"x":${"[".repeat(depth - 1)}${"]".repeat(depth - 1)}`

/** What came, or why not; the answer is read to its end. */
const ask = (
  wire: S.Wire,
  body: string | Buffer,
  request: LlmRequest,
  spoil: (attempt: Attempt) => void = () => {},
  options: Parameters<typeof S.serviceOver>[1] = {}
) =>
  Effect.gen(function* () {
    const server = yield* S.rawServer((_, response) => {
      const isPacked = typeof body !== "string"
      const type = isPacked || body.startsWith("data:") ? "text/event-stream" : "application/json"
      response.writeHead(200, { "content-type": type, ...(isPacked ? { "content-encoding": "gzip" } : {}) })
      response.end(body)
    })
    const service = Defect.caught(yield* S.serviceOver(wire, options))
    const attempt = yield* S.attemptOn(request, { baseUrl: server.origin })
    spoil(attempt)
    const logged: Array<string> = []
    const logger = Logger.make(({ cause }) => logged.push(Cause.pretty(cause)))
    const read = Effect.flatMap(
      service.call(attempt),
      (response): Effect.Effect<unknown, LlmError> =>
        response._tag === "Complete" ? Effect.succeed(response.raw) : response.events.forward(() => undefined)
    )
    const ended = yield* Effect.either(read).pipe(Effect.provide(Logger.replace(Logger.defaultLogger, logger)))
    return { logged: logged.join(), error: Either.isLeft(ended) ? ended.left : undefined }
  })

describe("what an answer is read by dies of it", () => {
  for (const wire of [S.undici, S.httpClient]) {
    it.scopedLive(`at any of its events: that call fails, with the cause in the log (${wire.name})`, () =>
      Effect.gen(function* () {
        const bug = (): never => {
          throw new Error("bug 4711")
        }
        const atHeaders = (attempt: Attempt): void => {
          attempt.adopt = bug
        }
        const atContent = (attempt: Attempt): void => {
          const { adopt } = attempt
          attempt.adopt = (events) => {
            adopt.call(attempt, events)
            events.facts.read = bug
          }
        }
        const atEnd = (attempt: Attempt): void => {
          Object.defineProperty(attempt, "startedAt", { get: bug })
        }
        const packed = wire === S.undici ? [gzipSync(chunk("") + end)] : []
        for (const body of [chunk("") + end, ...packed]) {
          for (const spoil of [atHeaders, atContent]) {
            const { error, logged } = yield* ask(wire, body, S.streamed(), spoil)
            assert.deepInclude(error, { reason: "Unavailable", code: "defect", deployment: "d1" })
            assert.include(logged, "bug 4711")
          }
        }
        const answered = yield* ask(wire, whole(""), S.chat(), atEnd)
        assert.deepInclude(answered.error, { reason: "Unavailable", code: "defect" })
        assert.include(answered.logged, "bug 4711")
      })
    )
  }
})

describe("an answer that nests too deep", () => {
  it.scopedLive("is malformed, whole and as an event, however it was asked for; what nests less passes", () =>
    Effect.gen(function* () {
      for (const [depth, reason] of [
        [6_000, "MalformedResponse"],
        [501, "MalformedResponse"],
        [499, undefined]
      ] as const) {
        const more = nested(depth)
        const usage = `,"usage":{"prompt_tokens":1,"completion_tokens":1${more}}`
        const answers: ReadonlyArray<readonly [body: string, request: LlmRequest]> = [
          [whole(more), S.chat()],
          [whole(more), S.streamed()],
          [chunk(more) + end, S.chat()],
          [chunk(more) + end, S.streamed()],
          [chunk(depth < 500 ? more : usage) + end, S.streamed()]
        ]
        for (const [body, request] of answers) {
          const { error } = yield* ask(S.undici, body, request)
          assert.strictEqual(error?.reason, reason, `${depth} ${body.slice(0, 20)} ${error?.message}`)
          if (reason !== undefined) assert.match(String(error?.message), /nests deeper than 500 levels/)
        }
      }
    })
  )

  it.scopedLive("is skipped where a stream skips what it cannot read, and ends it after content otherwise", () =>
    Effect.gen(function* () {
      const body = chunk("") + chunk(nested(6_000)) + end
      assert.isUndefined((yield* ask(S.undici, body, S.streamed(), () => {}, { onMalformedEvent: "skip" })).error)
      const { error } = yield* ask(S.undici, body, S.streamed())
      assert.deepInclude(error, { reason: "StreamInterrupted", interruptedBy: "MalformedResponse" })
    })
  )

  it.scopedLive("as brackets in a text is none", () =>
    Effect.gen(function* () {
      const text = "[{".repeat(3_000)
      assert.isUndefined((yield* ask(S.undici, chunk("", text) + end, S.streamed())).error)
      assert.isUndefined((yield* ask(S.undici, whole(`,"x":"${text}"`), S.chat())).error)
    })
  )
})

describe("an HttpClient that dies", () => {
  const bug = () => new Error(`bug 4711 of ${S.key}`)
  const clients: Readonly<Record<string, () => Effect.Effect<never>>> = {
    "in its effect": () => Effect.die(bug()),
    "where it is called": () => {
      throw bug()
    }
  }
  for (const [where, execute] of Object.entries(clients)) {
    it.scopedLive(
      `${where} is no transport that was closed; the log says where, without what may quote a header`,
      () => {
        const logged: Array<string> = []
        const logger = Logger.make(({ message }) => logged.push(String(message)))
        return Effect.gen(function* () {
          const layer = Transport.layerHttpClient.pipe(
            Layer.provide(Layer.succeed(HttpClient.HttpClient, HttpClient.make(execute)))
          )
          const service = yield* S.serviceOver({ name: "dying", layer })
          for (const request of [S.chat(), S.streamed()]) {
            logged.length = 0
            const error = yield* Effect.flip(S.call(service, request, { baseUrl: "http://client.test/v1" }))
            assert.deepInclude(error, { reason: "Unavailable", code: "CLIENT_DIED" })
            assert.match(logged.join(), /the HTTP client died,Error\n +at /)
            assert.notInclude(logged.join(), S.key)
          }
        }).pipe(Effect.provide(Logger.replace(Logger.defaultLogger, logger)))
      }
    )
  }
})
