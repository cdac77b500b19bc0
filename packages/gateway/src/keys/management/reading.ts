/** Requests to the key management, read: everything that is wrong is said at once. */
import { type ConfigIssue, issue } from "@switchyard/core/ConfigError"
import * as Field from "@switchyard/core/Field"
import { isJsonObject } from "@switchyard/core/Json"
import { Effect, type Schema } from "effect"
import type { Refusal } from "../../errors/ErrorBody.js"
import { invalid } from "./refusals.js"

/** Bytes of a body. */
export const maxBody = 64 * 1024

/** Fields of LiteLLM's that mean nothing here: one that says nothing may come, as its clients send them. */
const theirs: ReadonlySet<string> = new Set([
  "access_group_ids",
  "admins",
  "allowed_cache_controls",
  "allowed_passthrough_routes",
  "allowed_routes",
  "allowed_vector_store_indexes",
  "auto_rotate",
  "budget_id",
  "config",
  "enforced_params",
  "guardrails",
  "key_type",
  "members",
  "members_with_roles",
  "model_aliases",
  "model_max_budget",
  "model_rpm_limit",
  "model_tpm_limit",
  "object_permission",
  "organization_id",
  "permissions",
  "policies",
  "prompts",
  "router_settings",
  "send_invite_email",
  "spend",
  "teams"
])

const saysNothing = (value: unknown): boolean =>
  value === null ||
  value === false ||
  value === 0 ||
  value === "" ||
  (typeof value === "object" && Object.keys(value).length === 0)

/** A body as a schema wants it; no body is an empty object. */
export const body = <A, I>(schema: Schema.Schema<A, I>, text: string): Effect.Effect<A, Refusal> => {
  let json: unknown
  try {
    json = text.trim() === "" ? {} : JSON.parse(text)
  } catch {
    return Effect.fail({ status: 400, code: "invalid_json", message: "the body is not valid JSON" })
  }
  if (!isJsonObject(json)) {
    return Effect.fail({ status: 400, code: "invalid_request", message: "the body must be an object of JSON" })
  }
  const meant = Object.fromEntries(
    Object.entries(json).filter(([name, value]) => !theirs.has(name) || !saysNothing(value))
  )
  return Effect.mapError(Field.decode(schema, meant, ""), ({ issues }) => invalid(issues))
}

/** Why a query is refused: names that nobody knows, and those that stand twice. */
export const queryIssues = (query: URLSearchParams, known: ReadonlyArray<string>): ReadonlyArray<ConfigIssue> =>
  [...new Set(query.keys())].flatMap((name) =>
    known.includes(name)
      ? query.getAll(name).length > 1
        ? [issue(name, query.getAll(name), "one value")]
        : []
      : [issue(name, query.get(name), known.length === 0 ? "nothing" : `one of ${known.join(", ")}`)]
  )

/** Values of a query, read one by one; `issues` has what is wrong with them. */
export class Query {
  readonly issues: Array<ConfigIssue> = []

  constructor(private readonly params: URLSearchParams) {}

  /** Undefined where it is not there, or empty. */
  text(name: string): string | undefined {
    const value = this.params.get(name)
    return value === null || value === "" ? undefined : value
  }

  needed(name: string, expected: string): string {
    const value = this.text(name)
    if (value === undefined) this.issues.push(issue(name, undefined, expected))
    return value ?? ""
  }

  count(name: string, byDefault: number, most: number): number {
    const text = this.text(name)
    if (text === undefined) return byDefault
    const value = Number(text)
    if (/^\d{1,9}$/.test(text) && value >= 1 && value <= most) return value
    this.issues.push(issue(name, text, `a whole number from 1 to ${most}`))
    return byDefault
  }

  flag(name: string): boolean | undefined {
    const text = this.text(name)?.toLowerCase()
    if (text === undefined) return undefined
    if (text !== "true" && text !== "false") this.issues.push(issue(name, text, "true or false"))
    return text === "true"
  }

  /** A day of UTC. */
  day(name: string): string | undefined {
    const text = this.text(name)
    if (text === undefined) return undefined
    const day = text.slice(0, 10)
    if (/^\d{4}-\d\d-\d\d([T ].*)?$/.test(text) && Date.parse(day) >= 0) return day
    this.issues.push(issue(name, text, "a day like 2026-11-29"))
    return undefined
  }

  refuse(name: string, value: unknown, expected: string): void {
    this.issues.push(issue(name, value, expected))
  }

  /** Fails with everything that was wrong. */
  get checked(): Effect.Effect<void, Refusal> {
    return this.issues.length === 0 ? Effect.void : Effect.fail(invalid(this.issues))
  }
}
