/**
 * The documented edits of a request that stays in Gemini's dialect, and a deployment's default parameters in its words.
 */
import { isJsonObject, type JsonObject } from "@switchyard/core/Json"
import type { ReasoningSettings, Settings } from "../../conversation/Conversation.js"
import { Account } from "../../conversation/Problem.js"
import { asNumber, asStrings, asText, isGiven } from "../../parts/values.js"
import { field, known, nameIn, snakeOf } from "../parts/spelling.js"
import { numberNames } from "./readSettings.js"
import { configOf } from "./writeSettings.js"

const configNames = [
  ...Object.values(numberNames),
  "stopSequences",
  "responseMimeType",
  "responseSchema",
  "responseJsonSchema",
  "responseModalities",
  "responseLogprobs",
  "logprobs",
  "thinkingConfig",
  "speechConfig",
  "mediaResolution",
  "imageConfig",
  "audioTimestamp"
]
const configFields = known(...configNames)
const bodyFields = known(
  "safetySettings",
  "cachedContent",
  "labels",
  "toolConfig",
  "tools",
  "systemInstruction",
  "modelArmorConfig",
  "serviceTier",
  "store"
)

const chatNumbers: Readonly<Record<string, keyof typeof numberNames>> = {
  max_tokens: "maxOutput",
  max_completion_tokens: "maxOutput",
  temperature: "temperature",
  top_p: "topP",
  top_k: "topK",
  seed: "seed",
  presence_penalty: "presencePenalty",
  frequency_penalty: "frequencyPenalty",
  n: "choices"
}

const reasoningOf = (value: JsonObject): ReasoningSettings | undefined => {
  const effort = asText(value.reasoning_effort)
  if (effort !== undefined) return { effort }
  const { thinking } = value
  if (!isJsonObject(thinking)) return undefined
  const budget = asNumber(thinking.budget_tokens)
  if (thinking.type === "disabled") return { mode: "off" }
  return budget === undefined ? { mode: "on" } : { budget }
}

const settingsOf = (value: JsonObject): Settings => {
  const settings: Record<string, unknown> = {}
  for (const name in chatNumbers) {
    const number = asNumber(value[name])
    if (number !== undefined) settings[chatNumbers[name] as string] = number
  }
  const stop = asStrings(value.stop)
  if (stop !== undefined) settings.stop = stop
  const modalities = asStrings(value.modalities)
  if (modalities !== undefined) settings.modalities = modalities
  const reasoning = reasoningOf(value)
  if (reasoning !== undefined) settings.reasoning = reasoning
  const format = value.response_format
  if (isJsonObject(format)) {
    const inner = isJsonObject(format.json_schema) ? format.json_schema.schema : undefined
    if (isJsonObject(inner)) settings.format = { type: "schema", schema: inner }
    else if (format.type === "json_object") settings.format = { type: "json" }
  }
  return settings
}

const chatFields: ReadonlySet<string> = new Set([
  ...Object.keys(chatNumbers),
  "stop",
  "modalities",
  "reasoning_effort",
  "thinking",
  "response_format"
])

/** Default parameters, in chat's words or in Gemini's, as fields of its body; what is neither goes along as it is. */
export const defaults = (given: JsonObject): JsonObject => {
  const body: Record<string, unknown> = {}
  const config: Record<string, unknown> = configOf(settingsOf(given), "", new Account())
  for (const name in given) {
    const value = given[name]
    if (!isGiven(value)) continue
    if (name === "generationConfig" || name === "generation_config") Object.assign(config, value)
    else if (configFields.has(name) && !(name in chatNumbers)) config[name] = value
    else if (bodyFields.has(name) || !chatFields.has(name)) body[name] = value
  }
  return Object.keys(config).length === 0 ? body : { ...body, generationConfig: config }
}

/** Fields laid below others, in either spelling. */
const below = (above: JsonObject, lower: JsonObject): JsonObject => {
  let merged: Record<string, unknown> | undefined
  for (const name in lower) {
    if (above[name] !== undefined || field(above, name) !== undefined || above[snakeOf(name)] !== undefined) continue
    merged ??= { ...above }
    merged[name] = lower[name]
  }
  return merged ?? above
}

/** The model as a body names it, in the form that it had there. */
const renamed = (before: string, model: string): string => {
  const at = before.lastIndexOf("models/")
  return at === -1 || model.includes("models/") ? model : `${before.slice(0, at)}models/${model}`
}

/** The same body where nothing is to be changed: most name neither model nor stream. */
export const edit = (
  body: JsonObject,
  { defaults: lower, model }: { readonly model: string; readonly stream: boolean; readonly defaults: JsonObject }
): JsonObject => {
  const { generationConfig, ...rest } = lower
  let edited = below(body, rest)
  if (isJsonObject(generationConfig)) {
    const name = nameIn(edited, "generationConfig")
    const config = edited[name]
    const merged = below(isJsonObject(config) ? config : {}, generationConfig)
    if (merged !== config) edited = { ...edited, [name]: merged }
  }
  if (typeof edited.model === "string") {
    const named = renamed(edited.model, model)
    if (named !== edited.model) edited = { ...edited, model: named }
  }
  return edited
}
