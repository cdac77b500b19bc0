/** A tower that takes the place of another: what it takes over, what it makes anew, and what becomes of the old one. */
import { assert, describe, it } from "@effect/vitest"
import { ConfigError, issue } from "@switchyard/core/ConfigError"
import type { DeploymentConfig } from "@switchyard/core/Deployment"
import type { LlmErrorFields, Reason } from "@switchyard/core/LlmError"
import * as LlmRequest from "@switchyard/core/LlmRequest"
import * as LlmService from "@switchyard/core/LlmService"
import { QueueRoom } from "@switchyard/router/AdmissionQueue"
import { CacheStore } from "@switchyard/router/CacheStore"
import { CooldownState } from "@switchyard/router/CooldownState"
import { DeploymentRegistry } from "@switchyard/router/DeploymentRegistry"
import { DeploymentStats } from "@switchyard/router/DeploymentStats"
import { ProbeFindings } from "@switchyard/router/HealthProbes"
import { LatencyTracker } from "@switchyard/router/LatencyTracker"
import { PriceBook } from "@switchyard/router/PriceBook"
import { RetryBudget } from "@switchyard/router/RetryBudget"
import * as Router from "@switchyard/router/Router"
import { RoutingStrategy } from "@switchyard/router/RoutingStrategy"
import { TowerStrategies } from "@switchyard/router/TowerStrategies"
import { UsageWindows } from "@switchyard/router/UsageWindows"
import { cases } from "@switchyard/testing/Effort"
import * as StubLlm from "@switchyard/testing/StubLlm"
import {
  Context,
  Effect,
  Either,
  ExecutionStrategy,
  Exit,
  Fiber,
  Layer,
  Metric,
  Option,
  Scope,
  Stream,
  TestClock
} from "effect"
import { Dice, VirtualTime } from "../support/schedules.js"

const d = (id: string, more: Partial<DeploymentConfig> = {}): DeploymentConfig => ({
  id,
  group: "m",
  model: "m",
  ...more
})

const chat = (options: LlmRequest.RequestOptions = {}, body: object = {}) =>
  LlmRequest.chat({ model: "m", messages: [{ role: "user", content: "Hi" }], max_tokens: 5, ...body }, options)

const fails = (reason: Reason, more: Partial<LlmErrorFields> = {}): StubLlm.Reply => ({
  fail: { reason, description: "scripted", ...more }
})

const refused = fails("Authentication", { status: 401 })

/** A tower in a scope that the test may close. */
const build = (options: Router.Options, stub: StubLlm.StubLlm, previous?: Router.Built) =>
  Effect.gen(function* () {
    const scope = yield* Scope.fork(yield* Effect.scope, ExecutionStrategy.sequential)
    const tower = yield* Router.make(options, stub.attempts, previous).pipe(Scope.extend(scope))
    return { tower, service: tower.service, close: Scope.close(scope, Exit.void) }
  })

const get = <I extends Router.State, S>({ state }: Router.Built, tag: Context.Tag<I, S>): S => Context.get(state, tag)

const slotOf = (tower: Router.Built, id: string) => get(tower, DeploymentRegistry).slot(id) ?? assert.fail(`no ${id}`)

const blockedBy = (tower: Router.Built, id: string) =>
  Effect.map(TestClock.currentTimeMillis, (now) => get(tower, CooldownState).inspect(slotOf(tower, id), now).blockedBy)

const used = (stub: StubLlm.StubLlm) => stub.calls.map(({ deployment }) => deployment as string).join("")

const nobodyListens = (tower: Router.Built) => !get(tower, UsageWindows).counts(StubLlm.slot("elsewhere"))

const reasonOf = <A>(result: Either.Either<A, { readonly reason: Reason }>): string =>
  Either.isRight(result) ? "ok" : result.left.reason

const ask = (tower: Router.Built, request = chat()) =>
  Effect.map(Effect.either(LlmService.complete(tower.service, request)), reasonOf)

