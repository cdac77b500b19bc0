/**
 * The one seam between base services and the network: send a request, be told what comes back. It pushes and is
 * synchronous, because a `Stream` under every call costs more than the rest of the tower.
 */
import * as HttpClient from "@effect/platform/HttpClient"
import type { ConfigError } from "@switchyard/core/ConfigError"
import * as Field from "@switchyard/core/Field"
import { Context, Effect, Layer, type Scope } from "effect"
import type { Dispatcher } from "undici"
import { HttpClientTransport } from "./httpClientTransport.js"
import { fromEnvironment as proxiesFrom, type Variables } from "./proxies.js"
import { dispatchOn } from "./undiciExchange.js"
import { UndiciOptions, UndiciTransport } from "./undiciTransport.js"
import type { TransportHandle, TransportHandlers, TransportRequest } from "./wire.js"

export { type EnvironmentProxies, Proxies, type Variables } from "./proxies.js"
export { UndiciOptions } from "./undiciTransport.js"
export {
  TransportError,
  TransportErrorKind,
  type TransportHandle,
  type TransportHandlers,
  type TransportRequest
} from "./wire.js"

/** Options of the undici transport that the environment names, and what it says that makes no sense. */
export interface FromEnvironment {
  readonly options: UndiciOptions
  readonly warnings: ReadonlyArray<string>
}

/**
 * What other programs take from the environment: `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY`, `NO_PROXY` (in small letters
 * too), and `SSL_CERT_FILE`, whose certificates are trusted in place of Node's own list. `NODE_EXTRA_CA_CERTS` adds to that
 * list without being asked for here.
 */
export const fromEnvironment = (variables: Variables): FromEnvironment => {
  const { proxies, warnings } = proxiesFrom(variables)
  const ca = variables.SSL_CERT_FILE?.trim() ?? ""
  return {
    options: { ...(proxies === undefined ? {} : { proxy: proxies }), ...(ca === "" ? {} : { tls: { ca } }) },
    warnings
  }
}

/** Sends HTTP requests. */
export class Transport extends Context.Tag("@switchyard/providers/Transport")<
  Transport,
  {
    readonly send: (request: TransportRequest, handlers: TransportHandlers) => TransportHandle
    /** Requests that wait for a free connection now, where the transport knows. */
    readonly waiting?: number
  }
>() {}

/**
 * The transport over undici's `dispatch`, with its own keep-alive connections. The end of the scope destroys every
 * socket; requests in flight fail as `aborted`. Where `isShared` says that several callers may come, an eighth of the
 * connections to an origin (of four and more) is kept from each of them, so that no caller holds them all.
 */
export const makeUndici = (
  options: UndiciOptions = {},
  isShared?: () => boolean
): Effect.Effect<Context.Tag.Service<Transport>, ConfigError, Scope.Scope> =>
  Effect.flatMap(Field.decode(UndiciOptions, options, "transport"), (decoded) =>
    Effect.acquireRelease(
      Effect.clockWith((clock) => Effect.sync(() => new UndiciTransport(decoded, clock, isShared))),
      (transport) => Effect.promise(() => transport.close())
    )
  )

/**
 * Provides the transport over undici: the one to take on Node.
 *
 * @example
 * ```ts
 * import * as OpenAiCompatible from "@switchyard/providers/OpenAiCompatible"
 * import * as Transport from "@switchyard/providers/Transport"
 * import { Layer } from "effect"
 *
 * const Base = OpenAiCompatible.layer.pipe(Layer.provide(Transport.layerUndiciWith({ connections: 64 })))
 * ```
 */
export const layerUndiciWith = (options: UndiciOptions): Layer.Layer<Transport, ConfigError> =>
  Layer.scoped(Transport, makeUndici(options))

/** Provides the transport over undici: the one to take on Node, with the defaults. */
export const layerUndici: Layer.Layer<Transport> = Layer.orDie(layerUndiciWith({}))

/**
 * The transport over a dispatcher of the caller's, for example undici's `ProxyAgent`. The dispatcher is not closed here,
 * and its own connect timeout stands in for the request's.
 */
export const fromDispatcher = (dispatcher: Dispatcher): Context.Tag.Service<Transport> => ({
  send: (request, handlers) => dispatchOn(dispatcher, request, handlers)
})

/**
 * Provides the transport over the `HttpClient` in the context, for runtimes without undici. It costs several times as
 * much per call, and the client's own connect timeout stands in for the request's. The end of the scope aborts what is
 * in flight.
 */
export const layerHttpClient: Layer.Layer<Transport, never, HttpClient.HttpClient> = Layer.fresh(
  Layer.scoped(
    Transport,
    Effect.flatMap(Effect.all([HttpClient.HttpClient, Effect.runtime<never>()]), ([client, runtime]) =>
      Effect.acquireRelease(
        Effect.sync(() => new HttpClientTransport(client, runtime)),
        (transport) => transport.close
      )
    )
  )
)
