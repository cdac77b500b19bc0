/**
 * Chance that is the same for the same seed. Each part of a simulation draws from a source of its own, so that one which draws
 * more often changes nothing for the others: all variants meet the same arrivals, lengths and incidents.
 */

/** A number of 32 bits for a text: FNV-1a. */
const hashOf = (text: string): number => {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  return hash >>> 0
}

/** A source of chance: the generator sfc32, whose state is four small integers. */
export class Draws {
  private readonly own: number
  private spare: number | undefined
  private a = 0
  private b = 0
  private c = 0
  private counter = 1

  /** `seed` is any number; sources of one seed and different names have nothing in common. */
  constructor(
    readonly seed: number,
    name: string
  ) {
    this.own = hashOf(`${seed}/${name}`)
    this.begin(hashOf(`${name}/${seed}`), 0)
  }

  /** Goes on from a place that two whole numbers name: what is drawn from there is the same whatever was drawn before. */
  begin(first: number, second: number): void {
    this.spare = undefined
    this.a = this.own
    this.b = first | 0
    this.c = second | 0
    this.counter = 1
    for (let i = 0; i < 12; i++) this.uniform()
  }

  /** Uniform, from 0 to below 1. */
  uniform(): number {
    const { a, b, c } = this
    const sum = (((a + b) | 0) + this.counter) | 0
    this.counter = (this.counter + 1) | 0
    this.a = b ^ (b >>> 9)
    this.b = (c + (c << 3)) | 0
    this.c = (((c << 21) | (c >>> 11)) + sum) | 0
    return (sum >>> 0) / 4294967296
  }

  /** Whether something of this probability happens; nothing is drawn where it is certain. */
  happens(probability: number): boolean {
    if (probability <= 0) return false
    return probability >= 1 || this.uniform() < probability
  }

  /** Exponential, with this mean. */
  exponential(mean: number): number {
    return -Math.log(1 - this.uniform()) * mean
  }

  /** Standard normal, after Box and Muller: they come in pairs. */
  normal(): number {
    const { spare } = this
    if (spare !== undefined) {
      this.spare = undefined
      return spare
    }
    const radius = Math.sqrt(-2 * Math.log(1 - this.uniform()))
    const angle = 2 * Math.PI * this.uniform()
    this.spare = radius * Math.sin(angle)
    return radius * Math.cos(angle)
  }
}
