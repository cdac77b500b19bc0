/**
 * One request of an endpoint and its answer: from the body to the last byte that goes out, and what there is to tell of it.
 */
import type { IncomingMessage, ServerResponse } from "node:http"
import type { Journal } from "@switchyard/core/Journal"
import type { LlmError } from "@switchyard/core/LlmError"
import type { LlmRequest, Operation } from "@switchyard/core/LlmRequest"
import type { CompleteResponse, Headers, LlmResponse } from "@switchyard/core/LlmResponse"
import * as LlmService from "@switchyard/core/LlmService"
import type * as Service from "@switchyard/core/Service"
import { nowMs } from "@switchyard/core/Time"
import { Cause, type Clock, Effect, Either } from "effect"
import type { Answers } from "../../config/GatewayConfig.js"
import { answerError, answerRefusal, type ErrorAnswer, ofError, type Refusal } from "../../errors/ErrorBody.js"
import { shownAnswer, shownError } from "../../errors/shownError.js"
import type { Lease } from "../../generations/Generations.js"
import type { Caller } from "../../keys/KeyRing.js"
import type { Heartbeat } from "../heartbeat.js"
import * as RoutingHeaders from "../RoutingHeaders.js"
import { requestIdOf } from "../requestId.js"
import type { PathTarget } from "../requestPath.js"
import type { Received } from "./bodyReader.js"
import * as Controls from "./Controls.js"
import * as Embeddings from "./Embeddings.js"
import { type JsonBounds, type ParsedBody, parseBody } from "./requestBody.js"
import { type StreamTimes, StreamWriter } from "./StreamWriter.js"
import { pump, wholeAsEvents } from "./streamPump.js"

/** Bounds of single requests, decoded. */
export interface Bounds {
  /** Bytes of a body. */
  readonly maxBody: number
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
  /** Told of fields that were left out of a request although its caller meant something by them. */
  readonly onLeftOut?: (fields: ReadonlyArray<string>) => void
}

const internal: Refusal = { status: 500, code: "internal_error", message: "the gateway failed; its log says how" }

/** One request and its answer. */
export class Exchange implements Ended {
  readonly id: string
  readonly operation: Operation
  readonly receivedAt: number
  stream: boolean | undefined
  model: string | undefined
  answeredAt: number | undefined
  firstContentAt: number | undefined
  journal: Journal | undefined
  error: LlmError | undefined
  refusal: Refusal | undefined
  private leftOut: ReadonlyArray<string> | undefined
  private writer: StreamWriter | undefined

  constructor(
    private readonly deps: ExchangeDeps,
    private readonly target: PathTarget,
    private readonly request: IncomingMessage,
    private readonly response: ServerResponse,
    private readonly lease: Lease,
    readonly caller: Caller
  ) {
    this.operation = target.operation
    this.id = requestIdOf(request.headers)
    this.receivedAt = nowMs(deps.clock)
  }

  get status(): number | undefined {
    return this.response.headersSent ? this.response.statusCode : undefined
  }

  get isWhole(): boolean {
    return this.response.writableFinished
  }

  isAnsweredBy(response: ServerResponse): boolean {
    return this.response === response
  }

  /** Routes and answers. Never fails; an interruption means that the client is gone. */
  run(body: Either.Either<Received, Refusal>): Effect.Effect<void> {
    return Effect.catchAllCause(
      Effect.suspend(() => (Either.isLeft(body) ? this.refuse(body.left) : this.answer(body.right))),
      (cause) =>
        Cause.isInterruptedOnly(cause)
          ? Effect.void
          : Effect.zipRight(
              Effect.annotateLogs(Effect.logError("a request died of a defect", cause), "id", this.id),
              this.refuse(internal)
            )
    )
  }

  /** Ends the answer, from outside and at once. The end of the response ends the fiber. */
  cut(refusal: Refusal): void {
    const { response, writer } = this
    if (response.writableEnded || response.destroyed) return
    if (!response.headersSent) return this.turnAway(refusal)
    this.refusal = refusal
    writer?.finish(`data: ${answerRefusal(refusal).body}\n\n`)
  }

  private answer(received: Received): Effect.Effect<void> {
    const body = Buffer.isBuffer(received)
      ? parseBody(received, this.deps.bounds.json.maxDepth)
      : Either.right<ParsedBody>(received)
    if (Either.isLeft(body)) return this.refuse(body.left)
    const { source, tower } = this.lease.generation
    const { headers } = this.request
    const { exact, json } = body.right
    const payload = this.target.model === undefined ? json : { ...json, model: this.target.model }
    const { model, stream } = payload
    if (typeof model === "string") this.model = model
    this.stream = stream === true
    const controlled = Controls.read(this.operation, payload, headers, this.caller, source.config.requests, exact)
    if (Either.isLeft(controlled)) {
      const problem = controlled.left
      return "_tag" in problem ? this.fail(problem) : this.refuse(problem)
    }
    const { leftOut, request, streamUsage } = controlled.right
    if (leftOut.length > 0) {
      this.leftOut = leftOut
      this.deps.onLeftOut?.(leftOut)
    }
    return request.stream
      ? this.forward(tower.service, request, streamUsage)
      : Effect.matchEffect(LlmService.complete(tower.service, request, this.begun), {
          onFailure: (error) => this.fail(error),
          onSuccess: (answer) => this.whole(request, answer)
        })
  }

