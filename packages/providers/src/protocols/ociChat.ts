/**
 * Oracle's words for a chat with any model but Cohere's, which are OpenAI's in another spelling.
 */
import { arrayOf, isJsonObject, type JsonObject } from "@switchyard/core/Json"

/** Tokens that a model may write where nobody says: Oracle's own bound is a sentence's. */
const usualBound = 4000

const roles: Readonly<Record<string, string>> = {
  assistant: "ASSISTANT",
  developer: "DEVELOPER",
  system: "SYSTEM",
  tool: "TOOL",
  user: "USER"
}

/** What says the same under another name. */
const renamed: Readonly<Record<string, string>> = {
  frequency_penalty: "frequencyPenalty",
  logit_bias: "logitBias",
  n: "numGenerations",
  parallel_tool_calls: "isParallelToolCalls",
  presence_penalty: "presencePenalty",
  stream: "isStream",
  top_k: "topK",
  top_p: "topP"
}

/** What no answer is another without. */
const advisory: ReadonlySet<string> = new Set([
  "metadata",
  "prompt_cache_key",
  "safety_identifier",
  "service_tier",
  "store",
  "user"
])

const partOf = (part: unknown): unknown => {
  if (!isJsonObject(part)) return part
  const { image_url: image, text, type } = part
  if (type === "text") return { type: "TEXT", text }
  if (type !== "image_url") return { ...part, type: String(type).toUpperCase() }
  return { type: "IMAGE", imageUrl: { url: isJsonObject(image) ? image.url : image } }
}

const contentOf = (content: unknown): ReadonlyArray<unknown> =>
  typeof content === "string" ? [{ type: "TEXT", text: content }] : arrayOf(content).map(partOf)

const callOf = (call: unknown): JsonObject => {
  const { function: said, id } = isJsonObject(call) ? call : {}
  const { arguments: given, name } = isJsonObject(said) ? said : {}
  return { id, type: "FUNCTION", name, arguments: given ?? "{}" }
}

const messageOf = (message: unknown): unknown => {
  if (!isJsonObject(message)) return message
  const { content, role, tool_call_id: id, tool_calls: calls } = message
  const parts = contentOf(content)
  return {
    role: roles[String(role)] ?? role,
    ...(parts.length === 0 ? {} : { content: parts }),
    ...(arrayOf(calls).length === 0 ? {} : { toolCalls: arrayOf(calls).map(callOf) }),
    ...(id === undefined ? {} : { toolCallId: id })
  }
}

const toolOf = (tool: unknown): unknown => {
  if (!isJsonObject(tool) || !isJsonObject(tool.function)) return tool
  const { description, name, parameters } = tool.function
  return { type: "FUNCTION", name, description: description ?? "", parameters: parameters ?? { type: "object" } }
}

const choiceOf = (choice: unknown): unknown => {
  if (typeof choice === "string") return { type: choice.toUpperCase() }
  if (!isJsonObject(choice) || !isJsonObject(choice.function)) return choice
  return { type: "FUNCTION", name: choice.function.name }
}

const formatOf = (format: unknown): unknown => {
  if (!isJsonObject(format)) return format
  const { json_schema: given, type } = format
  if (type !== "json_schema" || !isJsonObject(given)) return { type: String(type).toUpperCase() }
  const { description, name, schema, strict } = given
  return {
    type: "JSON_SCHEMA",
    jsonSchema: {
      name: name ?? "response",
      ...(description === undefined ? {} : { description }),
      ...(schema === undefined ? {} : { schema }),
      ...(typeof strict === "boolean" ? { isStrict: strict } : {})
    }
  }
}

/** OpenAI's own models want their bound under its newer name. */
const boundName = (model: string): string => (/^openai\.(?!gpt-oss)/i.test(model) ? "maxCompletionTokens" : "maxTokens")

/** The fields that have the same meaning whoever is asked; a name that nobody here knows goes on as it is. */
export const settingsOf = (body: JsonObject, bound: string): Record<string, unknown> => {
  const { max_completion_tokens: newer, max_tokens: older, stream_options: options, ...rest } = body
  const made: Record<string, unknown> = { [bound]: newer ?? older ?? usualBound }
  for (const [name, value] of Object.entries(rest)) {
    if (value === undefined || value === null || advisory.has(name)) continue
    made[renamed[name] ?? name] = value
  }
  if (isJsonObject(options) && options.include_usage === true) made.streamOptions = { isIncludeUsage: true }
  return made
}

