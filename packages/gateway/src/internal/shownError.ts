import type { LlmError } from "@switchyard/core/LlmError"
import type { ErrorAnswer } from "../ErrorBody.js"
import type { Answers } from "../GatewayConfig.js"

/** The error object of a body, in OpenAI's shape. */
interface Told {
  readonly error: Readonly<Record<string, unknown>>
}

const idsOf = ({ attempts = [], deployment }: LlmError): ReadonlyArray<string> => [
  ...new Set([...attempts.map((attempt) => attempt.deployment), ...(deployment === undefined ? [] : [deployment])])
]

/** What a caller may read of an error: without attempts and ids of deployments, unless all is told. */
export const shownError = (told: Told, error: LlmError, { routing }: Answers): Told => {
  if (routing === undefined || routing === "all") return told
  const { attempts: _, message, ...rest } = told.error
  const text = idsOf(error).reduce((shown, id) => shown.replaceAll(id, "(deployment)"), String(message))
  return { error: { message: text, ...rest } }
}

/** The same for a whole answer. */
export const shownAnswer = (answer: ErrorAnswer, error: LlmError, answers: Answers): ErrorAnswer =>
  answers.routing === undefined || answers.routing === "all"
    ? answer
    : { ...answer, body: JSON.stringify(shownError(JSON.parse(answer.body) as Told, error, answers)) }
