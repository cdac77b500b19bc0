import type { Deployment } from "@switchyard/core/Deployment"
import { type Busy, busy, open, type Status, worst } from "@switchyard/core/Status"
import type { SharedUse } from "../fleet/Engine.js"
import type { WindowUsage } from "../limits/UsageWindows.js"

const nothing: SharedUse = { requests: 0, tokens: 0, calls: 0, requestsFreeIn: undefined, tokensFreeIn: undefined }

const early = (status: Busy): Busy => ({ ...status, early: true })

const shareLeft = (used: number, limit: number | undefined): number =>
  limit === undefined ? 1 : limit <= 0 ? 0 : Math.max(0, 1 - used / limit)

/** What was heard last of one deployment's use; times are monotonic ms. */
export class UsageView {
  private use: SharedUse = nothing
  private calls = 0
  private at = 0
  private readonly written = { tokens: 0, requests: 0, headroom: 1 }

  heard(use: SharedUse, at: number): void {
    this.use = use
    this.calls = use.calls
    this.at = at
  }

  /** A call of this process has ended: nobody has to say so. */
  ended(): void {
    if (this.calls > 0) this.calls--
  }

  /** Whether a call fits, by what was heard. What has left the window since is waited for by nobody: its time says so. */
  status(
    { maxParallel, rpm, tpm }: Pick<Deployment, "maxParallel" | "rpm" | "tpm">,
    tokens: number,
    now: number
  ): Status {
    const { requests, requestsFreeIn, tokens: used, tokensFreeIn } = this.use
    if (maxParallel !== undefined && this.calls >= maxParallel) return early(busy("maxParallel"))
    let found: Status = open
    if (rpm !== undefined && requests >= rpm) found = this.until("rpm", requestsFreeIn, now, false)
    if (tpm !== undefined && used + Math.max(1, Math.min(tokens, tpm)) > tpm) {
      found = worst(found, this.until("tpm", tokensFreeIn, now, true))
    }
    return found
  }

  /** With what this process knows itself: whichever is more. */
  merged(limits: Pick<Deployment, "rpm" | "tpm">, own: WindowUsage): WindowUsage {
    const { written } = this
    written.tokens = Math.max(own.tokens, this.use.tokens)
    written.requests = Math.max(own.requests, this.use.requests)
    const shared = Math.min(shareLeft(written.tokens, limits.tpm), shareLeft(written.requests, limits.rpm))
    written.headroom = Math.min(own.headroom, shared)
    return written
  }

  private until(reason: string, freesIn: number | undefined, now: number, mayBeEarly: boolean): Status {
    const until = freesIn === undefined ? undefined : this.at + freesIn
    if (until !== undefined && until <= now) return open
    const status = busy(reason, until)
    return mayBeEarly ? early(status) : status
  }
}
