import { assert, describe, it } from "@effect/vitest"
import type { ConfigError } from "@switchyard/core/ConfigError"
import { EventStream } from "@switchyard/core/EventStream"
import type { LlmError, LlmErrorFields } from "@switchyard/core/LlmError"
import * as LlmRequest from "@switchyard/core/LlmRequest"
import * as LlmService from "@switchyard/core/LlmService"
import * as Service from "@switchyard/core/Service"
import { estimate, zero } from "@switchyard/core/Usage"
import * as Cache from "@switchyard/router/Cache"
import * as CacheStore from "@switchyard/router/CacheStore"
import * as Contract from "@switchyard/testing/Contract"
import * as StubLlm from "@switchyard/testing/StubLlm"
import { Chunk, Effect, Either, Layer, Stream, TestClock } from "effect"

const layerWith = (options: Cache.Options) =>
  Effect.map(Effect.scope, (scope) => Cache.make({ store: CacheStore.make(), scope }, options))

describe("contract, with nothing kept", () => {
  for (const { check, name } of Contract.requestLayer(layerWith({ ttl: 0 }))) it.effect(name, () => check)
})

describe("contract, with answers kept", () => {
  for (const { check, name } of Contract.requestLayer(layerWith({}), { mayAnswerItself: true })) {
    it.effect(name, () => check)
  }
})

const setup = (reply: StubLlm.Reply | ((call: StubLlm.StubCall) => StubLlm.Reply) = {}, options: Cache.Options = {}) =>
  Effect.map(Effect.scope, (scope) => {
    const stub = StubLlm.make(reply)
    const store = CacheStore.make()
    return { stub, store, service: Cache.make({ store, scope }, options)(stub.requests) }
  })

const chat = (options: LlmRequest.RequestOptions = {}, body: object = {}) =>
  LlmRequest.chat({ model: "m", messages: [{ role: "user", content: "Hi" }], ...body }, options)

const cached = (cache: LlmRequest.CacheControl, body: object = {}) => chat({ overrides: { cache } }, body)

const counting = ({ index }: StubLlm.StubCall): StubLlm.Reply => ({ text: `answer ${index}` })

const failing = (fields: LlmErrorFields): StubLlm.Reply => ({ fail: fields })

const invalid: LlmErrorFields = {
  reason: "InvalidRequest",
  description: "the provider refused",
  status: 400,
  code: "bad_value",
  providerMessage: "temperature is too high"
}

const raw = (service: Service.RequestService, request: LlmRequest.LlmRequest) =>
  Effect.map(LlmService.complete(service, request), (answer) => answer.raw)

const events = (service: Service.RequestService, request: LlmRequest.LlmRequest) =>
  Effect.map(Stream.runCollect(LlmService.stream(service, request)), (all) =>
    Chunk.toReadonlyArray(all).map((event) => event.data)
  )

const failure = (service: Service.RequestService, request: LlmRequest.LlmRequest): Effect.Effect<LlmError> =>
  Effect.orDie(Effect.flip(LlmService.complete(service, request)))

