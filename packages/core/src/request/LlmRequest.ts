/**
 * A request: the provider's payload kept whole, and beside it what routing needs to know.
 */
import { Either } from "effect"
import { LlmError } from "../errors/LlmError.js"
import type { Members } from "../json/ExactJson.js"
import { arrayOf, isJsonObject, type JsonObject } from "../json/Json.js"
import * as Route from "../outcome/Route.js"
import type { TraceContext } from "../shared/TraceContext.js"
import type { ChatBody, CompletionBody, EmbeddingsBody } from "./Chat.js"
import type { CacheControl, Demands, FallbackTarget, Fault, RequestOverrides } from "./overrides.js"
import type { Operation } from "./payloadFields.js"
import { type PromptSize, sizeOf } from "./promptSize.js"
import { inBody } from "./reasoningFields.js"

export { inForce } from "./overrides.js"
export { choicesIn, largestOutputBound, overlay } from "./payloadFields.js"
export type { CacheControl, Demands, FallbackTarget, Fault, Operation, RequestOverrides }

/** One request on its way through the tower. */
export interface LlmRequest {
  readonly operation: Operation
  /** The model group, alias or deployment id that the caller names. */
  readonly model: string
  readonly stream: boolean
  /** The provider payload, whole, unknown fields included. `model` and `stream` in it are replaced on the way out. */
  readonly body: JsonObject
  /** Members of the body whose numbers go out as they were written; undefined when parsing has changed none. */
  readonly exact?: Members
  /**
   * Its answer is passed on and not read: a large one may come in `bytes`, and stand-ins (`StandIn`) in place of the numbers
   * of embeddings.
   */
  readonly forwards?: boolean
  readonly tags: ReadonlyArray<string>
  readonly demands: Demands
  /** Requests of one session may be kept on one deployment. */
  readonly sessionKey: string | undefined
  /** Who asks: budgets, cache and limits per caller go by it. */
  readonly caller: string | undefined
  readonly overrides: RequestOverrides
  /** Its place in a trace; undefined when nobody said. Told to providers, with each attempt's own span where there is one. */
  readonly trace: TraceContext | undefined
  readonly route: Route.Route
}

/** What a caller may say beside the payload. */
export interface RequestOptions {
  readonly tags?: ReadonlyArray<string> | undefined
  readonly demands?: Demands | undefined
  readonly sessionKey?: string | undefined
  readonly caller?: string | undefined
  readonly overrides?: RequestOverrides | undefined
  readonly trace?: TraceContext | undefined
  /** Numbers of the payload that parsing has changed, as `ExactJson.membersOf` finds them. */
  readonly exact?: Members | undefined
  /** The answer is passed on and not read. Default false. */
  readonly forwards?: boolean | undefined
}

export type { ChatBody, CompletionBody, EmbeddingsBody }

const make = (
  operation: Operation,
  body: { readonly model: string; readonly stream?: unknown },
  options: RequestOptions
): LlmRequest => ({
  operation,
  model: body.model,
  stream: body.stream === true && operation !== "embeddings",
  body: body as { readonly model: string } & JsonObject,
  ...(options.exact === undefined ? {} : { exact: options.exact }),
  ...(options.forwards === true ? { forwards: true } : {}),
  tags: options.tags ?? [],
  demands: options.demands ?? {},
  sessionKey: options.sessionKey,
  caller: options.caller,
  overrides: options.overrides ?? {},
  trace: options.trace,
  route: Route.make(body.model, 0)
})

/**
 * A chat request.
 *
 * @example
 * ```ts
 * import * as LlmRequest from "@switchyard/core/LlmRequest"
 *
 * const request = LlmRequest.chat({ model: "smart", messages: [{ role: "user", content: "Hi" }], temperature: 0 })
 * ```
 */
export const chat = (body: ChatBody, options: RequestOptions = {}): LlmRequest => make("chat", body, options)

/** A legacy completion request. */
export const completion = (body: CompletionBody, options: RequestOptions = {}): LlmRequest =>
  make("completion", body, options)

/** An embeddings request. */
export const embeddings = (body: EmbeddingsBody, options: RequestOptions = {}): LlmRequest =>
  make("embeddings", body, options)

