/**
 * One try of a request on one deployment: what the attempt tier's services take.
 */

import { Predicate } from "effect"
import type { EventStream } from "../answer/EventStream.js"
import type { Deployment, DeploymentId } from "../deployment/Deployment.js"
import type { Slot } from "../deployment/Slot.js"
import type { LlmError } from "../errors/LlmError.js"
import type { JournalEntry } from "../outcome/Journal.js"
import type { Outcome } from "../outcome/Outcome.js"
import type { LlmRequest } from "../request/LlmRequest.js"
import type { TraceContext } from "../shared/TraceContext.js"

/** What chose a deployment, and knows whether there were others. */
export interface Alternatives {
  readonly hasAlternative: (chosen: Slot) => boolean
}

/** What of a request its provider's dialect could not say, and between which dialects. */
export interface LeftOut {
  readonly from: string
  readonly to: string
  readonly fields: ReadonlyArray<{
    /** Where it stood, in the caller's words. */
    readonly path: string
    /** A name out of a bounded set: that of the field where it is a known one, else `other`. */
    readonly field: string
    readonly reason: string
  }>
}

const TypeId: unique symbol = Symbol.for("@switchyard/core/Attempt")

/** A request together with the deployment that was chosen for it. Made by the Balancer, which writes it into the journal. */
export class Attempt implements JournalEntry {
  private ending: { readonly outcome: Outcome; readonly at: number } | undefined
  private stream: EventStream | undefined
  private alternative: boolean | undefined
  /** Set by the Balancer when a local limit turned the attempt away. */
  rejected = false
  /** Set by the Balancer when the request itself names the deployment, by its id or by what it is pinned to. */
  named = false
  /** Whether anything was sent; a base service that knows says false first. Undefined where it does not know. */
  sent: boolean | undefined
  /** Ms that the transport may take to connect; set by the Timeouts layer, undefined without one. */
  connectTimeout: number | undefined
  /**
   * Says how long it may wait for one of the transport's connections while all are in use, in ms; set by the Timeouts layer,
   * undefined without one.
   */
  mayWait: ((attempt: Attempt) => number) | undefined
  /** All connections are in use, and it waits for one; set by the base service. */
  isWaiting = false
  /**
   * Ends the call from outside: what is under way is aborted, and the call fails with the error, or without one as if its
   * caller had left. Set, before anything is awaited, by a base service that `Service.expiring` speaks for, else by the Timeouts layer;
   * harmless once the call has ended.
   */
  expire: ((error: LlmError | undefined) => void) | undefined
  /** It is slow, and others are asked beside it: what becomes of it is tried again by nobody. */
  overtaken = false
  /** What of the request its provider's dialect could not say; set by the base service. Undefined for nothing. */
  leftOut: LeftOut | undefined
  /** The place of the attempt itself in a trace; set by a tracing layer, undefined without one. */
  trace: TraceContext | undefined

  constructor(
    /** 1 for the first attempt of the request. */
    readonly number: number,
    readonly request: LlmRequest,
    readonly slot: Slot,
    /** Monotonic ms. */
    readonly startedAt: number,
    /** Says whether another deployment of the group could be asked instead. */
    private readonly alternatives: boolean | Alternatives,
    /** Sent although its breaker is closed, because nothing else is left. */
    readonly forced: boolean,
    /** The provider's model name: the deployment's, with a wildcard's captures filled in. */
    readonly model: string = slot.deployment.model
  ) {}

  /** What `isAttempt` goes by. */
  get [TypeId](): typeof TypeId {
    return TypeId
  }

  /** Another deployment of the group could have been asked instead when this one was chosen; looked up when first read. */
  get hasAlternative(): boolean {
    this.alternative ??=
      typeof this.alternatives === "boolean" ? this.alternatives : this.alternatives.hasAlternative(this.slot)
    return this.alternative
  }

  /** The deployment as it was configured when the attempt began. */
  get target(): Deployment {
    return this.slot.deployment
  }

  /** The id of the deployment. */
  get deployment(): DeploymentId {
    return this.slot.deployment.id
  }

  /** The provider's label. */
  get provider(): string {
    return this.slot.deployment.provider
  }

  /** The model group of the deployment. */
  get group(): string {
    return this.slot.deployment.group
  }

  /** How the attempt ended; undefined while it runs. */
  get outcome(): Outcome | undefined {
    return this.ending?.outcome
  }

  /** USD, as the layers below learned it; undefined while it runs, and where no price is known. */
  get cost(): number | undefined {
    return this.ending?.outcome.cost
  }

  /** Monotonic ms of the end; undefined while it runs. */
  get endedAt(): number | undefined {
    return this.ending?.at
  }

  /**
   * The same attempt with another request, its own by spread: what a layer hands on that changes what one deployment is asked,
   * and nobody else. Whatever is noted on either is noted on both; the journal, and the layers outside, keep the request as it
   * was. It costs each read of a field within some ten ns more.
   *
   * @example
   * ```ts
   * import * as Service from "@switchyard/core/Service"
   *
   * const anonymous: Service.AttemptLayer = (next) =>
   *   Service.attempt((attempt) => {
   *     const { user: _, ...body } = attempt.request.body
   *     return next.call(attempt.target.region === "eu" ? attempt : attempt.asking({ ...attempt.request, body }))
   *   }, next.status)
   * ```
   */
  asking(request: LlmRequest): Attempt {
    return new Proxy(this, { get: (attempt, name) => (name === "request" ? request : Reflect.get(attempt, name)) })
  }

  /** A base service that opens a stream hands it over at once, so that it is closed even if its response gets lost. */
  adopt(stream: EventStream): void {
    this.stream = stream
  }

  /** The Balancer notes the end. Only the first call counts. */
  settle(outcome: Outcome, at: number): void {
    this.ending ??= { outcome, at }
  }

  /** Closes the attempt's stream, if it has one that still runs. What a stream that ended holds stays readable. */
  release(): void {
    if (this.stream?.settlement.outcome === undefined) this.stream?.close()
  }
}

/** Whether it is an attempt, whichever copy of this module made it; a journal has entries of other kinds too. */
export const isAttempt = (it: unknown): it is Attempt => Predicate.hasProperty(it, TypeId)
