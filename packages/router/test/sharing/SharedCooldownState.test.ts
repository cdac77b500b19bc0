import { assert, describe, it } from "@effect/vitest"
import type { LlmErrorFields } from "@switchyard/core/LlmError"
import * as LlmRequest from "@switchyard/core/LlmRequest"
import type { Slot } from "@switchyard/core/Slot"
import { nowMs } from "@switchyard/core/Time"
import type { BreakerEngine } from "@switchyard/router/BreakerEngine"
import * as Cooldown from "@switchyard/router/Cooldown"
import { type Engine, EngineError } from "@switchyard/router/Engine"
import * as EngineGuard from "@switchyard/router/EngineGuard"
import * as MemoryEngine from "@switchyard/router/MemoryEngine"
import type { RouterEvent } from "@switchyard/router/RouterEvents"
import * as SharedCooldownState from "@switchyard/router/SharedCooldownState"
import { Dice } from "@switchyard/testing/Dice"
import { cases } from "@switchyard/testing/Effort"
import * as StubLlm from "@switchyard/testing/StubLlm"
import { Effect, Either, Fiber, type Scope, Stream } from "effect"
import type { YieldWrap } from "effect/Utils"
import { simulate } from "../support/schedules.js"

const away = new EngineError({ reason: "away", description: "nobody there" })

/** An engine whose connection the test holds in its hand: away, or with a process that does not run. */
const reachable = (engine: Engine) => {
  const state = { isAway: false, isFrozen: false }
  const whenRunning: Effect.Effect<void> = Effect.suspend(() =>
    state.isFrozen ? Effect.zipRight(Effect.sleep(100), whenRunning) : Effect.void
  )
  const asked = <A>(question: Effect.Effect<A, EngineError>): Effect.Effect<A, EngineError> =>
    Effect.zipRight(
      whenRunning,
      Effect.suspend(() => (state.isAway ? Effect.fail(away) : question))
    )
  const breakers = new Proxy(engine.breakers, {
    get:
      (_, name: keyof BreakerEngine) =>
      (...args: ReadonlyArray<never>) =>
        asked(
          Effect.suspend(() =>
            (engine.breakers[name] as unknown as (...given: ReadonlyArray<never>) => Effect.Effect<never, EngineError>)(
              ...args
            )
          )
        )
  })
  const own: Engine = { ...engine, breakers, announce: (id, lasts) => asked(engine.announce(id, lasts)) }
  return { engine: own, state }
}

const fails = (reason: LlmErrorFields["reason"], more: Partial<LlmErrorFields> = {}): StubLlm.Reply => ({
  fail: { reason, description: "told to", ...more }
})
const down = fails("Unavailable")
const good: StubLlm.Reply = {}

/** One failure opens it for a second, and one success closes it, unless a test says otherwise. */
const quick: Cooldown.Options = {
  failures: 1,
  duration: "1 second",
  maxDuration: "1 second",
  jitter: 0,
  successThreshold: 1
}

/** One process with its own view of the deployment. */
const process = (shared: Engine, id: string, options: Cooldown.Options = quick) =>
  Effect.gen(function* () {
    const { engine, state } = reachable(shared)
    const modes: Array<string> = []
    const events: Array<RouterEvent> = []
    const guard = yield* EngineGuard.make(engine, { id, onChange: ({ mode }) => void modes.push(mode) })
    const cooldowns = yield* SharedCooldownState.make(guard, {
      random: () => 0,
      events: { publish: (event) => void events.push(event), isActive: () => false, stream: Stream.empty }
    })
    const stub = StubLlm.make()
    const service = Cooldown.make({ state: cooldowns }, options)(stub.attempts)
    const slot: Slot = StubLlm.slot("a")
    const clock = yield* Effect.clock
    const request = LlmRequest.chat({ model: "m", messages: [{ role: "user", content: "Hi" }] })
    /** One call, without a router above; `onSent` when it has passed the breaker. */
    const send = (reply: StubLlm.Reply, onSent: () => void = () => {}) =>
      Effect.suspend(() => {
        stub.reply(() => {
          onSent()
          return reply
        })
        return Effect.either(service.call(StubLlm.attempt(request, slot, nowMs(clock))))
      })
    return {
      id,
      modes,
      events,
      state,
      cooldowns,
      slot,
      stub,
      send,
      tags: () => events.map(({ _tag }) => _tag),
      status: () => {
        const status = service.status(slot, request, nowMs(clock))
        return status._tag === "Open" ? "open" : status.reason
      },
      view: () => cooldowns.inspect(slot, nowMs(clock))
    }
  })

