/**
 * Errors in the caller's language. All are written in OpenAI's shape first; Anthropic's and Google's clients look for shapes
 * and words of their own, and without them tell their users nothing but a status.
 */

/**
 * The language that a caller speaks: OpenAI's chat (with completions and embeddings), its Responses, Anthropic's Messages,
 * Google's Gemini.
 */
export type Speech = "chat" | "responses" | "messages" | "gemini"

/** An error in OpenAI's shape. */
export interface Told {
  readonly error: Readonly<Record<string, unknown>>
}

const anthropicTypes: Readonly<Record<number, string>> = {
  400: "invalid_request_error",
  401: "authentication_error",
  402: "billing_error",
  403: "permission_error",
  404: "not_found_error",
  413: "request_too_large",
  429: "rate_limit_error",
  503: "overloaded_error",
  504: "timeout_error",
  529: "overloaded_error"
}

/** Anthropic's class of a failure, by its status. */
const anthropicType = (status: number): string =>
  anthropicTypes[status] ?? (status >= 500 ? "api_error" : "invalid_request_error")

const googleStates: Readonly<Record<number, string>> = {
  400: "INVALID_ARGUMENT",
  401: "UNAUTHENTICATED",
  403: "PERMISSION_DENIED",
  404: "NOT_FOUND",
  405: "UNIMPLEMENTED",
  408: "DEADLINE_EXCEEDED",
  409: "ABORTED",
  429: "RESOURCE_EXHAUSTED",
  499: "CANCELLED",
  501: "UNIMPLEMENTED",
  502: "UNAVAILABLE",
  503: "UNAVAILABLE",
  504: "DEADLINE_EXCEEDED"
}

/** Google's class of a failure, by its status. */
const googleState = (status: number): string =>
  googleStates[status] ?? (status >= 500 ? "INTERNAL" : "INVALID_ARGUMENT")

/** Coding agents shorten their conversation when they read these words, and give up on any other 400. */
const tooLong: Readonly<Partial<Record<Speech, string>>> = {
  messages: "prompt is too long",
  gemini: "The input token count exceeds the maximum number of tokens allowed"
}

const messageFor = (speech: Speech, { code, message }: Told["error"]): string => {
  const words = tooLong[speech]
  const text = String(message)
  return words === undefined || code !== "context_length_exceeded" || text.toLowerCase().includes(words.toLowerCase())
    ? text
    : `${words}: ${text}`
}

/** What else our errors say, for people: Anthropic's have no place for a code. */
const besides = ({ message: _, type: _type, param, ...rest }: Told["error"]): Readonly<Record<string, unknown>> =>
  typeof param === "string" ? { ...rest, param } : rest

const details = ({ code, message: _, param, type: _type, ...rest }: Told["error"], retryAfter: number | undefined) => [
  {
    "@type": "type.googleapis.com/google.rpc.ErrorInfo",
    reason: String(code).toUpperCase(),
    domain: "switchyard",
    metadata: Object.fromEntries(Object.entries(rest).filter(([, value]) => typeof value === "string"))
  },
  ...(typeof param === "string"
    ? [
        {
          "@type": "type.googleapis.com/google.rpc.BadRequest",
          fieldViolations: [{ field: param, description: String(code) }]
        }
      ]
    : []),
  ...(retryAfter === undefined
    ? []
    : [{ "@type": "type.googleapis.com/google.rpc.RetryInfo", retryDelay: `${(retryAfter / 1000).toFixed(3)}s` }])
]

/** What goes along with an error. */
export interface Around {
  readonly status: number
  /** The request's id. */
  readonly id?: string | undefined
  /** Ms, as the headers say it. */
  readonly retryAfter?: number | undefined
}

/** An error as the caller's clients know it. */
export const spoken = (speech: Speech, told: Told, { id, retryAfter, status }: Around): object => {
  const { error } = told
  switch (speech) {
    case "messages":
      return {
        type: "error",
        error: { type: anthropicType(status), message: messageFor(speech, error), ...besides(error) },
        ...(id === undefined ? {} : { request_id: id })
      }
    case "gemini":
      return {
        error: {
          code: status,
          message: messageFor(speech, error),
          status: googleState(status),
          details: details(error, retryAfter)
        }
      }
    default:
      return told
  }
}

/** The headers by which an answer's id goes: Anthropic's clients look for one of their own. */
export const withIdFor = <H extends Readonly<Record<string, string | number>>>(
  speech: Speech,
  headers: H
): H | (H & { readonly "request-id": string | number }) => {
  const id = headers["x-request-id"]
  return speech === "messages" && id !== undefined ? { ...headers, "request-id": id } : headers
}
