/**
 * Usage. Gemini counts the cache inside the prompt; thoughts outside the candidates, and what its own tools read outside the prompt.
 */
import { isJsonObject, type JsonObject } from "@switchyard/core/Json"
import { count, input, output, type Tokens } from "../../conversation/Tokens.js"
import { field } from "../parts/spelling.js"

/** `usageMetadata`; undefined where it holds no figures. */
export const readTokens = (usage: unknown): Tokens | undefined => {
  if (!isJsonObject(usage)) return undefined
  const prompt = field(usage, "promptTokenCount")
  const candidates = field(usage, "candidatesTokenCount")
  const total = field(usage, "totalTokenCount")
  if (prompt === undefined && candidates === undefined && total === undefined) return undefined
  const read = count(prompt) + count(field(usage, "toolUsePromptTokenCount"))
  const cacheRead = Math.min(read, count(field(usage, "cachedContentTokenCount")))
  const reasoning = count(field(usage, "thoughtsTokenCount"))
  const text = candidates === undefined ? Math.max(0, count(total) - read - reasoning) : count(candidates)
  return { uncached: read - cacheRead, cacheRead, cacheWrite: 0, text, reasoning }
}

/** The same figures as `usageMetadata`. */
export const writeTokens = (tokens: Tokens): JsonObject => {
  const prompt = input(tokens)
  return {
    promptTokenCount: prompt,
    candidatesTokenCount: tokens.text,
    totalTokenCount: prompt + output(tokens),
    ...(tokens.cacheRead > 0 ? { cachedContentTokenCount: tokens.cacheRead } : {}),
    ...(tokens.reasoning > 0 ? { thoughtsTokenCount: tokens.reasoning } : {})
  }
}
