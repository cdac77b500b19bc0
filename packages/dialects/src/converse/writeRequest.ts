import type { JsonObject } from "@switchyard/core/Json"
import { Either } from "effect"
import type { Conversation, FunctionTool, Settings, Tool, ToolChoice, Turn } from "../conversation/Conversation.js"
import { Account, type Problem } from "../conversation/Problem.js"
import { closed } from "../messages/schemas.js"
import { argumentsSchema } from "../parts/argumentsSchema.js"
import { customAsFunction } from "../parts/customTools.js"
import { asUser, isInstruction, jsonInstruction } from "../parts/instructions.js"
import { asBudget, asEffort, nearestEffort } from "../parts/reasoningLevels.js"
import { inCallOrder } from "../parts/toolTurns.js"
import type { WriteOptions, Written } from "../Translator.js"
import { type Desk, writeBlocks } from "./writeBlocks.js"

/** The path of a block, in Converse's words. */
const ownPath = (turn: number, part?: number): string =>
  `${turn < 0 ? "system" : `messages[${turn}]`}${part === undefined ? "" : `.content[${part}]`}`

interface Message {
  readonly role: "user" | "assistant"
  readonly content: Array<JsonObject>
}

const says = (name: string, content: ReadonlyArray<JsonObject>): boolean => content.some((block) => name in block)

const turnsOf = (turns: ReadonlyArray<Turn>, desk: Desk) => {
  const system: Array<JsonObject> = []
  const messages: Array<Message> = []
  for (const turn of inCallOrder(turns, desk.account, desk.pathOf)) {
    const isLeading = isInstruction(turn) && messages.length === 0
    const said = isInstruction(turn) && !isLeading ? asUser(turn) : turn
    const blocks: Array<JsonObject> = []
    for (let at = 0; at < said.parts.length; at++) {
      const part = said.parts[at]
      if (part !== undefined) writeBlocks(part, turn.at, at, desk, blocks)
    }
    if (blocks.length === 0) continue
    if (isLeading) {
      system.push(...blocks)
      continue
    }
    const role = said.role === "assistant" ? "assistant" : "user"
    const last = messages.at(-1)
    if (last?.role === role) last.content.push(...blocks)
    else messages.push({ role, content: blocks })
  }
  if (messages[0]?.role !== "user") messages.unshift({ role: "user", content: [{ text: "Continue." }] })
  for (const { content } of messages) {
    // Documents are refused without words beside them.
    if (says("document", content) && !says("text", content)) content.push({ text: "See the document." })
  }
  return { system, messages }
}

const specOf = (tool: FunctionTool): JsonObject => ({
  toolSpec: {
    name: tool.name,
    ...(tool.description ? { description: tool.description } : {}),
    inputSchema: { json: argumentsSchema(tool.parameters) },
    ...(tool.strict === true ? { strict: true } : {})
  }
})

const toolOf = (tool: Tool, caches: boolean): ReadonlyArray<JsonObject> => {
  if (tool.type === "server") return tool.dialect === "converse" ? [tool.value] : []
  const spec = specOf(tool.type === "custom" ? customAsFunction(tool) : tool)
  const isMarked = caches && tool.type === "function" && tool.cache !== undefined
  return isMarked ? [spec, { cachePoint: { type: "default" } }] : [spec]
}

/** Calls in the conversation want a list of tools, and so those that are called are in it. */
const calledTools = (turns: ReadonlyArray<Turn>): ReadonlyArray<JsonObject> => {
  const names = new Set<string>()
  for (const turn of turns) {
    for (const part of turn.parts) if (part.type === "toolCall") names.add(part.name)
  }
  return [...names].map((name) => specOf({ type: "function", name }))
}

const choiceOf = (choice: ToolChoice): JsonObject | undefined => {
  switch (choice.type) {
    case "auto":
      return { auto: {} }
    case "required":
      return { any: {} }
    case "tool":
      return { tool: { name: choice.name } }
    case "allowed":
      return choice.isRequired ? { any: {} } : { auto: {} }
    default:
      return undefined
  }
}

