/**
 * The bodies of OpenAI's wire protocol, built as text: what one behaviour says of them is encoded once and kept, and
 * only the envelope (id, time, model, usage) is added per request.
 *
 * @since 0.1.0
 */
import type { Behaviour, ErrorDetail, FakeUsage } from "./fakeBehaviour.js"
import { seeded } from "./fakeBehaviour.js"

/** The endpoints that a fake upstream answers. */
export type Endpoint = "chat" | "completions" | "embeddings" | "models" | "media"

/** What differs from one answer to the next with the same behaviour. */
export interface Envelope {
  readonly id: string
  readonly created: number
  readonly model: string
}

const json = JSON.stringify

/** Cuts text into at most `pieces` nearly equal parts, never inside a surrogate pair; empty text has no parts. */
const splitText = (text: string, pieces: number): ReadonlyArray<string> => {
  const count = Math.min(Math.max(1, Math.floor(pieces)), text.length)
  const parts: Array<string> = []
  let from = 0
  for (let i = 1; i <= count; i++) {
    let to = Math.floor((i * text.length) / count)
    const code = text.charCodeAt(to)
    if (to < text.length && code >= 0xdc00 && code <= 0xdfff) to++
    if (to > from) parts.push(text.slice(from, to))
    from = Math.max(from, to)
  }
  return parts
}

const estimate = (text: string): number => Math.ceil(text.length / 4)

const textOf = (value: unknown): string => {
  if (typeof value === "string") return value
  if (Array.isArray(value)) return value.map(textOf).join(" ")
  if (typeof value !== "object" || value === null) return ""
  const part = value as { readonly content?: unknown; readonly text?: unknown }
  return textOf(part.content ?? part.text)
}

/** Estimated tokens of a prompt: `messages`, `prompt` or `input`, at four characters a token. */
export const promptTokens = (body: Readonly<Record<string, unknown>>): number =>
  estimate(textOf(body.messages ?? body.prompt ?? body.input))

/** The encoded parts of one behaviour's good answer. */
export interface Prepared {
  readonly completionTokens: number
  readonly reasoningTokens: number
  /** `choices` of `/chat/completions`. */
  readonly chatChoices: string
  /** `choices` of `/completions`. */
  readonly textChoices: string
  /** `choices` of each chunk that bears content, for a chat stream. */
  readonly chatDeltas: ReadonlyArray<string>
  /** The same for a stream of `/completions`. */
  readonly textDeltas: ReadonlyArray<string>
  readonly finishReason: string | null
}

const delta = (fields: string): string => `[{"index":0,"delta":${fields},"logprobs":null,"finish_reason":null}]`

/** First event of a chat stream. */
export const roleDelta = delta(`{"role":"assistant","content":"","refusal":null}`)

const callId = (i: number): string => `call_fake_${i}`

const toolDeltas = (b: Behaviour): ReadonlyArray<string> =>
  (b.toolCalls ?? []).flatMap((call, index) => [
    delta(
      json({
        tool_calls: [{ index, id: callId(index), type: "function", function: { name: call.name, arguments: "" } }]
      })
    ),
    ...splitText(call.arguments, 2).map((text) =>
      delta(json({ tool_calls: [{ index, function: { arguments: text } }] }))
    )
  ])

/** Encodes a behaviour's good answer; streams and JSON answers share it. */
export const prepare = (b: Behaviour, name: string): Prepared => {
  const pieces = b.chunks ?? 5
  const calls = b.toolCalls ?? []
  const reply = b.reply ?? (calls.length > 0 ? "" : `Hello from ${name}`.padEnd(pieces, " ."))
  const reasoning = b.reasoning ?? ""
  const parts = splitText(reply, pieces)
  const finishReason = b.finishReason === undefined ? (calls.length > 0 ? "tool_calls" : "stop") : b.finishReason
  const message = {
    role: "assistant",
    content: reply === "" && calls.length > 0 ? null : reply,
    ...(reasoning === "" ? undefined : { reasoning_content: reasoning }),
    refusal: null,
    annotations: [],
    ...(calls.length === 0
      ? undefined
      : {
          tool_calls: calls.map((call, i) => ({
            id: callId(i),
            type: "function",
            function: { name: call.name, arguments: call.arguments }
          }))
        })
  }
  return {
    completionTokens:
      estimate(reply) +
      estimate(reasoning) +
      calls.reduce((sum, call) => sum + estimate(call.name + call.arguments), 0),
    reasoningTokens: estimate(reasoning),
    chatChoices: json([{ index: 0, message, logprobs: null, finish_reason: finishReason }]),
    textChoices: json([{ text: reply, index: 0, logprobs: null, finish_reason: finishReason }]),
    chatDeltas: [
      ...splitText(reasoning, pieces).map((text) => delta(json({ reasoning_content: text }))),
      ...parts.map((text) => delta(`{"content":${json(text)}}`)),
      ...toolDeltas(b)
    ],
    textDeltas: parts.map((text) => `[{"text":${json(text)},"index":0,"logprobs":null,"finish_reason":null}]`),
    finishReason
  }
}

