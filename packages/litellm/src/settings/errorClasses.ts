import { closest } from "@switchyard/core/Closest"
import type { Reason } from "@switchyard/core/LlmError"
import type { Draft } from "../draft.js"
import { below, type Given, isTree, isUnset, toNumber } from "../values.js"

/** What LiteLLM's classes of errors are among our reasons. */
const classes: Readonly<Record<string, ReadonlyArray<Reason>>> = {
  BadRequestError: ["InvalidRequest"],
  AuthenticationError: ["Authentication"],
  TimeoutError: ["Timeout"],
  RateLimitError: ["RateLimited", "QuotaExhausted"],
  ContentPolicyViolationError: ["ContentPolicyViolation"],
  InternalServerError: ["Unavailable", "MalformedResponse"],
  ServiceUnavailableError: ["Unavailable"],
  NotFoundError: ["ModelNotFound"]
}

/** The reasons that can be retried: what `DefaultErrorRetries` is for, where no class of its own is named. */
const retried: ReadonlyArray<Reason> = [
  "RateLimited",
  "QuotaExhausted",
  "Timeout",
  "Unavailable",
  "Authentication",
  "ModelNotFound",
  "MalformedResponse",
  "Rejected"
]

/** Reasons that lie with the request: no deployment would do better, and none is to blame. */
const ofTheRequest: ReadonlySet<string> = new Set(["BadRequestError", "ContentPolicyViolationError"])

/** An exhausted quota lasts: it opens the breaker at once, whatever is borne of rate limits. */
const counted = (reasons: ReadonlyArray<Reason>): ReadonlyArray<Reason> =>
  reasons.filter((reason) => reason !== "QuotaExhausted")

type Count = readonly [reason: Reason, value: unknown, path: string]

const larger = (draft: Draft, known: Count, next: Count): Count => {
  const [reason, before] = known
  const [, value, path] = next
  if (before === value) return known
  draft.note(path, `Another class is ${reason} as well; the larger number counts.`)
  return typeof before === "number" && typeof value === "number" && value > before ? next : known
}

const readPolicy = (
  draft: Draft,
  given: Given,
  suffix: string,
  blamed: string,
  reasonsOf: (name: string) => ReadonlyArray<Reason> | undefined
): ReadonlyMap<Reason, Count> => {
  const found = new Map<Reason, Count>()
  if (!isTree(given.value)) {
    draft.error(given, `a map of counts, for example { RateLimitError${suffix}: 3 }`)
    return found
  }
  for (const [key, raw] of Object.entries(given.value)) {
    if (isUnset(raw)) continue
    const path = below(given.path, key)
    const name = key.endsWith(suffix) ? key.slice(0, -suffix.length) : key
    const reasons = key.endsWith(suffix) ? reasonsOf(name) : undefined
    const value = toNumber(raw)
    if (reasons === undefined) {
      const known = Object.keys(classes).map((known) => known + suffix)
      draft.warn(path, "No class of errors has this name.", closest(key, known))
    } else if (ofTheRequest.has(name)) {
      if (value !== 0) draft.warn(path, blamed)
    } else {
      for (const reason of reasons) {
        const next: Count = [reason, value, path]
        const known = found.get(reason)
        found.set(reason, known === undefined ? next : larger(draft, known, next))
      }
    }
  }
  return found
}

/** Puts `retry_policy` below `keys` of our settings. */
export const retryPolicy = (draft: Draft, given: Given, keys: readonly [string, ...ReadonlyArray<string>]): void => {
  const blamed = "Never retried: another deployment would refuse the same request as well."
  const found = readPolicy(draft, given, "Retries", blamed, (name) =>
    name === "DefaultError" ? [] : Object.hasOwn(classes, name) ? classes[name] : undefined
  )
  for (const [reason, [, value, path]] of found) draft.set([...keys, reason], value, path)
  const standard = isTree(given.value) ? given.value.DefaultErrorRetries : undefined
  if (isUnset(standard)) return
  for (const reason of retried) {
    if (!found.has(reason)) draft.set([...keys, reason], toNumber(standard), below(given.path, "DefaultErrorRetries"))
  }
}

/** Puts `allowed_fails_policy` below `cooldown.allowedFails`. */
export const allowedFailsPolicy = (draft: Draft, given: Given): void => {
  const blamed = "Never counted: the failure lies with the request and says nothing about the deployment."
  const found = readPolicy(draft, given, "AllowedFails", blamed, (name) =>
    Object.hasOwn(classes, name) ? counted(classes[name] ?? []) : undefined
  )
  for (const [reason, [, value, path]] of found) draft.set(["cooldown", "allowedFails", reason], value, path)
}
