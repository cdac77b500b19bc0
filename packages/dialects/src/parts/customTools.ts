/**
 * Tools that take free text, for dialects whose tools take JSON only: a function with one text.
 */
import { isJsonObject } from "@switchyard/core/Json"
import type { CustomTool, FunctionTool, Tool, ToolCallPart } from "../conversation/Conversation.js"
import { parsedObject } from "./values.js"

const field = "input"

/** The grammar is told in words: nothing else of it can be. */
const formatWords = ({ format }: CustomTool): string => {
  // Chat has the grammar in a field of its own, Responses beside the type.
  const definition = (isJsonObject(format?.grammar) ? format.grammar : format)?.definition
  return typeof definition === "string" && definition !== "" ? `\n\nIts input has this grammar:\n${definition}` : ""
}

/** The function that stands for a tool of free text. */
export const customAsFunction = (tool: CustomTool): FunctionTool => ({
  type: "function",
  name: tool.name,
  description: `${tool.description ?? ""}${formatWords(tool)}`,
  parameters: {
    type: "object",
    properties: { [field]: { type: "string", description: "The whole input of the tool, as it is" } },
    required: [field],
    additionalProperties: false
  }
})

/** The arguments of such a function. */
const argumentsOfInput = (input: string): string => JSON.stringify({ [field]: input })

/** The free text in the arguments of such a function; arguments of another shape are the text themselves. */
export const inputOfArguments = (text: string): string => {
  const input = parsedObject(text)?.[field]
  return typeof input === "string" ? input : text
}

/** Whether a call of a function is one of a tool that was offered for free text. */
export const isWrapped = (tools: ReadonlyArray<Tool>, { kind, name }: Pick<ToolCallPart, "kind" | "name">): boolean =>
  kind === "function" && tools.some((tool) => tool.type === "custom" && tool.name === name)

/** A call as a dialect without free text says it. */
export const callAsFunction = (call: ToolCallPart): ToolCallPart =>
  call.kind === "custom" ? { ...call, kind: "function", arguments: argumentsOfInput(call.arguments) } : call
