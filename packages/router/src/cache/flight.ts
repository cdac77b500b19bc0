import type { Journal } from "@switchyard/core/Journal"
import { LlmError } from "@switchyard/core/LlmError"
import { estimateInputTokens, type LlmRequest } from "@switchyard/core/LlmRequest"
import type { CompleteResponse, LlmResponse, StreamingResponse } from "@switchyard/core/LlmResponse"
import type { Call } from "@switchyard/core/Service"
import { nowMs } from "@switchyard/core/Time"
import { zero } from "@switchyard/core/Usage"
import { Cause, type Clock, Effect, type Exit, Fiber, FiberId, type Scope } from "effect"
import type { CacheEntry } from "./CacheStore.js"
import { FlightJournal } from "./flightJournal.js"
import { type Reader, SharedStream } from "./sharedStream.js"

/** What a flight works with. */
export interface FlightOptions {
  /** The request of the one who began it. */
  readonly request: LlmRequest
  readonly call: (request: LlmRequest) => Call
  /** Where its fiber lives: with the cache, and not with any caller. */
  readonly scope: Scope.Scope
  readonly clock: Clock.Clock
  /** A stream that is longer is not kept. */
  readonly maxBytes: number
  /** Stores what may be stored. Nobody waits for it. */
  readonly store: (entry: CacheEntry) => Effect.Effect<void>
  /** Nobody may join any more. May be told more than once. */
  readonly onClosed: (flight: Flight) => void
}

/** One caller that waits for a flight, or reads its stream. */
export class Seat {
  reader: Reader | undefined
  private said: Call | undefined
  private resume: ((answer: Call) => void) | undefined

  constructor(
    readonly flight: Flight,
    readonly request: LlmRequest,
    /** Monotonic ms. */
    readonly joinedAt: number,
    /** It began the flight. */
    readonly isLeader: boolean
  ) {}

  get journal(): Journal {
    return this.request.route.journal
  }

  /** The answer. Interrupting it leaves; the last one to leave waits until the call has given everything back. */
  readonly answer: Call = Effect.suspend(() =>
    Effect.onInterrupt(Effect.zipRight(this.flight.start, this.wait), () => this.flight.leave(this))
  )

  /** Leaves without waiting for anything. Harmless when it has left. */
  leave(): void {
    this.flight.drop(this)
  }

  tell(answer: Call): void {
    this.said = answer
    this.resume?.(answer)
  }

  private readonly wait: Call = Effect.async((resume) => {
    if (this.said === undefined) this.resume = resume
    else resume(this.said)
  })
}

const headersOfReplay = ["content-type"]

/** Headers that say something about the answer. The others speak of one exchange: limits, ids, cookies, dates. */
const replayed = ({ headers }: LlmResponse): Readonly<Record<string, string>> =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => headersOfReplay.includes(name)))

/** Its scope has closed, or what it called interrupted itself: those who wait were interrupted by nobody. */
const broken = (): LlmError =>
  new LlmError({
    reason: "Unavailable",
    description: "the call was interrupted, or the cache was shut down",
    code: "closed"
  })

/**
 * One call of the inner service that several requests wait for. It runs in a fiber of its own and goes on as long as
 * anybody waits: who began it may leave like everybody else.
 */
export class Flight {
  readonly journal: FlightJournal
  readonly startedAt: number
  private readonly seats = new Set<Seat>()
  private fiber: Fiber.RuntimeFiber<void> | undefined
  private answered: CompleteResponse | undefined
  private streaming: { readonly response: StreamingResponse; readonly shared: SharedStream } | undefined
  private hasLeader = false
  private isStarted = false
  private isOver = false

  constructor(private readonly options: FlightOptions) {
    this.journal = new FlightJournal(options.request.route.journal)
    this.startedAt = nowMs(options.clock)
  }

  /** Takes a seat for a request; the first one is the leader's. */
  join(request: LlmRequest): Seat {
    const isLeader = !this.hasLeader
    this.hasLeader = true
    const seat = new Seat(this, request, nowMs(this.options.clock), isLeader)
    if (!isLeader) seat.journal.cache = "shared"
    this.seats.add(seat)
    if (this.answered !== undefined) this.give(seat, this.answered)
    else if (this.streaming !== undefined) this.openReader(seat, this.streaming.response, this.streaming.shared)
    return seat
  }

  /**
   * Starts the call, unless somebody did: whoever first waits for the answer starts it, so that a leader who was
   * interrupted before that leaves nobody waiting for a call that never began.
   */
  readonly start: Effect.Effect<void> = Effect.uninterruptible(
    Effect.suspend(() => {
      if (this.isStarted) return Effect.void
      this.isStarted = true
      return Effect.map(Effect.forkIn(Effect.interruptible(this.run), this.options.scope), (fiber) => {
        this.fiber = fiber
        fiber.addObserver((exit) => this.ended(exit))
      })
    })
  )

