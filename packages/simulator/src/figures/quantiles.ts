/** Numbers that grow in number: their exact quantiles. */
export class Samples {
  private values = new Float64Array(1024)
  private count = 0
  private isSorted = true
  private total = 0

  add(value: number): void {
    if (this.count === this.values.length) {
      const wider = new Float64Array(this.count * 2)
      wider.set(this.values)
      this.values = wider
    }
    this.values[this.count++] = value
    this.total += value
    this.isSorted = false
  }

  get size(): number {
    return this.count
  }

  /** NaN of none. */
  get mean(): number {
    return this.total / this.count
  }

  /** By the nearest rank; NaN of none. */
  quantile(share: number): number {
    if (!this.isSorted) {
      this.values.subarray(0, this.count).sort()
      this.isSorted = true
    }
    return this.values[Math.min(this.count - 1, Math.max(0, Math.ceil(share * this.count) - 1))] ?? Number.NaN
  }
}