describe("a tower that takes the place of another", () => {
  it.scoped("keeps an open breaker open when weights change, also when the old scope has closed", () =>
    Effect.gen(function* () {
      const stub = StubLlm.make(({ deployment }) => (deployment === "a" ? refused : {}))
      const first = yield* build({ deployments: [d("a", { priority: 0 }), d("b")], strategy: "ordered" }, stub)
      yield* ask(first.tower)
      assert.strictEqual(yield* blockedBy(first.tower, "a"), "cooldown")
      const options = { deployments: [d("b", { weight: 2 }), d("a", { weight: 9, priority: 0 })], strategy: "ordered" }
      const second = yield* build(options, stub, first.tower)
      yield* first.close
      assert.strictEqual(yield* blockedBy(second.tower, "a"), "cooldown")
      assert.strictEqual(yield* ask(second.tower), "ok")
      assert.strictEqual(used(stub), "abb")
      assert.strictEqual(slotOf(second.tower, "a").deployment.weight, 9)
    })
  )
  it.scoped("keeps what was used of limits, and holds the rest to the new ones", () =>
    Effect.gen(function* () {
      const stub = StubLlm.make()
      const first = yield* build({ deployments: [d("a", { rpm: 3 })] }, stub)
      for (let i = 0; i < 3; i++) assert.strictEqual(yield* ask(first.tower), "ok")
      const same = yield* build({ deployments: [d("a", { rpm: 3 })] }, stub, first.tower)
      assert.strictEqual(yield* ask(same.tower), "NoDeployment")
      const more = yield* build({ deployments: [d("a", { rpm: 4 })] }, stub, same.tower)
      assert.strictEqual(yield* ask(more.tower), "ok")
      assert.strictEqual(yield* ask(more.tower), "NoDeployment")
    })
  )
  it.scoped("keeps what was spent, of deployments and of callers", () =>
    Effect.gen(function* () {
      const stub = StubLlm.make()
      // Five tokens of output cost half a dollar.
      const priced = { inputPrice: 0, outputPrice: 100_000 }
      const perDay = (limit: number) => ({ limit, window: "1 day" as const })
      const options = (limit: number): Router.Options => ({
        deployments: [d("a", priced)],
        spendLimits: { deployments: { a: perDay(limit) } },
        callerBudget: { callers: { me: perDay(0.5) } }
      })
      const first = yield* build(options(1), stub)
      assert.strictEqual(yield* ask(first.tower, chat({ caller: "me" })), "ok")
      const second = yield* build(options(1), stub, first.tower)
      assert.strictEqual(yield* ask(second.tower, chat({ caller: "me" })), "BudgetExceeded")
      assert.strictEqual(yield* ask(second.tower), "ok")
      assert.strictEqual(yield* ask(second.tower), "NoDeployment")
      const third = yield* build(options(1.5), stub, second.tower)
      assert.strictEqual(yield* ask(third.tower), "ok")
      assert.strictEqual(yield* ask(third.tower), "NoDeployment")
    })
  )
  it.scoped("goes by its own cooldown options from the first call on", () =>
    Effect.gen(function* () {
      const stub = StubLlm.make(fails("Unavailable"))
      const options = (failures: number, duration: number): Router.Options => ({
        deployments: [d("a"), d("b")],
        strategy: "ordered",
        retry: false,
        cooldown: { failures, failureRate: false, duration, maxDuration: duration, jitter: 0 }
      })
      const first = yield* build(options(5, 5000), stub)
      yield* ask(first.tower)
      yield* ask(first.tower)
      assert.isUndefined(yield* blockedBy(first.tower, "a"))
      const second = yield* build(options(3, 70_000), stub, first.tower)
      yield* ask(second.tower)
      assert.strictEqual(yield* blockedBy(second.tower, "a"), "cooldown")
      yield* TestClock.adjust("69 seconds")
      assert.strictEqual(yield* blockedBy(second.tower, "a"), "cooldown")
      yield* TestClock.adjust("1 second")
      assert.isUndefined(yield* blockedBy(second.tower, "a"))
    })
  )
  it.scoped("counts failures over the new window, those from before the reload among them", () =>
    Effect.gen(function* () {
      const stub = StubLlm.make(fails("Unavailable"))
      const options = (window: number): Router.Options => ({
        deployments: [d("a"), d("b")],
        strategy: "ordered",
        retry: false,
        cooldown: { failures: false, failureRate: false, windowFailures: 3, minimumCalls: 1, window }
      })
      const first = yield* build(options(10_000), stub)
      yield* ask(first.tower)
      yield* TestClock.adjust("8 seconds")
      const second = yield* build(options(60_000), stub, first.tower)
      yield* ask(second.tower)
      yield* TestClock.adjust("30 seconds")
      assert.isUndefined(yield* blockedBy(second.tower, "a"))
      yield* ask(second.tower)
      assert.strictEqual(yield* blockedBy(second.tower, "a"), "cooldown")
    })
  )
  it.scoped("keeps figures, cached answers, isolation, pins and turns when the old scope closes", () =>
    Effect.gen(function* () {
      const stub = StubLlm.make()
      const options: Router.Options = {
        deployments: [d("a"), d("b"), d("c")],
        strategy: "round-robin",
        cache: { ttl: "1 hour" }
      }
      const first = yield* build(options, stub)
      yield* ask(first.tower)
      yield* ask(first.tower, chat({}, { seed: 1 }))
      yield* get(first.tower, CooldownState).isolate("c")
      const second = yield* build({ ...options, timeouts: { total: "1 minute" } }, stub, first.tower)
      yield* first.close
      assert.strictEqual(get(second.tower, DeploymentStats).of(slotOf(second.tower, "a")).requests, 1)
      const cached = yield* LlmService.complete(second.service, chat())
      assert.strictEqual(cached.journal.cache, "hit")
      assert.strictEqual(yield* blockedBy(second.tower, "c"), "isolated")
      const pinned = yield* LlmService.complete(
        second.service,
        chat({}, { seed: 2, previous_response_id: "chatcmpl-stub" })
      )
      assert.strictEqual(pinned.journal.answered?.deployment as string | undefined, "b")
      yield* ask(second.tower, chat({}, { seed: 3 }))
      assert.strictEqual(used(stub), "abba")
    })
  )
  it.scoped("makes only that state anew whose own options changed", () =>
    Effect.gen(function* () {
      const stub = StubLlm.make()
      const options: Router.Options = { deployments: [d("a")], latency: { alpha: 0.2 }, strategy: "latency-based" }
      const first = yield* build(options, stub)
      yield* ask(first.tower)
      const same = yield* build({ ...options, latency: { alpha: 0.2 }, retryBudget: {} }, stub, first.tower)
      for (const tag of [LatencyTracker, RetryBudget, CacheStore, PriceBook, UsageWindows] as const) {
        assert.strictEqual(get(same.tower, tag as never), get(first.tower, tag as never))
      }
      const strategyIn = ({ tower }: typeof first) => get(tower, TowerStrategies).named.get(undefined)?.strategy
      assert.strictEqual(strategyIn(same), strategyIn(first))
      const price = { input: 1, cachedInput: 1, output: 1 }
      const changed = yield* build(
        {
          ...options,
          latency: { alpha: 0.5 },
          retryBudget: { share: 0.5 },
          cacheStore: { maxBytes: 1000 },
          prices: { m: price }
        },
        stub,
        same.tower
      )
      for (const tag of [LatencyTracker, RetryBudget, CacheStore, PriceBook] as const) {
        assert.notStrictEqual(get(changed.tower, tag as never), get(first.tower, tag as never))
      }
      assert.strictEqual(get(changed.tower, UsageWindows), get(first.tower, UsageWindows))
      // It reads the latencies that were made anew.
      assert.notStrictEqual(strategyIn(changed), strategyIn(first))
      yield* ask(changed.tower)
      assert.strictEqual(get(changed.tower, DeploymentStats).of(slotOf(changed.tower, "a")).requests, 2)
    })
  )
  it.scoped("counts what is in flight in one gauge, whichever tower a request came to", () =>
    Effect.gen(function* () {
      const stub = StubLlm.make({ delay: 1000 })
      const options: Router.Options = { deployments: [d("a")], metrics: { prefix: "reconfigured" } }
      const first = yield* build(options, stub)
      const inFlight = Effect.map(Metric.snapshot, (pairs) =>
        pairs
          .filter(({ metricKey }) => metricKey.name === "reconfigured_active_requests")
          .map(({ metricState }) => (metricState as unknown as { readonly value: number }).value)
          .reduce((sum, value) => sum + value, 0)
      )
      const before = yield* Effect.fork(ask(first.tower))
      yield* Effect.yieldNow()
      const second = yield* build(options, stub, first.tower)
      const after = yield* Effect.fork(ask(second.tower))
      yield* Effect.yieldNow()
      assert.strictEqual(yield* inFlight, 2)
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(before)
      yield* Fiber.join(after)
      assert.strictEqual(yield* inFlight, 0)
    })
  )
})

