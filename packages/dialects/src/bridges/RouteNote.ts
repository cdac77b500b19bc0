/**
 * How a request went, as plain JSON: what other libraries hand on beside an answer.
 */

import * as Attempt from "@switchyard/core/Attempt"
import type { Journal } from "@switchyard/core/Journal"
import type { JsonObject } from "@switchyard/core/Json"
import type { LlmError } from "@switchyard/core/LlmError"

/**
 * Which deployment answered, after which attempts, and what they cost together (USD, where a price is known). Of a stream, as far as
 * it came.
 */
export const routeNote = (journal: Journal): JsonObject => {
  const { attempts, cache, cost, deployment, fallbackKind, group, latency, provider, usedFallback } = journal.report()
  const { answered } = journal
  return {
    group,
    ...(deployment === undefined ? {} : { deployment }),
    ...(provider === undefined ? {} : { provider }),
    ...(answered === undefined ? {} : { model: answered.model }),
    attempts: attempts.map((one) => ({ ...one })),
    usedFallback,
    ...(fallbackKind === undefined ? {} : { fallbackKind }),
    ...(cache === undefined ? {} : { cache }),
    latency,
    ...(cost === undefined ? {} : { cost })
  }
}

/** What of the request the deployment that answered could not be told, each with the reason. */
export const leftOut = (journal: Journal): ReadonlyArray<{ readonly path: string; readonly reason: string }> => {
  const { answered } = journal
  return Attempt.isAttempt(answered) ? (answered.leftOut?.fields ?? []) : []
}

/** An error's headers as a gateway sends them: whole seconds for those who read nothing finer. */
export const errorHeaders = ({ deployment, reason, retryAfter }: LlmError): Record<string, string> => ({
  "x-switchyard-reason": reason,
  ...(deployment === undefined ? {} : { "x-switchyard-deployment": deployment }),
  ...(retryAfter === undefined
    ? {}
    : { "retry-after": String(Math.ceil(retryAfter / 1000)), "retry-after-ms": String(Math.ceil(retryAfter)) })
})
