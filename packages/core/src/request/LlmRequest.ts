/**
 * A request: the provider's payload kept whole, and beside it what routing needs to know.
 */
import { Either } from "effect"
import { LlmError, type Reason } from "../errors/LlmError.js"
import type { Members } from "../json/ExactJson.js"
import { arrayOf, isJsonObject, type JsonObject } from "../json/Json.js"
import * as Route from "../outcome/Route.js"
import type { TraceContext } from "../shared/TraceContext.js"
import { type PromptSize, sizeOf } from "./promptSize.js"
import { inBody } from "./reasoningFields.js"

/** Which endpoint the request is for. */
export type Operation = "chat" | "completion" | "embeddings"

/** A fallback target: a model group or a deployment id, with payload fields that reach that target only. */
export interface FallbackTarget {
  readonly model: string
  readonly overrides?: JsonObject
}

/** What one request asks of a Cache layer. */
export interface CacheControl {
  /** A fresh answer: neither a stored one nor that of a call already under way. It is stored as usual. */
  readonly noCache?: boolean
  /** The answer is not stored; a stored one will do. */
  readonly noStore?: boolean
  /** How long the answer may be kept, in ms, in place of the layer's `ttl`; 0 keeps nothing. */
  readonly ttl?: number
}

/** A drill: what a FaultInjection layer does in place of the provider. Without that layer it does nothing. */
export interface Fault {
  /** The text of an answer that no provider gives, in any group; for embeddings, one vector for each input. */
  readonly answer?: string
  /** Every attempt fails with this reason. */
  readonly fail?: Reason
  /** Ms before the failure, the answer or the provider's call. */
  readonly delay?: number
  /** `fail` and `delay` hold in fallback groups too. Default: only in the group that the caller asked for. */
  readonly everywhere?: boolean
}

/** What one request decides for itself; it beats the deployment's, the group's and the router's settings. Times in ms. */
export interface RequestOverrides {
  /** Bound of the whole request, retries and fallbacks included. */
  readonly deadline?: number
  /** Bound of each attempt. One that runs out before the configured bounds would have says nothing about the deployment. */
  readonly timeout?: number
  readonly firstTokenTimeout?: number
  readonly idleTimeout?: number
  /**
   * Streams: the longest silence. It bounds the time to the first token from above (as it is, where there is nowhere else to
   * go), and is the time between two chunks; the two bounds above beat it.
   */
  readonly silenceTimeout?: number
  /** Retries inside a group; 0 means none. */
  readonly maxRetries?: number
  /** Fallback targets in place of the configured chains; an empty list means none. */
  readonly fallbacks?: ReadonlyArray<string | FallbackTarget>
  /** Targets for a prompt that is too long, in place of the configured chain; an empty list means none. */
  readonly contextWindowFallbacks?: ReadonlyArray<string | FallbackTarget>
  /** Targets for a refusal by content policy, in place of the configured chain; an empty list means none. */
  readonly contentPolicyFallbacks?: ReadonlyArray<string | FallbackTarget>
  readonly disableFallbacks?: boolean
  readonly maxFallbacks?: number
  /** Its place among requests that wait for room: lower first, default 0. */
  readonly priority?: number
  /** Extra headers for the provider, for example `Idempotency-Key`: the same on every attempt. */
  readonly headers?: Readonly<Record<string, string>>
  readonly cache?: CacheControl
  /**
   * The first cooldown (ms) of a deployment on which this request fails; beats the deployment's `cooldown` and the Cooldown
   * layer's `duration`. 0: a failure of this request counts for nothing, not even by its Retry-After.
   */
  readonly cooldown?: number
  /**
   * The deadline, the timeouts, the retries and the cooldown above may only lower what would be in force without them,
   * for callers that are not trusted with more. Default false.
   */
  readonly lowerOnly?: boolean
  /** Whether parameters that a model refuses are left out; beats the deployment's `dropParams`. */
  readonly dropParams?: boolean
  /** Parameters that are left out beside the deployment's own `additionalDropParams`. */
  readonly additionalDropParams?: ReadonlyArray<string>
  readonly fault?: Fault
}

