/**
 * The lowest of scores that come one by one; ties are broken uniformly at random. A tie draws no number of its own: each
 * pick stands until the ties have grown to a random multiple, which is drawn once.
 */
export class LowestPick {
  /** The index that was picked; -1 before the first. */
  index = -1
  /** Its score. */
  score = Number.POSITIVE_INFINITY
  private ties = 0
  private nextTie = 0

  constructor(private readonly random: () => number) {}

  /** Forgets everything, to be used again. */
  clear(): void {
    this.index = -1
    this.score = Number.POSITIVE_INFINITY
  }

  /** Whether `take` would change anything, or might: ask it before you ask what is dear to know. */
  admits(score: number): boolean {
    return score <= this.score
  }

  /** Takes a score that `admits` let pass. */
  take(index: number, score: number): void {
    if (score < this.score || this.index === -1) {
      this.index = index
      this.score = score
      this.ties = 1
      this.nextTie = 1 / this.random()
    } else if (++this.ties >= this.nextTie) {
      this.index = index
      this.nextTie = this.ties / this.random()
    }
  }
}
