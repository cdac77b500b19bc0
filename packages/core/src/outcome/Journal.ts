/**
 * What happened to one request: an append-only list of its attempts and fallback hops. Layers of one request tell each
 * other nothing in secret; reports, metrics, spans and final errors are read from here.
 */
import type { Deployment, DeploymentId } from "../deployment/Deployment.js"
import type { AttemptReport, FallbackKind, LlmError } from "../errors/LlmError.js"
import type { JsonObject } from "../json/Json.js"
import type { Outcome } from "./Outcome.js"
import { add, type Usage } from "./Usage.js"

/** One attempt in the journal: written by the Balancer at selection, ended by the attempt's outcome. */
export interface JournalEntry {
  readonly number: number
  readonly deployment: DeploymentId
  /** As it was configured when the attempt began; undefined where nobody kept that. */
  readonly target?: Deployment | undefined
  readonly provider: string
  readonly group: string
  /** The provider's model name that was asked for. */
  readonly model: string
  /** Monotonic ms. */
  readonly startedAt: number
  /** Monotonic ms; undefined while the attempt runs. */
  readonly endedAt: number | undefined
  readonly outcome: Outcome | undefined
  /** Turned away by a local limit before a byte was sent: no attempt in the sense of budgets. */
  readonly rejected: boolean
  /** USD that the attempt cost; undefined when no price is known, or it has not settled. */
  readonly cost: number | undefined
  /** Ends what the attempt still holds open (a stream that nobody got); harmless when it has ended. */
  readonly release: () => void
}

/** One hop of the fallback walk. */
export interface FallbackHop {
  readonly kind: FallbackKind
  readonly from: string
  readonly to: string
}

/**
 * Where an answer came from, when a Cache layer was asked: a stored answer (`hit`), a call of the request's own (`miss`), or
 * the call of another request that was already under way (`shared`), which has no attempts in this journal.
 */
export type CacheAnswer = "hit" | "miss" | "shared"

/** How long the prompt of a payload is, and its longest single input, in estimated tokens. */
export interface SizedPrompt {
  readonly body: JsonObject
  readonly total: number
  readonly longest: number
}

/** Asked before an attempt is made, which stands in `entries` by then: an error turns it away, as a local limit does. */
export type Guard = (attempt: JournalEntry) => LlmError | undefined

/** How a request was routed; every response carries one. Times are milliseconds. */
export interface RouteReport {
  /** The model group that the caller asked for. */
  readonly requestedGroup: string
  /** The group that answered, after fallbacks. */
  readonly group: string
  /** The deployment that answered; undefined when none did. */
  readonly deployment: DeploymentId | undefined
  readonly provider: string | undefined
  /** Whether the answer that was delivered came from another place than the one that was asked for. */
  readonly usedFallback: boolean
  /** The kind of the chain that led to the answer. */
  readonly fallbackKind: FallbackKind | undefined
  /** Every hop that was made, whether it helped or not. */
  readonly fallbacks: ReadonlyArray<FallbackHop>
  /** What the cache did; undefined when there is none, or the request went past it. */
  readonly cache: CacheAnswer | undefined
  readonly attempts: ReadonlyArray<AttemptReport>
  /** How many different deployments the request's selections found closed by their breaker. */
  readonly cooldownsMet: number
  /** From the request's start to its end; while it runs, to the end of its last attempt so far. */
  readonly latency: number
  /** Of all attempts together, failed and hedged ones included. */
  readonly usage: Usage | undefined
  /** USD of all attempts together; undefined when no price is known. */
  readonly cost: number | undefined
}

const attemptReport = (entry: JournalEntry, requestStartedAt: number): AttemptReport => {
  const error = entry.outcome?._tag === "Failed" ? entry.outcome.error : undefined
  return {
    number: entry.number,
    deployment: entry.deployment,
    provider: entry.provider,
    group: entry.group,
    outcome: entry.rejected
      ? "rejected"
      : entry.outcome === undefined
        ? "pending"
        : entry.outcome._tag === "Completed"
          ? "completed"
          : entry.outcome._tag === "Failed"
            ? "failed"
            : "abandoned",
    ...(error === undefined ? {} : { reason: error.reason }),
    ...(error?.status === undefined ? {} : { status: error.status }),
    startedAfter: entry.startedAt - requestStartedAt,
    ...(entry.endedAt === undefined ? {} : { duration: entry.endedAt - entry.startedAt })
  }
}

/** The append-only record of one request. */
export class Journal {
  private readonly written: Array<JournalEntry> = []
  private readonly hops: Array<FallbackHop> = []
  private streams: Array<{ readonly close: () => void }> | undefined
  private closedOnes: Set<DeploymentId> | undefined
  private turnedAway = 0
  private legs = 0
  private kept: JournalEntry | undefined
  private guards: Array<Guard> | undefined
  private helped: FallbackHop | undefined
  private settledAt: number | undefined
  /** Set by the Cache layer. */
  cache: CacheAnswer | undefined
  /** Noted when it is first asked for; of a payload that takes the place of this one it says nothing. */
  sized: SizedPrompt | undefined

  constructor(
    readonly requestedGroup: string,
    /** Monotonic ms. */
    readonly startedAt: number
  ) {}

