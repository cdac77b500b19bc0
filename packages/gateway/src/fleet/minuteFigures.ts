/** Seconds of a minute, each with what ended in it. */
const seconds = 60

/** What ended in the last 60 seconds, to the second. Times are monotonic ms. */
export class MinuteFigures {
  private readonly requests = new Float64Array(seconds)
  private readonly errors = new Float64Array(seconds)
  private newest = 0

  note(isError: boolean, now: number): void {
    const at = this.advance(now)
    this.requests[at] = (this.requests[at] ?? 0) + 1
    if (isError) this.errors[at] = (this.errors[at] ?? 0) + 1
  }

  sum(now: number): { readonly requests: number; readonly errors: number } {
    this.advance(now)
    const sumOf = (counts: Float64Array) => counts.reduce((sum, count) => sum + count, 0)
    return { requests: sumOf(this.requests), errors: sumOf(this.errors) }
  }

  /** Forgets what is older, and gives the place of this second. */
  private advance(now: number): number {
    const second = Math.floor(now / 1000)
    const first = Math.max(this.newest + 1, second - seconds + 1)
    for (let old = first; old <= second; old++) {
      this.requests[old % seconds] = 0
      this.errors[old % seconds] = 0
    }
    this.newest = Math.max(this.newest, second)
    return second % seconds
  }
}
