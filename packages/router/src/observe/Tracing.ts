/**
 * Spans of requests and attempts, in OpenTelemetry's conventions for generative AI, by whatever `Tracer` the app has. An
 * attempt's parent is its request's span, through retries, hedges, fallbacks and restarts; how the request was routed
 * stands in events of its span. A tower without tracing has none of these layers.
 */
import type { ConfigError } from "@switchyard/core/ConfigError"
import { DeploymentService } from "@switchyard/core/DeploymentService"
import * as Field from "@switchyard/core/Field"
import type { LlmRequest } from "@switchyard/core/LlmRequest"
import { LlmService } from "@switchyard/core/LlmService"
import * as Service from "@switchyard/core/Service"
import { clockHere, nowMs } from "@switchyard/core/Time"
import { type Context, Effect, Fiber, FiberRef, Layer, Option, Schema, type Tracer } from "effect"
import { Selection } from "../balancing/selection.js"
import { Strategies, TowerStrategies } from "../balancing/TowerStrategies.js"
import type { Tap } from "../events/eventHub.js"
import { RouterEvents } from "../events/RouterEvents.js"
import { TowerEvents, tapped } from "../events/TowerEvents.js"
import { DeploymentRegistry, Registry } from "../registry/DeploymentRegistry.js"
import * as Concern from "../stack/Concern.js"
import { LiveSpan, tell } from "./liveSpan.js"
import { eventNote, nobodyNote, rejectedNote, selectionNote } from "./routeNotes.js"
import { type Attributes, asked, short, spanName, target, used } from "./spanAttributes.js"
import { answer, prompt } from "./spanContent.js"

/** Options of tracing. */
export const Options = Field.options("Spans of requests and attempts, by the `Tracer` of the app.", {
  /** Whether the spans of requests hold prompts and answers (`gen_ai.input.messages`, `gen_ai.output.messages`). Default false. */
  captureContent: Field.option(
    Schema.Boolean,
    "Whether the spans of requests hold prompts and answers (`gen_ai.input.messages`, `gen_ai.output.messages`).",
    false
  ),
  /** Characters of a prompt, and of an answer, that a span holds at most. Default 10,000. */
  maxContentLength: Field.option(
    Field.positiveCount,
    "Characters of a prompt, and of an answer, that a span holds at most.",
    10_000
  ),
  /**
   * The kind of requests' spans: `internal` inside an app, `server` where requests come in from outside. Default `internal`.
   */
  requestKind: Field.option(
    Schema.Literal("internal", "server").annotations({
      message: () => ({ message: '"internal" or "server"', override: true })
    }),
    "The kind of requests' spans: `internal` inside an app, `server` where requests come in from outside.",
    "internal"
  )
})
/** Options of tracing. */
export type Options = typeof Options.Type

const defaults = Field.defaults(Options)

type AnyFiber = Fiber.RuntimeFiber<unknown, unknown>

const runningFiber = (): AnyFiber => Option.getOrThrow(Fiber.getCurrentFiber())

const isOn = (fiber: AnyFiber): boolean => fiber.getFiberRef(FiberRef.currentTracerEnabled)

/** The span of a request, where somebody keeps what it is told. */
const recordingSpan = ({ trace }: LlmRequest): Tracer.Span | undefined =>
  trace?.span._tag === "Span" && trace.span.sampled ? trace.span : undefined

const routed = (request: LlmRequest): Attributes => {
  const { caller, route } = request
  const { journal } = route
  const entry = journal.answered ?? journal.last
  const hop = journal.fallbacks[journal.fallbacks.length - 1]
  return {
    "gen_ai.provider.name": entry?.provider,
    "switchyard.group": short(entry?.group ?? hop?.to ?? request.model),
    "switchyard.deployment": entry?.deployment,
    "switchyard.attempts": journal.spent,
    "switchyard.fallback": hop?.kind,
    "switchyard.cache": journal.cache,
    "switchyard.caller": caller,
    ...used(journal.usage, journal.cost)
  }
}

