import { type StreamEvent, StreamFacts } from "@switchyard/core/ChatChunk"
import type { Dialect, EventReader } from "@switchyard/core/Dialect"
import type { EventStream, Take } from "@switchyard/core/EventStream"
import { LlmError } from "@switchyard/core/LlmError"
import type { Settlement } from "@switchyard/core/Settlement"
import { nowMs } from "@switchyard/core/Time"
import type { Usage } from "@switchyard/core/Usage"
import { Cause, type Clock, Effect, Option, type Runtime } from "effect"
import { Timer, type Timers, timersOf } from "../time/timers.js"

/** How much is held back. Infinite bounds mean: all of it, until the end. */
export interface HoldPolicy {
  readonly characters: number
  /** ms after the first text or tool call. */
  readonly delay: number
  /** Whether reasoning that comes before everything else is handed on as it comes. */
  readonly passesReasoning: boolean
}

const closedError = (): LlmError =>
  new LlmError({ reason: "Unavailable", description: "the stream was closed", code: "closed" })

class Release extends Timer {
  constructor(private readonly release: () => void) {
    super()
  }

  override fire(): void {
    this.release()
  }
}

/**
 * A stream whose beginning is kept until it is released: by its length, by time, or by its end. A fiber of its own reads
 * ahead until then and is never interrupted, so that no event is lost; what follows is read as the inner stream gives it.
 */
export class HeldStream implements EventStream {
  readonly settlement: Settlement
  readonly facts: StreamFacts
  readonly #inner: EventStream
  readonly #policy: HoldPolicy
  readonly #reader: EventReader
  readonly #clock: Clock.Clock
  readonly #timers: Timers
  readonly #release = new Release(() => this.#open())
  #held: Array<StreamEvent> = []
  #ready: Array<StreamEvent> = []
  #characters = 0
  #hasContent = false
  #isOpen = false
  #isReading = true
  #error: LlmError | undefined
  #waiter: (() => void) | undefined

  constructor(
    inner: EventStream,
    policy: HoldPolicy,
    dialect: Dialect,
    clock: Clock.Clock,
    runtime: Runtime.Runtime<never>
  ) {
    this.#inner = inner
    this.#policy = policy
    this.#reader = dialect.answer.reader()
    this.#clock = clock
    this.#timers = timersOf(clock, runtime)
    this.settlement = inner.settlement
    this.facts = inner.facts
    inner.settlement.onSettled(() => {
      this.#timers.remove(this.#release)
    })
  }

  /** Reads ahead until the stream is released or over. */
  readonly readAhead: Effect.Effect<void> = Effect.suspend(() =>
    Effect.matchCause(this.#readOn, {
      onFailure: (cause) => {
        this.#error ??= Option.getOrUndefined(Cause.failureOption(cause))
        this.#held = []
        this.#stopped()
      },
      onSuccess: () => this.#stopped()
    })
  )

  /** Waits until there is something to hand on; fails with what ends the stream before. */
  readonly awaitContent: Effect.Effect<void, LlmError> = Effect.suspend(() => {
    if (this.#error !== undefined && this.#ready.length === 0) return Effect.fail(this.#error)
    return this.#isReady ? Effect.void : Effect.zipRight(this.#wait, this.awaitContent)
  })

  readonly pull: Effect.Effect<ReadonlyArray<StreamEvent>, LlmError> = Effect.suspend(() => {
    if (this.#ready.length > 0) {
      const batch = this.#ready
      this.#ready = []
      return Effect.succeed(batch)
    }
    if (this.#isReading) return Effect.zipRight(this.#wait, this.pull)
    return this.#error === undefined ? this.#inner.pull : Effect.fail(this.#error)
  })

  forward(take: Take): Effect.Effect<void, LlmError> {
    const next: Effect.Effect<void, LlmError> = Effect.suspend(() =>
      this.#isReading || this.#ready.length > 0
        ? Effect.flatMap(this.pull, (batch) =>
            batch.length === 0 ? Effect.void : Effect.zipRight(this.#inner.give(take, batch) ?? Effect.void, next)
          )
        : this.#inner.forward(take)
    )
    return next
  }

  close(): void {
    // Who reads on although events were dropped must not take the rest for a clean end.
    if (this.#held.length + this.#ready.length > 0) this.#error = closedError()
    this.#held = []
    this.#ready = []
    this.#inner.close()
    this.#wake()
  }

  fail(error: LlmError): void {
    this.#inner.fail(error)
  }

  usage(): Usage {
    return this.#inner.usage()
  }

  get skipped(): number {
    return this.#inner.skipped
  }

  get silentSince(): number | undefined {
    return this.#inner.silentSince
  }

  keepText(length: number): void {
    this.#inner.keepText(length)
  }

  give(take: Take, batch: ReadonlyArray<StreamEvent>): Effect.Effect<void, LlmError> | undefined {
    return this.#inner.give(take, batch)
  }

  get #isReady(): boolean {
    return this.#ready.length > 0 || !this.#isReading
  }

  get #readOn(): Effect.Effect<void, LlmError> {
    const next: Effect.Effect<void, LlmError> = Effect.suspend(() =>
      Effect.flatMap(this.#inner.pull, (batch) => {
        if (batch.length === 0) this.#open()
        else this.#take(batch)
        return this.#isOpen ? Effect.void : next
      })
    )
    return next
  }

  #take(batch: ReadonlyArray<StreamEvent>): void {
    for (const event of batch) {
      this.#held.push(event)
      if (!this.#isOpen) this.#weigh(event)
    }
    if (this.#isOpen || this.#characters >= this.#policy.characters) this.#open()
  }

  #weigh(event: StreamEvent): void {
    const facts = new StreamFacts()
    this.#reader.read(event, facts)
    if (facts.hasContent) {
      this.#characters += facts.characters
      if (this.#hasContent) return
      this.#hasContent = true
      if (this.settlement.outcome === undefined) {
        this.#timers.set(this.#release, nowMs(this.#clock) + this.#policy.delay)
      }
    } else if (facts.hasReasoning && this.#policy.passesReasoning && !this.#hasContent) {
      this.#handOn()
    }
  }

  #open(): void {
    this.#isOpen = true
    this.#timers.remove(this.#release)
    this.#handOn()
  }

  #handOn(): void {
    for (const event of this.#held) this.#ready.push(event)
    this.#held = []
    if (this.#ready.length > 0) this.#wake()
  }

  #stopped(): void {
    this.#isReading = false
    this.#timers.remove(this.#release)
    this.#wake()
  }

  /** Returns when something has changed; who waits looks again. */
  get #wait(): Effect.Effect<void> {
    return Effect.async<void>((resume) => {
      if (this.#isReady) return resume(Effect.void)
      const waiter = () => resume(Effect.void)
      this.#waiter = waiter
      return Effect.sync(() => {
        if (this.#waiter === waiter) this.#waiter = undefined
      })
    })
  }

  #wake(): void {
    const waiter = this.#waiter
    this.#waiter = undefined
    waiter?.()
  }
}
