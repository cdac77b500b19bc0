/**
 * What a request in a provider's dialect asks for, read by hand from its documented fields: the witness beside our own readers.
 */
import { arrayOf, isJsonObject, type JsonObject } from "@switchyard/core/Json"
import type { Provider } from "./answers.js"

/** What is asked for. */
export interface Asked {
  /** All instructions, joined. */
  readonly system: string
  /** Texts of the user's turns. */
  readonly user: ReadonlyArray<string>
  readonly tools: ReadonlyArray<string>
  /** Whether a call is required. */
  readonly mustCall: boolean
  /** City and result of every call that was answered. */
  readonly results: Readonly<Record<string, string>>
  /** Base64 of the images. */
  readonly images: ReadonlyArray<string>
  /** Property names of the answer's schema. */
  readonly schema: ReadonlyArray<string>
  readonly reasons: boolean
  readonly bound: unknown
}

const object = (value: unknown): JsonObject => (isJsonObject(value) ? value : {})
const objects = (value: unknown): ReadonlyArray<JsonObject> => arrayOf(value).filter(isJsonObject)
const text = (value: unknown): string =>
  typeof value === "string"
    ? value
    : objects(value)
        .map((part) => (typeof part.text === "string" ? part.text : ""))
        .join("")
const properties = (schema: unknown): ReadonlyArray<string> => Object.keys(object(object(schema).properties))
const cityOf = (given: unknown): string => {
  const parsed: unknown = typeof given === "string" ? JSON.parse(given) : given
  return String(object(parsed).city)
}
const afterComma = (url: unknown): string => String(url).slice(String(url).indexOf(",") + 1)

/** Calls by id, and results by id, as cities with their results. */
const joined = (calls: ReadonlyArray<readonly [string, string]>, results: ReadonlyArray<readonly [string, string]>) => {
  const byId = new Map(results)
  return Object.fromEntries(calls.map(([id, city]) => [city, byId.get(id) ?? "none"]))
}

const chat = (body: JsonObject): Asked => {
  const messages = objects(body.messages)
  const calls = messages.flatMap((message) =>
    objects(message.tool_calls).map((call) => [String(call.id), cityOf(object(call.function).arguments)] as const)
  )
  const parts = messages.flatMap(({ content }) => objects(content))
  return {
    system: messages
      .filter(({ role }) => role === "system" || role === "developer")
      .map(({ content }) => text(content))
      .join(""),
    user: messages.filter(({ role }) => role === "user").map(({ content }) => text(content)),
    tools: objects(body.tools).map((tool) => String(object(tool.function).name)),
    mustCall: body.tool_choice === "required",
    results: joined(
      calls,
      messages.filter(({ role }) => role === "tool").map((one) => [String(one.tool_call_id), text(one.content)])
    ),
    images: parts.filter(({ type }) => type === "image_url").map((part) => afterComma(object(part.image_url).url)),
    schema: properties(object(object(body.response_format).json_schema).schema),
    reasons: typeof body.reasoning_effort === "string",
    bound: body.max_completion_tokens ?? body.max_tokens
  }
}

const messages = (body: JsonObject): Asked => {
  const turns = objects(body.messages)
  const parts = turns.flatMap(({ content }) => objects(content))
  return {
    system: text(body.system),
    user: turns.filter(({ role }) => role === "user").map(({ content }) => text(content)),
    tools: objects(body.tools).map(({ name }) => String(name)),
    mustCall: object(body.tool_choice).type === "any",
    results: joined(
      parts.filter(({ type }) => type === "tool_use").map((part) => [String(part.id), cityOf(part.input)]),
      parts.filter(({ type }) => type === "tool_result").map((part) => [String(part.tool_use_id), text(part.content)])
    ),
    images: parts.filter(({ type }) => type === "image").map((part) => String(object(part.source).data)),
    schema: properties(object(object(body.output_config).format ?? body.output_format).schema),
    reasons: ["enabled", "adaptive"].includes(String(object(body.thinking).type)),
    bound: body.max_tokens
  }
}

const responses = (body: JsonObject): Asked => {
  const items = typeof body.input === "string" ? [{ role: "user", content: body.input }] : objects(body.input)
  const parts = items.flatMap((item) => objects((item as JsonObject).content))
  return {
    system:
      text(body.instructions) +
      objects(items)
        .filter(({ role }) => role === "system" || role === "developer")
        .map(({ content }) => text(content))
        .join(""),
    user: objects(items)
      .filter(({ role }) => role === "user")
      .map(({ content }) => text(content)),
    tools: objects(body.tools).map(({ name }) => String(name)),
    mustCall: body.tool_choice === "required",
    results: joined(
      objects(items)
        .filter(({ type }) => type === "function_call")
        .map((item) => [String(item.call_id), cityOf(item.arguments)]),
      objects(items)
        .filter(({ type }) => type === "function_call_output")
        .map((item) => [String(item.call_id), text(item.output)])
    ),
    images: parts.filter(({ type }) => type === "input_image").map((part) => afterComma(part.image_url)),
    schema: properties(object(object(body.text).format).schema),
    reasons: typeof object(body.reasoning).effort === "string",
    bound: body.max_output_tokens
  }
}