describe("hits", () => {
  it.scoped("an equal request is answered from the store, and says so", () =>
    Effect.gen(function* () {
      const { service, stub } = yield* setup({ usage: estimate(100, 50) })
      const first = yield* LlmService.complete(service, chat())
      const second = yield* LlmService.complete(service, chat())
      assert.strictEqual(stub.calls.length, 1)
      assert.deepStrictEqual(second.body, first.body)
      assert.strictEqual(second.raw, first.raw)
      assert.strictEqual(first.journal.report().cache, "miss")
      assert.strictEqual(second.journal.report().cache, "hit")
    })
  )
  it.scoped("a hit has no attempt, counts no tokens and no cost, and keeps the answer's own usage", () =>
    Effect.gen(function* () {
      const { service } = yield* setup({ usage: estimate(100, 50) })
      const first = yield* LlmService.complete(service, chat())
      const hit = yield* LlmService.complete(service, chat())
      const { attempts, cost, usage } = hit.journal.report()
      assert.deepStrictEqual({ attempts, cost, usage }, { attempts: [], cost: undefined, usage: undefined })
      assert.deepStrictEqual(hit.outcome.usage, zero)
      assert.deepStrictEqual(hit.body.usage, first.body.usage)
      assert.strictEqual(first.journal.report().attempts.length, 1)
      assert.strictEqual(first.journal.report().usage?.outputTokens, 50)
    })
  )
  it.scoped("who changes an answer changes nobody else's", () =>
    Effect.gen(function* () {
      const { service } = yield* setup()
      yield* LlmService.complete(service, chat())
      const spoilt = yield* LlmService.complete(service, chat())
      Object.assign(spoilt.body, { choices: [] })
      const next = yield* LlmService.complete(service, chat())
      assert.deepStrictEqual(next.body, JSON.parse(next.raw))
    })
  )
  it.scoped("of the headers only the content type is replayed: no ids, limits or cookies of another exchange", () =>
    Effect.gen(function* () {
      const headers = { "content-type": "application/json", "set-cookie": "a=b", "x-ratelimit-remaining-requests": "9" }
      const { service } = yield* setup({ headers })
      assert.deepStrictEqual((yield* LlmService.complete(service, chat())).headers, headers)
      const hit = yield* LlmService.complete(service, chat())
      assert.deepStrictEqual(hit.headers, { "content-type": "application/json" })
    })
  )
  it.scoped("embeddings are cached like everything else", () =>
    Effect.gen(function* () {
      const { service, stub } = yield* setup()
      const embed = (input: string) => LlmRequest.embeddings({ model: "m", input })
      yield* raw(service, embed("a"))
      yield* raw(service, embed("a"))
      yield* raw(service, embed("b"))
      assert.strictEqual(stub.calls.length, 2)
    })
  )
  it.scoped("an entry that cannot be read is no hit", () =>
    Effect.gen(function* () {
      const { service, stub, store } = yield* setup()
      const torn: Service.RequestService = Cache.make({
        store: { ...store, get: () => Effect.succeed({ _tag: "Complete", status: 200, headers: {}, raw: '{"a":' }) },
        scope: yield* Effect.scope
      })(stub.requests)
      yield* raw(torn, chat())
      const answer = yield* LlmService.complete(torn, chat())
      assert.strictEqual(stub.calls.length, 2)
      assert.strictEqual(answer.journal.report().cache, "miss")
      yield* raw(service, chat())
    })
  )
})

describe("what the key is made of", () => {
  it.scoped("the order of fields and tags, stream options and per-call headers make no other request", () =>
    Effect.gen(function* () {
      const { service, stub } = yield* setup()
      const first = LlmRequest.chat(
        { model: "m", temperature: 0, messages: [{ role: "user", content: "Hi", name: "u" }] },
        { tags: ["a", "b"], overrides: { headers: { "Idempotency-Key": "1", "X-Org": "o" } } }
      )
      const second = LlmRequest.chat(
        {
          messages: [{ name: "u", content: "Hi", role: "user" }],
          stream_options: { include_usage: true },
          top_p: undefined,
          temperature: 0,
          model: "m"
        },
        { tags: ["b", "a"], overrides: { headers: { "x-org": "o", "idempotency-key": "2", "x-request-id": "7" } } }
      )
      yield* raw(service, first)
      yield* raw(service, second)
      assert.strictEqual(stub.calls.length, 1)
    })
  )

  const base = chat({ caller: "alice" })
  const others: ReadonlyArray<readonly [what: string, request: LlmRequest.LlmRequest]> = [
    ["the model", chat({ caller: "alice" }, { model: "other" })],
    ["the operation", LlmRequest.completion({ ...base.body, model: "m", prompt: "Hi" }, { caller: "alice" })],
    ["a message", chat({ caller: "alice" }, { messages: [{ role: "user", content: "Hi " }] })],
    ["the order of messages", chat({ caller: "alice" }, { messages: [{ role: "system", content: "Hi" }] })],
    ["temperature", chat({ caller: "alice" }, { temperature: 0 })],
    ["n", chat({ caller: "alice" }, { n: 2 })],
    ["an unknown field", chat({ caller: "alice" }, { vendor_option: { a: [1, null] } })],
    ["a field that is null", chat({ caller: "alice" }, { temperature: null })],
    ["a tag", chat({ caller: "alice", tags: ["paid"] })],
    ["a demand", chat({ caller: "alice", demands: { region: "eu" } })],
    ["the caller", chat({ caller: "bob" })],
    ["no caller", chat()],
    ["fallbacks", chat({ caller: "alice", overrides: { fallbacks: ["other"] } })],
    ["no fallbacks", chat({ caller: "alice", overrides: { disableFallbacks: true } })],
    ["a credential", chat({ caller: "alice", overrides: { headers: { authorization: "Bearer own" } } })],
    ["dropping what a model refuses", chat({ caller: "alice", overrides: { dropParams: true } })],
    ["naming what to leave out", chat({ caller: "alice", overrides: { additionalDropParams: ["user"] } })]
  ]
  for (const [what, request] of others) {
    it.scoped(`${what} makes another request`, () =>
      Effect.gen(function* () {
        const { service, stub } = yield* setup(counting)
        yield* raw(service, base)
        yield* raw(service, request)
        yield* raw(service, request)
        assert.strictEqual(stub.calls.length, 2)
      })
    )
  }
  it.scoped("a stream and a whole answer are not each other's", () =>
    Effect.gen(function* () {
      const { service, stub } = yield* setup()
      yield* raw(service, chat())
      yield* events(service, chat())
      assert.strictEqual(stub.calls.length, 2)
    })
  )
  it.scoped("a text that looks like another key's structure is not taken for it", () =>
    Effect.gen(function* () {
      const { service, stub } = yield* setup(counting)
      yield* raw(service, chat({ tags: ["a", "b"] }))
      yield* raw(service, chat({ tags: ['a","b'] }))
      yield* raw(service, chat({ caller: "null" }))
      yield* raw(service, chat())
      assert.strictEqual(stub.calls.length, 4)
    })
  )
  it.scoped("callers share by option only", () =>
    Effect.gen(function* () {
      const { service, stub } = yield* setup(counting, { shared: true })
      yield* raw(service, chat({ caller: "alice" }))
      yield* raw(service, chat({ caller: "bob" }))
      yield* raw(service, chat())
      assert.strictEqual(stub.calls.length, 1)
    })
  )
  it.scoped("a payload that is no JSON, or nested a thousand deep, goes past the cache", () =>
    Effect.gen(function* () {
      const { service, stub } = yield* setup(counting)
      let deep: unknown = "end"
      for (let i = 0; i < 1000; i++) deep = [deep]
      for (const odd of [{ seed: 1n }, { deep }]) {
        yield* raw(service, chat({}, odd))
        const answer = yield* LlmService.complete(service, chat({}, odd))
        assert.isUndefined(answer.journal.report().cache)
      }
      assert.strictEqual(stub.calls.length, 4)
    })
  )
})

