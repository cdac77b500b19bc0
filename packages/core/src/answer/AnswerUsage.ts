/**
 * What a whole answer used.
 */
import { openAi } from "../dialect/OpenAi.js"
import type { JsonObject } from "../json/Json.js"
import { estimate, type Usage } from "../outcome/Usage.js"
import { estimateInputTokens, type LlmRequest } from "../request/LlmRequest.js"

/** What an answer used: as its body says, or else estimated at four characters a token. */
export const usageOf = (request: LlmRequest, body: JsonObject): Usage => {
  const { answer } = request.dialect ?? openAi
  return answer.usage(body) ?? estimate(estimateInputTokens(request), Math.ceil(answer.characters(body) / 4))
}
