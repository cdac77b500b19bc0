import { connect } from "node:net"
import { assert, describe, it } from "@effect/vitest"
import type { Scope } from "effect"
import { Cause, Effect, Exit, Fiber } from "effect"
import type { Dispatcher } from "undici"
import { Agent, request } from "undici"
import * as FakeProvider from "../../src/fake/FakeProvider.js"

// biome-ignore lint/suspicious/noExplicitAny: bodies of a foreign protocol, read field by field
type Json = any

// --- a plain client -----------------------------------------------------------------------------------------------

interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | ReadonlyArray<string> | undefined>>
  readonly text: string
  readonly json: Json
}

interface Wire {
  readonly upstream: FakeProvider.FakeProvider
  readonly open: (
    path: string,
    body?: unknown,
    options?: Partial<Dispatcher.RequestOptions>
  ) => Promise<Dispatcher.ResponseData>
  readonly send: (path: string, body?: unknown, options?: Partial<Dispatcher.RequestOptions>) => Effect.Effect<Answer>
  readonly chat: (extra?: object) => Effect.Effect<Answer>
  readonly stream: (extra?: object) => Effect.Effect<ReadonlyArray<string>>
  /** Content until the connection broke, and the error that broke it. */
  readonly broken: (extra?: object) => Effect.Effect<{ readonly text: string; readonly error: NodeJS.ErrnoException }>
}

const prompt = { model: "gpt-x", messages: [{ role: "user", content: "say hello to me" }] }

const tryJson = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

const wire = (options?: FakeProvider.Options): Effect.Effect<Wire, never, Scope.Scope> =>
  Effect.gen(function* () {
    const upstream = yield* FakeProvider.make(options)
    const agent = yield* Effect.acquireRelease(
      Effect.sync(() => new Agent({ pipelining: 1 })),
      (a) => Effect.promise(() => a.destroy())
    )
    const open: Wire["open"] = (path, body, more) =>
      request(`http://127.0.0.1:${upstream.port}${path}`, {
        dispatcher: agent,
        method: body === undefined ? "GET" : "POST",
        headers: { "content-type": "application/json", authorization: "Bearer sk-secret-1234" },
        ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
        ...more
      })
    const send: Wire["send"] = (path, body, more) =>
      Effect.promise(async () => {
        const response = await open(path, body, more)
        const text = await response.body.text()
        return { status: response.statusCode, headers: response.headers, text, json: tryJson(text) }
      })
    const chat: Wire["chat"] = (extra) => send("/v1/chat/completions", { ...prompt, ...extra })
    return {
      upstream,
      open,
      send,
      chat,
      stream: (extra) => Effect.map(chat({ stream: true, ...extra }), (answer) => events(answer.text)),
      broken: (extra) =>
        Effect.promise(async () => {
          let text = ""
          try {
            const response = await open("/v1/chat/completions", { ...prompt, ...extra })
            for await (const part of response.body) text += String(part)
          } catch (error) {
            return { text, error: error as NodeJS.ErrnoException }
          }
          throw new Error(`the connection did not break: ${text}`)
        })
    }
  })

/** The data of each event. */
const events = (text: string): ReadonlyArray<string> =>
  text
    .split("\n\n")
    .filter((event) => event !== "")
    .map((event) => {
      assert.match(event, /^data: /)
      return event.slice("data: ".length)
    })

const choicesOf = (data: ReadonlyArray<string>): ReadonlyArray<Json> =>
  data.flatMap((event) => (tryJson(event) as { choices?: ReadonlyArray<Json> } | undefined)?.choices ?? [])

const contentOf = (data: ReadonlyArray<string>): string =>
  choicesOf(data)
    .map((choice) => choice.delta?.content ?? choice.text ?? "")
    .join("")

const ended = (end: FakeProvider.End) => (entry: FakeProvider.JournalEntry) => entry.end === end

// --- the happy paths ----------------------------------------------------------------------------------------------