  /** Gives a seat back, and waits for the end of the call when it was the last one. */
  leave(seat: Seat): Effect.Effect<void> {
    if (this.isOver) return Effect.void
    this.drop(seat)
    return this.isOver && this.fiber !== undefined ? Effect.asVoid(Fiber.await(this.fiber)) : Effect.void
  }

  /** Gives a seat back. The last one ends the call at once. */
  drop(seat: Seat): void {
    if (!this.seats.delete(seat)) return
    const { reader } = seat
    reader?.close()
    if (reader !== undefined) this.streaming?.shared.drop(reader)
    if (this.isOver) return
    const [heir] = this.seats
    if (heir === undefined) this.stop()
    else if (this.journal.isBorneBy(seat.journal)) this.journal.passTo(heir.journal)
  }

  private stop(): void {
    this.close()
    this.streaming?.response.events.close()
    this.fiber?.unsafeInterruptAsFork(FiberId.none)
  }

  private close(): void {
    this.isOver = true
    this.options.onClosed(this)
  }

  private readonly run: Effect.Effect<void> = Effect.suspend(() => {
    const { call, request } = this.options
    const route = { ...request.route, journal: this.journal }
    return Effect.matchEffect(call({ ...request, route }), {
      onFailure: (error) => this.fail(error),
      onSuccess: (response) =>
        response._tag === "Complete" ? this.complete(response) : Effect.suspend(() => this.stream(response))
    })
  })

  private fail(error: LlmError): Effect.Effect<void> {
    this.tellAll(Effect.fail(error))
    const { attempts: _, ...data } = error.data
    return this.options.store({ _tag: "Failed", error: data })
  }

  private complete(response: CompleteResponse): Effect.Effect<void> {
    if (this.isOver) return Effect.void
    this.isOver = true
    this.answered = response
    for (const seat of this.seats) this.give(seat, response)
    const { bytes, status } = response
    if (bytes !== undefined && bytes.length > this.options.maxBytes) return Effect.void
    const raw = bytes === undefined ? response.raw : new TextDecoder().decode(bytes)
    return this.options.store({ _tag: "Complete", status, headers: replayed(response), raw })
  }

  private stream(response: StreamingResponse): Effect.Effect<void> {
    if (this.isOver) return Effect.sync(() => response.events.close())
    const shared = new SharedStream(response.events, this.options.maxBytes, {
      onTooLong: () => this.options.onClosed(this),
      onEnd: () => {
        this.isOver = true
        if (shared.texts === undefined) this.options.onClosed(this)
      }
    })
    this.streaming = { response, shared }
    for (const seat of this.seats) this.openReader(seat, response, shared)
    return Effect.flatMap(shared.pump, () => {
      const { texts } = shared
      if (texts === undefined) return Effect.void
      const { status } = response
      return this.options.store({ _tag: "Streaming", status, headers: replayed(response), events: texts })
    })
  }

  private give(seat: Seat, response: CompleteResponse): void {
    const { journal } = seat
    const took = nowMs(this.options.clock) - seat.joinedAt
    const outcome = this.journal.isBorneBy(journal)
      ? response.outcome
      : { _tag: "Completed" as const, usage: zero, timeToFirstToken: took, duration: took }
    seat.tell(Effect.succeed({ ...response, outcome, journal }))
  }

  private openReader(seat: Seat, response: StreamingResponse, shared: SharedStream): void {
    const { journal, request } = seat
    const reader = shared.open({
      clock: this.options.clock,
      startedAt: seat.joinedAt,
      estimateInputTokens: () => estimateInputTokens(request),
      dialect: request.dialect,
      isBearer: () => this.journal.isBorneBy(journal),
      onLeave: () => seat.leave()
    })
    seat.reader = reader
    journal.adopt(reader.events)
    seat.tell(Effect.succeed({ ...response, events: reader.events, journal }))
  }

  private tellAll(answer: Call): void {
    if (this.isOver) return
    this.close()
    for (const seat of this.seats) seat.tell(answer)
  }

  /** However the fiber ended: nobody may be left waiting, and nothing open. */
  private ended(exit: Exit.Exit<void>): void {
    if (exit._tag === "Failure") {
      this.tellAll(Cause.isInterruptedOnly(exit.cause) ? Effect.fail(broken()) : Effect.failCause(exit.cause))
      this.streaming?.shared.fail(broken())
    }
    this.close()
    this.streaming?.response.events.close()
    this.journal.releaseAll()
  }
}
