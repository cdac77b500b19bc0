/**
 * The circuit breaker of one deployment, as a plain state machine: closed, open, half-open. It knows no clock, no fiber and
 * no error type; whoever calls it says what happened and when. After Nygard's circuit breaker, with gobreaker's generations
 * (here `epoch`): what began before the last change of state has no say in the next.
 */
import { busy, type Closed, closed, open, type Status } from "@switchyard/core/Status"
import type { RouterEvent } from "../events/RouterEvents.js"
import type { Overrides, Policy } from "./breakerPolicy.js"
import { type BreakerSnapshot, lastsFrom } from "./breakerSnapshot.js"
import type { BreakerView } from "./breakerView.js"
import { FailureCounts } from "./failureCounts.js"
import { after, type HealthEvent, type HealthStatus } from "./HealthStatus.js"
import { Holds } from "./holds.js"
import { MissingModels } from "./missingModels.js"
import { SlowStart } from "./slowStart.js"

/** Says which epoch a call began in, and whether it holds a half-open permit. */
export interface Ticket {
  readonly epoch: number
  /** Admitted on trial: decided at its first content. */
  readonly onTrial: boolean
  permit: boolean
  /** On trial only: a success, now, would be no news. */
  decided: boolean
}

const probing = busy("probing", undefined, "failure")
const unhealthy = closed("unhealthy", undefined, "operator")

const ticket = (epoch: number, onTrial: boolean, permit: boolean, decided = false): Ticket => ({
  epoch,
  onTrial,
  permit,
  decided
})

/** One deployment's breaker. Every `now` is monotonic ms. */
export class Breaker {
  protected circuit: "closed" | "open" | "halfOpen" = "closed"
  private health: HealthStatus = "Unknown"
  private ordinary = ticket(0, false, false)
  protected openUntil = Number.NEGATIVE_INFINITY
  private cooling: Closed = closed("cooldown")
  protected readonly holds = new Holds()
  protected unhealthyBy: string | undefined
  protected openedBy: string | undefined
  protected trips = 0
  protected consecutiveSuccesses = 0
  protected permits = 1
  protected inUse = 0
  private readonly counts = new FailureCounts()
  private lastSuccess = Number.NEGATIVE_INFINITY
  private missing: MissingModels | undefined

  constructor(
    readonly deployment: string,
    /** Uniform in [0, 1). */
    private readonly random: () => number,
    private readonly publish: (event: RouterEvent) => void,
    protected readonly slowStart = new SlowStart()
  ) {}

  /**
   * Whether a call would be admitted: a plain read that changes nothing and allocates nothing. With the name that is asked
   * for, a wildcard is closed to what its provider does not have.
   */
  status(now: number, model?: string): Status {
    if (this.unhealthyBy !== undefined) return unhealthy
    const lacking = model === undefined ? undefined : this.missing?.status(model, now)
    if (lacking !== undefined) return lacking
    if (now < this.holds.until) return this.holds.status(now)
    if (this.circuit === "closed") return open
    if (this.circuit === "open") return now < this.openUntil ? this.cooling : open
    return this.inUse < this.permits ? open : probing
  }

  /**
   * Lets a call in, or not. `forced` passes a cooldown and a half-open state without a permit, never a Retry-After or a
   * failed health probe; `named` says that it was for a call that asked for this deployment, whose success then is no news
   * to others. Who is let in hands the ticket to `succeeded`, `failed` or `undecided` when the call is over.
   */
  admit(policy: Policy, now: number, forced: boolean, named = false): Ticket | undefined {
    if (this.unhealthyBy !== undefined || now < this.holds.until) return undefined
    if (this.circuit === "closed") return this.ordinary
    if (this.circuit === "open") {
      if (now < this.openUntil) return forced ? ticket(this.epoch, true, false, named) : undefined
      this.enterHalfOpen(policy, now)
    }
    const permit = this.inUse < this.permits
    if (!permit && !forced) return undefined
    if (permit) this.inUse++
    return ticket(this.epoch, true, permit, !permit && named)
  }

