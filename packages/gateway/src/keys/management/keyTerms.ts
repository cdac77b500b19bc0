/** Limits as they are asked for, and as they are kept. */
import { type ConfigIssue, issue } from "@switchyard/core/ConfigError"
import { noMax } from "@switchyard/ledger/KeyTerms"
import type { Allowance, Terms } from "@switchyard/ledger/LedgerKey"
import * as Money from "@switchyard/ledger/Money"
import type { KeyFields, Limits } from "../../api/KeyAsks.js"
import * as Durations from "./durations.js"

/** What a field says: undefined leaves what was there, null takes it away. */
const changed = <A>(asked: A | null | undefined, before: A | undefined): A | undefined =>
  asked === undefined ? before : (asked ?? undefined)

/** What is wrong with lengths of time and dates: all of it. */
export const issuesOf = (
  asked: Limits & Pick<Partial<KeyFields>, "duration" | "expires">
): ReadonlyArray<ConfigIssue> => {
  const found: Array<ConfigIssue> = []
  const wrong = (path: string, value: unknown, expected: string): void => {
    found.push(issue(path, value, expected))
  }
  for (const field of ["budget_duration", "duration"] as const) {
    const text = asked[field]
    if (typeof text === "string" && Durations.parse(text) === undefined) wrong(field, text, Durations.expected)
  }
  const { duration, expires } = asked
  if (typeof expires === "string" && !(Date.parse(expires) > 0)) wrong("expires", expires, "a date of ISO 8601")
  if (typeof expires === "string" && typeof duration === "string")
    wrong("expires", expires, "nothing beside `duration`")
  return found
}

const allowanceOf = (asked: Limits, before: Allowance | undefined): Allowance | undefined => {
  const { budget_duration, max_budget, soft_budget } = asked
  const max = max_budget === undefined ? before?.max : max_budget === null ? undefined : Money.ofDollars(max_budget)
  const soft =
    soft_budget === undefined ? before?.soft : soft_budget === null ? undefined : Money.ofDollars(soft_budget)
  const length = typeof budget_duration === "string" ? Durations.parse(budget_duration) : budget_duration
  const isUnbounded = max === undefined || max === noMax
  return isUnbounded && soft === undefined && length === undefined && before?.window === undefined
    ? undefined
    : { max: max ?? noMax, window: changed(length, before?.window), soft }
}

/** No list, and an empty one, let all models be asked for. */
const modelsOf = (asked: Limits["models"], before: Terms["models"]): Terms["models"] => {
  const models = changed(asked, before)
  return models === undefined || models.length === 0 ? undefined : models
}

/** Terms as they are after what was asked. */
export const termsOf = (asked: Limits, before?: Terms): Terms => ({
  models: modelsOf(asked.models, before?.models),
  allowance: allowanceOf(asked, before?.allowance),
  rpm: changed(asked.rpm_limit, before?.rpm),
  tpm: changed(asked.tpm_limit, before?.tpm),
  maxParallel: changed(asked.max_parallel_requests, before?.maxParallel),
  isBlocked: changed(asked.blocked, before?.isBlocked) ?? false
})

/** When a key ends, wall-clock ms. */
export const expiryOf = (
  { duration, expires }: Pick<KeyFields, "duration" | "expires">,
  now: number,
  before?: number
): number | undefined => {
  if (typeof duration === "string") return now + (Durations.parse(duration) ?? 0)
  if (typeof expires === "string") return Date.parse(expires)
  return duration === null || expires === null ? undefined : before
}
