import { assert, describe, it } from "@effect/vitest"
import * as LlmRequest from "@switchyard/core/LlmRequest"
import * as LlmService from "@switchyard/core/LlmService"
import * as RequestEvents from "@switchyard/router/RequestEvents"
import * as Router from "@switchyard/router/Router"
import * as RouterEvents from "@switchyard/router/RouterEvents"
import * as Contract from "@switchyard/testing/Contract"
import * as StubLlm from "@switchyard/testing/StubLlm"
import { Effect, Fiber, Stream, TestClock } from "effect"

const listening: RouterEvents.Events = { publish: () => {}, isActive: () => true, stream: Stream.empty }
for (const { check, name } of Contract.requestLayer(Effect.succeed(RequestEvents.make(listening)))) {
  it.effect(name, () => check)
}

const usage = { inputTokens: 100, outputTokens: 10, cachedInputTokens: 0, reasoningTokens: 0, estimated: false }
const chat = (body: object = {}, options: LlmRequest.RequestOptions = {}) =>
  LlmRequest.chat({ model: "m", messages: [{ role: "user", content: "Hi" }], ...body }, options)

const deployments: Router.Options["deployments"] = [
  { id: "a", group: "m", model: "x", provider: "pa", inputPrice: 1, outputPrice: 10, order: 1 },
  { id: "b", group: "m", model: "x", provider: "pb", inputPrice: 1, outputPrice: 10, order: 2 },
  { id: "c", group: "spare", model: "x", provider: "pc" }
]

/** A tower whose events are told to a list. */
const setup = (options: Partial<Router.Options> = {}) => {
  const told: Array<RouterEvents.RouterEvent> = []
  let active = true
  const events: RouterEvents.Events = {
    publish: (event) => {
      told.push(event)
    },
    isActive: () => active,
    stream: Stream.empty
  }
  const stub = StubLlm.make({ usage })
  return Effect.map(
    Router.make({ deployments, metrics: false, ...options }, stub.attempts).pipe(
      Effect.provideService(RouterEvents.RouterEvents, events)
    ),
    ({ service }) => ({
      service,
      stub,
      told,
      stopListening: () => {
        active = false
      },
      of: <Tag extends RouterEvents.RouterEvent["_tag"]>(tag: Tag) =>
        told.filter((event): event is Extract<RouterEvents.RouterEvent, { readonly _tag: Tag }> => event._tag === tag)
    })
  )
}

const down = { fail: { reason: "Unavailable", description: "down", status: 503 } } as const

