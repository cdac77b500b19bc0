/**
 * A request: the provider's payload kept whole, and beside it what routing needs to know.
 */
import { Either } from "effect"
import type { DeploymentId } from "../deployment/Deployment.js"
import type { ChatBody, CompletionBody, EmbeddingsBody } from "../dialect/Chat.js"
import type { Dialect, RequestWords } from "../dialect/Dialect.js"
import { openAi } from "../dialect/OpenAi.js"
import type { PromptSize } from "../dialect/PromptSize.js"
import { LlmError } from "../errors/LlmError.js"
import type { Members } from "../json/ExactJson.js"
import { isJsonObject, type JsonObject } from "../json/Json.js"
import { media } from "../media/Media.js"
import * as Route from "../outcome/Route.js"
import type { Units } from "../outcome/Usage.js"
import { isMedia, type MediaOperation, type Operation } from "../shared/Operation.js"
import type { TraceContext } from "../shared/TraceContext.js"
import type { CacheControl, Demands, FallbackTarget, Fault, RequestOverrides } from "./overrides.js"
import { type Passage, passing } from "./Passage.js"
import type { StateOrigins } from "./StateOrigins.js"
import { filesOf, type Upload } from "./Upload.js"

export { choicesIn, largestOutputBound, overlay } from "../dialect/payloadFields.js"
export { inForce } from "./overrides.js"
export type { CacheControl, Demands, FallbackTarget, Fault, MediaOperation, Operation, RequestOverrides }

/** One request on its way through the tower. */
export interface LlmRequest {
  readonly operation: Operation
  /** The model group, alias or deployment id that the caller names. */
  readonly model: string
  readonly stream: boolean
  /** The language that the payload is in, and its answer is wanted in; undefined is OpenAI's own. */
  readonly dialect?: Dialect | undefined
  /** The provider payload, whole, unknown fields included. `model` and `stream` in it are replaced on the way out. */
  readonly body: JsonObject
  /** It is a form, and this is all of it, files too; `body` holds its fields. */
  readonly upload?: Upload
  /** It is no payload of a dialect, but goes to a path of the provider's as it is. */
  readonly passage?: Passage
  /** Members of the body whose numbers go out as they were written; undefined when parsing has changed none. */
  readonly exact?: Members
  /**
   * Its answer is passed on and not read: a large one may come in `bytes`, and stand-ins (`StandIn`) in place of the numbers
   * of embeddings.
   */
  readonly forwards?: boolean
  /** In place of an answer the conversation is asked for, made shorter: Responses alone have that. */
  readonly aside?: "compact"
  readonly tags: ReadonlyArray<string>
  readonly demands: Demands
  /** Requests of one session may be kept on one deployment. */
  readonly sessionKey: string | undefined
  /** Who asks: budgets, cache and limits per caller go by it. */
  readonly caller: string | undefined
  readonly overrides: RequestOverrides
  /** Its place in a trace; undefined when nobody said. Told to providers, with each attempt's own span where there is one. */
  readonly trace: TraceContext | undefined
  /** Who issued the thoughts that it carries, where that is known; set by the Pinning layer. */
  readonly origins?: StateOrigins | undefined
  /** The one deployment that knows what it refers to, and what that is, for people: `response id`, `file id`. It never fails over. */
  readonly bond?: { readonly deployment: DeploymentId; readonly kind: string } | undefined
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
  /** The form that the payload came in. */
  readonly upload?: Upload | undefined
}

/** The same of a request in another dialect. */
export interface DialectOptions extends RequestOptions {
  /** The model, where it stands in a path; it beats the payload's. */
  readonly model?: string | undefined
  /** Whether the answer is streamed, where that stands in a path; it beats the payload's. */
  readonly stream?: boolean | undefined
}

export type { ChatBody, CompletionBody, EmbeddingsBody }

