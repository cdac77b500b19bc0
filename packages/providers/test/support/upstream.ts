/**
 * A real server that keeps what it gets, byte for byte, and answers by a function.
 */
import { createServer } from "node:http"
import type { AddressInfo, Socket } from "node:net"
import { Effect, type Scope } from "effect"

/** A request as it came. */
export interface Received {
  readonly method: string
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer
}

/** What is answered; an object as JSON. */
export interface Answer {
  readonly status?: number
  readonly type?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body: object | string | Uint8Array
  /** Bytes that are written at a time. */
  readonly step?: number
}

/** The server, and what came to it. */
export interface Upstream {
  readonly origin: string
  readonly received: ReadonlyArray<Received>
}

const bytesOf = (body: Answer["body"]): Buffer => {
  if (body instanceof Uint8Array) return Buffer.from(body)
  return Buffer.from(typeof body === "string" ? body : JSON.stringify(body))
}

/** The JSON that came with a request. */
export const jsonOf = ({ body }: Received): Readonly<Record<string, unknown>> => JSON.parse(body.toString("utf8"))

/** Serves until the scope closes. */
export const upstream = (
  answer: (received: Received, number: number) => Answer | Promise<Answer>
): Effect.Effect<Upstream, never, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.async<Upstream & { readonly close: () => Promise<void> }>((resume) => {
        const received: Array<Received> = []
        const sockets = new Set<Socket>()
        const server = createServer((request, response) => {
          const parts: Array<Buffer> = []
          response.on("error", () => {})
          request.on("data", (part: Buffer) => parts.push(part))
          request.on("end", () => {
            const { headers, method = "", url = "" } = request
            const one = {
              method,
              url,
              headers: headers as Readonly<Record<string, string>>,
              body: Buffer.concat(parts)
            }
            received.push(one)
            void Promise.resolve(answer(one, received.length)).then(
              ({ body, headers: more, status = 200, step = 1 << 20, type = "application/json" }) => {
                response.writeHead(status, { "content-type": type, ...more })
                const bytes = bytesOf(body)
                for (let at = 0; at < bytes.length; at += step) response.write(bytes.subarray(at, at + step))
                response.end()
              }
            )
          })
        })
        server.on("connection", (socket) => {
          sockets.add(socket)
          socket.on("error", () => {})
          socket.on("close", () => sockets.delete(socket))
        })
        server.listen(0, "127.0.0.1", () => {
          const { port } = server.address() as AddressInfo
          const close = () =>
            new Promise<void>((done) => {
              server.close(() => done())
              for (const socket of sockets) socket.destroy()
            })
          resume(Effect.succeed({ origin: `http://127.0.0.1:${port}`, received, close }))
        })
      }),
      ({ close }) => Effect.promise(close)
    ),
    ({ origin, received }) => ({ origin, received })
  )
