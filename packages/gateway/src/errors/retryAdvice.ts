import type { Journal } from "@switchyard/core/Journal"
import { type LlmError, longestHold, type Reason } from "@switchyard/core/LlmError"

/** What an answer tells clients that try again by themselves. */
export type Advice = Readonly<Record<string, string>>

/** Clients wait for a `Retry-After` up to here; OpenAI's go by a short backoff of their own beyond it. Ms. */
const longestWait = 60_000
/** A year: beyond it a header is not worth its digits. Ms. */
const longestTold = 365 * 86_400_000
/** The most that chance adds, so that callers who were told the same don't come back at once. */
const spread = 0.1

/** The same request would fail again, whoever is asked and whenever. */
const hopeless: ReadonlySet<Reason> = new Set<Reason>([
  "InvalidRequest",
  "ContextWindowExceeded",
  "ContentPolicyViolation",
  "UnknownModel",
  "BudgetExceeded"
])

/** Time does not heal it: somebody has to see to it. */
const lasting: ReadonlySet<Reason> = new Set<Reason>(["QuotaExhausted", "Authentication", "ModelNotFound"])

/** Whether a provider said when to come back, and was not asked again since. */
const isHeldOff = ({ entries }: Journal): boolean => {
  const latest = new Map<string, number>()
  for (const { deployment, outcome, rejected } of entries) {
    if (!rejected) latest.set(deployment, outcome?._tag === "Failed" ? (outcome.error.retryAfter ?? 0) : 0)
  }
  return [...latest.values()].some((wait) => wait > 0)
}

/** Nothing that the request may use opens within a minute, and no provider's own word holds it. */
const staysClosed = ({ blocked = [], blockedByFiltersOnly, retryAfter }: LlmError): boolean =>
  blockedByFiltersOnly ||
  (retryAfter !== undefined &&
    retryAfter > longestWait &&
    !blocked.some(({ reason }) => reason === "retryAfter" || reason === "outage"))

/**
 * Whether clients should let it be. Where it is left open, a `Retry-After` was not waited out, or nothing was attempted: then
 * the client's own patience is worth something. It never asks for a retry.
 */
const isFinal = (error: LlmError, journal: Journal | undefined): boolean => {
  const { reason } = error
  if (hopeless.has(reason)) return true
  if (journal !== undefined && isHeldOff(journal)) return false
  if (lasting.has(reason)) return true
  if (reason === "NoDeployment" || reason === "Rejected") return staysClosed(error)
  return reason !== "RateLimited" && (journal === undefined || journal.spent > 0)
}

const waits = (ms: number | undefined, random: () => number): Advice => {
  if (ms === undefined || !(ms > 0) || ms > longestTold) return {}
  const told = ms * (1 + spread * random())
  return { "retry-after": String(Math.ceil(told / 1000)), "retry-after-ms": String(Math.ceil(told)) }
}

/** What this gateway says itself, and no provider. */
const own: ReadonlySet<Reason> = new Set<Reason>(["NoDeployment", "Rejected", "BudgetExceeded"])

/** A provider's own word that no layer has looked at is obeyed up to a minute, as the router's are. */
const waitOf = ({ hold, reason, retryAfter }: LlmError, journal: Journal | undefined): number | undefined => {
  const isRaw =
    !own.has(reason) &&
    (journal?.entries.some(({ outcome }) => outcome?._tag === "Failed" && outcome.error.retryAfter === retryAfter) ??
      true)
  return !isRaw ? retryAfter : hold === undefined ? undefined : Math.min(hold.duration, longestHold)
}

const final: Advice = { "x-should-retry": "false" }

/** The advice beside a failed request's error. `random` is uniform in [0, 1). */
export const ofError = (error: LlmError, journal: Journal | undefined, random: () => number): Advice => ({
  ...(isFinal(error, journal) ? final : {}),
  ...waits(waitOf(error, journal), random)
})

/** The advice beside a refusal at the door: the caller's mistakes stay mistakes, anything else passes. */
export const ofRefusal = (status: number, retryAfter: number | undefined, random: () => number): Advice => ({
  ...(status < 500 && status !== 429 ? final : {}),
  ...waits(retryAfter, random)
})