/**
 * Spans of requests: the parent is what the request brings (`trace`), else the span that the caller's fiber is in. The
 * outermost layer. A stream's span ends when the stream has settled; that of a request whose caller left ends as an
 * interruption, which is no error, with the outcome `abandoned`. Usage and cost are those of all attempts together.
 */
export const requests = (options: Options = {}): Service.RequestLayer => {
  const {
    captureContent = defaults.captureContent,
    maxContentLength = defaults.maxContentLength,
    requestKind = defaults.requestKind
  } = options

  return Service.bracketRequest<LiveSpan | undefined>({
    begin: (request) => {
      const fiber = runningFiber()
      if (!isOn(fiber)) return undefined
      const live = LiveSpan.begin(request.route.startedAt, {
        tracer: fiber.currentTracer,
        name: spanName(request, request.model),
        kind: requestKind,
        parent: request.trace?.span ?? fiber.currentSpan,
        state: request.trace?.state
      })
      live?.define(() => asked(request, request.model))
      if (captureContent) live?.define(() => prompt(request, maxContentLength))
      return live
    },
    pass: (request, live) => (live === undefined ? request : { ...request, trace: live.trace }),
    onResponse: (live, response) => {
      if (live?.trace.span.sampled !== true) return
      live.response = response
      if (captureContent && response._tag === "Streaming") response.events.keepText(maxContentLength)
    },
    onFirstContent: (live, at) => live?.noteFirstContent(at),
    end: (live, outcome, at, request) =>
      live?.end(request, outcome, at, () => ({
        ...routed(request),
        ...(captureContent && live.response !== undefined ? answer(request, live.response, maxContentLength) : {})
      }))
  })
}

/**
 * Spans of attempts, of kind `client`, with the deployment's address and what the provider answered. Sits inside the limits,
 * so that a call that was turned away locally has none, and outside Cost. The span is the attempt's `trace`; the fiber is not in
 * it, because errors that pass through a fiber's span come out as other objects. A request that is not sampled has no spans of
 * attempts either.
 */
export const attempts: Service.AttemptLayer = Service.bracketAttempt<LiveSpan | undefined>({
  begin: (attempt) => {
    const { request, startedAt } = attempt
    const fiber = runningFiber()
    const parent = request.trace?.span ?? fiber.currentSpan
    if (parent?.sampled === false || !isOn(fiber)) return undefined
    const live = LiveSpan.begin(startedAt, {
      tracer: fiber.currentTracer,
      name: spanName(request, attempt.model),
      kind: "client",
      parent,
      state: request.trace?.state
    })
    live?.define(() => ({ ...asked(request, attempt.model), ...target(attempt) }))
    attempt.trace = live?.trace
    return live
  },
  onResponse: (live, response) => {
    if (live !== undefined) live.response = response
  },
  onFirstContent: (live, at) => live?.noteFirstContent(at),
  end: (live, outcome, at, { request }) => live?.end(request, outcome, at, () => used(outcome.usage, outcome.cost))
})

/** What the layers that watch the routing work with. */
export interface SelectionDeps {
  readonly registry: Pick<Context.Tag.Service<DeploymentRegistry>, "resolve">
  /** The name of the strategy that chooses in a group. */
  readonly strategyOf?: (group: string) => string
}

/**
 * Tells the request's span of every selection: the candidates, who was out and why, the choice. The outermost layer of the
 * attempt tier, because it reads every `status` as the selection did. Reads nothing where the span is not kept.
 */
export const selections =
  ({ registry, strategyOf }: SelectionDeps): Service.AttemptLayer =>
  (next) =>
    Service.bracketAttempt<Tracer.Span | undefined>({
      begin: (attempt, at) => {
        const { request, startedAt } = attempt
        const span = recordingSpan(request)
        const resolved = span === undefined ? undefined : registry.resolve(request.model)
        if (span === undefined || resolved === undefined) return span
        const findings = new Selection(resolved.group, request, startedAt, next.status).findings()
        tell(span, selectionNote(attempt, findings, strategyOf?.(resolved.group.name)), at)
        return span
      },
      end: (span, outcome, at, attempt) => {
        if (span === undefined || outcome._tag !== "Failed") return
        const { error } = outcome
        if (error.reason === "Rejected" && error.deployment === attempt.deployment) {
          tell(span, rejectedNote(attempt, error), at)
        }
      }
    })(next)

