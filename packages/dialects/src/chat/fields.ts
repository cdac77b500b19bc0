/**
 * Fields of chat's payload, by what becomes of them.
 */
import { isJsonObject } from "@switchyard/core/Json"
import type { FieldClass } from "../conversation/Problem.js"
import type { Feature, Translator } from "../Translator.js"

/** Some clients send what they were not given as an object without fields. */
const unlessEmpty = (value: unknown): FieldClass | undefined =>
  isJsonObject(value) && Object.keys(value).length === 0 ? undefined : "meaning"

/** Fields without a place in a conversation that mean something; all others are advisory. */
export const fields: Translator["fields"] = {
  audio: "advisory",
  best_of: "meaning",
  echo: "meaning",
  grammar: "meaning",
  guided_choice: "meaning",
  guided_grammar: "meaning",
  guided_json: "meaning",
  guided_regex: "meaning",
  logit_bias: unlessEmpty,
  prompt_logprobs: "meaning",
  suffix: "meaning",
  web_search_options: "tool"
}

/** What chat has no field for. Some who speak it take `top_k`; OpenAI refuses it. */
export const lacks: { readonly [feature in Feature]?: FieldClass } = { topK: "advisory" }

/** Chat's own names of features. */
export const names: { readonly [feature in Feature]?: string } = {
  maxOutput: "max_tokens",
  temperature: "temperature",
  topP: "top_p",
  topK: "top_k",
  stop: "stop",
  seed: "seed",
  presencePenalty: "presence_penalty",
  frequencyPenalty: "frequency_penalty",
  choices: "n",
  logprobs: "logprobs",
  parallelTools: "parallel_tool_calls",
  format: "response_format",
  reasoning: "reasoning_effort",
  verbosity: "verbosity",
  modalities: "modalities",
  user: "user",
  cacheKey: "prompt_cache_key",
  serviceTier: "service_tier",
  metadata: "metadata",
  tools: "tools",
  toolChoice: "tool_choice"
}

/** The path of a part of a message. */
export const pathOf = (turn: number, part?: number): string =>
  part === undefined ? `messages[${turn}]` : `messages[${turn}].content[${part}]`