describe("the tower that was replaced", () => {
  it.scoped("ends its calls on the deployments that they began on, removed ones too", () =>
    Effect.gen(function* () {
      const stub = StubLlm.make({ chunks: ["one ", "two"], delay: 1000, gap: 1000 })
      const first = yield* build({ deployments: [d("a", { maxParallel: 1 })] }, stub)
      const slot = slotOf(first.tower, "a")
      const fiber = yield* Effect.fork(Stream.runCount(LlmService.stream(first.service, chat({}, { stream: true }))))
      yield* TestClock.adjust("1500 millis")
      const second = yield* build({ deployments: [d("b")] }, stub, first.tower)
      yield* TestClock.adjust("5 seconds")
      assert.isAbove(yield* Fiber.join(fiber), 2)
      yield* first.close
      assert.strictEqual(stub.outcomes[0]?._tag, "Completed")
      assert.deepStrictEqual(get(second.tower, UsageWindows).holding(slot), { calls: 0, tokens: 0 })
      assert.strictEqual(get(second.tower, DeploymentStats).of(slot).inFlight, 0)
    })
  )
  it.scoped("retries over the new deployments", () =>
    Effect.gen(function* () {
      const stub = StubLlm.make(({ deployment }) => (deployment === "b" ? {} : { ...refused, delay: 1000 }))
      const first = yield* build({ deployments: [d("a")] }, stub)
      const fiber = yield* Effect.fork(ask(first.tower))
      yield* Effect.yieldNow()
      yield* build({ deployments: [d("b")] }, stub, first.tower)
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual(yield* Fiber.join(fiber), "ok")
      assert.strictEqual(used(stub), "ab")
    })
  )
  it.scoped("stays as it was when the new options are wrong, and hears of everything that is", () =>
    Effect.gen(function* () {
      const stub = StubLlm.make()
      const first = yield* build({ deployments: [d("a")] }, stub)
      const registry = get(first.tower, DeploymentRegistry)
      const version = registry.version()
      const broken = Layer.fail(new ConfigError({ issues: [issue("strategy", "mine", "something else")] }))
      const problems = (options: Router.Options) =>
        Effect.map(Effect.flip(Router.make(options, stub.attempts, first.tower)), ({ issues }) =>
          issues.map(({ path }) => path)
        )
      assert.deepStrictEqual(
        yield* problems({ deployments: [d("b", { weight: -1 })], retry: { attempts: 0 }, latency: { alpha: 2 } }),
        ["deployments[0].weight", "latency.alpha", "retry.attempts"]
      )
      assert.deepStrictEqual(yield* problems({ deployments: [d("b")], strategy: broken }), ["strategy"])
      assert.strictEqual(registry.version(), version)
      assert.deepStrictEqual(
        registry.slots().map(({ id }) => id as string),
        ["a"]
      )
      assert.strictEqual(yield* ask(first.tower), "ok")
    })
  )
})

