import { assert, describe, it } from "@effect/vitest"
import type { DeploymentConfig } from "@switchyard/core/Deployment"
import { nowMs } from "@switchyard/core/Time"
import type { Engine } from "@switchyard/router/Engine"
import * as EngineGuard from "@switchyard/router/EngineGuard"
import * as MemoryEngine from "@switchyard/router/MemoryEngine"
import * as SharedUsageWindows from "@switchyard/router/SharedUsageWindows"
import type { Reservation } from "@switchyard/router/UsageWindows"
import { Dice } from "@switchyard/testing/Dice"
import { cases } from "@switchyard/testing/Effort"
import * as StubLlm from "@switchyard/testing/StubLlm"
import { Effect, type Scope } from "effect"
import type { YieldWrap } from "effect/Utils"
import { reachable } from "../fleet/reachable.js"
import { simulate } from "../support/schedules.js"

/** One process with its own view of the deployment. */
const process = (shared: Engine, id: string, config: Partial<DeploymentConfig>) =>
  Effect.gen(function* () {
    const { engine, state } = reachable(shared)
    const modes: Array<string> = []
    const guard = yield* EngineGuard.make(engine, { id, onChange: ({ mode }) => void modes.push(mode) })
    const windows = yield* SharedUsageWindows.make(guard)
    const slot = StubLlm.slot("a", config)
    const clock = yield* Effect.clock
    return {
      modes,
      state,
      now: () => nowMs(clock),
      status: (tokens = 1) => windows.status(slot, tokens, nowMs(clock)),
      holding: () => windows.holding(slot),
      usage: () => windows.usage(slot, nowMs(clock)),
      reserve: (tokens = 1) => Effect.suspend(() => windows.reserve(slot, tokens, nowMs(clock)))
    }
  })

type Process = Effect.Effect.Success<ReturnType<typeof process>>

/** How many of so many that ask are admitted. */
const admitted = (from: Process, count: number): Effect.Effect<ReadonlyArray<Reservation>> =>
  Effect.map(
    Effect.forEach(Array.from({ length: count }), () => from.reserve()),
    (answers) => answers.flatMap((answer) => (answer._tag === "Reservation" ? [answer] : []))
  )

/** In a time of its own, in which a sleep lasts no real time. */
const simulated = <E, A>(
  body: () => Generator<YieldWrap<Effect.Effect<unknown, E, Scope.Scope>>, A, never>
): Effect.Effect<A, E> => simulate(Effect.scoped(Effect.gen(body)))

const two = (config: Partial<DeploymentConfig>) =>
  Effect.gen(function* () {
    const engine = yield* MemoryEngine.make()
    const a = yield* process(engine, "a", config)
    const b = yield* process(engine, "b", config)
    // Each has heard of the other.
    yield* Effect.sleep("1 second")
    const calls = Effect.map(engine.usage.look(["deployment:a"], 60_000), ([use]) => use?.calls)
    const used = Effect.map(engine.usage.look(["deployment:a"], 60_000), ([use]) => [use?.requests, use?.tokens])
    return { a, b, calls, used }
  })

