/**
 * HTTP by hand: a client that sends any bytes over a socket, and an upstream that answers whatever a test makes it.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import { type AddressInfo, connect, type Socket } from "node:net"
import { Effect, type Scope } from "effect"
import type { Answer, Upstream } from "./gateways.js"

const separator = Buffer.from("\r\n\r\n")

interface Parsed {
  readonly answer: Answer
  readonly rest: Buffer
}

const unchunk = (bytes: Buffer): { readonly body: Buffer; readonly rest: Buffer } | undefined => {
  const parts: Array<Buffer> = []
  let at = 0
  for (;;) {
    const lineEnd = bytes.indexOf("\r\n", at)
    if (lineEnd === -1) return undefined
    const size = Number.parseInt(bytes.toString("latin1", at, lineEnd), 16)
    if (Number.isNaN(size)) throw new Error(`no chunk size: ${bytes.toString("latin1", at, lineEnd)}`)
    const from = lineEnd + 2
    if (bytes.length < from + size + 2) return undefined
    if (size === 0) return { body: Buffer.concat(parts), rest: bytes.subarray(from + 2) }
    parts.push(bytes.subarray(from, from + size))
    at = from + size + 2
  }
}

/** Length of a body that no header tells: it ends with the connection. */
const endless = (headers: Readonly<Record<string, string>>, rest: Buffer): number =>
  headers["connection"] === "close" ? rest.length : 0

/** The first whole response in some bytes; undefined while there is none. Throws at what is no HTTP. */
const parseOne = (bytes: Buffer): Parsed | undefined => {
  const headEnd = bytes.indexOf(separator)
  if (headEnd === -1) return undefined
  const [statusLine = "", ...lines] = bytes.toString("latin1", 0, headEnd).split("\r\n")
  const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(statusLine)?.[1])
  if (Number.isNaN(status)) throw new Error(`no status line: ${statusLine.slice(0, 200)}`)
  const headers: Record<string, string> = {}
  for (const line of lines) {
    const colon = line.indexOf(":")
    if (colon < 1) throw new Error(`no header: ${line.slice(0, 200)}`)
    headers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim()
  }
  const rest = bytes.subarray(headEnd + separator.length)
  if (status < 200) return { answer: { status, headers, text: "" }, rest }
  if (headers["transfer-encoding"] === "chunked") {
    const whole = unchunk(rest)
    return whole === undefined
      ? undefined
      : { answer: { status, headers, text: whole.body.toString("utf8") }, rest: whole.rest }
  }
  const length = headers["content-length"] === undefined ? endless(headers, rest) : Number(headers["content-length"])
  if (rest.length < length) return undefined
  return { answer: { status, headers, text: rest.toString("utf8", 0, length) }, rest: rest.subarray(length) }
}

/** The whole responses in some bytes, and what is left over. Throws at what is no HTTP. */
export const parseResponses = (bytes: Buffer): { readonly answers: ReadonlyArray<Answer>; readonly rest: Buffer } => {
  const answers: Array<Answer> = []
  let rest = bytes
  for (let next = parseOne(rest); next !== undefined; next = parseOne(rest)) {
    answers.push(next.answer)
    rest = next.rest
  }
  return { answers, rest }
}

/** A bare socket to a server. */
export interface RawClient {
  readonly socket: Socket
  readonly send: (bytes: string | Uint8Array) => void
  /** Everything that came so far. */
  readonly received: () => Buffer
  /** The whole responses so far, once there are at least so many. Dies when the socket closes before. */
  readonly answers: (count: number) => Effect.Effect<ReadonlyArray<Answer>>
  /** Waits until what came satisfies the predicate. Dies when the socket closes before. */
  readonly until: (isEnough: (text: string) => boolean) => Effect.Effect<void>
  /** Waits until the socket has closed, from whichever side. */
  readonly closed: Effect.Effect<void>
  readonly destroy: () => void
}

/** Connects to a gateway; the socket is destroyed with the scope. */
export const connectTo = (
  { port }: { readonly port: number },
  options: { readonly allowHalfOpen?: boolean } = {}
): Effect.Effect<RawClient, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.async<RawClient>((resume) => {
      const socket = connect({ port, host: "127.0.0.1", noDelay: true, ...options })
      const parts: Array<Buffer> = []
      let isClosed = false
      const watchers = new Set<() => void>()
      const changed = (): void => {
        for (const watcher of [...watchers]) watcher()
      }
      socket.on("data", (part: Buffer) => {
        parts.push(part)
        changed()
      })
      socket.on("error", () => {})
      socket.on("close", () => {
        isClosed = true
        changed()
      })
      const received = (): Buffer => Buffer.concat(parts)
      const wait = <A>(look: () => A | undefined, orDie: boolean): Effect.Effect<A> =>
        Effect.async<A>((done) => {
          const check = (): void => {
            try {
              const found = look()
              if (found !== undefined) done(Effect.succeed(found))
              else if (isClosed && orDie) {
                done(Effect.die(new Error(`the socket closed after ${received().toString("latin1").slice(0, 500)}`)))
              } else return
            } catch (error) {
              done(Effect.die(error))
            }
            watchers.delete(check)
          }
          watchers.add(check)
          check()
          return Effect.sync(() => watchers.delete(check))
        })
      socket.once("connect", () =>
        resume(
          Effect.succeed({
            socket,
            send: (bytes) => void (socket.writable && socket.write(bytes)),
            received,
            answers: (count) =>
              wait(() => {
                const { answers } = parseResponses(received())
                return answers.length >= count ? answers : undefined
              }, true),
            until: (isEnough) => wait(() => (isEnough(received().toString("latin1")) ? true : undefined), true),
            closed: Effect.asVoid(wait(() => (isClosed ? true : undefined), false)),
            destroy: () => void socket.destroy()
          })
        )
      )
    }),
    (client) => Effect.sync(client.destroy)
  )

/** A request's head: the request line and headers, with the empty line after them. */
export const head = (
  method: string,
  path: string,
  headers: Readonly<Record<string, string | number | undefined>>
): string => {
  const lines = Object.entries({ host: "localhost", "content-type": "application/json", ...headers })
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}: ${value}\r\n`)
  return `${method} ${path} HTTP/1.1\r\n${lines.join("")}\r\n`
}

/** An upstream for answers that no well-behaved one gives. The request has been read when `handler` is called. */
export const rawUpstream = (
  name: string,
  handler: (request: IncomingMessage, response: ServerResponse) => void
): Effect.Effect<Upstream & { readonly openSockets: () => number }, never, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.async<{ readonly port: number; readonly sockets: Set<Socket>; readonly close: Effect.Effect<void> }>(
        (resume) => {
          const sockets = new Set<Socket>()
          const server = createServer((request, response) => {
            request.resume()
            request.on("end", () => handler(request, response))
            response.on("error", () => {})
          })
          server.on("connection", (socket) => {
            sockets.add(socket)
            socket.on("error", () => {})
            socket.on("close", () => sockets.delete(socket))
          })
          const close = Effect.async<void>((done) => {
            server.close(() => done(Effect.void))
            for (const socket of sockets) socket.destroy()
          })
          server.listen(0, "127.0.0.1", () =>
            resume(Effect.succeed({ port: (server.address() as AddressInfo).port, sockets, close }))
          )
        }
      ),
      ({ close }) => close
    ),
    ({ port, sockets }) => ({ name, url: `http://127.0.0.1:${port}/v1`, openSockets: () => sockets.size })
  )
