/**
 * Oracle's words for a chat with Cohere's models: a message, what was said before it, and tools with parameters of Python's types.
 */
import { arrayOf, isJsonObject, type JsonObject } from "@switchyard/core/Json"
import { finishOf, settingsOf } from "./ociChat.js"

const textOf = (content: unknown): string =>
  typeof content === "string"
    ? content
    : arrayOf(content)
        .map((part) => (isJsonObject(part) && typeof part.text === "string" ? part.text : ""))
        .join("")

const parsed = (text: unknown): unknown => {
  if (typeof text !== "string") return text ?? {}
  try {
    return JSON.parse(text)
  } catch {
    return {}
  }
}

const callOf = (call: JsonObject): JsonObject => {
  const { arguments: given, name } = isJsonObject(call.function) ? call.function : {}
  return { name: name ?? "", parameters: parsed(given) }
}

const isInstruction = ({ role }: JsonObject): boolean => role === "system" || role === "developer"

/** What was said beside the last message of the user; the results of one turn's calls stand together. */
const historyOf = (messages: ReadonlyArray<JsonObject>, last: JsonObject | undefined): ReadonlyArray<JsonObject> => {
  const calls = new Map<unknown, JsonObject>()
  const history: Array<JsonObject> = []
  for (const message of messages) {
    if (message === last || isInstruction(message)) continue
    const { content, role, tool_call_id: id, tool_calls: made } = message
    if (role === "tool") {
      const result = { call: calls.get(id) ?? { name: "", parameters: {} }, outputs: [{ output: textOf(content) }] }
      const before = history.at(-1)
      if (before?.role === "TOOL") {
        history[history.length - 1] = { ...before, toolResults: [...arrayOf(before.toolResults), result] }
      } else history.push({ role: "TOOL", toolResults: [result] })
      continue
    }
    const own = arrayOf(made).filter(isJsonObject)
    for (const call of own) calls.set(call.id, callOf(call))
    history.push({
      role: role === "assistant" ? "CHATBOT" : "USER",
      message: textOf(content),
      ...(own.length === 0 ? {} : { toolCalls: own.map(callOf) })
    })
  }
  return history
}

const types: Readonly<Record<string, string>> = {
  array: "list",
  boolean: "bool",
  integer: "int",
  number: "float",
  object: "dict",
  string: "str"
}

const toolOf = (tool: unknown): unknown => {
  if (!isJsonObject(tool) || !isJsonObject(tool.function)) return tool
  const { description, name, parameters } = tool.function
  const { properties, required } = isJsonObject(parameters) ? parameters : {}
  const definitions = Object.entries(isJsonObject(properties) ? properties : {}).map(([key, schema]) => {
    const { description: meaning, enum: values, type } = isJsonObject(schema) ? schema : {}
    const allowed = Array.isArray(values) ? ` One of: ${values.map(String).join(", ")}.` : ""
    return [
      key,
      {
        type: types[String(type)] ?? "str",
        description: `${typeof meaning === "string" ? meaning : ""}${allowed}`.trim(),
        isRequired: arrayOf(required).includes(key)
      }
    ]
  })
  return { name, description: description ?? "", parameterDefinitions: Object.fromEntries(definitions) }
}

const formatOf = (format: unknown): unknown => {
  if (!isJsonObject(format)) return format
  if (format.type === "text") return { type: "TEXT" }
  const schema = isJsonObject(format.json_schema) ? format.json_schema.schema : undefined
  return { type: "JSON_OBJECT", ...(schema === undefined ? {} : { schema }) }
}

/** A chat with one of Cohere's models in Oracle's words. */
export const writeCohere = (body: JsonObject): JsonObject => {
  const { messages, model: _, response_format: format, stop, tools, n, ...rest } = body
  const all = arrayOf(messages).filter(isJsonObject)
  const last = all.filter(({ role }) => role === "user").at(-1)
  const instructions = all.filter(isInstruction).map(({ content }) => textOf(content))
  const history = historyOf(all, last)
  return {
    apiFormat: "COHERE",
    message: textOf(last?.content),
    ...(history.length === 0 ? {} : { chatHistory: history }),
    ...(instructions.length === 0 ? {} : { preambleOverride: instructions.join("\n") }),
    ...settingsOf(n === undefined || n === 1 ? rest : { ...rest, n }, "maxTokens"),
    ...(stop === undefined || stop === null ? {} : { stopSequences: typeof stop === "string" ? [stop] : stop }),
    ...(format === undefined ? {} : { responseFormat: formatOf(format) }),
    ...(tools === undefined ? {} : { tools: arrayOf(tools).map(toolOf) })
  }
}

/** Calls have no ids here; `stamp` makes them those of one answer. */
const callsOf = (calls: unknown, stamp: string, isPiece: boolean): ReadonlyArray<JsonObject> =>
  arrayOf(calls)
    .filter(isJsonObject)
    .map(({ name, parameters }, index) => ({
      ...(isPiece ? { index } : {}),
      id: `call_${stamp}_${index}`,
      type: "function",
      function: { name, arguments: JSON.stringify(parameters ?? {}) }
    }))

/** A whole answer's choices. */
export const cohereChoices = (chat: JsonObject, stamp: string): ReadonlyArray<JsonObject> => {
  const { finishReason, text, toolCalls } = chat
  const calls = callsOf(toolCalls, stamp, false)
  return [
    {
      index: 0,
      message: {
        role: "assistant",
        content: typeof text === "string" && text !== "" ? text : null,
        ...(calls.length === 0 ? {} : { tool_calls: calls })
      },
      finish_reason: calls.length > 0 ? "tool_calls" : (finishOf(finishReason) ?? "stop")
    }
  ]
}

/** Reads the events of one stream. Its last says all of it again, which is told only where nothing was before. */
export const coherePieces = (stamp: string): ((event: JsonObject) => JsonObject) => {
  let hasText = false
  let hasCalls = false
  return ({ finishReason, text, toolCalls }) => {
    const isLast = finishReason !== undefined && finishReason !== null
    const own = isLast && hasText ? undefined : text
    const calls = isLast && hasCalls ? [] : callsOf(toolCalls, stamp, true)
    const isText = typeof own === "string" && own !== ""
    hasText ||= isText
    hasCalls ||= calls.length > 0
    return {
      index: 0,
      delta: { ...(isText ? { content: own } : {}), ...(calls.length === 0 ? {} : { tool_calls: calls }) },
      finish_reason: isLast && hasCalls ? "tool_calls" : finishOf(finishReason)
    }
  }
}
