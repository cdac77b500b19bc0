import { isJsonObject, type JsonObject } from "@switchyard/core/Json"
import type { Format, ReasoningSettings, Settings } from "../conversation/Conversation.js"
import { asText, isGiven, others } from "../parts/values.js"
import type { Refuse } from "./readParts.js"

/** Fields of a payload that are settings. */
export const settingFields: ReadonlyArray<string> = [
  "max_tokens",
  "temperature",
  "top_p",
  "top_k",
  "stop_sequences",
  "thinking",
  "output_config",
  "output_format",
  "metadata",
  "service_tier"
]

type Mutable<A> = { -readonly [K in keyof A]: A[K] }

const numberIn = (body: JsonObject, name: string, refuse: Refuse): number | undefined => {
  const value = body[name]
  if (!isGiven(value)) return undefined
  if (typeof value === "number" && Number.isFinite(value)) return value
  return void refuse(name, "a number")
}

const readStop = ({ stop_sequences: stop }: JsonObject, refuse: Refuse): ReadonlyArray<string> | undefined => {
  if (!isGiven(stop)) return undefined
  if (Array.isArray(stop) && stop.every((one): one is string => typeof one === "string")) return stop
  return void refuse("stop_sequences", "a list of strings")
}

const modes: ReadonlyMap<unknown, "on" | "off" | "adaptive"> = new Map([
  ["enabled", "on"],
  ["disabled", "off"],
  ["adaptive", "adaptive"]
])

const thinkingFields: ReadonlySet<string> = new Set(["type", "budget_tokens", "display"])

/** What of a thing has no place in the settings goes into `extra`, under its own name. */
interface Kept {
  readonly settings: Mutable<Settings>
  readonly extra: Record<string, unknown>
}

const readThinking = ({ thinking }: JsonObject, refuse: Refuse, { extra }: Kept): ReasoningSettings | undefined => {
  if (!isGiven(thinking)) return undefined
  if (!isJsonObject(thinking)) return void refuse("thinking", "an object")
  const { budget_tokens: budget, display, type } = thinking
  if (isGiven(budget) && (typeof budget !== "number" || !Number.isFinite(budget))) {
    return void refuse("thinking.budget_tokens", "a number")
  }
  const mode = modes.get(type)
  if (mode === undefined || others(thinking, thinkingFields) !== undefined) extra.thinking = thinking
  const summary = asText(display)
  return {
    ...(typeof budget === "number" ? { budget } : {}),
    ...(mode === undefined ? {} : { mode }),
    ...(summary === undefined ? {} : { summary })
  }
}

const schemaFields: ReadonlySet<string> = new Set(["type", "schema"])

/** The form of the answer; undefined where it is none that others know. */
export const readFormat = (value: unknown): Format | undefined =>
  isJsonObject(value) && value.type === "json_schema" && isJsonObject(value.schema) && !others(value, schemaFields)
    ? { type: "schema", schema: value.schema }
    : undefined

const outputFields: ReadonlySet<string> = new Set(["effort", "format"])

const readOutput = ({ output_config: output, output_format: old }: JsonObject, refuse: Refuse, kept: Kept): void => {
  const { extra, settings } = kept
  if (isGiven(old)) {
    // The beta's own spelling of what `output_config.format` is now.
    settings.format = readFormat(old)
    extra.output_format = old
  }
  if (!isGiven(output)) return
  if (!isJsonObject(output)) return void refuse("output_config", "an object")
  const effort = asText(output.effort)
  const format = readFormat(output.format)
  const rest: Record<string, unknown> = { ...others(output, outputFields) }
  if (effort !== undefined) settings.reasoning = { ...settings.reasoning, effort }
  else if (output.effort !== undefined) rest.effort = output.effort
  if (format !== undefined) settings.format = format
  else if (output.format !== undefined) rest.format = output.format
  for (const _ in rest) {
    extra.output_config = rest
    break
  }
}

const readTier = (tier: unknown, { extra, settings }: Kept): void => {
  if (!isGiven(tier)) return
  if (tier === "auto") settings.serviceTier = "auto"
  else if (tier === "standard_only") settings.serviceTier = "default"
  else extra.service_tier = tier
}

const readMetadata = (metadata: unknown, { extra, settings }: Kept): void => {
  if (!isJsonObject(metadata)) {
    if (isGiven(metadata)) extra.metadata = metadata
    return
  }
  const { user_id: user, ...rest } = metadata
  if (typeof user === "string") settings.user = user
  else if (user !== undefined) extra.metadata = metadata
  for (const _ in rest) {
    extra.metadata = metadata
    return
  }
}

/** Settings, and what of them only Anthropic has a word for. */
export const readSettings = (
  body: JsonObject,
  refuse: Refuse
): { readonly settings: Settings; readonly extra: JsonObject } => {
  const kept: Kept = { settings: {}, extra: {} }
  const { settings } = kept
  const set = <K extends keyof Settings>(name: K, value: Settings[K]): void => {
    if (value !== undefined) settings[name] = value
  }
  set("maxOutput", numberIn(body, "max_tokens", refuse))
  set("temperature", numberIn(body, "temperature", refuse))
  set("topP", numberIn(body, "top_p", refuse))
  set("topK", numberIn(body, "top_k", refuse))
  set("stop", readStop(body, refuse))
  set("reasoning", readThinking(body, refuse, kept))
  readOutput(body, refuse, kept)
  const choice = body.tool_choice
  if (isJsonObject(choice) && typeof choice.disable_parallel_tool_use === "boolean") {
    settings.parallelTools = !choice.disable_parallel_tool_use
  }
  readTier(body.service_tier, kept)
  readMetadata(body.metadata, kept)
  return kept
}
