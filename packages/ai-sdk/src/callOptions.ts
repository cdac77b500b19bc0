/**
 * What the AI SDK asks of a model as a request.
 */
import type {
  JSONSchema7,
  LanguageModelV3CallOptions,
  LanguageModelV3FunctionTool,
  LanguageModelV3ToolChoice,
  SharedV3Warning
} from "@ai-sdk/provider"
import type { JsonObject } from "@switchyard/core/Json"
import type { LlmError } from "@switchyard/core/LlmError"
import type { LlmRequest, RequestOptions } from "@switchyard/core/LlmRequest"
import * as Ask from "@switchyard/dialects/Ask"
import { cacheOf } from "@switchyard/dialects/Beside"
import type { Format, Settings, Tool, ToolChoice } from "@switchyard/dialects/Conversation"
import type { Either } from "effect"
import { turnsOf } from "./prompt.js"
import { saidIn } from "./providerOptions.js"

const toolOf = (tool: LanguageModelV3FunctionTool): Tool => {
  const cache = cacheOf(tool.providerOptions)
  return {
    type: "function",
    name: tool.name,
    description: tool.description,
    parameters: tool.inputSchema as JsonObject,
    strict: tool.strict,
    ...(cache === undefined ? {} : { cache })
  }
}

const choiceOf = (choice: LanguageModelV3ToolChoice | undefined): ToolChoice | undefined => {
  if (choice === undefined) return undefined
  return choice.type === "tool" ? { type: "tool", name: choice.toolName, kind: "function" } : { type: choice.type }
}

const formatOf = (format: LanguageModelV3CallOptions["responseFormat"]): Format | undefined => {
  if (format === undefined || format.type === "text") return undefined
  if (format.schema === undefined) return { type: "json" }
  const { description, name, schema } = format as { description?: string; name?: string; schema: JSONSchema7 }
  const json = schema as JsonObject
  return {
    type: "schema",
    ...(name === undefined ? {} : { name }),
    ...(description === undefined ? {} : { description }),
    schema: json,
    ...(Ask.isStrict(json) ? { strict: true } : {})
  }
}

const settingsOf = (options: LanguageModelV3CallOptions): Settings => ({
  maxOutput: options.maxOutputTokens,
  temperature: options.temperature,
  topP: options.topP,
  topK: options.topK,
  stop: options.stopSequences === undefined || options.stopSequences.length === 0 ? undefined : options.stopSequences,
  seed: options.seed,
  presencePenalty: options.presencePenalty,
  frequencyPenalty: options.frequencyPenalty,
  format: formatOf(options.responseFormat)
})

/** A call as the router takes it. */
export interface Asked {
  readonly request: Either.Either<LlmRequest, LlmError>
  readonly turns: number
  readonly warnings: ReadonlyArray<SharedV3Warning>
}

/** What a model's requests bring before a call says anything. */
export type Defaults = Omit<RequestOptions, "exact" | "forwards" | "trace">

/** A call's options above its model's: overrides and demands stand beside each other, all else is replaced. */
export const routed = (defaults: Defaults, said: RequestOptions): RequestOptions => {
  const given = Object.fromEntries(Object.entries(said).filter(([, value]) => value !== undefined)) as RequestOptions
  return {
    ...defaults,
    ...given,
    overrides: { ...defaults.overrides, ...given.overrides },
    demands: { ...defaults.demands, ...given.demands }
  }
}

/** The request of one call. */
export const asked = (
  model: string,
  options: LanguageModelV3CallOptions,
  stream: boolean,
  defaults: Defaults
): Asked => {
  const { extra, options: routing, warnings } = saidIn(options.providerOptions, options.headers)
  const turns = turnsOf(options.prompt)
  const tools = options.tools ?? []
  const foreign = tools.flatMap((tool) =>
    tool.type === "provider"
      ? [
          {
            type: "unsupported" as const,
            feature: `tool ${tool.id}`,
            details: "its own provider runs it, and any provider may answer"
          }
        ]
      : []
  )
  const request = Ask.request(
    {
      model,
      stream,
      turns,
      tools: tools.flatMap((tool) => (tool.type === "function" ? [toolOf(tool)] : [])),
      toolChoice: choiceOf(options.toolChoice),
      settings: settingsOf(options),
      extra
    },
    routed(defaults, routing)
  )
  return { request, turns: turns.length, warnings: [...warnings, ...foreign] }
}
