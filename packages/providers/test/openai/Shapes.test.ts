/**
 * Answers in another shape than was asked for: streams under any content type, streams for whole answers and the other way
 * round, packed bytes, events that are no part of an answer.
 */
import { createServer, type IncomingHttpHeaders } from "node:http"
import type { AddressInfo } from "node:net"
import * as zlib from "node:zlib"
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import type { DeploymentConfig } from "@switchyard/core/Deployment"
import * as LlmRequest from "@switchyard/core/LlmRequest"
import type * as OpenAiCompatible from "@switchyard/providers/OpenAiCompatible"
import * as StubLlm from "@switchyard/testing/StubLlm"
import { Effect } from "effect"
import * as S from "../support/support.js"

interface Answer {
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
  /** Written one after the other, each in its own turn. */
  readonly pieces: ReadonlyArray<string | Buffer>
}

let answer: (body: Readonly<Record<string, unknown>>) => Answer = () => ({ pieces: [] })
let asked: Array<{ readonly headers: IncomingHttpHeaders; readonly body: Readonly<Record<string, unknown>> }> = []

const server = createServer((request, response) => {
  const parts: Array<Buffer> = []
  request.on("data", (part: Buffer) => parts.push(part))
  request.on("end", () => {
    const body = JSON.parse(Buffer.concat(parts).toString()) as Readonly<Record<string, unknown>>
    asked.push({ headers: request.headers, body })
    const { headers = {}, pieces, status = 200 } = answer(body)
    response.writeHead(status, headers)
    const next = (at: number): void => {
      if (at >= pieces.length) return void response.end()
      response.write(pieces[at], () => setImmediate(() => next(at + 1)))
    }
    next(0)
  })
  response.on("error", () => {})
})
beforeAll(() => new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve)))
afterAll(() => {
  server.closeAllConnections()
  server.close()
})

const chunk = (choice: object, more: object = {}): string =>
  `data: ${JSON.stringify({ id: "c1", object: "chat.completion.chunk", created: 7, model: "up", choices: [{ index: 0, ...choice }], ...more })}\n\n`
const done = "data: [DONE]\n\n"
const hello =
  chunk({ delta: { role: "assistant", content: "Hel" } }) +
  chunk({ delta: { content: "lo" }, finish_reason: "stop" }) +
  done
const whole = JSON.stringify({
  id: "c1",
  object: "chat.completion",
  choices: [{ index: 0, message: { role: "assistant", content: "Hello" }, finish_reason: "stop" }],
  usage: { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5 }
})
const sse = { "content-type": "text/event-stream" }

const ask = (
  given: Answer | ((body: Readonly<Record<string, unknown>>) => Answer),
  request: LlmRequest.LlmRequest,
  options: OpenAiCompatible.Options = {},
  config: Partial<DeploymentConfig> = {}
) =>
  Effect.flatMap(S.serviceOver(S.undici, options), (service) => {
    answer = typeof given === "function" ? given : () => given
    asked = []
    return S.call(service, request, {
      baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
      ...config
    })
  })

/** The text of a stream, however it came. */
const streamedText = (given: Answer) =>
  Effect.gen(function* () {
    const response = yield* ask(given, S.streamed())
    if (response._tag === "Complete") return (JSON.parse(response.raw) as typeof response.body).choices
    return S.textOf(yield* S.readAll(response.events))
  })