describe("limits over an engine", () => {
  it.effect("two processes admit together what one deployment may be asked for", () =>
    simulated(function* () {
      const { a, b } = yield* two({ rpm: 10 })
      const first = yield* admitted(a, 7)
      const second = yield* admitted(b, 7)
      assert.deepStrictEqual([first.length, second.length], [7, 3])
      assert.strictEqual(b.status()._tag, "Busy")
      yield* Effect.sleep("60 seconds")
      assert.strictEqual((yield* admitted(b, 20)).length, 10)
    })
  )

  it.effect("a permit that comes back in one process is there for the other", () =>
    simulated(function* () {
      const { a, b } = yield* two({ maxParallel: 2 })
      const [call] = yield* admitted(a, 2)
      assert.strictEqual((yield* admitted(b, 1)).length, 0)
      call?.settle(1, a.now())
      yield* Effect.yieldNow()
      assert.strictEqual((yield* admitted(b, 2)).length, 1)
    })
  )

  it.effect("what others use shows in selection within a moment", () =>
    simulated(function* () {
      const { a, b } = yield* two({ maxParallel: 1, tpm: 100 })
      assert.strictEqual(b.status()._tag, "Open")
      yield* a.reserve(80)
      yield* Effect.sleep("250 millis")
      assert.strictEqual(b.status()._tag, "Busy")
      assert.strictEqual(b.usage().tokens, 80)
      assert.closeTo(b.usage().headroom, 0.2, 1e-9)
    })
  )

  it.effect("without the engine each admits its share, and what is left over goes to those that stand first", () =>
    simulated(function* () {
      const { a, b } = yield* two({ rpm: 11 })
      a.state.isAway = true
      b.state.isAway = true
      const counts = [(yield* admitted(a, 20)).length, (yield* admitted(b, 20)).length]
      assert.deepStrictEqual(counts, [6, 5])
      assert.deepStrictEqual([a.modes, b.modes], [["local"], ["local"]])
    })
  )

  it.effect("what went on without the engine counts once it is back", () =>
    simulated(function* () {
      const { a, b, calls, used } = yield* two({ rpm: 10, maxParallel: 10 })
      const [before] = yield* admitted(a, 1)
      a.state.isAway = true
      const [over, running] = yield* admitted(a, 4)
      over?.settle(7, a.now())
      before?.settle(5, a.now())
      a.state.isAway = false
      yield* Effect.sleep("4 seconds")
      assert.deepStrictEqual(a.modes, ["local", "shared"])
      assert.strictEqual(yield* calls, 3)
      assert.deepStrictEqual(yield* used, [5, 5 + 7 + 3])
      assert.strictEqual((yield* admitted(b, 10)).length, 5)
      running?.settle(1, a.now())
      yield* Effect.yieldNow()
      assert.strictEqual(yield* calls, 3 + 5 - 1)
    })
  )

  it.effect("a process that did not run for longer than its lease ends its calls when it wakes", () =>
    simulated(function* () {
      const engine = yield* MemoryEngine.make()
      const a = yield* process(engine, "a", { maxParallel: 1 })
      const [call] = yield* admitted(a, 1)
      let ended = 0
      call?.whenLost?.(() => {
        ended++
        call.settle(0, a.now())
      })
      yield* Effect.sleep("1 minute")
      assert.strictEqual(ended, 0, "it is held on while its process lives")
      // Another takes the room: as if this process had slept through its lease.
      yield* engine.usage.settle({ key: "deployment:a", attempt: "a:1" }, 0)
      yield* Effect.sleep("10 seconds")
      assert.strictEqual(ended, 1)
      assert.strictEqual(a.holding().calls, 0)
    })
  )

  it.effect(
    "whatever fails and whenever, all room comes back, and with an engine that answers no limit is passed",
    () =>
      simulated(function* () {
        for (let seed = 1; seed <= cases(300); seed++) {
          yield* Effect.scoped(
            Effect.gen(function* () {
              const dice = new Dice(seed)
              const config = { maxParallel: 3, rpm: 40 }
              const engine = yield* MemoryEngine.make()
              const processes = yield* Effect.forEach(["a", "b", "c"], (id) => process(engine, id, config))
              const isCalm = seed % 2 === 0
              const running: Array<{ readonly call: Reservation; readonly by: Process }> = []
              for (let step = 0; step < 60; step++) {
                const by = dice.pick(processes as [Process, ...Array<Process>])
                const roll = dice.roll()
                if (roll < 0.45) {
                  const answer = yield* by.reserve(dice.below(10))
                  if (answer._tag === "Reservation") running.push({ call: answer, by })
                } else if (roll < 0.8) {
                  const [ending] = running.splice(dice.below(running.length), 1)
                  if (ending !== undefined && dice.roll() < 0.8) ending.call.settle(dice.below(20), ending.by.now())
                  else ending?.call.release(ending.by.now())
                } else if (roll < 0.9) yield* Effect.sleep(dice.below(3_000))
                else if (!isCalm) by.state.isAway = !by.state.isAway
                yield* Effect.yieldNow()
                if (isCalm) assert.isAtMost(running.length, 3, `seed ${seed}`)
              }
              for (const { state } of processes) state.isAway = false
              for (const { by, call } of running) call.settle(1, by.now())
              yield* Effect.sleep("15 seconds")
              const [use] = yield* engine.usage.look(["deployment:a"], 60_000)
              assert.deepStrictEqual(
                [use?.calls, ...processes.map((by) => by.holding().calls)],
                [0, 0, 0, 0],
                `seed ${seed}`
              )
            })
          )
        }
      })
  )
})
