/**
 * A tower over requests in a dialect that has no field of OpenAI's: whatever its layers know of a request or an answer, they
 * have read through the dialect.
 */
import { assert, describe, it } from "@effect/vitest"
import type { JsonObject } from "@switchyard/core/Json"
import * as LlmRequest from "@switchyard/core/LlmRequest"
import * as LlmService from "@switchyard/core/LlmService"
import { openAi } from "@switchyard/core/OpenAi"
import * as Service from "@switchyard/core/Service"
import { closed, open } from "@switchyard/core/Status"
import * as Router from "@switchyard/router/Router"
import * as StubLlm from "@switchyard/testing/StubLlm"
import * as Tin from "@switchyard/testing/TinDialect"
import { Chunk, Effect, Exit, Fiber, Stream, TestClock } from "effect"
import { cacheKeys } from "../../src/cache/cacheKey.js"
import { estimateTokens } from "../../src/limits/estimateTokens.js"
import { likelyOutput } from "../../src/money/answerLengths.js"
import { memoryTracer } from "../support/memoryTracer.js"

const deployment = (id: string, more: object = {}) => ({ id, group: "m", model: "tin-1", ...more })

/** A tower of `a`, then `b`, over a stub. */
const setup = (
  options: Partial<Router.Options> = {},
  reply: StubLlm.Reply | ((call: StubLlm.StubCall) => StubLlm.Reply) = {},
  around: Service.AttemptLayer = (next) => next
) => {
  const stub = StubLlm.make(reply)
  const tower = Router.make(
    {
      deployments: [deployment("a", { order: 1 }), deployment("b", { order: 2 })],
      retry: { baseDelay: 1 },
      metrics: false,
      ...options
    },
    around(stub.attempts)
  )
  return Effect.map(tower, ({ service }) => ({
    service,
    stub,
    used: () => stub.calls.map((call) => call.deployment as string)
  }))
}

const eventsOf = (service: Service.RequestService, request: LlmRequest.LlmRequest) =>
  Effect.map(Stream.runCollect(LlmService.stream(service, request)), Chunk.toReadonlyArray)

const words = (events: ReadonlyArray<{ readonly json: JsonObject }>) =>
  events.map(({ json }) => (typeof json.words === "string" ? json.words : "")).join("")

/** With the clock running. */
const timed = <A, E>(effect: Effect.Effect<A, E>) =>
  Effect.flatMap(Effect.fork(effect), (fiber) => Effect.zipRight(TestClock.adjust("1 minute"), Fiber.join(fiber)))

