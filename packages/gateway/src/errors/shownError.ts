import type { LlmError } from "@switchyard/core/LlmError"
import type { Answers } from "../config/GatewayConfig.js"
import type { Told } from "./spokenError.js"

const idsOf = ({ attempts = [], blocked = [], deployment }: LlmError): ReadonlyArray<string> => [
  ...new Set([
    ...[...attempts, ...blocked].map((one) => one.deployment),
    ...(deployment === undefined ? [] : [deployment])
  ])
]

/** An id as a word of its own: short ones are part of many words. */
const asWord = (id: string): RegExp =>
  new RegExp(`(?<![\\w-])${id.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&")}(?![\\w-])`, "g")

/**
 * What a caller may read of an error: all of it, or no attempts and no ids of deployments. A summary says how many attempts
 * there were, and in which group the last one was.
 */
export const shownError = (told: Told, error: LlmError, { routing }: Answers): Told => {
  if (routing === undefined || routing === "all") return told
  const { attempts: _, message, ...rest } = told.error
  const text = idsOf(error).reduce((shown, id) => shown.replace(asWord(id), "(deployment)"), String(message))
  const { attempts = [] } = error
  const last = attempts[attempts.length - 1]
  const summary = routing === "none" || last === undefined ? {} : { group: last.group, attempt_count: attempts.length }
  return { error: { message: text, ...rest, ...summary } }
}