  /** A call succeeded; one on trial may say so at its first content, and its end is then no news. */
  succeeded(by: Ticket, policy: Policy, now: number): void {
    this.lastSuccess = now
    if (by.decided || !this.concludes(by)) return
    if (by.onTrial) by.decided = true
    this.counts.consecutive = 0
    this.consecutiveSuccesses++
    if (this.circuit === "closed") {
      this.counts.called(policy, now)
      this.note("Succeeded")
      if (this.consecutiveSuccesses >= policy.successThreshold) this.note("Recovered")
      return
    }
    if (this.circuit === "open") this.enterHalfOpen(policy, now)
    if (this.consecutiveSuccesses < policy.successThreshold) {
      this.permits = policy.permits + this.consecutiveSuccesses
      return
    }
    this.slowStart.begin(policy.slowStart, now)
    this.close(now)
    this.note("Recovered")
  }

  /** A call failed in a way that says something about the deployment. `atOnce`: the reason alone opens the breaker. */
  failed(by: Ticket, reason: string, atOnce: boolean, own: Overrides, policy: Policy, now: number): void {
    if (by.onTrial) by.decided = true
    if (!this.concludes(by)) return
    this.consecutiveSuccesses = 0
    this.note("Failed")
    const base = own.cooldown ?? policy.duration
    if (this.circuit === "closed") {
      if (this.counts.isTooMuch(reason, atOnce, own, policy, now) && base > 0)
        this.trip(reason, atOnce, base, policy, now)
      return
    }
    this.counts.consecutive++
    if (base === 0) this.close(now)
    else if (this.circuit === "halfOpen") this.trip(reason, atOnce, base, policy, now)
    else if (atOnce) this.openFor(reason, this.jittered(policy.tripDuration, policy), now)
  }

  /** Whether a call succeeded within the last `ms`: then a failure that may be the request's own says nothing. */
  succeededWithin(ms: number, now: number): boolean {
    return now - this.lastSuccess < ms
  }

  /** The provider has no such model: a wildcard is closed to that name alone. */
  lacks(model: string, own: Overrides, policy: Policy, now: number): void {
    if ((own.cooldown ?? policy.duration) === 0) return
    this.missing ??= new MissingModels()
    this.missing.note(model, now + this.jittered(policy.tripDuration, policy))
  }

  /** The provider has that model after all. */
  has(model: string): void {
    this.missing?.forget(model)
  }

  /** A call ended without a word about the deployment: its caller left, or the request itself was wrong. */
  undecided(by: Ticket): void {
    if (by.onTrial) by.decided = true
    this.concludes(by)
  }

  /**
   * The provider asked to be left alone for `wait` ms: because of a limit, or because it is out. Each flag is only ever
   * extended, and no state changes with it.
   */
  retryAfter(wait: number, policy: Policy, now: number, kind: "limit" | "outage" = "limit"): void {
    if (!(wait > 0)) return
    const asked = Math.min(wait, policy.maxRetryAfter)
    this.holds.add(kind, now + asked, now + asked * (1 + policy.retryAfterJitter * this.random()))
    this.makeStatuses()
  }

  /** Opens it by hand, or because another replica did, for at least `duration` ms. Later cooldowns are no longer for it. */
  cool(reason: string, duration: number, now: number): void {
    this.permits = 1
    this.opens(reason, duration, now)
  }

  /** Closes it by hand, with a clean record: cooldown and Retry-After are forgotten, a failed health probe is not. */
  reset(now: number): void {
    this.holds.clear()
    this.counts.consecutive = 0
    this.missing = undefined
    this.counts.forget()
    if (this.circuit !== "closed") this.close(now)
  }

  /** Health probes fail: no calls until they succeed again, whatever the circuit does meanwhile. */
  probeFailed(reason: string, now: number): void {
    if (this.unhealthyBy !== undefined) return
    this.health = after(this.healthAt(now), "ProbeFailed")
    this.unhealthyBy = reason
    this.publish({ _tag: "ProbeFailed", at: now, deployment: this.deployment, reason })
  }

  /** Health probes succeed again. A cooldown that still runs goes on. */
  probeRecovered(now: number): void {
    if (this.unhealthyBy === undefined) return
    this.unhealthyBy = undefined
    this.consecutiveSuccesses = this.circuit === "closed" ? 0 : this.consecutiveSuccesses
    this.note(this.circuit === "open" && now < this.openUntil ? "Tripped" : "ProbeRecovered")
    this.publish({ _tag: "ProbeRecovered", at: now, deployment: this.deployment })
  }

  /** The health at a moment: a cooldown that has run out reads as degraded before anybody called. */
  healthAt(now: number): HealthStatus {
    return this.circuit === "open" && now >= this.openUntil ? after(this.health, "Expired") : this.health
  }

