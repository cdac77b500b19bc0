/**
 * One request through undici's dispatcher: one object, no streams, no promises.
 */
import type { IncomingHttpHeaders } from "node:http"
import type { Headers } from "@switchyard/core/LlmResponse"
import type { Dispatcher } from "undici"
import { transportErrorOf } from "./transportErrors.js"
import type { TransportHandle, TransportHandlers, TransportRequest } from "./wire.js"

/** Given to undici when a request is broken off; nobody reads it, so one is enough. */
const brokenOff = new Error("the request was broken off")

const flatten = (headers: IncomingHttpHeaders): Headers => {
  for (const name in headers) {
    const value = headers[name]
    if (Array.isArray(value)) (headers as Record<string, string>)[name] = value.join(", ")
  }
  return headers as Headers
}

/** Sends the same request over a new connection, if that may be done after this error. */
export type Again = (error: Error, exchange: Dispatcher.DispatchHandler) => boolean

class UndiciExchange implements Dispatcher.DispatchHandler, TransportHandle {
  private controller: Dispatcher.DispatchController | undefined
  private over = false
  /** The first byte of an answer has come. */
  private hasAnswer = false

  constructor(
    private readonly handlers: TransportHandlers,
    private again?: Again
  ) {}

  onRequestStart(controller: Dispatcher.DispatchController): void {
    // Aborted while it waited for a connection: to throw is how undici drops a request and keeps the connection.
    if (this.over) throw brokenOff
    this.controller = controller
  }

  /** undici tells this at the first byte, though its types do not. */
  onResponseStarted(): void {
    this.hasAnswer = true
  }

  onResponseStart(_: Dispatcher.DispatchController, status: number, headers: IncomingHttpHeaders): void {
    if (this.over || status < 200) return
    this.handlers.onHeaders(status, flatten(headers))
  }

  onResponseData(_: Dispatcher.DispatchController, chunk: Buffer): void {
    // A resumed parser with nothing to parse hands over an empty chunk.
    if (!this.over && chunk.length > 0) this.handlers.onData(chunk)
  }

  onResponseEnd(): void {
    if (this.over) return
    this.over = true
    this.handlers.onEnd()
  }

  onResponseError(_: Dispatcher.DispatchController, error: Error): void {
    if (this.over) return
    if (this.again !== undefined && this.controller !== undefined && !this.hasAnswer) {
      const { again } = this
      this.again = undefined
      if (again(error, this)) return
    }
    this.over = true
    this.handlers.onError(transportErrorOf(error, this.controller !== undefined))
  }

  pause(): void {
    if (!this.over) this.controller?.pause()
  }

  resume(): void {
    if (!this.over) this.controller?.resume()
  }

  abort(): void {
    if (this.over) return
    this.over = true
    this.controller?.abort(brokenOff)
  }
}

/** A request in undici's words. Its timeouts are off: the layers above have their own. */
export const optionsOf = (request: TransportRequest): Dispatcher.DispatchOptions => ({
  origin: request.origin,
  path: request.path,
  method: request.method,
  headers: request.headers as Record<string, string>,
  // undici takes what can be iterated, and keeps its socket's pace; its types do not say so.
  body: request.body as string | Uint8Array,
  headersTimeout: 0,
  bodyTimeout: 0
})

/** Sends a request through a dispatcher. */
export const dispatchOn = (
  dispatcher: Dispatcher,
  request: TransportRequest,
  handlers: TransportHandlers,
  again?: Again
): TransportHandle => {
  const exchange = new UndiciExchange(handlers, again)
  dispatcher.dispatch(optionsOf(request), exchange)
  return exchange
}
