/**
 * `countTokens`: how long a prompt is, asked of Google.
 */
import { isJsonObject, type JsonObject } from "@switchyard/core/Json"
import { isGiven } from "../../parts/values.js"
import { field, nameIn } from "../parts/spelling.js"

/** The request whose tokens are to be counted: its contents, or a whole `generateContentRequest`. */
export const readRequest = (body: JsonObject): JsonObject => {
  const whole = field(body, "generateContentRequest")
  return isJsonObject(whole) ? whole : body
}

/** Fields that count. */
const counted = ["contents", "systemInstruction", "tools", "toolConfig", "cachedContent"]

/**
 * A request of `generateContent` as one of `countTokens`. The Gemini API wants all but bare contents inside a
 * `generateContentRequest` that names the model; Vertex (`isVertex`) takes the same fields beside the contents.
 */
export const writeRequest = (body: JsonObject, model: string, isVertex = false): JsonObject => {
  const asked: Record<string, unknown> = {}
  for (const camel of isVertex ? counted.slice(0, 3) : [...counted, "generationConfig"]) {
    const name = nameIn(body, camel)
    if (isGiven(body[name])) asked[name] = body[name]
  }
  const isBare = Object.keys(asked).length === 1 && asked.contents !== undefined
  if (isVertex || isBare) return asked
  return {
    generateContentRequest: { model: /^(?:models|tunedModels)\//.test(model) ? model : `models/${model}`, ...asked }
  }
}