/** A chat in Oracle's words. */
export const writeChat = (body: JsonObject, model: string): JsonObject => {
  const {
    logprobs,
    messages,
    model: _,
    reasoning_effort: effort,
    response_format: format,
    stop,
    tool_choice: choice,
    tools,
    top_logprobs: top,
    verbosity,
    ...rest
  } = body
  return {
    apiFormat: "GENERIC",
    messages: arrayOf(messages).map(messageOf),
    ...settingsOf(rest, boundName(model)),
    ...(stop === undefined || stop === null ? {} : { stop: typeof stop === "string" ? [stop] : stop }),
    ...(logprobs === true ? { logProbs: top ?? 0 } : {}),
    ...(typeof effort === "string" ? { reasoningEffort: effort.toUpperCase() } : {}),
    ...(typeof verbosity === "string" ? { verbosity: verbosity.toUpperCase() } : {}),
    ...(format === undefined ? {} : { responseFormat: formatOf(format) }),
    ...(tools === undefined ? {} : { tools: arrayOf(tools).map(toolOf) }),
    ...(choice === undefined ? {} : { toolChoice: choiceOf(choice) })
  }
}

/** Tokens in OpenAI's words; undefined where none are told. */
export const usageOf = (usage: unknown): JsonObject | undefined => {
  if (!isJsonObject(usage)) return undefined
  const { completionTokens, completionTokensDetails, promptTokens, promptTokensDetails, totalTokens } = usage
  const thought = isJsonObject(completionTokensDetails) ? completionTokensDetails.reasoningTokens : undefined
  const cached = isJsonObject(promptTokensDetails) ? promptTokensDetails.cachedTokens : undefined
  return {
    prompt_tokens: promptTokens ?? 0,
    completion_tokens: completionTokens ?? 0,
    total_tokens: totalTokens ?? 0,
    ...(typeof thought === "number" ? { completion_tokens_details: { reasoning_tokens: thought } } : {}),
    ...(typeof cached === "number" ? { prompt_tokens_details: { cached_tokens: cached } } : {})
  }
}

/** Why an answer ended, in OpenAI's words. */
export const finishOf = (reason: unknown): string | null => {
  if (typeof reason !== "string" || reason === "") return null
  switch (reason.toUpperCase()) {
    case "COMPLETE":
    case "STOP":
    case "STOP_SEQUENCE":
    case "USER_CANCEL":
      return "stop"
    case "MAX_TOKENS":
    case "LENGTH":
    case "ERROR_LIMIT":
      return "length"
    case "TOOL_CALL":
    case "TOOL_CALLS":
    case "FUNCTION_CALL":
      return "tool_calls"
    case "CONTENT_FILTER":
    case "CONTENT_FILTERED":
    case "ERROR_TOXIC":
      return "content_filter"
    // What the readers of all chats take for a failure.
    default:
      return reason.toLowerCase()
  }
}

/** The words of a message or of a piece of one. */
const saidOf = (message: unknown, isPiece: boolean): Record<string, unknown> => {
  const { content, reasoningContent, toolCalls } = isJsonObject(message) ? message : {}
  const texts = arrayOf(content).flatMap((part) =>
    isJsonObject(part) && typeof part.text === "string" ? [part.text] : []
  )
  const calls = arrayOf(toolCalls).map((call, index) => {
    const { arguments: given, id, name } = isJsonObject(call) ? call : {}
    const said = {
      ...(name === undefined || name === "" ? {} : { name }),
      arguments: typeof given === "string" ? given : given === undefined ? "" : JSON.stringify(given)
    }
    return {
      ...(isPiece ? { index } : {}),
      ...(id === undefined || id === "" ? {} : { id, type: "function" }),
      function: said
    }
  })
  return {
    ...(texts.length === 0 ? (isPiece ? {} : { content: null }) : { content: texts.join("") }),
    ...(typeof reasoningContent === "string" && reasoningContent !== "" ? { reasoning_content: reasoningContent } : {}),
    ...(calls.length === 0 ? {} : { tool_calls: calls })
  }
}

/** A whole answer's choices. */
export const choicesOf = (chat: JsonObject): ReadonlyArray<JsonObject> =>
  arrayOf(chat.choices).map((choice, at) => {
    const { finishReason, index, message } = isJsonObject(choice) ? choice : {}
    return {
      index: index ?? at,
      message: { role: "assistant", ...saidOf(message, false) },
      finish_reason: finishOf(finishReason) ?? "stop"
    }
  })

/** A choice of one event of a stream. */
export const pieceOf = ({ finishReason, index, message }: JsonObject): JsonObject => ({
  index: index ?? 0,
  delta: saidOf(message, true),
  finish_reason: finishOf(finishReason)
})