describe("an event stream is known by its first bytes", () => {
  const starts: ReadonlyArray<readonly [string, string]> = [
    ["data", ""],
    ["a comment", ": OPENROUTER PROCESSING\n\n"],
    ["an event's name", "event: message\n"],
    ["an id", "id: 1\n"],
    ["a retry", "retry: 3000\n\n"],
    ["a byte order mark", "\uFEFF"],
    ["empty lines", "\r\n\n\n"]
  ]
  it.scopedLive.each(starts)("that begins with %s, without a type, with a wrong one, byte by byte", ([, start]) =>
    Effect.gen(function* () {
      for (const type of [undefined, "text/plain", "application/json", "text/event-stream"]) {
        const headers = type === undefined ? {} : { "content-type": type }
        assert.strictEqual(yield* streamedText({ headers, pieces: [start + hello] }), "Hello")
      }
      assert.strictEqual(
        yield* streamedText({ pieces: [...Buffer.from(start + hello)].map((byte) => Buffer.from([byte])) }),
        "Hello"
      )
    })
  )

  it.scopedLive("a whole answer that is called an event stream is one all the same", () =>
    Effect.gen(function* () {
      const response = S.streaming(
        yield* ask({ headers: sse, pieces: [whole.slice(0, 30), whole.slice(30)] }, S.streamed())
      )
      assert.strictEqual(S.textOf(yield* S.readAll(response.events)), "Hello")
      assert.deepInclude(response.events.settlement.outcome, { _tag: "Completed" })
      const failed = S.streaming(
        yield* ask({ headers: sse, pieces: ['{"error":{"message":"overloaded","code":429}}'] }, S.streamed())
      )
      assert.strictEqual((yield* Effect.flip(S.readAll(failed.events))).reason, "RateLimited")
    })
  )

  it.scopedLive("an error's body may be a stream of events too", () =>
    Effect.gen(function* () {
      const pieces = ['event: error\ndata: {"error":{"message":"slow down","code":"rate_limit_exceeded"}}\n\n']
      const error = yield* Effect.flip(ask({ status: 429, headers: sse, pieces }, S.streamed()))
      assert.deepInclude(error, { reason: "RateLimited", providerMessage: "slow down", code: "rate_limit_exceeded" })
    })
  )
})