describe("how long, and how much", () => {
  it.scoped("an answer is kept for the ttl and not a millisecond longer", () =>
    Effect.gen(function* () {
      const { service, stub } = yield* setup(counting, { ttl: "10 seconds" })
      yield* raw(service, chat())
      yield* TestClock.adjust(9_999)
      yield* raw(service, chat())
      assert.strictEqual(stub.calls.length, 1)
      yield* TestClock.adjust(1)
      yield* raw(service, chat())
      assert.strictEqual(stub.calls.length, 2)
    })
  )
  it.scoped("the ttl is five minutes when nobody says otherwise", () =>
    Effect.gen(function* () {
      const { service, stub } = yield* setup()
      yield* raw(service, chat())
      yield* TestClock.adjust("299 seconds")
      yield* raw(service, chat())
      assert.strictEqual(stub.calls.length, 1)
      yield* TestClock.adjust("1 second")
      yield* raw(service, chat())
      assert.strictEqual(stub.calls.length, 2)
    })
  )
  it.scoped("a request's own ttl beats the layer's; 0 keeps nothing", () =>
    Effect.gen(function* () {
      const { service, stub } = yield* setup(counting)
      yield* raw(service, cached({ ttl: 0 }))
      yield* raw(service, cached({ ttl: 1_000 }))
      assert.strictEqual(stub.calls.length, 2)
      yield* TestClock.adjust(999)
      yield* raw(service, chat())
      assert.strictEqual(stub.calls.length, 2)
      yield* TestClock.adjust(1)
      yield* raw(service, chat())
      assert.strictEqual(stub.calls.length, 3)
    })
  )
  it.scoped("a ttl of 0 keeps nothing", () =>
    Effect.gen(function* () {
      const { service, stub } = yield* setup({}, { ttl: 0 })
      yield* raw(service, chat())
      yield* raw(service, chat())
      assert.strictEqual(stub.calls.length, 2)
    })
  )
  it.scoped("noCache asks anew, and what comes is stored", () =>
    Effect.gen(function* () {
      const { service, stub } = yield* setup(counting)
      yield* raw(service, chat())
      const fresh = yield* LlmService.complete(service, cached({ noCache: true }))
      assert.strictEqual(stub.calls.length, 2)
      assert.strictEqual(fresh.journal.report().cache, "miss")
      assert.strictEqual(yield* raw(service, chat()), fresh.raw)
      assert.strictEqual(stub.calls.length, 2)
    })
  )
  it.scoped("noStore takes a stored answer, and leaves none", () =>
    Effect.gen(function* () {
      const { service, stub } = yield* setup(counting)
      const first = yield* LlmService.complete(service, cached({ noStore: true }))
      assert.strictEqual(first.journal.report().cache, "miss")
      yield* raw(service, chat())
      assert.strictEqual(stub.calls.length, 2)
      const hit = yield* LlmService.complete(service, cached({ noStore: true }))
      assert.strictEqual(hit.journal.report().cache, "hit")
      assert.strictEqual(stub.calls.length, 2)
    })
  )
  it.scoped("with noCache and noStore there is no cache", () =>
    Effect.gen(function* () {
      const { service, stub } = yield* setup(counting)
      yield* raw(service, chat())
      const answer = yield* LlmService.complete(service, cached({ noCache: true, noStore: true }))
      assert.isUndefined(answer.journal.report().cache)
      const { raw: kept } = yield* LlmService.complete(service, chat())
      assert.notStrictEqual(kept, answer.raw)
      assert.strictEqual(stub.calls.length, 2)
    })
  )
  it.scoped("an answer that is larger than an entry may be is passed on and not kept", () =>
    Effect.gen(function* () {
      const { service, stub } = yield* setup({ text: "x".repeat(2_000) }, { maxEntryBytes: 2_000 })
      yield* raw(service, chat())
      yield* raw(service, chat())
      assert.strictEqual(stub.calls.length, 2)
      stub.reply({ text: "x".repeat(500) })
      yield* raw(service, chat())
      yield* raw(service, chat())
      assert.strictEqual(stub.calls.length, 3)
    })
  )
})

