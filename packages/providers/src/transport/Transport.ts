/**
 * The one seam between base services and the network: send a request, be told what comes back. It pushes and is
 * synchronous, because a `Stream` under every call costs more than the rest of the tower. Nothing here needs Node: the
 * transport to take there is `UndiciTransport`.
 */

import * as HttpClient from "@effect/platform/HttpClient"
import * as Background from "@switchyard/core/Background"
import { Context, Effect, Layer } from "effect"
import { HttpClientTransport } from "./httpClientTransport.js"
import type { TransportHandle, TransportHandlers, TransportRequest } from "./wire.js"

export {
  type BodySource,
  TransportError,
  TransportErrorKind,
  type TransportHandle,
  type TransportHandlers,
  type TransportRequest
} from "./wire.js"

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
 * Provides the transport over the `HttpClient` in the context, for runtimes without undici. It costs several times as
 * much per call, and the client's own connect timeout stands in for the request's. The end of the scope aborts what is
 * in flight.
 */
export const layerHttpClient: Layer.Layer<Transport, never, HttpClient.HttpClient> = Layer.fresh(
  Layer.scoped(
    Transport,
    Effect.flatMap(Effect.all([HttpClient.HttpClient, Background.runtime<never>()]), ([client, runtime]) =>
      Effect.acquireRelease(
        Effect.sync(() => new HttpClientTransport(client, runtime)),
        (transport) => transport.close
      )
    )
  )
)
