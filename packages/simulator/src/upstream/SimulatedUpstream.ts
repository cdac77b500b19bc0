/**
 * One upstream in virtual time: it queues, serves, fails and bills as its model says. A call costs two or three events, however
 * long its answer is: a stream has a first token and an end, and nothing between them.
 */
import type { Attempt } from "@switchyard/core/Attempt"
import { toMs } from "@switchyard/core/Time"
import { type Distribution, expectation, type Sampler, sampler } from "../chance/Distribution.js"
import { Draws } from "../chance/Draws.js"
import type { VirtualTime } from "../time/VirtualTime.js"
import type * as Asked from "./Asked.js"
import { type Conditions, conditionsAt, type IncidentTimes, sharesOf } from "./conditions.js"
import { Line } from "./line.js"
import { MinuteWindow } from "./minuteWindow.js"
import { type PromptCache, promptCache } from "./promptCache.js"
import type { CallEnd, Ending, SimulatedCall } from "./simulatedCall.js"
import { statusError } from "./simulatedErrors.js"
import type { UpstreamModel } from "./UpstreamModel.js"

/** What happened at an upstream, seen from there. */
export interface UpstreamCounts {
  /** Calls that arrived. */
  calls: number
  completed: number
  /** Answered with an error, or broken off by the upstream. */
  failed: number
  /** Answered with 429. */
  limited: number
  /** Left by the caller before they had ended. */
  left: number
  inputTokens: number
  cachedTokens: number
  outputTokens: number
  /** USD that it bills. */
  cost: number
}

/** A call as somebody foresees it who knows all of the upstream, but not what chance will draw. */
export interface Foresight {
  /** Ms until its end, and until its first token; infinite where it would not be answered. */
  readonly total: number
  readonly firstToken: number
  /** How probable it is that it fails. */
  readonly failing: number
}

/** An upstream that runs. */
export class SimulatedUpstream {
  readonly counts: UpstreamCounts = {
    calls: 0,
    completed: 0,
    failed: 0,
    limited: 0,
    left: 0,
    inputTokens: 0,
    cachedTokens: 0,
    outputTokens: 0,
    cost: 0
  }
  private readonly draws: Draws
  private readonly draw: Readonly<Record<"firstToken" | "tokensPerSecond" | "errorAfter" | "coldStart", Sampler>>
  private readonly means: { readonly firstToken: number; readonly perToken: number }
  private readonly perThousand: number
  private readonly usual: Conditions
  private readonly requests = new MinuteWindow()
  private readonly tokens = new MinuteWindow()
  private readonly cache: PromptCache | undefined
  private readonly waiting = new Line<SimulatedCall>()
  private readonly coldAfter: number
  private busy = 0
  private lastActive = Number.NEGATIVE_INFINITY
  private warmAt = Number.NEGATIVE_INFINITY
  /** Ms of service that those in the slots still need, about. */
  private typicalService = 0
  /** Told of every call that arrives. */
  onCall: ((now: number) => void) | undefined

  constructor(
    readonly id: string,
    readonly model: UpstreamModel,
    private readonly time: VirtualTime,
    private readonly incidents: ReadonlyArray<IncidentTimes>,
    seed: number
  ) {
    const of = (distribution: Distribution | undefined, byDefault: Distribution): Sampler =>
      sampler(distribution ?? byDefault)
    this.draws = new Draws(seed, `upstream ${id}`)
    this.draw = {
      firstToken: of(model.firstToken, { median: 400, p95: 900 }),
      tokensPerSecond: of(model.tokensPerSecond, { median: 60, p95: 90 }),
      errorAfter: of(model.errorAfter, 50),
      coldStart: of(model.coldStart, 5000)
    }
    const trial = new Draws(seed, "foresight")
    this.means = {
      firstToken: expectation(this.draw.firstToken, trial),
      perToken: expectation((draws) => 1000 / this.draw.tokensPerSecond(draws), trial)
    }
    this.perThousand = toMs(model.perThousandInput ?? 0)
    this.cache = promptCache(model.promptCache)
    this.coldAfter = model.coldAfter === undefined ? Number.POSITIVE_INFINITY : toMs(model.coldAfter)
    this.usual = {
      slower: 1,
      down: undefined,
      errors: sharesOf(model.errors),
      cut: 0,
      stall: 0,
      slots: model.slots ?? Number.POSITIVE_INFINITY
    }
  }