describe("a request in another dialect", () => {
  it.effect.each([
    { needs: "tools", body: { gadgets: [{ name: "saw" }] } },
    { needs: "vision", body: { picture: "…" } },
    { needs: "json_schema", body: { shape: "json_schema" } }
  ])("goes to a deployment with the capability that it shows: $needs", ({ body, needs }) =>
    Effect.gen(function* () {
      const { service, used } = yield* setup({
        deployments: [
          deployment("a", { order: 1, capabilities: [] }),
          deployment("b", { order: 2, capabilities: [needs] })
        ]
      })
      yield* LlmService.complete(service, Tin.request())
      yield* LlmService.complete(service, Tin.request(body))
      assert.deepStrictEqual(used(), ["a", "b"])
    }).pipe(Effect.scoped)
  )

  it("is reckoned by its own prompt and its own bound", () => {
    const request = Tin.request({ lines: [{ says: "x".repeat(400) }], cap: 70, max_tokens: 5, messages: "no" })
    assert.deepStrictEqual([estimateTokens(request), LlmRequest.maxOutputTokens(request)], [170, 70])
    const slot = StubLlm.slot("a")
    assert.strictEqual(likelyOutput(Tin.request({ cap: 9_000, copies: 3 }), slot, "tin-1", 0), 27_000)
  })

  it.effect("is not sent where its prompt does not fit", () =>
    Effect.gen(function* () {
      const { service, used } = yield* setup({
        deployments: [deployment("a", { order: 1, contextWindow: 100 }), deployment("b", { order: 2 })]
      })
      yield* LlmService.complete(service, Tin.request({ lines: [{ by: "me", says: "x".repeat(4_000) }] }))
      assert.deepStrictEqual(used(), ["b"])
    }).pipe(Effect.scoped)
  )

  it.effect("is cached for its own dialect, whole and as events with their names", () =>
    Effect.gen(function* () {
      const body = { lines: [] }
      const keys = [openAi, Tin.dialect, { ...Tin.dialect, name: "pewter" }].map(
        (dialect) => cacheKeys(LlmRequest.of(dialect, "chat", body, { model: "m" }), false)?.answer
      )
      assert.strictEqual(new Set(keys).size, 3)
      const { service, stub } = yield* setup({ cache: {} }, { text: "one two" })
      const plain = yield* LlmService.complete(service, Tin.request())
      assert.strictEqual((yield* LlmService.complete(service, Tin.request())).raw, plain.raw)
      const streamed = yield* eventsOf(service, Tin.request())
      assert.deepStrictEqual(yield* eventsOf(service, Tin.request()), streamed)
      assert.deepStrictEqual(
        streamed.map(({ event }) => event),
        ["open", "words", "words", "close"]
      )
      assert.strictEqual(stub.calls.length, 2)
    }).pipe(Effect.scoped)
  )

  it.effect("keeps a conversation together by how it begins", () =>
    Effect.gen(function* () {
      const deployments = Array.from({ length: 8 }, (_, i) => deployment(`d${i}`))
      const { service, used } = yield* setup({ deployments, strategy: "sticky" })
      const begun = (says: string) => [
        { by: "boss", says: "Be kind." },
        { by: "me", says }
      ]
      for (let i = 0; i < 12; i++) {
        yield* LlmService.complete(service, Tin.request({ lines: [...begun("Hello"), { by: "me", says: `${i}` }] }))
      }
      assert.strictEqual(new Set(used()).size, 1)
      for (let i = 0; i < 12; i++) yield* LlmService.complete(service, Tin.request({ lines: begun(`Hello ${i}`) }))
      assert.isAbove(new Set(used()).size, 2)
    }).pipe(Effect.scoped)
  )

  it.effect("leads to a fallback whose overrides are in its words, also when a filter stopped the answer", () =>
    Effect.gen(function* () {
      const filtering: Service.AttemptLayer = (next) =>
        Service.attempt(
          (attempt) =>
            Effect.map(next.call(attempt), (response) =>
              response._tag === "Complete" && attempt.deployment === "a"
                ? { ...response, body: { ...response.body, ended: "filtered" } }
                : response
            ),
          next.status
        )
      const chain = { m: [{ model: "other", overrides: { cap: 5 } }] }
      const { service, stub, used } = yield* setup(
        {
          deployments: [deployment("a"), { id: "b", group: "other", model: "tin-2" }],
          fallback: { chains: { contentPolicy: chain, general: chain } }
        },
        {},
        filtering
      )
      const answer = yield* LlmService.complete(service, Tin.request({ cap: 900 }))
      assert.deepStrictEqual([used(), answer.body.ended, stub.calls[1]?.request.body.cap], [["a", "b"], "done", 5])
      assert.strictEqual(answer.journal.report().fallbackKind, "contentPolicy")
    }).pipe(Effect.scoped)
  )

  it.effect("goes on elsewhere when its stream dies, without a gap or a repetition", () =>
    Effect.gen(function* () {
      const { service, used } = yield* setup({ recovery: {} }, ({ index }) => ({
        text: "one two three",
        ...(index === 0 ? { fail: { reason: "Unavailable", description: "cut" }, failAfter: 2 } : {})
      }))
      const events = yield* timed(eventsOf(service, Tin.request()))
      assert.deepStrictEqual([words(events), used()], ["one two three", ["a", "b"]])
      assert.deepStrictEqual(
        events.map(({ event }) => event),
        ["open", "words", "words", "words", "close"]
      )
    }).pipe(Effect.scoped)
  )

  it.effect("is told of the cut when another answer comes, and where its dialect cannot take streams up again", () =>
    Effect.gen(function* () {
      const cut = { fail: { reason: "Unavailable", description: "cut" }, failAfter: 2 } as const
      const { delivered: _, ...answer } = Tin.dialect.answer
      const simple = { ...Tin.dialect, answer }
      const differing = yield* setup({}, ({ index }) => ({
        text: index === 0 ? "one two three" : "four",
        ...(index === 0 ? cut : {})
      }))
      const lone = yield* setup({}, { text: "one two three", ...cut })
      for (const [{ service }, request] of [
        [differing, Tin.request()],
        [lone, { ...Tin.request(), dialect: simple }]
      ] as const) {
        const error = yield* timed(Effect.flip(eventsOf(service, request)))
        assert.deepStrictEqual([error.reason, error.interruptedBy], ["StreamInterrupted", "Unavailable"])
      }
      assert.deepStrictEqual([differing.used(), lone.used()], [["a", "b"], ["a"]])
    }).pipe(Effect.scoped)
  )

  it.effect("is held back at its beginning", () =>
    Effect.gen(function* () {
      const { service, used } = yield* setup(
        { recovery: { policy: "holdback", holdback: { characters: 8 } } },
        ({ index }) =>
          index === 0
            ? { text: "no yes", fail: { reason: "Unavailable", description: "cut" }, failAfter: 1 }
            : { text: "another answer" }
      )
      const events = yield* timed(eventsOf(service, Tin.request()))
      assert.deepStrictEqual([words(events), used()], ["another answer", ["a", "b"]])
    }).pipe(Effect.scoped)
  )

  it.effect("gets a canned answer in its own shape", () =>
    Effect.gen(function* () {
      const { service, stub } = yield* setup({ faultInjection: true })
      const request = Tin.request({}, { overrides: { fault: { answer: "made up" } } })
      const { body, outcome } = yield* LlmService.complete(service, request)
      assert.deepInclude(body, { engine: "tin-1", words: "made up", ended: "done" })
      assert.isFalse(outcome.usage?.estimated)
      assert.strictEqual(words(yield* eventsOf(service, request)), "made up")
      assert.strictEqual(stub.calls.length, 0)
    }).pipe(Effect.scoped)
  )

  it.effect.each([false, true])("tells its spans what was asked and answered (live: %s)", (live) => {
    const kept = memoryTracer()
    return Effect.gen(function* () {
      const { service } = yield* setup({ tracing: { captureContent: true } }, { text: "a fine answer" })
      const request = Tin.request({ heat: 0.5, cap: 70, live })
      if (live) yield* eventsOf(service, request)
      else yield* LlmService.complete(service, request)
      const attributes = kept.spans[0]?.attributes ?? {}
      assert.deepInclude(attributes, {
        "switchyard.dialect": "tin",
        "gen_ai.request.temperature": 0.5,
        "gen_ai.request.max_tokens": 70,
        "gen_ai.response.model": "tin-1",
        "gen_ai.usage.output_tokens": live ? 4 : 5
      })
      assert.include(attributes["gen_ai.input.messages"] as string, '"content":"Hi"')
      assert.include(attributes["gen_ai.output.messages"] as string, '"content":"a fine answer"')
    }).pipe(Effect.scoped, Effect.withTracer(kept.tracer))
  })
})