describe("a stream in answer to a plain request", () => {
  const folded = (events: string, headers: Readonly<Record<string, string>> = sse, request = S.chat()) =>
    Effect.map(ask({ headers, pieces: [events] }, request), S.complete)

  it.scopedLive(
    "is folded into the whole answer that it is: content, reasoning, refusal, logprobs, usage, each choice",
    () =>
      Effect.gen(function* () {
        const events =
          chunk({ delta: { role: "assistant", content: "", reasoning_content: "I " } }, { system_fingerprint: "fp" }) +
          chunk({ delta: { reasoning_content: "think." } }) +
          chunk({ delta: { content: "Hel" }, logprobs: { content: [{ token: "Hel" }] } }) +
          chunk({ index: 1, delta: { role: "assistant", refusal: "I " } }) +
          chunk({ delta: { content: "lo" }, logprobs: { content: [{ token: "lo" }] }, finish_reason: "stop" }) +
          chunk({ index: 1, delta: { refusal: "won't." }, finish_reason: "length" }) +
          `data: ${JSON.stringify({ id: "c1", choices: [], usage: { prompt_tokens: 9, completion_tokens: 4, total_tokens: 13 } })}\n\n${done}`
        for (const headers of [sse, {}, { "content-type": "application/json" }]) {
          const { body, outcome, raw } = yield* folded(events, headers)
          assert.deepStrictEqual(JSON.parse(raw), body)
          assert.deepStrictEqual(body, {
            id: "c1",
            object: "chat.completion",
            created: 7,
            model: "up",
            system_fingerprint: "fp",
            usage: { prompt_tokens: 9, completion_tokens: 4, total_tokens: 13 },
            choices: [
              {
                index: 0,
                message: { role: "assistant", content: "Hello", reasoning_content: "I think." },
                logprobs: { content: [{ token: "Hel" }, { token: "lo" }] },
                finish_reason: "stop"
              },
              { index: 1, message: { role: "assistant", content: null, refusal: "I won't." }, finish_reason: "length" }
            ]
          })
          assert.deepInclude(outcome.usage, { inputTokens: 9, outputTokens: 4 })
        }
      })
  )

  it.scopedLive("keeps its tool calls apart: by index, by id, or going on with the last", () =>
    Effect.gen(function* () {
      const call = (piece: object) => chunk({ delta: { tool_calls: [piece] } })
      const end = chunk({ delta: {}, finish_reason: "tool_calls" }) + done
      const calls = [
        { id: "a", type: "function", function: { name: "f", arguments: '{"x":1}' } },
        { id: "b", type: "function", function: { name: "g", arguments: "{}" } }
      ]
      const byIndex =
        call({ index: 0, id: "a", type: "function", function: { name: "f", arguments: "" } }) +
        call({ index: 1, id: "b", type: "function", function: { name: "g", arguments: "{" } }) +
        call({ index: 0, function: { name: "f", arguments: '{"x"' } }) +
        call({ index: 1, function: { arguments: "}" } }) +
        call({ index: 0, id: "", function: { name: "", arguments: ":1}" } })
      const byId =
        call({ id: "a", type: "function", function: { name: "f", arguments: '{"x"' } }) +
        call({ function: { arguments: ":1}" } }) +
        call({ id: "b", type: "function", function: { name: "g", arguments: "{}" } })
      for (const events of [byIndex, byId]) {
        const { body } = yield* folded(events + end)
        assert.deepStrictEqual((body.choices as ReadonlyArray<{ message: object }>)[0]?.message, {
          role: "assistant",
          content: null,
          tool_calls: calls
        })
      }
    })
  )

  it.scopedLive("keeps content that comes as parts and as text, in their order", () =>
    Effect.gen(function* () {
      const thinking = { type: "thinking", thinking: [{ type: "text", text: "hm" }] }
      const end = chunk({ delta: { content: "" }, finish_reason: "stop" }) + done
      const contentOf = (...contents: ReadonlyArray<unknown>) =>
        Effect.map(
          folded(contents.map((content) => chunk({ delta: { content } })).join("") + end),
          ({ body }) => (body.choices as ReadonlyArray<{ message: { content: unknown } }>)[0]?.message.content
        )
      assert.deepStrictEqual(yield* contentOf("", [thinking], "42", "."), [
        thinking,
        { type: "text", text: "42" },
        { type: "text", text: "." }
      ])
      assert.deepStrictEqual(yield* contentOf("Hi", [thinking]), [{ type: "text", text: "Hi" }, thinking])
      assert.deepStrictEqual(yield* contentOf(null, [thinking]), [thinking])
    })
  )

  it.scopedLive("may begin with a line that means nothing, where its type says what it is", () =>
    Effect.gen(function* () {
      const { body } = yield* folded(`unknown: x\n\n${hello}`)
      assert.strictEqual((body.choices as ReadonlyArray<{ message: { content: string } }>)[0]?.message.content, "Hello")
    })
  )

  it.scopedLive("of a legacy completion is one, too", () =>
    Effect.gen(function* () {
      const events = chunk({ text: "Once " }) + chunk({ text: "upon", finish_reason: "stop" }) + done
      const { body } = yield* folded(events, sse, LlmRequest.completion({ model: "m", prompt: "Hi" }))
      assert.deepInclude(body, {
        object: "text_completion",
        choices: [{ index: 0, text: "Once upon", finish_reason: "stop" }]
      })
    })
  )

  it.scopedLive("that is cut, broken, larger than a body may be, or says an error is no answer", () =>
    Effect.gen(function* () {
      const start = chunk({ delta: { content: "Hel" } })
      const cases: ReadonlyArray<readonly [string, string]> = [
        [start, "MalformedResponse"],
        [`${start}data: {"cho\n\n${done}`, "MalformedResponse"],
        [start + chunk({ delta: { content: "x".repeat(5000) }, finish_reason: "stop" }), "MalformedResponse"],
        [`${start}data: {"error":{"message":"busy","code":"rate_limit_exceeded","status":429}}\n\n`, "RateLimited"]
      ]
      for (const [events, reason] of cases) {
        const error = yield* Effect.flip(ask({ headers: sse, pieces: [events] }, S.chat(), { maxBodyBytes: 4096 }))
        assert.strictEqual(error.reason, reason, events.slice(0, 80))
      }
    })
  )
})