describe("errors", () => {
  it.scoped("no error is kept unless the option says so", () =>
    Effect.gen(function* () {
      const { service, stub } = yield* setup(failing(invalid))
      yield* failure(service, chat())
      yield* failure(service, chat())
      assert.strictEqual(stub.calls.length, 2)
    })
  )
  for (const reason of ["InvalidRequest", "ContextWindowExceeded", "ContentPolicyViolation"] as const) {
    it.scoped(`with negativeTtl ${reason} is kept for that long, and replayed as the same typed error`, () =>
      Effect.gen(function* () {
        const { service, stub } = yield* setup(failing({ ...invalid, reason }), { negativeTtl: "5 seconds" })
        const first = yield* failure(service, chat())
        const request = chat()
        const second = yield* failure(service, request)
        assert.strictEqual(stub.calls.length, 1)
        assert.deepStrictEqual({ ...second.data, attempts: [] }, { ...first.data, attempts: [] })
        assert.strictEqual(second.httpStatus, 400)
        assert.deepStrictEqual(second.attempts, [])
        assert.strictEqual(first.attempts?.length, 1)
        yield* TestClock.adjust("5 seconds")
        yield* failure(service, chat())
        assert.strictEqual(stub.calls.length, 2)
      })
    )
  }
  for (const reason of ["Unavailable", "RateLimited", "Timeout", "NoDeployment", "UnknownModel"] as const) {
    it.scoped(`${reason} passes by itself, and is never kept`, () =>
      Effect.gen(function* () {
        const { service, stub } = yield* setup(failing({ reason, description: "for now" }), { negativeTtl: "1 hour" })
        yield* failure(service, chat())
        stub.reply({})
        yield* raw(service, chat())
        assert.strictEqual(stub.calls.length, 2)
      })
    )
  }
  it.scoped("a request's own ttl shortens negativeTtl and never lengthens it", () =>
    Effect.gen(function* () {
      const { service, stub } = yield* setup(failing(invalid), { negativeTtl: "5 seconds" })
      yield* failure(service, cached({ ttl: 0 }))
      yield* failure(service, cached({ ttl: 3_600_000 }))
      assert.strictEqual(stub.calls.length, 2)
      yield* TestClock.adjust("5 seconds")
      yield* failure(service, chat())
      assert.strictEqual(stub.calls.length, 3)
    })
  )
})

