/**
 * What a closed breaker counts, and the rules by which it has seen too much.
 */

import { RateWindow } from "../time/rateWindow.js"
import type { Overrides, Policy } from "./breakerPolicy.js"

/** The counts so far, over the length that the policy says now. */
const windowOf = (known: RateWindow | undefined, { window }: Policy): RateWindow =>
  known === undefined ? new RateWindow(window) : known.resized(window)

/** One deployment's calls and failures. Every `now` is monotonic ms. */
export class FailureCounts {
  /** Failures in a row. */
  consecutive = 0
  private calls: RateWindow | undefined
  private failures: RateWindow | undefined
  private byReason: Map<string, RateWindow> | undefined

  /** Counts a call. */
  called(policy: Policy, now: number): RateWindow {
    this.calls = windowOf(this.calls, policy)
    this.calls.add(now)
    return this.calls
  }

  /** Counts a failure of a closed breaker by the rule that is in charge of it, and asks that rule. */
  isTooMuch(reason: string, atOnce: boolean, own: Overrides, policy: Policy, now: number): boolean {
    const calls = this.called(policy, now)
    const borne = atOnce || own.allowedFails === undefined ? policy.allowedFails[reason] : undefined
    if (borne !== undefined) return this.countReason(reason, policy, now) > borne
    this.consecutive++
    if (atOnce) return true
    this.failures = windowOf(this.failures, policy)
    this.failures.add(now)
    const failures = this.failures.total(now)
    if (own.allowedFails !== undefined) return failures > own.allowedFails
    if (this.consecutive >= policy.failures) return true
    const total = calls.total(now)
    return total >= policy.minimumCalls && (failures / total > policy.failureRate || failures >= policy.windowFailures)
  }

  /** Empties the windows; failures in a row stay. */
  forget(): void {
    this.calls?.clear()
    this.failures?.clear()
    this.byReason = undefined
  }

  private countReason(reason: string, policy: Policy, now: number): number {
    this.byReason ??= new Map()
    const window = windowOf(this.byReason.get(reason), policy)
    this.byReason.set(reason, window)
    window.add(now)
    return window.total(now)
  }
}