describe("packed answers", () => {
  const packs: ReadonlyArray<readonly [string, (bytes: Buffer) => Buffer]> = [
    ["gzip", zlib.gzipSync],
    ["X-GZIP", zlib.gzipSync],
    ["deflate", zlib.deflateSync],
    ["deflate", zlib.deflateRawSync],
    ["br", zlib.brotliCompressSync],
    ["br, gzip", (bytes) => zlib.gzipSync(zlib.brotliCompressSync(bytes))],
    ["deflate, identity, gzip", (bytes) => zlib.gzipSync(zlib.deflateSync(bytes))]
  ]
  it.scopedLive.each(packs)("in %s are unpacked: whole, streamed and errors", ([coding, pack]) =>
    Effect.gen(function* () {
      const packed = (text: string) => {
        const bytes = pack(Buffer.from(text))
        return [bytes.subarray(0, 7), bytes.subarray(7)]
      }
      const headers = { "content-encoding": coding }
      assert.strictEqual(S.complete(yield* ask({ headers, pieces: packed(whole) }, S.chat())).raw, whole)
      assert.strictEqual(asked[0]?.headers["accept-encoding"], "identity")
      assert.strictEqual(yield* streamedText({ headers: { ...headers, ...sse }, pieces: packed(hello) }), "Hello")
      assert.strictEqual(yield* streamedText({ headers, pieces: packed(hello) }), "Hello")
      const refusal = packed('{"error":{"message":"no","code":"context_length_exceeded"}}')
      const error = yield* Effect.flip(ask({ status: 400, headers, pieces: refusal }, S.chat()))
      assert.strictEqual(error.reason, "ContextWindowExceeded")
    })
  )

  it.scopedLive("that are only said to be packed are read as they are", () =>
    Effect.gen(function* () {
      for (const coding of ["gzip", "deflate", "br", "utf-8"]) {
        const headers = { "content-encoding": coding }
        assert.strictEqual(S.complete(yield* ask({ headers, pieces: [whole] }, S.chat())).raw, whole)
        assert.strictEqual(yield* streamedText({ headers: { ...headers, ...sse }, pieces: [hello] }), "Hello")
      }
    })
  )

  it.scopedLive("that burst, are cut off, are garbage or in an unknown coding are malformed", () =>
    Effect.gen(function* () {
      const bomb = zlib.gzipSync(Buffer.alloc(20 * 1024 * 1024, 0x20))
      const bombInside = zlib.gzipSync(zlib.gzipSync(Buffer.alloc(20 * 1024 * 1024, 0x20)))
      const text = zlib.gzipSync(whole)
      const cases: ReadonlyArray<readonly [string, Buffer]> = [
        ["gzip", bomb],
        ["gzip, gzip", bombInside],
        ["gzip", text.subarray(0, text.length - 12)],
        ["gzip", Buffer.concat([text.subarray(0, 10), Buffer.alloc(40, 0xff)])],
        ["compress", Buffer.from([0x1f, 0x9d, 0x90, 0x01, 0x02])]
      ]
      for (const [coding, bytes] of cases) {
        const error = yield* Effect.flip(ask({ headers: { "content-encoding": coding }, pieces: [bytes] }, S.chat()))
        assert.deepInclude(error, { reason: "MalformedResponse", code: "content_encoding" })
      }
      const bursting = S.streaming(
        yield* ask(
          {
            headers: { ...sse, "content-encoding": "gzip" },
            pieces: [zlib.gzipSync(`: ${"x".repeat(20 * 1024 * 1024)}`)]
          },
          S.streamed()
        )
      )
      assert.strictEqual((yield* Effect.flip(S.readAll(bursting.events))).reason, "MalformedResponse")
    })
  )

  it.scopedLive("count as they are unpacked against the bound of a body", () =>
    Effect.gen(function* () {
      const long = zlib.gzipSync(whole.replace("Hello", Array.from({ length: 2000 }, (_, at) => String(at)).join(" ")))
      assert.isBelow(long.length, 8000)
      const given = { headers: { "content-encoding": "gzip" }, pieces: [long] }
      const error = yield* Effect.flip(ask(given, S.chat(), { maxBodyBytes: 8000 }))
      assert.match(error.message, /larger than 8000 bytes/)
    })
  )
})

