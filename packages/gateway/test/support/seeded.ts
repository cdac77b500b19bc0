/** Chance that can be had again: the same numbers for the same seed. */
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

  pick<A>(items: readonly [A, ...ReadonlyArray<A>]): A {
    return items[this.below(items.length)] ?? items[0]
  }
}

/** The seed that a run was asked for by a variable of the environment, or a new one. */
export const seedFrom = (variable: string): number => {
  const given = Number(process.env[variable])
  return Number.isInteger(given) && given > 0 ? given : Date.now() % 1_000_000_000
}