describe("streams", () => {
  const text = "one two three four"

  it.scoped("a stream is stored whole and replayed as a stream, event by event", () =>
    Effect.gen(function* () {
      const { service, stub } = yield* setup({ text, usage: estimate(100, 50) })
      const first = yield* events(service, chat())
      const second = yield* events(service, chat())
      assert.strictEqual(stub.calls.length, 1)
      assert.deepStrictEqual(second, first)
      assert.isAbove(first.length, 4)
    })
  )
  it.scoped("a replayed stream counts no tokens and shows its content at once", () =>
    Effect.gen(function* () {
      const { service } = yield* setup({ text, usage: estimate(100, 50) })
      yield* events(service, chat())
      const hit = yield* LlmService.open(service, { ...chat(), stream: true })
      if (hit._tag === "Complete") return assert.fail("no stream")
      assert.isTrue(hit.events.settlement.hasContent)
      assert.deepStrictEqual(hit.events.settlement.outcome, {
        _tag: "Completed",
        usage: zero,
        timeToFirstToken: 0,
        duration: 0
      })
      assert.strictEqual(hit.journal.report().cache, "hit")
      assert.deepStrictEqual(hit.journal.report().attempts, [])
    })
  )
  it.scoped("a stream that its caller left, that broke, or that said no finish is not stored", () =>
    Effect.gen(function* () {
      const { service, stub } = yield* setup({ text, stallAfter: 2 })
      yield* Stream.runDrain(Stream.take(LlmService.stream(service, chat()), 1))
      stub.reply({ text, failAfter: 2, fail: { reason: "Unavailable", description: "reset" } })
      const broken = yield* Effect.flip(events(service, chat()))
      assert.strictEqual(broken.reason, "StreamInterrupted")
      stub.reply({ text, finishReason: null })
      yield* Effect.flip(events(service, chat()))
      stub.reply({ text })
      yield* events(service, chat())
      assert.strictEqual(stub.calls.length, 4)
      yield* events(service, chat())
      assert.strictEqual(stub.calls.length, 4)
    })
  )
  it.scoped("a stream with an event that had to be skipped is not stored", () =>
    Effect.gen(function* () {
      const scope = yield* Effect.scope
      let calls = 0
      const base = Service.request((request) =>
        Effect.clockWith((clock) => {
          calls++
          const upstream = new EventStream({ clock, startedAt: 0, estimateInputTokens: () => 1, onMalformed: "skip" })
          const json = { choices: [{ index: 0, delta: { content: "Hi" }, finish_reason: "stop" }] }
          upstream.push({ data: JSON.stringify(json), json })
          upstream.malformed("not json")
          upstream.end()
          const { journal } = request.route
          return Effect.succeed({ _tag: "Streaming", status: 200, headers: {}, events: upstream, journal })
        })
      )
      const service = Cache.make({ store: CacheStore.make(), scope })(base)
      const first = yield* LlmService.open(service, { ...chat(), stream: true })
      assert.strictEqual(first._tag === "Streaming" ? first.events.skipped : -1, 1)
      yield* events(service, chat())
      assert.strictEqual(calls, 2)
    })
  )
  it.scoped("a stream longer than an entry may be is passed on whole and not kept", () =>
    Effect.gen(function* () {
      const chunks = Array.from({ length: 300 }, (_, i) => `${i} `)
      const { service, stub } = yield* setup({ chunks }, { maxEntryBytes: 5_000 })
      const first = yield* events(service, chat())
      assert.strictEqual(first.length, 303)
      assert.deepStrictEqual(yield* events(service, chat()), first)
      assert.strictEqual(stub.calls.length, 2)
    })
  )
})

describe("the layer", () => {
  const base = (stub: StubLlm.StubLlm) => Layer.succeed(LlmService.LlmService, stub.requests)

  it.effect("wraps the service in the context, and keeps its entries in the store in the context", () =>
    Effect.gen(function* () {
      const stub = StubLlm.make()
      const Live = Cache.layerWith({ ttl: "1 minute" }).pipe(
        Layer.provide(base(stub)),
        Layer.provide(CacheStore.layerMemory)
      )
      yield* Effect.all([LlmService.LlmService.complete(chat()), LlmService.LlmService.complete(chat())]).pipe(
        Effect.provide(Live)
      )
      assert.strictEqual(stub.calls.length, 1)
    })
  )
  it.effect("says everything that is wrong with its options", () =>
    Effect.gen(function* () {
      const wrong = { ttl: -1, maxEntryBytes: 0, shared: "yes", negativeTtl: "soon" } as unknown as Cache.Options
      const built: Either.Either<unknown, ConfigError> = yield* Effect.either(
        Effect.scoped(
          Layer.build(
            Cache.layerWith(wrong).pipe(Layer.provide(base(StubLlm.make())), Layer.provide(CacheStore.layerMemory))
          )
        )
      )
      assert.deepStrictEqual(Either.isLeft(built) ? built.left.issues.map((found) => found.path).sort() : [], [
        "cache.maxEntryBytes",
        "cache.negativeTtl",
        "cache.shared",
        "cache.ttl"
      ])
    })
  )
})
