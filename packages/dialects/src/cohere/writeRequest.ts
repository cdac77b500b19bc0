import type { JsonObject } from "@switchyard/core/Json"
import { Either } from "effect"
import type { Conversation, Format, Part, Tool, ToolCallPart, ToolChoice, Turn } from "../conversation/Conversation.js"
import { Account, type Problem } from "../conversation/Problem.js"
import { callAsFunction, customAsFunction } from "../parts/customTools.js"
import { urlOf } from "../parts/dataUrls.js"
import { isInstruction, textOf } from "../parts/instructions.js"
import { asBudget } from "../parts/reasoningLevels.js"
import { placeId } from "../parts/toolIds.js"
import { inCallOrder } from "../parts/toolTurns.js"
import type { WriteOptions, Written } from "../Translator.js"

interface Desk {
  readonly account: Account
  readonly pathOf: (turn: number, part?: number) => string
  readonly keepsReasoning: boolean
}

const contentPart = (part: Part, turn: number, at: number, { account, pathOf }: Desk): JsonObject | undefined => {
  if (part.cache !== undefined) account.drop(`${pathOf(turn, at)}.cache_control`, "advisory")
  switch (part.type) {
    case "text":
    case "refusal":
      return { type: "text", text: part.text }
    case "image": {
      const url = urlOf(part.source)
      if (url !== undefined) return { type: "image_url", image_url: { url } }
      account.lacks("meaning", pathOf(turn, at))
      return undefined
    }
    case "file":
      if (part.source.kind === "text") return { type: "text", text: part.source.text }
      account.lacks("meaning", pathOf(turn, at), "Cohere reads texts and images, and no files")
      return undefined
    case "audio":
    case "video":
      account.lacks("meaning", pathOf(turn, at), "Cohere reads texts and images alone")
      return undefined
    case "opaque":
      return part.dialect === "cohere" ? part.value : undefined
    default:
      return undefined
  }
}

const contentOf = (turn: Turn, given: ReadonlyArray<Part>, desk: Desk): unknown => {
  const only = given.length === 1 ? given[0] : undefined
  if (only?.type === "text" && only.cache === undefined) return only.text
  const parts: Array<JsonObject> = []
  given.forEach((part, at) => {
    const said = contentPart(part, turn.at, at, desk)
    if (said !== undefined) parts.push(said)
  })
  return parts.every(({ type }) => type === "text") ? parts.map(({ text }) => text).join("\n") : parts
}

const assistant = (turn: Turn, desk: Desk): JsonObject => {
  const text = textOf(turn.parts)
  const calls: Array<ToolCallPart> = []
  const thoughts: Array<string> = []
  for (const part of turn.parts) {
    if (part.type === "toolCall") calls.push(callAsFunction(part))
    else if (part.type === "reasoning") thoughts.push(part.text)
  }
  const thinks = desk.keepsReasoning && thoughts.some((one) => one !== "")
  if (thoughts.length > 0 && !thinks) desk.account.drop(desk.pathOf(turn.at), "state")
  const content = thinks
    ? [{ type: "thinking", thinking: thoughts.join("\n\n") }, ...(text === "" ? [] : [{ type: "text", text }])]
    : text
  if (calls.length === 0) return { role: "assistant", content }
  return {
    role: "assistant",
    // What is said beside calls is the plan for them.
    ...(thinks ? { content } : text === "" ? {} : { tool_plan: text }),
    tool_calls: calls.map((call, at) => ({
      id: call.id ?? placeId(turn.at, at),
      type: "function",
      function: {
        name: call.name,
        arguments: call.arguments === "" ? "{}" : call.arguments
      }
    }))
  }
}

