import { assert, describe, it } from "@effect/vitest"
import type * as Outcome from "@switchyard/core/Outcome"
import { nowMs } from "@switchyard/core/Time"
import type { Engine } from "@switchyard/router/Engine"
import * as EngineGuard from "@switchyard/router/EngineGuard"
import * as MemoryEngine from "@switchyard/router/MemoryEngine"
import * as SharedLatencyTracker from "@switchyard/router/SharedLatencyTracker"
import * as StubLlm from "@switchyard/testing/StubLlm"
import { Effect } from "effect"
import { reachable } from "../fleet/reachable.js"
import { simulate } from "../support/schedules.js"

const process = (shared: Engine, id: string) =>
  Effect.gen(function* () {
    const { engine, state } = reachable(shared)
    const guard = yield* EngineGuard.make(engine, { id })
    const tracker = yield* SharedLatencyTracker.make(guard)
    const slot = StubLlm.slot("a")
    const clock = yield* Effect.clock
    return {
      state,
      figures: tracker.of(slot),
      at: () => nowMs(clock),
      duration: () => tracker.of(slot).duration(nowMs(clock)),
      /** A call that takes that long. */
      call: (ms: number, stream = false) =>
        Effect.gen(function* () {
          const call = tracker.begin(slot, stream, nowMs(clock))
          yield* Effect.sleep(ms)
          call.answered(nowMs(clock))
          const usage = { inputTokens: 1, outputTokens: 10, totalTokens: 11 }
          call.settled(
            { _tag: "Completed", usage, timeToFirstToken: ms, duration: ms } as unknown as Outcome.Outcome,
            nowMs(clock)
          )
        })
    }
  })

const scoped = <A, E>(body: Effect.Effect<A, E, import("effect").Scope.Scope>) => simulate(Effect.scoped(body))

describe("latencies over an engine", () => {
  it.effect("a process that has just begun knows what the others measured", () =>
    scoped(
      Effect.gen(function* () {
        const engine = yield* MemoryEngine.make()
        const a = yield* process(engine, "a")
        for (let n = 0; n < 5; n++) yield* a.call(400)
        for (let n = 0; n < 5; n++) yield* a.call(100, true)
        yield* Effect.sleep("2 seconds")
        const b = yield* process(engine, "b")
        assert.closeTo(b.duration() ?? 0, a.duration() ?? -1, 1)
        assert.closeTo(b.figures.timeToFirstToken(b.at()) ?? 0, 100, 1)
        assert.isAbove(b.figures.durationPerToken(b.at()) ?? 0, 1)
        assert.closeTo(b.figures.peak(b.at()) ?? 0, a.figures.peak(a.at()) ?? -1, 1)
        assert.isBelow(b.figures.wholes.share, 1)
        assert.isBelow(b.figures.wholes.age(b.at()), 5_000)
        assert.strictEqual(b.figures.running, 0)
      })
    )
  )

  it.effect("each weighs what it measured and what others did, and both agree", () =>
    scoped(
      Effect.gen(function* () {
        const engine = yield* MemoryEngine.make()
        const [a, b] = [yield* process(engine, "a"), yield* process(engine, "b")]
        for (let n = 0; n < 8; n++) yield* a.call(100)
        yield* b.call(1_000)
        yield* Effect.sleep("5 seconds")
        const [first, second] = [a.duration() ?? 0, b.duration() ?? 0]
        assert.closeTo(first, second, 20)
        assert.isAbove(first, 110)
        assert.isBelow(first, 500)
        assert.isAbove(a.figures.peak(a.at()) ?? 0, 300, "a peak that others see is one")
      })
    )
  )

  it.effect("what a process said that is gone counts no more, and without the engine each goes by its own", () =>
    scoped(
      Effect.gen(function* () {
        const engine = yield* MemoryEngine.make()
        const [a, b] = [yield* process(engine, "a"), yield* process(engine, "b")]
        yield* a.call(400)
        yield* Effect.sleep("5 seconds")
        assert.closeTo(b.duration() ?? 0, 400, 1)
        a.state.isAway = true
        yield* Effect.sleep("10 seconds")
        assert.isUndefined(b.duration())
        assert.closeTo(a.duration() ?? 0, 400, 1)
      })
    )
  )

  it.effect("what is no word of figures is passed over", () =>
    scoped(
      Effect.gen(function* () {
        const engine = yield* MemoryEngine.make()
        const words = [
          "",
          "[]",
          "{",
          '{"a":5}',
          '{"a":["x",null,[1,2,3,4],-1]}',
          '{"a":[[400,-1,1,null],[1,0,7,0],null,"5"]}'
        ]
        for (const [index, word] of words.entries()) yield* engine.boards.post("latencies", `m${index}`, word, 60_000)
        const a = yield* process(engine, "a")
        assert.isUndefined(a.duration())
        assert.isUndefined(a.figures.timeToFirstToken(a.at()))
        assert.isUndefined(a.figures.peak(a.at()))
      })
    )
  )
})
