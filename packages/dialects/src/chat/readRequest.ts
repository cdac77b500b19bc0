import { isJsonObject, type JsonObject } from "@switchyard/core/Json"
import { Either } from "effect"
import type { Conversation, Format, ReasoningSettings, Settings, ToolChoice } from "../conversation/Conversation.js"
import type { Problem } from "../conversation/Problem.js"
import { asBoolean, asNumber, asObject, asString, asStrings, asText, isGiven } from "../parts/values.js"
import type { Given } from "../Translator.js"
import { readMessages } from "./readMessages.js"
import { readChoice, readFunctionCall, readFunctions, readTools } from "./tools.js"

type Draft = { -readonly [name in keyof Settings]: Settings[name] }

/** What is read beside the messages. */
interface Reading {
  readonly settings: Draft
  readonly spelt: Record<string, unknown>
  readonly problems: Array<Problem>
  toolChoice: ToolChoice | undefined
  reasoning: ReasoningSettings | undefined
}

type Reader = (value: unknown, into: Reading, name: string, body: JsonObject) => void

type NumberName =
  | "maxOutput"
  | "temperature"
  | "topP"
  | "topK"
  | "seed"
  | "presencePenalty"
  | "frequencyPenalty"
  | "choices"
const number =
  (setting: NumberName): Reader =>
  (value, { problems, settings }, name) => {
    const read = asNumber(value)
    if (read === undefined) problems.push({ path: name, expected: "expected a number" })
    else settings[setting] = read
  }

type TextName = "verbosity" | "user" | "cacheKey" | "serviceTier"
const text =
  (setting: TextName): Reader =>
  (value, { settings, spelt }, name) => {
    const read = asString(value)
    if (read === undefined) spelt[name] = value
    else settings[setting] = read
  }

const formatOf = (value: unknown): Format | undefined => {
  if (!isJsonObject(value)) return undefined
  if (value.type === "text") return { type: "text" }
  if (value.type === "json_object") return { type: "json" }
  if (value.type !== "json_schema") return undefined
  const said = asObject(value.json_schema)
  const schema = asObject(said?.schema)
  if (said === undefined || schema === undefined) return undefined
  return {
    type: "schema",
    name: asString(said.name),
    description: asString(said.description),
    schema,
    strict: asBoolean(said.strict)
  }
}

const plainFormat: ReadonlySet<string> = new Set(["name", "description", "schema", "strict"])

/** Written back it is the same. */
const isPlainFormat = (value: unknown, format: Format): boolean => {
  if (!isJsonObject(value) || Object.keys(value).length !== (format.type === "schema" ? 2 : 1)) return false
  const said = asObject(value.json_schema)
  if (said === undefined) return true
  for (const name in said) if (!plainFormat.has(name) || said[name] === null) return false
  return said.name !== undefined
}

const modeOf = (value: JsonObject): ReasoningSettings["mode"] => {
  if (value.enabled === false || value.type === "disabled" || value.type === "off") return "off"
  if (value.type === "adaptive" || value.type === "auto") return "adaptive"
  return value.enabled === true || value.type === "enabled" || value.type === "on" ? "on" : undefined
}

/** Fields that say nothing that another one does not say. */
const keep: Reader = (value, { spelt }, name) => {
  spelt[name] = value
}