  /** What holds for it now. */
  get conditions(): Conditions {
    return conditionsAt(this.usual, this.incidents, this.time.now)
  }

  /** Calls in its slots, and in its queue. */
  get load(): { readonly busy: number; readonly waiting: number } {
    return { busy: this.busy, waiting: this.waiting.size }
  }

  /** A call arrives; how it ends is told to the call. */
  receive(attempt: Attempt, call: SimulatedCall): void {
    const { now } = this.time
    this.counts.calls++
    this.draws.begin(call.asked.luck, call.again)
    this.onCall?.(now)
    const conditions = this.conditions
    if (conditions.down === "refuse") return call.refuse()
    // It is never answered: only its caller can end it.
    if (conditions.down === "silent") return
    if (typeof conditions.down === "number") return this.failLater(call, attempt, conditions.down, conditions)
    const over = this.overLimit(now, call.asked)
    if (over > 0) return this.failLater(call, attempt, 429, conditions, over)
    for (const [status, share] of conditions.errors) {
      // Drawn always, so that a further one changes no other's luck.
      if (this.draws.uniform() < share) return this.failLater(call, attempt, status, conditions)
    }
    this.requests.add(now, 1)
    this.tokens.add(now, call.asked.inputTokens)
    // An incident that took slots may be over: they are for those who wait already.
    this.serveWaiting()
    if (this.busy < conditions.slots) return this.serve(call)
    if (this.waiting.size >= (this.model.queue ?? 100)) {
      return this.failLater(call, attempt, this.model.whenFull ?? 503, conditions)
    }
    this.waiting.join(call)
  }

  /** Ms until it takes such a call again by its limits; 0 where it does. */
  private overLimit(now: number, { inputTokens, outputTokens }: Asked.Asked): number {
    const { rpm, tpm } = this.model
    return Math.max(
      rpm === undefined ? 0 : this.requests.roomIn(now, rpm, 1),
      tpm === undefined ? 0 : this.tokens.roomIn(now, tpm, Math.min(tpm, inputTokens + outputTokens))
    )
  }

  private failLater(
    call: SimulatedCall,
    attempt: Attempt,
    status: number,
    { slower }: Conditions,
    retryIn?: number
  ): void {
    const headers = retryIn === undefined ? this.headers() : { ...this.headers(), ...this.retryHeader(retryIn) }
    call.event = this.time.at(this.time.now + this.draw.errorAfter(this.draws) * slower, () => {
      const error = statusError(attempt, status, headers, this.time)
      call.fail(error, status === 429 ? "limited" : "failed")
    })
  }

  private retryHeader(ms: number): Readonly<Record<string, string>> {
    return this.model.announces === false ? {} : { "retry-after": String(Math.max(1, Math.ceil(ms / 1000))) }
  }

  /** What its answers say of its limits. */
  headers(): Readonly<Record<string, string>> {
    const { announces, rpm, tpm } = this.model
    if (announces === false || (rpm === undefined && tpm === undefined)) return none
    const { now } = this.time
    const requests = rpm === undefined ? none : limitOfRequests(rpm, this.requests.total(now))
    if (tpm === undefined) return requests
    const tokens = limitOfTokens(tpm, this.tokens.total(now))
    return rpm === undefined ? tokens : { ...requests, ...tokens }
  }

