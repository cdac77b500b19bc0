import { isJsonObject, type JsonObject } from "@switchyard/core/Json"
import { Either } from "effect"
import type { Conversation, Format, ReasoningSettings, Settings, Turn } from "../../conversation/Conversation.js"
import type { Problem } from "../../conversation/Problem.js"
import { asBoolean, asObject, asText, isGiven, others } from "../../parts/values.js"
import type { Given } from "../../Translator.js"
import { itemsAsTurns } from "./readItems.js"
import { readToolChoice, readTools } from "./readTools.js"

/** What asks for the probabilities of the chosen tokens. */
export const logprobsIncluded = "message.output_text.logprobs"

type Draft = { -readonly [name in keyof Settings]: Settings[name] }

const numbers = { max_output_tokens: "maxOutput", temperature: "temperature", top_p: "topP" } as const
const texts = { user: "user", prompt_cache_key: "cacheKey", service_tier: "serviceTier" } as const

/** Fields with a place in a conversation. */
const known: ReadonlySet<string> = new Set([
  ...Object.keys(numbers),
  ...Object.keys(texts),
  "model",
  "stream",
  "input",
  "instructions",
  "tools",
  "tool_choice",
  "parallel_tool_calls",
  "top_logprobs",
  "text",
  "reasoning",
  "metadata"
])

const formatFields: ReadonlySet<string> = new Set(["type", "name", "description", "schema", "strict"])

const readFormat = (format: JsonObject): Format | undefined => {
  if (format.type === "text" && Object.keys(format).length === 1) return { type: "text" }
  if (format.type === "json_object" && Object.keys(format).length === 1) return { type: "json" }
  const schema = asObject(format.schema)
  if (format.type !== "json_schema" || schema === undefined || others(format, formatFields) !== undefined) {
    return undefined
  }
  const name = asText(format.name)
  const description = asText(format.description)
  const strict = asBoolean(format.strict)
  return {
    type: "schema",
    schema,
    ...(name === undefined ? {} : { name }),
    ...(description === undefined ? {} : { description }),
    ...(strict === undefined ? {} : { strict })
  }
}

/** Reads `text`; what has no place is returned. */
const readText = (text: JsonObject, settings: Draft): JsonObject | undefined => {
  let left: Record<string, unknown> | undefined
  for (const name in text) {
    const value = text[name]
    const format = name === "format" && isJsonObject(value) ? readFormat(value) : undefined
    if (format !== undefined) settings.format = format
    else if (name === "verbosity" && asText(value) !== undefined) settings.verbosity = asText(value)
    else left = { ...left, [name]: value }
  }
  return left ?? (Object.keys(text).length === 0 ? text : undefined)
}

const readReasoning = (reasoning: JsonObject, settings: Draft): JsonObject | undefined => {
  const said: { -readonly [name in keyof ReasoningSettings]: ReasoningSettings[name] } = {}
  let left: Record<string, unknown> | undefined
  for (const name in reasoning) {
    const value = asText(reasoning[name])
    if ((name === "effort" || name === "summary") && value !== undefined) said[name] = value
    else left = { ...left, [name]: reasoning[name] }
  }
  if (Object.keys(said).length > 0) settings.reasoning = said
  return left ?? (Object.keys(reasoning).length === 0 ? reasoning : undefined)
}

const readSettings = (body: JsonObject, extra: Record<string, unknown>, problems: Array<Problem>): Settings => {
  const settings: Draft = {}
  const wrong = (path: string, expected: string): void => {
    if (isGiven(body[path])) problems.push({ path, expected })
    else if (body[path] === null) extra[path] = null
  }
  for (const [field, name] of Object.entries(numbers)) {
    const value = body[field]
    if (typeof value === "number") settings[name] = value
    else wrong(field, "expected a number")
  }
  for (const [field, name] of Object.entries(texts)) {
    const value = body[field]
    if (typeof value === "string") settings[name] = value
    else wrong(field, "expected a string")
  }
  if (typeof body.parallel_tool_calls === "boolean") settings.parallelTools = body.parallel_tool_calls
  else wrong("parallel_tool_calls", "expected true or false")
  if (isJsonObject(body.metadata)) settings.metadata = body.metadata
  else wrong("metadata", "expected an object")
  readLogprobs(body, extra, settings, wrong)
  if (isJsonObject(body.text)) {
    const left = readText(body.text, settings)
    if (left !== undefined) extra.text = left
  } else wrong("text", "expected an object")
  if (isJsonObject(body.reasoning)) {
    const left = readReasoning(body.reasoning, settings)
    if (left !== undefined) extra.reasoning = left
  } else wrong("reasoning", "expected an object")
  return settings
}