describe("a strategy of one's own", () => {
  const logged = () => {
    const log: Array<string> = []
    let built = 0
    const strategy = () =>
      Layer.scoped(
        RoutingStrategy,
        Effect.gen(function* () {
          const number = ++built
          yield* Effect.addFinalizer(() => Effect.sync(() => log.push(`closed ${number}`)))
          return { name: `own ${number}`, select: () => 0 }
        })
      )
    return { log, strategy }
  }
  it.scoped("is handed over while it is the same, and outlives the tower that made it", () =>
    Effect.gen(function* () {
      const { log, strategy } = logged()
      const same = strategy()
      const stub = StubLlm.make()
      const first = yield* build({ deployments: [d("a")], strategy: same }, stub)
      const second = yield* build({ deployments: [d("a", { weight: 2 })], strategy: same }, stub, first.tower)
      yield* first.close
      assert.deepStrictEqual(log, [])
      assert.strictEqual(second.tower.strategyOf("m"), "own 1")
      assert.strictEqual(yield* ask(second.tower), "ok")
      yield* second.close
      assert.deepStrictEqual(log, ["closed 1"])
    })
  )
  it.scoped("is built where it is another one, and the old one ends with its tower", () =>
    Effect.gen(function* () {
      const { log, strategy } = logged()
      const stub = StubLlm.make()
      const first = yield* build({ deployments: [d("a")], strategy: strategy() }, stub)
      const second = yield* build({ deployments: [d("a")], strategy: strategy() }, stub, first.tower)
      yield* first.close
      assert.deepStrictEqual(log, ["closed 1"])
      assert.strictEqual(second.tower.strategyOf("m"), "own 2")
      assert.strictEqual(yield* ask(second.tower), "ok")
    })
  )
})

