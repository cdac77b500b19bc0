import { assert, describe, it } from "@effect/vitest"
import * as LlmRequest from "@switchyard/core/LlmRequest"
import * as LlmService from "@switchyard/core/LlmService"
import { nowMs } from "@switchyard/core/Time"
import * as CallerLimits from "@switchyard/router/CallerLimits"
import type * as CallerTerms from "@switchyard/router/CallerTerms"
import type { CallerLimit, Reservation } from "@switchyard/router/CallerWindows"
import type { Engine } from "@switchyard/router/Engine"
import * as EngineGuard from "@switchyard/router/EngineGuard"
import * as MemoryEngine from "@switchyard/router/MemoryEngine"
import * as SharedCallerWindows from "@switchyard/router/SharedCallerWindows"
import { Dice } from "@switchyard/testing/Dice"
import { cases } from "@switchyard/testing/Effort"
import * as StubLlm from "@switchyard/testing/StubLlm"
import { Effect, Either, Exit, Fiber, Scope } from "effect"
import type { YieldWrap } from "effect/Utils"
import { reachable } from "../fleet/reachable.js"
import { simulate } from "../support/schedules.js"

/** In a time of its own, in which a sleep lasts no real time. */
const simulated = <E, A>(
  body: () => Generator<YieldWrap<Effect.Effect<unknown, E, Scope.Scope>>, A, never>
): Effect.Effect<A, E> => simulate(Effect.scoped(Effect.gen(body)))

/** One process: its windows, and a service that holds alice and her team to limits. */
const process = (shared: Engine, id: string, limit: CallerLimit, team?: CallerLimit) =>
  Effect.gen(function* () {
    const { engine, state } = reachable(shared)
    const scope = yield* Scope.make()
    yield* Effect.addFinalizer(() => Scope.close(scope, Exit.void))
    const guard = yield* Scope.extend(EngineGuard.make(engine, { id }), scope)
    const windows = yield* Scope.extend(SharedCallerWindows.make(guard), scope)
    const clock = yield* Effect.clock
    const stub = StubLlm.make({})
    const terms: CallerTerms.Service = {
      of: () => (team === undefined ? undefined : { budgets: [], limits: [{ scope: "team", key: "red", limit: team }] })
    }
    return {
      state,
      stub,
      guard,
      now: () => nowMs(clock),
      service: stub.requests.pipe(CallerLimits.make({ windows, terms }, { callers: { alice: limit } })),
      holding: () => windows.window("alice", nowMs(clock)).used(nowMs(clock)).calls,
      ask: (tokens = 1) =>
        Effect.suspend(
          () => windows.window("alice", nowMs(clock)).ask?.(limit, tokens, nowMs(clock)) ?? Effect.die("nobody asks")
        ),
      /** As `kill -9` does: it says nothing any more, not even good-bye. */
      die: Effect.zipRight(
        Effect.sync(() => {
          state.isAway = true
        }),
        Scope.close(scope, Exit.void)
      )
    }
  })

type Process = Effect.Effect.Success<ReturnType<typeof process>>

const two = (limit: CallerLimit, team?: CallerLimit) =>
  Effect.gen(function* () {
    const engine = yield* MemoryEngine.make()
    const a = yield* process(engine, "a", limit, team)
    const b = yield* process(engine, "b", limit, team)
    // Each has heard of the other.
    yield* Effect.sleep("1 second")
    const used = (key = "caller:alice") =>
      Effect.map(engine.usage.look([key], 60_000), ([use]) => [use?.requests, use?.tokens, use?.calls])
    return { a, b, used, engine }
  })

const request = LlmRequest.chat(
  { model: "m", messages: [{ role: "user", content: "" }], max_tokens: 4 },
  { caller: "alice" }
)

const call = ({ service }: Process) => Effect.either(LlmService.complete(service, request))

const refusal = ({ service }: Process) => Effect.orDie(Effect.flip(LlmService.complete(service, request)))