describe("RouterEvents", () => {
  it.scoped("an attempt and its request tell how they went, with usage and cost", () =>
    Effect.gen(function* () {
      const { service, stub, told } = yield* setup()
      stub.reply({ delay: 50, usage })
      const fiber = yield* Effect.fork(LlmService.complete(service, chat({}, { caller: "alice" })))
      yield* TestClock.adjust(50)
      yield* Fiber.join(fiber)
      const place = { group: "m", deployment: "a", provider: "pa" }
      const end = { outcome: "success", reason: undefined, status: undefined, usage, cost: 0.0002 }
      assert.deepStrictEqual(told as ReadonlyArray<unknown>, [
        { _tag: "AttemptStarted", at: 0, ...place, number: 1 },
        { _tag: "AttemptEnded", at: 50, ...place, ...end, number: 1, duration: 50, timeToFirstToken: 50 },
        {
          _tag: "RequestEnded",
          at: 50,
          ...place,
          ...end,
          operation: "chat",
          stream: false,
          model: "m",
          attempts: 1,
          fallback: undefined,
          cache: undefined,
          latency: 50,
          timeToFirstToken: undefined,
          caller: "alice"
        }
      ])
    })
  )
  it.scoped("a retry, a fallback and a request that failed after all name deployments and reasons", () =>
    Effect.gen(function* () {
      const { of, service, stub } = yield* setup({
        retry: { attempts: 2, groups: { spare: { attempts: 1 } } },
        fallback: { chains: { general: { m: ["spare"] } } }
      })
      stub.reply(down)
      yield* Effect.ignore(LlmService.complete(service, chat()))
      assert.deepStrictEqual(
        of("AttemptEnded").map(({ deployment, number, outcome, reason, status }) => [
          number,
          deployment,
          outcome,
          reason,
          status
        ]),
        [
          [1, "a", "failure", "Unavailable", 503],
          [2, "b", "failure", "Unavailable", 503],
          [3, "c", "failure", "Unavailable", 503]
        ]
      )
      assert.deepStrictEqual(
        of("Retried").map(({ deployment }) => deployment),
        ["a"]
      )
      assert.deepStrictEqual(
        of("FallbackTaken").map(({ deployment, from, to }) => [deployment, from, to]),
        [["b", "m", "spare"]]
      )
      const [end] = of("RequestEnded")
      assert.include(end, { outcome: "failure", reason: "Unavailable", attempts: 3, fallback: "general" })
      assert.include(end, { model: "m", group: "spare", deployment: "c" })
    })
  )
  it.scoped("a stream that is left tells so, with the time of its first content", () =>
    Effect.gen(function* () {
      const { of, service, stub } = yield* setup()
      stub.reply({ chunks: ["a", "b", "c"], firstToken: 20, gap: 1000 })
      const fiber = yield* Effect.fork(Stream.runDrain(LlmService.stream(service, chat())))
      yield* TestClock.adjust(500)
      yield* Fiber.interrupt(fiber)
      assert.include(of("RequestEnded")[0], { outcome: "abandoned", stream: true, timeToFirstToken: 20, latency: 500 })
      assert.include(of("AttemptEnded")[0], { outcome: "abandoned", duration: 500 })
    })
  )
  it.scoped("a stream that begins again elsewhere tells whose it was and why", () =>
    Effect.gen(function* () {
      const { of, service, stub } = yield* setup()
      stub.reply(({ deployment }) =>
        deployment === "a" ? { ...down, chunks: ["x", "y"], failAfter: 1 } : { chunks: ["x", "y"] }
      )
      yield* Stream.runDrain(LlmService.stream(service, chat()))
      assert.deepStrictEqual(of("StreamRestarted") as ReadonlyArray<unknown>, [
        { _tag: "StreamRestarted", at: 0, group: "m", deployment: "a", reason: "Unavailable" }
      ])
      assert.include(of("RequestEnded")[0], { outcome: "success", deployment: "b", attempts: 2 })
    })
  )
  it.scoped("while nobody listens no event of a call is made; those of rare things are", () =>
    Effect.gen(function* () {
      const { service, stopListening, stub, told } = yield* setup()
      stopListening()
      yield* LlmService.complete(service, chat())
      assert.deepStrictEqual(told, [])
      stub.reply(({ index }) => (index === 1 ? down : {}))
      yield* LlmService.complete(service, chat())
      assert.deepStrictEqual(
        told.map(({ _tag }) => _tag),
        ["Retried"]
      )
    })
  )
  it.effect("the layer is active for as long as somebody reads, and each reader gets everything from then on", () =>
    Effect.gen(function* () {
      const events = yield* RouterEvents.RouterEvents
      const isolated = (deployment: string): RouterEvents.RouterEvent => ({
        _tag: "DeploymentIsolated",
        at: 0,
        deployment
      })
      assert.isFalse(events.isActive())
      events.publish(isolated("lost"))
      const readers = [
        yield* Effect.fork(Stream.runCollect(Stream.take(events.stream, 2))),
        yield* Effect.fork(Stream.runCollect(Stream.take(events.stream, 1)))
      ]
      yield* TestClock.adjust(1)
      assert.isTrue(events.isActive())
      events.publish(isolated("a"))
      events.publish(isolated("b"))
      const read = yield* Fiber.joinAll(readers)
      assert.deepStrictEqual(
        read.map((chunk) => [...chunk].map((event) => ("deployment" in event ? event.deployment : undefined))),
        [["a", "b"], ["a"]]
      )
      assert.isFalse(events.isActive())
    }).pipe(Effect.provide(RouterEvents.layer))
  )
  it.effect("a reader that is too slow loses the oldest events", () =>
    Effect.gen(function* () {
      const events = yield* RouterEvents.RouterEvents
      const slow = events.stream.pipe(
        Stream.mapEffect((event) => Effect.as(Effect.sleep(10), event.at), { concurrency: 1 }),
        Stream.take(5),
        Stream.runCollect
      )
      const fiber = yield* Effect.fork(slow)
      yield* TestClock.adjust(1)
      for (let at = 0; at < 100; at++) events.publish({ _tag: "CooldownClosed", at, deployment: "a" })
      yield* TestClock.adjust(1000)
      assert.deepStrictEqual([...(yield* Fiber.join(fiber))], [0, 96, 97, 98, 99])
    }).pipe(Effect.provide(RouterEvents.layerWith({ capacity: 4 })))
  )
})
