import type { StreamEvent, StreamFacts } from "@switchyard/core/ChatChunk"
import type { Delivered, Joint } from "@switchyard/core/Dialect"
import type { EventStream, Take } from "@switchyard/core/EventStream"
import { LlmError } from "@switchyard/core/LlmError"
import type { LlmResponse, StreamingResponse } from "@switchyard/core/LlmResponse"
import * as Outcome from "@switchyard/core/Outcome"
import { Settlement } from "@switchyard/core/Settlement"
import { nowMs } from "@switchyard/core/Time"
import type { Usage } from "@switchyard/core/Usage"
import { Effect, Fiber, FiberId } from "effect"
import { asEvents, canBeRepaired, restartRoute } from "./restart.js"
import { anew, isFixedBy, type Recovering, type Resumption } from "./resumption.js"

type Batch = ReadonlyArray<StreamEvent>

const end: Batch = []

/** What a restart was answered with. */
interface Answer {
  readonly response: LlmResponse
  readonly resumption: Resumption
}

const closedError = (): LlmError =>
  new LlmError({ reason: "Unavailable", description: "the stream was closed", code: "closed" })

const interrupted = (error: LlmError): LlmError =>
  error.reason === "StreamInterrupted"
    ? error
    : error.with({ reason: "StreamInterrupted", interruptedBy: error.reason })

/**
 * The stream that the caller reads in place of the inner one. It hands on the inner stream's batches as they are, on
 * demand and in the caller's own fiber, and takes the answer up again when the inner stream dies: no queue, no fiber but
 * for a restart, and backpressure is the inner stream's.
 */