const make = (
  operation: Operation,
  body: JsonObject,
  model: string,
  stream: boolean,
  options: RequestOptions
): LlmRequest => ({
  operation,
  model,
  stream: stream && operation !== "embeddings",
  body,
  ...(options.exact === undefined ? {} : { exact: options.exact }),
  ...(options.forwards === true ? { forwards: true } : {}),
  ...(options.upload === undefined ? {} : { upload: options.upload }),
  tags: options.tags ?? [],
  demands: options.demands ?? {},
  sessionKey: options.sessionKey,
  caller: options.caller,
  overrides: options.overrides ?? {},
  trace: options.trace,
  route: Route.make(model, 0)
})

const ofOpenAi = (
  operation: Operation,
  body: { readonly model: string; readonly stream?: unknown },
  options: RequestOptions
): LlmRequest =>
  make(operation, body as { readonly model: string } & JsonObject, body.model, body.stream === true, options)

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
export const chat = (body: ChatBody, options: RequestOptions = {}): LlmRequest => ofOpenAi("chat", body, options)

/** A legacy completion request. */
export const completion = (body: CompletionBody, options: RequestOptions = {}): LlmRequest =>
  ofOpenAi("completion", body, options)

/** An embeddings request. */
export const embeddings = (body: EmbeddingsBody, options: RequestOptions = {}): LlmRequest =>
  ofOpenAi("embeddings", body, options)

/** The request in a dialect; OpenAI's own goes without saying. */
const inDialect = (dialect: Dialect, request: LlmRequest): LlmRequest =>
  dialect === openAi ? request : { ...request, dialect }

/** A request in a dialect, its payload as it is: what it does not say of model and stream, the options do. */
export const of = (
  dialect: Dialect,
  operation: Operation,
  body: JsonObject,
  options: DialectOptions = {}
): LlmRequest => {
  const model = options.model ?? dialect.request.model(body)
  const stream = options.stream ?? dialect.request.streams(body, operation)
  return inDialect(dialect, make(operation, body, typeof model === "string" ? model : "", stream, options))
}

/**
 * A request for what is asked beside conversations, as `Media` knows it: a ranking, a moderation, images, speech, transcripts.
 * One with a file has it in `options.upload`.
 *
 * @example
 * ```ts
 * import * as LlmRequest from "@switchyard/core/LlmRequest"
 *
 * const speech = LlmRequest.mediaOf("speech", { model: "tts", input: "Hello", voice: "alloy" })
 * const ranking = LlmRequest.mediaOf("rerank", { model: "ranker", query: "tea", documents: ["coffee", "green tea"] })
 * ```
 */
export const mediaOf = (operation: MediaOperation, body: JsonObject, options: DialectOptions = {}): LlmRequest =>
  of(media, operation, body, options)

/** What a passage says beside itself. */
export interface PassageOptions extends RequestOptions {
  /** A group, an alias or a deployment. */
  readonly model: string
  /** The one deployment that may serve it. */
  readonly bond?: LlmRequest["bond"]
}

/** A request that goes to a path of a provider's as it is; its answer is streamed, and never stored. */
export const passageOf = (passage: Passage, { bond, model, ...options }: PassageOptions): LlmRequest => ({
  ...make("object", {}, model, true, {
    ...options,
    overrides: { cache: { noCache: true, noStore: true }, disableFallbacks: true, ...options.overrides }
  }),
  dialect: passing,
  passage,
  ...(bond === undefined ? {} : { bond })
})

/** The same request with a fresh route that begins at `now` (monotonic ms); a request value may be sent many times. */
export const begin = (request: LlmRequest, now: number): LlmRequest => ({
  ...request,
  route: Route.make(request.model, now)
})

/** What the layers read of a request: its dialect's words. */
export const wordsOf = (request: LlmRequest): RequestWords => (request.dialect ?? openAi).request

