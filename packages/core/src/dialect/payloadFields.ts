/**
 * What single fields of a payload say, whoever spelt them.
 */
import { isJsonObject, type JsonObject } from "../json/Json.js"
import type { Operation } from "../shared/Operation.js"

export type { Operation }

const asTokens = (value: unknown): number => {
  const tokens = typeof value === "string" ? Number(value) : value
  return typeof tokens === "number" && tokens >= 0 ? tokens : -1
}

const nothing: JsonObject = {}
const objectOf = (value: unknown): JsonObject => (isJsonObject(value) ? value : nothing)

/**
 * The largest bound of the output that a payload names, in any provider's spelling: a provider may go by another one than
 * the caller meant, and money is set aside for the dearest. Undefined when it names none.
 */
export const largestOutputBound = (body: JsonObject): number | undefined => {
  const largest = Math.max(
    asTokens(body.max_tokens),
    asTokens(body.max_completion_tokens),
    asTokens(body.max_output_tokens),
    asTokens(body.max_new_tokens),
    asTokens(body.max_tokens_to_sample),
    asTokens(body.num_predict),
    asTokens(objectOf(body.options).num_predict),
    asTokens(objectOf(body.reasoning).max_tokens)
  )
  return largest < 0 ? undefined : largest
}

const atLeastOne = (value: unknown): number => {
  const count = typeof value === "string" ? Number(value) : value
  return typeof count === "number" && count > 1 ? count : 1
}

/** How many answers a payload asks for: `n` or `best_of` for each of its prompts. */
export const choicesIn = (operation: Operation, body: JsonObject): number => {
  const each = Math.max(atLeastOne(body.n), atLeastOne(body.best_of))
  const { prompt } = body
  return operation === "completion" && Array.isArray(prompt) && typeof prompt[0] !== "number"
    ? each * Math.max(1, prompt.length)
    : each
}

const isGiven = (value: unknown): boolean => value !== undefined && value !== null

/**
 * Fields laid over a payload. The bound of the output has two names: whoever sets one of them replaces the other, so that
 * two bounds never meet.
 */
export const overlay = (below: JsonObject, above: JsonObject): Record<string, unknown> => {
  const merged: Record<string, unknown> = { ...below, ...above }
  if (isGiven(below.max_tokens) && isGiven(above.max_completion_tokens) && !isGiven(above.max_tokens)) {
    delete merged.max_tokens
  } else if (
    isGiven(below.max_completion_tokens) &&
    isGiven(above.max_tokens) &&
    !isGiven(above.max_completion_tokens)
  ) {
    delete merged.max_completion_tokens
  }
  return merged
}
