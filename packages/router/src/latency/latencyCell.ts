import type { LlmError } from "@switchyard/core/LlmError"
import type { Outcome } from "@switchyard/core/Outcome"
import { Ema } from "./ema.js"
import { AnswerHistograms, type Answers, type Average, type GroupCell, type Settings } from "./groupCell.js"
import { PeakFigure } from "./peakFigure.js"

/** How fast one deployment is. Times are ms, `now` is monotonic ms; undefined means that nobody knows. */
export interface DeploymentLatency extends Answers {
  /** Average time of whole answers. */
  readonly duration: (now: number) => number | undefined
  /** Average time of whole answers per output token. */
  readonly durationPerToken: (now: number) => number | undefined
  /** Average time of streams to their first content. */
  readonly timeToFirstToken: (now: number) => number | undefined
  /** The averages behind these three: whole answers, the same per output token, first content of streams. */
  readonly wholes: Average
  readonly perToken: Average
  readonly firsts: Average
  /** Time of streams per output token from the first content on: how fast they are written. */
  readonly writing: Average
  /**
   * Time of streams to their first content, of those that began with about as many calls running beside them: `beside` is
   * how many. It says when a deployment has more calls than it serves at once.
   */
  readonly firstsBeside: (beside: number) => Average
  /**
   * Time to the first token (headers for a plain call), jumping to a peak at once and fading by e^(−Δt/τ), also while
   * nothing happens.
   */
  readonly peak: (now: number) => number | undefined
  /** Tries that one success takes at the recent share of failures: 1 when there are none. */
  readonly failurePenalty: (now: number) => number
  /** The latest outcome that said something was a failure. */
  readonly isFailing: boolean
  /** Calls that have begun and not ended. */
  readonly running: number
  /** Calls that have begun and got no answer yet: no first content, for a plain call no headers. */
  readonly unanswered: number
  /** When the oldest unanswered call began; undefined when there is none. */
  readonly oldestUnanswered: number | undefined
}

/** One call under observation. Every method is synchronous; later calls of the same one do nothing. */
export interface TrackedCall {
  /** The first content came. */
  readonly answered: (now: number) => void
  /** The call is over. */
  readonly settled: (outcome: Outcome, now: number) => void
}

/** Crowds are told apart by powers of two, up to a thousand and more. */
const mostCrowds = 10

/** The figures of a deployment, and its unanswered calls in the order in which they began. */
export class LatencyCell implements DeploymentLatency {
  running = 0
  unanswered = 0
  head: Tracked | undefined
  tail: Tracked | undefined
  readonly wholes: Ema
  readonly perToken: Ema
  readonly firsts: Ema
  readonly writing: Ema
  readonly peaks: PeakFigure
  private readonly answers: AnswerHistograms
  private readonly byCrowd: Array<Ema> = []

  constructor(private readonly settings: Settings) {
    this.wholes = new Ema(settings.alpha, settings.halfLife)
    this.perToken = new Ema(settings.alpha, settings.halfLife)
    this.firsts = new Ema(settings.alpha, settings.halfLife)
    this.writing = new Ema(settings.alpha, settings.halfLife)
    this.peaks = new PeakFigure(settings.tau)
    this.answers = new AnswerHistograms(settings)
  }

  get oldestUnanswered(): number | undefined {
    return this.head?.startedAt
  }

  firstsBeside(beside: number): Ema {
    const crowd = Math.min(mostCrowds, 31 - Math.clz32(beside + 1))
    while (this.byCrowd.length <= crowd) this.byCrowd.push(new Ema(this.settings.alpha, this.settings.halfLife))
    return this.byCrowd[crowd] as Ema
  }

  duration(now: number): number | undefined {
    return this.wholes.get(now)
  }

  durationPerToken(now: number): number | undefined {
    return this.perToken.get(now)
  }

  timeToFirstToken(now: number): number | undefined {
    return this.firsts.get(now)
  }

  peak(now: number): number | undefined {
    return this.peaks.get(now)
  }

  failurePenalty(now: number): number {
    return this.peaks.penalty(now)
  }

  get isFailing(): boolean {
    return this.peaks.isFailing
  }

  quantile(q: number, stream: boolean, now: number): number | undefined {
    return this.answers.of(stream).quantile(q, now)
  }

  samples(stream: boolean, now: number): number {
    return this.answers.of(stream).count(now)
  }

  answer(sample: number, stream: boolean, now: number): void {
    this.answers.of(stream).record(sample, now)
  }

  begin(call: Tracked): void {
    this.running++
    this.unanswered++
    call.before = this.tail
    if (this.tail === undefined) this.head = call
    else this.tail.after = call
    this.tail = call
  }

