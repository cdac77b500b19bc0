/**
 * What a whole answer used.
 */
import { arrayOf, isJsonObject, type JsonObject } from "../json/Json.js"
import { estimate, inBody, type Usage } from "../outcome/Usage.js"
import { estimateInputTokens, type LlmRequest } from "../request/LlmRequest.js"

const length = (value: unknown): number => (typeof value === "string" ? value.length : 0)

const choiceCharacters = (choice: unknown): number => {
  if (!isJsonObject(choice)) return 0
  const { message } = choice
  if (!isJsonObject(message)) return length(choice.text)
  let sum = length(message.content) + length(message.reasoning_content) + length(message.refusal)
  for (const call of arrayOf(message.tool_calls)) {
    if (isJsonObject(call) && isJsonObject(call.function)) {
      sum += length(call.function.name) + length(call.function.arguments)
    }
  }
  return sum
}

/** What an answer used: as its body says, or else estimated at four characters a token. */
export const usageOf = (request: LlmRequest, body: JsonObject): Usage => {
  const usage = inBody(body)
  if (usage !== undefined) return usage
  let characters = 0
  for (const choice of arrayOf(body.choices)) characters += choiceCharacters(choice)
  return estimate(estimateInputTokens(request), Math.ceil(characters / 4))
}