/** Tells the request's span that nobody in a group could take it, and why. Belongs outside the Balancer, and a queue. */
export const refusals: Service.RequestLayer = (next) =>
  Service.request((request) => {
    const span = recordingSpan(request)
    if (span === undefined) return next.call(request)
    return Effect.tapError(next.call(request), (error) =>
      error.reason === "NoDeployment"
        ? Effect.sync(() => tell(span, nobodyNote(request.model, error), nowMs(clockHere())))
        : Effect.void
    )
  }, next.openings)

/** Tells a request's span of its retries, hedges, fallbacks and restarts. */
const note: Tap = (event, about) => {
  const span = about === undefined ? undefined : recordingSpan(about)
  const noted = span === undefined ? undefined : eventNote(event)
  if (span !== undefined && noted !== undefined) tell(span, noted, event.at)
}

/**
 * Traces requests around the inner service. The outermost layer.
 *
 * @example
 * ```ts
 * import * as Router from "@switchyard/router/Router"
 *
 * // A tower of its own has the layers of both tiers in their places:
 * const options: Partial<Router.Options> = { tracing: { captureContent: false } }
 * ```
 */
export const layerWith = (options: Options): Layer.Layer<LlmService, ConfigError, LlmService> =>
  Service.wrap(
    LlmService,
    Effect.map(Field.decode(Options, options, "tracing"), (valid) => requests(valid))
  )

/** Traces requests around the inner service, with the defaults. */
export const layer: Layer.Layer<LlmService, never, LlmService> = Layer.fresh(Layer.orDie(layerWith({})))

/** Traces attempts around the inner service, and the selections that led to them. */
export const layerAttempts: Layer.Layer<DeploymentService, never, DeploymentService | DeploymentRegistry> =
  Service.wrap(
    DeploymentService,
    Effect.map(
      DeploymentRegistry,
      (registry) => (next: Service.AttemptService) => selections({ registry })(attempts(next))
    )
  )

/** Spans of requests, as a concern of a stack. */
export class Tracing extends Concern.request({
  name: "tracing",
  about: "A span for each request",
  on: false,
  options: Options,
  outside: { requestMetrics: "exemplars name the span", cache: "what the cache answers has a span too" },
  make: (options) => requests(options)
}) {}

/** What requests' spans are told when nobody could take them, as a concern of a stack. */
export class TracingRefusals extends Concern.request({
  name: "tracingRefusals",
  key: "tracing",
  about: "Tells a request's span why nobody could take it",
  on: false,
  options: Options,
  outside: { queue: "what waits is not refused yet" },
  make: () => refusals
}) {}

/** What requests' spans are told of selections, as a concern of a stack. */
export class TracingSelections extends Concern.attempt({
  name: "tracingSelections",
  key: "tracing",
  about: "Tells a request's span of every choice of a deployment",
  on: false,
  options: Options,
  outside: {
    cooldown: "it reads every status as the selection did",
    limits: "it reads every status as the selection did"
  },
  state: [Registry, Strategies],
  make: () =>
    Effect.gen(function* () {
      const { nameFor } = yield* TowerStrategies
      return selections({ registry: yield* DeploymentRegistry, strategyOf: nameFor })
    })
}) {}

/** Spans of attempts, as a concern of a stack. */
export class TracingAttempts extends Concern.attempt({
  name: "tracingAttempts",
  key: "tracing",
  about: "A span for each attempt",
  on: false,
  options: Options,
  outside: { cost: "the span tells what the attempt cost" },
  inside: { limits: "what was turned away has no span" },
  make: () => attempts
}) {}

/** What requests' spans are told of retries and fallbacks, as a concern of a stack. */
export class TracingEvents extends Concern.beside({
  name: "tracingEvents",
  key: "tracing",
  about: "Tells a request's span of its retries, hedges, fallbacks and restarts",
  on: false,
  options: Options,
  state: [TowerEvents],
  make: () => Effect.map(RouterEvents, (events) => tapped(events, note))
}) {}