const decoded = (
  dialect: Dialect,
  operation: Operation,
  body: unknown,
  options: DialectOptions
): Either.Either<Pick<LlmRequest, "model" | "stream" | "body">, LlmError> => {
  const problems: Array<string> = []
  if (isJsonObject(body)) {
    const model = options.model ?? dialect.request.model(body)
    const isModelGood = typeof model === "string" && model !== ""
    if (!isModelGood) problems.push("model: expected a string that is not empty")
    problems.push(...dialect.request.problems(operation, body))
    if (isModelGood && problems.length === 0) {
      return Either.right({ model, stream: options.stream ?? dialect.request.streams(body, operation), body })
    }
  } else problems.push("body: expected an object")
  return Either.left(
    new LlmError({ reason: "InvalidRequest", description: problems.join("; "), code: "invalid_request" })
  )
}

/**
 * Decodes a payload from outside. Only what routing needs is checked; the provider judges the rest. Fails with
 * `InvalidRequest` that names every wrong field.
 */
export const decode = (
  operation: Operation,
  body: unknown,
  options: RequestOptions = {}
): Either.Either<LlmRequest, LlmError> =>
  isMedia(operation)
    ? decodeIn(media, operation, body, options)
    : Either.map(decoded(openAi, operation, body, {}), (said) =>
        make(operation, said.body, said.model, said.stream, options)
      )

/** As `decode`, of a payload in a dialect. */
export const decodeIn = (
  dialect: Dialect,
  operation: Operation,
  body: unknown,
  options: DialectOptions = {}
): Either.Either<LlmRequest, LlmError> =>
  Either.map(decoded(dialect, operation, body, options), (said) =>
    inDialect(dialect, make(operation, said.body, said.model, said.stream, options))
  )

/** What it will be billed by that is not tokens, as far as it tells; undefined where tokens are all. */
export const unitsAsked = (request: LlmRequest): Units | undefined =>
  wordsOf(request).units?.(request.operation, request.body, filesOf(request.upload))

/** The most output that the caller pays for; undefined when unset. */
export const maxOutputTokens = (request: LlmRequest): number | undefined =>
  wordsOf(request).maxOutputTokens(request.body)

/** The tools offered to the model. */
export const tools = (request: LlmRequest): ReadonlyArray<unknown> => wordsOf(request).tools(request.body)

/** The kind of answer that is asked for, for example `json_schema`; undefined when unset. */
export const responseFormat = (request: LlmRequest): string | undefined => wordsOf(request).responseFormat(request.body)

/** Whether the request asks the model to reason before it answers, in any provider's spelling. */
export const asksForReasoning = (request: LlmRequest): boolean =>
  wordsOf(request).asksForReasoning(request.body) === true

/** Sizes of payloads that took the place of a request's own. */
const otherSizes = new WeakMap<JsonObject, PromptSize>()

/** The first payload's is in the journal: a `WeakMap` of all payloads is looked through whenever the young are collected. */
const sizeOfPrompt = (request: LlmRequest): PromptSize => {
  const { body, operation, route } = request
  const { journal } = route
  if (journal.sized?.body === body) return journal.sized
  const known = otherSizes.get(body)
  if (known !== undefined) return known
  const { longest, total } = wordsOf(request).size(operation, body)
  const sized = { body, longest, total }
  if (journal.sized === undefined) journal.sized = sized
  else otherSizes.set(body, sized)
  return sized
}

/**
 * Estimated input tokens of the whole request, as limits and prices count them: characters of the prompt (and the tools)
 * divided by four, a token's id as one, an image, a sound or a file as at most 1,000; computed once for
 * each payload of a request.
 */
export const estimateInputTokens = (request: LlmRequest): number => sizeOfPrompt(request).total

/**
 * Estimated tokens of the longest single input, which is what a model's window bounds: a batch of texts to embed, or of
 * prompts to complete, is read one by one. For a chat the same as `estimateInputTokens`.
 */
export const longestInputTokens = (request: LlmRequest): number => sizeOfPrompt(request).longest
