/**
 * Answers and chunks that came with a good status and say that they failed, each in its provider's way. They are no
 * answers: before content they fail over, after it they end the stream with an error, and nobody caches them.
 */

import type { LlmErrorFields } from "../errors/LlmError.js"
import { arrayOf, isJsonObject, type JsonObject } from "../json/Json.js"
import type { Operation } from "./payloadFields.js"

const nonEmpty = (value: unknown): value is string => typeof value === "string" && value.trim() !== ""

/** Some providers send an error that says nothing beside every answer. */
const isBlank = (value: unknown, depth = 0): boolean => {
  if (value === undefined || value === null || value === "" || value === false || value === 0) return true
  if (typeof value !== "object" || depth > 3) return false
  return Object.values(value).every((inner) => isBlank(inner, depth + 1))
}

const asError = (error: unknown, body: JsonObject): JsonObject => {
  if (isJsonObject(error)) return error
  if (typeof error === "string") return { message: error }
  const first: unknown = Array.isArray(error) ? error.find((inner) => !isBlank(inner)) : undefined
  if (isJsonObject(first)) return first
  if (typeof first === "string") return { message: first }
  return {
    ...(typeof body.message === "string" ? { message: body.message } : {}),
    ...(typeof error === "number" ? { code: error } : {})
  }
}

/** Finish reasons that mean "I broke": OpenRouter's, vLLM's, DeepSeek's, Zhipu's and their like. */
const brokenFinish =
  /^(?:errors?|error_\w+|\w+_error|fail(?:ed|ure)?|abort(?:ed)?|cancel+ed|timed?_?out|insufficient_system_resource)$/i

const choiceError = (choice: unknown): JsonObject | undefined => {
  if (!isJsonObject(choice)) return undefined
  const { error, finish_reason: reason } = choice
  if (error !== undefined && error !== null && !isBlank(error)) return asError(error, choice)
  return typeof reason === "string" && reason !== "stop" && brokenFinish.test(reason)
    ? { message: `the answer ended with the finish reason ${JSON.stringify(reason.slice(0, 100))}`, code: reason }
    : undefined
}

const isErrorStatus = (value: unknown): boolean =>
  (typeof value === "number" && value >= 400 && value <= 599) ||
  (typeof value === "string" && /^(?:[45]\d\d|error|fail(?:ed|ure)?)$/i.test(value))

/** What an answer without choices says beside them, where it is an error. */
const bareError = (body: JsonObject): JsonObject | undefined => {
  if (Array.isArray(body.data) && body.data.length > 0) return undefined
  return [body.status, body.status_code, body.code].some(isErrorStatus) ? body : undefined
}

/** The error in a whole answer or a chunk; undefined when there is none. A blank `error` beside `choices` is none. */
export const errorOf = (body: JsonObject): JsonObject | undefined => {
  const { base_resp: minimax, choices, error } = body
  if (error !== undefined && error !== null) {
    const isAnswer = Array.isArray(choices) || Array.isArray(body.data)
    if (!isBlank(error) || (isJsonObject(error) && !isAnswer)) return asError(error, body)
  }
  if (isJsonObject(minimax) && !isBlank(minimax.status_code) && minimax.status_code !== "0") return minimax
  if (body.object === "error" || body.type === "error" || body.success === false) return body
  if (!Array.isArray(choices) || choices.length === 0) return bareError(body)
  for (const choice of choices) {
    const found = choiceError(choice)
    if (found !== undefined) return found
  }
  return undefined
}

/** Why the provider blocked the prompt, in its words; undefined when it did not. Means nothing beside choices. */
export const blockedPrompt = (body: JsonObject): string | undefined => {
  const feedback = body.promptFeedback ?? body.prompt_feedback
  if (isJsonObject(feedback)) {
    const reason = feedback.blockReason ?? feedback.block_reason
    const said = feedback.blockReasonMessage ?? feedback.block_reason_message
    if (nonEmpty(reason)) return nonEmpty(said) ? `${reason}: ${said}` : reason
  }
  for (const result of arrayOf(body.prompt_filter_results ?? body.prompt_annotations)) {
    if (!isJsonObject(result) || !isJsonObject(result.content_filter_results)) continue
    for (const [filter, found] of Object.entries(result.content_filter_results)) {
      if (isJsonObject(found) && found.filtered === true) return filter
    }
  }
  return undefined
}

/** The fields of the error that a blocked prompt is. */
export const promptBlocked = (why: string): LlmErrorFields => ({
  reason: "ContentPolicyViolation",
  description: "the provider blocked the prompt",
  code: "content_filter",
  providerMessage: `The prompt was blocked (${why.slice(0, 500)}).`
})

/** Why a whole answer is none: it holds an `error`, its prompt was `blocked`, or it is `empty`. */
export type AnswerFailure =
  | { readonly _tag: "error"; readonly error: JsonObject }
  | { readonly _tag: "blocked"; readonly why: string }
  | { readonly _tag: "empty" }

const empty: AnswerFailure = { _tag: "empty" }

/** A choice that has nothing to say and no reason to end. */
const isHollow = (choice: unknown): boolean =>
  !isJsonObject(choice) ||
  (!isJsonObject(choice.message) &&
    typeof choice.text !== "string" &&
    !isJsonObject(choice.delta) &&
    !nonEmpty(choice.finish_reason))

const saysSomething = ({ detail, errors, message, msg }: JsonObject): boolean =>
  nonEmpty(message) || nonEmpty(msg) || !isBlank(detail) || !isBlank(errors)

/** Looks at a whole answer to an operation; undefined when it is one. */
export const failureOf = (operation: Operation, body: JsonObject): AnswerFailure | undefined => {
  const error = errorOf(body)
  if (error !== undefined) return { _tag: "error", error }
  const items = operation === "embeddings" ? body.data : body.choices
  if (Array.isArray(items) && items.length > 0) {
    return operation !== "embeddings" && items.every(isHollow) ? empty : undefined
  }
  const why = blockedPrompt(body)
  if (why !== undefined) return { _tag: "blocked", why }
  return saysSomething(body) ? { _tag: "error", error: body } : empty
}
