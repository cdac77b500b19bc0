import { assert, describe, it } from "@effect/vitest"
import * as LlmRequest from "@switchyard/core/LlmRequest"
import * as LlmService from "@switchyard/core/LlmService"
import * as Service from "@switchyard/core/Service"
import * as TraceContext from "@switchyard/core/TraceContext"
import * as Router from "@switchyard/router/Router"
import * as StubLlm from "@switchyard/testing/StubLlm"
import { Effect, Exit, Fiber, Stream, TestClock, Tracer } from "effect"
import { endOf, type Kept, memoryTracer } from "../support/memoryTracer.js"
import { type Dice, forSeeds, VirtualTime } from "../support/schedules.js"

const chat = (body: object = {}, options: LlmRequest.RequestOptions = {}): LlmRequest.LlmRequest =>
  LlmRequest.chat({ model: "m", messages: [{ role: "user", content: "a secret wish" }], ...body }, options)

const deployment = (id: string, more: object = {}) => ({
  id,
  group: "m",
  model: "gpt-4o",
  provider: `p-${id}`,
  baseUrl: `https://user:hunter2@${id}.example.com:8443/v1?api-key=hunter2`,
  apiKey: "sk-hunter2",
  inputPrice: 1,
  outputPrice: 10,
  priority: id.charCodeAt(0),
  ...more
})

const usage = { inputTokens: 100, outputTokens: 10, cachedInputTokens: 40, reasoningTokens: 0, estimated: false }

/** A tower of `a`, then `b`, over a stub, and the spans of what is run in it. */
const setup = (options: Partial<Router.Options> = {}, kept = memoryTracer()) =>
  Effect.map(
    Effect.suspend(() => {
      const stub = StubLlm.make({ usage })
      return Effect.map(
        Router.make(
          {
            deployments: [deployment("a"), deployment("b")],
            strategy: "priority-based",
            retry: { baseDelay: 1 },
            metrics: false,
            tracing: {},
            ...options
          },
          stub.attempts
        ),
        (tower) => ({ ...tower, stub })
      )
    }),
    ({ service, stub }) => ({
      stub,
      service,
      spans: kept.spans,
      traced: Effect.withTracer(kept.tracer),
      complete: (request: LlmRequest.LlmRequest) =>
        Effect.withTracer(Effect.either(LlmService.complete(service, request)), kept.tracer),
      read: (request: LlmRequest.LlmRequest) =>
        Effect.withTracer(Effect.either(Stream.runDrain(LlmService.stream(service, request))), kept.tracer)
    })
  )

const fail = (reason: "Unavailable", status = 503): StubLlm.Reply => ({
  fail: { reason, description: "down", status, providerMessage: "you said: a secret wish" }
})

/** Lets a call go on until it is over, in virtual time. */
const joined = <A>(effect: Effect.Effect<A>, time = "1 minute" as const) =>
  Effect.gen(function* () {
    const fiber = yield* Effect.fork(effect)
    yield* TestClock.adjust(time)
    return yield* Fiber.join(fiber)
  })

const told = (span: Kept | undefined): ReadonlyArray<string> => span?.events.map(({ name }) => name) ?? []
const outcomes = (spans: ReadonlyArray<Kept>) =>
  spans.map((span) => [span.name, span.attributes["switchyard.deployment"], endOf(span)])

