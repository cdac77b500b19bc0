/**
 * The endpoints that cost money, in every language that callers speak, on Node's own server, because the request's
 * bytes, the one fiber and the answer's bytes are all that they need. Every refusal comes before the work that it saves.
 */
import type { IncomingMessage, ServerResponse } from "node:http"
import { FairShares } from "@switchyard/core/FairShares"
import type { Operation } from "@switchyard/core/LlmRequest"
import { isForm } from "@switchyard/core/Operation"
import { Roster } from "@switchyard/core/Roster"
import { nowMs } from "@switchyard/core/Time"
import { DeploymentRegistry } from "@switchyard/router/DeploymentRegistry"
import { Context, Either, type Fiber, FiberId, Runtime } from "effect"
import { answerRefusal, type Refusal } from "../../errors/ErrorBody.js"
import type { Generations } from "../../generations/Generations.js"
import { keyOf } from "../../keys/KeyRing.js"
import type { PathTarget } from "../callPaths.js"
import type { BatchMoney } from "../objects/batchMoney.js"
import { ObjectExchange } from "../objects/objectExchange.js"
import { isNamed, objectAt } from "../objects/objectPaths.js"
import { requestIdOf } from "../requestId.js"
import type { TemporaryPlace } from "../uploads/temporaryPlace.js"
import { isFormRequest, type ReceivedForm, type Receiving, readUpload } from "../uploads/uploadReader.js"
import { type Received, readBody } from "./bodyReader.js"
import { BytesInFlight } from "./bytesInFlight.js"
import { type Bounds, type Ended, type ExchangeDeps, send } from "./ended.js"
import { Exchange } from "./exchange.js"
import { onceOver } from "./onceOver.js"
import { declaredLength, tooLarge } from "./requestBody.js"
import { unpackerOf } from "./unpacking.js"

export type { Bounds, Ended }
export { send }

/** What the endpoints work with. */
export interface CompletionsDeps extends ExchangeDeps {
  readonly generations: Context.Tag.Service<Generations>
  readonly runtime: Runtime.Runtime<never>
  readonly money: BatchMoney
  /** Where forms lie that are too large for memory. */
  readonly place: TemporaryPlace
  /** Told of every request once it is over, those that were turned away at the door included. */
  readonly onEnd: (ended: Ended) => void
  /** A request that must not be served at all: from a foreign origin, or while the gateway drains. */
  readonly guard: (request: IncomingMessage) => Refusal | undefined
}

/** Serves the endpoints, and knows how many requests are in progress. */
export interface Completions {
  readonly handle: (target: PathTarget, request: IncomingMessage, response: ServerResponse) => void
  /** What of providers' objects a URL asks for; undefined for every other one. */
  readonly objectAt: (url: string) => PathTarget | undefined
  /** Bytes that the body of a request may have, where its caller's key sets no other bound. */
  readonly bodyBound: (target: PathTarget, request: IncomingMessage) => number
  /** Whether a form is on its way in that has a time of its own. */
  readonly receivesForm: (response: ServerResponse) => boolean
  readonly inProgress: () => number
  /** Refuses a request whose body can't be read on; false when the answer is none of an endpoint here. */
  readonly giveUp: (response: ServerResponse, refusal: Refusal) => boolean
  /** Writes what keeps a stream in progress alive; false when the answer is none. */
  readonly keepAlive: (response: ServerResponse) => boolean
  /** Ends what is in progress: streams in-band, and what has not begun with a refusal. Gives how many it were. */
  readonly cut: () => number
}

const shed = (max: number): Refusal => ({
  status: 503,
  code: "overloaded",
  message: `the gateway has ${max} requests in progress and takes no more for the moment`,
  retryAfter: 1000
})

const shuttingDown: Refusal = {
  status: 503,
  code: "shutting_down",
  message: "the gateway is shutting down, and the call took longer than it could wait for",
  retryAfter: 1000
}
/** Others wait, or may come: one caller does not get it all. */
const shedShare = (held: number): Refusal => ({
  status: 503,
  code: "overloaded",
  message: `this key has ${held} requests in progress, and the gateway keeps what is left for other keys`,
  retryAfter: 1000
})

const form = /^\s*(multipart\/|application\/x-www-form-urlencoded)/i

const isUpload = (target: PathTarget, request: IncomingMessage): boolean =>
  isForm(target.operation) && isFormRequest(request)

const wrongType = (target: PathTarget, request: IncomingMessage): Refusal | undefined => {
  const { headers } = request
  const type = headers["content-type"]
  if (type !== undefined && type !== "application/json" && form.test(type) && !isUpload(target, request)) {
    const orForm = isForm(target.operation) ? ", or a form with parts (multipart/form-data)" : ""
    return { status: 415, code: "unsupported_media_type", message: `the body must be JSON (application/json)${orForm}` }
  }
  const unpacker = unpackerOf(headers["content-encoding"])
  return Either.isLeft(unpacker) ? unpacker.left : undefined
}

const lengthRefusal = (request: IncomingMessage, max: number): Refusal | undefined => {
  const length = declaredLength(request)
  return length !== undefined && length > max ? tooLarge(max) : undefined
}

