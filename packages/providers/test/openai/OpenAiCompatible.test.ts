import { inspect } from "node:util"
import { assert, describe, it } from "@effect/vitest"
import { LlmError } from "@switchyard/core/LlmError"
import * as LlmRequest from "@switchyard/core/LlmRequest"
import { total } from "@switchyard/core/Usage"
import * as OpenAiCompatible from "@switchyard/providers/OpenAiCompatible"
import * as FakeProvider from "@switchyard/testing/FakeProvider"
import { Cause, Effect, Exit, Fiber, Layer } from "effect"
import * as S from "../support/support.js"

const json = (body: unknown, status = 200, headers: Record<string, string> = {}) =>
  S.rawServer((_, response) => {
    response.writeHead(status, { "content-type": "application/json", ...headers })
    response.end(typeof body === "string" ? body : JSON.stringify(body))
  })

describe.each([S.undici, S.httpClient])("OpenAiCompatible over $name: whole answers", (wire) => {
  const scene = (options: OpenAiCompatible.Options = {}, upstream: FakeProvider.Options = {}) =>
    Effect.all({ up: FakeProvider.make({ name: "up", ...upstream }), service: S.serviceOver(wire, options) })

  const failure = (request: LlmRequest.LlmRequest, baseUrl: string, options: OpenAiCompatible.Options = {}) =>
    Effect.flatMap(S.serviceOver(wire, options), (service) => Effect.flip(S.call(service, request, { baseUrl })))

  it.scopedLive("a chat request is answered, its text kept, its usage read", () =>
    Effect.gen(function* () {
      const { service, up } = yield* scene()
      yield* up.next({ reply: "Grüße ✓", usage: { prompt_tokens: 7, completion_tokens: 3, cached_tokens: 2 } })
      const attempt = yield* S.attemptOn(S.chat(), { baseUrl: up.url })
      const response = S.complete(yield* service.call(attempt))
      assert.strictEqual(response.status, 200)
      assert.strictEqual(response.headers["content-type"], "application/json")
      assert.deepStrictEqual(JSON.parse(response.raw), response.body)
      assert.include(response.raw, "Grüße ✓")
      assert.deepStrictEqual(response.outcome.usage, {
        inputTokens: 7,
        outputTokens: 3,
        cachedInputTokens: 2,
        reasoningTokens: 0,
        estimated: false
      })
      assert.isTrue(response.outcome.timeToFirstToken > 0)
      assert.isTrue(response.outcome.duration >= response.outcome.timeToFirstToken)
      assert.strictEqual(response.journal, attempt.request.route.journal)
    })
  )

  it.scopedLive("the provider gets its own model name, the key, and the caller's fields untouched", () =>
    Effect.gen(function* () {
      const { service, up } = yield* scene()
      yield* S.call(service, S.chat({ temperature: 0, top_k: 5, odd: { deep: [1, null] } }), { baseUrl: up.url })
      const [entry] = up.journal()
      assert.strictEqual(entry?.path, "/v1/chat/completions")
      assert.deepStrictEqual(S.firstBody(up), {
        model: "up-model",
        messages: S.messages,
        temperature: 0,
        top_k: 5,
        odd: { deep: [1, null] },
        stream: false
      })
      assert.strictEqual(entry?.headers.authorization, `****${S.key.slice(-4)}`)
      assert.strictEqual(entry?.headers["content-type"], "application/json")
      assert.strictEqual(entry?.headers.accept, "application/json")
    })
  )

  it.scopedLive("an answer that says that time ran out tells how long it took", () =>
    Effect.gen(function* () {
      const { service, up } = yield* scene()
      for (const status of [408, 504]) {
        yield* up.next({ status, latencyMs: 20 })
        const error = yield* Effect.flip(S.call(service, S.chat(), { baseUrl: up.url }))
        assert.deepStrictEqual([error.reason, error.status, error.isSilence], ["Timeout", status, false])
        assert.isAtLeast(error.elapsed ?? 0, 19)
      }
    })
  )

  it.scopedLive("the deployment's defaults fill in what the request does not set", () =>
    Effect.gen(function* () {
      const { service, up } = yield* scene()
      yield* S.call(service, S.chat({ temperature: 0 }), {
        baseUrl: up.url,
        defaults: { temperature: 1, top_p: 0.5, model: "never" }
      })
      const { temperature, top_p, model } = S.firstBody(up)
      assert.deepStrictEqual({ temperature, top_p, model }, { temperature: 0, top_p: 0.5, model: "up-model" })
    })
  )

  it.scopedLive("a wildcard's model name beats the deployment's", () =>
    Effect.gen(function* () {
      const { service, up } = yield* scene()
      const attempt = yield* S.attemptOn(S.chat(), { baseUrl: up.url })
      yield* service.call(Object.assign(Object.create(attempt) as typeof attempt, { model: "captured" }))
      assert.strictEqual(S.firstBody(up).model, "captured")
    })
  )

  it.scopedLive("stream options of a request that is no stream are not sent", () =>
    Effect.gen(function* () {
      const { service, up } = yield* scene()
      const request = { ...S.streamed({ stream_options: { include_usage: true } }), stream: false }
      S.complete(yield* S.call(service, request, { baseUrl: up.url }))
      const { stream, stream_options } = S.firstBody(up)
      assert.deepStrictEqual({ stream, stream_options }, { stream: false, stream_options: undefined })
    })
  )

  it.scopedLive("tool calls arrive whole", () =>
    Effect.gen(function* () {
      const { service, up } = yield* scene()
      yield* up.next({ toolCalls: [{ name: "weather", arguments: '{"city":"Kyiv"}' }] })
      const response = S.complete(yield* S.call(service, S.chat(), { baseUrl: up.url }))
      assert.deepNestedInclude(response.body, {
        "choices[0].message.tool_calls[0].function": { name: "weather", arguments: '{"city":"Kyiv"}' },
        "choices[0].finish_reason": "tool_calls"
      })
    })
  )

  it.scopedLive("usage that the provider does not send is estimated", () =>
    Effect.gen(function* () {
      const { service, up } = yield* scene()
      yield* up.next({ usage: null, reply: "x".repeat(40) })
      const { usage } = S.complete(yield* S.call(service, S.chat(), { baseUrl: up.url })).outcome
      assert.isTrue(usage.estimated)
      assert.strictEqual(usage.outputTokens, 10)
      assert.isAbove(usage.inputTokens, 0)
    })
  )

  it.scopedLive("a legacy completion goes to its own endpoint", () =>
    Effect.gen(function* () {
      const { service, up } = yield* scene()
      const response = S.complete(
        yield* S.call(service, LlmRequest.completion({ model: "m", prompt: "Once" }), { baseUrl: up.url })
      )
      assert.strictEqual(response.body.object, "text_completion")
      assert.strictEqual(up.journal()[0]?.path, "/v1/completions")
    })
  )

  it.scopedLive("embeddings go to their own endpoint, never as a stream", () =>
    Effect.gen(function* () {
      const { service, up } = yield* scene()
      const request = LlmRequest.embeddings({ model: "m", input: ["a", "b"], ...{ stream: true, stream_options: {} } })
      const response = S.complete(yield* S.call(service, request, { baseUrl: up.url }))
      assert.lengthOf(response.body.data as ReadonlyArray<unknown>, 2)
      assert.isAbove(total(response.outcome.usage), 0)
      assert.strictEqual(up.journal()[0]?.path, "/v1/embeddings")
      assert.deepStrictEqual(S.firstBody(up), { model: "up-model", input: ["a", "b"] })
    })
  )

  it.scopedLive("slashes at the end and a query of the base URL go where they belong", () =>
    Effect.gen(function* () {
      const urls: Array<string | undefined> = []
      const server = yield* S.rawServer((request, response) => {
        urls.push(request.url)
        response.end(JSON.stringify({ choices: [{ text: "" }] }))
      })
      const service = yield* S.serviceOver(wire)
      yield* S.call(service, S.chat(), { baseUrl: `${server.origin}/openai/v1//` })
      yield* S.call(service, S.chat(), { baseUrl: `${server.origin}/openai/deployments/x?api-version=2024-10-21` })
      yield* S.call(service, S.chat(), { baseUrl: server.origin })
      assert.deepStrictEqual(urls, [
        "/openai/v1/chat/completions",
        "/openai/deployments/x/chat/completions?api-version=2024-10-21",
        "/chat/completions"
      ])
    })
  )

  describe("headers", () => {
    const sent = (headers: Record<string, string>, own: Record<string, string> | undefined = undefined) =>
      Effect.gen(function* () {
        const { service, up } = yield* scene()
        const request = S.chat({}, own === undefined ? {} : { overrides: { headers: own } })
        yield* S.call(service, request, { baseUrl: up.url, headers })
        return up.journal()[0]?.headers ?? {}
      })

    it.scopedLive("of the deployment and of the request are sent, the request's win", () =>
      Effect.gen(function* () {
        const headers = yield* sent(
          { "X-Org": "acme", "X-Both": "deployment" },
          { "Idempotency-Key": "abc-123", "x-both": "request" }
        )
        assert.strictEqual(headers["x-org"], "acme")
        assert.strictEqual(headers["idempotency-key"], "abc-123")
        assert.strictEqual(headers["x-both"], "request")
      })
    )

    it.scopedLive("of one connection, of the body and of the host never pass", () =>
      Effect.gen(function* () {
        const headers = yield* sent(
          { Host: "evil.example", "Transfer-Encoding": "chunked", "proxy-authorization": "x" },
          {
            Connection: "close",
            "content-length": "1",
            TE: "trailers",
            "accept-encoding": "gzip",
            expect: "100-continue"
          }
        )
        assert.match(headers.host ?? "", /^127\.0\.0\.1:/)
        assert.strictEqual(headers["accept-encoding"], "identity")
        assert.notStrictEqual(headers["content-length"], "1")
        assert.notStrictEqual(headers.connection, "close")
        for (const name of ["transfer-encoding", "proxy-authorization", "te", "expect"]) {
          assert.isUndefined(headers[name], name)
        }
      })
    )

    it.scopedLive("that cannot be sent are the caller's mistake, and nothing is sent", () =>
      Effect.gen(function* () {
        const { service, up } = yield* scene()
        const request = S.chat({}, { overrides: { headers: { "x-bad": "a\r\nb: c" } } })
        const error = yield* Effect.flip(S.call(service, request, { baseUrl: up.url }))
        assert.strictEqual(error.reason, "InvalidRequest")
        assert.include(error.description, "x-bad")
        assert.strictEqual(up.stats().requests, 0)
      })
    )

    it.scopedLive("of a deployment that cannot be sent, a bad key, or no base URL make it unavailable", () =>
      Effect.gen(function* () {
        const { service, up } = yield* scene()
        for (const config of [
          { baseUrl: up.url, headers: { "x-bad": "a\nb" } },
          { baseUrl: up.url, apiKey: `${S.key}\n${S.key}` },
          { provider: "acme" }
        ]) {
          const error = yield* Effect.flip(S.call(service, S.chat(), config))
          assert.strictEqual(error.reason, "Unavailable")
          assert.strictEqual(error.code, "invalid_deployment")
          assert.notInclude(inspect(error), S.key)
        }
        assert.strictEqual(up.stats().requests, 0)
      })
    )

    it.scopedLive("name a provider's base URL by option", () =>
      Effect.gen(function* () {
        const up = yield* FakeProvider.make()
        const service = yield* S.serviceOver(wire, { baseUrls: { acme: up.url } })
        S.complete(yield* S.call(service, S.chat(), { provider: "acme" }))
      })
    )
  })

  it.scopedLive("a request that cannot be written as JSON is the caller's mistake", () =>
    Effect.gen(function* () {
      const { service, up } = yield* scene()
      const error = yield* Effect.flip(S.call(service, S.chat({ seed: 1n }), { baseUrl: up.url }))
      assert.strictEqual(error.reason, "InvalidRequest")
    })
  )

  describe("error answers", () => {
    it.scopedLive("are classified, with the headers' Retry-After and the provider's words", () =>
      Effect.gen(function* () {
        const { service, up } = yield* scene()
        yield* up.next({ status: 429, headers: { "retry-after": "2" }, error: { message: "slow down" } })
        const error = yield* Effect.flip(S.call(service, S.chat(), { baseUrl: up.url }))
        const { code, deployment, provider, providerMessage, reason, retryAfter, status } = error
        assert.deepStrictEqual(
          { code, deployment, provider, providerMessage, reason, retryAfter, status },
          {
            code: "rate_limit_exceeded",
            deployment: "d1",
            provider: "openai",
            providerMessage: "slow down",
            reason: "RateLimited",
            retryAfter: 2000,
            status: 429
          }
        )
      })
    )

    it.scopedLive("of a stream request are classified all the same", () =>
      Effect.gen(function* () {
        const { service, up } = yield* scene()
        yield* up.next({ status: 503 })
        const error = yield* Effect.flip(S.call(service, S.streamed(), { baseUrl: up.url }))
        assert.strictEqual(error.reason, "Unavailable")
        assert.strictEqual(error.status, 503)
      })
    )

    it.scopedLive("in a 200 answer are errors", () =>
      Effect.gen(function* () {
        const server = yield* json({ error: { message: "too fast", code: 429 } })
        assert.strictEqual((yield* failure(S.chat(), server.origin)).reason, "RateLimited")
        assert.strictEqual((yield* failure(S.streamed(), server.origin)).reason, "RateLimited")
      })
    )

    it.scopedLive("beside an answer are no errors", () =>
      Effect.gen(function* () {
        const server = yield* json({ choices: [{ message: { content: "ok" } }], error: null })
        const service = yield* S.serviceOver(wire)
        S.complete(yield* S.call(service, S.chat(), { baseUrl: server.origin }))
      })
    )

    it.scopedLive("that break off are classified by what came of them", () =>
      Effect.gen(function* () {
        const server = yield* S.rawServer((_, response) => {
          response.writeHead(429, { "content-length": "1000", "retry-after": "3" })
          response.write('{"error":', () => response.socket?.destroySoon())
        })
        const error = yield* failure(S.chat(), server.origin)
        assert.strictEqual(error.reason, "RateLimited")
        assert.strictEqual(error.retryAfter, 3000)
      })
    )

    it.scopedLive("without end are read up to a bound", () =>
      Effect.gen(function* () {
        const server = yield* S.rawServer((_, response) => {
          response.writeHead(500, { "content-type": "text/plain" })
          const more = () => {
            while (!response.destroyed && response.write("x".repeat(65_536))) {}
            if (!response.destroyed) response.once("drain", more)
          }
          more()
        })
        const error = yield* failure(S.chat(), server.origin)
        assert.strictEqual(error.status, 500)
        assert.strictEqual(error.providerMessage?.length, 2000)
        yield* S.eventually(() => server.sockets() === 0)
      })
    )

    it.scopedLive("never show the key, even when the provider echoes it", () =>
      Effect.gen(function* () {
        const { service, up } = yield* scene()
        const forwarded = "caller-credential-0815"
        const request = S.chat({}, { overrides: { headers: { authorization: `Bearer ${forwarded}` } } })
        yield* up.behave({ status: 401, error: { message: `bad: ${S.key} ${forwarded} hdr-value-7`, code: S.key } })
        for (const one of [S.chat(), request]) {
          const exit = yield* Effect.exit(
            S.call(service, one, { baseUrl: up.url, headers: { "x-api-key": "hdr-value-7" } })
          )
          const error = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
          assert.instanceOf(error, LlmError)
          const shown = [inspect(exit, { depth: 12 }), JSON.stringify(exit), String(error), (error as LlmError).message]
          for (const text of shown) {
            for (const secret of one === request ? [S.key, forwarded, "hdr-value-7"] : [S.key, "hdr-value-7"]) {
              assert.notInclude(text, secret)
            }
          }
        }
      })
    )
  })

  describe("answers that make no sense", () => {
    it.scopedLive("truncated JSON", () =>
      Effect.gen(function* () {
        const { service, up } = yield* scene()
        yield* up.next({ truncateJson: true })
        const error = yield* Effect.flip(S.call(service, S.chat(), { baseUrl: up.url }))
        assert.strictEqual(error.reason, "MalformedResponse")
      })
    )

    it.scopedLive("fewer bytes than announced", () =>
      Effect.gen(function* () {
        const { service, up } = yield* scene()
        yield* up.next({ wrongContentLength: true })
        const error = yield* Effect.flip(S.call(service, S.chat(), { baseUrl: up.url }))
        assert.strictEqual(error.reason, "MalformedResponse")
        assert.match(error.description, /broke off after \d+ bytes/)
      })
    )

    it.scopedLive("nothing after the headers", () =>
      Effect.gen(function* () {
        const { service, up } = yield* scene()
        yield* up.next({ cutAfterHeaders: true })
        const error = yield* Effect.flip(S.call(service, S.chat(), { baseUrl: up.url }))
        assert.strictEqual(error.reason, "MalformedResponse")
      })
    )

    it.scopedLive.each([
      ["an empty body", ""],
      ["a list", "[]"],
      ["a string", '"ok"'],
      ["HTML", "<html></html>"],
      ["JSON that is no answer", "{}"],
      ["embeddings for a chat", '{"data":[]}']
    ] as const)("%s", ([, body]) =>
      Effect.gen(function* () {
        const server = yield* json(body)
        const error = yield* failure(S.chat(), server.origin)
        assert.strictEqual(error.reason, "MalformedResponse")
        assert.strictEqual(error.breaker, "counts")
      })
    )

    it.scopedLive("more than the bound", () =>
      Effect.gen(function* () {
        const server = yield* json({ choices: [{ message: { content: "x".repeat(5000) } }] })
        const error = yield* failure(S.chat(), server.origin, { maxBodyBytes: 1000 })
        assert.strictEqual(error.reason, "MalformedResponse")
        assert.include(error.description, "1000 bytes")
      })
    )

    it.scopedLive("a body of exactly the bound is none of them", () =>
      Effect.gen(function* () {
        const body = JSON.stringify({ choices: [{ text: "" }] })
        const server = yield* json(body)
        const service = yield* S.serviceOver(wire, { maxBodyBytes: body.length })
        S.complete(yield* S.call(service, S.chat(), { baseUrl: server.origin }))
      })
    )
  })

  it.scopedLive("a character that is cut in two between chunks is put together", () =>
    Effect.gen(function* () {
      const bytes = Buffer.from(JSON.stringify({ choices: [{ message: { content: "a✓😀b" } }] }))
      const server = yield* S.rawServer((_, response) => {
        response.writeHead(200, { "content-length": String(bytes.length) })
        response.socket?.setNoDelay(true)
        let i = 0
        const next = () => {
          if (i < bytes.length) response.write(bytes.subarray(i, ++i), () => setImmediate(next))
          else response.end()
        }
        next()
      })
      const service = yield* S.serviceOver(wire)
      const response = S.complete(yield* S.call(service, S.chat(), { baseUrl: server.origin }))
      assert.include(response.raw, "a✓😀b")
    })
  )

  describe("an upstream that is not there", () => {
    it.scopedLive("a refused connection is Unavailable", () =>
      Effect.gen(function* () {
        const { service, up } = yield* scene()
        yield* up.kill
        const error = yield* Effect.flip(S.call(service, S.chat(), { baseUrl: up.url }))
        assert.strictEqual(error.reason, "Unavailable")
        assert.strictEqual(error.code, "ECONNREFUSED")
        yield* up.revive
        S.complete(yield* S.call(service, S.chat(), { baseUrl: up.url }))
      })
    )

    it.scopedLive("a socket that is destroyed before any answer is Unavailable", () =>
      Effect.gen(function* () {
        const { service, up } = yield* scene()
        yield* up.next({ refuse: true })
        const error = yield* Effect.flip(S.call(service, S.chat(), { baseUrl: up.url }))
        assert.strictEqual(error.reason, "Unavailable")
        assert.strictEqual((yield* up.awaitEntry((entry) => entry.end !== undefined)).end, "refused")
      })
    )

    it.scopedLive("one that is killed while it thinks is Unavailable", () =>
      Effect.gen(function* () {
        const { service, up } = yield* scene()
        yield* up.next({ hang: true })
        const fiber = yield* Effect.fork(Effect.flip(S.call(service, S.chat(), { baseUrl: up.url })))
        yield* up.awaitEntry((entry) => entry.seq === 1)
        yield* up.kill
        assert.strictEqual((yield* Fiber.join(fiber)).reason, "Unavailable")
      })
    )
  })

  describe("a caller that leaves", () => {
    it.scopedLive("before the headers aborts the upstream request", () =>
      Effect.gen(function* () {
        const { service, up } = yield* scene()
        yield* up.next({ hang: true })
        const fiber = yield* Effect.fork(S.call(service, S.chat(), { baseUrl: up.url }))
        yield* up.awaitEntry((entry) => entry.seq === 1)
        const exit = yield* Fiber.interrupt(fiber)
        assert.isTrue(Exit.isInterrupted(exit))
        const entry = yield* up.awaitEntry((entry) => entry.end !== undefined)
        assert.strictEqual(entry.end, "clientAborted")
        assert.strictEqual(up.inFlight(), 0)
      })
    )

    it.scopedLive("between the headers and the end of the body aborts it too", () =>
      Effect.gen(function* () {
        const { service, up } = yield* scene()
        yield* up.next({ stallAfterHeaders: true })
        const fiber = yield* Effect.fork(S.call(service, S.chat(), { baseUrl: up.url }))
        yield* up.awaitEntry((entry) => entry.status === 200)
        yield* Fiber.interrupt(fiber)
        assert.strictEqual((yield* up.awaitEntry((entry) => entry.end !== undefined)).end, "clientAborted")
      })
    )
  })

  it.scopedLive("fifty calls at once each get their own answer", () =>
    Effect.gen(function* () {
      const { service, up } = yield* scene()
      yield* up.when(({ body }) => ({ reply: `for ${(body as { user?: string }).user}`, latencyMs: 1 }))
      const answers = yield* Effect.forEach(
        Array.from({ length: 50 }, (_, i) => i),
        (i) => S.call(service, S.chat({ user: `u${i}` }), { baseUrl: up.url }),
        { concurrency: "unbounded" }
      )
      answers.forEach((answer, i) => {
        assert.include(S.complete(answer).raw, `"for u${i}"`)
      })
    })
  )

  it.scopedLive("the same effect run twice sends two requests", () =>
    Effect.gen(function* () {
      const { service, up } = yield* scene()
      const call = service.call(yield* S.attemptOn(S.chat(), { baseUrl: up.url }))
      yield* call
      yield* call
      assert.strictEqual(up.stats().answered, 2)
    })
  )
})

describe("OpenAiCompatible options", () => {
  it.scopedLive("that are wrong are named, all of them", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(
        Layer.build(
          OpenAiCompatible.layerWith({
            maxBodyBytes: -1,
            onMalformedEvent: "maybe" as never,
            baseUrls: { acme: "no url" }
          }).pipe(Layer.provide(S.undici.layer))
        )
      )
      const text = String(error)
      for (const path of [
        "openAiCompatible.maxBodyBytes",
        "openAiCompatible.onMalformedEvent",
        "openAiCompatible.baseUrls.acme"
      ]) {
        assert.include(text, path)
      }
    })
  )
})
