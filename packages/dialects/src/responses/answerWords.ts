/**
 * What the tower reads of the answers of Responses.
 */
import type { AnswerWords } from "@switchyard/core/Dialect"
import { arrayOf, isJsonObject, type JsonObject } from "@switchyard/core/Json"
import { asObject, asString, asText } from "../parts/values.js"
import type { Translator } from "../Translator.js"
import { ofTranslator } from "../words/AnswerWords.js"
import { unseal } from "./seal.js"
import { DeliveredResponse } from "./stream/delivered.js"

/** Events that hold the response as it is in the end. */
const last: ReadonlySet<unknown> = new Set([
  "response.completed",
  "response.incomplete",
  "response.failed",
  "response.cancelled"
])

const isFull = (response: JsonObject): boolean => arrayOf(response.output).length > 0

/** All ids by which a later request may go on from an answer. */
const issued = (body: JsonObject): ReadonlyArray<string> => {
  const found: Array<string> = []
  const add = (value: unknown): void => {
    const text = asText(value)
    if (text !== undefined) found.push(text)
  }
  add(body.id)
  add(asObject(body.conversation)?.id)
  for (const item of arrayOf(body.output)) {
    if (!isJsonObject(item)) continue
    add(item.id)
    add(item.container_id)
    const content = asText(item.encrypted_content)
    if (content !== undefined) found.push(unseal(content).signature.value)
  }
  return found
}

/** The words of its answers. */
export const answerWords = (translator: Translator): AnswerWords => ({
  ...ofTranslator(translator, {
    text: (json) => (json.type === "response.output_text.delta" ? (asString(json.delta) ?? "") : ""),
    eventName: (json) => asText(json.type),
    whole: (json) => {
      const response = last.has(json.type) ? asObject(json.response) : undefined
      return response !== undefined && isFull(response) ? response : undefined
    },
    delivered: () => new DeliveredResponse(translator)
  }),
  issued
})
