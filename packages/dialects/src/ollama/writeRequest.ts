import type { JsonObject } from "@switchyard/core/Json"
import { Either } from "effect"
import type { Conversation, Part, Tool, Turn } from "../conversation/Conversation.js"
import { Account, type Problem } from "../conversation/Problem.js"
import { callAsFunction, customAsFunction } from "../parts/customTools.js"
import { argumentsObject, isInstruction, textOf } from "../parts/instructions.js"
import { flatName } from "../parts/namespaces.js"
import { asEffort, nearestEffort } from "../parts/reasoningLevels.js"
import { inCallOrder } from "../parts/toolTurns.js"
import type { WriteOptions, Written } from "../Translator.js"

interface Desk {
  readonly account: Account
  readonly pathOf: (turn: number, part?: number) => string
}

/** Words, and pictures as bare base64 beside them; Ollama reads nothing else. */
const saidOf = (turn: Turn, parts: ReadonlyArray<Part>, { account, pathOf }: Desk): JsonObject => {
  const images: Array<string> = []
  const texts: Array<string> = []
  parts.forEach((part, at) => {
    const path = pathOf(turn.at, at)
    if (part.cache !== undefined) account.drop(`${path}.cache_control`, "advisory")
    if (part.type === "text" || part.type === "refusal") texts.push(part.text)
    else if (part.type === "file" && part.source.kind === "text") texts.push(part.source.text)
    else if (part.type === "image" && part.source.kind === "bytes") images.push(part.source.data)
    else if (part.type === "image") account.lacks("meaning", path, "Ollama takes the bytes of images, and no URLs")
    else if (part.type === "file" || part.type === "audio" || part.type === "video") {
      account.lacks("meaning", path, "Ollama reads texts and images alone")
    }
  })
  return { content: texts.join("\n"), ...(images.length === 0 ? {} : { images }) }
}

const assistant = (turn: Turn, desk: Desk): JsonObject => {
  const calls = turn.parts.flatMap((part) => (part.type === "toolCall" ? [callAsFunction(part)] : []))
  // Thoughts are read in the clear, whoever had them; signatures mean nothing here.
  const thinking = turn.parts.flatMap((part) => (part.type === "reasoning" && part.text !== "" ? [part.text] : []))
  if (turn.parts.some((part) => part.type === "reasoning" && part.signature !== undefined)) {
    desk.account.drop(desk.pathOf(turn.at), "state")
  }
  return {
    role: "assistant",
    content: textOf(turn.parts),
    ...(thinking.length === 0 ? {} : { thinking: thinking.join("\n\n") }),
    ...(calls.length === 0
      ? {}
      : {
          tool_calls: calls.map((call) => ({
            ...(call.id === undefined ? {} : { id: call.id }),
            function: { name: flatName(call.name, call.namespace), arguments: argumentsObject(call.arguments) }
          }))
        })
  }
}

const messagesOf = (turns: ReadonlyArray<Turn>, desk: Desk): ReadonlyArray<JsonObject> =>
  inCallOrder(turns, desk.account, desk.pathOf).flatMap((turn) => {
    if (turn.role === "assistant") return [assistant(turn, desk)]
    if (turn.role !== "tool") {
      return [{ role: isInstruction(turn) ? "system" : "user", ...saidOf(turn, turn.parts, desk) }]
    }
    return turn.parts.flatMap((part) => {
      if (part.type !== "toolResult") return []
      if (part.isError === true) desk.account.drop(`${desk.pathOf(turn.at)}.is_error`, "advisory")
      return [
        {
          role: "tool",
          ...(part.name === undefined ? {} : { tool_name: part.name }),
          ...(part.id === undefined ? {} : { tool_call_id: part.id }),
          ...saidOf(turn, part.content, desk)
        }
      ]
    })
  })

const toolOf = (tool: Tool): ReadonlyArray<JsonObject> => {
  if (tool.type === "server") return tool.dialect === "ollama" ? [tool.value] : []
  const { description, name, namespace, parameters } = tool.type === "custom" ? customAsFunction(tool) : tool
  return [
    {
      type: "function",
      function: {
        name: flatName(name, namespace),
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