  private get shown(): Answers {
    return RoutingHeaders.shownTo(this.caller, this.lease.generation.source.config.answers)
  }

  private headers(journal: Journal, now: number, provider: Headers): Record<string, string | number> {
    const { shown } = this
    const headers = this.withLeftOut(RoutingHeaders.make(this.id, journal, this.receivedAt, now, shown))
    return RoutingHeaders.addProvider(headers, provider, journal, shown)
  }

  private withLeftOut(headers: Record<string, string | number>): Record<string, string | number> {
    if (this.leftOut !== undefined) RoutingHeaders.addLeftOut(headers, this.leftOut)
    return headers
  }

  private readonly begun = (journal: Journal): void => {
    this.journal = journal
  }

  private whole(request: LlmRequest, answer: CompleteResponse): Effect.Effect<void> {
    const { body, bytes, raw } = answer
    if (bytes === undefined) {
      return Effect.sync(() => {
        const encoded = this.operation === "embeddings" ? Embeddings.encodeAs(request.body, body) : body
        this.sendWhole(answer, encoded === body ? raw : JSON.stringify(encoded))
      })
    }
    if (this.operation !== "embeddings") return Effect.sync(() => this.sendWhole(answer, bytes))
    const source = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    return Effect.map(Embeddings.encodeLargeAs(request.body, body, source), (encoded) =>
      this.sendWhole(answer, encoded)
    )
  }

  private sendWhole(answer: CompleteResponse, content: string | Uint8Array): void {
    if (this.response.headersSent) return
    this.answeredAt = nowMs(this.deps.clock)
    const headers = this.headers(answer.journal, this.answeredAt, answer.headers)
    headers["content-type"] = "application/json"
    headers["content-length"] = Buffer.byteLength(content)
    this.response.writeHead(200, headers)
    this.response.end(content)
  }

  private forward(service: Service.RequestService, request: LlmRequest, usage: boolean): Effect.Effect<void> {
    const { bounds, clock, heartbeat } = this.deps
    const writer = new StreamWriter(
      this.response,
      heartbeat,
      bounds.stream,
      this.withLeftOut({ "x-request-id": this.id }),
      this.receivedAt
    )
    this.writer = writer
    const use = (answer: LlmResponse): Effect.Effect<void, LlmError> => {
      const begin = (): void => {
        this.answeredAt = nowMs(clock)
        // A stream is stamped once, so that the log tells the same time as metrics and spans.
        this.firstContentAt =
          answer._tag === "Streaming" ? (answer.events.settlement.firstContentAt ?? this.answeredAt) : this.answeredAt
        writer.begin(this.headers(answer.journal, this.answeredAt, answer.headers))
      }
      if (answer._tag === "Complete") {
        return Effect.sync(() => {
          // What cannot be written must fail while the status can still tell it.
          const events = wholeAsEvents(answer, usage)
          begin()
          writer.write(events)
        })
      }
      const { events } = answer
      return Effect.flatMap(events.awaitContent, () => {
        begin()
        return pump(events, writer, usage)
      })
    }
    return Effect.ensuring(
      Effect.matchEffect(LlmService.using(service, request, use, this.begun), {
        onFailure: (error) => (writer.hasBegun ? this.failInBand(writer, error) : this.fail(error)),
        onSuccess: () => Effect.sync(() => this.response.end())
      }),
      Effect.sync(() => writer.close())
    )
  }

  /** The status is out, so the error is the stream's last event; without `[DONE]` no client takes it for a clean end. */
  private failInBand(writer: StreamWriter, error: LlmError): Effect.Effect<void> {
    return Effect.sync(() => {
      this.error = error
      writer.write(`data: ${JSON.stringify(shownError(ofError(error), error, this.shown))}\n\n`)
      this.response.end()
    })
  }

  private fail(error: LlmError): Effect.Effect<void> {
    return Effect.sync(() => {
      const { journal } = this
      const now = nowMs(this.deps.clock)
      this.error = error
      this.answeredAt = now
      const headers: Record<string, string | number> =
        journal === undefined
          ? { "x-request-id": this.id }
          : RoutingHeaders.make(this.id, journal, this.receivedAt, now, this.shown)
      const answer = answerError(error, this.withLeftOut(headers), journal, this.deps.random)
      send(this.response, shownAnswer(answer, error, this.shown))
    })
  }

  private refuse(refusal: Refusal): Effect.Effect<void> {
    return Effect.sync(() => this.turnAway(refusal))
  }

  private turnAway(refusal: Refusal): void {
    this.refusal = refusal
    send(this.response, answerRefusal(refusal, { "x-request-id": this.id }, this.deps.random))
  }
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