describe("health probes over a reload", () => {
  const options = (more: Partial<Router.Options> = {}): Router.Options => ({
    deployments: [d("a"), d("b")],
    healthProbes: { interval: "10 seconds", unhealthyThreshold: 2, deployments: ["a"] },
    ...more
  })
  const probed = (stub: StubLlm.StubLlm) => stub.calls.filter(({ deployment }) => deployment === "a").length

  it.scoped("a deployment that they took out stays out, and is let in again by the new ones", () =>
    Effect.gen(function* () {
      const stub = StubLlm.make(fails("Unavailable"))
      const first = yield* build(options(), stub)
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual(yield* blockedBy(first.tower, "a"), "unhealthy")
      const second = yield* build(options(), stub, first.tower)
      yield* first.close
      assert.strictEqual(yield* blockedBy(second.tower, "a"), "unhealthy")
      stub.reply({})
      yield* TestClock.adjust("20 seconds")
      assert.isUndefined(yield* blockedBy(second.tower, "a"))
    })
  )
  it.scoped("the old ones stop at once, also while their tower drains", () =>
    Effect.gen(function* () {
      const stub = StubLlm.make()
      const first = yield* build(options(), stub)
      yield* TestClock.adjust("5 seconds")
      yield* build(options(), stub, first.tower)
      yield* TestClock.adjust(0)
      assert.strictEqual(probed(stub), 2)
      yield* TestClock.adjust("60 seconds")
      assert.strictEqual(probed(stub), 8)
    })
  )
  it.scoped("a tower without probes lets everyone in whom they took out", () =>
    Effect.gen(function* () {
      const stub = StubLlm.make(fails("Unavailable"))
      const first = yield* build(options(), stub)
      yield* TestClock.adjust("10 seconds")
      const { healthProbes, ...without } = options()
      const second = yield* build(without, stub, first.tower)
      assert.isUndefined(yield* blockedBy(second.tower, "a"))
      yield* TestClock.adjust("60 seconds")
      assert.isUndefined(yield* blockedBy(second.tower, "a"))
    })
  )
})