describe("good answers", () => {
  it.scopedLive("a chat completion has OpenAI's full shape", () =>
    Effect.gen(function* () {
      const { chat, upstream } = yield* wire({ name: "east" })
      const { headers, json, status } = yield* chat()
      assert.strictEqual(status, 200)
      assert.strictEqual(headers["content-type"], "application/json")
      assert.strictEqual(headers["x-request-id"], "req_east_1")
      assert.match(json.id, /^chatcmpl-/)
      assert.isAtMost(Math.abs(json.created - Date.now() / 1000), 60)
      assert.deepStrictEqual(
        { ...json, id: "", created: 0 },
        {
          id: "",
          object: "chat.completion",
          created: 0,
          model: "gpt-x",
          service_tier: "default",
          system_fingerprint: "fp_fake",
          choices: [
            {
              index: 0,
              message: { role: "assistant", content: "Hello from east", refusal: null, annotations: [] },
              logprobs: null,
              finish_reason: "stop"
            }
          ],
          usage: {
            prompt_tokens: 4,
            completion_tokens: 4,
            total_tokens: 8,
            prompt_tokens_details: { cached_tokens: 0, audio_tokens: 0 },
            completion_tokens_details: {
              reasoning_tokens: 0,
              audio_tokens: 0,
              accepted_prediction_tokens: 0,
              rejected_prediction_tokens: 0
            }
          }
        }
      )
      const entry = yield* upstream.awaitEntry(ended("answered"))
      assert.strictEqual(entry.status, 200)
      assert.isFalse(entry.stream)
      assert.isAtLeast(entry.afterMs ?? -1, 0)
    })
  )

  for (const kind of ["instant", "paced"] as const) {
    it.scopedLive(`a stream is role, content, finish, usage, [DONE] (${kind})`, () =>
      Effect.gen(function* () {
        const { stream, upstream } = yield* wire({ behaviour: kind === "paced" ? { chunkGapMs: 1 } : {} })
        const data = yield* stream({ stream_options: { include_usage: true } })
        assert.strictEqual(data.length, 9)
        assert.strictEqual(data.at(-1), "[DONE]")
        const chunks = data.slice(0, -1).map((event) => JSON.parse(event))
        for (const chunk of chunks) {
          assert.strictEqual(chunk.object, "chat.completion.chunk")
          assert.strictEqual(chunk.id, chunks[0].id)
          assert.strictEqual(chunk.model, "gpt-x")
        }
        assert.deepStrictEqual(chunks[0].choices, [
          {
            index: 0,
            delta: { role: "assistant", content: "", refusal: null },
            logprobs: null,
            finish_reason: null
          }
        ])
        assert.strictEqual(chunks[0].usage, null)
        assert.strictEqual(contentOf(data), "Hello from fake")
        assert.strictEqual(chunks[6].choices[0].finish_reason, "stop")
        assert.deepStrictEqual(chunks[7].choices, [])
        assert.strictEqual(chunks[7].usage.total_tokens, 8)
        const entry = yield* upstream.awaitEntry(ended("answered"))
        assert.strictEqual(entry.chunksSent, 5)
        assert.isTrue(entry.stream)
        assert.isAbove(entry.bytesSent, 1000)
      })
    )
  }

  it.scopedLive("a stream has usage only when it was asked for, and never with usage: null", () =>
    Effect.gen(function* () {
      const { chat, stream, upstream } = yield* wire({
        behaviour: { usage: { prompt_tokens: 7, completion_tokens: 2 } }
      })
      assert.notInclude((yield* stream()).join(), "usage")
      assert.include((yield* stream({ stream_options: { include_usage: true } })).join(), '"total_tokens":9')
      yield* upstream.behave({ usage: null })
      assert.notInclude((yield* stream({ stream_options: { include_usage: true } })).join(), "usage")
      assert.notProperty((yield* chat()).json, "usage")
    })
  )

  it.scopedLive("text completions, as JSON and as a stream", () =>
    Effect.gen(function* () {
      const { send } = yield* wire({ behaviour: { reply: "once upon a time" } })
      const body = { model: "m", prompt: "tell" }
      const { json } = yield* send("/v1/completions", body)
      assert.strictEqual(json.object, "text_completion")
      assert.deepStrictEqual(json.choices, [
        { text: "once upon a time", index: 0, logprobs: null, finish_reason: "stop" }
      ])
      const data = events((yield* send("/v1/completions", { ...body, stream: true })).text)
      assert.strictEqual(contentOf(data), "once upon a time")
      assert.strictEqual(data.length, 7)
    })
  )

  it.scopedLive("embeddings are deterministic and the same as floats and as base64", () =>
    Effect.gen(function* () {
      const { send } = yield* wire()
      const body = { model: "e", input: ["one", "two"], dimensions: 8 }
      const floats = (yield* send("/v1/embeddings", body)).json
      const packed = (yield* send("/v1/embeddings", { ...body, encoding_format: "base64" })).json
      assert.strictEqual(floats.data.length, 2)
      assert.strictEqual(floats.data[1].index, 1)
      assert.notDeepEqual(floats.data[0].embedding, floats.data[1].embedding)
      const bytes = Buffer.from(packed.data[0].embedding, "base64")
      assert.deepStrictEqual(
        Array.from({ length: bytes.length / 4 }, (_, i) => bytes.readFloatLE(i * 4)),
        floats.data[0].embedding
      )
      assert.approximately(Math.hypot(...floats.data[0].embedding), 1, 1e-6)
      assert.deepStrictEqual(floats.usage, { prompt_tokens: 2, total_tokens: 2 })
      const tokens = (yield* send("/v1/embeddings", { model: "e", input: [1, 2, 3] })).json
      assert.strictEqual(tokens.data.length, 1)
    })
  )

  it.scopedLive("lists its models", () =>
    Effect.gen(function* () {
      const { send } = yield* wire({ models: ["a/b", "c"] })
      assert.deepStrictEqual(
        (yield* send("/v1/models")).json.data.map((m: Json) => m.id),
        ["a/b", "c"]
      )
      assert.strictEqual((yield* send("/v1/models/a%2Fb")).json.id, "a/b")
      const missing = yield* send("/v1/models/z")
      assert.strictEqual(missing.status, 404)
      assert.strictEqual(missing.json.error.code, "model_not_found")
    })
  )

  it.scopedLive("tool calls, as JSON and as deltas", () =>
    Effect.gen(function* () {
      const call = { name: "lookup", arguments: '{"city":"Oslo"}' }
      const { chat, stream } = yield* wire({ behaviour: { toolCalls: [call, { name: "now", arguments: "{}" }] } })
      const choice = (yield* chat()).json.choices[0]
      assert.strictEqual(choice.finish_reason, "tool_calls")
      assert.strictEqual(choice.message.content, null)
      assert.deepStrictEqual(choice.message.tool_calls[0], { id: "call_fake_0", type: "function", function: call })
      const deltas = choicesOf(yield* stream()).flatMap((c) => c.delta.tool_calls ?? [])
      assert.deepStrictEqual(deltas[0], {
        index: 0,
        id: "call_fake_0",
        type: "function",
        function: { name: "lookup", arguments: "" }
      })
      const joined = deltas
        .filter((d) => d.index === 0)
        .map((d) => d.function.arguments)
        .join("")
      assert.strictEqual(joined, call.arguments)
    })
  )

  it.scopedLive("reasoning comes before the content", () =>
    Effect.gen(function* () {
      const { chat, stream } = yield* wire({ behaviour: { reasoning: "let me think", reply: "42", chunks: 2 } })
      const { json } = yield* chat()
      assert.strictEqual(json.choices[0].message.reasoning_content, "let me think")
      assert.strictEqual(json.usage.completion_tokens_details.reasoning_tokens, 3)
      const deltas = choicesOf(yield* stream()).map((c) => c.delta)
      assert.deepStrictEqual(deltas.slice(1, 5), [
        { reasoning_content: "let me" },
        { reasoning_content: " think" },
        { content: "4" },
        { content: "2" }
      ])
    })
  )

  it.scopedLive("splits a reply without tearing characters, and pads only the default one", () =>
    Effect.gen(function* () {
      const { stream, upstream } = yield* wire({ behaviour: { reply: "a😀b😀c😀", chunks: 7 } })
      const data = yield* stream()
      assert.strictEqual(contentOf(data), "a😀b😀c😀")
      for (const choice of choicesOf(data)) assert.notMatch(choice.delta.content ?? "", /^[\udc00-\udfff]/)
      yield* upstream.behave({ chunks: 40 })
      assert.strictEqual((yield* stream()).length, 43)
      yield* upstream.behave({ reply: "" })
      assert.strictEqual((yield* stream()).length, 3)
    })
  )

  it.scopedLive("a gate holds an answer back until it is opened, before its headers or in the midst of a stream", () =>
    Effect.gen(function* () {
      const { chat, stream, upstream } = yield* wire()
      const [whole, midst] = [FakeProvider.gate(), FakeProvider.gate()]
      yield* upstream.next({ gate: whole }, { gate: midst, gateAfterChunks: 2 })
      const first = yield* Effect.fork(chat())
      yield* upstream.awaitEntry(({ seq }) => seq === 1)
      const second = yield* Effect.fork(stream())
      yield* upstream.awaitEntry(({ chunksSent, seq }) => seq === 2 && chunksSent === 2)
      assert.strictEqual((yield* chat()).status, 200)
      assert.deepStrictEqual(
        upstream.journal().map(({ chunksSent, status }) => [status, chunksSent]),
        [
          [undefined, 0],
          [200, 2],
          [200, 0]
        ]
      )
      whole.open()
      midst.open()
      assert.strictEqual((yield* Fiber.join(first)).status, 200)
      assert.strictEqual(contentOf(yield* Fiber.join(second)), "Hello from fake")
    })
  )

  it.scopedLive("delays: before headers, before the first token, between chunks", () =>
    Effect.gen(function* () {
      const { chat, open, upstream } = yield* wire({ behaviour: { latencyMs: 40, jitterMs: 10 } })
      yield* chat()
      const answered = yield* upstream.awaitEntry(ended("answered"))
      assert.isAtLeast(answered.afterMs ?? 0, 39)
      yield* upstream.behave({ headersMs: 30, firstTokenMs: 40, chunkGapMs: 10 })
      const at: Array<number> = []
      const start = performance.now()
      const response = yield* Effect.promise(() => open("/v1/chat/completions", { ...prompt, stream: true }))
      at.push(performance.now() - start)
      yield* Effect.promise(async () => {
        for await (const _ of response.body) at.push(performance.now() - start)
      })
      assert.isAtLeast(at[0] ?? 0, 29)
      assert.isAtLeast(at.at(-1) ?? 0, 29 + 39 + 4 * 9)
      assert.isAtLeast(at.length, 6)
    })
  )
})

