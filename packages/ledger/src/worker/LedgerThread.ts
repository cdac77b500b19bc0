/**
 * The thread of a ledger that is going to be opened, begun while it is not known yet where that is: a thread takes 75 ms until it
 * has opened a store, of which 60 are the same for any.
 */
import { Worker } from "node:worker_threads"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { threadModule } from "./threadModule.js"

/**
 * MiB for what the thread has just made, and for what it keeps: it makes much of a journal and keeps nothing of it. What Node gives
 * by itself goes by the machine's memory: 30 MiB more of the gateway, for good. A hundred thousand keys have room.
 */
const resourceLimits = { maxYoungGenerationSizeMb: 4, maxOldGenerationSizeMb: 1_024 }

let spare: Worker | undefined

const begun = (): Worker => new Worker(threadModule(), { execArgv: [], resourceLimits })

/** Ends the thread that was begun, where no ledger has taken it. */
export const discard: Effect.Effect<void> = Effect.sync(() => {
  const left = spare
  spare = undefined
  void left?.terminate()
})

/** Begins a thread, which the next ledger of this process takes. It keeps no process alive; what is left of it ends with the scope. */
export const prepare: Effect.Effect<void, never, Scope.Scope> = Effect.acquireRelease(
  Effect.sync(() => {
    if (spare !== undefined) return
    const worker = begun()
    const forget = (): void => {
      if (spare === worker) spare = undefined
    }
    // Whoever takes it hears what happens to it; before that it is as if it had not been begun.
    worker.once("error", forget)
    worker.once("exit", forget)
    worker.unref()
    spare = worker
  }),
  () => discard
)

/** @internal The thread that was begun, or a new one; it waits to be told what for. */
export const take = (): Worker => {
  const taken = spare ?? begun()
  spare = undefined
  taken.ref()
  return taken
}
