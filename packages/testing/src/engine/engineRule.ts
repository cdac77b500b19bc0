import type { Engine, EngineError } from "@switchyard/router/Engine"
import { Data, Effect } from "effect"

/** What a check works with. */
export interface Harness {
  readonly engine: Engine
  /** Lets that much of the engine's time pass, ms. */
  readonly pass: (ms: number) => Effect.Effect<void>
  /** Length of the windows and leases that checks wait for, ms: short where time is real, and long enough for a busy machine. */
  readonly window: number
  /** Distinguishes the keys of this run from those of others. */
  readonly run: string
}

/** An engine does something else. */
export class Found extends Data.TaggedError("Found")<{ readonly detail: string }> {}

/** Fails with what was found, where it is not what was wanted. */
export const expect = (what: string, found: unknown, wanted: unknown): Effect.Effect<void, Found> =>
  JSON.stringify(found) === JSON.stringify(wanted)
    ? Effect.void
    : Effect.fail(new Found({ detail: `${what}: expected ${JSON.stringify(wanted)}, found ${JSON.stringify(found)}` }))

/** What every engine must do, and how that is looked at. */
export type Rule = readonly [name: string, check: (harness: Harness) => Effect.Effect<void, Found | EngineError>]
