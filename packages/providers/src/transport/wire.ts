/**
 * The contract between base services and whatever sends their requests; public through `Transport`.
 */
import type { Tls } from "@switchyard/core/Deployment"
import type { Headers } from "@switchyard/core/LlmResponse"
import { Schema } from "effect"

/**
 * What broke: before a connection stood (`connect`, `connectTimeout`, `dns`, `tls`), or after it (`reset`, `protocol`).
 * `noConnection`: all were in use for too long, or this process may open no more.
 */
export const TransportErrorKind = Schema.Literal(
  "connect",
  "connectTimeout",
  "noConnection",
  "reset",
  "dns",
  "tls",
  "aborted",
  "protocol"
)
/**
 * What broke: before a connection stood (`connect`, `connectTimeout`, `dns`, `tls`), or after it (`reset`, `protocol`).
 * `noConnection`: all were in use for too long, or this process may open no more.
 */
export type TransportErrorKind = typeof TransportErrorKind.Type

/**
 * The network failed a request. `aborted` means that the transport itself was closed; a caller's own `abort` is never
 * answered. It carries no text of the underlying error, because that may quote headers.
 */
export class TransportError extends Schema.TaggedError<TransportError>("@switchyard/providers/TransportError")(
  "TransportError",
  {
    kind: TransportErrorKind,
    /** The error code of the system or the HTTP client, for example `ECONNREFUSED`. */
    code: Schema.optional(Schema.String)
  }
) {
  override get message(): string {
    return this.code === undefined ? this.kind : `${this.kind} (${this.code})`
  }
}

/** A body that is made while it is sent, anew whenever it is sent. */
export interface BodySource extends AsyncIterable<Uint8Array> {
  /** Bytes, exactly; `content-length` says the same. */
  readonly size: number
}

/** One HTTP request, complete. */
export interface TransportRequest {
  readonly method: "GET" | "POST" | "DELETE" | "PUT" | "PATCH"
  /** Scheme, host and port, for example `https://api.openai.com`. */
  readonly origin: string
  /** Path and query, beginning with a slash. */
  readonly path: string
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  /** The body; an empty one is not sent. */
  readonly body: string | Uint8Array | BodySource
  /** Milliseconds that a new connection may take, TLS included. */
  readonly connectTimeout: number
  /** How the server's certificate is checked, where that differs from the transport's own way. */
  readonly tls?: Tls | undefined
  /** Who asks, where callers are told apart: while all connections are in use, they take turns. */
  readonly caller?: string | undefined
}

/**
 * Who is told: `onHeaders` once, then `onData` as often as it takes, then one of `onEnd` and `onError`; `onError` may
 * come first or alone. They are called synchronously, maybe before `send` has returned, and must not throw.
 */
export interface TransportHandlers {
  /** The final status (no 1xx) and the headers, names in lower case, repeated ones joined by a comma. */
  readonly onHeaders: (status: number, headers: Headers) => void
  readonly onData: (chunk: Uint8Array) => void
  /** The response is complete, as its framing says. */
  readonly onEnd: () => void
  readonly onError: (error: TransportError) => void
  /**
   * Asked when every connection to the origin is in use: how long the request may wait for one, in ms. It fails then, as
   * `noConnection`. Left out: for ever.
   */
  readonly mayWait?: () => number
  /** There is a connection for a request that has waited. */
  readonly onConnection?: () => void
}

/** A request on its way. After its end, and after `abort`, all three do nothing. */
export interface TransportHandle {
  /** Stop reading; what was read already may still arrive. */
  readonly pause: () => void
  readonly resume: () => void
  /** Break off: the socket is destroyed at once, and no handler is called any more. */
  readonly abort: () => void
}