describe("the spans of a request", () => {
  it.scoped("are one for the request and one for its attempt, named and described as the conventions say", () =>
    Effect.gen(function* () {
      const { complete, spans, stub } = yield* setup()
      stub.reply({ delay: 20, usage })
      yield* joined(complete(chat({ temperature: 0.5, top_p: 0.9, max_completion_tokens: 50 })))
      const [request, attempt] = spans
      const asked = {
        "gen_ai.operation.name": "chat",
        "gen_ai.request.temperature": 0.5,
        "gen_ai.request.top_p": 0.9,
        "gen_ai.request.max_tokens": 50,
        "switchyard.stream": false
      }
      const said = {
        "gen_ai.response.id": "chatcmpl-stub",
        "gen_ai.response.model": "gpt-4o",
        "gen_ai.response.finish_reasons": ["stop"],
        "gen_ai.usage.input_tokens": 100,
        "gen_ai.usage.output_tokens": 10,
        "gen_ai.usage.cache_read.input_tokens": 40,
        "gen_ai.provider.name": "p-a",
        "switchyard.group": "m",
        "switchyard.deployment": "a",
        "switchyard.cost_usd": 0.0002,
        "switchyard.outcome": "success"
      }
      assert.deepStrictEqual(
        [spans.length, request?.name, request?.kind, request?.parent, request?.ends],
        [2, "chat m", "internal", undefined, 1]
      )
      assert.deepStrictEqual(request?.attributes, {
        ...asked,
        ...said,
        "gen_ai.request.model": "m",
        "switchyard.attempts": 1
      })
      assert.deepStrictEqual(
        [attempt?.name, attempt?.kind, attempt?.parent, attempt?.traceId],
        ["chat gpt-4o", "client", request?.spanId, request?.traceId]
      )
      assert.deepStrictEqual(attempt?.attributes, {
        ...asked,
        ...said,
        "gen_ai.request.model": "gpt-4o",
        "server.address": "a.example.com",
        "server.port": 8443,
        "switchyard.attempt": 1
      })
      assert.deepStrictEqual(
        spans.map(({ endedAt = 0, startedAt }) => endedAt - startedAt),
        [20, 20]
      )
      assert.deepStrictEqual(request?.events, [
        {
          name: "switchyard.selection",
          attributes: {
            "switchyard.group": "m",
            "switchyard.attempt": 1,
            "switchyard.strategy": "PriorityBased",
            "switchyard.candidates": ["a", "b"],
            "switchyard.out": [],
            "switchyard.deployment": "a"
          }
        }
      ])
    })
  )

  it.scoped("other operations have their own names", () =>
    Effect.gen(function* () {
      const { complete, spans } = yield* setup()
      yield* complete(LlmRequest.embeddings({ model: "m", input: "x" }))
      yield* complete(LlmRequest.completion({ model: "m", prompt: "x" }))
      assert.deepStrictEqual(
        spans.map(({ attributes, name }) => [name, attributes["gen_ai.operation.name"]]),
        [
          ["embeddings m", "embeddings"],
          ["embeddings gpt-4o", "embeddings"],
          ["text_completion m", "text_completion"],
          ["text_completion gpt-4o", "text_completion"]
        ]
      )
    })
  )

  it.scoped("a retry's attempts hang under the request, which tells of the retry and succeeds", () =>
    Effect.gen(function* () {
      const { complete, spans, stub } = yield* setup()
      stub.reply(({ index }) => (index === 0 ? fail("Unavailable", 502) : { usage }))
      yield* joined(complete(chat()))
      const [request, first, second] = spans
      assert.deepStrictEqual(outcomes(spans), [
        ["chat m", "b", "ok"],
        ["chat gpt-4o", "a", "error"],
        ["chat gpt-4o", "b", "ok"]
      ])
      assert.deepStrictEqual([first?.parent, second?.parent], [request?.spanId, request?.spanId])
      assert.deepStrictEqual(told(request), ["switchyard.selection", "switchyard.retry", "switchyard.selection"])
      assert.deepStrictEqual(request?.events[1]?.attributes, {
        "switchyard.group": "m",
        "switchyard.deployment": "a",
        "switchyard.reason": "Unavailable",
        "switchyard.delay_ms": 0
      })
      assert.deepStrictEqual(request?.events[2]?.attributes["switchyard.out"], ["a: excluded"])
      assert.strictEqual(first?.attributes["error.type"], "Unavailable")
      assert.strictEqual(first?.attributes["http.response.status_code"], 502)
      assert.strictEqual(request?.attributes["error.type"], undefined)
    })
  )

  it.scoped("a hedge's attempts hang under the request; the one that lost is abandoned, not failed", () =>
    Effect.gen(function* () {
      const { complete, spans, stub } = yield* setup({ hedge: { delay: 100 } })
      stub.reply(({ deployment: id }) => ({ delay: id === "a" ? 5000 : 10, usage }))
      yield* joined(complete(chat()))
      const [request, slow, fast] = spans
      assert.deepStrictEqual(outcomes(spans), [
        ["chat m", "b", "ok"],
        ["chat gpt-4o", "a", "interrupted"],
        ["chat gpt-4o", "b", "ok"]
      ])
      assert.deepStrictEqual([slow?.parent, fast?.parent], [request?.spanId, request?.spanId])
      assert.strictEqual(slow?.attributes["switchyard.outcome"], "abandoned")
      assert.deepStrictEqual(told(request), [
        "switchyard.selection",
        "switchyard.hedge",
        "switchyard.selection",
        "switchyard.hedge_won"
      ])
      assert.deepStrictEqual(request?.events[2]?.attributes["switchyard.out"], ["a: excluded"])
      assert.strictEqual((fast?.startedAt ?? 0) - (slow?.startedAt ?? 0), 100)
    })
  )

  it.scoped("a fallback's attempts hang under the request, which tells the hop and who was closed", () =>
    Effect.gen(function* () {
      const { complete, spans, stub } = yield* setup({
        deployments: [deployment("a"), deployment("z", { group: "spare", model: "small" })],
        fallback: { chains: { general: { m: ["spare"] } } },
        retry: false,
        cooldown: { failures: 1, duration: 60_000 }
      })
      stub.reply(({ deployment: id }) => (id === "a" ? fail("Unavailable") : { usage }))
      yield* complete(chat())
      yield* complete(chat())
      assert.deepStrictEqual(outcomes(spans), [
        ["chat m", "z", "ok"],
        ["chat gpt-4o", "a", "error"],
        ["chat small", "z", "ok"],
        ["chat m", "z", "ok"],
        ["chat small", "z", "ok"]
      ])
      const [first, failed, answered, second, only] = spans
      assert.deepStrictEqual([failed?.parent, answered?.parent], [first?.spanId, first?.spanId])
      assert.strictEqual(only?.parent, second?.spanId)
      assert.deepStrictEqual(told(first), ["switchyard.selection", "switchyard.fallback", "switchyard.selection"])
      assert.deepStrictEqual(told(second), ["switchyard.no_deployment", "switchyard.fallback", "switchyard.selection"])
      assert.match(String(second?.events[0]?.attributes["switchyard.out"]), /^a: cooldown for \d+ ms$/)
      assert.strictEqual(first?.attributes["switchyard.fallback"], "general")
      assert.strictEqual(first?.attributes["switchyard.group"], "spare")
    })
  )

  it.scoped("a filter that a deployment does not pass is named", () =>
    Effect.gen(function* () {
      const { complete, spans } = yield* setup({ deployments: [deployment("a"), deployment("b", { region: "eu" })] })
      yield* complete(chat({}, { demands: { region: "eu" } }))
      assert.deepStrictEqual(spans[0]?.events[0]?.attributes["switchyard.out"], ["a: region"])
      assert.deepStrictEqual(spans[0]?.events[0]?.attributes["switchyard.candidates"], ["b"])
    })
  )

  it.scoped("a lost race for a limit is told", () =>
    Effect.gen(function* () {
      const { complete, spans, stub } = yield* setup()
      stub.reply(({ index }) => (index === 0 ? { fail: { reason: "Rejected", description: "rpm" } } : { usage }))
      yield* complete(chat())
      assert.deepStrictEqual(told(spans[0]), ["switchyard.selection", "switchyard.rejected", "switchyard.selection"])
    })
  )

  it.scoped("a call that a local limit turns away has no span", () =>
    Effect.gen(function* () {
      const { complete, spans } = yield* setup({ deployments: [deployment("a", { rpm: 1 })], retry: false })
      yield* complete(chat())
      yield* complete(chat())
      assert.deepStrictEqual(outcomes(spans), [
        ["chat m", "a", "ok"],
        ["chat gpt-4o", "a", "ok"],
        ["chat m", undefined, "error"]
      ])
      assert.deepStrictEqual(told(spans[2]), ["switchyard.no_deployment"])
      assert.strictEqual(spans[2]?.attributes["error.type"], "NoDeployment")
    })
  )

  it.scoped("a stream's spans end when it has settled, with its facts and the time to its first token", () =>
    Effect.gen(function* () {
      const { service, spans, stub, traced } = yield* setup()
      stub.reply({ chunks: ["one ", "two"], firstToken: 30, gap: 50, usage })
      const fiber = yield* Effect.fork(traced(Stream.runDrain(LlmService.stream(service, chat({ stream: true })))))
      yield* TestClock.adjust(40)
      assert.deepStrictEqual(spans.map(endOf), ["open", "open"])
      yield* TestClock.adjust(100)
      yield* Fiber.join(fiber)
      for (const { attributes, endedAt = 0, ends, startedAt } of spans) {
        assert.deepStrictEqual([endedAt - startedAt, ends], [80, 1])
        assert.strictEqual(attributes["switchyard.time_to_first_token_ms"], 30)
        assert.deepStrictEqual(attributes["gen_ai.response.finish_reasons"], ["stop"])
        assert.strictEqual(attributes["gen_ai.response.id"], "chatcmpl-stub")
        assert.strictEqual(attributes["gen_ai.response.model"], "m")
        assert.strictEqual(attributes["gen_ai.usage.output_tokens"], 10)
      }
    })
  )

  it.scoped("a stream that is taken up again elsewhere has all its attempts under one request", () =>
    Effect.gen(function* () {
      const { read, spans, stub } = yield* setup({ tracing: { captureContent: true } })
      stub.reply(({ index }) => ({
        chunks: ["one ", "two ", "three"],
        gap: 10,
        usage,
        ...(index === 0 ? { failAfter: 1, fail: { reason: "Unavailable", description: "cut" } } : {})
      }))
      yield* joined(read(chat({ stream: true })))
      const [request, first, second] = spans
      assert.deepStrictEqual(outcomes(spans), [
        ["chat m", "b", "ok"],
        ["chat gpt-4o", "a", "error"],
        ["chat gpt-4o", "b", "ok"]
      ])
      assert.deepStrictEqual([first?.parent, second?.parent], [request?.spanId, request?.spanId])
      assert.deepStrictEqual(told(request), ["switchyard.selection", "switchyard.restart", "switchyard.selection"])
      assert.strictEqual(first?.attributes["error.type"], "StreamInterrupted")
    })
  )

  it.scoped("a caller that leaves ends both spans as abandoned, in a plain call and in a stream", () =>
    Effect.gen(function* () {
      const { complete, service, spans, stub, traced } = yield* setup()
      stub.reply({ hang: true })
      const fiber = yield* Effect.fork(complete(chat()))
      yield* TestClock.adjust(1)
      yield* Fiber.interrupt(fiber)
      stub.reply({ chunks: ["one ", "two "], gap: 1000 })
      const stream = LlmService.stream(service, chat({ stream: true })).pipe(Stream.take(1), Stream.runDrain)
      yield* joined(traced(Effect.orDie(stream)))
      assert.strictEqual(spans.length, 4)
      for (const span of spans) {
        assert.deepStrictEqual(
          [endOf(span), span.ends, span.attributes["switchyard.outcome"], span.attributes["error.type"]],
          ["interrupted", 1, "abandoned", undefined]
        )
      }
    })
  )

  it.scoped(
    "an answer from the cache has a span without attempts; where a request comes from is no part of its key",
    () =>
      Effect.gen(function* () {
        const { complete, spans } = yield* setup({ cache: {} })
        const trace = TraceContext.fromHeaders({ traceparent: `00-${"a".repeat(32)}-${"b".repeat(16)}-01` })
        yield* complete(chat())
        yield* complete(chat({}, trace === undefined ? {} : { trace }))
        assert.deepStrictEqual(
          spans.map(({ attributes, name }) => [name, attributes["switchyard.cache"]]),
          [
            ["chat m", "miss"],
            ["chat gpt-4o", undefined],
            ["chat m", "hit"]
          ]
        )
      })
  )
})

