import { isJsonObject, type JsonObject } from "@switchyard/core/Json"
import { Either } from "effect"
import type { Conversation, Part, ServerTool, Tool, ToolChoice, Turn } from "../conversation/Conversation.js"
import type { Problem } from "../conversation/Problem.js"
import { asString, asText, others } from "../parts/values.js"
import type { Given } from "../Translator.js"
import { type Refuse, readBlocks, readMark } from "./readParts.js"
import { readSettings, settingFields } from "./readSettings.js"

/** How many problems a refusal names: a body may hold millions. */
const mostProblems = 8

const contentOf = (content: unknown, refuse: Refuse): Pick<Turn, "parts" | "isBare"> | undefined => {
  if (typeof content === "string") return { parts: [{ type: "text", text: content }], isBare: true }
  if (Array.isArray(content)) return { parts: readBlocks(content, refuse) }
  refuse("", "a string or a list of blocks")
  return undefined
}

const turnFields: ReadonlySet<string> = new Set(["role", "content"])

const readTurn = (message: unknown, at: number, refuse: Refuse): Turn | undefined => {
  if (!isJsonObject(message)) return void refuse("", "an object")
  const { content, role } = message
  if (role !== "user" && role !== "assistant" && role !== "system") {
    return void refuse(".role", '"user", "assistant" or "system"')
  }
  const read = contentOf(content, (path, expected) => refuse(`.content${path}`, expected))
  const extra = others(message, turnFields)
  return read === undefined ? undefined : { role, at, ...read, ...(extra === undefined ? {} : { extra }) }
}

/** Claude Code's first block of instructions: a note to Anthropic that is another one in each request, and would spoil every other provider's cache. */
const billing = /^x-anthropic-billing-header:[^\n]*\s*$/

/** Instructions that are said to the model, and notes that are Anthropic's own business. */
const instructions = (parts: ReadonlyArray<Part>, system: unknown): ReadonlyArray<Part> =>
  parts.map((part, at): Part => {
    const block: unknown = Array.isArray(system) ? system[at] : undefined
    return part.type === "text" && isJsonObject(block) && billing.test(part.text)
      ? { type: "opaque", dialect: "messages", value: block, fieldClass: "advisory" }
      : part
  })

const readTurns = ({ messages, system }: JsonObject, refuse: Refuse): ReadonlyArray<Turn> => {
  const turns: Array<Turn> = []
  if (system !== undefined && system !== null) {
    const read = contentOf(system, (path, expected) => refuse(`system${path}`, expected))
    if (read !== undefined) turns.push({ role: "system", at: -1, ...read, parts: instructions(read.parts, system) })
  }
  if (!Array.isArray(messages)) {
    refuse("messages", "a list of messages")
    return turns
  }
  for (let at = 0; at < messages.length; at++) {
    const turn = readTurn(messages[at], at, (path, expected) => refuse(`messages[${at}]${path}`, expected))
    if (turn !== undefined) turns.push(turn)
  }
  return turns
}

const toolFields: ReadonlySet<string> = new Set(["name", "description", "input_schema", "strict", "cache_control"])

const readTool = (tool: unknown, refuse: Refuse): Tool | undefined => {
  if (!isJsonObject(tool)) return void refuse("", "an object")
  const { cache_control: mark, description, input_schema: schema, strict, type } = tool
  const name = asText(tool.name)
  if (type !== undefined && type !== null && type !== "custom") {
    // An MCP toolset goes by the name of its server.
    return {
      type: "server",
      dialect: "messages",
      name: name ?? asText(tool.mcp_server_name) ?? String(type),
      value: tool
    }
  }
  if (name === undefined) return void refuse(".name", "a string")
  if (schema !== undefined && !isJsonObject(schema)) return void refuse(".input_schema", "a JSON schema")
  const cache = readMark(mark)
  const isOdd = mark !== undefined && cache === undefined
  const extra = others(tool, toolFields)
  const kept = isOdd ? { ...extra, cache_control: mark } : extra
  return {
    type: "function",
    name,
    description: asString(description),
    parameters: schema,
    strict: typeof strict === "boolean" ? strict : undefined,
    ...(cache === undefined ? {} : { cache }),
    ...(kept === undefined ? {} : { extra: kept })
  }
}

const readTools = (given: unknown, refuse: Refuse): ReadonlyArray<Tool> => {
  if (given === undefined || given === null) return []
  if (!Array.isArray(given)) {
    refuse("tools", "a list of tools")
    return []
  }
  const tools: Array<Tool> = []
  for (let at = 0; at < given.length; at++) {
    const tool = readTool(given[at], (path, expected) => refuse(`tools[${at}]${path}`, expected))
    if (tool !== undefined) tools.push(tool)
  }
  return tools
}

const isNamed =
  (name: string) =>
  (tool: Tool): tool is ServerTool =>
    tool.type === "server" && tool.name === name

const readChoice = (choice: unknown, tools: ReadonlyArray<Tool>, refuse: Refuse): ToolChoice | undefined => {
  if (choice === undefined || choice === null) return undefined
  if (!isJsonObject(choice)) return void refuse("tool_choice", "an object")
  switch (choice.type) {
    case "auto":
    case "none":
      return { type: choice.type }
    case "any":
      return { type: "required" }
    case "tool": {
      const name = asText(choice.name)
      if (name === undefined) return void refuse("tool_choice.name", "the name of a tool")
      return tools.some(isNamed(name))
        ? { type: "server", dialect: "messages", value: choice }
        : { type: "tool", name, kind: "function" }
    }
    default:
      return void refuse("tool_choice.type", '"auto", "any", "tool" or "none"')
  }
}

const bodyFields: ReadonlySet<string> = new Set([
  ...settingFields,
  "model",
  "stream",
  "messages",
  "system",
  "tools",
  "tool_choice"
])

const modelOf = (body: JsonObject, given: Given | undefined, refuse: Refuse): string => {
  const model = given?.model ?? body.model
  if (typeof model !== "string" || model === "") refuse("model", "the name of a model")
  return typeof model === "string" ? model : ""
}

/** A payload of `/v1/messages`, or of `/v1/messages/count_tokens`, which has no bound. */
export const readRequest = (body: JsonObject, given?: Given): Either.Either<Conversation, ReadonlyArray<Problem>> => {
  const problems: Array<Problem> = []
  const refuse: Refuse = (path, expected) => {
    if (problems.length < mostProblems) problems.push({ path, expected })
  }
  const { stream } = body
  if (stream !== undefined && stream !== null && typeof stream !== "boolean") refuse("stream", "true or false")
  const model = modelOf(body, given, refuse)
  const turns = readTurns(body, refuse)
  const tools = readTools(body.tools, refuse)
  const toolChoice = readChoice(body.tool_choice, tools, refuse)
  const { extra: kept, settings } = readSettings(body, refuse)
  if (problems.length > 0) return Either.left(problems)
  const extra = others(body, bodyFields)
  return Either.right({
    origin: "messages",
    model,
    stream: given?.stream ?? stream === true,
    turns,
    tools,
    toolChoice,
    settings,
    extra: { ...extra, ...kept }
  })
}
