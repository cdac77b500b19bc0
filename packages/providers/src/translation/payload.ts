/**
 * The request body that goes out, and how a refusal of what it asks for is known.
 */
import type { Attempt } from "@switchyard/core/Attempt"
import { stringify } from "@switchyard/core/ExactJson"
import type { Parameters } from "@switchyard/core/Payload"
import * as Payload from "@switchyard/core/Payload"

/** The body as JSON, its numbers as they were written; `fit` changes what an API wants elsewhere. */
export const encode = (
  attempt: Attempt,
  parameters: Parameters,
  asksForUsage = true,
  fit?: (body: Record<string, unknown>) => void
): string | Uint8Array => {
  const body = Payload.ofAttempt(attempt, parameters, asksForUsage)
  fit?.(body)
  const { exact } = attempt.request
  return exact === undefined ? JSON.stringify(body) : stringify(body, exact)
}

/**
 * Statuses with which providers refuse a field: some let it pass their checks and fail on it, some say so in a 200, and SageMaker
 * passes its containers' refusals on with a 424.
 */
const refusing: ReadonlySet<number> = new Set([200, 400, 422, 424, 500, 501])
/** Characters of a refusal that are read. */
const maxRefusal = 16_384
const usageField = /stream[\s_.-]*options?\b|include[\s_.-]*usage/i

/** Whether an answer refuses to be asked for usage. It may only quote the request: see what it says without. */
export const refusesUsage = (status: number, body: string): boolean =>
  refusing.has(status) && usageField.test(body.slice(0, maxRefusal))
