/**
 * The life of a streaming response, told once: first content, then how it ended. Layers register here and never wrap the
 * chunks; six layers that each map a stream would cost more than the rest of the tower.
 */
import type { Outcome } from "./Outcome.js"

/** Calls all, also after one that throws: each gives back what its layer holds. The first defect is thrown at the end. */
const callAll = <A>(callbacks: ReadonlyArray<(value: A) => void>, value: A): void => {
  let thrown: { readonly defect: unknown } | undefined
  for (const callback of callbacks) {
    try {
      callback(value)
    } catch (defect) {
      thrown ??= { defect }
    }
  }
  if (thrown !== undefined) throw thrown.defect
}

/** Completed by the base service of a stream; read by every layer. Callbacks are synchronous and must not throw. */
export class Settlement {
  private outcomeCallbacks: Array<(outcome: Outcome) => void> = []
  private contentCallbacks: Array<() => void> = []
  private seenContent = false
  private settled: Outcome | undefined

  /** How the stream ended; undefined while it runs. */
  get outcome(): Outcome | undefined {
    return this.settled
  }

  /** Whether content (text, a tool call, reasoning) has arrived. */
  get hasContent(): boolean {
    return this.seenContent
  }

  /** Calls `f` once when the stream is over, at once when it already is. */
  onSettled(f: (outcome: Outcome) => void): void {
    if (this.settled !== undefined) f(this.settled)
    else this.outcomeCallbacks.push(f)
  }

  /** Calls `f` once at the first content, at once when it was already seen; never when the stream ends without any. */
  onFirstContent(f: () => void): void {
    if (this.seenContent) f()
    else this.contentCallbacks.push(f)
  }

  /** The base service saw the first content. Later calls do nothing. */
  firstContent(): void {
    if (this.seenContent || this.settled !== undefined) return
    this.seenContent = true
    const callbacks = this.contentCallbacks
    this.contentCallbacks = []
    callAll(callbacks, undefined)
  }

  /** The base service saw the end. Only the first call counts; returns whether this was it. */
  settle(outcome: Outcome): boolean {
    if (this.settled !== undefined) return false
    this.settled = outcome
    const callbacks = this.outcomeCallbacks
    this.outcomeCallbacks = []
    this.contentCallbacks = []
    callAll(callbacks, outcome)
    return true
  }
}
