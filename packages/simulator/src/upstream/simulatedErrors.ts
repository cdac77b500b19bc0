import type { Attempt } from "@switchyard/core/Attempt"
import { LlmError } from "@switchyard/core/LlmError"
import * as ErrorClassifier from "@switchyard/providers/ErrorClassifier"
import type { VirtualTime } from "../time/VirtualTime.js"

/** What an answer of this status means: the same reader judges it as over HTTP. */
export const statusError = (
  attempt: Attempt,
  status: number,
  headers: Readonly<Record<string, string>>,
  time: VirtualTime
): LlmError =>
  ErrorClassifier.classify({
    status,
    headers,
    body: `{"error":{"message":"simulated ${status}"}}`,
    json: { error: { message: `simulated ${status}` } },
    provider: attempt.provider,
    deployment: attempt.deployment,
    elapsedMs: time.now - attempt.startedAt,
    wallNowMs: time.clock.unsafeCurrentTimeMillis()
  })

/** Nobody listens there. */
export const refused = ({ deployment, provider }: Attempt): LlmError =>
  new LlmError({
    reason: "Unavailable",
    description: "no connection to the provider",
    code: "ECONNREFUSED",
    unsent: true,
    provider,
    deployment
  })
