/**
 * The transport over undici's dispatcher: one object per request, no streams, no promises.
 */
import { readFileSync } from "node:fs"
import type { IncomingHttpHeaders } from "node:http"
import type { Socket } from "node:net"
import { Tls } from "@switchyard/core/Deployment"
import * as Field from "@switchyard/core/Field"
import type { Headers } from "@switchyard/core/LlmResponse"
import { toMs } from "@switchyard/core/Time"
import { type Clock, Schema } from "effect"
import { Agent, buildConnector, type Dispatcher, errors, ProxyAgent } from "undici"
import { ConnectionQueue } from "./connectionQueue.js"
import { skipContinue } from "./interimAnswers.js"
import { Proxies, proxyFor } from "./proxies.js"
import { closedError, transportErrorOf } from "./transportErrors.js"
import { TransportError, type TransportHandle, type TransportHandlers, type TransportRequest } from "./wire.js"

/** Options of the undici transport. */
export const UndiciOptions = Schema.Struct({
  /** Most connections per origin; further requests wait for one, callers by turns. Default 256. */
  connections: Schema.optional(Field.positiveCount),
  /**
   * How long an idle connection is kept when the server does not say. Default 4 seconds: many servers close at 5 without
   * saying so, and a request that meets a closing connection fails.
   */
  keepAlive: Schema.optional(Field.duration),
  /** Proxies on the way to the providers. Default: none. */
  proxy: Schema.optional(Proxies),
  /** How certificates are checked, where a deployment does not say. Default: against Node's own list. */
  tls: Schema.optional(Tls)
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

/** Sends the same request over a new connection, if that may be done after this error. */
type Again = (error: Error, exchange: Dispatcher.DispatchHandler) => boolean

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

const optionsOf = (request: TransportRequest): Dispatcher.DispatchOptions => ({
  origin: request.origin,
  path: request.path,
  method: request.method,
  headers: request.headers as Record<string, string>,
  body: request.body,
  headersTimeout: 0,
  bodyTimeout: 0
})

/** Sends a request through a dispatcher. Its timeouts are off: the layers above have their own. */
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

const defaultConnections = 256

const nothing: TransportHandle = { pause: () => {}, resume: () => {}, abort: () => {} }

/** Connect timeouts in use at once, for each way to connect; an agent, and so a pool, stands behind each. */
const maxAgents = 8
/** Ways to connect (certificates, proxy) in use at once; reloads may name ever new ones. */
const maxWays = 64

/** One way to connect. */
interface Way {
  /** ms */
  readonly timeout: number
  readonly tls: Tls | undefined
  readonly proxy: string | undefined
  /** Every request gets a connection of its own. */
  readonly isFresh: boolean
}

const keyOf = ({ isFresh, proxy, tls }: Way): string =>
  tls === undefined && proxy === undefined && !isFresh ? "" : JSON.stringify([tls?.verify, tls?.ca, proxy, isFresh])

/** Makes room for one more; what goes finishes what it has begun. */
const makeRoom = <K, A>(map: Map<K, A>, most: number, close: (value: A) => void): void => {
  for (const [oldest, value] of map) {
    if (map.size < most) return
    map.delete(oldest)
    close(value)
  }
}

/** What `NODE_EXTRA_CA_CERTS` names: Node adds it to its own list, but not to a list that it is given. */
const extraCertificates = (): ReadonlyArray<Buffer> => {
  const file = process.env.NODE_EXTRA_CA_CERTS
  try {
    return file === undefined || file === "" ? [] : [readFileSync(file)]
  } catch {
    // Node itself has warned about it.
    return []
  }
}

/** What Node's TLS is told. */
const secureOptions = (
  tls: Tls | undefined
): { readonly rejectUnauthorized?: boolean; readonly ca?: Array<Buffer> } => ({
  ...(tls?.verify === false ? { rejectUnauthorized: false } : {}),
  ...(tls?.ca === undefined ? {} : { ca: [readFileSync(tls.ca), ...extraCertificates()] })
})

/** A proxy's own credentials, from its URL. */
const tokenOf = (proxy: string): { readonly token?: string } => {
  const { password, username } = new URL(proxy)
  if (username === "" && password === "") return {}
  const pair = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`
  return { token: `Basic ${Buffer.from(pair).toString("base64")}` }
}

/** undici's agents, one for each way to connect, and every socket that they opened. */
export class UndiciTransport {
  /** Agents by the way to connect, then by the connect timeout. */
  private readonly agents = new Map<string, Map<number, Dispatcher>>()
  private readonly sockets = new Set<Socket>()
  private readonly queues = new Map<string, ConnectionQueue>()
  /** Errors of sockets that had answered a request before. */
  private readonly stale = new WeakSet<Error>()
  /** The proxy of each origin. */
  private readonly proxies = new Map<string, string | undefined>()
  private closed = false

  constructor(
    private readonly options: UndiciOptions,
    private readonly clock: Clock.Clock,
    /** Whether several callers may come, so that one must not hold every connection. */
    private readonly isShared?: () => boolean
  ) {}

  /** See `Transport.send`. */
  readonly send = (request: TransportRequest, handlers: TransportHandlers): TransportHandle =>
    this.queueOf(request.origin).send(handlers, (counted) => this.sendNow(request, counted), request.caller)

  /** Requests that wait for a connection, to whichever origin. */
  get waiting(): number {
    let sum = 0
    for (const queue of this.queues.values()) sum += queue.waiting
    return sum
  }

  private queueOf(origin: string): ConnectionQueue {
    let queue = this.queues.get(origin)
    if (queue === undefined) {
      queue = new ConnectionQueue(this.options.connections ?? defaultConnections, this.clock, this.isShared)
      this.queues.set(origin, queue)
    }
    return queue
  }

  private sendNow(request: TransportRequest, handlers: TransportHandlers): TransportHandle {
    if (this.closed) {
      handlers.onError(closedError())
      return nothing
    }
    const way: Way = {
      timeout: Math.max(1, Math.ceil(request.connectTimeout)),
      tls: request.tls ?? this.options.tls,
      proxy: this.options.proxy === undefined ? undefined : this.proxyOf(this.options.proxy, request.origin),
      isFresh: false
    }
    try {
      const agent = this.agentFor(way)
      return dispatchOn(agent, request, handlers, (error, exchange) => this.again(way, request, error, exchange))
    } catch {
      // undici refuses nothing that got this far: it is the file of certificates that cannot be used.
      handlers.onError(new TransportError({ kind: "tls", code: "CA_FILE" }))
      return nothing
    }
  }

  /** Destroys every socket, also those that are still connecting; done when all are gone. */
  async close(): Promise<void> {
    this.closed = true
    for (const queue of this.queues.values()) queue.close()
    const agents = [...this.agents.values()].flatMap((byTimeout) => [...byTimeout.values()])
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

  /**
   * A server may close a connection in the moment in which a request is sent on it. Where not a byte of an answer has come
   * and the connection had served before, nothing but its age has failed, and the request goes out once more on a new one.
   */
  private again(way: Way, request: TransportRequest, error: Error, exchange: Dispatcher.DispatchHandler): boolean {
    if (this.closed || way.proxy !== undefined || !this.isStale(error)) return false
    this.agentFor({ ...way, isFresh: true }).dispatch(optionsOf(request), exchange)
    return true
  }

  private isStale(error: Error): boolean {
    if (transportErrorOf(error, true).kind !== "reset") return false
    return this.stale.has(error) || (error instanceof errors.SocketError && (error.socket?.bytesRead ?? 0) > 0)
  }

  private proxyOf(proxies: Proxies, origin: string): string | undefined {
    const known = this.proxies.get(origin)
    if (known !== undefined || this.proxies.has(origin)) return known
    const found = proxyFor(proxies, origin)
    this.proxies.set(origin, found)
    return found
  }

  private agentFor(way: Way): Dispatcher {
    const key = keyOf(way)
    let byTimeout = this.agents.get(key)
    const known = byTimeout?.get(way.timeout)
    if (known !== undefined) return known
    const made = this.makeAgent(way)
    if (byTimeout === undefined) {
      makeRoom(this.agents, maxWays, (agents) => {
        for (const agent of agents.values()) void agent.close()
      })
      byTimeout = new Map()
      this.agents.set(key, byTimeout)
    }
    makeRoom(byTimeout, maxAgents, (agent) => void agent.close())
    byTimeout.set(way.timeout, made)
    return made
  }

  private makeAgent({ isFresh, proxy, timeout, tls }: Way): Dispatcher {
    const { connections, keepAlive } = this.options
    const secure = secureOptions(tls)
    const pool = {
      connections: connections ?? defaultConnections,
      pipelining: isFresh ? 0 : 1,
      keepAliveTimeout: keepAlive === undefined ? 4000 : toMs(keepAlive)
    }
    if (proxy === undefined) return new Agent({ ...pool, connect: this.connector(timeout, secure) })
    return new ProxyAgent({
      ...pool,
      ...tokenOf(proxy),
      uri: proxy,
      proxyTunnel: false,
      requestTls: { timeout, ...secure },
      // The proxy's own certificate is checked as usual: a deployment's rules are for the provider.
      proxyTls: { timeout, ...secureOptions(this.options.tls) }
    })
  }

  /**
   * undici's connector with four things more. Its sockets are remembered: an agent forgets those that are still
   * connecting, and pools that it has replaced. Its timeout is exact: undici's own is off by up to a second. Errors of
   * sockets that had answered before are known as such. And `100 Continue` breaks nothing.
   */
  private connector(timeout: number, secure: buildConnector.BuildOptions): buildConnector.connector {
    const connect = buildConnector({ timeout, ...secure }) as (
      ...args: Parameters<buildConnector.connector>
    ) => Socket | undefined
    return (options, callback) => {
      let bytesBefore = 0
      const socket = connect(options, (...result) => {
        socket?.setTimeout(0, giveUp)
        bytesBefore = socket?.bytesRead ?? 0
        callback(...result)
        if (socket !== undefined) skipContinue(socket)
      })
      const giveUp = () => void socket?.destroy(new errors.ConnectTimeoutError("connect timeout"))
      if (socket === undefined) return
      socket.setTimeout(timeout, giveUp)
      this.sockets.add(socket)
      socket.on("error", (error) => {
        if (socket.bytesRead > bytesBefore) this.stale.add(error)
      })
      socket.once("close", () => this.sockets.delete(socket))
    }
  }
}
