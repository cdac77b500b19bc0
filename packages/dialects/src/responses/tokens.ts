import type { JsonObject } from "@switchyard/core/Json"
import * as Usage from "@switchyard/core/Usage"
import * as Tokens from "../conversation/Tokens.js"
import type { AnswerOptions } from "../Translator.js"

/** Usage of Responses counts cached tokens inside of the input, and reasoning inside of the output. */
export const readTokens = (usage: unknown): Tokens.Tokens | undefined => {
  const said = Usage.fromOpenAi(usage)
  return said === undefined ? undefined : Tokens.fromUsage(said)
}

/** The same figures as Responses has them. */
export const writeTokens = (tokens: Tokens.Tokens): JsonObject => {
  const input = Tokens.input(tokens)
  const output = Tokens.output(tokens)
  const written = tokens.cacheWrite + (tokens.cacheWriteHour ?? 0)
  return {
    input_tokens: input,
    input_tokens_details: {
      cached_tokens: tokens.cacheRead,
      ...(written > 0 ? { cache_write_tokens: written } : {})
    },
    output_tokens: output,
    output_tokens_details: { reasoning_tokens: tokens.reasoning },
    total_tokens: input + output
  }
}

/** Figures for an answer of which none are told; undefined where nothing is known to tell them by. */
export const guessed = ({ estimateInput }: AnswerOptions, characters: number): JsonObject | undefined =>
  estimateInput === undefined ? undefined : writeTokens(Tokens.estimated(estimateInput(), characters))

const counts: ReadonlyArray<keyof Tokens.Tokens> = ["uncached", "cacheRead", "cacheWrite", "text", "reasoning"]

/** Usage as it came, while it still says the same; else written anew. */
export const tokensOver = (raw: unknown, tokens: Tokens.Tokens): unknown => {
  const said = readTokens(raw)
  return said !== undefined &&
    counts.every((name) => said[name] === tokens[name]) &&
    tokens.cacheWriteHour === undefined
    ? raw
    : writeTokens(tokens)
}
