import { arrayOf, isJsonObject, type JsonObject } from "@switchyard/core/Json"
import { Either } from "effect"
import type { Conversation, FunctionTool, Tool, ToolChoice } from "../conversation/Conversation.js"
import { Account, type Problem } from "../conversation/Problem.js"
import { argumentsSchema } from "../parts/argumentsSchema.js"
import { customAsFunction } from "../parts/customTools.js"
import type { Feature, WriteOptions, Written } from "../Translator.js"
import { names, pathOf as ownPathOf } from "./fields.js"
import { type Abilities, abilitiesOf } from "./models.js"
import { writeMark } from "./writeParts.js"
import { type Body, foreignSettings, ownSettings } from "./writeSettings.js"
import { mayThink, type WrittenTurns, writeTurns } from "./writeTurns.js"

/** The bound where neither the caller nor the catalogue names one. */
const defaultMaxTokens = 4_096

const writeFunction = (tool: FunctionTool, isOwn: boolean, { isStructured }: Abilities): JsonObject => {
  const { cache, description, extra, name, parameters, strict } = tool
  const isStrict = isOwn ? strict : strict === true && isStructured ? true : undefined
  const schema = isOwn ? parameters : argumentsSchema(parameters)
  return {
    name,
    ...(description === undefined ? {} : { description }),
    ...(schema === undefined ? {} : { input_schema: schema }),
    ...(isStrict === undefined ? {} : { strict: isStrict }),
    ...(cache === undefined ? {} : { cache_control: writeMark(cache) }),
    ...(isOwn ? extra : undefined)
  }
}

const writeTool = (tool: Tool, isOwn: boolean, abilities: Abilities): JsonObject | undefined => {
  switch (tool.type) {
    case "function":
      return writeFunction(tool, isOwn, abilities)
    case "custom":
      return writeFunction(customAsFunction(tool), false, abilities)
    case "server":
      return tool.dialect === "messages" ? tool.value : undefined
  }
}

const writeChoice = (choice: ToolChoice | undefined): JsonObject | undefined => {
  switch (choice?.type) {
    case undefined:
      return undefined
    case "auto":
    case "none":
      return { type: choice.type }
    case "required":
      return { type: "any" }
    case "tool":
      return { type: "tool", name: choice.name }
    case "allowed":
      return { type: choice.isRequired ? "any" : "auto" }
    case "server":
      return isJsonObject(choice.value) ? { type: "tool", name: choice.value.name } : undefined
  }
}

const withParallel = (
  choice: JsonObject | undefined,
  isParallel: boolean | undefined,
  isOwn: boolean
): JsonObject | undefined => {
  if (isParallel === undefined || choice?.type === "none") return choice
  // Parallel calls are the default.
  if (isParallel && !isOwn) return choice
  return { ...(choice ?? { type: "auto" }), disable_parallel_tool_use: !isParallel }
}

const writeTools = (
  body: Body,
  { settings, toolChoice, tools: offered }: Conversation,
  isOwn: boolean,
  abilities: Abilities
): void => {
  const tools = toolChoice?.type === "allowed" ? offered.filter(({ name }) => toolChoice.names.includes(name)) : offered
  const written: Array<JsonObject> = []
  for (const tool of tools) {
    const one = writeTool(tool, isOwn, abilities)
    if (one !== undefined) written.push(one)
  }
  if (written.length > 0) body.tools = written
  const choice = written.length > 0 || isOwn ? writeChoice(toolChoice) : undefined
  const whole = written.length > 0 || isOwn ? withParallel(choice, settings.parallelTools, isOwn) : undefined
  if (whole !== undefined) body.tool_choice = whole
}

const withInstruction = (system: WrittenTurns["system"], instruction: string | undefined): WrittenTurns["system"] => {
  if (instruction === undefined) return system
  if (system === undefined) return instruction
  if (typeof system === "string") return `${system}\n\n${instruction}`
  return [...system, { type: "text", text: instruction }]
}