describe("requests that wait for room over a reload", () => {
  const options = (maxParallel: number): Router.Options => ({
    deployments: [d("a", { maxParallel })],
    queue: { maxWait: "1 minute" }
  })
  const callers = (stub: StubLlm.StubLlm) => stub.calls.map(({ request }) => request.caller).join(" ")
  const start = (tower: Router.Built, caller: string) =>
    Effect.tap(Effect.fork(ask(tower, chat({ caller }))), () => Effect.yieldNow())

  it.scoped("those of both towers stand in one line, and nobody listens when it is empty", () =>
    Effect.gen(function* () {
      const stub = StubLlm.make({ delay: 1000 })
      const first = yield* build(options(1), stub)
      const before = [yield* start(first.tower, "one"), yield* start(first.tower, "two")]
      const second = yield* build(options(1), stub, first.tower)
      const all = [...before, yield* start(second.tower, "three")]
      yield* TestClock.adjust("1 second")
      assert.strictEqual(callers(stub), "one two")
      yield* TestClock.adjust("2 seconds")
      assert.deepStrictEqual(yield* Effect.forEach(all, (fiber) => Fiber.join(fiber)), ["ok", "ok", "ok"])
      assert.strictEqual(callers(stub), "one two three")
      assert.isTrue(nobodyListens(second.tower))
    })
  )
  it.scoped("room that a reload makes is theirs at once", () =>
    Effect.gen(function* () {
      const stub = StubLlm.make({ delay: 1000 })
      const first = yield* build(options(1), stub)
      for (const name of ["one", "two"]) yield* start(first.tower, name)
      assert.strictEqual(callers(stub), "one")
      yield* build(options(2), stub, first.tower)
      yield* Effect.yieldNow()
      assert.strictEqual(callers(stub), "one two")
    })
  )
  it.scoped("those of a scope that closes give up, the others go on waiting, and nobody listens in the end", () =>
    Effect.gen(function* () {
      const stub = StubLlm.make({ delay: 10_000 })
      const first = yield* build(options(1), stub)
      yield* start(first.tower, "one")
      const old = yield* start(first.tower, "two")
      const second = yield* build(options(1), stub, first.tower)
      const young = yield* start(second.tower, "three")
      yield* first.close
      assert.strictEqual(yield* Fiber.join(old), "NoDeployment")
      assert.isTrue(Option.isNone(yield* Fiber.poll(young)))
      assert.isFalse(nobodyListens(second.tower))
      yield* second.close
      assert.isTrue(nobodyListens(second.tower))
      assert.strictEqual(yield* Fiber.join(young), "NoDeployment")
    })
  )
})

