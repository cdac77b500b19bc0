/** What was counted in the last 60 seconds, to the second: how an upstream holds its callers to its limits. */
export class MinuteWindow {
  private readonly counts = new Float64Array(60)
  private newest = 0
  private sum = 0

  private advance(now: number): number {
    const second = Math.floor(now / 1000)
    for (let at = Math.max(this.newest + 1, second - 59); at <= second; at++) {
      this.sum -= this.counts[at % 60] ?? 0
      this.counts[at % 60] = 0
    }
    this.newest = Math.max(this.newest, second)
    return second
  }

  add(now: number, count: number): void {
    const second = this.advance(now)
    this.counts[second % 60] = (this.counts[second % 60] ?? 0) + count
    this.sum += count
  }

  total(now: number): number {
    this.advance(now)
    return this.sum
  }

  /** Ms until `count` more would be within `limit`; 0 when they are. */
  roomIn(now: number, limit: number, count: number): number {
    const second = this.advance(now)
    let over = this.sum + count - limit
    if (over <= 0) return 0
    for (let at = second - 59; at <= second; at++) {
      over -= at < 0 ? 0 : (this.counts[at % 60] ?? 0)
      if (over <= 0) return (at + 60) * 1000 - now
    }
    return 60_000
  }
}