/** The same request with a fresh route that begins at `now` (monotonic ms); a request value may be sent many times. */
export const begin = (request: LlmRequest, now: number): LlmRequest => ({
  ...request,
  route: Route.make(request.model, now)
})

/** How many wrong messages a refusal names: a body may hold millions. */
const maxNamed = 8

const messageProblems = (messages: unknown): ReadonlyArray<string> => {
  if (!Array.isArray(messages) || messages.length === 0) return ["messages: expected a list of at least one message"]
  const problems: Array<string> = []
  for (let at = 0; at < messages.length && problems.length < maxNamed; at++) {
    const message: unknown = messages[at]
    if (!isJsonObject(message)) problems.push(`messages.${at}: expected an object`)
    else if (typeof message.role !== "string") problems.push(`messages.${at}.role: expected a string`)
  }
  return problems
}

/** What is wrong with the field that an operation is about. By hand: a schema's decoding took longer than a whole layer. */
const contentProblems: Record<Operation, (body: JsonObject) => ReadonlyArray<string>> = {
  chat: ({ messages }) => messageProblems(messages),
  completion: ({ prompt }) => (prompt === undefined ? ["prompt: expected a value"] : []),
  embeddings: ({ input }) =>
    typeof input === "string" || Array.isArray(input) ? [] : ["input: expected a string or a list"]
}

const problemsOf = (operation: Operation, body: JsonObject): ReadonlyArray<string> => {
  const { model, stream } = body
  const content = contentProblems[operation](body)
  const isModelGood = typeof model === "string" && model !== ""
  const isStreamGood = stream === undefined || stream === null || typeof stream === "boolean"
  if (isModelGood && isStreamGood) return content
  return [
    ...(isModelGood ? [] : ["model: expected a string that is not empty"]),
    ...(isStreamGood ? [] : ["stream: expected true or false"]),
    ...content
  ]
}

/**
 * Decodes a payload from outside. Only what routing needs is checked; the provider judges the rest. Fails with
 * `InvalidRequest` that names every wrong field.
 */
export const decode = (
  operation: Operation,
  body: unknown,
  options: RequestOptions = {}
): Either.Either<LlmRequest, LlmError> => {
  const problems = isJsonObject(body) ? problemsOf(operation, body) : ["body: expected an object"]
  return problems.length === 0
    ? Either.right(make(operation, body as { readonly model: string } & JsonObject, options))
    : Either.left(new LlmError({ reason: "InvalidRequest", description: problems.join("; "), code: "invalid_request" }))
}

/** `max_completion_tokens` or `max_tokens`: the most output that the caller pays for; undefined when unset. */
export const maxOutputTokens = (request: LlmRequest): number | undefined => {
  const value = request.body.max_completion_tokens ?? request.body.max_tokens
  return typeof value === "number" && value >= 0 ? value : undefined
}

/** The tools offered to the model. */
export const tools = (request: LlmRequest): ReadonlyArray<unknown> => arrayOf(request.body.tools)

/** The type of `response_format`, for example `json_schema`; undefined when unset. */
export const responseFormat = (request: LlmRequest): string | undefined => {
  const format = request.body.response_format
  return isJsonObject(format) && typeof format.type === "string" ? format.type : undefined
}

/** Whether the request asks the model to reason before it answers, in any provider's spelling. */
export const asksForReasoning = (request: LlmRequest): boolean => inBody(request.body) === true

const sizes = new WeakMap<JsonObject, PromptSize>()

const sizeOfPrompt = ({ body, operation }: LlmRequest): PromptSize => {
  const known = sizes.get(body)
  if (known !== undefined) return known
  const size = sizeOf(operation, body)
  sizes.set(body, size)
  return size
}

/**
 * Estimated input tokens of the whole request, as limits and prices count them: characters of the prompt (and the tools)
 * divided by four, a token's id as one, an image, a sound or a file as at most 1,000; computed once per payload.
 */
export const estimateInputTokens = (request: LlmRequest): number => sizeOfPrompt(request).total

/**
 * Estimated tokens of the longest single input, which is what a model's window bounds: a batch of texts to embed, or of
 * prompts to complete, is read one by one. For a chat the same as `estimateInputTokens`.
 */
export const longestInputTokens = (request: LlmRequest): number => sizeOfPrompt(request).longest
