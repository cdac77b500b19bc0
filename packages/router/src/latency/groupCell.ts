import { DecayingHistogram } from "./decayingHistogram.js"
import { Ema } from "./ema.js"

/** The tracker's options in ms. */
export interface Settings {
  readonly alpha: number
  readonly halfLife: number
  readonly tau: number
}

/**
 * How fast calls were answered, as quantiles. Two kinds are kept apart: for a stream the answer is its first content, for
 * a plain call the whole of it.
 */
export interface Answers {
  /**
   * The time in ms within which a share `q` (0 to 1) of recent answers came; undefined when there are none. Right to about
   * 10 %.
   */
  readonly quantile: (q: number, stream: boolean, now: number) => number | undefined
  /** Recent answers, each counted by what time has left of its weight: how much a quantile may be trusted. */
  readonly samples: (stream: boolean, now: number) => number
}

/** One average of latencies, and how sure it is. */
export interface Average {
  /** ms; undefined when nobody knows. */
  readonly get: (now: number) => number | undefined
  /** Ms since the last sample; infinite before the first. */
  readonly age: (now: number) => number
  /** The last sample, in ms; NaN before the first. */
  readonly latest: number
  /** The variance of the samples, in ms²; undefined while there was only one. */
  readonly variance: number | undefined
  /** What the average's own variance is of that: 1 after the first sample, then less with each. */
  readonly share: number
}

/** How fast a model group is, over all its deployments. */
export interface GroupLatency extends Answers {
  /**
   * The median of the times to the first token (headers for a plain call), fading like each deployment's `peak` while
   * nothing comes from the whole group: what a deployment counts as of which nothing is known.
   */
  readonly typical: (now: number) => number | undefined
  /** Output tokens of an answer, on average. */
  readonly length: Average
  /** Time of streams per output token from the first content on, on average. */
  readonly writing: Average
}

const toTau = (halfLife: number): number => halfLife / Math.LN2

/** Answers of streams, and of plain calls, as quantiles. */
export class AnswerHistograms {
  private readonly streams: DecayingHistogram
  private readonly plain: DecayingHistogram

  constructor(settings: Settings) {
    this.streams = new DecayingHistogram(toTau(settings.halfLife))
    this.plain = new DecayingHistogram(toTau(settings.halfLife))
  }

  of(stream: boolean): DecayingHistogram {
    return stream ? this.streams : this.plain
  }
}

/** Weight of a new length: lengths differ much, and are no matter of the moment. */
const lengthAlpha = 0.02

/** The figures of a model group. */
export class GroupCell implements GroupLatency {
  readonly length: Ema
  readonly writing: Ema
  private readonly answers: AnswerHistograms
  private readonly first: DecayingHistogram
  private lastAt = 0

  constructor(private readonly settings: Settings) {
    this.length = new Ema(lengthAlpha, settings.halfLife)
    this.writing = new Ema(settings.alpha, settings.halfLife)
    this.answers = new AnswerHistograms(settings)
    this.first = new DecayingHistogram(toTau(settings.halfLife))
  }

  quantile(q: number, stream: boolean, now: number): number | undefined {
    return this.answers.of(stream).quantile(q, now)
  }

  samples(stream: boolean, now: number): number {
    return this.answers.of(stream).count(now)
  }

  typical(now: number): number | undefined {
    const median = this.first.quantile(0.5, now)
    return median === undefined ? undefined : median * Math.exp((this.lastAt - now) / this.settings.tau)
  }

  answer(sample: number, stream: boolean, now: number): void {
    this.answers.of(stream).record(sample, now)
  }

  firstAnswer(sample: number, now: number): void {
    this.first.record(sample, now)
    this.lastAt = now
  }
}