describe("many reloads under traffic", () => {
  const seed = 20_261
  const dice = new Dice(seed)
  const ids = ["a", "b", "c", "d", "e"]

  const randomOptions = (): Router.Options => ({
    deployments: ids
      .filter((id) => id === "a" || dice.chance(0.6))
      .map((id) => d(id, { weight: dice.int(1, 9), rpm: dice.int(50, 500), maxParallel: dice.int(1, 4) })),
    strategy: dice.pick(["peak-ewma", "round-robin", "sticky", "latency-based"]),
    cooldown: { failures: dice.int(2, 6), window: dice.int(10, 90) * 1000 },
    retry: { attempts: dice.int(1, 4) },
    spendLimits: { deployments: { b: { limit: 1, window: "1 minute" } } },
    ...(dice.chance(0.7) ? { queue: { maxWait: "5 seconds", maxQueue: 50 } } : {}),
    ...(dice.chance(0.5) ? { cache: { ttl: "1 second" } } : {}),
    ...(dice.chance(0.5) ? { healthProbes: { interval: "3 seconds" } } : {}),
    ...(dice.chance(0.2) ? { metrics: false as const } : {})
  })

  const reply = (): StubLlm.Reply => {
    const delay = dice.int(0, 3000)
    if (dice.chance(0.2)) return { delay, fail: { reason: "Unavailable", description: "scripted" } }
    return { delay, chunks: ["one ", "two"], gap: dice.int(0, 500) }
  }

  it(`end every call and leave nothing behind (seed ${seed})`, () => {
    const time = new VirtualTime()
    const run = <A, E>(effect: Effect.Effect<A, E>): A => {
      const fiber = time.fork(effect)
      time.flush()
      const exit = fiber.unsafePoll()
      if (exit === null || Exit.isFailure(exit)) return assert.fail(String(exit))
      return exit.value
    }
    const stub = StubLlm.make(reply, { keep: 10 })
    const reload = (options: Router.Options, previous?: Router.Built) => {
      const scope = run(Scope.make())
      const made = run(Effect.either(Scope.extend(Router.make(options, stub.attempts, previous), scope)))
      return { made, close: () => run(Scope.close(scope, Exit.void)) }
    }
    const install = (previous?: Router.Built) => {
      const { close, made } = reload(randomOptions(), previous)
      return Either.isRight(made) ? { tower: made.right, close } : assert.fail(made.left.message)
    }
    const send = ({ service }: Router.Built) => {
      const request = chat({}, { stream: dice.chance(0.5), seed: dice.int(1, 50) })
      return time.fork(
        request.stream
          ? Stream.runDrain(LlmService.stream(service, request))
          : Effect.asVoid(LlmService.complete(service, request))
      )
    }
    const fibers: Array<Fiber.RuntimeFiber<void, unknown>> = []
    const draining: Array<() => void> = []
    let refusals = 0
    let waited = 0
    let current = install()
    for (let round = 0; round < cases(2_000); round++) {
      for (let i = dice.int(0, 4); i > 0; i--) fibers.push(send(current.tower))
      time.advance(time.now + dice.int(0, 400))
      if (dice.chance(0.2)) for (const fiber of fibers.slice(-dice.int(1, 3))) time.interrupt(fiber)
      waited = Math.max(waited, get(current.tower, QueueRoom).sizeOf("m"))
      const registry = get(current.tower, DeploymentRegistry)
      const version = registry.version()
      if (dice.chance(0.1)) {
        const { close, made } = reload({ ...randomOptions(), retry: { attempts: 0 } }, current.tower)
        assert.isTrue(Either.isLeft(made))
        assert.strictEqual(registry.version(), version)
        close()
        refusals++
      }
      draining.push(current.close)
      current = install(current.tower)
      assert.strictEqual(registry.version(), version + 1)
      // A generation drains for a while before its scope closes.
      if (draining.length > 20) draining.shift()?.()
    }
    time.advance(time.now + 60_000)
    for (const close of draining) close()
    current.close()
    time.advance(time.now + 60_000)
    assert.isAbove(refusals, cases(100))
    assert.isAbove(waited, 1)
    const ends = fibers.map((fiber) => fiber.unsafePoll())
    assert.isTrue(ends.every((exit) => exit !== null))
    assert.isAbove(ends.filter((exit) => exit !== null && Exit.isSuccess(exit)).length, cases(1_000))
    assert.isTrue(nobodyListens(current.tower))
    assert.deepStrictEqual([stub.inFlight(), stub.openStreams()], [0, 0])
    for (const slot of get(current.tower, DeploymentRegistry).slots()) {
      assert.deepStrictEqual(get(current.tower, UsageWindows).holding(slot), { calls: 0, tokens: 0 })
      assert.strictEqual(get(current.tower, DeploymentStats).of(slot).inFlight, 0)
      assert.notStrictEqual(get(current.tower, CooldownState).inspect(slot, time.now).blockedBy, "unhealthy")
    }
    assert.deepStrictEqual(
      [get(current.tower, ProbeFindings).raised.size, get(current.tower, QueueRoom).sizeOf("m")],
      [0, 0]
    )
  })
})