const calls = (from: Process, count: number) =>
  Effect.map(Effect.replicateEffect(call(from), count), (all) => all.filter(Either.isRight).length)

describe("callers' limits over an engine", () => {
  it.effect("two processes let a caller in as often as one may, and say when it fits by the use of both", () =>
    simulated(function* () {
      const { a, b } = yield* two({ rpm: 5 })
      assert.strictEqual(yield* calls(a, 3), 3)
      yield* Effect.sleep("10 seconds")
      assert.strictEqual(yield* calls(b, 4), 2)
      const refused = yield* refusal(b)
      assert.deepStrictEqual(
        [refused.reason, refused.code, refused.retryAfter],
        ["Rejected", "caller_limit", 50_000],
        "the first of the other process's requests leaves first"
      )
      yield* Effect.sleep("50 seconds")
      assert.strictEqual(yield* calls(b, 9), 3)
    })
  )

  it.effect("tokens that one process used count in the other once the call is over", () =>
    simulated(function* () {
      const { a, b, used } = yield* two({ tpm: 100 })
      const room = yield* a.ask(90)
      assert.strictEqual((yield* b.ask(20))._tag, "Busy")
      if (room._tag === "Reservation") room.settle(30, a.now())
      yield* Effect.yieldNow()
      assert.deepStrictEqual(yield* used(), [1, 30, 0])
      assert.strictEqual((yield* b.ask(70))._tag, "Reservation")
      assert.strictEqual((yield* b.ask(1))._tag, "Busy")
    })
  )

  it.effect("a call whose caller leaves gives its permit back to all", () =>
    simulated(function* () {
      const { a, b, used } = yield* two({ maxParallel: 1 })
      a.stub.reply({ hang: true })
      const hanging = yield* Effect.fork(call(a))
      yield* Effect.sleep(1)
      assert.strictEqual(yield* calls(b, 1), 0)
      yield* Fiber.interrupt(hanging)
      yield* Effect.sleep(1)
      assert.strictEqual((yield* used())[2], 0)
      assert.strictEqual(yield* calls(b, 1), 1)
    })
  )

  it.effect("what a team or the caller itself refuses takes nothing of the other's room", () =>
    simulated(function* () {
      const { a, b, used } = yield* two({ rpm: 10 }, { rpm: 2 })
      assert.strictEqual(yield* calls(a, 1), 1)
      const refused = yield* Effect.zipRight(calls(b, 1), refusal(b))
      yield* Effect.sleep(1)
      assert.strictEqual(refused.code, "team_limit")
      assert.deepStrictEqual([(yield* used())[0], (yield* used("team:red"))[0]], [2, 2])
    })
  )

  it.effect("without the engine each admits its share, and what went on is told when it is back", () =>
    simulated(function* () {
      const { a, b, used } = yield* two({ rpm: 11 })
      for (const { state } of [a, b]) state.isAway = true
      assert.deepStrictEqual([yield* calls(a, 20), yield* calls(b, 20)], [6, 5])
      for (const { state } of [a, b]) state.isAway = false
      yield* Effect.sleep("4 seconds")
      assert.strictEqual((yield* used())[0], 11)
      assert.strictEqual(yield* calls(b, 20), 0)
    })
  )

  it.effect("permits of a process that died come back with their lease, those of one that lives are held on", () =>
    simulated(function* () {
      const { a, b } = yield* two({ maxParallel: 2 })
      yield* a.ask()
      yield* b.ask()
      yield* a.die
      yield* Effect.sleep("9 seconds")
      assert.strictEqual((yield* b.ask())._tag, "Busy")
      yield* Effect.sleep("2 seconds")
      assert.strictEqual((yield* b.ask())._tag, "Reservation")
      yield* Effect.sleep("1 minute")
      assert.strictEqual((yield* b.ask())._tag, "Busy")
    })
  )

  it.effect(
    "permits that went to others while a process was frozen end its calls once it wakes, and free nothing twice",
    () =>
      simulated(function* () {
        const { a, b, engine, used } = yield* two({ maxParallel: 1 })
        const room = yield* a.ask()
        let ended = 0
        if (room._tag === "Reservation") {
          room.whenLost?.(() => {
            ended++
            room.settle(1, a.now())
          })
        }
        // As if it had slept through its lease.
        yield* engine.usage.settle({ key: "caller:alice", attempt: "a:1" }, 0)
        assert.strictEqual((yield* b.ask())._tag, "Reservation")
        yield* Effect.sleep("10 seconds")
        assert.deepStrictEqual([ended, (yield* used())[2], a.holding()], [1, 1, 0])
        assert.strictEqual((yield* a.ask())._tag, "Busy")
      })
  )

  it.effect("calls under limits of requests alone go on in a process that was frozen, and count", () =>
    simulated(function* () {
      const { a, b, engine, used } = yield* two({ rpm: 2 })
      const room = yield* a.ask()
      assert.isFalse(room._tag === "Reservation" && "whenLost" in room)
      yield* engine.usage.settle({ key: "caller:alice", attempt: "a:1" }, 0)
      yield* Effect.sleep("10 seconds")
      assert.strictEqual(a.holding(), 1)
      if (room._tag === "Reservation") room.settle(1, a.now())
      yield* Effect.sleep(1)
      assert.deepStrictEqual([(yield* used())[2], a.holding()], [0, 0])
      assert.strictEqual((yield* Effect.zipRight(b.ask(), b.ask()))._tag, "Busy")
    })
  )

  it.effect(
    "whatever fails and whoever dies, all room comes back; the limit is passed only without the engine, by a share",
    () =>
      simulated(function* () {
        for (let seed = 1; seed <= cases(300); seed++) {
          yield* Effect.scoped(
            Effect.gen(function* () {
              const dice = new Dice(seed)
              const limit = { maxParallel: 3, rpm: 40 }
              const engine = yield* MemoryEngine.make()
              let made = 0
              const start = Effect.suspend(() => process(engine, `p${++made}`, limit))
              const processes = yield* Effect.all([start, start, start])
              const isCalm = seed % 2 === 0
              let running: Array<{ readonly room: Reservation; readonly by: Process }> = []
              const admittedAt: Array<number> = []
              for (let step = 0; step < 60; step++) {
                const place = dice.below(processes.length)
                const by = processes[place] as Process
                const roll = dice.roll()
                if (roll < 0.45) {
                  const room = yield* by.ask(dice.below(10))
                  if (room._tag === "Reservation") {
                    running.push({ room, by })
                    admittedAt.push(by.now())
                  }
                } else if (roll < 0.8) {
                  const [ending] = running.splice(dice.below(running.length), 1)
                  ending?.room.settle(dice.below(20), ending.by.now())
                } else if (roll < 0.92) yield* Effect.sleep(dice.below(3_000))
                else if (roll < 0.95) {
                  // Its calls die with it; their room is held until their leases end, so that no more run than may.
                  yield* by.die
                  running = running.filter((one) => one.by !== by)
                  processes[place] = yield* start
                } else if (!isCalm) by.state.isAway = !by.state.isAway
                yield* Effect.yieldNow()
                const now = by.now()
                const inWindow = admittedAt.filter((at) => at > now - 60_000).length
                const most = isCalm ? 1 : 2
                assert.isAtMost(running.length, limit.maxParallel * most, `seed ${seed}`)
                assert.isAtMost(inWindow, limit.rpm * most, `seed ${seed}`)
              }
              for (const { state } of processes) state.isAway = false
              for (const { by, room } of running) room.settle(1, by.now())
              yield* Effect.sleep("15 seconds")
              const [use] = yield* engine.usage.look(["caller:alice"], 60_000)
              assert.deepStrictEqual(
                [use?.calls, ...processes.map((by) => by.holding())],
                [0, ...processes.map(() => 0)],
                `seed ${seed}`
              )
            })
          )
        }
      })
  )
})
