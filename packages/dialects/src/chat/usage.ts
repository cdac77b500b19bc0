import type { JsonObject } from "@switchyard/core/Json"
import { fromOpenAi, inBody } from "@switchyard/core/Usage"
import { fromUsage, input, output, type Tokens } from "../conversation/Tokens.js"

/** Usage in any spelling of those who speak chat; undefined when there is none to read. */
export const readTokens = (usage: unknown): Tokens | undefined => {
  const read = fromOpenAi(usage)
  return read === undefined ? undefined : fromUsage(read)
}

/** The usage of a whole answer or a chunk, wherever it stands. */
export const tokensIn = (body: JsonObject): Tokens | undefined => {
  const read = inBody(body)
  return read === undefined ? undefined : fromUsage(read)
}

/** Usage as OpenAI counts: the cache inside the prompt, reasoning inside the completion. */
export const writeTokens = (tokens: Tokens): JsonObject => {
  const prompt = input(tokens)
  const completion = output(tokens)
  const written = tokens.cacheWrite + (tokens.cacheWriteHour ?? 0)
  return {
    prompt_tokens: prompt,
    completion_tokens: completion,
    total_tokens: prompt + completion,
    prompt_tokens_details: {
      cached_tokens: tokens.cacheRead,
      ...(written > 0 ? { cache_write_tokens: written } : {})
    },
    completion_tokens_details: { reasoning_tokens: tokens.reasoning }
  }
}