describe("events that are no part of the answer", () => {
  const signs = [
    'event: ping\ndata: {"type":"ping"}\n\n',
    "event: ping\ndata: ping\n\n",
    "event: heartbeat\ndata: {}\n\n",
    'event: keepalive\ndata: {"choices":[]}\n\n',
    "data: null\n\n",
    "data: {}\n\n",
    "data: ping\n\n",
    'data: {"type":"ping"}\n\n',
    "event: ping\n\n"
  ]
  it.scopedLive.each(signs.map((sign) => [sign] as const))("%j is life and nothing else", ([sign]) =>
    Effect.gen(function* () {
      const text = hello.replace("data:", `${sign}data:`).replace(done, sign + done)
      const { events } = S.streaming(yield* ask({ headers: sse, pieces: [sign + text] }, S.streamed()))
      const all = yield* S.readAll(events)
      assert.strictEqual(S.textOf(all), "Hello")
      assert.strictEqual(all.length, 2)
    })
  )

  it.scopedLive("a name that is no sign of life takes no words away", () =>
    Effect.gen(function* () {
      assert.strictEqual(
        yield* streamedText({ headers: sse, pieces: [hello.replaceAll("data: {", "event: add\ndata: {")] }),
        "Hello"
      )
    })
  )

  it.scopedLive("an event of several lines is one line of JSON", () =>
    Effect.gen(function* () {
      const pretty = JSON.stringify(
        JSON.parse(chunk({ delta: { content: "Hello" }, finish_reason: "stop" }).slice(6)),
        null,
        2
      )
      const lines = pretty
        .split("\n")
        .map((line) => `data: ${line}\n`)
        .join("")
      const { events } = S.streaming(yield* ask({ headers: sse, pieces: [`${lines}\n${done}`] }, S.streamed()))
      const [only] = yield* S.readAll(events)
      assert.notInclude(only?.data, "\n")
      assert.deepStrictEqual(JSON.parse(only?.data ?? ""), only?.json)
    })
  )
})

describe("usage is asked for in streams", () => {
  const refusing =
    (said: string, status = 400) =>
    (body: Readonly<Record<string, unknown>>): Answer =>
      body.stream_options === undefined
        ? { headers: sse, pieces: [hello] }
        : { status, headers: { "content-type": "application/json" }, pieces: [said] }
  const asksForUsage = ({ body }: (typeof asked)[number]): boolean => body.stream_options !== undefined
  const refusals: ReadonlyArray<readonly [string, number?]> = [
    ['{"code":"400","error":"Argument not supported: stream_options"}'],
    ['{"detail":[{"loc":["body","stream_options"],"msg":"Extra inputs are not permitted"}]}', 422],
    ['{"error":{"message":"Unknown field","param":"streamOptions"}}'],
    ['{"error":{"message":"stream_options.include_usage is unknown"}}'],
    ["unexpected keyword argument 'stream_options'", 500],
    ['{"error":"stream options are not supported"}', 200]
  ]
  it.scopedLive.each(refusals)("unless the provider refuses that: %s", ([said, status]) =>
    Effect.gen(function* () {
      const response = S.streaming(yield* ask(refusing(said, status), S.streamed()))
      assert.strictEqual(S.textOf(yield* S.readAll(response.events)), "Hello")
      assert.deepStrictEqual(
        asked.map(({ body }) => body.stream_options),
        [{ include_usage: true }, undefined]
      )
    })
  )

  it.scopedLive("a deployment that has refused is not asked again, another one is", () =>
    Effect.gen(function* () {
      const service = yield* S.serviceOver(S.undici)
      answer = refusing("stream_options is not supported")
      asked = []
      const baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`
      const slot = StubLlm.slot("d1", { baseUrl })
      for (const at of [1, 2]) yield* service.call(StubLlm.attempt(S.streamed(), slot, at))
      assert.deepStrictEqual(asked.map(asksForUsage), [true, false, false])
      yield* S.call(service, S.streamed(), { baseUrl })
      assert.deepStrictEqual(asked.slice(3).map(asksForUsage), [true, false])
    })
  )

  it.scopedLive(
    "a refusal of what the caller sent itself is the caller's, and one of anything else is not learnt from",
    () =>
      Effect.gen(function* () {
        const own = S.streamed({ stream_options: { include_usage: true } })
        assert.strictEqual((yield* Effect.flip(ask(refusing("no stream_options here"), own))).reason, "InvalidRequest")
        assert.strictEqual(asked.length, 1)
        const quoting = { status: 422, pieces: ['{"detail":[{"msg":"bad tools","input":{"stream_options":{}}}]}'] }
        assert.strictEqual((yield* Effect.flip(ask(quoting, S.streamed()))).reason, "InvalidRequest")
        assert.strictEqual(asked.length, 2)
      })
  )

  it.scopedLive("streamUsage: false keeps stream_options out, the caller's too", () =>
    Effect.gen(function* () {
      const own = S.streamed({ stream_options: { include_usage: true } })
      yield* ask({ headers: sse, pieces: [hello] }, own, {}, { streamUsage: false })
      assert.notProperty(asked[0]?.body, "stream_options")
    })
  )
})
