import type { Effect } from "effect"

/** A step at a moment of the engine's own clock, ms. */
export type At = <A>(step: (now: number) => A) => Effect.Effect<A>
