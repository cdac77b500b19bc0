import { toMs } from "@switchyard/core/Time"
import { Draws } from "../chance/Draws.js"
import type { Scenario } from "../scenario/Scenario.js"
import { isServed, servedNames } from "../scenario/served.js"
import type { VirtualTime } from "../time/VirtualTime.js"
import { nextArrival, rateOf } from "../workload/arrivals.js"
import { ofEntry, type Plan, type Planned, plans } from "../workload/requests.js"
import type { Source } from "../workload/WorkloadModel.js"

/** Sends requests as a scenario says, and knows when none is left to come. */
export class Feed {
  /** Requests that have been sent. */
  sent = 0
  /** Events that will send some. */
  private coming = 0
  private readonly until: number
  private readonly most: number

  constructor(
    private readonly scenario: Scenario,
    private readonly time: VirtualTime,
    private readonly seed: number,
    /** Sends one request; `then` is to be called when it is over. */
    private readonly send: (planned: Planned, then: () => void) => void
  ) {
    const { duration, requests } = scenario.model
    this.until = duration === undefined ? Number.POSITIVE_INFINITY : toMs(duration)
    this.most = requests ?? Number.POSITIVE_INFINITY
  }

  /** No more will come. */
  get isDry(): boolean {
    return this.coming === 0
  }

  /** When the last request was sent. */
  lastSentAt = 0

  /** How far it is, from 0 to 1. */
  get progress(): number {
    const { trace } = this.scenario
    const byCount = this.sent / Math.min(this.most, trace?.length ?? Number.POSITIVE_INFINITY)
    return Math.min(1, Math.max(this.time.now / this.until, byCount))
  }

  /** Begins. */
  start(): void {
    const { model, trace } = this.scenario
    if (trace !== undefined) return this.replay(0)
    for (const [index, source] of (model.workload ?? []).entries()) this.open(source, index)
  }

  private at(due: number, fire: () => void): void {
    if (due >= this.until || this.sent >= this.most) return
    this.coming++
    this.time.at(due, () => {
      this.coming--
      if (this.sent < this.most) fire()
    })
  }

  private open(source: Source, index: number): void {
    const arrivals = new Draws(this.seed, `arrivals ${index}`)
    const next = plans(source, index, new Draws(this.seed, `requests ${index}`))
    const rate = rateOf(source)
    const arrive = (): void => {
      this.turn(next(), 0)
      again()
    }
    const again = (): void => {
      const due = nextArrival(source, rate, arrivals, this.time.now)
      if (due < Number.POSITIVE_INFINITY) this.at(due, arrive)
    }
    again()
  }

  private turn(plan: Plan, index: number): void {
    const planned = plan.turns[index]
    if (planned === undefined) return
    this.sent++
    this.lastSentAt = this.time.now
    this.send(planned, () => {
      const pause = plan.pauses[index]
      if (pause !== undefined) this.at(this.time.now + pause, () => this.turn(plan, index + 1))
    })
  }

  private replay(index: number): void {
    const { model, trace } = this.scenario
    const entry = trace?.[index]
    if (entry === undefined) return
    this.at(entry.at, () => {
      this.sent++
      this.lastSentAt = this.time.now
      const name = this.isServed(entry.model) ? entry.model : (model.traceModel ?? entry.model)
      this.send(ofEntry(entry, index, name ?? ""), () => {})
      this.replay(index + 1)
    })
  }

  /** A trace has few names, each many times. */
  private readonly known = new Map<string, boolean>()

  private isServed(name: string | undefined): boolean {
    if (name === undefined) return false
    const before = this.known.get(name)
    if (before !== undefined) return before
    const is = isServed(name, servedNames(this.scenario.router))
    this.known.set(name, is)
    return is
  }
}