  /**
   * The share of its usual traffic that a strategy should give it: 1, but after a recovery with slow start a line from 0.1
   * up to 1.
   */
  rampFactor(now: number): number {
    return this.slowStart.factor(now)
  }

  /** Everything there is to know, read without changing anything. */
  view(now: number): BreakerView {
    const status = this.status(now)
    const due = this.circuit === "open" && now >= this.openUntil
    return {
      deployment: this.deployment,
      health: this.healthAt(now),
      circuit: due ? "halfOpen" : this.circuit,
      blockedBy: status._tag === "Open" ? undefined : status.reason,
      until: status._tag === "Open" ? undefined : status.until,
      reason: this.unhealthyBy ?? this.openedBy,
      epoch: this.epoch,
      consecutiveFailures: this.counts.consecutive,
      consecutiveSuccesses: this.consecutiveSuccesses,
      trips: this.trips,
      permits: due || this.circuit === "halfOpen" ? this.permits - this.inUse : 0,
      rampFactor: this.rampFactor(now)
    }
  }

  /** What another process may go on with; undefined where that is nothing. */
  snapshot(now: number): BreakerSnapshot | undefined {
    if (this.circuit === "closed" && now >= this.holds.until) return undefined
    const open = this.circuit === "closed" ? undefined : lastsFrom(this.openUntil, now)
    return { open, reason: this.openedBy, trips: this.trips, ...this.holds.snapshot(now) }
  }

  /** Goes on from another process's snapshot of `now`, which may be past; a breaker that has opened itself stays as it is. */
  restore({ limit, open, outage, reason, trips }: BreakerSnapshot, now: number): void {
    this.holds.restore({ limit, outage }, now)
    if (open !== undefined && this.circuit === "closed") {
      this.newEpoch()
      this.note("Tripped")
      this.circuit = "open"
      ;[this.trips, this.openUntil, this.openedBy] = [trips, now + open, reason]
    }
    this.makeStatuses()
  }

  protected get epoch(): number {
    return this.ordinary.epoch
  }

  protected note(event: HealthEvent): void {
    this.health = after(this.health, event)
  }

  protected newEpoch(): void {
    this.ordinary = ticket(this.epoch + 1, false, false)
    this.inUse = 0
    this.consecutiveSuccesses = 0
  }

  /** Whether the result of a call still counts; takes its permit back on the way. */
  private concludes(by: Ticket): boolean {
    if (by.epoch !== this.epoch) return false
    if (by.permit) {
      by.permit = false
      this.inUse--
    }
    return true
  }

  private jittered(duration: number, policy: Policy): number {
    return duration * (1 - policy.jitter * this.random())
  }

  private trip(reason: string, atOnce: boolean, base: number, policy: Policy, now: number): void {
    const counted = Math.min(base * 2 ** this.trips, Math.max(policy.maxDuration, base))
    this.trips++
    this.permits = policy.permits
    this.opens(reason, this.jittered(atOnce ? Math.max(policy.tripDuration, counted) : counted, policy), now)
  }

  protected opens(reason: string, duration: number, now: number): void {
    if (this.circuit !== "open" || now >= this.openUntil) this.openUntil = Number.NEGATIVE_INFINITY
    this.circuit = "open"
    this.counts.forget()
    this.newEpoch()
    if (this.unhealthyBy === undefined) this.note("Tripped")
    this.openFor(reason, duration, now)
  }

  protected openFor(reason: string, duration: number, now: number): void {
    this.openUntil = Math.max(this.openUntil, now + duration)
    this.openedBy = reason
    this.makeStatuses()
    this.publish({ _tag: "CooldownOpened", at: now, deployment: this.deployment, reason, until: this.openUntil })
  }

  private enterHalfOpen(policy: Policy, now: number): void {
    this.permits = policy.permits
    this.halfOpens(now)
  }

  protected halfOpens(now: number): void {
    this.circuit = "halfOpen"
    this.note("Expired")
    this.publish({ _tag: "CooldownHalfOpen", at: now, deployment: this.deployment })
  }

  protected close(now: number): void {
    this.note("Expired")
    this.circuit = "closed"
    this.newEpoch()
    this.trips = 0
    this.counts.consecutive = 0
    this.openedBy = undefined
    this.makeStatuses()
    this.publish({ _tag: "CooldownClosed", at: now, deployment: this.deployment })
  }

  protected makeStatuses(): void {
    this.cooling = closed("cooldown", this.openUntil)
    this.holds.beside(this.circuit === "open" ? this.openUntil : undefined)
  }
}
