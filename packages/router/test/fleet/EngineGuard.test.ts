import { assert, describe, it } from "@effect/vitest"
import { type Engine, EngineError } from "@switchyard/router/Engine"
import * as EngineGuard from "@switchyard/router/EngineGuard"
import * as MemoryEngine from "@switchyard/router/MemoryEngine"
import { Effect, TestClock } from "effect"

const refused = new EngineError({ reason: "refused", description: "a key under the prefix belongs to another program" })

/** A guard of an engine that answers, and refuses one board whenever it is asked for it. */
const start = Effect.gen(function* () {
  const engine = yield* MemoryEngine.make()
  const state = { isRefusing: true, changes: 0 }
  const read: Engine["boards"]["read"] = (board) =>
    Effect.suspend(() => (state.isRefusing ? Effect.fail(refused) : engine.boards.read(board)))
  const refusing = { ...engine, boards: { ...engine.boards, read } }
  const onChange = (): void => void state.changes++
  const guard = yield* EngineGuard.make(refusing, { id: "a", onChange })
  const ask = Effect.suspend(() =>
    guard.mode() === "local" ? Effect.void : guard.ask(refusing.boards.read("a"))
  ).pipe(Effect.ignore)
  /** Asks every half second. */
  const pass = (seconds: number) => Effect.replicateEffect(Effect.zipRight(ask, TestClock.adjust(500)), 2 * seconds)
  return { guard, pass, state }
})

describe("the guard of an engine", () => {
  it.scoped("whose engine answers and refuses each time anew is asked ever more seldom", () =>
    Effect.gen(function* () {
      const { guard, pass, state } = yield* start
      yield* pass(40)
      // Back at once, then after 0.5, 1, 2, 4, 8 and 16 seconds: not each half second.
      assert.isAtMost(state.changes, 16)
      state.isRefusing = false
      yield* pass(32)
      assert.strictEqual(guard.mode(), "shared")
      const before = state.changes
      yield* pass(11)
      assert.strictEqual(state.changes, before)
      // Once it was good for a while, the next refusal is as the first.
      state.isRefusing = true
      yield* pass(1)
      assert.isAtLeast(state.changes, before + 2)
    })
  )
})