type Process = Effect.Effect.Success<ReturnType<typeof process>>

/** In a time of its own, in which a sleep lasts no real time. */
const simulated = <E, A>(
  body: () => Generator<YieldWrap<Effect.Effect<unknown, E, Scope.Scope>>, A, never>
): Effect.Effect<A, E> => simulate(Effect.scoped(Effect.gen(body)))

const fleet = (ids: ReadonlyArray<string>, options: Cooldown.Options = quick) =>
  Effect.gen(function* () {
    const engine = yield* MemoryEngine.make()
    const all = yield* Effect.forEach(ids, (id) => process(engine, id, options))
    for (const { cooldowns, slot } of all) cooldowns.of(slot)
    return { engine, all: all as [Process, Process, Process] }
  })

const circuits = (all: ReadonlyArray<Process>): ReadonlyArray<string> => all.map(({ view }) => view().circuit)

const inFlight = (all: ReadonlyArray<Process>): number => all.reduce((sum, { stub }) => sum + stub.inFlight(), 0)

const statuses = (all: ReadonlyArray<Process>): ReadonlyArray<string> => all.map(({ status }) => status())

describe("breakers over an engine", () => {
  it.effect("one that opens in one process is open in all within half a second, and so is one that joins later", () =>
    simulated(function* () {
      const { all, engine } = yield* fleet(["a", "b", "c"], {
        ...quick,
        duration: "10 seconds",
        maxDuration: "10 seconds"
      })
      yield* all[0].send(down)
      yield* Effect.sleep(500)
      assert.deepStrictEqual(statuses(all), ["cooldown", "cooldown", "cooldown"])
      assert.closeTo((all[1].view().until ?? 0) - (all[0].view().until ?? 0), 0, 50)
      assert.strictEqual(all[1].view().reason, "Unavailable")
      const late = yield* process(engine, "d")
      assert.strictEqual(late.status(), "cooldown")
    })
  )

  it.effect("after its cooldown all processes together make one call on trial, and all see it recover", () =>
    simulated(function* () {
      const { all } = yield* fleet(["a", "b", "c"])
      yield* all[0].send(down)
      yield* Effect.sleep("2 seconds")
      assert.deepStrictEqual(statuses(all), ["open", "open", "open"])
      const trials = yield* Effect.forEach(all, ({ send }) => Effect.fork(send({ delay: "2 seconds" })))
      yield* Effect.sleep(400)
      assert.deepStrictEqual(inFlight(all), 1)
      assert.deepStrictEqual(statuses(all), ["probing", "probing", "probing"])
      yield* Effect.sleep("2 seconds")
      assert.deepStrictEqual(circuits(all), ["closed", "closed", "closed"])
      assert.deepStrictEqual(all[2].tags(), ["CooldownOpened", "CooldownHalfOpen", "CooldownClosed"])
      const answers = yield* Effect.forEach(trials, Fiber.join)
      assert.strictEqual(answers.filter(Either.isRight).length, 1)
    })
  )

  it.effect("a trial that fails anywhere opens it again everywhere, for longer", () =>
    simulated(function* () {
      const { all } = yield* fleet(["a", "b"], { ...quick, maxDuration: "1 minute" })
      yield* all[0].send(down)
      yield* Effect.sleep("1500 millis")
      yield* all[1].send(down)
      yield* Effect.sleep(500)
      assert.deepStrictEqual(statuses(all), ["cooldown", "cooldown"])
      assert.deepStrictEqual(
        all.map(({ view }) => view().trips),
        [2, 2]
      )
      yield* Effect.sleep("1 second")
      assert.deepStrictEqual(statuses(all), ["cooldown", "cooldown"])
    })
  )

  it.effect("successes of all processes count together, and each allows one more", () =>
    simulated(function* () {
      const { all } = yield* fleet(["a", "b", "c"], { ...quick, successThreshold: 3 })
      yield* all[0].send(down)
      yield* Effect.sleep("1500 millis")
      yield* all[1].send(good)
      yield* Effect.sleep(300)
      assert.deepStrictEqual(
        all.map(({ view }) => view().permits),
        [2, 2, 2]
      )
      yield* all[2].send(good)
      yield* all[0].send(good)
      yield* Effect.sleep(300)
      assert.deepStrictEqual(circuits(all), ["closed", "closed", "closed"])
    })
  )

  it.effect("the permit of a caller that leaves comes back at once, that of a process that dies with its lease", () =>
    simulated(function* () {
      const { all } = yield* fleet(["a", "b"])
      const [a, b] = all
      yield* a.send(down)
      yield* Effect.sleep("2 seconds")
      const left = yield* Effect.fork(a.send({ hang: true }))
      yield* Effect.sleep(300)
      assert.strictEqual(b.status(), "probing")
      yield* Fiber.interrupt(left)
      yield* Effect.sleep(300)
      assert.strictEqual(b.status(), "open")
      yield* Effect.fork(a.send({ hang: true }))
      yield* Effect.sleep(300)
      a.state.isAway = true
      yield* Effect.sleep("5 seconds")
      assert.strictEqual(b.status(), "probing")
      yield* Effect.sleep("6 seconds")
      assert.strictEqual(b.status(), "open")
      yield* b.send(good)
      assert.strictEqual(b.view().circuit, "closed")
    })
  )

  it.effect("a trial that is longer than its lease keeps its permit while its process lives", () =>
    simulated(function* () {
      const { all } = yield* fleet(["a", "b"])
      yield* all[0].send(down)
      yield* Effect.sleep("2 seconds")
      yield* Effect.fork(all[0].send({ delay: "1 minute" }))
      yield* Effect.sleep("50 seconds")
      assert.strictEqual(all[1].status(), "probing")
      yield* Effect.sleep("11 seconds")
      assert.deepStrictEqual(circuits(all), ["closed", "closed"])
    })
  )

  it.effect("what a provider wishes, and what an operator does, holds for all processes", () =>
    simulated(function* () {
      const { all } = yield* fleet(["a", "b"], { failures: false, failureRate: false })
      const [a, b] = all
      yield* a.send(fails("RateLimited", { retryAfter: 20_000 }))
      yield* Effect.sleep(300)
      assert.deepStrictEqual(statuses(all), ["retryAfter", "retryAfter"])
      yield* b.cooldowns.reset(b.slot)
      yield* Effect.sleep(300)
      assert.deepStrictEqual(statuses(all), ["open", "open"])
      yield* b.cooldowns.isolate("a")
      yield* Effect.sleep(300)
      assert.strictEqual(a.status(), "isolated")
      assert.deepStrictEqual(a.cooldowns.isolated(), ["a"])
      assert.include(a.tags(), "DeploymentIsolated")
      yield* a.cooldowns.release(a.slot)
      yield* Effect.sleep(300)
      assert.deepStrictEqual(statuses(all), ["open", "open"])
      yield* a.cooldowns.cool(a.slot, "5 seconds")
      yield* Effect.sleep(300)
      assert.deepStrictEqual(statuses(all), ["cooldown", "cooldown"])
    })
  )

  it.effect("without the engine each decides by itself, and on return the opening wins", () =>
    simulated(function* () {
      const { all } = yield* fleet(["a", "b"], { ...quick, duration: "20 seconds", maxDuration: "20 seconds" })
      const [a, b] = all
      for (const { state } of all) state.isAway = true
      yield* Effect.sleep("1 second")
      assert.deepStrictEqual([a.modes, b.modes], [["local"], ["local"]])
      yield* a.send(down)
      yield* b.cooldowns.isolate("b")
      yield* Effect.sleep("1 second")
      assert.deepStrictEqual(statuses(all), ["cooldown", "open"])
      for (const { state } of all) state.isAway = false
      yield* Effect.sleep("2 seconds")
      assert.deepStrictEqual(statuses(all), ["cooldown", "cooldown"])
      assert.deepStrictEqual(a.cooldowns.isolated(), ["b"])
    })
  )

  it.effect("a call on trial that began without the engine holds its permit in it on return", () =>
    simulated(function* () {
      const { all } = yield* fleet(["a", "b"])
      const [a, b] = all
      yield* a.send(down)
      yield* Effect.sleep(500)
      for (const { state } of all) state.isAway = true
      yield* Effect.sleep("2 seconds")
      yield* Effect.fork(a.send({ delay: "10 seconds" }))
      yield* Effect.sleep(500)
      for (const { state } of all) state.isAway = false
      yield* Effect.sleep("2 seconds")
      assert.deepStrictEqual(statuses(all), ["probing", "probing"])
      assert.isTrue(Either.isLeft(yield* b.send(good)))
      yield* Effect.sleep("8 seconds")
      assert.deepStrictEqual(circuits(all), ["closed", "closed"])
    })
  )

  it.effect("an engine that has lost all is told again", () =>
    simulated(function* () {
      const { all, engine } = yield* fleet(["a", "b"], { ...quick, duration: "1 minute", maxDuration: "1 minute" })
      yield* all[0].send(down)
      yield* all[0].cooldowns.isolate("b")
      yield* Effect.sleep(500)
      const fresh = yield* MemoryEngine.make()
      Object.assign(engine.breakers, fresh.breakers)
      yield* Effect.sleep("10 seconds")
      const late = yield* process(engine, "c")
      assert.strictEqual(late.status(), "cooldown")
      assert.deepStrictEqual(late.cooldowns.isolated(), ["b"])
      assert.deepStrictEqual(statuses(all), ["cooldown", "cooldown"])
    })
  )

  it.effect(
    "whoever is frozen, killed or left alone and whenever, there are never two trials at once, and it recovers",
    () =>
      simulated(function* () {
        let trials = 0
        for (let seed = 1; seed <= cases(60); seed++) {
          yield* Effect.scoped(
            Effect.gen(function* () {
              const dice = new Dice(seed)
              const { all } = yield* fleet(["a", "b", "c"])
              const gone = new Set<Process>()
              /** Calls on trial, and whether their process ran all the time. */
              const onTrial = new Map<object, { readonly by: Process; isSlept: boolean }>()
              const frozenAt = new Map<Process, number>()
              const fibers: Array<Fiber.RuntimeFiber<unknown>> = []
              const clock = yield* Effect.clock
              const begin = (by: Process, reply: StubLlm.Reply) => {
                const call = {}
                return Effect.fork(
                  Effect.ensuring(
                    by.send(reply, () => {
                      if (by.view().circuit !== "closed") {
                        trials++
                        onTrial.set(call, { by, isSlept: false })
                      }
                    }),
                    Effect.sync(() => onTrial.delete(call))
                  )
                )
              }
              for (let step = 0; step < 60; step++) {
                const by = dice.pick(all)
                const roll = dice.roll()
                const now = nowMs(clock)
                if (gone.has(by)) continue
                if (frozenAt.has(by)) {
                  if (roll < 0.3) {
                    frozenAt.delete(by)
                    by.state.isFrozen = false
                  }
                } else if (roll < 0.6) {
                  const reply = dice.pick([good, down, down, { delay: dice.below(3_000) }, { hang: true }])
                  fibers.push(yield* begin(by, reply))
                } else if (roll < 0.75) {
                  const [leaving] = fibers.splice(dice.below(fibers.length), 1)
                  if (leaving !== undefined) yield* Fiber.interruptFork(leaving)
                } else if (roll < 0.82) {
                  frozenAt.set(by, now)
                  by.state.isFrozen = true
                } else if (roll < 0.84 && gone.size < 2) {
                  gone.add(by)
                  by.state.isAway = true
                }
                yield* Effect.sleep(dice.pick([0, 1, 50, 500, 3_000]))
                for (const trial of onTrial.values()) {
                  const since = frozenAt.get(trial.by)
                  if (since !== undefined && nowMs(clock) - since > 6_000) trial.isSlept = true
                }
                const awake = [...onTrial.values()].filter(({ by, isSlept }) => !isSlept && !gone.has(by))
                assert.isAtMost(awake.length, 1, `seed ${seed}, step ${step}`)
              }
              for (const { state } of all) state.isFrozen = false
              yield* Effect.forEach(fibers, Fiber.interrupt)
              yield* Effect.sleep("12 seconds")
              const alive = all.filter((by) => !gone.has(by))
              for (const { send } of alive) yield* send(good)
              yield* Effect.sleep(500)
              assert.deepStrictEqual(
                circuits(alive),
                alive.map(() => "closed"),
                `seed ${seed}`
              )
            })
          )
        }
        assert.isAbove(trials, cases(60), "there were trials")
      })
  )
})