const resultText = (response: unknown): string => {
  const given = object(response)
  const [first] = Object.values(given)
  return typeof first === "string" ? first : JSON.stringify(given)
}

const gemini = (body: JsonObject): Asked => {
  const turns = objects(body.contents)
  const parts = turns.flatMap((turn) => objects(turn.parts))
  const config = object(body.generationConfig)
  return {
    system: text(object(body.systemInstruction).parts),
    user: turns.filter(({ role }) => role !== "model").map((turn) => text(turn.parts)),
    tools: objects(body.tools).flatMap((tool) => objects(tool.functionDeclarations).map(({ name }) => String(name))),
    mustCall: object(object(body.toolConfig).functionCallingConfig).mode === "ANY",
    results: joined(
      parts.flatMap((part) => {
        const call = object(part.functionCall)
        return part.functionCall === undefined ? [] : [[String(call.id), cityOf(call.args)] as const]
      }),
      parts.flatMap((part) => {
        const answer = object(part.functionResponse)
        return part.functionResponse === undefined ? [] : [[String(answer.id), resultText(answer.response)] as const]
      })
    ),
    images: parts.flatMap((part) => (part.inlineData === undefined ? [] : [String(object(part.inlineData).data)])),
    schema: properties(config.responseJsonSchema ?? config.responseSchema),
    reasons: config.thinkingConfig !== undefined,
    bound: config.maxOutputTokens
  }
}

const converse = (body: JsonObject): Asked => {
  const turns = objects(body.messages)
  const parts = turns.flatMap(({ content }) => objects(content))
  const config = object(body.toolConfig)
  return {
    system: text(body.system),
    user: turns.filter(({ role }) => role === "user").map(({ content }) => text(content)),
    tools: objects(config.tools).map((tool) => String(object(tool.toolSpec).name)),
    mustCall: object(config.toolChoice).any !== undefined,
    results: joined(
      parts.flatMap((part) => {
        const use = object(part.toolUse)
        return part.toolUse === undefined ? [] : [[String(use.toolUseId), cityOf(use.input)] as const]
      }),
      parts.flatMap((part) => {
        const result = object(part.toolResult)
        return part.toolResult === undefined ? [] : [[String(result.toolUseId), text(result.content)] as const]
      })
    ),
    images: parts.flatMap((part) =>
      part.image === undefined ? [] : [String(object(object(part.image).source).bytes)]
    ),
    schema: /\\?"warm\\?"/.test(JSON.stringify(body.outputConfig ?? {})) ? ["warm"] : [],
    reasons: body.additionalModelRequestFields !== undefined,
    bound: object(body.inferenceConfig).maxTokens
  }
}

const cohere = (body: JsonObject): Asked => {
  const turns = objects(body.messages)
  const known = chat(body)
  return {
    ...known,
    mustCall: body.tool_choice === "REQUIRED",
    results: joined(
      turns.flatMap((turn) =>
        objects(turn.tool_calls).map((call) => [String(call.id), cityOf(object(call.function).arguments)] as const)
      ),
      turns
        .filter(({ role }) => role === "tool")
        .map((turn) => {
          const content = typeof turn.content === "string" ? turn.content : objects(turn.content)
          const first = typeof content === "string" ? undefined : content[0]
          return [String(turn.tool_call_id), first === undefined ? text(content) : textOfDocument(first)]
        })
    ),
    schema: properties(object(body.response_format).json_schema ?? object(body.response_format).schema),
    reasons: object(body.thinking).type === "enabled",
    bound: body.max_tokens
  }
}

const textOfDocument = (part: JsonObject): string => {
  if (typeof part.text === "string") return part.text
  const { data } = object(part.document)
  return typeof data === "string" ? data : resultText(data)
}

const ollama = (body: JsonObject): Asked => {
  const turns = objects(body.messages)
  const calls = turns.flatMap((turn) => objects(turn.tool_calls).map((call) => cityOf(object(call.function).arguments)))
  const results = turns.filter(({ role }) => role === "tool").map(({ content }) => text(content))
  return {
    system: turns
      .filter(({ role }) => role === "system")
      .map(({ content }) => text(content))
      .join(""),
    user: turns.filter(({ role }) => role === "user").map(({ content }) => text(content)),
    tools: objects(body.tools).map((tool) => String(object(tool.function).name)),
    mustCall: false,
    results: Object.fromEntries(calls.map((city, at) => [city, results[at] ?? "none"])),
    images: turns.flatMap((turn) => arrayOf(turn.images).map(String)),
    schema: properties(body.format),
    reasons: body.think !== undefined && body.think !== false,
    bound: object(body.options).num_predict
  }
}

/** The witnesses by dialect. */
export const asked: Readonly<Record<Provider, (body: JsonObject) => Asked>> = {
  chat,
  messages,
  responses,
  gemini,
  converse,
  cohere,
  ollama
}
