/**
 * Answers where there is no request to answer: to what Node's parser gave up on, and to connections that there is no room
 * for.
 */
import { randomUUID } from "node:crypto"
import { type ServerResponse, STATUS_CODES } from "node:http"
import type { Socket } from "node:net"
import { answerRefusal, type Refusal } from "../errors/ErrorBody.js"
import { speechOf } from "./callPaths.js"
import { type Completions, send } from "./calls/Completions.js"
import type { LingeringCloses } from "./lingering.js"

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

const noRoom: Refusal = {
  status: 503,
  code: "too_many_connections",
  message: "the gateway has too many connections and takes no more for the moment",
  retryAfter: 1000
}

/** Ms without a byte from a client that was silent before, or that has no place among the connections. */
const shortSilence = 1_000

/** Connections that are told at once why they are turned away; more are just closed. */
const maxTold = 64

/** Answers on the bare socket, whose parser gave up. */
const answerSocket = (socket: Socket, refusal: Refusal, lingering: LingeringCloses, silentFor?: number): void => {
  const { body, headers, status } = answerRefusal(refusal, { "x-request-id": randomUUID() })
  const lines = Object.entries({ ...headers, "content-length": Buffer.byteLength(body), connection: "close" })
  socket.write(
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n${body}`
  )
  lingering.begin(socket, silentFor)
}

const isLate = ({ code }: NodeJS.ErrnoException): boolean => code === "ERR_HTTP_REQUEST_TIMEOUT"

/**
 * Answers what Node's parser gave up on. The answer must not be taken for another request's: one that came before on this
 * socket, and is whole, gets its own answer first, and then the socket closes.
 */
export const answerClientError = (
  error: NodeJS.ErrnoException,
  socket: Socket,
  latest: ServerResponse | undefined,
  completions: Pick<Completions, "giveUp" | "receivesForm">,
  lingering: LingeringCloses
): void => {
  const refusal = clientErrors[error.code ?? ""] ?? malformed
  if (lingering.has(socket)) return
  if (!socket.writable || error.code === "ECONNRESET") return void socket.destroy()
  if (latest === undefined || (latest.writableFinished && latest.req.complete)) {
    return answerSocket(socket, refusal, lingering, isLate(error) ? shortSilence : undefined)
  }
  if (isLate(error) && completions.receivesForm(latest)) return
  if (latest.headersSent) {
    // A body that was refused, and goes on as none.
    if (latest.writableFinished && !isLate(error)) lingering.begin(socket)
    else socket.destroy()
    return
  }
  latest.shouldKeepAlive = false
  // A request that is broken itself; behind others its answer waits for theirs.
  if (latest.req.complete) return
  // Who closes his side in the middle of a body has left, most of the time.
  if (error.code === "HPE_INVALID_EOF_STATE" && latest.socket !== null) return answerSocket(socket, refusal, lingering)
  if (completions.giveUp(latest, refusal)) return
  const { headers, url = "/" } = latest.req
  send(latest, answerRefusal(refusal, { "x-request-id": randomUUID() }, undefined, speechOf(url, headers)))
}

/** Tells new connections that there is no room. */
export const doorkeeper = (
  onTurnedAway: (code: string) => void,
  lingering: LingeringCloses
): ((socket: Socket) => void) => {
  let told = 0
  return (socket) => {
    onTurnedAway(noRoom.code)
    // Whoever is turned away may have reset the connection already.
    socket.on("error", () => {})
    if (told >= maxTold) return void socket.destroy()
    told++
    socket.once("close", () => told--)
    answerSocket(socket, noRoom, lingering, shortSilence)
  }
}