/** `choices` of the event that ends the content of a stream. */
export const finishDelta = (endpoint: Endpoint, reason: string): string =>
  endpoint === "chat"
    ? `[{"index":0,"delta":{},"logprobs":null,"finish_reason":${json(reason)}}]`
    : `[{"text":"","index":0,"logprobs":null,"finish_reason":${json(reason)}}]`

/** The `usage` object of an answer. */
export const usageJson = (usage: FakeUsage, reasoningTokens: number): string =>
  `{"prompt_tokens":${usage.prompt_tokens},"completion_tokens":${usage.completion_tokens},"total_tokens":${
    usage.prompt_tokens + usage.completion_tokens
  },"prompt_tokens_details":{"cached_tokens":${
    usage.cached_tokens ?? 0
  },"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":${reasoningTokens},"audio_tokens":0,` +
  `"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}}`

/** Everything of a body or an event up to `choices`; close it with `closing`. */
export const opening = (endpoint: Endpoint, stream: boolean, e: Envelope): string => {
  const object = endpoint === "chat" ? (stream ? "chat.completion.chunk" : "chat.completion") : "text_completion"
  const tier = endpoint === "chat" ? `"service_tier":"default",` : ""
  return `{"id":${json(e.id)},"object":"${object}","created":${e.created},"model":${json(
    e.model
  )},${tier}"system_fingerprint":"fp_fake","choices":`
}

/** The end of a body or event: `usage` is its JSON, or `undefined` to leave the field out. */
export const closing = (usage: string | undefined): string => (usage === undefined ? "}" : `,"usage":${usage}}`)

type ErrorWords = readonly [type: string, code: string | null, message: string]

const badRequest: ErrorWords = ["invalid_request_error", null, "Invalid request"]
const serverError: ErrorWords = ["server_error", null, "The server had an error while processing your request"]

const defaults: Readonly<Record<number, ErrorWords>> = {
  401: ["invalid_request_error", "invalid_api_key", "Incorrect API key provided"],
  402: ["insufficient_quota", "insufficient_quota", "You exceeded your current quota"],
  403: ["invalid_request_error", "unsupported_country_region_territory", "Forbidden"],
  404: ["invalid_request_error", "model_not_found", "The model does not exist or you do not have access to it"],
  408: ["timeout", "timeout", "Request timed out"],
  413: ["invalid_request_error", "request_too_large", "Request too large"],
  429: ["requests", "rate_limit_exceeded", "Rate limit reached for requests"],
  503: ["service_unavailable", "overloaded", "The engine is currently overloaded, please try again later"]
}

/** The OpenAI error object for a status; a string is a raw body and stands as it is. */
export const errorBody = (status: number, error: ErrorDetail | string | undefined): string => {
  if (typeof error === "string") return error
  const [type, code, message] = defaults[status] ?? (status < 500 ? badRequest : serverError)
  return json({
    error: {
      message: error?.message ?? message,
      type: error?.type ?? type,
      param: error?.param ?? null,
      code: error?.code === undefined ? code : error.code
    }
  })
}

/** A unit vector that depends on the input alone, in float32 precision. */
export const embed = (input: unknown, dimensions: number): Float32Array => {
  const text = typeof input === "string" ? input : json(input)
  let seed = 2166136261
  for (let i = 0; i < text.length; i++) seed = Math.imul(seed ^ text.charCodeAt(i), 16777619)
  const random = seeded(seed)
  const raw = Array.from({ length: dimensions }, () => random() * 2 - 1)
  const norm = Math.hypot(...raw) || 1
  return Float32Array.from(raw, (x) => x / norm)
}

const base64 = (vector: Float32Array): string => {
  const bytes = Buffer.alloc(vector.length * 4)
  for (const [i, x] of vector.entries()) bytes.writeFloatLE(x, i * 4)
  return bytes.toString("base64")
}

/** The body of `/embeddings`: floats, or base64 of little-endian float32 when asked; 16 dimensions by default. */
export const embeddingsBody = (
  body: Readonly<Record<string, unknown>>,
  model: string,
  usage: FakeUsage | null
): string => {
  const tokenIds = Array.isArray(body.input) && typeof body.input[0] === "number"
  const inputs: ReadonlyArray<unknown> = Array.isArray(body.input) && !tokenIds ? body.input : [body.input]
  const dimensions = typeof body.dimensions === "number" ? body.dimensions : 16
  return json({
    object: "list",
    data: inputs.map((input, index) => {
      const vector = embed(input, dimensions)
      return {
        object: "embedding",
        index,
        embedding: body.encoding_format === "base64" ? base64(vector) : Array.from(vector)
      }
    }),
    model,
    ...(usage === null
      ? undefined
      : { usage: { prompt_tokens: usage.prompt_tokens, total_tokens: usage.prompt_tokens } })
  })
}

/** One entry of `/models`. */
export const modelObject = (id: string, owner: string) => ({
  id,
  object: "model",
  created: 1700000000,
  owned_by: owner
})
