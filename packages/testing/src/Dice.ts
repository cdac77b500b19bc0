/**
 * Chance that can be had again: what a test, a fake upstream or a chaos run draws follows from its seed alone.
 *
 * @since 0.1.0
 */

interface Weighted {
  readonly weight: number
}

/**
 * Mulberry32: a small generator that gives the same numbers for the same seed everywhere.
 *
 * @since 0.1.0
 * @category models
 */
export class Dice {
  private state: number

  constructor(readonly seed: number) {
    this.state = seed >>> 0
  }

  /** Uniform in [0, 1). */
  roll(): number {
    this.state = (this.state + 0x6d2b79f5) >>> 0
    let t = this.state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }

  /** A whole number from 0 up to, but not including, `end`. */
  below(end: number): number {
    return Math.floor(this.roll() * end)
  }

  /** One of the items, each as likely as the others. */
  pick<const Items extends readonly [unknown, ...ReadonlyArray<unknown>]>(items: Items): Items[number] {
    return items[this.below(items.length)] ?? items[0]
  }

  /** One of the items, by their weights. */
  weighted<const Items extends readonly [Weighted, ...ReadonlyArray<Weighted>]>(items: Items): Items[number] {
    let left = this.roll() * items.reduce((sum, { weight }) => sum + weight, 0)
    for (const item of items) {
      left -= item.weight
      if (left < 0) return item
    }
    return items[0]
  }

  /** The items in another order. */
  shuffled<A>(items: ReadonlyArray<A>): Array<A> {
    const rest = [...items]
    return items.map(() => rest.splice(this.below(rest.length), 1)[0] as A)
  }
}

/**
 * A seed that follows from some words, so that parts of a run have dice of their own whatever the others draw.
 *
 * @since 0.1.0
 * @category constructors
 */
export const seedOf = (...words: ReadonlyArray<string | number>): number => {
  let hash = 2166136261
  for (const char of words.join("/")) hash = Math.imul(hash ^ (char.codePointAt(0) ?? 0), 16777619)
  return hash >>> 0
}
