/**
 * `generationConfig`: how the answer is to be.
 */
import { isJsonObject, type JsonObject } from "@switchyard/core/Json"
import type { Format, ReasoningSettings, Settings } from "../../conversation/Conversation.js"
import { asBoolean, asNumber, asStrings, asText } from "../../parts/values.js"
import { jsonSchemaOf } from "../parts/schema.js"
import { field, given, known } from "../parts/spelling.js"

const numbers = {
  maxOutput: "maxOutputTokens",
  temperature: "temperature",
  topP: "topP",
  topK: "topK",
  seed: "seed",
  presencePenalty: "presencePenalty",
  frequencyPenalty: "frequencyPenalty",
  choices: "candidateCount"
} as const

/** Gemini's names of settings that are numbers. */
export const numberNames: Readonly<Record<keyof typeof numbers, string>> = numbers

const read = new Set([
  ...known(...Object.values(numbers)),
  ...known("stopSequences", "responseModalities", "responseLogprobs", "logprobs", "thinkingConfig")
])
const formatFields = known("responseMimeType", "responseSchema", "responseJsonSchema")

/** Google takes numbers in quotes, too. */
const numberOf = (value: unknown): number | undefined =>
  typeof value === "string" && value.trim() !== "" ? asNumber(Number(value)) : asNumber(value)

/** The form of the answer; undefined where none is said, or one that only Gemini knows. */
const formatOf = (config: JsonObject): Format | undefined => {
  const mime = asText(field(config, "responseMimeType"))
  const schema = field(config, "responseJsonSchema")
  const own = field(config, "responseSchema")
  if (mime === "application/json") {
    if (isJsonObject(schema)) return { type: "schema", schema }
    return isJsonObject(own) ? { type: "schema", schema: jsonSchemaOf(own) } : { type: "json" }
  }
  return mime === "text/plain" && schema === undefined && own === undefined ? { type: "text" } : undefined
}

const thinkingFields = known("thinkingBudget", "thinkingLevel", "includeThoughts")

const levelOf = (value: unknown): string | undefined => {
  const level = asText(value)?.toLowerCase()
  return level === "thinking_level_unspecified" ? undefined : level
}

const reasoningOf = (config: JsonObject): ReasoningSettings => {
  const budget = numberOf(field(config, "thinkingBudget"))
  const shown = asBoolean(field(config, "includeThoughts"))
  return {
    ...given("effort", levelOf(field(config, "thinkingLevel"))),
    ...(budget === undefined
      ? {}
      : budget < 0
        ? { mode: "adaptive" as const }
        : budget === 0
          ? { mode: "off" as const }
          : { budget }),
    ...(shown === undefined ? {} : { summary: shown ? "auto" : "omitted" })
  }
}

/** Settings, and what else a configuration holds, by dotted names. */
export const readSettings = (
  value: unknown
): { readonly settings: Settings; readonly rest: Readonly<Record<string, unknown>> } => {
  if (!isJsonObject(value)) return { settings: {}, rest: {} }
  const settings: Record<string, unknown> = {}
  for (const name in numbers) {
    const number = numberOf(field(value, numbers[name as keyof typeof numbers]))
    if (number !== undefined) settings[name] = number
  }
  const stop = asStrings(field(value, "stopSequences"))
  if (stop !== undefined) settings.stop = stop
  const modalities = asStrings(field(value, "responseModalities"))
  if (modalities !== undefined) settings.modalities = modalities.map((one) => one.toLowerCase())
  const logprobs = numberOf(field(value, "logprobs"))
  if (field(value, "responseLogprobs") === true) settings.logprobs = logprobs ?? true
  const format = formatOf(value)
  if (format !== undefined) settings.format = format
  const thinking = field(value, "thinkingConfig")
  const rest: Record<string, unknown> = {}
  if (isJsonObject(thinking)) {
    settings.reasoning = reasoningOf(thinking)
    for (const name in thinking) {
      if (!thinkingFields.has(name)) rest[`generationConfig.thinkingConfig.${name}`] = thinking[name]
    }
  }
  for (const name in value) {
    if (read.has(name) || (format !== undefined && formatFields.has(name))) continue
    rest[`generationConfig.${name}`] = value[name]
  }
  return { settings, rest }
}