  unlink(call: Tracked): void {
    this.unanswered--
    if (call.before === undefined) this.head = call.after
    else call.before.after = call.after
    if (call.after === undefined) this.tail = call.before
    else call.after.before = call.before
    call.before = undefined
    call.after = undefined
  }
}

const ranOutOfTime = (error: LlmError): boolean =>
  error.reason === "Timeout" || (error.reason === "StreamInterrupted" && error.interruptedBy === "Timeout")

/** A call under observation: an element of its deployment's list of unanswered calls until it is answered or over. */
export class Tracked implements TrackedCall {
  before: Tracked | undefined
  after: Tracked | undefined
  private waiting = true
  private over = false
  private readonly beside: number
  private first = 0

  constructor(
    private readonly cell: LatencyCell,
    private readonly group: GroupCell,
    private readonly stream: boolean,
    readonly startedAt: number
  ) {
    this.beside = cell.running
    cell.begin(this)
  }

  answered(now: number): void {
    if (this.waiting && !this.over) this.firstAnswer(now - this.startedAt, now)
  }

  settled(outcome: Outcome, now: number): void {
    if (this.over) return
    this.over = true
    this.cell.running--
    switch (outcome._tag) {
      case "Completed":
        if (this.waiting) this.firstAnswer(outcome.timeToFirstToken, now)
        this.whole(outcome.duration, outcome.usage.outputTokens, now)
        this.written(outcome.duration, outcome.usage.outputTokens, now)
        break
      case "Failed":
        this.failed(outcome.error, now)
        break
      case "Abandoned":
        this.unfinished(false, now)
    }
  }

  private stopWaiting(): void {
    this.waiting = false
    this.cell.unlink(this)
  }

  private firstAnswer(sample: number, now: number): void {
    this.stopWaiting()
    const { cell, group } = this
    cell.peaks.record(sample, now)
    cell.peaks.succeeded(now)
    group.firstAnswer(sample, now)
    if (!this.stream) return
    this.first = sample
    cell.firsts.record(sample, now)
    cell.firstsBeside(this.beside).record(sample, now)
    this.answer(sample, now)
  }

  private written(whole: number, outputTokens: number, now: number): void {
    if (!(outputTokens > 0)) return
    this.group.length.record(outputTokens, now)
    if (!this.stream) return
    const perToken = Math.max(0, whole - this.first) / outputTokens
    this.cell.writing.record(perToken, now)
    this.group.writing.record(perToken, now)
  }

  private whole(sample: number, outputTokens: number, now: number): void {
    this.cell.wholes.record(sample, now)
    if (outputTokens > 0) this.cell.perToken.record(sample / outputTokens, now)
    if (!this.stream) this.answer(sample, now)
  }

  private answer(sample: number, now: number): void {
    this.cell.answer(sample, this.stream, now)
    this.group.answer(sample, this.stream, now)
  }

  private failed(error: LlmError, now: number): void {
    if (ranOutOfTime(error)) this.unfinished(error.breaker !== "neutral", now)
    else if (this.waiting) this.stopWaiting()
    if (error.breaker !== "neutral") this.cell.peaks.failed(now)
  }

  /**
   * A call that was given up took at least this long. That is a sample where it is more than what was expected, and only
   * there: a caller who soon leaves says nothing. `silent` is a deployment's own timeout, which says something even of a
   * deployment of which nothing is known; otherwise the group's median has to stand in.
   */
  private unfinished(silent: boolean, now: number): void {
    const { cell, group, stream } = this
    const elapsed = now - this.startedAt
    if (this.waiting) {
      this.stopWaiting()
      const peak = cell.peaks.get(now) ?? (silent ? -1 : group.typical(now))
      if (peak !== undefined && elapsed > peak) cell.peaks.record(elapsed, now)
      const first = cell.firsts.get(now) ?? (silent ? -1 : group.quantile(0.5, true, now))
      if (stream && first !== undefined && elapsed > first) {
        cell.firsts.record(elapsed, now)
        this.answer(elapsed, now)
      }
    }
    const average = cell.wholes.get(now)
    const whole = average ?? (silent ? -1 : group.quantile(0.5, false, now))
    if (whole === undefined || elapsed <= whole) return
    cell.wholes.record(elapsed, now)
    const perToken = cell.perToken.get(now)
    if (perToken !== undefined && average !== undefined && average > 0) {
      cell.perToken.record((perToken * elapsed) / average, now)
    }
    if (!stream) this.answer(elapsed, now)
  }
}
