import type { JsonObject } from "@switchyard/core/Json"
import type { Conversation, Format, Settings } from "../../conversation/Conversation.js"
import type { Account } from "../../conversation/Problem.js"
import { originOf } from "../parts/schema.js"
import { numberNames } from "./readSettings.js"
import { repeatThinking, writeThinking } from "./thinking.js"

const writeFormat = (format: Format): JsonObject => {
  if (format.type === "text") return { responseMimeType: "text/plain" }
  if (format.type === "json") return { responseMimeType: "application/json" }
  const own = originOf(format.schema)
  return own === undefined
    ? { responseMimeType: "application/json", responseJsonSchema: format.schema }
    : { responseMimeType: "application/json", responseSchema: own }
}

/** Settings in Gemini's words. */
export const configOf = (
  settings: Settings,
  model: string,
  account: Account,
  isOwn = false
): Record<string, unknown> => {
  const config: Record<string, unknown> = {}
  for (const name in numberNames) {
    const value = settings[name as keyof typeof numberNames]
    // One answer is what comes anyway, and some models refuse to be told so.
    if (value === undefined || (name === "choices" && value === 1 && !isOwn)) continue
    config[numberNames[name as keyof typeof numberNames]] = value
  }
  const { format, logprobs, modalities, reasoning, stop } = settings
  if (stop !== undefined && (isOwn || stop.length > 0)) config.stopSequences = stop
  if (modalities !== undefined && (isOwn || modalities.some((one) => one !== "text"))) {
    config.responseModalities = modalities.map((one) => one.toUpperCase())
  }
  if (logprobs !== undefined) {
    config.responseLogprobs = true
    if (logprobs !== true) config.logprobs = logprobs
  }
  if (format !== undefined && (isOwn || format.type !== "text")) Object.assign(config, writeFormat(format))
  if (reasoning !== undefined) {
    const thinking = isOwn ? repeatThinking(reasoning) : writeThinking(reasoning, model, account)
    if (thinking !== undefined) config.thinkingConfig = thinking
  }
  return config
}

const configPrefix = "generationConfig."
const thinkingPrefix = "generationConfig.thinkingConfig."
const choicePrefix = "toolConfig."

/** Fields that a conversation has no place for, where they belong again. */
export interface Rest {
  readonly body: Readonly<Record<string, unknown>>
  readonly config: Record<string, unknown>
  readonly thinking: Record<string, unknown>
  readonly choice: Readonly<Record<string, unknown>>
}

/** Takes them apart again. */
export const restOf = ({ extra, origin }: Conversation): Rest => {
  const rest = {
    body: {} as Record<string, unknown>,
    config: {} as Record<string, unknown>,
    thinking: {} as Record<string, unknown>,
    choice: {} as Record<string, unknown>
  }
  if (origin !== "gemini") return rest
  for (const name in extra) {
    const value = extra[name]
    if (name.startsWith(thinkingPrefix)) rest.thinking[name.slice(thinkingPrefix.length)] = value
    else if (name.startsWith(configPrefix)) rest.config[name.slice(configPrefix.length)] = value
    else if (name.startsWith(choicePrefix)) rest.choice[name.slice(choicePrefix.length)] = value
    else rest.body[name] = value
  }
  return rest
}
