/**
 * One request of an endpoint and its answer: from the body to the last byte that goes out, and what there is to tell of it.
 */
import type { IncomingMessage, ServerResponse } from "node:http"
import type { Journal } from "@switchyard/core/Journal"
import type { JsonObject } from "@switchyard/core/Json"
import type { LlmError } from "@switchyard/core/LlmError"
import type { LlmRequest, Operation } from "@switchyard/core/LlmRequest"
import type { CompleteResponse, Headers, LlmResponse } from "@switchyard/core/LlmResponse"
import * as LlmService from "@switchyard/core/LlmService"
import { comesAs, media } from "@switchyard/core/Media"
import { openAi } from "@switchyard/core/OpenAi"
import { isMedia } from "@switchyard/core/Operation"
import type { Seated } from "@switchyard/core/Roster"
import type * as Service from "@switchyard/core/Service"
import { nowMs } from "@switchyard/core/Time"
import { Cause, Effect, Either } from "effect"
import type { Answers } from "../../config/GatewayConfig.js"
import { answerError, answerRefusal, ofError, ofRefusal, type Refusal, type Speech } from "../../errors/ErrorBody.js"
import { shownError } from "../../errors/shownError.js"
import { type Told, withIdFor } from "../../errors/spokenError.js"
import type { Lease } from "../../generations/Generations.js"
import type { Caller } from "../../keys/KeyRing.js"
import type { ResponseIds } from "../../objects/responseIds.js"
import type { PathTarget } from "../callPaths.js"
import { count, spokenCount } from "../counting/counting.js"
import { headersOf, pumpBytes } from "../media/bytePump.js"
import { usualModeration } from "../media/usualModel.js"
import { withOwnIds } from "../objects/requestIds.js"
import * as RoutingHeaders from "../RoutingHeaders.js"
import { requestIdOf } from "../requestId.js"
import { withForm } from "../uploads/formFields.js"
import type { ReceivedForm } from "../uploads/uploadReader.js"
import type { Received } from "./bodyReader.js"
import * as Controls from "./Controls.js"
import * as Embeddings from "./Embeddings.js"
import { type Ended, type ExchangeDeps, internal, send } from "./ended.js"
import { type EventEncoder, encoderFor } from "./eventEncoder.js"
import { compacting, meantTarget, payloadOf } from "./meaning.js"
import { StreamWriter } from "./StreamWriter.js"
import { dialectOf } from "./speeches.js"
import { pump } from "./streamPump.js"

/** One request and its answer. */
export class Exchange implements Ended, Seated {
  seat = -1
  readonly id: string
  readonly operation: Operation
  readonly receivedAt: number
  stream: boolean | undefined
  model: string | undefined
  answeredAt: number | undefined
  firstContentAt: number | undefined
  journal: Journal | undefined
  asked: LlmRequest | undefined
  error: LlmError | undefined
  refusal: Refusal | undefined
  private leftOut: ReadonlyArray<string> | undefined
  private writer: StreamWriter | undefined
  private encoder: EventEncoder | undefined
  private ids: ResponseIds | undefined