describe("the parent of a request's span", () => {
  const traceparent = `00-${"a".repeat(32)}-${"b".repeat(16)}-`
  const incoming = (flags: string, tracestate?: string) => {
    const trace = TraceContext.fromHeaders({ traceparent: traceparent + flags, tracestate })
    return trace === undefined ? {} : { trace }
  }

  it.scoped("is what the request brings, and the trace's state goes along to the attempt", () =>
    Effect.gen(function* () {
      const { complete, spans, stub } = yield* setup({ tracing: { requestKind: "server" } })
      yield* complete(chat({}, incoming("01", "vendor=1")))
      assert.deepStrictEqual(
        spans.map(({ kind, parent, traceId }) => [kind, traceId, parent]),
        [
          ["server", "a".repeat(32), "b".repeat(16)],
          ["client", "a".repeat(32), spans[0]?.spanId]
        ]
      )
      assert.strictEqual(stub.calls[0]?.request.trace?.state, "vendor=1")
    })
  )

  it.scoped("is else the span that the caller is in", () =>
    Effect.gen(function* () {
      const { complete, spans } = yield* setup()
      const { tracer } = memoryTracer()
      yield* complete(chat()).pipe(Effect.withSpan("app"), Effect.withTracer(tracer))
      assert.strictEqual(spans[0]?.parent, "0000000000000001")
    })
  )

  it.scoped("a trace that is not sampled is told nothing, and has no spans of attempts; it goes on all the same", () =>
    Effect.gen(function* () {
      const { complete, spans, stub } = yield* setup()
      yield* complete(chat({}, incoming("00")))
      assert.deepStrictEqual(
        spans.map(({ attributes, events, name }) => [name, attributes, events]),
        [["chat m", {}, []]]
      )
      const trace = stub.calls[0]?.request.trace
      assert.deepStrictEqual(
        [trace?.span.traceId, trace?.span.spanId, trace?.span.sampled],
        ["a".repeat(32), spans[0]?.spanId, false]
      )
    })
  )

  it.scoped("a service that was given is told the attempt's span, to hang its own under it", () =>
    Effect.gen(function* () {
      const { spans, tracer } = memoryTracer()
      const stub = StubLlm.make()
      const inner = Service.request((request) =>
        Effect.withSpan(
          stub.requests.call(request),
          "inner",
          request.trace === undefined ? {} : { parent: request.trace.span }
        )
      )
      const entries = [{ deployment: { id: "a", model: "x" }, service: inner }]
      const { service } = yield* Router.fromServices(entries, { tracing: {} })
      yield* LlmService.complete(service, chat({ model: "default" })).pipe(Effect.withTracer(tracer))
      assert.deepStrictEqual(
        spans.map(({ name, parent }) => [name, parent]),
        [
          ["chat default", undefined],
          ["chat x", spans[0]?.spanId],
          ["inner", spans[1]?.spanId]
        ]
      )
    })
  )
})

