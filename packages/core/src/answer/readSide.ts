import { Cause, type Clock, Effect } from "effect"
import type { StreamEvent } from "../dialect/ChatChunk.js"
import type { LlmError } from "../errors/LlmError.js"
import { nowMs } from "../shared/Time.js"
import { Silence } from "./silence.js"

/** Events that came together. */
export type Batch = ReadonlyArray<StreamEvent>

/**
 * Takes a batch of events; gives what to wait for before the next one, or nothing. Synchronous. What it throws ends the
 * stream, and blames no deployment.
 */
export type Take = (batch: Batch) => Effect.Effect<void> | undefined

/**
 * Waits for who calls back; a reader that leaves before is forgotten by what `start` gives. `Effect.async` with a canceler does
 * the same in 13 operations of Effect's in place of 9.
 */
const waitFor = <A>(
  start: (resume: (exit: Effect.Effect<A, LlmError>) => void) => (() => void) | undefined
): Effect.Effect<A, LlmError> =>
  Effect.uninterruptibleMask((restore) => {
    let forget: (() => void) | undefined
    const answer = Effect.async<A, LlmError>((resume) => {
      forget = start(resume)
    })
    return Effect.catchAllCause(restore(answer), (cause) => {
      forget?.()
      return Effect.failCause(cause)
    })
  })

type Waiter = (exit: Effect.Effect<Batch, LlmError>) => void

const settled = Promise.resolve()
const end: Batch = []

/** How a queue of events is read: who waits for what, and how it is woken. The queue itself, and its end, are its heirs'. */
export abstract class ReadSide {
  protected readonly silence = new Silence()
  private waiter: Waiter | undefined
  /** The registered `forward`: hands over what is there, or ends. */
  private forwarder: (() => void) | undefined
  private isForwardDue = false
  /** `forwardNow` as a task; made for those that are forwarded. */
  private forwarding: (() => void) | undefined
  private contentWaiter: ((exit: Effect.Effect<void, LlmError>) => void) | undefined

  protected constructor(
    private readonly clock: Clock.Clock,
    private readonly soon: ((task: () => void) => void) | undefined
  ) {}

  /** What is queued, taken out; undefined while nothing is. */
  protected abstract takeQueue(): Batch | undefined
  /** What a reader is told at the end; undefined while more may come. To tell it may write into the log, once. */
  protected abstract told(): Effect.Effect<void, LlmError> | undefined
  protected abstract readonly hasContent: boolean
  abstract give(take: Take, batch: Batch): Effect.Effect<void, LlmError> | undefined
  abstract died(cause: Cause.Cause<unknown>): void

  /** Monotonic ms since when the reader has been waiting for a sign of life from the upstream; undefined while it is not. */
  get waitingSince(): number | undefined {
    return this.silence.waitingSince
  }

  /** The next batch of events; an empty one means the clean end. One reader only. */
  get pull(): Effect.Effect<Batch, LlmError> {
    return Effect.suspend(
      () =>
        this.readyBatch() ??
        waitFor<Batch>((resume) => {
          // The fiber may have yielded since it looked, and events may have come.
          const ready = this.readyBatch()
          if (ready !== undefined) return void resume(ready)
          this.waits()
          this.waiter = resume
          return () => {
            if (this.waiter !== resume) return
            this.waiter = undefined
            this.silence.waitingSince = undefined
          }
        })
    )
  }

  /**
   * Gives every batch to `take` in the producer's own turn, until the clean end; fails with what ends the stream before. In
   * place of `pull`, for a server's edge: a fiber that wakes for each chunk costs more than all that is done with it.
   */
  forward(take: Take): Effect.Effect<void, LlmError> {
    const next: Effect.Effect<void, LlmError> = Effect.suspend(
      () =>
        this.forwardReady(take, next) ??
        waitFor<void>((resume) => {
          const ready = this.forwardReady(take, next)
          if (ready !== undefined) return void resume(ready)
          const forwarder = (): void => {
            const outcome = this.forwardReady(take, next)
            if (outcome === undefined) return this.waits()
            forget()
            resume(outcome)
          }
          const forget = (): void => {
            if (this.forwarder !== forwarder) return
            this.forwarder = undefined
            this.silence.waitingSince = undefined
          }
          this.waits()
          this.forwarder = forwarder
          return forget
        })
    )
    return next
  }

  /**
   * Succeeds at the first content, or at a clean end without any; fails with whatever ends the stream before. The events
   * stay in the queue.
   */
  get awaitContent(): Effect.Effect<void, LlmError> {
    return Effect.suspend(
      () =>
        this.readyContent() ??
        waitFor<void>((resume) => {
          const ready = this.readyContent()
          if (ready !== undefined) return void resume(ready)
          this.contentWaiter = resume
          return () => {
            if (this.contentWaiter === resume) this.contentWaiter = undefined
          }
        })
    )
  }

  /** Wakes whoever reads, for an event that was queued; false when nobody waits for it. */
  protected wakeForEvent(): boolean {
    if (this.forwarder !== undefined) this.forwardSoon()
    else if (this.waiter !== undefined) this.wakeReader(this.waiter)
    else return false
    return true
  }

  /** Wakes whoever waits for content. */
  protected wakeForContent(): void {
    this.contentWaiter?.(Effect.void)
    this.contentWaiter = undefined
  }

  /** Wakes all, since the stream is over. */
  protected wakeForEnd(): void {
    const { contentWaiter } = this
    if (contentWaiter !== undefined) {
      this.contentWaiter = undefined
      contentWaiter(this.told() ?? Effect.void)
    }
    this.wakeForEvent()
  }

  private waits(): void {
    this.silence.waitingSince = nowMs(this.clock)
  }

  /** Hands over what is queued. Nothing is returned while there is more to come and nothing to wait for. */
  private forwardReady(take: Take, next: Effect.Effect<void, LlmError>): Effect.Effect<void, LlmError> | undefined {
    for (let batch = this.takeQueue(); batch !== undefined; batch = this.takeQueue()) {
      const wait = this.give(take, batch)
      if (wait !== undefined) return Effect.zipRight(wait, next)
    }
    return this.told()
  }

  /** Runs where nobody can catch anything. */
  private forwardNow(): void {
    this.isForwardDue = false
    try {
      this.forwarder?.()
    } catch (defect) {
      this.died(Cause.die(defect))
    }
  }

  /** Events that come in one turn, as those of one packet do, are handed over together. */
  private forwardSoon(): void {
    if (this.isForwardDue) return
    this.isForwardDue = true
    this.forwarding ??= () => this.forwardNow()
    if (this.soon !== undefined) return this.soon(this.forwarding)
    // A promise's reaction and not `queueMicrotask`, which on Node makes an async resource for each call.
    void settled.then(this.forwarding)
  }

  private readyBatch(): Effect.Effect<Batch, LlmError> | undefined {
    const batch = this.takeQueue()
    if (batch !== undefined) return Effect.succeed(batch)
    const told = this.told()
    return told === undefined ? undefined : Effect.as(told, end)
  }

  private readyContent(): Effect.Effect<void, LlmError> | undefined {
    return this.hasContent ? Effect.void : this.told()
  }

  /** The reader takes the queue when it runs, not here: if it is interrupted before, no event is lost. */
  private wakeReader(waiter: Waiter): void {
    this.waiter = undefined
    this.silence.waitingSince = undefined
    waiter(this.pull)
  }
}
