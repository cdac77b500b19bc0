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
  const cacheWrite = Math.min(read - cacheRead, count(usage.cacheWriteTokenCount))
  const reasoning = count(field(usage, "thoughtsTokenCount"))
  const text = candidates === undefined ? Math.max(0, count(total) - read - reasoning) : count(candidates)
  return { uncached: read - cacheRead - cacheWrite, cacheRead, cacheWrite, text, reasoning }
}

/** The same figures as `usageMetadata`; what was written into a cache is a figure of our own, since it has a price of its own. */
export const writeTokens = (tokens: Tokens): JsonObject => {
  const prompt = input(tokens)
  const written = tokens.cacheWrite + (tokens.cacheWriteHour ?? 0)
  return {
    promptTokenCount: prompt,
    candidatesTokenCount: tokens.text,
    totalTokenCount: prompt + output(tokens),
    ...(tokens.cacheRead > 0 ? { cachedContentTokenCount: tokens.cacheRead } : {}),
    ...(written > 0 ? { cacheWriteTokenCount: written } : {}),
    ...(tokens.reasoning > 0 ? { thoughtsTokenCount: tokens.reasoning } : {})
  }
}
