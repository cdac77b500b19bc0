import { type ConfigIssue, issue } from "@switchyard/core/ConfigError"
import type { LedgerError } from "@switchyard/ledger/LedgerError"
import type { Refusal } from "../../errors/ErrorBody.js"

/** Everything that is wrong with a request. */
export const invalid = (issues: ReadonlyArray<ConfigIssue>): Refusal => ({
  status: 400,
  code: "invalid_request",
  ...(issues[0] === undefined ? {} : { param: issues[0].path }),
  message: issues.map(({ expected, path, value }) => `${path}: expected ${expected}, found ${value}`).join("; ")
})

/** One thing that is wrong with it. */
export const wrong = (path: string, value: unknown, expected: string): Refusal =>
  invalid([issue(path, value, expected)])

/** There is no such key, team or user. */
export const missing = (what: string, param: string): Refusal => ({
  status: 404,
  code: `${what}_not_found`,
  param,
  message: `There is no such ${what}.`
})

/** The name, or the key, is another's. */
export const taken = (param: string, message: string): Refusal => ({ status: 409, code: "conflict", param, message })

/** The ledger does not do what it was asked for: nothing has changed. */
export const ofLedger = ({ message, reason }: LedgerError): Refusal =>
  reason === "conflict"
    ? { status: 409, code: "conflict", message }
    : { status: 503, code: "ledger_unavailable", message, retryAfter: 2_000 }