const boundOf = ({ settings: { maxOutput } }: Conversation, known: number | undefined, isOwn: boolean): number => {
  if (maxOutput === undefined) return known ?? defaultMaxTokens
  // More than the model can write says the same as what it can.
  return isOwn || known === undefined || maxOutput <= 0 ? maxOutput : Math.min(maxOutput, known)
}

const isForced = (body: Body): boolean => {
  const choice = body.tool_choice
  return isJsonObject(choice) && (choice.type === "any" || choice.type === "tool")
}

const isThinking = (thinking: unknown): boolean =>
  isJsonObject(thinking) && (thinking.type === "enabled" || thinking.type === "adaptive")

/** Edits of the context that want thinking to be on. */
const withoutThoughtEdits = (management: unknown): unknown => {
  if (!isJsonObject(management)) return management
  const edits = arrayOf(management.edits)
  const kept = edits.filter(
    (edit) => !(isJsonObject(edit) && typeof edit.type === "string" && edit.type.startsWith("clear_thinking"))
  )
  if (kept.length === edits.length) return management
  return kept.length === 0 ? undefined : { ...management, edits: kept }
}

/** Fields that only Anthropic has go out as they came; what is there already is filled up. */
const addExtra = (body: Body, extra: JsonObject): void => {
  for (const name in extra) {
    const value = extra[name]
    const there = body[name]
    body[name] = name === "output_config" && isJsonObject(there) && isJsonObject(value) ? { ...there, ...value } : value
  }
}

const switchThinkingOff = (body: Body, account: Account, path: string): void => {
  delete body.thinking
  const management = withoutThoughtEdits(body.context_management)
  if (management === undefined) delete body.context_management
  else body.context_management = management
  account.drop(path, "state")
}

/** A payload of `/v1/messages`. */
export const writeRequest = (
  conversation: Conversation,
  options: WriteOptions
): Either.Either<Written, ReadonlyArray<Problem>> => {
  const account = new Account(options.dropsMeaning)
  const isOwn = conversation.origin === "messages"
  const knowsSignatures = options.knowsSignatures !== false
  const abilities = abilitiesOf(options.model)
  const named = (feature: Feature): string => options.names?.[feature] ?? names[feature] ?? feature
  const turns = writeTurns(conversation.turns, options.pathOf ?? ownPathOf, { account, isOwn, knowsSignatures })
  const maxTokens = boundOf(conversation, options.maxOutput, isOwn)
  const body: Body = { model: options.model, max_tokens: maxTokens }
  if (conversation.stream) body.stream = true
  writeTools(body, conversation, isOwn, abilities)
  let instruction: string | undefined
  if (isOwn) {
    ownSettings(body, conversation.settings)
    addExtra(body, conversation.extra)
    if (!knowsSignatures && isThinking(body.thinking) && !mayThink(turns.messages)) {
      switchThinkingOff(body, account, named("reasoning"))
    }
  } else {
    const barred = isForced(body) ? "advisory" : mayThink(turns.messages) ? undefined : "state"
    const around = { account, abilities, barred, nameOf: named, maxTokens } as const
    instruction = foreignSettings(body, conversation.settings, around)
  }
  const system = withInstruction(turns.system, instruction)
  if (system !== undefined) body.system = system
  body.messages = turns.messages
  return account.problems.length > 0 ? Either.left(account.problems) : Either.right({ body, dropped: account.dropped })
}

/** A payload of `/v1/messages/count_tokens`: the same without what has no meaning to a count. */
export const countRequest = (body: JsonObject): JsonObject => {
  const counted: Body = {}
  for (const name in body) if (countFields.has(name)) counted[name] = body[name]
  return counted
}

/** What the counter takes; it refuses all else. */
const countFields: ReadonlySet<string> = new Set([
  "model",
  "messages",
  "system",
  "tools",
  "tool_choice",
  "thinking",
  "output_config",
  "output_format",
  "mcp_servers",
  "context_management",
  "cache_control",
  "speed"
])
