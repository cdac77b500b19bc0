/**
 * The life of a streaming response, told once: first content, then how it ended. Layers register here and never wrap the
 * chunks; six layers that each map a stream would cost more than the rest of the tower.
 */
import type { Outcome } from "./Outcome.js"

/** Calls all, also after one that throws: each gives back what its layer holds. The first defect is thrown at the end. */
const callAll = <A>(callbacks: ReadonlyArray<A>, call: (callback: A) => void): void => {
  let thrown: { readonly defect: unknown } | undefined
  for (const callback of callbacks) {
    try {
      call(callback)
    } catch (defect) {
      thrown ??= { defect }
    }
  }
  if (thrown !== undefined) throw thrown.defect
}

/** Told how a stream ended, and when: monotonic ms. */
export type OnSettled = (outcome: Outcome, at: number) => void

/** Told when a stream's first content came: monotonic ms. */
export type OnFirstContent = (at: number) => void

/**
 * Completed by the base service of a stream; read by every layer. It stamps both moments once, so that all who are told of
 * them tell the same times. Callbacks are synchronous and must not throw.
 */
export class Settlement {
  private outcomeCallbacks: Array<OnSettled> = []
  private contentCallbacks: Array<OnFirstContent> = []
  private learning: ReadonlyArray<(outcome: Outcome) => Outcome> | undefined
  private contentAt: number | undefined
  private settled: { readonly outcome: Outcome; readonly at: number } | undefined

  /** `now` reads monotonic ms; without it everything happens at 0. */
  constructor(private readonly now: () => number = () => 0) {}

  /** How the stream ended; undefined while it runs. */
  get outcome(): Outcome | undefined {
    return this.settled?.outcome
  }

  /** Monotonic ms of the end; undefined while it runs. */
  get endedAt(): number | undefined {
    return this.settled?.at
  }

  /** Monotonic ms of the first content; undefined before it. */
  get firstContentAt(): number | undefined {
    return this.contentAt
  }

  /** Whether content (text, a tool call, reasoning) has arrived. */
  get hasContent(): boolean {
    return this.contentAt !== undefined
  }

  /** Calls `f` once when the stream is over, at once when it already is. */
  onSettled(f: OnSettled): void {
    if (this.settled !== undefined) f(this.settled.outcome, this.settled.at)
    else this.outcomeCallbacks.push(f)
  }

  /** Adds what `f` knows of the end to it, before those are told who register after this. `f` must not throw. */
  onSettling(f: (outcome: Outcome) => Outcome): void {
    if (this.settled !== undefined) this.settled = { outcome: f(this.settled.outcome), at: this.settled.at }
    else this.learning = this.learning === undefined ? [f] : [...this.learning, f]
  }

  /** Calls `f` once at the first content, at once when it was already seen; never when the stream ends without any. */
  onFirstContent(f: OnFirstContent): void {
    if (this.contentAt !== undefined) f(this.contentAt)
    else this.contentCallbacks.push(f)
  }

  /** The base service saw the first content. Later calls do nothing. */
  firstContent(at: number = this.now()): void {
    if (this.contentAt !== undefined || this.settled !== undefined) return
    this.contentAt = at
    const callbacks = this.contentCallbacks
    this.contentCallbacks = []
    callAll(callbacks, (callback) => callback(at))
  }

  /** The base service saw the end. Only the first call counts; returns whether this was it. */
  settle(ended: Outcome, at: number = this.now()): boolean {
    if (this.settled !== undefined) return false
    const outcome = this.learning === undefined ? ended : this.learning.reduce((known, f) => f(known), ended)
    this.settled = { outcome, at }
    const callbacks = this.outcomeCallbacks
    this.outcomeCallbacks = []
    this.contentCallbacks = []
    callAll(callbacks, (callback) => callback(outcome, at))
    return true
  }
}
