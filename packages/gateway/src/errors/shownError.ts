import type { LlmError } from "@switchyard/core/LlmError"
import type { Answers } from "../config/GatewayConfig.js"
import type { ErrorAnswer } from "./ErrorBody.js"

/** The error object of a body, in OpenAI's shape. */
interface Told {
  readonly error: Readonly<Record<string, unknown>>
}

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

/** The same for a whole answer. */
export const shownAnswer = (answer: ErrorAnswer, error: LlmError, answers: Answers): ErrorAnswer =>
  answers.routing === undefined || answers.routing === "all"
    ? answer
    : { ...answer, body: JSON.stringify(shownError(JSON.parse(answer.body) as Told, error, answers)) }