  private serve(call: SimulatedCall): void {
    const { now } = this.time
    const conditions = this.conditions
    this.busy++
    this.draws.begin(call.asked.luck, -1 - call.again)
    call.isServed = true
    call.cachedTokens = this.cache?.take(call.asked, now) ?? 0
    if (now - this.lastActive > this.coldAfter && this.busy === 1) {
      this.warmAt = now + this.draw.coldStart(this.draws)
    }
    this.lastActive = now
    const fresh = call.asked.inputTokens - call.cachedTokens
    const toFirst =
      Math.max(0, this.warmAt - now) +
      (this.draw.firstToken(this.draws) + (this.perThousand * fresh) / 1000) * conditions.slower
    const writing = (call.asked.outputTokens * 1000 * conditions.slower) / this.draw.tokensPerSecond(this.draws)
    const service = toFirst + writing
    this.typicalService += (service - this.typicalService) * (this.typicalService === 0 ? 1 : 0.05)
    const isCut = this.draws.uniform() < conditions.cut
    const isStalled = this.draws.uniform() < conditions.stall
    const ending: Ending = isCut ? "cut" : isStalled ? "stall" : "whole"
    const share = ending === "whole" ? 1 : this.draws.uniform()
    call.answer(now + toFirst, writing * share, ending)
  }

  /** A call has ended, or its caller has left: its slot, or its place in the queue, is another's. */
  ended(call: SimulatedCall, how: CallEnd, written: number): void {
    const { counts, time } = this
    if (how === "limited") counts.failed++
    counts[how]++
    this.waiting.leave(call)
    if (!call.isServed) return
    const { inputTokens, outputTokens } = call.asked
    const output = Math.round(outputTokens * written)
    this.tokens.add(time.now, output)
    counts.inputTokens += inputTokens
    counts.cachedTokens += call.cachedTokens
    counts.outputTokens += output
    counts.cost += this.priceOf(inputTokens, call.cachedTokens, output)
    this.lastActive = time.now
    this.busy--
    this.serveWaiting()
  }

  private serveWaiting(): void {
    for (let next = this.waiting.first; next !== undefined; next = this.waiting.first) {
      if (this.busy >= this.conditions.slots) break
      this.waiting.leave(next)
      this.serve(next)
    }
  }

  private priceOf(input: number, cached: number, output: number): number {
    const { cachedInputPrice, inputPrice = 0, outputPrice = 0 } = this.model
    return ((input - cached) * inputPrice + cached * (cachedInputPrice ?? inputPrice) + output * outputPrice) / 1e6
  }

  /** What such a call costs here, about. */
  price(asked: Asked.Asked): number {
    const cached = this.cache?.peek(asked, this.time.now) ?? 0
    return this.priceOf(asked.inputTokens, cached, asked.outputTokens)
  }

  /** What would become of a call that came now. */
  foresee(asked: Asked.Asked): Foresight {
    const { now } = this.time
    const { cut, down, errors, slots, slower, stall } = this.conditions
    if (down !== undefined || this.overLimit(now, asked) > 0) return never
    const ahead = this.busy < slots ? 0 : this.waiting.size + 1
    if (ahead > (this.model.queue ?? 100)) return never
    const cold = this.busy === 0 && now - this.lastActive > this.coldAfter ? 5000 : Math.max(0, this.warmAt - now)
    const cached = this.cache?.peek(asked, now) ?? 0
    const firstToken =
      cold +
      (ahead === 0 ? 0 : (ahead * this.typicalService) / slots) +
      (this.means.firstToken + (this.perThousand * (asked.inputTokens - cached)) / 1000) * slower
    const failing = 1 - errors.reduce((good, [, share]) => good * (1 - share), (1 - cut) * (1 - stall))
    return { firstToken, total: firstToken + asked.outputTokens * this.means.perToken * slower, failing }
  }
}

const none: Readonly<Record<string, string>> = {}

const remaining = (limit: number, used: number): string => String(Math.max(0, Math.floor(limit - used)))

/** The names are written out, since to put one together for each answer costs more than all else of it. */
const limitOfRequests = (limit: number, used: number): Readonly<Record<string, string>> => ({
  "x-ratelimit-limit-requests": String(limit),
  "x-ratelimit-remaining-requests": remaining(limit, used),
  "x-ratelimit-reset-requests": "60s"
})

const limitOfTokens = (limit: number, used: number): Readonly<Record<string, string>> => ({
  "x-ratelimit-limit-tokens": String(limit),
  "x-ratelimit-remaining-tokens": remaining(limit, used),
  "x-ratelimit-reset-tokens": "60s"
})

const never: Foresight = { total: Number.POSITIVE_INFINITY, firstToken: Number.POSITIVE_INFINITY, failing: 1 }