// --- refusals in words --------------------------------------------------------------------------------------------

describe("error answers", () => {
  it.scopedLive("default to the words of the status, and take others", () =>
    Effect.gen(function* () {
      const { chat, send, upstream } = yield* wire()
      yield* upstream.next(
        { status: 429, headers: { "Retry-After": "7" } },
        { status: 503 },
        { error: { message: "boom", type: "odd", code: "c1" } },
        { status: 502, error: "<html>bad gateway</html>" },
        { status: 401 }
      )
      const limited = yield* chat({ stream: true })
      assert.strictEqual(limited.status, 429)
      assert.strictEqual(limited.headers["retry-after"], "7")
      assert.deepStrictEqual(limited.json.error, {
        message: "Rate limit reached for requests",
        type: "requests",
        param: null,
        code: "rate_limit_exceeded"
      })
      assert.strictEqual((yield* chat()).json.error.code, "overloaded")
      const own = yield* chat()
      assert.strictEqual(own.status, 500)
      assert.deepStrictEqual(own.json.error, { message: "boom", type: "odd", param: null, code: "c1" })
      const raw = yield* chat()
      assert.deepStrictEqual(
        [raw.status, raw.text, raw.headers["content-type"]],
        [502, "<html>bad gateway</html>", "text/html"]
      )
      assert.strictEqual((yield* send("/v1/models")).json.error.code, "invalid_api_key")
      assert.strictEqual((yield* chat()).status, 200)
      yield* upstream.awaitEntry((e) => e.seq === 6 && e.end === "answered")
      assert.deepInclude(upstream.stats(), { requests: 6, answered: 1, errored: 5, failed: 5 })
    })
  )

  it.scopedLive("bad requests and unknown paths get theirs without asking the script", () =>
    Effect.gen(function* () {
      const { chat, send, upstream } = yield* wire()
      yield* upstream.next({ status: 418 })
      const path = "/v1/chat/completions"
      for (const body of ['{"model":', "[]", { messages: [] }, { model: "m" }]) {
        const answer = yield* send(path, body)
        assert.strictEqual(answer.status, 400)
        assert.strictEqual(answer.json.error.type, "invalid_request_error")
      }
      const unknown = yield* send("/v1/nowhere?x=1")
      assert.strictEqual(unknown.status, 404)
      assert.strictEqual(unknown.json.error.message, "Invalid URL (GET /v1/nowhere)")
      assert.strictEqual((yield* chat()).status, 418)
      assert.strictEqual(upstream.journal()[0]?.body, '{"model":')
    })
  )

  it.scopedLive("a rate limit lets its number through, then says when to come back", () =>
    Effect.gen(function* () {
      const { chat, upstream } = yield* wire({ behaviour: { rpm: 2 } })
      const first = yield* chat()
      assert.strictEqual(first.status, 200)
      assert.strictEqual(first.headers["x-ratelimit-limit-requests"], "2")
      assert.strictEqual(first.headers["x-ratelimit-remaining-requests"], "1")
      assert.strictEqual((yield* chat()).status, 200)
      const over = yield* chat()
      assert.strictEqual(over.status, 429)
      assert.strictEqual(over.headers["retry-after"], "60")
      assert.strictEqual(over.headers["x-ratelimit-remaining-requests"], "0")
      assert.match(String(over.headers["x-ratelimit-reset-requests"]), /^(59(\.\d+)?s|1m0s)$/)
      yield* upstream.behave({ rateLimit: { limit: 1, windowMs: 50, retryAfterMs: 1500 } })
      assert.strictEqual((yield* chat()).status, 200)
      const again = yield* chat()
      assert.deepStrictEqual(
        [again.status, again.headers["retry-after"], again.headers["retry-after-ms"]],
        [429, "2", "1500"]
      )
      yield* Effect.repeat(chat(), { until: (answer) => answer.status === 200, times: 10_000 })
    })
  )

  it.scopedLive("a failure rate is seeded, and spares the others all faults", () =>
    Effect.gen(function* () {
      const { chat, upstream } = yield* wire()
      const run = (seed: number) =>
        Effect.zipRight(
          upstream.behave({ failureRate: 0.3, seed, status: 503, headers: { "retry-after": "1" } }),
          Effect.replicateEffect(chat(), 60)
        )
      const statuses = (answers: ReadonlyArray<Answer>) => answers.map((answer) => answer.status).join()
      const one = yield* run(1)
      assert.strictEqual(statuses(yield* run(1)), statuses(one))
      assert.notStrictEqual(statuses(yield* run(2)), statuses(one))
      const failed = one.filter((answer) => answer.status === 503).length
      assert.isAbove(failed, 8)
      assert.isBelow(failed, 30)
      for (const answer of one) assert.strictEqual("retry-after" in answer.headers, answer.status === 503)
      yield* upstream.behave({ failureRate: 1 })
      assert.strictEqual((yield* chat()).status, 500)
    })
  )
})

