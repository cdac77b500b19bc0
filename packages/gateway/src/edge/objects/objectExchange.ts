/**
 * One request about what providers keep, and its answer: files, batches, and what operators let through. It goes through the tower
 * like any other, to one deployment.
 */
import type { IncomingMessage, ServerResponse } from "node:http"
import type { Deployment } from "@switchyard/core/Deployment"
import type { EventStream } from "@switchyard/core/EventStream"
import type { Journal } from "@switchyard/core/Journal"
import type { LlmError } from "@switchyard/core/LlmError"
import * as LlmRequest from "@switchyard/core/LlmRequest"
import type { LlmResponse } from "@switchyard/core/LlmResponse"
import * as LlmService from "@switchyard/core/LlmService"
import type { Seated } from "@switchyard/core/Roster"
import { nowMs } from "@switchyard/core/Time"
import * as TraceContext from "@switchyard/core/TraceContext"
import { Cause, Effect, Either, Exit } from "effect"
import { answerError, answerRefusal, type Refusal } from "../../errors/ErrorBody.js"
import type { Lease } from "../../generations/Generations.js"
import type { Caller } from "../../keys/KeyRing.js"
import * as SealedIds from "../../objects/SealedIds.js"
import type { ObjectPath } from "../callPaths.js"
import type { Received } from "../calls/bodyReader.js"
import { type Ended, type ExchangeDeps, send } from "../calls/ended.js"
import * as RoutingHeaders from "../RoutingHeaders.js"
import { requestIdOf } from "../requestId.js"
import type { ReceivedForm } from "../uploads/uploadReader.js"
import { Batches, type Prepared } from "./batches.js"
import type { BatchMoney } from "./batchMoney.js"
import { collected, pumped } from "./bytes.js"
import type { Place } from "./choosing.js"
import { pathProblem } from "./objectPaths.js"
import { type Asking, askingOf } from "./objectRequest.js"
import { passedBack } from "./passedHeaders.js"

const internal: Refusal = { status: 500, code: "internal_error", message: "the gateway failed; its log says how" }

const isJson = (type: string | undefined): boolean =>
  type !== undefined && /^\s*application\/(?:[\w.]+\+)?json/i.test(type)

/** A fault of the request is one everywhere; one that is bound to a deployment that rests is not. */
const mayGoElsewhere = ({ reason, retry }: LlmError): boolean => retry !== "never" || reason === "NoDeployment"

/** What such an exchange works with. */
export interface ObjectDeps extends ExchangeDeps {
  readonly money: BatchMoney
}

/** One request and its answer. */
export class ObjectExchange implements Ended, Seated {
  seat = -1
  readonly id: string
  readonly operation = "object"
  readonly receivedAt: number
  readonly stream = false
  model: string | undefined
  answeredAt: number | undefined
  firstContentAt: number | undefined
  journal: Journal | undefined
  error: LlmError | undefined
  refusal: Refusal | undefined