const messagesOf = (turns: ReadonlyArray<Turn>, desk: Desk): ReadonlyArray<JsonObject> => {
  const messages: Array<JsonObject> = []
  for (const turn of inCallOrder(turns, desk.account, desk.pathOf)) {
    if (turn.role === "assistant") messages.push(assistant(turn, desk))
    else if (turn.role !== "tool") {
      messages.push({ role: isInstruction(turn) ? "system" : "user", content: contentOf(turn, turn.parts, desk) })
    } else {
      for (const part of turn.parts) {
        if (part.type !== "toolResult") continue
        if (part.isError === true) desk.account.drop(`${desk.pathOf(turn.at)}.is_error`, "advisory")
        const content = contentOf(turn, part.content, desk) || "(nothing)"
        messages.push({ role: "tool", tool_call_id: part.id ?? placeId(turn.at, 0), content })
      }
    }
  }
  return messages
}

const toolOf = (tool: Tool): ReadonlyArray<JsonObject> => {
  if (tool.type === "server") return tool.dialect === "cohere" ? [tool.value] : []
  const { description, name, parameters } = tool.type === "custom" ? customAsFunction(tool) : tool
  return [
    {
      type: "function",
      function: {
        name,
        ...(description === undefined ? {} : { description }),
        parameters: parameters ?? { type: "object", properties: {} }
      }
    }
  ]
}

/** The tools that are offered, and the word for the choice: Cohere forces no tool by its name, but one alone is as good. */
const offered = (tools: ReadonlyArray<Tool>, choice: ToolChoice | undefined) => {
  switch (choice?.type) {
    case "none":
      return { tools, word: "NONE" }
    case "required":
      return { tools, word: "REQUIRED" }
    case "tool":
      return { tools: tools.filter(({ name }) => name === choice.name), word: "REQUIRED" }
    case "allowed":
      return {
        tools: tools.filter(({ name }) => choice.names.includes(name)),
        word: choice.isRequired ? "REQUIRED" : undefined
      }
    default:
      return { tools, word: undefined }
  }
}

const formatOf = (format: Format): JsonObject => {
  if (format.type === "text") return { type: "text" }
  return { type: "json_object", ...(format.type === "schema" ? { json_schema: format.schema } : {}) }
}

/** A conversation as a request to Cohere's second chat API. */
export const writeRequest = (
  conversation: Conversation,
  options: WriteOptions
): Either.Either<Written, ReadonlyArray<Problem>> => {
  const account = new Account(options.dropsMeaning)
  const pathOf =
    options.pathOf ??
    ((turn: number, part?: number): string =>
      part === undefined ? `messages[${turn}]` : `messages[${turn}].content[${part}]`)
  const { settings, stream } = conversation
  const body: Record<string, unknown> = {
    model: options.model,
    messages: messagesOf(conversation.turns, { account, pathOf, keepsReasoning: options.keepsReasoning === true }),
    stream
  }
  const { tools, word } = offered(conversation.tools, conversation.toolChoice)
  if (tools.length > 0) {
    body.tools = tools.flatMap(toolOf)
    if (word !== undefined) body.tool_choice = word
  }
  const set = (name: string, value: unknown): void => {
    if (value !== undefined) body[name] = value
  }
  set("max_tokens", settings.maxOutput)
  set("temperature", settings.temperature)
  set("p", settings.topP)
  set("k", settings.topK)
  set("stop_sequences", settings.stop)
  set("seed", settings.seed)
  set("frequency_penalty", settings.frequencyPenalty)
  set("presence_penalty", settings.presencePenalty)
  if (settings.logprobs !== undefined) body.logprobs = true
  if (settings.format !== undefined) body.response_format = formatOf(settings.format)
  const budget = settings.reasoning === undefined ? undefined : asBudget(settings.reasoning)
  if (budget !== undefined && budget >= 0) {
    body.thinking = budget === 0 ? { type: "disabled" } : { type: "enabled", token_budget: budget }
  } else if (settings.reasoning?.mode === "on") body.thinking = { type: "enabled" }
  return account.problems.length > 0 ? Either.left(account.problems) : Either.right({ body, dropped: account.dropped })
}