// --- broken connections and bodies --------------------------------------------------------------------------------

describe("faults", () => {
  it.scopedLive("refuse: the socket closes before any answer", () =>
    Effect.gen(function* () {
      const { broken, upstream } = yield* wire({ behaviour: { refuse: true } })
      const { error, text } = yield* broken()
      assert.strictEqual(text, "")
      assert.include(["UND_ERR_SOCKET", "ECONNRESET"], error.code ?? "")
      const entry = yield* upstream.awaitEntry(ended("refused"))
      assert.notProperty(entry, "status")
    })
  )

  it.scopedLive("cuts: after the headers, before content, in mid-stream", () =>
    Effect.gen(function* () {
      const { broken, upstream } = yield* wire()
      for (const stream of [false, true]) {
        yield* upstream.next({ cutAfterHeaders: true })
        assert.strictEqual((yield* broken({ stream })).text, "")
      }
      yield* upstream.next({ cutAfterChunks: 0 }, { cutAfterChunks: 2, chunkGapMs: 1 }, { cutAfterChunks: 99 })
      const none = events((yield* broken({ stream: true })).text)
      assert.strictEqual(none.length, 1)
      assert.strictEqual(choicesOf(none)[0].delta.role, "assistant")
      assert.strictEqual(contentOf(events((yield* broken({ stream: true })).text)), "Hello ")
      const all = events((yield* broken({ stream: true })).text)
      assert.strictEqual(contentOf(all), "Hello from fake")
      assert.strictEqual(choicesOf(all).at(-1).finish_reason, null)
      yield* upstream.awaitEntry((e) => e.seq === 5 && e.end === "cut")
      assert.deepStrictEqual(
        upstream.journal().map((e) => [e.status, e.chunksSent]),
        [
          [200, 0],
          [200, 0],
          [200, 0],
          [200, 2],
          [200, 5]
        ]
      )
      assert.strictEqual(upstream.stats().cut, 5)
    })
  )

  for (const [what, behaviour, reached] of [
    ["hang", { hang: true }, undefined],
    ["stall after the headers", { stallAfterHeaders: true }, ""],
    ["stall after two chunks", { stallAfterChunks: 2 }, "Hello "]
  ] as const) {
    it.scopedLive(`${what}: silence with an open socket until the client leaves`, () =>
      Effect.gen(function* () {
        const { open, upstream } = yield* wire({ behaviour })
        const left = new AbortController()
        const pending = open("/v1/chat/completions", { ...prompt, stream: true }, { signal: left.signal })
        pending.catch(() => {})
        if (reached !== undefined) {
          const response = yield* Effect.promise(() => pending)
          response.body.on("error", () => {})
          assert.strictEqual(response.statusCode, 200)
          yield* Effect.promise(async () => {
            let text = ""
            while (contentOf(events(text)) !== reached) {
              await new Promise((resolve) => response.body.once("readable", resolve))
              text += String(response.body.read() ?? "")
            }
          })
        }
        const chunksSent = reached === "Hello " ? 2 : 0
        const silent = yield* upstream.awaitEntry((e) => e.chunksSent === chunksSent)
        assert.notProperty(silent, "end")
        assert.deepStrictEqual([upstream.inFlight(), upstream.openSockets()], [1, 1])
        left.abort()
        const entry = yield* upstream.awaitEntry(ended("clientAborted"))
        assert.strictEqual(entry.chunksSent, chunksSent)
        assert.strictEqual(upstream.inFlight(), 0)
      })
    )
  }

  it.scopedLive("in-band trouble: broken JSON, an error event, no finish, no [DONE]", () =>
    Effect.gen(function* () {
      const { chat, stream, upstream } = yield* wire()
      yield* upstream.next(
        { malformedAfterChunks: 1 },
        { errorEventAfterChunks: 2, error: { message: "overloaded mid-way", code: "oops" } },
        { finishReason: null },
        { done: false },
        { finishReason: "length" }
      )
      const malformed = yield* stream()
      assert.throws(() => JSON.parse(malformed[2] ?? ""))
      assert.strictEqual(contentOf(malformed), "Hello from fake")
      const error = yield* stream()
      assert.strictEqual(error.length, 4)
      assert.deepStrictEqual(JSON.parse(error[3] ?? "").error, {
        message: "overloaded mid-way",
        type: "server_error",
        param: null,
        code: "oops"
      })
      const unfinished = yield* stream()
      assert.isTrue(choicesOf(unfinished).every((choice) => choice.finish_reason === null))
      assert.strictEqual(unfinished.at(-1), "[DONE]")
      assert.notInclude(yield* stream(), "[DONE]")
      assert.strictEqual((yield* chat()).json.choices[0].finish_reason, "length")
      yield* upstream.awaitEntry((e) => e.seq === 5 && e.end === "answered")
      assert.deepStrictEqual(
        upstream.journal().map((e) => e.end),
        ["errored", "errored", "answered", "answered", "answered"]
      )
    })
  )

  it.scopedLive("broken JSON answers: truncated, and shorter than announced", () =>
    Effect.gen(function* () {
      const { broken, chat, upstream } = yield* wire()
      yield* upstream.next({ truncateJson: true }, { wrongContentLength: true })
      const half = yield* chat()
      assert.strictEqual(half.status, 200)
      assert.strictEqual(half.headers["content-length"], String(half.text.length))
      assert.isUndefined(half.json)
      const { text } = yield* broken()
      assert.isObject(tryJson(text))
      yield* upstream.awaitEntry(ended("cut"))
      assert.strictEqual(upstream.stats().errored, 1)
    })
  )
})

