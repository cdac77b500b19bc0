/**
 * What a whole answer used.
 */
import { openAi } from "../dialect/OpenAi.js"
import type { JsonObject } from "../json/Json.js"
import { estimate, type Usage, withUnits } from "../outcome/Usage.js"
import { estimateInputTokens, type LlmRequest, unitsAsked } from "../request/LlmRequest.js"

/** What an answer used: as its body says, or else estimated at four characters a token, and by units as its request says. */
export const usageOf = (request: LlmRequest, body: JsonObject): Usage => {
  const { answer } = request.dialect ?? openAi
  const usage = answer.usage(body) ?? estimate(estimateInputTokens(request), Math.ceil(answer.characters(body) / 4))
  return answer.units === undefined ? usage : withUnits(usage, unitsAsked(request), answer.units(body))
}
