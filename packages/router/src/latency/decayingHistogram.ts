const bucketsPerOctave = 4
const octaves = 21
const buckets = bucketsPerOctave * octaves + 1
const rescaleAt = 16
/** Where nothing fades, counts are halved before a float can no longer tell one more from none. */
const most = 2 ** 22

const bucketOf = (value: number): number =>
  value < 1 ? 0 : Math.min(buckets - 1, 1 + Math.floor(Math.log2(value) * bucketsPerOctave))

const upperBound = (bucket: number): number => 2 ** (bucket / bucketsPerOctave)

/** Fewer samples than this, faded ones counted in part, say nothing. */
const leastCount = 2 ** -5

/**
 * Quantiles over recent samples in bounded space: counts in logarithmic buckets (19 % wide, 1 ms to 35 minutes) that fade
 * with time. Fading is by forward decay (Cormode et al., 2009): a new sample weighs more, old counts are left alone.
 */
export class DecayingHistogram {
  private counts: Float32Array | undefined
  private total = 0
  private landmark = 0

  /** `tau` is the time in ms after which a sample's weight has fallen to 1/e. */
  constructor(private readonly tau: number) {}

  record(value: number, now: number): void {
    if (this.counts === undefined) {
      this.counts = new Float32Array(buckets)
      this.landmark = now
    }
    if (now - this.landmark > rescaleAt * this.tau) this.rescale(this.counts, now)
    const weight = Math.exp((now - this.landmark) / this.tau)
    const bucket = bucketOf(value)
    this.counts[bucket] = (this.counts[bucket] ?? 0) + weight
    this.total += weight
    if (this.total > most && !Number.isFinite(this.tau)) this.scale(this.counts, 0.5)
  }

  /** Samples, each counted by what is left of its weight. */
  count(now: number): number {
    return this.total * Math.exp((this.landmark - now) / this.tau)
  }

  /** The value below which a share `q` of the samples lies; undefined when there are none, or only faded ones. */
  quantile(q: number, now: number): number | undefined {
    const { counts } = this
    if (counts === undefined || this.count(now) < leastCount) return undefined
    let left = q * this.total
    let last = 0
    for (let i = 0; i < buckets; i++) {
      const count = counts[i] ?? 0
      if (count === 0) continue
      last = i
      if (count >= left) break
      left -= count
    }
    const lower = last === 0 ? 0 : upperBound(last - 1)
    const share = Math.min(1, left / (counts[last] ?? 1))
    return lower + share * (upperBound(last) - lower)
  }

  private rescale(counts: Float32Array, now: number): void {
    this.scale(counts, Math.exp((this.landmark - now) / this.tau))
    this.landmark = now
  }

  private scale(counts: Float32Array, factor: number): void {
    this.total = 0
    for (let i = 0; i < buckets; i++) {
      const count = (counts[i] ?? 0) * factor
      counts[i] = count
      this.total += count
    }
  }
}
