/**
 * The HTTP server: Node's own, with bounds on what a client may send and how slowly, the hot endpoints on one path and
 * everything else on the other, and an end that lets calls in flight finish.
 */
import {
  createServer,
  type IncomingMessage,
  type Server as NodeServer,
  type ServerResponse,
  STATUS_CODES
} from "node:http"
import type { AddressInfo, Socket } from "node:net"
import { toMs } from "@switchyard/core/Time"
import { Effect, Fiber, Schema, type Scope } from "effect"
import { type Completions, operationOf, send } from "./Completions.js"
import { answerRefusal, type Refusal } from "./ErrorBody.js"
import { defaultBodyBytes, type Server as Settings } from "./GatewayConfig.js"

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
}

/** A server that listens. */
export interface Listening {
  readonly host: string
  readonly port: number
  /** Stops accepting, and waits until calls in flight have ended or `deadline` ms have passed. Then all sockets close. */
  readonly drain: (deadline: number) => Effect.Effect<void>
}

const defaultHeaderBytes = 16 * 1024

const clientErrors: Readonly<Record<string, Refusal>> = {
  HPE_HEADER_OVERFLOW: { status: 431, code: "headers_too_large", message: "the request's headers are too large" },
  HPE_CHUNK_EXTENSIONS_OVERFLOW: {
    status: 413,
    code: "request_too_large",
    message: "the chunk extensions are too large"
  },
  ERR_HTTP_REQUEST_TIMEOUT: { status: 408, code: "request_timeout", message: "the request took too long to arrive" }
}

const malformed: Refusal = { status: 400, code: "bad_request", message: "the request is not valid HTTP" }

const noHost: Refusal = { status: 400, code: "bad_request", message: "the request has no Host header" }

const unknownExpectation: Refusal = {
  status: 417,
  code: "unknown_expectation",
  message: "the only expectation that is known here is 100-continue"
}

/** Ms that a client has to close its side after such an answer. */
const linger = 1_000

/**
 * Whether an answer on the bare socket would be taken for the one that the client waits for: not while another one is on
 * its way, nor for a request that has got its answer already.
 */
const mayAnswer = (latest: ServerResponse | undefined): boolean => {
  if (latest === undefined) return true
  // Without its socket it waits behind the answer to an earlier request, unless it is over.
  if (latest.writableFinished) return latest.req.complete
  return !latest.headersSent && latest.socket !== null
}

/** Answers on the bare socket what Node's parser gave up on. */
const answerClientError = (error: NodeJS.ErrnoException, socket: Socket, latest: ServerResponse | undefined): void => {
  if (!socket.writable || error.code === "ECONNRESET" || !mayAnswer(latest)) {
    socket.destroy()
    return
  }
  const { body, headers, status } = answerRefusal(clientErrors[error.code ?? ""] ?? malformed)
  const lines = Object.entries({ ...headers, "content-length": Buffer.byteLength(body), connection: "close" })
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n${body}`
  )
  socket.setTimeout(linger, () => socket.destroy())
}

const nodeServer = (settings: Settings, handlers: Handlers): NodeServer => {
  const { completions, other } = handlers
  const headersTimeout = toMs(settings.headersTimeout ?? "15 seconds")
  const requestTimeout = toMs(settings.requestTimeout ?? "60 seconds")
  const latest = new WeakMap<Socket, ServerResponse>()
  const handle = (request: IncomingMessage, response: ServerResponse): void => {
    latest.set(request.socket, response)
    if (request.headers.host === undefined && request.httpVersion === "1.1") {
      response.shouldKeepAlive = false
      return send(response, answerRefusal(noHost))
    }
    const operation = request.method === "POST" ? operationOf(request.url ?? "/") : undefined
    if (operation === undefined) other(request, response)
    else completions.handle(operation, request, response)
  }
  const server = createServer(
    {
      // Node's own answer has no body.
      requireHostHeader: false,
      maxHeaderSize: settings.maxHeaderBytes ?? defaultHeaderBytes,
      headersTimeout: Math.min(headersTimeout, requestTimeout),
      requestTimeout,
      connectionsCheckingInterval: Math.max(100, Math.min(headersTimeout, requestTimeout, 5_000) / 5),
      // Longer than the usual idle time of a load balancer, so that it is never us who closes first.
      keepAliveTimeout: 75_000
    },
    handle
  )
  server.on("clientError", (error, socket) => answerClientError(error, socket as Socket, latest.get(socket as Socket)))
  server.on("checkContinue", (request: IncomingMessage, response: ServerResponse) => {
    const length = Number(request.headers["content-length"] ?? 0)
    if (length <= (settings.maxBodyBytes ?? defaultBodyBytes)) response.writeContinue()
    // Without the go-ahead nobody knows whether the body comes, so nothing can follow it on this socket.
    else response.shouldKeepAlive = false
    handle(request, response)
  })
  server.on("checkExpectation", (request: IncomingMessage, response: ServerResponse) => {
    latest.set(request.socket, response)
    response.shouldKeepAlive = false
    send(response, answerRefusal(unknownExpectation))
  })
  return server
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

const drainServer = (server: NodeServer, deadline: number): Effect.Effect<void> =>
  Effect.gen(function* () {
    const closing = yield* Effect.fork(Effect.interruptible(closed(server)))
    const idle = yield* Effect.fork(Effect.interruptible(closeWhenIdle(server)))
    yield* Effect.timeoutOption(Effect.interruptible(Fiber.join(closing)), deadline)
    yield* Fiber.interrupt(idle)
    server.closeAllConnections()
  })

/** Listens until the scope closes; drain first, or calls in flight are cut. Fails when the address can't be had. */
export const make = (settings: Settings, handlers: Handlers): Effect.Effect<Listening, ListenError, Scope.Scope> =>
  Effect.gen(function* () {
    const host = settings.host ?? "127.0.0.1"
    const server = yield* Effect.acquireRelease(
      Effect.sync(() => nodeServer(settings, handlers)),
      (server) =>
        Effect.sync(() => {
          server.close()
          server.closeAllConnections()
        })
    )
    const address = yield* listen(server, host, settings.port ?? 4000)
    return { host, port: address.port, drain: (deadline) => drainServer(server, deadline) }
  })
