/**
 * What an exchange is held to and works with, and what there is to tell of it once it is over.
 */
import type { ServerResponse } from "node:http"
import type { Journal } from "@switchyard/core/Journal"
import type { LlmError } from "@switchyard/core/LlmError"
import type { LlmRequest, Operation } from "@switchyard/core/LlmRequest"
import type { SideCalls } from "@switchyard/core/SideCalls"
import type { Clock } from "effect"
import type { ErrorAnswer, Refusal } from "../../errors/ErrorBody.js"
import type { Caller } from "../../keys/KeyRing.js"
import type { Sealer } from "../../objects/SealedIds.js"
import type { Tokenizer } from "../counting/tokenizer.js"
import type { Heartbeat } from "../heartbeat.js"
import type { JsonBounds } from "./requestBody.js"
import type { StreamTimes } from "./StreamWriter.js"

/** Bounds of single requests, decoded. */
export interface Bounds {
  /** Bytes of a body. */
  readonly maxBody: number
  /** Bytes of a form with files. */
  readonly maxUpload: number
  /** Bytes of such a form that are kept in memory. */
  readonly replayBytes: number
  /** Ms for a request to arrive; of a form with files, in which enough of it must. */
  readonly requestTimeout: number
  /** What a body may hold. */
  readonly json: JsonBounds
  /** Bytes of all bodies that are held at once. */
  readonly maxBytesInFlight: number
  /** Requests in progress at once. */
  readonly maxConcurrent: number
  readonly stream: StreamTimes
}

/** A request that is over. Times are monotonic ms. */
export interface Ended {
  readonly id: string
  readonly operation: Operation
  /** Undefined until the body was read. */
  readonly stream: boolean | undefined
  /** What the body names; undefined until it was read. */
  readonly model: string | undefined
  /** Undefined for a request that was turned away at the door. */
  readonly caller: Caller | undefined
  /** The request as it was routed: its tags and its session are read of it, and never its words. Undefined before that. */
  readonly asked?: LlmRequest | undefined
  readonly receivedAt: number
  /** When the answer was ready, a stream's with its first content; undefined when there was none. */
  readonly answeredAt: number | undefined
  /** A stream's first content. */
  readonly firstContentAt: number | undefined
  /** The request's way; undefined when it was not routed. */
  readonly journal: Journal | undefined
  /** Why it failed. */
  readonly error: LlmError | undefined
  /** Why it was turned away; 500 when the gateway itself failed. */
  readonly refusal: Refusal | undefined
  /** The HTTP status that went out; undefined when none did. */
  readonly status: number | undefined
  /** Whether the answer went out whole; else the client left, or was given up. */
  readonly isWhole: boolean
}

/** What an exchange works with. */
export interface ExchangeDeps {
  readonly heartbeat: Heartbeat
  readonly clock: Clock.Clock
  /** Uniform in [0, 1): callers who are told to wait don't come back all at once. */
  readonly random: () => number
  readonly bounds: Bounds
  /** What providers do beside answering. Default: nothing. */
  readonly side?: SideCalls
  /** Counts tokens that no provider counts; left out, they are estimated. */
  readonly tokenizer?: Tokenizer | undefined
  /** Seals the ids of what providers keep, and opens them. Default: they go out as they are. */
  readonly sealer?: Sealer
  /** Told of fields that were left out of a request although its caller meant something by them. */
  readonly onLeftOut?: (fields: ReadonlyArray<string>) => void
}

/** What a caller is told of a fault of our own. */
export const internal: Refusal = {
  status: 500,
  code: "internal_error",
  message: "the gateway failed; its log says how"
}

/** Sends an error; where the answer has begun, all that is left is to break it off, so that nobody takes it for whole. */
export const send = (response: ServerResponse, { body, headers, status }: ErrorAnswer): void => {
  if (response.headersSent) {
    if (!response.writableEnded) response.destroy()
    return
  }
  response.writeHead(status, { ...headers, "content-length": Buffer.byteLength(body) })
  response.end(body)
}
