import type { JsonObject } from "@switchyard/core/Json"
import type { CustomTool, FunctionTool, Tool, ToolChoice } from "../../conversation/Conversation.js"
import { asObject } from "../../parts/values.js"
import { nameFields } from "./writeItems.js"

const toolOf = (tool: FunctionTool | CustomTool): JsonObject => {
  const own = asObject(tool.extra?.responsesTool)
  if (own !== undefined) return own
  const description = tool.description === undefined ? {} : { description: tool.description }
  if (tool.type === "custom") {
    return {
      type: "custom",
      name: tool.name,
      ...description,
      ...(tool.format === undefined ? {} : { format: tool.format })
    }
  }
  return {
    type: "function",
    name: tool.name,
    ...description,
    parameters: tool.parameters ?? { type: "object", properties: {} },
    // Left out it would be strict, which no other dialect's schemas are made for.
    strict: tool.strict ?? false
  }
}

/** Tools; those of one namespace go out in it again. */
export const writeTools = (tools: ReadonlyArray<Tool>): ReadonlyArray<JsonObject> => {
  const written: Array<JsonObject> = []
  let last: JsonObject | undefined
  for (const tool of tools) {
    if (tool.type === "server") {
      if (tool.dialect === "responses") written.push(tool.value)
      continue
    }
    if (tool.extra?.responsesElsewhere === true) continue
    const namespace = asObject(tool.extra?.responsesNamespace)
    if (namespace === undefined) written.push(toolOf(tool))
    else if (namespace !== last) written.push(namespace)
    last = namespace
  }
  return written
}

const kindOf = (
  name: string,
  tools: ReadonlyArray<Tool>
): { readonly type: string; readonly namespace?: string | undefined } => {
  const tool = tools.find((one) => one.name === name)
  return {
    type: tool?.type === "custom" ? "custom" : "function",
    namespace: tool?.type === "function" || tool?.type === "custom" ? tool.namespace : undefined
  }
}

/** Which tool is to be called. */
export const writeToolChoice = (choice: ToolChoice, tools: ReadonlyArray<Tool>): unknown => {
  const named = (name: string): JsonObject => {
    const { namespace, type } = kindOf(name, tools)
    return { type, ...nameFields(name, namespace) }
  }
  switch (choice.type) {
    case "tool":
      return { ...named(choice.name), type: choice.kind }
    case "allowed":
      return {
        type: "allowed_tools",
        mode: choice.isRequired ? "required" : "auto",
        tools: [...choice.names.map(named), ...(choice.others ?? [])]
      }
    case "server":
      return choice.dialect === "responses" ? choice.value : undefined
    default:
      return choice.type
  }
}
