/**
 * The transport over undici: the one to take on Node, and the only module of this package that needs it.
 */
import type { ConfigError } from "@switchyard/core/ConfigError"
import * as Field from "@switchyard/core/Field"
import { type Context, Effect, Layer, type Scope } from "effect"
import type { Dispatcher } from "undici"
import { fromEnvironment as proxiesFrom, type Variables } from "./proxies.js"
import { Transport } from "./Transport.js"
import { Options, UndiciAgents } from "./undiciAgents.js"
import { dispatchOn } from "./undiciExchange.js"

export { type EnvironmentProxies, Proxies, type Variables } from "./proxies.js"
export { Options } from "./undiciAgents.js"

/** Options of the undici transport that the environment names, and what it says that makes no sense. */
export interface FromEnvironment {
  readonly options: Options
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

/**
 * The transport over undici's `dispatch`, with its own keep-alive connections. The end of the scope destroys every
 * socket; requests in flight fail as `aborted`. Where `isShared` says that several callers may come, an eighth of the
 * connections to an origin (of four and more) is kept from each of them, so that no caller holds them all.
 */
export const make = (
  options: Options = {},
  isShared?: () => boolean
): Effect.Effect<Context.Tag.Service<Transport>, ConfigError, Scope.Scope> =>
  Effect.flatMap(Field.decode(Options, options, "transport"), (decoded) =>
    Effect.acquireRelease(
      Effect.clockWith((clock) => Effect.sync(() => new UndiciAgents(decoded, clock, isShared))),
      (transport) => Effect.promise(() => transport.close())
    )
  )

/**
 * Provides the transport over undici: the one to take on Node.
 *
 * @example
 * ```ts
 * import * as OpenAiCompatible from "@switchyard/providers/OpenAiCompatible"
 * import * as UndiciTransport from "@switchyard/providers/UndiciTransport"
 * import { Layer } from "effect"
 *
 * const Base = OpenAiCompatible.layer.pipe(Layer.provide(UndiciTransport.layerWith({ connections: 64 })))
 * ```
 */
export const layerWith = (options: Options): Layer.Layer<Transport, ConfigError> =>
  Layer.scoped(Transport, make(options))

/** Provides the transport over undici: the one to take on Node, with the defaults. */
export const layer: Layer.Layer<Transport> = Layer.orDie(layerWith({}))

/**
 * The transport over a dispatcher of the caller's, for example undici's `ProxyAgent`. The dispatcher is not closed here,
 * and its own connect timeout stands in for the request's.
 */
export const fromDispatcher = (dispatcher: Dispatcher): Context.Tag.Service<Transport> => ({
  send: (request, handlers) => dispatchOn(dispatcher, request, handlers)
})
