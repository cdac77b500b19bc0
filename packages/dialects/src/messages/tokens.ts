import { isJsonObject, type JsonObject } from "@switchyard/core/Json"
import type { Finish } from "../conversation/Answer.js"
import { count, type Tokens } from "../conversation/Tokens.js"

/** Anthropic counts the cache outside of `input_tokens`, and the thoughts inside of `output_tokens`. */
export const readTokens = (usage: unknown): Tokens | undefined => {
  if (!isJsonObject(usage)) return undefined
  const { cache_creation: written, input_tokens: input, output_tokens: output } = usage
  if (typeof input !== "number" && typeof output !== "number") return undefined
  const details = isJsonObject(usage.output_tokens_details) ? usage.output_tokens_details : undefined
  const reasoning = Math.min(count(details?.thinking_tokens), count(output))
  const lifetimes = isJsonObject(written) ? written : undefined
  const hour = count(lifetimes?.ephemeral_1h_input_tokens)
  // The sum is the newer figure in a stream's last event; without it the two lifetimes are the sum.
  const sum =
    typeof usage.cache_creation_input_tokens === "number"
      ? count(usage.cache_creation_input_tokens)
      : hour + count(lifetimes?.ephemeral_5m_input_tokens)
  const tokens = {
    uncached: count(input),
    cacheRead: count(usage.cache_read_input_tokens),
    cacheWrite: Math.max(0, sum - hour),
    text: count(output) - reasoning,
    reasoning
  }
  return lifetimes === undefined ? tokens : { ...tokens, cacheWriteHour: Math.min(hour, sum) }
}

/** The usage that says the same. */
export const writeTokens = (tokens: Tokens): JsonObject => {
  const { cacheRead, cacheWrite, cacheWriteHour, reasoning, text, uncached } = tokens
  return {
    input_tokens: uncached,
    cache_creation_input_tokens: cacheWrite + (cacheWriteHour ?? 0),
    cache_read_input_tokens: cacheRead,
    ...(cacheWriteHour === undefined
      ? {}
      : { cache_creation: { ephemeral_5m_input_tokens: cacheWrite, ephemeral_1h_input_tokens: cacheWriteHour } }),
    output_tokens: text + reasoning,
    ...(reasoning > 0 ? { output_tokens_details: { thinking_tokens: reasoning } } : {})
  }
}

/** The figures of a usage that are read above. */
export const tokenFields: ReadonlySet<string> = new Set([
  "input_tokens",
  "output_tokens",
  "cache_creation_input_tokens",
  "cache_read_input_tokens",
  "cache_creation",
  "output_tokens_details"
])

const finishes: ReadonlyMap<string, Finish> = new Map([
  ["end_turn", "stop"],
  ["stop_sequence", "stop"],
  ["max_tokens", "length"],
  ["tool_use", "toolCalls"],
  ["pause_turn", "pause"],
  ["compaction", "pause"],
  ["refusal", "refusal"],
  ["model_context_window_exceeded", "context"]
])

/** Why an answer ended; a reason that is not known is one to stop. */
export const readFinish = (reason: string): Finish => finishes.get(reason) ?? "stop"

const reasons: Readonly<Record<Finish, string>> = {
  stop: "end_turn",
  length: "max_tokens",
  toolCalls: "tool_use",
  filter: "refusal",
  refusal: "refusal",
  pause: "pause_turn",
  context: "model_context_window_exceeded",
  malformedCall: "end_turn",
  error: "end_turn"
}

/** The stop reason for an end. */
export const writeFinish = (finish: Finish): string => reasons[finish]

/** The provider's own spelling where it is one of Anthropic's, else the one that says the same. */
export const stopReason = (finish: Finish, reason: string | undefined, sequence: string | undefined): string => {
  if (reason !== undefined && finishes.get(reason) === finish) return reason
  return finish === "stop" && sequence !== undefined ? "stop_sequence" : reasons[finish]
}