  constructor(
    private readonly deps: ObjectDeps,
    private readonly path: ObjectPath,
    private readonly request: IncomingMessage,
    private readonly response: ServerResponse,
    private readonly lease: Lease,
    readonly caller: Caller
  ) {
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

  /** Every byte of an object is the object's. */
  keepAlive(): boolean {
    return false
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

  /** Ends the answer, from outside and at once. */
  cut(refusal: Refusal): void {
    const { response } = this
    if (response.writableEnded || response.destroyed) return
    if (response.headersSent) response.destroy()
    else this.turnAway(refusal)
  }

  private answer(received: Received | ReceivedForm): Effect.Effect<void> {
    const { caller, deps, lease, path, request } = this
    const { headers, method = "GET", url = "/" } = request
    const problem = pathProblem(url)
    if (problem !== undefined) return this.refuse({ status: 400, code: "invalid_path", message: problem })
    const { generation } = lease
    const sealer = deps.sealer ?? SealedIds.make(undefined)
    const asked = askingOf({ path, method, url, headers, received, caller, generation, sealer })
    if (Either.isLeft(asked)) return this.refuse(asked.left)
    const asking = asked.right
    this.model = asking.places[0].model
    const batches = new Batches({
      generation,
      caller,
      money: deps.money,
      clock: deps.clock,
      ask: (place, passage, use) => this.call(place, { ...asking, passage, upload: undefined }, use)
    })
    return Effect.matchEffect(batches.prepare(path, method, asking), {
      onFailure: (error) => this.fail(error),
      onSuccess: (prepared) => ("status" in prepared ? this.refuse(prepared) : this.ask(prepared, batches))
    })
  }

  /** Asks one place after the other, where that may be, until one answers. */
  private ask(prepared: Prepared, batches: Batches): Effect.Effect<void> {
    const { asking } = prepared
    const [first, ...others] = asking.repeats ? asking.places : [asking.places[0]]
    const at = (place: Place, asked: Asking): Effect.Effect<void, LlmError> =>
      this.call(place, asked, (answer) => this.told(answer, place, prepared, batches))
    const instead = (error: LlmError, place: Place): Effect.Effect<void, LlmError> => {
      if (this.response.headersSent || !mayGoElsewhere(error)) return Effect.fail(error)
      const there = prepared.at?.(place) ?? Effect.succeed(asking)
      return Effect.flatMap(there, (asked) => (asked === undefined ? Effect.fail(error) : at(place, asked)))
    }
    const all = others.reduce(
      (call, place) => Effect.catchAll(call, (error) => instead(error, place)),
      at(first, asking)
    )
    const ended = Effect.onExit(all, (exit) => Effect.sync(() => prepared.ended(Exit.isInterrupted(exit))))
    return Effect.catchAll(ended, (error) => this.fail(error))
  }

  private call(
    { deployment, model }: Place,
    { passage, repeats, upload, what }: Asking,
    use: (answer: LlmResponse) => Effect.Effect<void, LlmError>
  ): Effect.Effect<void, LlmError> {
    const { caller, lease, request } = this
    const trace = TraceContext.fromHeaders(request.headers)
    const asked = LlmRequest.passageOf(passage, {
      model,
      bond: { deployment: deployment.id, kind: what },
      ...(upload === undefined ? {} : { upload }),
      ...(caller.name === undefined ? {} : { caller: caller.name }),
      ...(trace === undefined ? {} : { trace }),
      tags: caller.tags,
      // Made twice, it would be there twice.
      ...(repeats ? {} : { overrides: { makesOnce: true } })
    })
    return LlmService.using(lease.generation.tower.service, asked, use, (journal) => {
      this.journal = journal
    })
  }

  private told(answer: LlmResponse, place: Place, prepared: Prepared, batches: Batches): Effect.Effect<void, LlmError> {
    // Only a drill answers without a stream.
    if (answer._tag === "Complete") return Effect.sync(() => this.whole(answer.status, answer.raw, answer.journal))
    const { events, headers, journal, status } = answer
    const isBytes = this.path.part === "content" || !isJson(headers["content-type"])
    const isError = status >= 300
    if (isBytes && !isError) return this.relay(status, headers, events, journal)
    const deployment: Deployment = journal.answered?.target ?? place.deployment
    return Effect.flatMap(collected(events), (text) =>
      Effect.map(batches.answered(prepared, text, status, place), () => {
        const { ids } = prepared.asking
        this.whole(status, isError ? ids.sealWords(text) : ids.sealText(text, deployment), journal)
      })
    )
  }

  private way(journal: Journal): Record<string, string | number> {
    const now = nowMs(this.deps.clock)
    this.answeredAt = now
    const shown = RoutingHeaders.shownTo(this.caller, this.lease.generation.source.config.answers)
    return RoutingHeaders.make(this.id, journal, this.receivedAt, now, shown)
  }

  private relay(
    status: number,
    headers: Readonly<Record<string, string>>,
    events: EventStream,
    journal: Journal
  ): Effect.Effect<void, LlmError> {
    const { response } = this
    return Effect.suspend(() => {
      response.writeHead(status, { ...this.way(journal), ...passedBack(headers) })
      return Effect.map(pumped(events, response), () => {
        response.end()
      })
    })
  }

  private whole(status: number, text: string, journal: Journal): void {
    const { response } = this
    if (response.headersSent) return
    const headers = {
      ...this.way(journal),
      "content-type": "application/json",
      "content-length": Buffer.byteLength(text)
    }
    response.writeHead(status, headers)
    response.end(text)
  }

  private fail(error: LlmError): Effect.Effect<void> {
    return Effect.sync(() => {
      this.error = error
      const { deps, journal } = this
      const headers = journal === undefined ? { "x-request-id": this.id } : this.way(journal)
      this.answeredAt = nowMs(deps.clock)
      const shown = RoutingHeaders.shownTo(this.caller, this.lease.generation.source.config.answers)
      send(this.response, answerError(error, headers, journal, deps.random, { shown, speech: "chat" }))
    })
  }

  private refuse(refusal: Refusal): Effect.Effect<void> {
    return Effect.sync(() => this.turnAway(refusal))
  }

  private turnAway(refusal: Refusal): void {
    this.refusal = refusal
    send(this.response, answerRefusal(refusal, { "x-request-id": this.id }, this.deps.random, "chat"))
  }
}
