/**
 * What Responses has beyond a conversation, what it lacks, and its own names.
 */
import { isJsonObject } from "@switchyard/core/Json"
import type { FieldClass } from "../conversation/Problem.js"
import type { Target, Translator } from "../Translator.js"

const ifTrue =
  (fieldClass: FieldClass) =>
  (value: unknown): FieldClass | undefined =>
    value === false ? undefined : fieldClass

const ifAny = (value: unknown): FieldClass | undefined =>
  (Array.isArray(value) && value.length === 0) || value === 0 || value === false ? undefined : "advisory"

/** Includes are advisory; a form of the answer that only Responses has is not. */
const ofText = (value: unknown): FieldClass | undefined => {
  if (!isJsonObject(value) || Object.keys(value).length === 0) return undefined
  return value.format === undefined || value.format === null ? "advisory" : "meaning"
}

/** Fields of a request without a place in a conversation; others are advisory. */
export const fields: Translator["fields"] = {
  previous_response_id: "meaning",
  conversation: "meaning",
  prompt: "meaning",
  background: ifTrue("meaning"),
  text: ofText,
  stream: () => undefined,
  tools: () => undefined,
  input: () => undefined,
  instructions: () => undefined,
  top_logprobs: ifAny,
  include: ifAny,
  store: () => "advisory"
}

/** What Responses cannot say. */
export const lacks: Target["lacks"] = {
  stop: "meaning",
  presencePenalty: "meaning",
  frequencyPenalty: "meaning",
  choices: "meaning",
  modalities: "meaning",
  seed: "advisory",
  topK: "advisory"
}

/** Its own names of settings. */
export const names: Translator["names"] = {
  maxOutput: "max_output_tokens",
  temperature: "temperature",
  topP: "top_p",
  logprobs: "top_logprobs",
  parallelTools: "parallel_tool_calls",
  format: "text.format",
  reasoning: "reasoning",
  verbosity: "text.verbosity",
  user: "user",
  cacheKey: "prompt_cache_key",
  serviceTier: "service_tier",
  metadata: "metadata",
  tools: "tools",
  toolChoice: "tool_choice"
}
