/**
 * Tools, and which of them has to be called.
 */
import { arrayOf, isJsonObject, type JsonObject } from "@switchyard/core/Json"
import type { FunctionTool, Tool, ToolChoice } from "../conversation/Conversation.js"
import { customAsFunction } from "../parts/customTools.js"
import { asBoolean, asObject, asString, asText, others } from "../parts/values.js"
import { readCache } from "./readParts.js"

const ofTool: ReadonlySet<string> = new Set(["type", "function", "cache_control"])
const ofFunction: ReadonlySet<string> = new Set(["name", "description", "parameters", "strict"])

/** What a function bears that is not read: as it stands there, to be laid over what is written. */
const functionExtra = (said: JsonObject): JsonObject | undefined => {
  const left = others(said, ofFunction)
  const odd: Record<string, unknown> = { ...left }
  for (const name of ["description", "parameters", "strict"]) {
    const value = said[name]
    const isRead =
      name === "parameters" ? isJsonObject(value) : typeof value === (name === "strict" ? "boolean" : "string")
    if (value !== undefined && !isRead) odd[name] = value
  }
  for (const _ in odd) return odd
  return undefined
}

const functionTool = (said: JsonObject, tool: JsonObject, extra: JsonObject | undefined): FunctionTool => ({
  type: "function",
  name: asString(said.name) ?? "",
  description: asString(said.description),
  parameters: asObject(said.parameters),
  strict: asBoolean(said.strict),
  cache: readCache(tool.cache_control),
  extra
})

const readTool = (tool: unknown): Tool | undefined => {
  if (!isJsonObject(tool)) return undefined
  const said = asObject(tool.function)
  if (said !== undefined && (tool.type === "function" || tool.type === undefined)) {
    const inner = functionExtra(said)
    const outer = others(tool, ofTool)
    const untyped = tool.type === undefined ? { type: undefined } : {}
    const isPlain = inner === undefined && outer === undefined && tool.type !== undefined
    return functionTool(said, tool, isPlain ? undefined : { ...outer, ...untyped, ...(inner && { function: inner }) })
  }
  const custom = asObject(tool.custom)
  if (tool.type === "custom" && custom !== undefined) {
    return {
      type: "custom",
      name: asString(custom.name) ?? "",
      description: asString(custom.description),
      format: asObject(custom.format)
    }
  }
  const name = asText(tool.type)
  return name === undefined ? undefined : { type: "server", dialect: "chat", name, value: tool }
}

/** The tools that are offered. */
export const readTools = (tools: unknown): ReadonlyArray<Tool> => arrayOf(tools).flatMap((tool) => readTool(tool) ?? [])

/** The same in the older spelling, `functions`. */
export const readFunctions = (functions: unknown): ReadonlyArray<Tool> =>
  arrayOf(functions).flatMap((said) => (isJsonObject(said) ? [functionTool(said, {}, functionExtra(said))] : []))

const allowed = (said: JsonObject): ToolChoice => ({
  type: "allowed",
  names: arrayOf(said.tools).flatMap((tool) => {
    const name = isJsonObject(tool) ? (asObject(tool.function) ?? asObject(tool.custom) ?? tool).name : undefined
    return typeof name === "string" ? [name] : []
  }),
  isRequired: said.mode === "required"
})

/** The choice; undefined when none is made, or none that can be read. `any` is Mistral's word for `required`. */
export const readChoice = (choice: unknown): ToolChoice | undefined => {
  if (choice === "auto" || choice === "none" || choice === "required") return { type: choice }
  if (choice === "any") return { type: "required" }
  if (!isJsonObject(choice)) return undefined
  const name = asString(asObject(choice.function)?.name)
  if (name !== undefined) return { type: "tool", name, kind: "function" }
  const custom = asString(asObject(choice.custom)?.name)
  if (custom !== undefined) return { type: "tool", name: custom, kind: "custom" }
  if (choice.type === "allowed_tools") return allowed(asObject(choice.allowed_tools) ?? choice)
  if (choice.type === "auto" || choice.type === "none" || choice.type === "required") return { type: choice.type }
  return { type: "server", dialect: "chat", value: choice }
}

/** The older spelling, `function_call`. */
export const readFunctionCall = (choice: unknown): ToolChoice | undefined => {
  if (choice === "auto" || choice === "none") return { type: choice }
  const name = isJsonObject(choice) ? asString(choice.name) : undefined
  return name === undefined ? undefined : { type: "tool", name, kind: "function" }
}

const cacheControl = (cache: FunctionTool["cache"]): JsonObject => ({
  type: "ephemeral",
  ...(cache?.ttl === undefined ? {} : { ttl: cache.ttl })
})

/** A tool as chat says it; `isOwn`: with what only chat knows of it. */
export const writeTool = (tool: Tool, isOwn: boolean): JsonObject => {
  switch (tool.type) {
    case "server":
      return tool.value
    case "custom": {
      // Few who speak chat know tools of free text, all know functions.
      if (!isOwn) return writeTool(customAsFunction(tool), false)
      const { description, format, name } = tool
      return { type: "custom", custom: { name, ...(description && { description }), ...(format && { format }) } }
    }
    case "function": {
      const { cache, description, extra, name, parameters, strict } = tool
      const own = isOwn ? extra : undefined
      const said = {
        name,
        ...(description === undefined ? {} : { description }),
        ...(parameters === undefined ? {} : { parameters }),
        ...(strict === undefined ? {} : { strict }),
        ...asObject(own?.function)
      }
      if (own === undefined && (cache === undefined || !isOwn)) return { type: "function", function: said }
      return {
        type: "function",
        ...(cache === undefined ? {} : { cache_control: cacheControl(cache) }),
        ...own,
        function: said
      }
    }
  }
}

/** The choice as chat says it. */
export const writeChoice = (choice: ToolChoice, tools: ReadonlyArray<Tool>, isOwn: boolean): unknown => {
  const named = (
    name: string,
    isCustom = tools.some((one) => one.type === "custom" && one.name === name)
  ): JsonObject => {
    if (isCustom && isOwn) return { type: "custom", custom: { name } }
    return { type: "function", function: { name } }
  }
  switch (choice.type) {
    case "auto":
    case "none":
    case "required":
      return choice.type
    case "tool":
      return choice.kind === "custom" ? named(choice.name, true) : named(choice.name)
    case "allowed":
      return {
        type: "allowed_tools",
        allowed_tools: { mode: choice.isRequired ? "required" : "auto", tools: choice.names.map((name) => named(name)) }
      }
    case "server":
      return choice.value
  }
}