// --- the witness --------------------------------------------------------------------------------------------------

describe("journal", () => {
  it.scopedLive("has the request, with its key masked", () =>
    Effect.gen(function* () {
      const { chat, upstream } = yield* wire()
      yield* chat({ temperature: 0.5 })
      const entry = yield* upstream.awaitEntry(ended("answered"))
      assert.deepInclude(entry, {
        seq: 1,
        method: "POST",
        path: "/v1/chat/completions",
        body: { ...prompt, temperature: 0.5 }
      })
      assert.strictEqual(entry.headers.authorization, "****1234")
      assert.strictEqual(entry.headers["content-type"], "application/json")
    })
  )

  it.scopedLive("shows promptly that a client left a stream, and how far it had got", () =>
    Effect.gen(function* () {
      const { open, upstream } = yield* wire({ behaviour: { chunks: 100_000, chunkGapMs: 1 } })
      const left = new AbortController()
      const response = yield* Effect.promise(() =>
        open("/v1/chat/completions", { ...prompt, stream: true }, { signal: left.signal })
      )
      response.body.on("error", () => {})
      response.body.resume()
      yield* upstream.awaitEntry((e) => e.chunksSent >= 3)
      left.abort()
      const entry = yield* upstream.awaitEntry(ended("clientAborted"))
      assert.isAtLeast(entry.chunksSent, 3)
      assert.isBelow(entry.chunksSent, 1000)
      assert.strictEqual(upstream.journal()[0]?.chunksSent, entry.chunksSent)
      assert.deepInclude(upstream.stats(), { clientAborted: 1, failed: 0 })
    })
  )

  it.scopedLive("a client that leaves in the middle of its own request is in the journal too", () =>
    Effect.gen(function* () {
      const { chat, upstream } = yield* wire()
      const socket = connect(upstream.port, "127.0.0.1", () => {
        socket.write('POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: 99\r\n\r\n{"model"', () =>
          socket.end()
        )
      })
      yield* Effect.addFinalizer(() => Effect.sync(() => socket.destroy()))
      const entry = yield* upstream.awaitEntry(ended("clientAborted"))
      assert.strictEqual(entry.body, '{"model"')
      assert.notProperty(entry, "status")
      assert.strictEqual((yield* chat()).status, 200)
    })
  )

  it.scopedLive("a slow reader holds the upstream up", () =>
    Effect.gen(function* () {
      const chunks = 1000
      const { open, send, upstream } = yield* wire()
      yield* upstream.next({ reply: "x".repeat(chunks * 32_768), chunks })
      const response = yield* Effect.promise(() => open("/v1/chat/completions", { ...prompt, stream: true }))
      yield* upstream.awaitEntry((e) => e.paused)
      yield* Effect.replicateEffect(send("/v1/models"), 20)
      const held = upstream.journal()[0]
      assert.notProperty(held, "end")
      assert.isBelow(held?.chunksSent ?? 0, chunks)
      yield* Effect.promise(() => response.body.dump({ limit: Number.MAX_SAFE_INTEGER }))
      const entry = yield* upstream.awaitEntry((e) => e.seq === 1 && e.end === "answered")
      assert.strictEqual(entry.chunksSent, chunks)
      assert.isFalse(entry.paused)
    })
  )

  it.scopedLive("drops the oldest beyond its limit, and counts on", () =>
    Effect.gen(function* () {
      const { chat, upstream } = yield* wire({ journalLimit: 3 })
      yield* Effect.replicateEffect(chat(), 5)
      yield* upstream.awaitEntry((e) => e.seq === 5 && e.end === "answered")
      assert.deepStrictEqual(
        upstream.journal().map((e) => e.seq),
        [3, 4, 5]
      )
      assert.deepInclude(upstream.stats(), { requests: 5, answered: 5 })
      assert.isBelow(upstream.stats().connections, 5)
    })
  )

  it.scopedLive("counts the most exchanges that ever were in flight at once", () =>
    Effect.gen(function* () {
      const gate = FakeProvider.gate()
      const { chat, upstream } = yield* wire({ behaviour: { gate } })
      const four = yield* Effect.fork(
        Effect.all(
          Array.from({ length: 4 }, () => chat()),
          { concurrency: "unbounded" }
        )
      )
      yield* upstream.awaitEntry((e) => e.seq === 4)
      gate.open()
      yield* Fiber.join(four)
      yield* upstream.awaitEntry(() => upstream.stats().answered === 4)
      assert.strictEqual(upstream.stats().peakInFlight, 4)
      assert.strictEqual(upstream.inFlight(), 0)
    })
  )

  it.scoped("awaitEntry waits in real time, and dies with a summary", () =>
    Effect.gen(function* () {
      const { chat, upstream } = yield* wire({ name: "east" })
      yield* chat()
      const exit = yield* Effect.exit(upstream.awaitEntry((e) => e.status === 599, 20))
      assert.isTrue(Exit.isFailure(exit))
      const text = Exit.isFailure(exit) ? Cause.pretty(exit.cause) : ""
      assert.include(text, 'FakeProvider "east"')
      assert.include(text, "#1 POST /v1/chat/completions status=200")
      const threw = yield* Effect.exit(upstream.awaitEntry(() => assert.fail("predicate")))
      assert.include(Exit.isFailure(threw) ? Cause.pretty(threw.cause) : "", "predicate")
    })
  )
})