/** They are asked for in `include`, and how many in `top_logprobs`. */
const readLogprobs = (
  body: JsonObject,
  extra: Record<string, unknown>,
  settings: Draft,
  wrong: (path: string, expected: string) => void
): void => {
  const { include, top_logprobs: top } = body
  if (isGiven(top) && typeof top !== "number") wrong("top_logprobs", "expected a number")
  else if (top === null) extra.top_logprobs = null
  const isIncluded = Array.isArray(include) && include.includes(logprobsIncluded)
  if (isIncluded) {
    settings.logprobs = typeof top === "number" && top > 0 ? top : true
    const rest = include.filter((one) => one !== logprobsIncluded)
    if (rest.length > 0) extra.include = rest
    else delete extra.include
    if (top === 0) extra.top_logprobs = 0
  } else if (typeof top === "number") {
    if (top > 0) settings.logprobs = top
    extra.top_logprobs = top
  }
}

const readInput = (body: JsonObject, extra: Record<string, unknown>, problems: Array<Problem>): ReadonlyArray<Turn> => {
  const { input } = body
  if (typeof input === "string") {
    return [
      { role: "user", parts: [{ type: "text", text: input }], at: 0, isBare: true, extra: { responsesInput: true } }
    ]
  }
  if (Array.isArray(input)) {
    if (input.length === 0) extra.input = input
    return itemsAsTurns(input, problems)
  }
  const isElsewhere = isGiven(body.previous_response_id) || isGiven(body.conversation) || isGiven(body.prompt)
  if (isGiven(input) || !isElsewhere) problems.push({ path: "input", expected: "expected a string or a list of items" })
  else if (input === null) extra.input = null
  return []
}

/** Reads a request; fields of the wrong type are named, all at once. */
export const readRequest = (
  body: JsonObject,
  given: Given = {}
): Either.Either<Conversation, ReadonlyArray<Problem>> => {
  const problems: Array<Problem> = []
  const extra: Record<string, unknown> = {}
  for (const name in body) if (!known.has(name)) extra[name] = body[name]
  const model = given.model ?? asText(body.model)
  // A stored prompt names its own.
  if (model === undefined && !isGiven(body.prompt)) {
    problems.push({ path: "model", expected: "expected a string that is not empty" })
  }
  if (isGiven(body.stream) && typeof body.stream !== "boolean") {
    problems.push({ path: "stream", expected: "expected true or false" })
  }
  if (body.stream === false || body.stream === null) extra.stream = body.stream
  const turns: Array<Turn> = []
  const { instructions } = body
  if (typeof instructions === "string") {
    turns.push({ role: "system", parts: [{ type: "text", text: instructions }], at: -1, isBare: true })
  } else if (isGiven(instructions)) problems.push({ path: "instructions", expected: "expected a string" })
  else if (instructions === null) extra.instructions = null
  turns.push(...readInput(body, extra, problems))
  if (isGiven(body.tools) && !Array.isArray(body.tools)) problems.push({ path: "tools", expected: "expected a list" })
  const tools = readTools(body, problems)
  if (body.tools === null || (Array.isArray(body.tools) && body.tools.length === 0)) extra.tools = body.tools
  const toolChoice = readToolChoice(body.tool_choice, problems)
  if (body.tool_choice === null) extra.tool_choice = null
  const settings = readSettings(body, extra, problems)
  if (problems.length > 0) return Either.left(problems)
  return Either.right({
    origin: "responses",
    model: model ?? "",
    stream: given.stream ?? body.stream === true,
    turns,
    tools,
    ...(toolChoice === undefined ? {} : { toolChoice }),
    settings,
    extra
  })
}
