/**
 * The HTTP server: Node's own, with bounds on what a client may send and how slowly, the hot endpoints on one path and
 * everything else on the other, and an end that lets calls in flight finish.
 */
import { createServer, type IncomingMessage, type Server as NodeServer, type ServerResponse } from "node:http"
import { type AddressInfo, Server as NetServer, type Socket } from "node:net"
import { toMs } from "@switchyard/core/Time"
import { type Duration, Effect, Fiber, Option, Schema, type Scope } from "effect"
import type { Server as Settings } from "../config/GatewayConfig.js"
import { serverDefaults } from "../config/serverSettings.js"
import { answerRefusal, type Refusal, type TurnedAway } from "../errors/ErrorBody.js"
import { answerClientError, doorkeeper } from "./bareSocket.js"
import type { Cors } from "./Cors.js"
import { type PathTarget, speechOf, targetOf } from "./callPaths.js"
import { type Completions, send } from "./calls/Completions.js"
import { Connections, defaultConnections, descriptorLimit, type Full } from "./connections.js"
import { framingRefusal, unknownExpectation } from "./framing.js"
import { answerHalfClosed } from "./halfClosed.js"
import type { Heartbeat } from "./heartbeat.js"
import { boundsFor, LingeringCloses, lingerWithBody } from "./lingering.js"
import { requestIdOf } from "./requestId.js"
import { pathOf, toOrigin } from "./requestPath.js"

/** The server could not listen. */
export class ListenError extends Schema.TaggedError<ListenError>("@switchyard/gateway/ListenError")("ListenError", {
  host: Schema.String,
  port: Schema.Number,
  /** Node's code, for example `EADDRINUSE`. */
  code: Schema.String,
  detail: Schema.String
}) {
  override get message(): string {
    const why =
      this.code === "EADDRINUSE"
        ? "another program listens there"
        : this.code === "EACCES"
          ? "that needs more rights"
          : this.code === "ENOTFOUND" || this.code === "EADDRNOTAVAIL"
            ? "this machine has no such address"
            : this.detail
    return `cannot listen on ${this.host}:${this.port}: ${why}`
  }
}

/** Where the gateway is in its life. */
export type Phase = "starting" | "ready" | "draining"

/** What the server hands its requests to. */
export interface Handlers {
  readonly completions: Completions
  /** Everything but the hot endpoints. */
  readonly other: (request: IncomingMessage, response: ServerResponse) => void
  /** Which pages of other origins may call; undefined for none. */
  readonly cors?: Cors | undefined
  /** Told of requests that are turned away because they are no sound HTTP. */
  readonly onRefusal: (turnedAway: TurnedAway) => void
  /** When connections are looked at. */
  readonly heartbeat: Heartbeat
  /** Told, once for each burst, that there is no room for connections. */
  readonly onFull: (full: Full) => void
  /** Told that a connection was turned away. */
  readonly onTurnedAway: (code: string) => void
  /** Told that the system would not hand over a connection. */
  readonly onAcceptError: (code: string) => void
}

/** A server that listens. */
export interface Listening {
  readonly host: string
  readonly port: number
  /** From now on every answer asks its client to come back by another connection. */
  readonly leave: () => void
  /**
   * Takes no new connections, and serves on by those that stand, each answer asking its client to come by another, until all are
   * closed or `most` has passed.
   */
  readonly retire: (most: Duration.DurationInput) => Effect.Effect<void>
  /**
   * Stops accepting, and waits until calls in flight have ended or `deadline` ms have passed. Then `cut` may have its last
   * words with those that are left, and all sockets close.
   */
  readonly drain: (deadline: number, cut: () => void) => Effect.Effect<void>
}

/** Node's server, with what is known of its life. */
interface Running {
  readonly server: NodeServer
  isLeaving: boolean
}

/** Who is told so goes on over HTTP; any other answer is asked again and again. */
const onlyHttp: Refusal = {
  status: 426,
  code: "upgrade_not_supported",
  message: "there are no websockets here; send the request with POST"
}