  constructor(
    private readonly deps: ExchangeDeps,
    private target: PathTarget,
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

  private get speech(): Speech {
    return this.target.speech
  }

  isAnsweredBy(response: ServerResponse): boolean {
    return this.response === response
  }

  /** Writes into a stream what stands in none of its events; false when it is no stream. */
  keepAlive(): boolean {
    this.writer?.keepAlive()
    return this.writer !== undefined
  }

  /** Routes and answers. Never fails; an interruption means that the client is gone. */
  run(body: Either.Either<Received | ReceivedForm, Refusal>): Effect.Effect<void> {
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
    if (writer === undefined) response.destroy()
    writer?.finish(this.encoder?.failure(ofRefusal(refusal), { id: this.id, status: refusal.status }) ?? "")
  }

  private answer(received: Received | ReceivedForm): Effect.Effect<void> {
    const body = payloadOf(received, this.deps.bounds.json.maxDepth)
    if (Either.isLeft(body)) return this.refuse(body.left)
    const { source, tower } = this.lease.generation
    const { headers } = this.request
    const { exact, json } = body.right
    this.target = meantTarget(this.target, json)
    const { model: named, speech } = this.target
    const dialect = isMedia(this.operation) ? media : dialectOf(speech)
    const isBeside = speech === "gemini"
    const payload = this.named(json, isBeside ? undefined : named)
    const model = isBeside ? named : payload.model
    if (typeof model === "string") this.model = model
    this.stream = this.target.stream ?? payload.stream === true
    const { operation } = this
    const asked = isBeside ? { operation, dialect, model: named, stream: this.stream } : { operation, dialect }
    const controlled = Controls.read(asked, payload, headers, this.caller, source.config.requests, exact)
    if (Either.isLeft(controlled)) {
      const problem = controlled.left
      return "_tag" in problem ? this.fail(problem) : this.refuse(problem)
    }
    const { leftOut, request: read, streamUsage } = controlled.right
    const opened = withOwnIds("form" in received ? withForm(read, received.form, json) : read, received, {
      speech: this.speech,
      caller: this.caller,
      generation: this.lease.generation,
      sealer: this.deps.sealer
    })
    if (Either.isLeft(opened)) return this.refuse(opened.left)
    const { ids, request } = opened.right
    this.ids = ids
    this.asked = request
    if (leftOut.length > 0) {
      this.leftOut = leftOut
      this.deps.onLeftOut?.(leftOut)
    }
    if (this.target.aside === "count") return this.count(request)
    if (this.target.aside === "compact") return this.complete(tower.service, compacting(request))
    if (isMedia(operation)) this.stream = request.stream
    if (isMedia(operation) && comesAs(operation, request.body) === "bytes") return this.relay(tower.service, request)
    return request.stream ? this.forward(tower.service, request, streamUsage) : this.complete(tower.service, request)
  }

  /** The payload with the model that its path names, or, where it may leave that out, the one that is meant. */
  private named(json: JsonObject, model: string | undefined): JsonObject {
    if (model !== undefined) return { ...json, model }
    if (this.operation !== "moderation" || (json.model !== undefined && json.model !== null)) return json
    return { ...json, model: usualModeration(this.lease.generation, this.caller) }
  }

  private complete(service: Service.RequestService, request: LlmRequest): Effect.Effect<void> {
    return Effect.matchEffect(LlmService.complete(service, request, this.begun), {
      onFailure: (error) => this.fail(error),
      onSuccess: (answer) => this.whole(request, answer)
    })
  }

  private count(request: LlmRequest): Effect.Effect<void> {
    return Effect.matchEffect(count(this.lease.generation, request, this.deps), {
      onFailure: (error) => this.fail(error),
      onSuccess: (counted) =>
        Effect.sync(() => {
          this.answeredAt = nowMs(this.deps.clock)
          const headers = this.completed({ "x-request-id": this.id, "x-switchyard-count": counted.by })
          this.send200(headers, JSON.stringify(spokenCount(this.speech, counted)))
        })
    })
  }

  private get shown(): Answers {
    return RoutingHeaders.shownTo(this.caller, this.lease.generation.source.config.answers)
  }

  private headers(journal: Journal, now: number, provider: Headers): Record<string, string | number> {
    const { shown } = this
    const headers = this.completed(RoutingHeaders.make(this.id, journal, this.receivedAt, now, shown))
    return RoutingHeaders.addProvider(headers, provider, journal, shown)
  }

  private completed(headers: Record<string, string | number>): Record<string, string | number> {
    if (this.leftOut !== undefined) RoutingHeaders.addLeftOut(headers, this.leftOut)
    return withIdFor(this.speech, headers)
  }

  private readonly begun = (journal: Journal): void => {
    this.journal = journal
  }

  /** Callers of OpenAI's embeddings choose how vectors are written. */
  private get isEncoded(): boolean {
    return this.operation === "embeddings" && this.speech === "chat"
  }

  private whole(request: LlmRequest, answer: CompleteResponse): Effect.Effect<void> {
    const { body, bytes, raw } = answer
    if (bytes === undefined) {
      return Effect.sync(() => {
        const encoded = this.isEncoded ? Embeddings.encodeAs(request.body, body) : body
        const content = encoded === body ? raw : JSON.stringify(encoded)
        this.sendWhole(answer, this.ids?.whole(body, content, answer.journal) ?? content)
      })
    }
    if (!this.isEncoded) {
      return Effect.sync(() => this.sendWhole(answer, this.ids?.whole(body, bytes, answer.journal) ?? bytes))
    }
    const source = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    return Effect.map(Embeddings.encodeLargeAs(request.body, body, source), (encoded) =>
      this.sendWhole(answer, encoded)
    )
  }

  private sendWhole(answer: CompleteResponse, content: string | Uint8Array): void {
    if (this.response.headersSent) return
    this.answeredAt = nowMs(this.deps.clock)
    const headers = this.headers(answer.journal, this.answeredAt, answer.headers)
    this.send200(headers, content)
  }

  private send200(headers: Record<string, string | number>, content: string | Uint8Array): void {
    if (this.response.headersSent) return
    headers["content-type"] = "application/json"
    headers["content-length"] = Buffer.byteLength(content)
    this.response.writeHead(200, headers)
    this.response.end(content)
  }

  private forward(service: Service.RequestService, request: LlmRequest, wantsUsage: boolean): Effect.Effect<void> {
    const { bounds, clock, heartbeat } = this.deps
    const { isList } = this.target
    const encoder = encoderFor(this.speech, (request.dialect ?? openAi).answer, {
      isList,
      wantsUsage,
      sealed: this.ids?.sealing(() => this.journal)
    })
    const early = this.completed({ "x-request-id": this.id })
    const writer = new StreamWriter(this.response, heartbeat, bounds.stream, early, this.receivedAt, encoder)
    this.writer = writer
    this.encoder = encoder
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
          const events = encoder.whole(answer)
          begin()
          writer.finish(events)
        })
      }
      const { events } = answer
      const forwarded = (): Effect.Effect<void, LlmError> => {
        begin()
        return pump(events, writer, encoder)
      }
      return events.settlement.hasContent ? forwarded() : Effect.flatMap(events.awaitContent, forwarded)
    }
    return Effect.ensuring(
      Effect.catchAll(LlmService.using(service, request, use, this.begun), (error) =>
        writer.hasBegun ? this.failInBand(writer, encoder, error) : this.fail(error)
      ),
      Effect.sync(() => writer.close())
    )
  }

  /** An answer that is no JSON. */
  private relay(service: Service.RequestService, request: LlmRequest): Effect.Effect<void> {
    const { response } = this
    const use = (answer: LlmResponse): Effect.Effect<void, LlmError> => {
      if (answer._tag === "Complete") return this.whole(request, answer)
      const { events } = answer
      return Effect.flatMap(events.awaitContent, () => {
        this.answeredAt = nowMs(this.deps.clock)
        this.firstContentAt = events.settlement.firstContentAt ?? this.answeredAt
        const way = this.headers(answer.journal, this.answeredAt, answer.headers)
        response.writeHead(200, { ...way, ...headersOf(answer.headers, request.body) })
        return pumpBytes(events, response)
      })
    }
    return Effect.matchEffect(LlmService.using(service, request, use, this.begun), {
      onFailure: (error) => this.fail(error),
      onSuccess: () =>
        Effect.sync(() => {
          if (!response.writableEnded) response.end()
        })
    })
  }

  /** The status is out, so the error is the stream's last event. */
  private failInBand(writer: StreamWriter, encoder: EventEncoder, error: LlmError): Effect.Effect<void> {
    return Effect.sync(() => {
      this.error = error
      writer.finish(encoder.failure(this.told(error), { id: this.id, status: error.httpStatus }))
    })
  }

  private told(error: LlmError): Told {
    return shownError(ofError(error), error, this.shown)
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
      const { ids, shown, speech } = this
      const answer = answerError(error, this.completed(headers), journal, this.deps.random, { shown, speech })
      send(this.response, ids === undefined ? answer : { ...answer, body: ids.inError(answer.body) })
    })
  }

  private refuse(refusal: Refusal): Effect.Effect<void> {
    return Effect.sync(() => this.turnAway(refusal))
  }

  private turnAway(refusal: Refusal): void {
    this.refusal = refusal
    send(this.response, answerRefusal(refusal, { "x-request-id": this.id }, this.deps.random, this.speech))
  }
}
