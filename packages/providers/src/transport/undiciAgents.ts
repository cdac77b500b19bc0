/**
 * The transport over undici: an agent for each way to connect, and queues for their connections.
 */
import { Tls } from "@switchyard/core/Deployment"
import * as Field from "@switchyard/core/Field"
import { toMs } from "@switchyard/core/Time"
import type { Clock } from "effect"
import { Agent, type Dispatcher, ProxyAgent } from "undici"
import { ConnectionQueue } from "./connectionQueue.js"
import { Proxies, proxyFor } from "./proxies.js"
import { closedError } from "./transportErrors.js"
import { dispatchOn, optionsOf } from "./undiciExchange.js"
import { secureOptions, UndiciSockets } from "./undiciSockets.js"
import { TransportError, type TransportHandle, type TransportHandlers, type TransportRequest } from "./wire.js"

/** Options of the undici transport. */
export const Options = Field.options("Connections to providers.", {
  /** Most connections per origin; further requests wait for one, callers by turns. Default 256. */
  connections: Field.option(
    Field.positiveCount,
    "Most connections per origin; further requests wait for one, callers by turns.",
    256
  ),
  /**
   * How long an idle connection is kept when the server does not say. Default 4 seconds: many servers close at 5 without
   * saying so, and a request that meets a closing connection fails.
   */
  keepAlive: Field.option(
    Field.duration,
    "How long an idle connection is kept when the server does not say. Default 4 seconds: many servers close at 5 without saying so, and a request that meets a closing connection fails.",
    4000
  ),
  /** Proxies on the way to the providers. Default: none. */
  proxy: Field.option(Proxies, "Proxies on the way to the providers. Default: none."),
  /** How certificates are checked, where a deployment does not say. Default: against Node's own list. */
  tls: Field.option(
    Tls,
    "How certificates are checked, where a deployment does not say. Default: against Node's own list."
  )
})
/** Options of the undici transport. */
export type Options = typeof Options.Type

const defaults = Field.defaults(Options)

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

/** What is said of certificates, as a text; a request's is one of a few objects that configurations made. */
const certificates = new WeakMap<Tls, string>()

const certificatesOf = (tls: Tls | undefined): string => {
  if (tls === undefined) return ""
  let text = certificates.get(tls)
  if (text === undefined) {
    text = JSON.stringify([tls.verify, tls.ca])
    certificates.set(tls, text)
  }
  return text
}

const keyOf = ({ isFresh, proxy, tls }: Way): string =>
  proxy === undefined && !isFresh ? certificatesOf(tls) : JSON.stringify([certificatesOf(tls), proxy, isFresh])

/** Makes room for one more; what goes finishes what it has begun. */
const makeRoom = <K, A>(map: Map<K, A>, most: number, close: (value: A) => void): void => {
  for (const [oldest, value] of map) {
    if (map.size < most) return
    map.delete(oldest)
    close(value)
  }
}

/** A proxy's own credentials, from its URL. */
const tokenOf = (proxy: string): { readonly token?: string } => {
  const { password, username } = new URL(proxy)
  if (username === "" && password === "") return {}
  const pair = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`
  return { token: `Basic ${Buffer.from(pair).toString("base64")}` }
}

/** undici's agents, one for each way to connect, and every socket that they opened. */
export class UndiciAgents {
  /** Agents by the way to connect, then by the connect timeout. */
  private readonly agents = new Map<string, Map<number, Dispatcher>>()
  private readonly sockets = new UndiciSockets()
  private readonly queues = new Map<string, ConnectionQueue>()
  /** The proxy of each origin. */
  private readonly proxies = new Map<string, string | undefined>()
  private closed = false

  constructor(
    private readonly options: Options,
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
      queue = new ConnectionQueue(this.options.connections ?? defaults.connections, this.clock, this.isShared)
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
    await this.sockets.close()
  }

  /**
   * A server may close a connection in the moment in which a request is sent on it. Where not a byte of an answer has come
   * and the connection had served before, nothing but its age has failed, and the request goes out once more on a new one.
   */
  private again(way: Way, request: TransportRequest, error: Error, exchange: Dispatcher.DispatchHandler): boolean {
    if (this.closed || way.proxy !== undefined || !this.sockets.isStale(error)) return false
    this.agentFor({ ...way, isFresh: true }).dispatch(optionsOf(request), exchange)
    return true
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
      connections: connections ?? defaults.connections,
      pipelining: isFresh ? 0 : 1,
      keepAliveTimeout: toMs(keepAlive ?? defaults.keepAlive)
    }
    if (proxy === undefined) return new Agent({ ...pool, connect: this.sockets.connector(timeout, secure) })
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
}
