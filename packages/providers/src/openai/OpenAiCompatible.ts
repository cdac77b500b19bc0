/**
 * The base service for every provider that speaks OpenAI's chat completions, legacy completions and embeddings. It stands
 * at the bottom of the attempt tier: what it fails with is classified, what it streams settles once.
 */
import type { Attempt } from "@switchyard/core/Attempt"
import type { ConfigError } from "@switchyard/core/ConfigError"
import type { Deployment } from "@switchyard/core/Deployment"
import { DeploymentService } from "@switchyard/core/DeploymentService"
import * as Field from "@switchyard/core/Field"
import { LlmError } from "@switchyard/core/LlmError"
import type { LlmResponse } from "@switchyard/core/LlmResponse"
import { addsUsage, ParameterBook, type Parameters, tellDropped } from "@switchyard/core/Payload"
import * as Service from "@switchyard/core/Service"
import { toMs } from "@switchyard/core/Time"
import { type Clock, type Context, Effect, Layer, Schema } from "effect"
import { Exchange, type ExchangeSettings } from "../exchange/exchange.js"
import { Lingering } from "../exchange/lingering.js"
import { encode } from "../exchange/payload.js"
import { protocolOf } from "../protocols/all.js"
import { openai } from "../protocols/openai.js"
import type { Env } from "../protocols/protocol.js"
import { headersOf, type Target, type TargetProblem, targetOf } from "../protocols/target.js"
import { Transport, type TransportHandle, type TransportHandlers } from "../transport/Transport.js"

/** Options of the service. */
export const Options = Field.options("The service that speaks to OpenAI-compatible APIs.", {
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

/** Where clouds' own tools look for a region or a project; empty where there is no process. */
const environment: Env = (globalThis as { readonly process?: { readonly env?: Env } }).process?.env ?? {}

/** The deployment itself is wrong: nothing was sent, and another one may do. */
const unusable = (attempt: Attempt, { problem }: TargetProblem): LlmError =>
  new LlmError({
    reason: "Unavailable",
    description: problem,
    code: "invalid_deployment",
    provider: attempt.provider,
    deployment: attempt.deployment
  })

const invalid = (attempt: Attempt, description: string): LlmError =>
  new LlmError({
    reason: "InvalidRequest",
    description,
    provider: attempt.provider,
    deployment: attempt.deployment
  })

const encoded = (attempt: Attempt, parameters: Parameters, asksForUsage: boolean): string | Uint8Array | undefined => {
  try {
    return encode(attempt, parameters, asksForUsage)
  } catch {
    return undefined
  }
}

/** The service over a transport. */
export const make = (transport: Context.Tag.Service<Transport>, options: Options = {}): Service.AttemptService => {
  const settings: ExchangeSettings = {
    maxBody: options.maxBodyBytes ?? defaults.maxBodyBytes,
    maxEvent: options.maxEventLength ?? defaults.maxEventLength,
    onMalformed: options.onMalformedEvent ?? defaults.onMalformedEvent,
    onMissingFinish: options.onMissingFinish ?? defaults.onMissingFinish,
    lingering: new Lingering(maxLingering)
  }
  const connectTimeout = toMs(options.connectTimeout ?? defaults.connectTimeout)
  const baseUrls = { openai: "https://api.openai.com/v1", ...options.baseUrls }
  const targets = new WeakMap<Deployment, Target | TargetProblem>()
  /** Deployments that have refused to be asked for usage in a stream, and answer without that. */
  const refuseUsage = new WeakSet<Deployment>()
  const book = new ParameterBook()

  const targetFor = (deployment: Deployment): Target | TargetProblem => {
    const known = targets.get(deployment)
    if (known !== undefined) return known
    const made = targetOf(protocolOf(deployment.protocol) ?? openai, deployment, baseUrls, environment)
    targets.set(deployment, made)
    return made
  }

  const send = (attempt: Attempt, clock: Clock.Clock): Service.Call => {
    const { request } = attempt
    attempt.sent = false
    const target = targetFor(attempt.target)
    if ("problem" in target) return Effect.fail(unusable(attempt, target))
    const outgoing = headersOf(target, request, attempt.trace)
    if ("bad" in outgoing)
      return Effect.fail(invalid(attempt, `the header ${JSON.stringify(outgoing.bad)} cannot be sent`))
    const path = target.path({
      model: attempt.model,
      operation: request.operation,
      stream: request.stream,
      dialect: request.operation === "completion" ? "completions" : "chat"
    })
    if (path === undefined) return Effect.fail(unusable(attempt, { problem: `its API has no ${request.operation}` }))
    const asksForUsage = !refuseUsage.has(attempt.target)
    const parameters = book.of(attempt)
    const body = encoded(attempt, parameters, asksForUsage)
    if (body === undefined) return Effect.fail(invalid(attempt, "the request cannot be written as JSON"))
    const post = (body: string | Uint8Array, handlers: TransportHandlers): TransportHandle =>
      transport.send(
        {
          method: "POST",
          origin: target.origin,
          path,
          headers: outgoing.headers,
          body,
          connectTimeout: attempt.connectTimeout ?? connectTimeout,
          tls: attempt.target.tls,
          caller: request.caller
        },
        handlers
      )
    const plainer =
      asksForUsage && addsUsage(attempt)
        ? {
            send: (handlers: TransportHandlers) => post(encode(attempt, parameters, false), handlers),
            worked: () => void refuseUsage.add(attempt.target)
          }
        : undefined
    const call = Effect.async<LlmResponse, LlmError>((resume) => {
      const exchange = new Exchange(settings, attempt, clock, outgoing.secrets, resume, plainer)
      attempt.sent = true
      exchange.runsOn(post(body, exchange))
      return Effect.sync(() => exchange.abort())
    })
    const told = tellDropped(attempt, parameters)
    return told === undefined ? call : Effect.zipRight(told, call)
  }

  return Service.expiring(Service.attempt((attempt) => Effect.clockWith((clock) => send(attempt, clock))))
}

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
