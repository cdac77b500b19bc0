/**
 * Dice for synchronous choices: jitter, weighted picks, ties.
 */
import { Effect, Random } from "effect"
import { PCGRandom } from "effect/Utils"

/** A source of uniform numbers in [0, 1), seeded once from Effect's `Random`. */
export type Uniform = () => number

/**
 * Seeds a generator from Effect's `Random`: choices are synchronous, and still the same for the same seed (in tests and
 * in the simulator: `Effect.withRandom(Random.make("seed"))` around the layer).
 */
export const uniform: Effect.Effect<Uniform> = Effect.map(Random.nextIntBetween(0, 0x7fff_ffff), (seed) => {
  const generator = new PCGRandom(seed)
  return () => generator.number()
})
