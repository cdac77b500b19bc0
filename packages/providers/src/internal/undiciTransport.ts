/**
 * The transport over undici's dispatcher: one object per request, no streams, no promises.
 */
import type { IncomingHttpHeaders } from "node:http"
import type { Socket } from "node:net"
import * as Field from "@switchyard/core/Field"
import type { Headers } from "@switchyard/core/LlmResponse"
import { toMs } from "@switchyard/core/Time"
import { type Clock, Schema } from "effect"
import { Agent, buildConnector, type Dispatcher, errors } from "undici"
import { ConnectionQueue } from "./connectionQueue.js"
import type { TransportHandle, TransportHandlers, TransportRequest } from "./transport.js"
import { closedError, transportErrorOf } from "./transportErrors.js"

/** Options of the undici transport. */
export const UndiciOptions = Schema.Struct({
  /** Most connections per origin; further requests wait for one, first come, first served. Default 256. */
  connections: Schema.optional(Field.positiveCount),
  /**
   * How long an idle connection is kept when the server does not say. Default 4 seconds: many servers close at 5 without
   * saying so, and a request that meets a closing connection fails.
   */
  keepAlive: Schema.optional(Field.duration)
})
/** Options of the undici transport. */
export type UndiciOptions = typeof UndiciOptions.Type

/** Given to undici when a request is broken off; nobody reads it, so one is enough. */
const brokenOff = new Error("the request was broken off")

const flatten = (headers: IncomingHttpHeaders): Headers => {
  for (const name in headers) {
    const value = headers[name]
    if (Array.isArray(value)) (headers as Record<string, string>)[name] = value.join(", ")
  }
  return headers as Headers
}

class UndiciExchange implements Dispatcher.DispatchHandler, TransportHandle {
  private controller: Dispatcher.DispatchController | undefined
  private over = false

  constructor(private readonly handlers: TransportHandlers) {}

  onRequestStart(controller: Dispatcher.DispatchController): void {
    // Aborted while it waited for a connection: to throw is how undici drops a request and keeps the connection.
    if (this.over) throw brokenOff
    this.controller = controller
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

/** Sends a request through a dispatcher. Its timeouts are off: the layers above have their own. */
export const dispatchOn = (
  dispatcher: Dispatcher,
  request: TransportRequest,
  handlers: TransportHandlers
): TransportHandle => {
  const exchange = new UndiciExchange(handlers)
  dispatcher.dispatch(
    {
      origin: request.origin,
      path: request.path,
      method: request.method,
      headers: request.headers as Record<string, string>,
      body: request.body,
      headersTimeout: 0,
      bodyTimeout: 0
    },
    exchange
  )
  return exchange
}

const defaultConnections = 256

const nothing: TransportHandle = { pause: () => {}, resume: () => {}, abort: () => {} }

/** Connect timeouts in use at once; an agent, and so a pool, stands behind each. */
const maxAgents = 8

/** undici's agents, one for each connect timeout, and every socket that they opened. */
export class UndiciTransport {
  private readonly agents = new Map<number, Agent>()
  private readonly sockets = new Set<Socket>()
  private readonly queues = new Map<string, ConnectionQueue>()
  private closed = false

  constructor(
    private readonly options: UndiciOptions,
    private readonly clock: Clock.Clock
  ) {}

  /** See `Transport.send`. */
  readonly send = (request: TransportRequest, handlers: TransportHandlers): TransportHandle =>
    this.queueOf(request.origin).send(handlers, (counted) => this.sendNow(request, counted))

  /** Requests that wait for a connection, to whichever origin. */
  get waiting(): number {
    let sum = 0
    for (const queue of this.queues.values()) sum += queue.waiting
    return sum
  }

  private queueOf(origin: string): ConnectionQueue {
    let queue = this.queues.get(origin)
    if (queue === undefined) {
      queue = new ConnectionQueue(this.options.connections ?? defaultConnections, this.clock)
      this.queues.set(origin, queue)
    }
    return queue
  }

  private sendNow(request: TransportRequest, handlers: TransportHandlers): TransportHandle {
    if (this.closed) {
      handlers.onError(closedError())
      return nothing
    }
    return dispatchOn(this.agentFor(request.connectTimeout), request, handlers)
  }

  /** Destroys every socket, also those that are still connecting; done when all are gone. */
  async close(): Promise<void> {
    this.closed = true
    for (const queue of this.queues.values()) queue.close()
    const agents = [...this.agents.values()]
    this.agents.clear()
    await Promise.all(agents.map((agent) => agent.destroy()))
    await Promise.all(
      [...this.sockets].map(
        (socket) =>
          new Promise<void>((resolve) => {
            socket.once("close", () => resolve())
            socket.destroy()
          })
      )
    )
  }

  private agentFor(connectTimeout: number): Agent {
    const timeout = Math.max(1, Math.ceil(connectTimeout))
    const known = this.agents.get(timeout)
    if (known !== undefined) return known
    for (const [oldest, agent] of this.agents) {
      if (this.agents.size < maxAgents) break
      this.agents.delete(oldest)
      void agent.close()
    }
    const { connections, keepAlive } = this.options
    const made = new Agent({
      connections: connections ?? defaultConnections,
      pipelining: 1,
      keepAliveTimeout: keepAlive === undefined ? 4000 : toMs(keepAlive),
      connect: this.connector(timeout)
    })
    this.agents.set(timeout, made)
    return made
  }

  /**
   * undici's connector with two things more. Its sockets are remembered: an agent forgets those that are still
   * connecting, and pools that it has replaced. And its timeout is exact: undici's own is off by up to a second.
   */
  private connector(timeout: number): buildConnector.connector {
    const connect = buildConnector({ timeout }) as (...args: Parameters<buildConnector.connector>) => Socket | undefined
    return (options, callback) => {
      const socket = connect(options, (...result) => {
        socket?.setTimeout(0, giveUp)
        callback(...result)
      })
      const giveUp = () => void socket?.destroy(new errors.ConnectTimeoutError("connect timeout"))
      if (socket === undefined) return
      socket.setTimeout(timeout, giveUp)
      this.sockets.add(socket)
      socket.once("close", () => this.sockets.delete(socket))
    }
  }
}
