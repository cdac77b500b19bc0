/** Notices a worker that is there and answers nothing any more: one in an endless loop, or one that is frozen. */
import type { EngineError } from "@switchyard/router/Engine"
import { Effect } from "effect"
import type { Well } from "./protocol.js"

/** How a worker is asked whether it is well. */
export interface Options {
  /** Asks it; takes ms. */
  readonly ask: (within: number) => Effect.Effect<Well, Pick<EngineError, "reason">>
  /** It did not answer in time. */
  readonly hung: Effect.Effect<void>
}

/** Ms after an answer until it is asked again, and ms that an answer may take. */
const every = 5_000

/**
 * Asks until the worker does not answer: `hung` runs once, 5 to 10 seconds after it has come to a stand. Shorter stands are none: a
 * collection of all garbage, a machine that is very busy. One that a debugger may halt stands for as long as it likes.
 */
export const watch = ({ ask, hung }: Options): Effect.Effect<void> =>
  Effect.gen(function* () {
    let isDebugged = false
    for (;;) {
      yield* Effect.sleep(every)
      const answer = yield* Effect.either(ask(every))
      if (answer._tag === "Right") isDebugged = answer.right.isDebugged
      else if (answer.left.reason !== "slow") return
      else if (!isDebugged) return yield* hung
    }
  })