describe("what spans hold", () => {
  const texts = (spans: ReadonlyArray<Kept>) =>
    JSON.stringify(spans.map((span) => [span, Exit.isExit(span.exit) ? String(span.exit) : ""]))

  it.scoped("no prompt, no answer, no word of the provider's and no credential, unless asked for", () =>
    Effect.gen(function* () {
      const { complete, read, spans, stub } = yield* setup()
      stub.reply({ text: "an answer" })
      yield* complete(chat())
      yield* read(chat({ stream: true }))
      stub.reply(fail("Unavailable"))
      yield* joined(complete(chat()))
      assert.isAbove(spans.length, 6)
      assert.notMatch(texts(spans), /wish|answer"|hunter2|you said/)
    })
  )

  it.scoped("prompt and answer where they are asked for, on the request's span, and no credential", () =>
    Effect.gen(function* () {
      const { complete, read, spans, stub } = yield* setup({ tracing: { captureContent: true } })
      stub.reply({ text: "an answer in words" })
      yield* complete(chat())
      yield* joined(read(chat({ stream: true })))
      const [whole, attempt, streamed] = spans
      const input = [{ role: "user", parts: [{ type: "text", content: "a secret wish" }] }]
      const output = [{ role: "assistant", parts: [{ type: "text", content: "an answer in words" }] }]
      for (const span of [whole, streamed]) {
        assert.strictEqual(span?.attributes["gen_ai.input.messages"], JSON.stringify(input))
        assert.strictEqual(span?.attributes["gen_ai.output.messages"], JSON.stringify(output))
      }
      assert.strictEqual(attempt?.attributes["gen_ai.input.messages"], undefined)
      assert.notMatch(texts(spans), /hunter2/)
    })
  )

  it.scoped("long contents are cut, and media are named and not held", () =>
    Effect.gen(function* () {
      const { read, spans, stub } = yield* setup({ tracing: { captureContent: true, maxContentLength: 10 } })
      stub.reply({ chunks: ["12345", "67890", "more"] })
      const image = { type: "image_url", image_url: { url: "data:image/png;base64,AAAA" } }
      const content = [image, { type: "text", text: "abcdefghijklmnop" }, { type: "text", text: "more" }]
      yield* read(
        chat({
          stream: true,
          messages: [
            { role: "user", content },
            { role: "user", content: "more" }
          ]
        })
      )
      assert.deepStrictEqual(JSON.parse(String(spans[0]?.attributes["gen_ai.input.messages"])), [
        { role: "user", parts: [{ type: "image_url" }, { type: "text", content: "abcdefghij…" }] }
      ])
      assert.deepStrictEqual(JSON.parse(String(spans[0]?.attributes["gen_ai.output.messages"])), [
        { role: "assistant", parts: [{ type: "text", content: "1234567890" }] }
      ])
    })
  )

  it.scoped("a model name from outside is bounded", () =>
    Effect.gen(function* () {
      const { complete, spans } = yield* setup()
      yield* complete(chat({ model: "x".repeat(10_000) }))
      assert.strictEqual(spans[0]?.name.length, "chat ".length + 201)
      assert.isBelow(texts(spans).length, 2000)
    })
  )
})

describe("tracing", () => {
  const untouchable = () => {
    let touched = 0
    const tracer = Tracer.make({
      span: () => {
        touched++
        throw new Error("a broken tracer")
      },
      context: (f) => f()
    })
    return { tracer, touched: () => touched }
  }

  it.scoped("that is left out touches no tracer", () =>
    Effect.gen(function* () {
      for (const tracing of [undefined, false] as const) {
        const stub = StubLlm.make()
        const deployments = [deployment("a"), deployment("b")]
        const options = { deployments, retry: { baseDelay: 1 }, ...(tracing === undefined ? {} : { tracing }) }
        const { service } = yield* Router.make(options, stub.attempts)
        const { touched, tracer } = untouchable()
        yield* LlmService.complete(service, chat()).pipe(Effect.withTracer(tracer))
        yield* LlmService.stream(service, chat({ stream: true })).pipe(Stream.runDrain, Effect.withTracer(tracer))
        assert.strictEqual(touched(), 0)
        assert.strictEqual(stub.calls[0]?.request.trace, undefined)
      }
    })
  )

  it.scoped("that is on where the app has tracing disabled touches no tracer", () =>
    Effect.gen(function* () {
      const { service } = yield* setup()
      const { touched, tracer } = untouchable()
      yield* LlmService.complete(service, chat()).pipe(Effect.withTracer(tracer), Effect.withTracerEnabled(false))
      assert.strictEqual(touched(), 0)
    })
  )

  it.scoped("by a tracer that breaks does not hurt a request", () =>
    Effect.gen(function* () {
      const { service } = yield* setup()
      const { touched, tracer } = untouchable()
      const answer = yield* LlmService.complete(service, chat()).pipe(Effect.withTracer(tracer))
      assert.strictEqual(answer._tag, "Complete")
      assert.strictEqual(touched(), 2)
      const kept = memoryTracer()
      const breaking = Tracer.make({
        ...kept.tracer,
        span: (...given) => ({
          ...kept.tracer.span(...given),
          sampled: true,
          attribute: () => {
            throw new Error("no attributes")
          },
          event: () => {
            throw new Error("no events")
          },
          end: () => {
            throw new Error("no end")
          }
        })
      })
      yield* LlmService.stream(service, chat({ stream: true })).pipe(Stream.runDrain, Effect.withTracer(breaking))
    })
  )

  it("under random faults begins and ends one span for each attempt and each request, in its place", () => {
    forSeeds(100, (dice: Dice) => {
      const time = new VirtualTime(dice.int(20, 400))
      const { spans, tracer } = memoryTracer()
      const stub = StubLlm.make(() => ({
        usage,
        delay: dice.int(0, 200),
        chunks: ["a ", "b ", "c"],
        gap: dice.int(0, 30),
        ...(dice.chance(0.4)
          ? {
              fail: { reason: dice.pick(["Unavailable", "RateLimited"]), description: "down" },
              ...(dice.chance(0.5) ? { failAfter: dice.int(0, 3) } : {})
            }
          : {})
      }))
      const options: Router.Options = {
        deployments: [deployment("a"), deployment("b", { rpm: 3 }), deployment("z", { group: "spare" })],
        hedge: { delay: 50 },
        retry: { baseDelay: 1 },
        fallback: { chains: { general: { m: ["spare"] } } },
        metrics: false,
        tracing: {}
      }
      const built = time.fork(Effect.scoped(Router.make(options, stub.attempts)))
      time.flush()
      const tower = Effect.runSync(Effect.flatten(Effect.map(built.poll, Effect.flatten)))
      const journals: Array<LlmRequest.LlmRequest["route"]["journal"]> = []
      const service = Service.request((request) => {
        journals.push(request.route.journal)
        return tower.service.call(request)
      })
      for (let i = 0; i < 4; i++) {
        const call = dice.chance(0.5)
          ? LlmService.complete(service, chat())
          : Stream.runDrain(LlmService.stream(service, chat({ stream: true })))
        const fiber = time.fork(Effect.withTracer(Effect.asVoid(Effect.ignore(call)), tracer))
        time.advance(time.now + dice.int(0, 300))
        if (dice.chance(0.3)) time.interrupt(fiber)
      }
      time.advance(time.now + 600_000)
      const roots = spans.filter(({ kind }) => kind === "internal")
      assert.strictEqual(roots.length, journals.length)
      for (const [index, root] of roots.entries()) {
        const attempts = spans.filter(({ parent }) => parent === root.spanId)
        const sent = journals[index]?.entries.filter(({ rejected }) => !rejected) ?? []
        assert.deepStrictEqual(
          attempts.map(({ attributes }) => attributes["switchyard.deployment"]),
          sent.map((entry) => entry.deployment)
        )
        assert.isAtMost(
          Math.max(0, ...attempts.map(({ endedAt = Number.POSITIVE_INFINITY }) => endedAt)),
          root.endedAt ?? 0
        )
      }
      for (const span of spans) assert.strictEqual(span.ends, 1)
      assert.strictEqual(
        spans.length,
        roots.length + journals.flatMap(({ entries }) => entries.filter((e) => !e.rejected)).length
      )
    })
  })
})