export class RecoveredStream implements EventStream {
  readonly settlement = new Settlement(() => nowMs(this.#recovering.clock))
  /** Those of the stream that is read at present. */
  facts: StreamFacts
  /** Of all streams that it was read from. */
  skipped = 0
  readonly #recovering: Recovering
  readonly #delivered: Delivered
  readonly #firstContentAt: number
  #inner: EventStream
  /** What a pull does; undefined until one is made of the stream that is read at present. */
  #pulling: Effect.Effect<Batch, LlmError> | undefined
  #joint: Joint | undefined
  /** The first interruption: the one that the caller is told of. */
  #interruption: LlmError | undefined
  #over: { readonly error: LlmError | undefined } | undefined
  /** A restart that is under way: it outlives a pull that is interrupted, and ends when the stream is closed. */
  #restarting: Fiber.RuntimeFiber<void> | undefined
  #restarts = 0

  /** `delivered` is empty: what is delivered is told to it. */
  constructor(response: StreamingResponse, recovering: Recovering, delivered: Delivered) {
    const { clock } = recovering
    this.#recovering = recovering
    this.#delivered = delivered
    this.#firstContentAt = response.events.settlement.firstContentAt ?? nowMs(clock)
    this.#inner = response.events
    this.facts = response.events.facts
    if (response.events.settlement.hasContent) this.settlement.firstContent(this.#firstContentAt)
    this.#watch(response.events)
  }

  get pull(): Effect.Effect<Batch, LlmError> {
    return Effect.suspend(() => {
      if (this.#over === undefined) {
        this.#pulling ??= Effect.matchEffect(this.#inner.pull, {
          onFailure: (error) => this.#onFailure(error),
          onSuccess: (batch) => this.#onBatch(batch)
        })
        return this.#pulling
      }
      return this.#over.error === undefined ? Effect.succeed(end) : Effect.fail(this.#over.error)
    })
  }

  /** As fast as the inner stream's until that dies; what comes after a restart is pulled. */
  forward(take: Take): Effect.Effect<void, LlmError> {
    return Effect.suspend(() => {
      const inner = this.#inner
      if (this.#over !== undefined || this.#joint !== undefined || this.#restarts > 0) return this.#forwardPulled(take)
      const whole = inner.forward((batch) => {
        for (const event of batch) this.#delivered.read(event)
        return take(batch)
      })
      const rest = (batch: Batch): Effect.Effect<void, LlmError> =>
        batch.length === 0 ? Effect.void : Effect.zipRight(this.#give(take, batch), this.#forwardPulled(take))
      return Effect.matchEffect(whole, {
        onFailure: (error) => Effect.flatMap(this.#onFailure(error), rest),
        onSuccess: () => {
          this.#ended()
          return Effect.void
        }
      })
    })
  }

  /** Content is in hand when a recovered stream is made, or the answer ended without any. */
  readonly awaitContent: Effect.Effect<void, LlmError> = Effect.void

  close(): void {
    if (this.#over !== undefined) return this.#inner.close()
    this.#over = { error: closedError() }
    this.#inner.close()
    this.#restarting?.unsafeInterruptAsFork(FiberId.none)
    const { endedAt, outcome } = this.#inner.settlement
    if (outcome?._tag === "Completed" && this.#isVerified) this.#complete(outcome)
    else this.settlement.settle({ _tag: "Abandoned", usage: outcome?.usage }, endedAt)
  }

  /** Nothing is taken up again: the bound was one on the whole. */
  fail(error: LlmError): void {
    if (this.#over !== undefined) return
    const over = { error: this.settlement.hasContent ? interrupted(error) : error }
    this.#over = over
    this.#inner.fail(error)
    this.#restarting?.unsafeInterruptAsFork(FiberId.none)
    const { outcome } = this.#inner.settlement
    if (outcome?._tag === "Completed" && this.#isVerified) {
      // It was whole already: what is queued is still to be read.
      if (this.#over === over) this.#over = undefined
      this.#complete(outcome)
    } else this.settlement.settle(Outcome.failed(over.error, outcome?.usage))
  }

  usage(): Usage {
    return this.#inner.usage()
  }

  get silentSince(): number | undefined {
    return this.#inner.silentSince
  }

  keepText(length: number): void {
    this.#inner.keepText(length)
  }

  give(take: Take, batch: Batch): Effect.Effect<void, LlmError> | undefined {
    return this.#inner.give(take, batch)
  }

  #forwardPulled(take: Take): Effect.Effect<void, LlmError> {
    const next: Effect.Effect<void, LlmError> = Effect.suspend(() =>
      Effect.flatMap(this.pull, (batch) =>
        batch.length === 0 ? Effect.void : Effect.zipRight(this.#give(take, batch), next)
      )
    )
    return next
  }

  #give(take: Take, batch: Batch): Effect.Effect<void, LlmError> {
    const wait = this.#inner.give(take, batch)
    return wait === undefined ? Effect.void : Effect.catchAll(wait, (error) => Effect.asVoid(this.#stop(error)))
  }

  /** The caller has nothing that the present stream has still to repeat. */
  get #isVerified(): boolean {
    return this.#joint === undefined || this.#joint.isDone
  }

  /** Reads from an inner stream from now on, and ends with it when it ends well or is closed. */
  #watch(inner: EventStream): void {
    this.#inner = inner
    this.#pulling = undefined
    this.facts = inner.facts
    inner.settlement.onSettled((outcome, at) => {
      if (this.#over !== undefined || this.#inner !== inner) return
      if (outcome._tag === "Abandoned") {
        this.#over = { error: closedError() }
        this.settlement.settle(outcome, at)
      } else if (outcome._tag === "Completed" && this.#isVerified) {
        this.#complete(outcome)
      }
    })
  }

  #complete(outcome: Outcome.Completed): void {
    if (this.settlement.outcome !== undefined) return
    const { clock, request } = this.#recovering
    const { startedAt } = request.route
    const at = this.#inner.settlement.endedAt ?? nowMs(clock)
    this.skipped += this.#inner.skipped
    this.settlement.settle(
      this.#restarts === 0
        ? outcome
        : { ...outcome, timeToFirstToken: this.#firstContentAt - startedAt, duration: at - startedAt },
      at
    )
  }

  #onBatch(batch: Batch): Effect.Effect<Batch, LlmError> {
    if (batch.length === 0) return this.#onEnd()
    if (this.#joint === undefined) {
      for (const event of batch) this.#delivered.read(event)
      return Effect.succeed(batch)
    }
    const fresh: Array<StreamEvent> = []
    for (const event of batch) {
      const taken = this.#joint.take(event)
      if (taken === undefined) return this.#giveUp("a restart gave another answer")
      for (const one of taken) {
        this.#delivered.read(one)
        fresh.push(one)
      }
    }
    return fresh.length === 0 ? this.pull : Effect.succeed(fresh)
  }

  #onEnd(): Effect.Effect<Batch, LlmError> {
    if (!this.#isVerified) return this.#giveUp("a restart gave a shorter answer")
    this.#ended()
    return Effect.succeed(end)
  }

  #ended(): void {
    const { outcome } = this.#inner.settlement
    this.#over = { error: undefined }
    if (outcome?._tag === "Completed") this.#complete(outcome)
  }

  #onFailure(error: LlmError): Effect.Effect<Batch, LlmError> {
    if (this.#over !== undefined) return this.pull
    if (error.reason !== "StreamInterrupted") return this.#stop(error)
    this.#interruption ??= error
    return canBeRepaired(error) ? this.#restart(error) : this.#giveUp()
  }

  /** The caller learns of the interruption after all, with everything that was tried. */
  #giveUp(why?: string): Effect.Effect<Batch, LlmError> {
    if (this.#over !== undefined) return this.pull
    const error = this.#interruption ?? closedError()
    const description = why === undefined ? error.description : `${error.description}; ${why}`
    this.#over = { error }
    this.#inner.close()
    return this.#stop(error.with({ description, attempts: this.#recovering.request.route.journal.attemptReports() }))
  }

  #stop(error: LlmError): Effect.Effect<Batch, LlmError> {
    this.#over = { error }
    this.settlement.settle(Outcome.failed(error, this.#inner.settlement.outcome?.usage))
    return Effect.fail(error)
  }

  #restart(error: LlmError): Effect.Effect<Batch, LlmError> {
    return Effect.suspend(() => {
      const { clock, onRestart, request, send } = this.#recovering
      const now = nowMs(clock)
      const hops = request.route.journal.fallbacks.length
      const resumptions = this.#resumptions(hops)
      const first = resumptions.next(now)
      if (first === undefined) return this.#giveUp()
      this.#restarts++
      onRestart(error, now)
      this.skipped += this.#inner.skipped
      const answer = (resumption: Resumption): Effect.Effect<Answer, LlmError> =>
        Effect.catchAll(
          Effect.map(
            Effect.suspend(() => send(resumption.request)),
            (response) => ({ response, resumption })
          ),
          (failure) => {
            const other = this.#over === undefined ? resumptions.next(nowMs(clock)) : undefined
            return other === undefined ? Effect.fail(failure) : answer(other)
          }
        )
      const run = Effect.uninterruptibleMask((restore) =>
        Effect.matchCause(restore(answer(first)), {
          // An interruption may fall between an answer and its owner: nothing of this request is to stay open.
          onFailure: () => request.route.journal.releaseAll(),
          onSuccess: ({ response, resumption }) => this.#adopt(response, resumption.repeated)
        })
      )
      return Effect.uninterruptibleMask((restore) =>
        Effect.flatMap(Effect.forkDaemon(Effect.interruptible(run)), (fiber) => {
          this.#restarting = fiber
          const waiting: Effect.Effect<Batch, LlmError> = Effect.flatMap(Fiber.await(fiber), () => {
            this.#restarting = undefined
            return this.#pulling === waiting ? this.#giveUp() : this.pull
          })
          this.#pulling = waiting
          return restore(waiting)
        })
      )
    })
  }

  /** The ways to go on from what was delivered, each with the route of its moment. */
  #resumptions(hops: number): { readonly next: (now: number) => Resumption | undefined } {
    const { request, ways } = this.#recovering
    const { hasText, isFixed, text } = this.#delivered
    const isFresh = !hasText && !isFixed
    const open = isFresh ? [anew] : isFixed || isFixedBy(request) ? [] : [...ways]
    const restarts = this.#restarts
    const next = (now: number): Resumption | undefined => {
      const way = open.shift()
      const route = way === undefined ? undefined : restartRoute(request.route, { now, restarts, hops, isFresh })
      if (way === undefined || route === undefined) return undefined
      return way({ ...request, route }, text) ?? next(now)
    }
    return { next }
  }

  #adopt(response: LlmResponse, repeated: string): void {
    const events = asEvents(response, this.#recovering.request, this.#recovering.clock)
    if (this.#over !== undefined) return events.close()
    this.#joint = this.#delivered.joint(repeated)
    this.#watch(events)
  }
}
