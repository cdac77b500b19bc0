/**
 * The base service for every provider that this package knows: those that speak OpenAI's chat completions, legacy completions and
 * embeddings, and those that `deployment.protocol` names. It stands at the bottom of the attempt tier: what it fails with is
 * classified, what it streams settles once.
 */
import type { ConfigError } from "@switchyard/core/ConfigError"
import { DeploymentService } from "@switchyard/core/DeploymentService"
import * as Field from "@switchyard/core/Field"
import type * as Service from "@switchyard/core/Service"
import { toMs } from "@switchyard/core/Time"
import { type Context, Effect, Layer, Schema } from "effect"
import { Lingering } from "../exchange/lingering.js"
import { Transport } from "../transport/Transport.js"
import { ask } from "./asking.js"

/** Options of the service. */
export const Options = Field.options("The service that speaks to providers over HTTP.", {
  /** How long a new connection may take, TLS included; a Timeouts layer's own bound beats it. Default 5 seconds. */
  connectTimeout: Field.option(
    Field.duration,
    "How long a new connection may take, TLS included; a Timeouts layer's own bound beats it.",
    5000
  ),
  /** Bytes of a whole answer; a larger one is a `MalformedResponse`. Default 64 MiB. */
  maxBodyBytes: Field.option(
    Field.positiveCount,
    "Bytes of a whole answer; a larger one is a `MalformedResponse`.",
    64 * 1024 * 1024
  ),
  /** Characters of one event of a stream; a larger one is a `MalformedResponse`. Default 16,777,216. */
  maxEventLength: Field.option(
    Field.positiveCount,
    "Characters of one event of a stream; a larger one is a `MalformedResponse`.",
    16 * 1024 * 1024
  ),
  /**
   * For deployments that do not say it: an event that is no JSON object fails the stream (`cut`), or is counted and skipped.
   * Default `cut`.
   */
  onMalformedEvent: Field.option(
    Schema.Literal("cut", "skip").annotations({ message: () => ({ message: '"cut" or "skip"', override: true }) }),
    "For deployments that do not say it: an event that is no JSON object fails the stream (`cut`), or is counted and skipped.",
    "cut"
  ),
  /**
   * For deployments that do not say it: a `[DONE]` without a finish reason is a `cut`, or is accepted as the end. Default
   * `cut`.
   */
  onMissingFinish: Field.option(
    Schema.Literal("cut", "accept").annotations({ message: () => ({ message: '"cut" or "accept"', override: true }) }),
    "For deployments that do not say it: a `[DONE]` without a finish reason is a `cut`, or is accepted as the end.",
    "cut"
  ),
  /**
   * Whether pictures and files that a request names by an https URL are fetched where the provider takes bytes only: from
   * public addresses, without redirects, 20 MiB each, within 10 seconds. Else the request is refused. Default false.
   */
  fetchMedia: Field.option(
    Schema.Boolean,
    "Whether pictures and files that a request names by an https URL are fetched where the provider takes bytes only: from public addresses, without redirects, 20 MiB each, within 10 seconds. Else the request is refused.",
    false
  ),
  /** Base URLs by provider label, for deployments without one. Known anyway: `openai`. */
  baseUrls: Field.option(
    Schema.Record({ key: Schema.String, value: Field.httpUrl }),
    "Base URLs by provider label, for deployments without one. Known anyway: `openai`."
  )
})
/** Options of the service. */
export type Options = typeof Options.Type

const defaults = Field.defaults(Options)

/** Responses that may outlive their answer at once. Small against a pool, so that they cannot use it up. */
const maxLingering = 32

/** The service over a transport. */
export const make = (transport: Context.Tag.Service<Transport>, options: Options = {}): Service.AttemptService =>
  ask(
    transport,
    {
      maxBody: options.maxBodyBytes ?? defaults.maxBodyBytes,
      maxEvent: options.maxEventLength ?? defaults.maxEventLength,
      onMalformed: options.onMalformedEvent ?? defaults.onMalformedEvent,
      onMissingFinish: options.onMissingFinish ?? defaults.onMissingFinish,
      lingering: new Lingering(maxLingering)
    },
    toMs(options.connectTimeout ?? defaults.connectTimeout),
    { openai: "https://api.openai.com/v1", ...options.baseUrls },
    options.fetchMedia === true ? {} : undefined
  )

/**
 * Provides the base service with its defaults.
 *
 * @example
 * ```ts
 * import * as OpenAiCompatible from "@switchyard/providers/OpenAiCompatible"
 * import * as UndiciTransport from "@switchyard/providers/UndiciTransport"
 * import { Layer } from "effect"
 *
 * const Base = OpenAiCompatible.layer.pipe(Layer.provide(UndiciTransport.layer))
 * ```
 */
export const layer: Layer.Layer<DeploymentService, never, Transport> = Layer.fresh(
  Layer.effect(
    DeploymentService,
    Effect.map(Transport, (transport) => make(transport))
  )
)

/** Provides the base service with options; fails with everything that is wrong with them. */
export const layerWith = (options: Options): Layer.Layer<DeploymentService, ConfigError, Transport> =>
  Layer.fresh(
    Layer.effect(DeploymentService, Effect.zipWith(Transport, Field.decode(Options, options, "openAiCompatible"), make))
  )
