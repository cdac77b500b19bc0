import { type Attempt, isAttempt } from "@switchyard/core/Attempt"
import type { DeploymentId } from "@switchyard/core/Deployment"
import { type LlmError, longestHold } from "@switchyard/core/LlmError"
import type { LlmRequest } from "@switchyard/core/LlmRequest"
import * as Route from "@switchyard/core/Route"

/** How long the provider asks to be left alone, in ms. */
const retryAfterOf = ({ hold }: LlmError): number => (hold === undefined ? 0 : Math.min(hold.duration, longestHold))

/** What the failed attempts of one group tell about the next one. */
export class Failures {
  /** The route on which deployments that failed are avoided, and those that must not be asked again are excluded. */
  route: Route.Route
  /** The attempt that failed with the error, or on the deployment that it names, else the last one that failed. */
  readonly latest: Attempt | undefined
  private readonly heldUntil = new Map<DeploymentId, number>()

  /** Reads the journal from the entry `from` on; `error` is what the group failed with at `now` (monotonic ms). */
  constructor(request: LlmRequest, from: number, error: LlmError, now: number) {
    this.route = request.route
    const { entries } = request.route.journal
    let last: Attempt | undefined
    let exact: Attempt | undefined
    let named: Attempt | undefined
    for (let i = from; i < entries.length; i++) {
      const entry = entries[i]
      if (entry?.outcome?._tag !== "Failed") continue
      if (entry.rejected) {
        this.route = Route.avoid(this.route, entry.deployment)
        continue
      }
      if (isAttempt(entry)) {
        last = entry
        if (entry.outcome.error === error) exact = entry
        if (entry.deployment === error.deployment) named = entry
      }
      // A stream that died while it was held back has delivered nothing.
      this.note(entry.deployment, entry.outcome.error.beforeDelivery, entry.endedAt ?? now)
    }
    this.latest = exact ?? named ?? last
    if (this.latest === undefined && error.deployment !== undefined) {
      this.note(error.deployment as DeploymentId, error, now)
    }
  }

  /** Monotonic ms before which a deployment wants no further request; without its name, before which none of the failed ones does. */
  held(id: DeploymentId | undefined): number {
    if (id !== undefined) return this.heldUntil.get(id) ?? Number.NEGATIVE_INFINITY
    return this.route.avoided.length === 0
      ? Number.NEGATIVE_INFINITY
      : this.route.avoided.reduce((soonest, one) => Math.min(soonest, this.held(one)), Number.POSITIVE_INFINITY)
  }

  /** The route for a try at `at` (monotonic ms): deployments that are to be left alone until later are excluded from it. */
  routeAt(at: number): Route.Route {
    let { route } = this
    for (const [id, until] of this.heldUntil) if (until > at) route = Route.exclude(route, id)
    return route
  }

  /** The route for a try on a deployment that has not failed: no fallback to one that has, without a wait. */
  routeToOther(): Route.Route {
    return this.route.avoided.reduce(Route.exclude, this.route)
  }

  private note(id: DeploymentId, error: LlmError, at: number): void {
    this.route = Route.avoid(this.route, id)
    if (error.retry !== "same") this.route = Route.exclude(this.route, id)
    const wait = retryAfterOf(error)
    if (wait > 0) this.heldUntil.set(id, at + wait)
    else this.heldUntil.delete(id)
  }
}
