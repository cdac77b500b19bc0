/** Ms on end for which signs of life stand in for content. */
const longestHollow = 300_000

/** For how long an upstream has said nothing while somebody waits for it. Times are monotonic ms. */
export class Silence {
  /** Since when the reader has been waiting for a sign of life; undefined while it is not. */
  waitingSince: number | undefined
  /** Ms that the reader has waited since the last content, in waits that ended with a sign of life. */
  private hollow = 0
  /** As much of it as counts as silence all the same. */
  private carried = 0

  /** Content has come. */
  broken(): void {
    this.hollow = this.carried = 0
  }

  /** A sign of life has come that is no content: silence begins anew, but after five minutes of nothing else it does not. */
  life(now: number): void {
    if (this.waitingSince === undefined) return
    const waited = now - this.waitingSince
    this.waitingSince = now
    this.hollow += waited
    if (this.hollow > longestHollow) this.carried += waited
  }

  /** Since when the upstream has been silent while its reader waits; undefined while it does not. */
  get since(): number | undefined {
    return this.waitingSince === undefined ? undefined : this.waitingSince - this.carried
  }
}