describe("state that a request carries", () => {
  const account = (id: string, apiKey: string, more: object = {}) =>
    deployment(id, { provider: "p", baseUrl: "https://p.example.com", apiKey, ...more })
  const deployments = [
    account("a", "one", { order: 1 }),
    account("b", "two", { order: 2 }),
    account("c", "two", { order: 3 }),
    account("idle", "two", { order: 2, weight: 0 })
  ]
  const sealed = (by: string, seal: string) => ({ by, says: "…", seal })

  /** Answers are sealed with the name of their deployment; `a` is closed until `opened`. */
  const sealing = Effect.suspend(() => {
    const shut = new Set<string>(["a"])
    const around: Service.AttemptLayer = (next) =>
      Service.attempt(
        (attempt) =>
          Effect.map(next.call(attempt), (response) =>
            response._tag === "Complete"
              ? {
                  ...response,
                  body: { ...response.body, ref: `ref-${attempt.deployment}`, seals: [attempt.deployment] }
                }
              : response
          ),
        (slot) => (shut.has(slot.id) ? closed("maintenance", undefined, "operator") : open)
      )
    return Effect.map(setup({ deployments }, {}, around), (made) => ({ ...made, shut }))
  })

  it.effect("soft state prefers the account that issued it, and goes on elsewhere where that cannot take it", () =>
    Effect.gen(function* () {
      const { service, shut, stub, used } = yield* sealing
      yield* LlmService.complete(service, Tin.request())
      shut.clear()
      const again = Tin.request({ lines: [sealed("bot", "b")] })
      yield* LlmService.complete(service, again)
      shut.add("b")
      yield* LlmService.complete(service, again)
      shut.add("c")
      yield* LlmService.complete(service, again)
      assert.deepStrictEqual(used(), ["b", "b", "c", "a"])
      assert.deepStrictEqual([...(stub.calls[3]?.request.origins?.keys() ?? [])], ["b"])
    }).pipe(Effect.scoped)
  )

  it.effect("the newest of several decides, and what the chosen one cannot read is known", () =>
    Effect.gen(function* () {
      const { service, shut, used } = yield* sealing
      yield* LlmService.complete(service, Tin.request())
      shut.clear()
      yield* LlmService.complete(service, Tin.request())
      yield* LlmService.complete(service, Tin.request({ lines: [sealed("bot", "a"), sealed("bot", "b")] }))
      yield* LlmService.complete(service, Tin.request({ lines: [sealed("bot", "b"), sealed("bot", "a")] }))
      assert.deepStrictEqual(used(), ["b", "a", "b", "a"])
    }).pipe(Effect.scoped)
  )

  it.effect("hard state never leaves its deployment", () =>
    Effect.gen(function* () {
      const { service, shut, used } = yield* sealing
      yield* LlmService.complete(service, Tin.request())
      shut.clear()
      yield* LlmService.complete(service, Tin.request({ after: "ref-b" }))
      shut.add("b")
      const exit = yield* Effect.exit(LlmService.complete(service, Tin.request({ after: "ref-b" })))
      assert.isTrue(Exit.isFailure(exit))
      assert.include(String(exit), "bound to deployment b by a earlier answer")
      assert.deepStrictEqual(used(), ["b", "b"])
    }).pipe(Effect.scoped)
  )
})
