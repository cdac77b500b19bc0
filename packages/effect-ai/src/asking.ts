/**
 * What @effect/ai asks of a model as a request.
 */
import type { ProviderOptions } from "@effect/ai/LanguageModel"
import * as Tool from "@effect/ai/Tool"
import type { JsonObject } from "@switchyard/core/Json"
import type { LlmError } from "@switchyard/core/LlmError"
import type { LlmRequest } from "@switchyard/core/LlmRequest"
import * as Ask from "@switchyard/dialects/Ask"
import type { Format, Tool as OfferedTool, ToolChoice } from "@switchyard/dialects/Conversation"
import type { Either } from "effect"
import type { Memory } from "./memory.js"
import type { Routing } from "./options.js"
import { turnsOf } from "./prompt.js"

const toolOf = (tool: Tool.Any): OfferedTool => ({
  type: "function",
  name: tool.name,
  description: Tool.getDescription(tool as never),
  parameters: Tool.getJsonSchema(tool as never) as unknown as JsonObject
})

const choiceOf = ({ toolChoice, tools }: ProviderOptions): ToolChoice | undefined => {
  if (tools.length === 0) return undefined
  if (typeof toolChoice === "string") return { type: toolChoice }
  if ("tool" in toolChoice) return { type: "tool", name: toolChoice.tool, kind: "function" }
  // Only these are offered.
  return { type: toolChoice.mode === "required" ? "required" : "auto" }
}

const formatOf = ({ responseFormat }: ProviderOptions): Format | undefined => {
  if (responseFormat.type === "text") return undefined
  const { objectName, schema } = responseFormat
  const description = Tool.getDescriptionFromSchemaAst(schema.ast)
  const json = Tool.getJsonSchemaFromSchemaAst(schema.ast) as unknown as JsonObject
  return {
    type: "schema",
    name: nameOf(objectName),
    ...(description === undefined ? {} : { description }),
    schema: json,
    ...(Ask.isStrict(json) ? { strict: true } : {})
  }
}

/** As OpenAI takes names of schemas. */
const nameOf = (name: string): string => name.replace(/[^A-Za-z0-9_-]/g, "_").slice(0, 64) || "answer"

/** The names of tools that the provider would run itself: a router has none such. */
export const foreignTools = ({ tools }: ProviderOptions): ReadonlyArray<string> =>
  tools.flatMap((tool) => (Tool.isProviderDefined(tool) ? [tool.name] : []))

/** The request, and how many turns it has. */
export const requestOf = (
  options: ProviderOptions,
  stream: boolean,
  model: string,
  { body = {}, ...routing }: Routing,
  memory: Memory
): { readonly request: Either.Either<LlmRequest, LlmError>; readonly turns: number } => {
  const turns = turnsOf(options.prompt, memory)
  const format = formatOf(options)
  const request = Ask.request(
    {
      model,
      stream,
      turns,
      tools: options.tools.map(toolOf),
      toolChoice: choiceOf(options),
      settings: format === undefined ? {} : { format },
      extra: body
    },
    routing
  )
  return { request, turns: turns.length }
}