/** What a request demands of the deployment that serves it, beside its tags; fallbacks are held to it too. */
export interface Demands {
  /** Whether a deployment must bear `any` of the request's tags (default) or `all` of them. */
  readonly tagMatch?: "any" | "all"
  /** Tags that a deployment must bear, whatever else matches. */
  readonly requiredTags?: ReadonlyArray<string>
  /** Tags that a deployment must not bear. */
  readonly excludedTags?: ReadonlyArray<string>
  /** The region that the request must stay in: a deployment without a region, or with another, is out. */
  readonly region?: string
  /** Capabilities needed; those that the payload shows (tools, vision, json_schema) are added by themselves. */
  readonly capabilities?: ReadonlyArray<string>
  /** The only deployment that may serve the request, by id. */
  readonly deployment?: string
}

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
  readonly tags?: ReadonlyArray<string>
  readonly demands?: Demands
  readonly sessionKey?: string
  readonly caller?: string
  readonly overrides?: RequestOverrides
  readonly trace?: TraceContext
  /** Numbers of the payload that parsing has changed, as `ExactJson.membersOf` finds them. */
  readonly exact?: Members
  /** The answer is passed on and not read. Default false. */
  readonly forwards?: boolean
}

/** The payload of a chat request: what routing reads, and anything else that the provider knows. */
export type ChatBody = {
  readonly model: string
  readonly messages: ReadonlyArray<JsonObject>
  readonly stream?: boolean
} & JsonObject

/** The payload of a legacy completion request. */
export type CompletionBody = {
  readonly model: string
  readonly prompt: unknown
  readonly stream?: boolean
} & JsonObject

/** The payload of an embeddings request. */
export type EmbeddingsBody = { readonly model: string; readonly input: unknown } & JsonObject

const make = (
  operation: Operation,
  body: { readonly model: string; readonly stream?: unknown } & JsonObject,
  options: RequestOptions
): LlmRequest => ({
  operation,
  model: body.model,
  stream: body.stream === true && operation !== "embeddings",
  body,
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

/**
 * What is in force where a request says `own` and `configured` would be in force without it: the request's value, but with
 * `lowerOnly` the smaller one.
 */
export const inForce = ({ lowerOnly }: RequestOverrides, own: number | undefined, configured: number): number => {
  if (own === undefined) return configured
  return lowerOnly !== true || own < configured ? own : configured
}

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

const asTokens = (value: unknown): number => {
  const tokens = typeof value === "string" ? Number(value) : value
  return typeof tokens === "number" && tokens >= 0 ? tokens : -1
}

const nothing: JsonObject = {}
const objectOf = (value: unknown): JsonObject => (isJsonObject(value) ? value : nothing)

/**
 * The largest bound of the output that a payload names, in any provider's spelling: a provider may go by another one than
 * the caller meant, and money is set aside for the dearest. Undefined when it names none.
 */
export const largestOutputBound = (body: JsonObject): number | undefined => {
  const largest = Math.max(
    asTokens(body.max_tokens),
    asTokens(body.max_completion_tokens),
    asTokens(body.max_output_tokens),
    asTokens(body.max_new_tokens),
    asTokens(body.max_tokens_to_sample),
    asTokens(body.num_predict),
    asTokens(objectOf(body.options).num_predict),
    asTokens(objectOf(body.reasoning).max_tokens)
  )
  return largest < 0 ? undefined : largest
}

const atLeastOne = (value: unknown): number => {
  const count = typeof value === "string" ? Number(value) : value
  return typeof count === "number" && count > 1 ? count : 1
}

/** How many answers a payload asks for: `n` or `best_of` for each of its prompts. */
export const choicesIn = (operation: Operation, body: JsonObject): number => {
  const each = Math.max(atLeastOne(body.n), atLeastOne(body.best_of))
  const { prompt } = body
  return operation === "completion" && Array.isArray(prompt) && typeof prompt[0] !== "number"
    ? each * Math.max(1, prompt.length)
    : each
}

const isGiven = (value: unknown): boolean => value !== undefined && value !== null

/**
 * Fields laid over a payload. The bound of the output has two names: whoever sets one of them replaces the other, so that
 * two bounds never meet.
 */
export const overlay = (below: JsonObject, above: JsonObject): Record<string, unknown> => {
  const merged: Record<string, unknown> = { ...below, ...above }
  if (isGiven(below.max_tokens) && isGiven(above.max_completion_tokens) && !isGiven(above.max_tokens)) {
    delete merged.max_tokens
  } else if (
    isGiven(below.max_completion_tokens) &&
    isGiven(above.max_tokens) &&
    !isGiven(above.max_completion_tokens)
  ) {
    delete merged.max_completion_tokens
  }
  return merged
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
