import type { FieldClass } from "../conversation/Problem.js"
import type { Feature, Translator } from "../Translator.js"
import { readFormat } from "./readSettings.js"

/** What Anthropic's dialect cannot say. */
export const lacks: { readonly [feature in Feature]?: FieldClass } = {
  seed: "advisory",
  presencePenalty: "meaning",
  frequencyPenalty: "meaning",
  choices: "meaning",
  logprobs: "meaning",
  verbosity: "advisory",
  modalities: "meaning",
  cacheKey: "advisory",
  metadata: "advisory"
}

/** Fields of its payload that no other dialect has; all others are advisory. */
export const fields: Translator["fields"] = {
  container: "meaning",
  inference_geo: "meaning",
  // The beta's own spelling: read as the form of the answer, where it is one that others know.
  output_format: (value) => (readFormat(value) === undefined ? "meaning" : undefined),
  mcp_servers: "tool"
}

/** Its own names of features. */
export const names: { readonly [feature in Feature]?: string } = {
  maxOutput: "max_tokens",
  temperature: "temperature",
  topP: "top_p",
  topK: "top_k",
  stop: "stop_sequences",
  parallelTools: "tool_choice.disable_parallel_tool_use",
  format: "output_config.format",
  reasoning: "thinking",
  user: "metadata.user_id",
  serviceTier: "service_tier",
  tools: "tools",
  toolChoice: "tool_choice"
}

/** The path of a part of a turn; instructions stand in a field of their own. */
export const pathOf = (turn: number, part?: number): string => {
  const path = turn < 0 ? "system" : `messages[${turn}]`
  if (part === undefined) return path
  return turn < 0 ? `${path}[${part}]` : `${path}.content[${part}]`
}
