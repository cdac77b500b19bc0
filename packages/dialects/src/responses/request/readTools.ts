import { arrayOf, isJsonObject, type JsonObject } from "@switchyard/core/Json"
import type { CustomTool, FunctionTool, Tool, ToolChoice } from "../../conversation/Conversation.js"
import type { Problem } from "../../conversation/Problem.js"
import { flatName } from "../../parts/namespaces.js"
import { asBoolean, asObject, asText } from "../../parts/values.js"

/** A tool, the namespace that it was read from, and whether it is told elsewhere than in `tools`. */
interface Place {
  readonly namespace?: JsonObject
  readonly isElsewhere?: true
}

const extraOf = (tool: JsonObject, { isElsewhere, namespace }: Place): JsonObject => ({
  responsesTool: tool,
  ...(namespace === undefined ? {} : { responsesNamespace: namespace }),
  ...(isElsewhere === true ? { responsesElsewhere: true } : {})
})

const callable = (tool: JsonObject, place: Place): FunctionTool | CustomTool | undefined => {
  const name = asText(tool.name)
  if (name === undefined) return undefined
  const description = asText(tool.description)
  const namespace = asText(place.namespace?.name)
  const base = {
    name: namespace === undefined ? name : flatName(name, namespace),
    ...(description === undefined ? {} : { description }),
    ...(namespace === undefined ? {} : { namespace }),
    extra: extraOf(tool, place)
  }
  if (tool.type === "custom") {
    const format = asObject(tool.format)
    return { type: "custom", ...base, ...(format === undefined ? {} : { format }) }
  }
  if (tool.type !== "function") return undefined
  const parameters = asObject(tool.parameters)
  const strict = asBoolean(tool.strict)
  return {
    type: "function",
    ...base,
    ...(parameters === undefined ? {} : { parameters }),
    ...(strict === undefined ? {} : { strict })
  }
}

const inNamespace = (namespace: JsonObject, place: Place): ReadonlyArray<Tool> | undefined => {
  if (asText(namespace.name) === undefined || !Array.isArray(namespace.tools) || namespace.tools.length === 0) {
    return undefined
  }
  const tools: Array<Tool> = []
  for (const inner of namespace.tools) {
    const tool = isJsonObject(inner) ? callable(inner, { ...place, namespace }) : undefined
    if (tool === undefined) return undefined
    tools.push(tool)
  }
  return tools
}

const addTool = (tool: unknown, path: string, place: Place, tools: Array<Tool>, problems: Array<Problem>): void => {
  if (!isJsonObject(tool) || typeof tool.type !== "string") {
    problems.push({ path, expected: "expected an object with a type" })
    return
  }
  if (tool.type === "function" || tool.type === "custom") {
    const one = callable(tool, place)
    if (one === undefined) problems.push({ path: `${path}.name`, expected: "expected a string that is not empty" })
    else tools.push(one)
    return
  }
  const inner = tool.type === "namespace" ? inNamespace(tool, place) : undefined
  if (inner !== undefined) tools.push(...inner)
  else if (place.isElsewhere !== true) {
    tools.push({ type: "server", dialect: "responses", name: tool.type, value: tool })
  }
}

/** The tools of `tools`, and those that items of the input have brought: what a search found is offered too. */
export const readTools = (body: JsonObject, problems: Array<Problem>): ReadonlyArray<Tool> => {
  const tools: Array<Tool> = []
  arrayOf(body.tools).forEach((tool, at) => {
    addTool(tool, `tools[${at}]`, {}, tools, problems)
  })
  arrayOf(body.input).forEach((item, at) => {
    if (!isJsonObject(item) || (item.type !== "additional_tools" && item.type !== "tool_search_output")) return
    const found: Array<Tool> = []
    arrayOf(item.tools).forEach((tool, place) => {
      addTool(tool, `input[${at}].tools[${place}]`, { isElsewhere: true }, found, problems)
    })
    for (const tool of found) if (!tools.some(({ name }) => name === tool.name)) tools.push(tool)
  })
  return tools
}

const chosen = (choice: JsonObject): string | undefined => {
  if (choice.type !== "function" && choice.type !== "custom") return undefined
  const name = asText(choice.name)
  const namespace = asText(choice.namespace)
  return name === undefined || namespace === undefined ? name : flatName(name, namespace)
}

/** Which tool is to be called; undefined where nothing is said of it. */
export const readToolChoice = (choice: unknown, problems: Array<Problem>): ToolChoice | undefined => {
  if (choice === undefined || choice === null) return undefined
  if (choice === "auto" || choice === "none" || choice === "required") return { type: choice }
  if (!isJsonObject(choice)) {
    problems.push({ path: "tool_choice", expected: "expected auto, none, required or an object" })
    return undefined
  }
  if (choice.type === "allowed_tools") {
    const names: Array<string> = []
    const others: Array<JsonObject> = []
    for (const tool of arrayOf(choice.tools)) {
      if (!isJsonObject(tool)) continue
      const name = chosen(tool)
      if (name === undefined) others.push(tool)
      else names.push(name)
    }
    return {
      type: "allowed",
      names,
      isRequired: choice.mode === "required",
      ...(others.length === 0 ? {} : { others })
    }
  }
  const name = chosen(choice)
  if (name === undefined) return { type: "server", dialect: "responses", value: choice }
  return { type: "tool", name, kind: choice.type === "custom" ? "custom" : "function" }
}