  /** All attempts so far, oldest first. */
  get entries(): ReadonlyArray<JournalEntry> {
    return this.written
  }

  /** All fallback hops so far, oldest first. */
  get fallbacks(): ReadonlyArray<FallbackHop> {
    return this.hops
  }

  /** A number for one more leg of a race within this request. */
  nextLeg(): number {
    return ++this.legs
  }

  /** Attempts that count against budgets: those that a local limit turned away do not. */
  get spent(): number {
    return this.written.length - this.turnedAway
  }

  /**
   * How many different deployments the selections of this request found closed by their breaker while they looked for one:
   * in cooldown, on trial, told to wait, unhealthy or isolated. Those that no strategy looked at are not among them.
   */
  get cooldownsMet(): number {
    return this.closedOnes?.size ?? 0
  }

  /** The attempt that was begun last. */
  get last(): JournalEntry | undefined {
    return this.written[this.written.length - 1]
  }

  /** The attempt that answered, or is about to; undefined when none did. */
  get answered(): JournalEntry | undefined {
    if (this.kept !== undefined) return this.kept
    for (let i = this.written.length - 1; i >= 0; i--) {
      const entry = this.written[i]
      if (entry !== undefined && (entry.outcome === undefined || entry.outcome._tag === "Completed")) return entry
    }
    return undefined
  }

  /** What all settled attempts used together, failed and hedged ones included; undefined when none said. */
  get usage(): Usage | undefined {
    let sum: Usage | undefined
    for (const { outcome } of this.written) {
      if (outcome?.usage !== undefined) sum = sum === undefined ? outcome.usage : add(sum, outcome.usage)
    }
    return sum
  }

  /** USD that all settled attempts cost together; undefined when no price is known. */
  get cost(): number | undefined {
    let sum: number | undefined
    for (const { cost } of this.written) {
      if (cost !== undefined) sum = (sum ?? 0) + cost
    }
    return sum
  }

  /** Adds an attempt. Only the Balancer does. */
  append(entry: JournalEntry): void {
    this.written.push(entry)
  }

  /** Lets whoever pays for the request's attempts hear of each before it is made. */
  guard(ask: Guard): void {
    if (this.guards === undefined) this.guards = [ask]
    else this.guards.push(ask)
  }

  /** Why an attempt must not be made; undefined when it may. The Balancer asks once for each. */
  refusal(attempt: JournalEntry): LlmError | undefined {
    if (this.guards === undefined) return undefined
    for (const ask of this.guards) {
      const refused = ask(attempt)
      if (refused !== undefined) return refused
    }
    return undefined
  }

  /** Notes that one attempt was turned away by a local limit, and so cost nothing. */
  noteRejected(): void {
    this.turnedAway++
  }

  /** Notes that a selection found a deployment closed by its breaker. Only the candidates of a selection do. */
  noteClosed(deployment: DeploymentId): void {
    if (this.closedOnes === undefined) this.closedOnes = new Set([deployment])
    else this.closedOnes.add(deployment)
  }

  /** Notes that the request, or a call within it, has settled: monotonic ms. The algebra does, wherever a bracket ends. */
  noteEnd(at: number): void {
    this.settledAt = at
  }

  /** Adds a fallback hop. Only the Fallback layer does. */
  hop(hop: FallbackHop): void {
    this.hops.push(hop)
  }

  /**
   * Notes that the answer came from the target of a hop, or, without one, from the group that was asked for. `kept` is its
   * attempt where others answered after it. Only the Fallback layer does.
   */
  delivered(hop: FallbackHop | undefined, kept?: JournalEntry): void {
    this.helped = hop
    this.kept = kept
  }

  /** The hop whose target answered; undefined when the group that was asked for did, or nobody. */
  get usedHop(): FallbackHop | undefined {
    return this.helped
  }

  /** A layer that makes a stream of its own hands it over, so that it is closed even if its response gets lost. */
  adopt(stream: { readonly close: () => void }): void {
    if (this.streams === undefined) this.streams = [stream]
    else this.streams.push(stream)
  }

  /** Ends everything that this request still holds open: its attempts', and its layers' own streams. */
  releaseAll(): void {
    if (this.streams !== undefined) for (const stream of this.streams) stream.close()
    for (const entry of this.written) entry.release()
  }

  /** The attempts as plain data, for reports and final errors. */
  attemptReports(): ReadonlyArray<AttemptReport> {
    return this.written.map((entry) => attemptReport(entry, this.startedAt))
  }

  /** How the request was routed so far. */
  report(): RouteReport {
    const { answered } = this
    let end = this.settledAt ?? this.startedAt
    for (const entry of this.written) {
      if (entry.endedAt !== undefined && entry.endedAt > end) end = entry.endedAt
    }
    const lastHop = this.hops[this.hops.length - 1]
    return {
      requestedGroup: this.requestedGroup,
      group: answered?.group ?? lastHop?.to ?? this.requestedGroup,
      deployment: answered?.deployment,
      provider: answered?.provider,
      usedFallback: this.helped !== undefined,
      fallbackKind: this.helped?.kind,
      fallbacks: this.hops.slice(),
      cache: this.cache,
      attempts: this.attemptReports(),
      cooldownsMet: this.cooldownsMet,
      latency: end - this.startedAt,
      usage: this.usage,
      cost: this.cost
    }
  }
}
