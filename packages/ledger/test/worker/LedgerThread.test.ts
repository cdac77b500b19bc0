/** The ledger's thread that is begun before it is known what for. */
import { subscribe, unsubscribe } from "node:diagnostics_channel"
import type { Worker } from "node:worker_threads"
import { assert, describe, it } from "@effect/vitest"
import { discard, prepare, take } from "@switchyard/ledger/LedgerThread"
import { Effect } from "effect"

/** Threads of a process are numbered in the order in which they begin. */
const taken = Effect.acquireRelease(Effect.sync(take), (worker) => Effect.promise(() => worker.terminate()))
const number = Effect.scoped(Effect.map(taken, ({ threadId }) => threadId))

describe("a thread that was begun for a ledger", () => {
  it.scoped("is the next ledger's, and no other's", () =>
    Effect.gen(function* () {
      const before = yield* number
      yield* prepare
      // Another gateway of the process that begins meanwhile.
      yield* prepare
      const first = yield* taken
      const second = yield* taken
      assert.deepStrictEqual([first.threadId, second.threadId], [before + 1, before + 2])
    })
  )

  it.effect("ends with the gateway's scope, or when it is told that nobody needs it", () =>
    Effect.gen(function* () {
      const before = yield* number
      yield* Effect.scoped(prepare)
      assert.strictEqual(yield* number, before + 2)
      yield* Effect.scoped(Effect.zipRight(prepare, discard))
      assert.strictEqual(yield* number, before + 4)
    })
  )

  it.scoped("that has ended before somebody took it is begun anew", () =>
    Effect.gen(function* () {
      const begun: Array<Worker> = []
      const note = (message: unknown): void => void begun.push((message as { readonly worker: Worker }).worker)
      subscribe("worker_threads", note)
      yield* Effect.addFinalizer(() => Effect.sync(() => unsubscribe("worker_threads", note)))
      yield* prepare
      yield* Effect.promise(() => begun[0]?.terminate() ?? Promise.resolve(0))
      const next = yield* taken
      assert.deepStrictEqual([begun.length, begun[1] === next], [2, true])
    })
  )
})
