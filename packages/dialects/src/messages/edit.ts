import { isJsonObject, type JsonObject } from "@switchyard/core/Json"
import { budgetOf, effortOf, nearestEffort } from "../parts/reasoningLevels.js"
import { abilitiesOf } from "./models.js"

/** Words of chat's that have no place in Anthropic's dialect. */
const unsaid: ReadonlySet<string> = new Set([
  "n",
  "seed",
  "logprobs",
  "top_logprobs",
  "logit_bias",
  "presence_penalty",
  "frequency_penalty",
  "stream_options",
  "verbosity",
  "store"
])

const formatOf = (format: unknown): JsonObject | undefined => {
  const inner = isJsonObject(format) && format.type === "json_schema" ? format.json_schema : undefined
  return isJsonObject(inner) && isJsonObject(inner.schema) ? { type: "json_schema", schema: inner.schema } : undefined
}

/** Default parameters in chat's words or in Anthropic's, in Anthropic's. Its own word wins where both are there. */
export const defaults = (given: JsonObject): JsonObject => {
  const own: Record<string, unknown> = {}
  const said: Record<string, unknown> = {}
  for (const name in given) {
    const value = given[name]
    if (unsaid.has(name) || value === undefined || value === null) continue
    switch (name) {
      case "max_completion_tokens":
        said.max_tokens = value
        break
      case "stop":
        said.stop_sequences = Array.isArray(value) ? value : [value]
        break
      case "user":
        said.metadata = { user_id: value }
        break
      case "reasoning_effort": {
        const budget = typeof value === "string" ? budgetOf(value) : undefined
        if (budget !== undefined && budget > 0) said.thinking = { type: "enabled", budget_tokens: budget }
        else if (budget === 0) said.thinking = { type: "disabled" }
        break
      }
      case "response_format": {
        const format = formatOf(value)
        if (format !== undefined) said.output_config = { format }
        break
      }
      default:
        own[name] = value
    }
  }
  return { ...said, ...own }
}

/** A default of thinking as the model takes it: later models refuse a budget, and want an effort. */
const thinkingFor = (model: string, thinking: unknown): JsonObject | undefined => {
  const { efforts, thinking: ability } = abilitiesOf(model)
  if (ability !== "adaptive" || !isJsonObject(thinking) || thinking.type !== "enabled") return undefined
  const budget = thinking.budget_tokens
  const effort = typeof budget === "number" ? nearestEffort(effortOf(budget), efforts) : undefined
  return { thinking: { type: "adaptive" }, ...(effort === undefined ? {} : { output_config: { effort } }) }
}

/** Defaults with what thinking became of: the form of the answer stays beside its effort. */
const beside = (defaults: JsonObject, adapted: JsonObject): JsonObject => {
  const { output_config: form } = defaults
  const { output_config: effort } = adapted
  const both = isJsonObject(form) && isJsonObject(effort) ? { output_config: { ...effort, ...form } } : {}
  return { ...defaults, ...adapted, ...both }
}

/** What a bound of the caller's leaves no room for is no default. */
const fits = (body: JsonObject, thinking: unknown): boolean => {
  const budget = isJsonObject(thinking) ? thinking.budget_tokens : undefined
  return typeof budget !== "number" || typeof body.max_tokens !== "number" || budget < body.max_tokens
}

/** The same payload, but for the provider's model, whether it streams, and defaults below the caller's fields. */
export const edit = (
  body: JsonObject,
  edits: { readonly model: string; readonly stream: boolean; readonly defaults: JsonObject }
): JsonObject => {
  const edited: Record<string, unknown> = { ...body, model: edits.model }
  if (edits.stream) edited.stream = true
  else if (body.stream === true) edited.stream = false
  const adapted = thinkingFor(edits.model, edits.defaults.thinking)
  const below = adapted === undefined ? edits.defaults : beside(edits.defaults, adapted)
  for (const name in below) {
    const there = edited[name]
    const value = below[name]
    if (name === "output_config" && isJsonObject(there) && isJsonObject(value)) edited[name] = { ...value, ...there }
    if (name === "model" || name === "stream" || there !== undefined) continue
    if (name === "thinking" && !fits(body, below.thinking)) continue
    edited[name] = below[name]
  }
  return edited
}