const toolConfig = (conversation: Conversation, caches: boolean): JsonObject | undefined => {
  const { toolChoice: choice, turns } = conversation
  const called = calledTools(turns)
  const offered =
    choice?.type === "allowed"
      ? conversation.tools.filter((tool) => choice.names.includes(tool.name))
      : choice?.type === "none" && called.length === 0
        ? []
        : conversation.tools
  const tools = offered.flatMap((tool) => toolOf(tool, caches))
  if (tools.length === 0) return called.length === 0 ? undefined : { tools: called }
  const said = choice === undefined ? undefined : choiceOf(choice)
  return { tools, ...(said === undefined ? {} : { toolChoice: said }) }
}

const formatOf = (format: Settings["format"], model: string): JsonObject | undefined =>
  format?.type !== "schema"
    ? undefined
    : {
        textFormat: {
          type: "json_schema",
          structure: {
            jsonSchema: {
              schema: JSON.stringify(model.includes("anthropic") ? closed(format.schema) : format.schema),
              name: format.name ?? "answer",
              ...(format.description === undefined ? {} : { description: format.description })
            }
          }
        }
      }

/** How the families of models say how much they think; none for those that say nothing of it. */
const reasoningOf = (settings: Settings, model: string, maxTokens: number | undefined): JsonObject | undefined => {
  const { reasoning } = settings
  if (reasoning === undefined) return undefined
  if (model.includes("anthropic")) {
    const budget = asBudget(reasoning)
    if (budget === undefined || budget <= 0) return undefined
    const most = maxTokens === undefined ? budget : Math.min(budget, maxTokens - 1)
    return most < 1_024 ? undefined : { thinking: { type: "enabled", budget_tokens: most } }
  }
  const effort = asEffort(reasoning)
  const near = effort === undefined ? undefined : nearestEffort(effort, ["low", "medium", "high"])
  if (near === undefined || effort === "none") return undefined
  if (model.includes("openai.")) return { reasoning_effort: near }
  return model.includes("nova-2") ? { reasoningConfig: { type: "enabled", maxReasoningEffort: near } } : undefined
}

const topKOf = (topK: number | undefined, model: string): JsonObject | undefined => {
  if (topK === undefined) return undefined
  if (model.includes("nova")) return { inferenceConfig: { topK } }
  return model.includes("anthropic") || model.includes("mistral") ? { top_k: topK } : undefined
}

/** A conversation as a request to Converse; the model and the stream stand in its path. */
export const writeRequest = (
  conversation: Conversation,
  options: WriteOptions
): Either.Either<Written, ReadonlyArray<Problem>> => {
  const { dropsMeaning, knowsSignatures = true, maxOutput, model, names, pathOf = ownPath } = options
  const account = new Account(dropsMeaning)
  const { settings } = conversation
  const caches = model.includes("anthropic") || model.includes("nova")
  const desk: Desk = { account, pathOf, knowsSignatures, caches, documents: new Set() }
  const { messages, system } = turnsOf(conversation.turns, desk)
  if (settings.format?.type === "json") system.push({ text: jsonInstruction })
  const thinks = reasoningOf(settings, model, settings.maxOutput)
  const topK = topKOf(settings.topK, model)
  if (settings.reasoning !== undefined && thinks === undefined)
    account.drop(names?.reasoning ?? "reasoning", "advisory")
  if (settings.topK !== undefined && topK === undefined) account.drop(names?.topK ?? "topK", "advisory")
  const isThinkingClaude = thinks?.thinking !== undefined
  const maxTokens = settings.maxOutput ?? (model.includes("anthropic") ? maxOutput : undefined)
  const inference = {
    ...(maxTokens === undefined ? {} : { maxTokens }),
    ...(settings.temperature === undefined || isThinkingClaude ? {} : { temperature: settings.temperature }),
    ...(settings.topP === undefined || isThinkingClaude ? {} : { topP: settings.topP }),
    ...(settings.stop === undefined ? {} : { stopSequences: settings.stop })
  }
  const tools = toolConfig(conversation, caches)
  const format = formatOf(settings.format, model)
  if (account.problems.length > 0) return Either.left(account.problems)
  const body: JsonObject = {
    ...(system.length === 0 ? {} : { system }),
    messages,
    ...(Object.keys(inference).length === 0 ? {} : { inferenceConfig: inference }),
    ...(tools === undefined ? {} : { toolConfig: tools }),
    ...(thinks === undefined && topK === undefined ? {} : { additionalModelRequestFields: { ...topK, ...thinks } }),
    ...(format === undefined ? {} : { outputConfig: format })
  }
  return Either.right({ body, dropped: account.dropped })
}
