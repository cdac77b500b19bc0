import type { Server, ServerResponse } from "node:http"
import type { Socket } from "node:net"

/** Writes what keeps a stream of events alive, in its own words; false when the answer is none. */
export type KeepAlive = (response: ServerResponse) => boolean

/** Ms in which somebody who said no more may get his answer before he is asked whether he is still there. */
const patience = 25

/** Ms between two looks, however long the answer takes. */
const longest = 10_000

/** The response that has the socket now. Node keeps it there for its own use. */
const currentOf = (socket: Socket): ServerResponse | undefined =>
  (socket as { readonly _httpMessage?: ServerResponse | null })._httpMessage ?? undefined

/** Its head has gone to the socket, which Node knows for its own use. */
const hasGone = (response: ServerResponse): boolean =>
  (response as { readonly _headerSent?: boolean })._headerSent === true

/**
 * Sends bytes that change nothing for whoever reads them, and that a closed socket answers with a reset. In a stream of events only whoever
 * writes it knows where they may stand. Between any two of HTTP's chunks it is a zero: the size of the next one then
 * begins with it. A body of a length that was told has no place for anything.
 */
const ask = (socket: Socket, response: ServerResponse, keepAlive: KeepAlive): void => {
  if (!response.headersSent) response.writeContinue()
  else if (!keepAlive(response) && response.chunkedEncoding && hasGone(response)) socket.write("0")
}

/**
 * Lets a client that has closed its side after its request have its answer. A client that is gone looks the same at first,
 * and only bytes tell: where no answer comes at once, an interim one is sent, and a socket that was reset fails at the next
 * write, be it of nothing. HTTP/1.0 has no interim answers, so there such a client is taken for one that left.
 */
export const answerHalfClosed = (server: Server, keepAlive: KeepAlive): void => {
  const halfOpen = server as { httpAllowHalfOpen?: boolean }
  halfOpen.httpAllowHalfOpen = true
  const waits = new WeakMap<Socket, number>()
  const look = (socket: Socket, next: number): void => {
    waits.set(socket, next)
    socket.setTimeout(next)
  }
  server.on("connection", (socket: Socket) =>
    socket.once("end", () => {
      const response = currentOf(socket)
      if (response === undefined) return
      if (response.req.httpVersion !== "1.1") return void socket.destroy()
      look(socket, patience)
    })
  )
  server.on("timeout", (socket: Socket) => {
    const waited = waits.get(socket)
    const response = currentOf(socket)
    // Idle connections end so too.
    if (waited === undefined || response === undefined) return void socket.destroy()
    if (waited === patience && !response.writableEnded) ask(socket, response, keepAlive)
    else socket.write("")
    look(socket, Math.min(longest, waited * 2))
  })
}