/** Methods by which objects are asked for. */
const objectMethods: ReadonlySet<string> = new Set(["GET", "POST", "DELETE", "PUT", "PATCH"])

const isUpgrade = ({ headers, url = "/" }: IncomingMessage): boolean =>
  headers.upgrade?.toLowerCase() === "websocket" && targetOf(url)?.speech === "responses"

const nodeServer = (
  settings: Settings,
  handlers: Handlers,
  connections: Connections,
  lingering: LingeringCloses
): Running => {
  const { completions, cors, onRefusal, other } = handlers
  const headersTimeout = toMs(settings.headersTimeout ?? serverDefaults.headersTimeout)
  const requestTimeout = toMs(settings.requestTimeout ?? serverDefaults.requestTimeout)
  const turnAway = (request: IncomingMessage, response: ServerResponse, refusal: Refusal, more = {}): void => {
    const { headers, method = "GET", url = "/" } = request
    const id = requestIdOf(headers)
    response.shouldKeepAlive = false
    send(response, answerRefusal(refusal, { "x-request-id": id, ...more }, undefined, speechOf(url, headers)))
    onRefusal({ id, method, path: pathOf(url), refusal })
  }
  const targetFor = ({ method, url = "/" }: IncomingMessage): PathTarget | undefined =>
    (method === "POST" ? targetOf(url) : undefined) ??
    (method !== undefined && objectMethods.has(method) ? completions.objectAt(url) : undefined)
  const isHeard = ({ socket }: IncomingMessage, response: ServerResponse): boolean => {
    // It came in one piece with the end of a refused body.
    if (lingering.has(socket)) return false
    if (connections.use(socket, response)) return true
    socket.destroy()
    return false
  }
  const handle = (request: IncomingMessage, response: ServerResponse): void => {
    if (!isHeard(request, response)) return
    if (running.isLeaving) response.shouldKeepAlive = false
    const refusal = framingRefusal(request)
    if (refusal !== undefined) return turnAway(request, response, refusal)
    if (request.url?.startsWith("/") === false) toOrigin(request)
    if (cors?.answer(request, response) === true) return
    const target = targetFor(request)
    if (target === undefined && isUpgrade(request)) turnAway(request, response, onlyHttp, { upgrade: "HTTP/1.1" })
    else if (target === undefined) other(request, response)
    else completions.handle(target, request, response)
  }
  const server = createServer(
    {
      // Node's own answer has no body.
      requireHostHeader: false,
      maxHeaderSize: settings.maxHeaderBytes ?? serverDefaults.maxHeaderBytes,
      headersTimeout: Math.min(headersTimeout, requestTimeout),
      requestTimeout,
      connectionsCheckingInterval: Math.max(100, Math.min(headersTimeout, requestTimeout, 5_000) / 5),
      // Longer than the usual idle time of a load balancer, so that it is never us who closes first.
      keepAliveTimeout: 75_000
    },
    handle
  )
  const running: Running = { server, isLeaving: false }
  const turnSocketAway = doorkeeper(handlers.onTurnedAway, lingering)
  server.on("connection", (socket: Socket) => {
    if (connections.add(socket)) lingerWithBody(socket, connections, lingering)
    else turnSocketAway(socket)
  })
  server.on("clientError", (error, socket) =>
    answerClientError(error, socket as Socket, connections.latest(socket as Socket), completions, lingering)
  )
  server.on("checkContinue", (request: IncomingMessage, response: ServerResponse) => {
    const length = Number(request.headers["content-length"] ?? 0)
    const target = targetFor(request)
    const most = target === undefined ? undefined : completions.bodyBound(target, request)
    if (length <= (most ?? settings.maxBodyBytes ?? serverDefaults.maxBodyBytes)) response.writeContinue()
    // Without the go-ahead nobody knows whether the body comes, so nothing can follow it on this socket.
    else response.shouldKeepAlive = false
    handle(request, response)
  })
  server.on("checkExpectation", (request: IncomingMessage, response: ServerResponse) => {
    if (isHeard(request, response)) turnAway(request, response, unknownExpectation)
  })
  answerHalfClosed(server, completions.keepAlive)
  return running
}

