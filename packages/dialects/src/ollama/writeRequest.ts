import type { JsonObject } from "@switchyard/core/Json"
import { Either } from "effect"
import type { Conversation, Part, Tool, ToolCallPart, ToolResultPart, Turn } from "../conversation/Conversation.js"
import { Account, type Problem } from "../conversation/Problem.js"
import { callAsFunction, customAsFunction } from "../parts/customTools.js"
import { argumentsObject, isInstruction, textOf } from "../parts/instructions.js"
import { asEffort, nearestEffort } from "../parts/reasoningLevels.js"
import { inCallOrder } from "../parts/toolTurns.js"
import type { WriteOptions, Written } from "../Translator.js"

interface Desk {
  readonly account: Account
  readonly pathOf: (turn: number, part?: number) => string
}

/** A message as it is filled. */
type Message = Record<string, unknown>

/** Adds words, and pictures as bare base64 beside them; Ollama reads nothing else. */
const say = (message: Message, turn: Turn, parts: ReadonlyArray<Part>, { account, pathOf }: Desk): Message => {
  const images: Array<string> = []
  const texts: Array<string> = []
  parts.forEach((part, at) => {
    if (part.cache !== undefined) account.drop(`${pathOf(turn.at, at)}.cache_control`, "advisory")
    if (part.type === "text" || part.type === "refusal") texts.push(part.text)
    else if (part.type === "file" && part.source.kind === "text") texts.push(part.source.text)
    else if (part.type === "image" && part.source.kind === "bytes") images.push(part.source.data)
    else if (part.type === "image") {
      account.lacks("meaning", pathOf(turn.at, at), "Ollama takes the bytes of images, and no URLs")
    } else if (part.type === "file" || part.type === "audio" || part.type === "video") {
      account.lacks("meaning", pathOf(turn.at, at), "Ollama reads texts and images alone")
    }
  })
  message.content = texts.length === 1 ? texts[0] : texts.join("\n")
  if (images.length > 0) message.images = images
  return message
}

const callOf = ({ arguments: written, id, name }: ToolCallPart): JsonObject => {
  const said = { name, arguments: argumentsObject(written) }
  return id === undefined ? { function: said } : { id, function: said }
}

const assistant = (turn: Turn, desk: Desk): JsonObject => {
  const calls: Array<JsonObject> = []
  // Thoughts are read in the clear, whoever had them; signatures mean nothing here.
  const thinking: Array<string> = []
  let isSigned = false
  for (const part of turn.parts) {
    if (part.type === "toolCall") calls.push(callOf(callAsFunction(part)))
    else if (part.type === "reasoning") {
      if (part.text !== "") thinking.push(part.text)
      isSigned ||= part.signature !== undefined
    }
  }
  if (isSigned) desk.account.drop(desk.pathOf(turn.at), "state")
  const message: Message = { role: "assistant", content: textOf(turn.parts) }
  if (thinking.length > 0) message.thinking = thinking.join("\n\n")
  if (calls.length > 0) message.tool_calls = calls
  return message
}

const resultOf = (part: ToolResultPart, turn: Turn, desk: Desk): JsonObject => {
  if (part.isError === true) desk.account.drop(`${desk.pathOf(turn.at)}.is_error`, "advisory")
  const message: Message = { role: "tool" }
  if (part.name !== undefined) message.tool_name = part.name
  if (part.id !== undefined) message.tool_call_id = part.id
  return say(message, turn, part.content, desk)
}

const messagesOf = (turns: ReadonlyArray<Turn>, desk: Desk): ReadonlyArray<JsonObject> => {
  const messages: Array<JsonObject> = []
  for (const turn of inCallOrder(turns, desk.account, desk.pathOf)) {
    if (turn.role === "assistant") messages.push(assistant(turn, desk))
    else if (turn.role !== "tool") {
      messages.push(say({ role: isInstruction(turn) ? "system" : "user" }, turn, turn.parts, desk))
    } else {
      for (const part of turn.parts) if (part.type === "toolResult") messages.push(resultOf(part, turn, desk))
    }
  }
  return messages
}

const toolOf = (tool: Tool): ReadonlyArray<JsonObject> => {
  if (tool.type === "server") return tool.dialect === "ollama" ? [tool.value] : []
  const { description, name, parameters } = tool.type === "custom" ? customAsFunction(tool) : tool
  return [
    {
      type: "function",
      function: {
        name,
        description: description ?? "",
        parameters: parameters ?? { type: "object", properties: {} }
      }
    }
  ]
}

/** Ollama forces no tools: none of them, or those that are allowed, are offered alone. */
const offered = ({ toolChoice, tools }: Conversation, account: Account, name: string): ReadonlyArray<Tool> => {
  switch (toolChoice?.type) {
    case "none":
      return []
    case "required":
    case "tool":
      account.lacks("meaning", name, "Ollama cannot force a tool")
      return tools
    case "allowed":
      if (toolChoice.isRequired) account.lacks("meaning", name, "Ollama cannot force a tool")
      return tools.filter((tool) => toolChoice.names.includes(tool.name))
    default:
      return tools
  }
}

/** Whether it thinks, or how much: some models take the words, and all take yes and no. */
const thinkOf = (settings: Conversation["settings"], model: string): unknown => {
  const { reasoning } = settings
  if (reasoning === undefined) return undefined
  const effort = asEffort(reasoning)
  if (effort === "none") return false
  if (effort === undefined) return reasoning.mode === "on" ? true : undefined
  return model.includes("gpt-oss") ? (nearestEffort(effort, ["low", "medium", "high"]) ?? true) : true
}

/** A conversation as a request to Ollama's chat. */
export const writeRequest = (
  conversation: Conversation,
  options: WriteOptions
): Either.Either<Written, ReadonlyArray<Problem>> => {
  const account = new Account(options.dropsMeaning)
  const pathOf =
    options.pathOf ??
    ((turn: number, part?: number): string =>
      part === undefined ? `messages[${turn}]` : `messages[${turn}].content[${part}]`)
  const { settings, stream, turns } = conversation
  const messages = messagesOf(turns, { account, pathOf })
  const tools = offered(conversation, account, options.names?.toolChoice ?? "tool_choice").flatMap(toolOf)
  const given: Record<string, unknown> = {}
  const set = (name: string, value: unknown): void => {
    if (value !== undefined) given[name] = value
  }
  set("num_predict", settings.maxOutput)
  set("temperature", settings.temperature)
  set("top_p", settings.topP)
  set("top_k", settings.topK)
  set("stop", settings.stop)
  set("seed", settings.seed)
  set("presence_penalty", settings.presencePenalty)
  set("frequency_penalty", settings.frequencyPenalty)
  const { format } = settings
  const think = thinkOf(settings, options.model)
  const body: JsonObject = {
    model: options.model,
    messages,
    stream,
    ...(tools.length === 0 ? {} : { tools }),
    ...(format === undefined || format.type === "text"
      ? {}
      : { format: format.type === "json" ? "json" : format.schema }),
    ...(think === undefined ? {} : { think }),
    ...(Object.keys(given).length === 0 ? {} : { options: given })
  }
  return account.problems.length > 0 ? Either.left(account.problems) : Either.right({ body, dropped: account.dropped })
}