/** The end of a request that was turned away at the door. */
const turnedAway = (id: string, operation: Operation, refusal: Refusal, now: number): Ended => ({
  id,
  operation,
  stream: undefined,
  model: undefined,
  caller: undefined,
  receivedAt: now,
  answeredAt: now,
  firstContentAt: undefined,
  journal: undefined,
  error: undefined,
  refusal,
  status: refusal.status,
  isWhole: true
})

/** The endpoints. */
export const make = (deps: CompletionsDeps): Completions => {
  const { bounds, clock, generations, guard, heartbeat, onEnd, place, random, runtime } = deps
  const fork = Runtime.runFork(runtime)
  const live = new Roster<Exchange | ObjectExchange>()
  const forms = new Map<ServerResponse, Receiving>()
  const bytes = new BytesInFlight(bounds.maxBytesInFlight, clock)
  const shares = new FairShares(bounds.maxConcurrent, () => generations.current().keys.isShared)

  const bodyBound = (target: PathTarget, request: IncomingMessage): number =>
    isUpload(target, request) ? bounds.maxUpload : bounds.maxBody

  const admit = (target: PathTarget, request: IncomingMessage): Refusal | undefined =>
    guard(request) ?? wrongType(target, request) ?? lengthRefusal(request, bodyBound(target, request))

  const handle = (target: PathTarget, request: IncomingMessage, response: ServerResponse): void => {
    const refuse = (refusal: Refusal): void => {
      const id = requestIdOf(request.headers)
      send(response, answerRefusal(refusal, { "x-request-id": id }, random, target.speech))
      onEnd(turnedAway(id, target.operation, refusal, nowMs(clock)))
    }
    const refusal = admit(target, request)
    if (refusal !== undefined) return refuse(refusal)
    const lease = generations.enter()
    const key = keyOf(request.headers, request.url)
    const caller = lease.generation.keys.identify(key)
    if (caller === undefined) {
      lease.leave()
      return refuse(lease.generation.keys.refusal(key))
    }
    const mostBytes = bodyBound(target, request)
    const maxBytes = Math.min(mostBytes, caller.maxBodyBytes ?? mostBytes)
    const tooLong = lengthRefusal(request, maxBytes)
    if (tooLong !== undefined) {
      lease.leave()
      return refuse(tooLong)
    }
    const holder = caller.name
    if (!shares.mayTakeNow(holder, nowMs(clock))) {
      lease.leave()
      return refuse(
        shares.inUse >= bounds.maxConcurrent ? shed(bounds.maxConcurrent) : shedShare(shares.heldBy(holder))
      )
    }
    shares.take(holder)
    const exchange =
      target.object === undefined
        ? new Exchange(deps, target, request, response, lease, caller)
        : new ObjectExchange(deps, target.object, request, response, lease, caller)
    live.enter(exchange)
    const hold = bytes.enter(caller)
    let fiber: Fiber.RuntimeFiber<void> | undefined
    let isOver = false
    const run = (body: Either.Either<Received | ReceivedForm, Refusal>): void => {
      if (!isOver) fiber = fork(exchange.run(body))
    }
    const receive = (): (() => void) => {
      const { json, replayBytes: memory, requestTimeout: patience } = bounds
      if (!isUpload(target, request)) {
        // Field by field: what is spread and then added to takes V8 3 µs.
        const { maxDepth, maxNumbers, maxValues } = json
        return readBody(request, { maxDepth, maxNumbers, maxValues, maxBytes, hold: hold.grow }, run)
      }
      const hasModel = target.model !== undefined
      const form = readUpload(request, { maxBytes, memory, patience, hold, heartbeat, place, hasModel }, (received) => {
        // Its bytes may go on for as long as they like; nobody waits for their end.
        if (!request.complete) response.shouldKeepAlive = false
        run(received)
      })
      forms.set(response, form)
      return () => {
        form.stop()
        request.resume()
      }
    }
    const stopReading = receive()
    onceOver(request, response, () => {
      isOver = true
      live.leave(exchange)
      forms.delete(response)
      stopReading()
      hold.release()
      shares.giveBack(holder)
      lease.leave()
      // A fiber that is done would take the interruption as a message all the same, in a turn of its own: 5 µs a request.
      if (fiber === undefined || fiber.unsafePoll() !== null) return onEnd(exchange)
      fiber.unsafeInterruptAsFork(FiberId.none)
      // What an interrupted request used and cost is known once its layers have let go.
      fiber.addObserver(() => onEnd(exchange))
    })
  }

  const cut = (): number => {
    const { size } = live
    for (const exchange of live.members()) exchange.cut(shuttingDown)
    return size
  }

  const answeredBy = (response: ServerResponse) => live.members().find((exchange) => exchange.isAnsweredBy(response))

  const giveUp = (response: ServerResponse, refusal: Refusal): boolean => {
    const exchange = answeredBy(response)
    exchange?.cut(refusal)
    return exchange !== undefined
  }

  const keepAlive = (response: ServerResponse): boolean => answeredBy(response)?.keepAlive() === true

  const objectTarget = (url: string): PathTarget | undefined =>
    objectAt(url, (below) => {
      const slots = Context.get(generations.current().tower.state, DeploymentRegistry).slots()
      return slots.some(({ deployment }) => isNamed(deployment.passThrough, below))
    })

  return {
    handle,
    objectAt: objectTarget,
    bodyBound,
    receivesForm: (response) => forms.get(response)?.isReceiving === true,
    inProgress: () => live.size,
    giveUp,
    keepAlive,
    cut
  }
}