const listen = (server: NodeServer, host: string, port: number): Effect.Effect<AddressInfo, ListenError> =>
  Effect.async<AddressInfo, ListenError>((resume) => {
    const onError = (error: NodeJS.ErrnoException): void =>
      resume(Effect.fail(new ListenError({ host, port, code: error.code ?? "unknown", detail: error.message })))
    server.once("error", onError)
    server.listen({ host, port, backlog: 4096 }, () => {
      server.off("error", onError)
      resume(Effect.succeed(server.address() as AddressInfo))
    })
  })

const closed = (server: NodeServer): Effect.Effect<void> =>
  Effect.async<void>((resume) => {
    server.close(() => resume(Effect.void))
  })

/** Ms between two looks for connections whose last answer has gone out: clients keep them open for the next request. */
const idleCheck = 50

const closeWhenIdle = (server: NodeServer): Effect.Effect<never> =>
  Effect.forever(
    Effect.zipRight(
      Effect.sync(() => server.closeIdleConnections()),
      Effect.sleep(idleCheck)
    )
  )

/** Ms for which last words may take to reach their clients. */
const lastWords = 1_000

const drainServer = (server: NodeServer, deadline: number, cut: () => void): Effect.Effect<void> =>
  Effect.gen(function* () {
    const closing = yield* Effect.fork(Effect.interruptible(closed(server)))
    const idle = yield* Effect.fork(Effect.interruptible(closeWhenIdle(server)))
    const within = (ms: number) => Effect.timeoutOption(Effect.interruptible(Fiber.join(closing)), ms)
    if (Option.isNone(yield* within(deadline))) {
      cut()
      yield* within(lastWords)
    }
    yield* Fiber.interrupt(idle)
    server.closeAllConnections()
  })

const connectionsOf = (settings: Settings, handlers: Handlers): Connections => {
  const descriptors = descriptorLimit()
  return new Connections({
    max:
      settings.maxConnections ??
      defaultConnections(settings.maxConcurrent ?? serverDefaults.maxConcurrent, descriptors),
    stall: toMs(settings.stallTimeout ?? serverDefaults.stallTimeout),
    descriptors,
    onFull: handlers.onFull
  })
}

/** Listens until the scope closes; drain first, or calls in flight are cut. Fails when the address can't be had. */
export const make = (settings: Settings, handlers: Handlers): Effect.Effect<Listening, ListenError, Scope.Scope> =>
  Effect.gen(function* () {
    const host = settings.host ?? serverDefaults.host
    const connections = connectionsOf(settings, handlers)
    const { heartbeat, onAcceptError } = handlers
    const lingering = new LingeringCloses(boundsFor(settings.maxBodyBytes ?? serverDefaults.maxBodyBytes))
    for (const pulse of [connections, lingering]) {
      yield* Effect.acquireRelease(
        Effect.sync(() => heartbeat.add(pulse)),
        () => Effect.sync(() => heartbeat.delete(pulse))
      )
    }
    const running = yield* Effect.acquireRelease(
      Effect.sync(() => nodeServer(settings, handlers, connections, lingering)),
      ({ server }) =>
        Effect.sync(() => {
          server.close()
          server.closeAllConnections()
        })
    )
    const { server } = running
    const address = yield* listen(server, host, settings.port ?? serverDefaults.port)
    server.on("error", (error: NodeJS.ErrnoException) => onAcceptError(error.code ?? "unknown"))
    return {
      host,
      port: address.port,
      leave: () => {
        running.isLeaving = true
      },
      retire: (most) =>
        Effect.suspend(() => {
          running.isLeaving = true
          // Not as HTTP servers do it: they close idle connections too, by which a request may be under way.
          NetServer.prototype.close.call(server)
          const looking = Effect.repeat(Effect.sleep(idleCheck), { until: () => connections.size === 0 })
          return Effect.asVoid(Effect.timeoutOption(looking, most))
        }),
      drain: (deadline, cut) => drainServer(server, deadline, cut)
    }
  })
