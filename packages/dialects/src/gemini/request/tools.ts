/**
 * Tools, and which of them the model has to call.
 */
import { isJsonObject, type JsonObject } from "@switchyard/core/Json"
import type { Conversation, FunctionTool, Tool, ToolChoice } from "../../conversation/Conversation.js"
import type { Account } from "../../conversation/Problem.js"
import { argumentsSchema } from "../../parts/argumentsSchema.js"
import { customAsFunction } from "../../parts/customTools.js"
import { asString, asStrings, asText } from "../../parts/values.js"
import { jsonSchemaOf, originOf } from "../parts/schema.js"
import { extraOf, field, given, known, nameIn, objectsOf } from "../parts/spelling.js"

const declarationFields = known("name", "description", "parameters", "parametersJsonSchema")

const readFunction = (declaration: JsonObject, entry: number): FunctionTool => {
  const schema = field(declaration, "parametersJsonSchema")
  const parameters = declaration.parameters
  const read = isJsonObject(schema) ? schema : isJsonObject(parameters) ? jsonSchemaOf(parameters) : undefined
  const extra = extraOf(declaration, declarationFields).extra
  return {
    type: "function",
    name: asString(declaration.name) ?? "",
    ...given("description", asString(declaration.description)),
    ...given("parameters", read),
    extra: { ...extra, entry }
  }
}

/** Everything that is offered: functions are declared in lists, each server tool is a field of its own. */
export const readTools = (tools: unknown): ReadonlyArray<Tool> => {
  const read: Array<Tool> = []
  objectsOf(tools).forEach((tool, entry) => {
    for (const name in tool) {
      const value = tool[name]
      if (name === "functionDeclarations" || name === "function_declarations") {
        for (const declaration of objectsOf(value)) read.push(readFunction(declaration, entry))
      } else if (value !== undefined && value !== null) {
        read.push({ type: "server", dialect: "gemini", name, value: { [name]: value } })
      }
    }
  })
  return read
}

/** A schema that asks for nothing is none: Gemini wants arguments to be an object. */
const isEmpty = (schema: JsonObject): boolean => Object.keys(schema).length === 0

/** A schema as Gemini takes it: its own, where it came in so. */
const writeSchema = (schema: JsonObject): JsonObject => {
  const own = originOf(schema)
  return own === undefined ? { parametersJsonSchema: argumentsSchema(schema) } : { parameters: own }
}

const declarationOf = (tool: Exclude<Tool, { readonly type: "server" }>, isOwn: boolean): JsonObject => {
  if (tool.type === "custom") return declarationOf(customAsFunction(tool), isOwn)
  const { entry: _, ...extra } = isOwn ? (tool.extra ?? {}) : {}
  return {
    name: tool.name,
    ...given("description", tool.description),
    ...(tool.parameters === undefined || (!isOwn && isEmpty(tool.parameters)) ? {} : writeSchema(tool.parameters)),
    ...extra
  }
}

/** As many entries as there were, or one for all functions and one for each server tool. */
export const writeTools = ({ origin, tools }: Conversation): ReadonlyArray<JsonObject> => {
  const isOwn = origin === "gemini"
  const written: Array<Record<string, unknown>> = []
  const lists = new Map<unknown, Array<JsonObject>>()
  for (const tool of tools) {
    if (tool.type === "server") {
      if (tool.dialect === "gemini") written.push(tool.value)
      continue
    }
    const entry = isOwn && tool.type === "function" ? tool.extra?.entry : undefined
    const list = lists.get(entry)
    const declaration = declarationOf(tool, isOwn)
    if (list === undefined) {
      const functionDeclarations = [declaration]
      lists.set(entry, functionDeclarations)
      written.push({ functionDeclarations })
    } else list.push(declaration)
  }
  return written
}

const modes: Readonly<Record<string, ToolChoice["type"]>> = {
  AUTO: "auto",
  VALIDATED: "auto",
  NONE: "none",
  ANY: "required"
}

/** What `toolConfig` says of the choice, and what else it says. */
export const readChoice = (
  config: unknown
): { readonly toolChoice?: ToolChoice; readonly rest?: Readonly<Record<string, unknown>> } => {
  if (!isJsonObject(config)) return {}
  const name = nameIn(config, "functionCallingConfig")
  const { [name]: calling, ...others } = config
  const rest: Record<string, unknown> = others
  if (!isJsonObject(calling)) return { rest }
  const mode = asText(calling.mode)?.toUpperCase()
  const names = asStrings(field(calling, "allowedFunctionNames")) ?? []
  const left = extraOf(calling, choiceFields).extra
  const unsaid =
    mode === undefined || mode in modes ? (mode === "VALIDATED" && names.length === 0 ? { mode } : {}) : { mode }
  const inner = { ...left, ...unsaid }
  if (Object.keys(inner).length > 0) rest[name] = inner
  const type = mode === undefined ? undefined : modes[mode]
  if (type === undefined) return { rest }
  if (names.length === 0 || type === "none") return { toolChoice: { type } as ToolChoice, rest }
  const [first] = names
  if (type === "required" && names.length === 1 && first !== undefined) {
    return { toolChoice: { type: "tool", name: first, kind: "function" }, rest }
  }
  return { toolChoice: { type: "allowed", names, isRequired: type === "required" }, rest }
}

const choiceFields = known("mode", "allowedFunctionNames")

const callingOf = (choice: ToolChoice, account: Account): JsonObject | undefined => {
  switch (choice.type) {
    case "auto":
      return { mode: "AUTO" }
    case "none":
      return { mode: "NONE" }
    case "required":
      return { mode: "ANY" }
    case "tool":
      return { mode: "ANY", allowedFunctionNames: [choice.name] }
    case "allowed":
      return { mode: choice.isRequired ? "ANY" : "VALIDATED", allowedFunctionNames: choice.names }
    case "server":
      account.lacks("meaning", "tool_choice", "a tool that Google runs cannot be forced")
      return undefined
  }
}

/** `toolConfig`, of the choice and of what else the caller said in it. */
export const writeChoice = (
  { toolChoice, tools }: Conversation,
  rest: JsonObject,
  account: Account
): JsonObject | undefined => {
  const name = nameIn(rest, "functionCallingConfig")
  const said = rest[name]
  // Without any function declared Google refuses a mode: nothing can be called, and nothing need be said.
  const isSaid = toolChoice !== undefined && (tools.length > 0 || toolChoice.type !== "auto")
  const calling = isSaid ? callingOf(toolChoice, account) : undefined
  if (calling === undefined) return Object.keys(rest).length === 0 ? undefined : rest
  return { ...rest, [name]: { ...calling, ...(isJsonObject(said) ? said : {}) } }
}
