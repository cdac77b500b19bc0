/**
 * What was left out of translated requests: told once for each field of a deployment, so that nobody has to guess why it does
 * nothing.
 */
import type { Attempt } from "@switchyard/core/Attempt"
import type { DialectName } from "@switchyard/dialects/Conversation"
import type { Dropped, DropReason } from "@switchyard/dialects/Problem"
import { Effect } from "effect"
import { betaHeader } from "../protocols/target.js"
import { dialectOf } from "./conversations.js"
import { dialects } from "./dialects.js"

/** Fields that are told of, for each deployment. */
const maxTold = 100

const reasons: Readonly<Record<DropReason, string>> = {
  advisory: "the provider's dialect has no such thing",
  tool: "only its own provider runs this tool",
  state: "only the provider that issued it can read it",
  meaning: "the provider's dialect cannot express it, and `drop_params` allows to leave it out"
}

/** One name for all places of a field in lists. */
const fieldOf = ({ path }: Dropped): string => path.replace(/\[\d+\]/g, "[*]").replace(/\.\d+(?=\.|$)/g, ".*")

/** Fields that a name in a metric may be of: those that the dialects know of, and parts of turns. */
const knownFields: ReadonlySet<string> = new Set([
  ...Object.values(dialects.origins).flatMap((one) =>
    one === undefined ? [] : [...Object.keys(one.fields), ...Object.values(one.names)]
  ),
  "cache_control",
  "contents",
  "input",
  "is_error",
  "messages",
  "system",
  betaHeader
])

const separators = /[.[:]/

/** A field by a name that is known, from the last of its path to the first. */
const labelOf = (field: string): string => {
  if (knownFields.has(field)) return field
  const last = field.slice(Math.max(field.lastIndexOf("."), field.lastIndexOf("]")) + 1)
  if (knownFields.has(last)) return last
  const first = field.slice(0, Math.max(0, field.search(separators)))
  return knownFields.has(first) ? first : "other"
}

/** Remembers what was told. */
export class LeftOut {
  private readonly told = new WeakMap<object, Set<string>>()

  /** Notes what was left out of an attempt that is said in a dialect; logs what is new about its deployment. */
  tell(attempt: Attempt, to: DialectName, dropped: ReadonlyArray<Dropped>): Effect.Effect<void> | undefined {
    const named = dropped.map((one) => ({ ...one, name: fieldOf(one) }))
    attempt.leftOut = {
      from: dialectOf(attempt.request),
      to,
      fields: named.map(({ name, path, reason }) => ({ path, reason, field: labelOf(name) }))
    }
    let told = this.told.get(attempt.target)
    if (told === undefined) {
      told = new Set()
      this.told.set(attempt.target, told)
    }
    const news: Array<string> = []
    for (const { name: field, reason } of named) {
      if (told.has(field) || told.size >= maxTold) continue
      told.add(field)
      news.push(`${field} (${reasons[reason]})`)
    }
    if (news.length === 0) return undefined
    return Effect.logInfo(`${attempt.deployment}: left out of translated requests from now on: ${news.join(", ")}`)
  }
}