// --- the script and the listener ----------------------------------------------------------------------------------

describe("script", () => {
  it.scopedLive("a chooser goes before the queue, the queue before the standing behaviour", () =>
    Effect.gen(function* () {
      const { chat, upstream } = yield* wire({ behaviour: { status: 501 } })
      yield* upstream.when((request) => {
        if (request.model === "throws") throw new Error("nope")
        if (request.headers.authorization === "Bearer sk-secret-1234" && request.model === "mine")
          return { status: 503 }
        return undefined
      })
      yield* upstream.next({ status: 502 }, {})
      const statuses: Array<number> = []
      for (const model of ["mine", "a", "mine", "b", "c"]) statuses.push((yield* chat({ model })).status)
      assert.deepStrictEqual(statuses, [503, 502, 503, 200, 501])
      assert.match((yield* chat({ model: "throws" })).json.error.message, /threw: Error: nope/)
    })
  )

  it.scopedLive("kill refuses connections and cuts what is in flight; revive has the same port", () =>
    Effect.gen(function* () {
      const { broken, chat, open, upstream } = yield* wire()
      yield* upstream.next({ latencyMs: 60_000 }, { hang: true })
      const waiting = Promise.allSettled([open("/v1/chat/completions", prompt), open("/v1/chat/completions", prompt)])
      yield* upstream.awaitEntry((e) => e.seq === 2)
      yield* upstream.kill
      assert.deepStrictEqual([upstream.openSockets(), upstream.inFlight()], [0, 0])
      assert.deepStrictEqual(
        upstream.journal().map((e) => e.end),
        ["cut", "hung"]
      )
      assert.deepStrictEqual(
        (yield* Effect.promise(() => waiting)).map((r) => r.status),
        ["rejected", "rejected"]
      )
      assert.strictEqual((yield* broken()).error.code, "ECONNREFUSED")
      yield* upstream.kill
      yield* upstream.revive
      yield* upstream.revive
      assert.strictEqual((yield* chat()).status, 200)
      assert.strictEqual(upstream.url, `http://127.0.0.1:${upstream.port}/v1`)
    })
  )

  it.scopedLive("reset makes it as new", () =>
    Effect.gen(function* () {
      const { chat, open, upstream } = yield* wire({ behaviour: { reply: "first" } })
      yield* upstream.next({ hang: true }, { status: 500 })
      yield* upstream.behave({ status: 501 })
      yield* upstream.when((request) => (request.model === "x" ? { status: 502 } : undefined))
      const waiting = open("/v1/chat/completions", prompt).then(
        () => "answered",
        () => "broken"
      )
      yield* upstream.awaitEntry((e) => e.seq === 1)
      yield* upstream.kill
      yield* upstream.reset
      assert.strictEqual(yield* Effect.promise(() => waiting), "broken")
      assert.deepStrictEqual(upstream.journal(), [])
      assert.deepInclude(upstream.stats(), { requests: 0, hung: 0 })
      assert.strictEqual((yield* chat({ model: "x" })).json.choices[0].message.content, "first")
      assert.strictEqual(upstream.journal()[0]?.seq, 1)
    })
  )

  it.scopedLive("as a layer", () =>
    Effect.gen(function* () {
      const upstream = yield* FakeProvider.FakeProviderTag
      const response = yield* Effect.promise(() => request(`${upstream.url}/models`))
      assert.strictEqual(upstream.name, "layered")
      yield* Effect.promise(() => response.body.dump())
    }).pipe(Effect.provide(FakeProvider.layerWith({ name: "layered" })))
  )

  it.live("no socket, listener or timer remains when the scope has closed", () =>
    Effect.gen(function* () {
      const count = (kind: string) => process.getActiveResourcesInfo().filter((k) => k === kind).length
      const sockets = () => count("TCPServerWrap") + count("TCPSocketWrap")
      // The kernel handles of a closed socket go one turn of the event loop after it.
      const turn = Effect.async<void>((resume) => {
        setImmediate(() => resume(Effect.void))
      })
      const settled = (most: number) => Effect.repeat(turn, { until: () => sockets() <= most, times: 1000 })
      yield* settled(0)
      // Other files' connections may live on for a while: files share their process.
      const before = sockets()
      const timers = count("Timeout")
      const upstream = yield* Effect.scoped(
        Effect.gen(function* () {
          const { open, upstream } = yield* wire()
          yield* upstream.next({ latencyMs: 60_000 }, { hang: true }, { firstTokenMs: 60_000 }, { stallAfterChunks: 1 })
          for (const stream of [false, false, true, true]) {
            open("/v1/chat/completions", { ...prompt, stream }).then(
              (r) => r.body.on("error", () => {}),
              () => {}
            )
          }
          yield* upstream.awaitEntry((e) => e.seq === 4)
          assert.isAtLeast(sockets(), 5)
          assert.isAtLeast(count("Timeout"), timers + 1)
          return upstream
        })
      )
      assert.deepStrictEqual([upstream.openSockets(), upstream.inFlight()], [0, 0])
      yield* settled(before)
      assert.isAtMost(sockets(), before)
      assert.isAtMost(count("Timeout"), timers)
      assert.isTrue(Exit.isFailure(yield* Effect.exit(upstream.revive)))
    })
  )
})
