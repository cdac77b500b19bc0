/**
 * What is said of an attempt that came to nothing: every error names its provider and deployment, and no secret.
 */
import { promptBlocked } from "@switchyard/core/AnswerFailure"
import type { Attempt } from "@switchyard/core/Attempt"
import { LlmError } from "@switchyard/core/LlmError"
import type { Headers } from "@switchyard/core/LlmResponse"
import { Scrubber } from "@switchyard/core/Secret"
import { nowMs } from "@switchyard/core/Time"
import type { Clock } from "effect"
import { classify, fromTransport, malformed, type Upstream } from "../errors/ErrorClassifier.js"
import type { TransportError } from "../transport/wire.js"

/** What a provider said with, or in place of, an answer. */
export interface Said {
  readonly status: number
  readonly headers: Headers
  readonly body: string
  /** The body, where it is parsed already. */
  readonly json?: unknown
}

/** Makes the errors of one attempt. */
export class AttemptErrors {
  constructor(
    private readonly attempt: Attempt,
    private readonly clock: Clock.Clock,
    private readonly secrets: ReadonlyArray<string>
  ) {}

  private get upstream(): Upstream {
    return { provider: this.attempt.provider, deployment: this.attempt.deployment, secrets: this.secrets }
  }

  /** The connection failed. */
  broken(error: TransportError): LlmError {
    return fromTransport(error, this.upstream)
  }

  /** The answer makes no sense. */
  malformed(description: string, code?: string): LlmError {
    return malformed(description, this.upstream, code)
  }

  /** The provider would not answer this prompt. */
  blocked(why: string, status: number): LlmError {
    const { deployment, provider } = this.upstream
    return new LlmError({ ...promptBlocked(new Scrubber(this.secrets).text(why, 500)), provider, deployment, status })
  }

  /** The provider answered with an error. */
  said({ body, headers, json, status }: Said): LlmError {
    return classify({
      ...this.upstream,
      status,
      headers,
      body,
      json,
      asked: { model: this.attempt.model, body: this.attempt.request.body },
      elapsedMs: nowMs(this.clock) - this.attempt.startedAt,
      wallNowMs: this.clock.unsafeCurrentTimeMillis()
    })
  }
}