const readers: Readonly<Record<string, Reader>> = {
  max_completion_tokens: (value, into, name, body) => {
    number("maxOutput")(value, into, name, body)
    if (!isGiven(body.max_tokens)) into.spelt.max_tokens = undefined
    into.spelt[name] = value
  },
  max_tokens: (value, into, name, body) => {
    if (!isGiven(body.max_completion_tokens)) number("maxOutput")(value, into, name, body)
    else into.spelt[name] = value
  },
  temperature: number("temperature"),
  top_p: number("topP"),
  top_k: number("topK"),
  seed: number("seed"),
  presence_penalty: number("presencePenalty"),
  frequency_penalty: number("frequencyPenalty"),
  n: number("choices"),
  stop: (value, { problems, settings, spelt }, name) => {
    const stop = asStrings(value)
    if (stop === undefined) problems.push({ path: name, expected: "expected a string or a list of strings" })
    else settings.stop = stop
    if (typeof value === "string") spelt[name] = value
  },
  logprobs: (value, { settings, spelt }, name, { top_logprobs: top }) => {
    if (value === true) settings.logprobs = asNumber(top) ?? true
    else if (value !== false) settings.logprobs = asNumber(value)
    if (value !== true) spelt[name] = value
  },
  top_logprobs: (value, { spelt }, name, body) => {
    if (body.logprobs !== true) spelt[name] = value
  },
  parallel_tool_calls: (value, { settings, spelt }, name) => {
    settings.parallelTools = asBoolean(value)
    if (typeof value !== "boolean") spelt[name] = value
  },
  response_format: (value, { problems, settings, spelt }, name) => {
    const format = formatOf(value)
    if (format === undefined)
      problems.push({ path: name, expected: "expected text, json_object or json_schema with a schema" })
    else settings.format = format
    if (format !== undefined && !isPlainFormat(value, format)) spelt[name] = value
  },
  reasoning_effort: (value, into, name) => {
    const effort = asText(value)
    if (effort === undefined) into.spelt[name] = value
    else into.reasoning = { ...into.reasoning, effort }
  },
  // OpenRouter's.
  reasoning: (value, into, name, body) => {
    into.spelt[name] = value
    into.spelt.reasoning_effort = body.reasoning_effort
    if (!isJsonObject(value)) return
    const { reasoning } = into
    into.reasoning = {
      effort: reasoning?.effort ?? asText(value.effort),
      budget: reasoning?.budget ?? asNumber(value.max_tokens),
      mode: reasoning?.mode ?? modeOf(value),
      summary: value.exclude === true ? "omitted" : asText(value.summary)
    }
  },
  // Anthropic's, which LiteLLM, DeepSeek, Kimi and Zhipu took over.
  thinking: (value, into, name, body) => {
    into.spelt[name] = value
    into.spelt.reasoning_effort = body.reasoning_effort
    if (!isJsonObject(value)) return
    const budget = asNumber(value.budget_tokens)
    into.reasoning = { ...into.reasoning, mode: modeOf(value), ...(budget === undefined ? {} : { budget }) }
  },
  modalities: (value, { settings, spelt }, name) => {
    settings.modalities = asStrings(value)
    if (!Array.isArray(value)) spelt[name] = value
  },
  tool_choice: (value, into, name) => {
    into.toolChoice = readChoice(value)
    if (into.toolChoice === undefined)
      into.problems.push({ path: name, expected: "expected auto, none, required or a tool" })
    if (typeof value !== "string" || value === "any") into.spelt[name] = value
  },
  verbosity: text("verbosity"),
  user: text("user"),
  prompt_cache_key: text("cacheKey"),
  service_tier: text("serviceTier"),
  metadata: (value, { settings, spelt }, name) => {
    settings.metadata = asObject(value)
    if (!isJsonObject(value)) spelt[name] = value
  },
  functions: (value, { spelt }, name) => {
    spelt[name] = value
    spelt.tools ??= undefined
  },
  function_call: (value, into, name, body) => {
    into.spelt[name] = value
    if (isGiven(body.tool_choice)) return
    into.toolChoice = readFunctionCall(value)
    into.spelt.tool_choice = undefined
  },
  stream_options: keep
}

const apart: ReadonlySet<string> = new Set(["model", "messages", "stream", "tools"])

const toolsOf = (body: JsonObject, { problems, spelt }: Reading) => {
  const { functions, tools } = body
  if (isGiven(tools)) {
    if (!Array.isArray(tools)) problems.push({ path: "tools", expected: "expected a list of tools" })
    const read = readTools(tools)
    if (Array.isArray(tools) && read.length !== tools.length) {
      problems.push({ path: "tools", expected: "expected objects with a type and a name" })
    }
    if (read.length === 0 || "functions" in body) spelt.tools = tools
    return read
  }
  if (isGiven(functions) && !Array.isArray(functions)) {
    problems.push({ path: "functions", expected: "expected a list of functions" })
  }
  return readFunctions(functions)
}

/** Reads a chat request, in the spellings of OpenAI and of those who speak its dialect. */
export const readRequest = (body: JsonObject, given?: Given): Either.Either<Conversation, ReadonlyArray<Problem>> => {
  const into: Reading = { settings: {}, spelt: {}, problems: [], toolChoice: undefined, reasoning: undefined }
  const extra: Record<string, unknown> = {}
  for (const name in body) {
    const value = body[name]
    if (apart.has(name)) continue
    const reader = Object.hasOwn(readers, name) ? readers[name] : undefined
    if (reader === undefined || !isGiven(value)) extra[name] = value
    else reader(value, into, name, body)
  }
  const tools = toolsOf(body, into)
  const turns = readMessages(body.messages, into.problems)
  const { problems, reasoning, settings, spelt, toolChoice } = into
  if (reasoning !== undefined) settings.reasoning = reasoning
  if (body.stream === undefined) spelt.stream = undefined
  if (problems.length > 0) return Either.left(problems)
  return Either.right({
    origin: "chat",
    model: given?.model ?? asString(body.model) ?? "",
    stream: given?.stream ?? body.stream === true,
    turns,
    tools,
    toolChoice,
    settings,
    extra,
    spelt
  })
}
