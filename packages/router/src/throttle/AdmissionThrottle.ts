/**
 * Turns requests away at the door of a group that has more to do than it can, before they wait, are retried, and fail all the
 * same: by chance, with the probability that the share of requests which it served of late asks for. The rule is that of the
 * Google SRE book's adaptive throttling; a request counts when it is over, as answers take seconds and what runs is no failure.
 *
 * Load alone counts: refusals for limits, overload and lost time. What fails otherwise is the breaker's business.
 */
import type { ConfigError } from "@switchyard/core/ConfigError"
import { type Uniform, uniform } from "@switchyard/core/Dice"
import * as Field from "@switchyard/core/Field"
import { LlmError } from "@switchyard/core/LlmError"
import type { LlmRequest } from "@switchyard/core/LlmRequest"
import { LlmService } from "@switchyard/core/LlmService"
import type { Outcome } from "@switchyard/core/Outcome"
import * as Service from "@switchyard/core/Service"
import { toMs } from "@switchyard/core/Time"
import { type Context, Effect, Layer, Schema } from "effect"
import { type Events, RouterEvents } from "../events/RouterEvents.js"
import { TowerEvents } from "../events/TowerEvents.js"
import { DeploymentRegistry, Registry } from "../registry/DeploymentRegistry.js"
import * as Concern from "../stack/Concern.js"
import { AdmissionRates, type Admissions, Admitted } from "./AdmissionRates.js"

/** Options of the layer. */
export const Options = Field.options("Turns requests away while a group has more to do than it can.", {
  /** So many times what a group serves is let in; at least 1. Less turns away more, and finds out later that it is over. Default 2. */
  multiplier: Field.option(
    Schema.Number.pipe(Schema.finite(), Schema.greaterThanOrEqualTo(1)).annotations({
      message: () => ({ message: "a number of at least 1", override: true })
    }),
    "So many times what a group serves is let in; at least 1. Less turns away more, and finds out later that it is over.",
    2
  ),
  /** How far back requests count; they slide out in sixtieths of it. Default 30 seconds. */
  window: Field.option(Field.duration, "How far back requests count; they slide out in sixtieths of it.", 30_000),
  /** With fewer requests than this in the window none is turned away. Default 20. */
  minimumRequests: Field.option(
    Field.positiveCount,
    "With fewer requests than this in the window none is turned away.",
    20
  )
})
/** Options of the layer. */
export type Options = typeof Options.Type

const defaults = Field.defaults(Options)

/** What the layer works with. */
export interface AdmissionThrottleDeps {
  readonly registry: Pick<Context.Tag.Service<DeploymentRegistry>, "resolve">
  readonly rates: Context.Tag.Service<AdmissionRates>
  readonly random: Uniform
  /** Where those that are turned away are published. Default: nowhere. */
  readonly events?: Pick<Events, "publish">
}

/** After this many ms somebody asks again of whom next to nobody is turned away. */
const soon = 1000

/** So long that, if all who are turned away come back after it, about one try of each is let in. */
const turnedAway = (group: string, share: number): LlmError =>
  new LlmError({
    reason: "Rejected",
    description: `${group} has more to do than it can: about ${Math.round(share * 100)} % of such requests are turned away`,
    code: "overloaded",
    retryAfter: soon / (1 - share)
  })

const refusals: ReadonlySet<string> = new Set(["RateLimited", "Rejected", "Timeout"])

const isOverload = (error: LlmError): boolean =>
  refusals.has(error.reason) ||
  (error.reason === "NoDeployment" && error.blockedByLimitsOnly) ||
  (error.reason === "Unavailable" && (error.status === 503 || error.status === 529))

/** Whether the group has served the request; undefined where that is nobody's to say: the caller left, or something broke. */
const verdict = (outcome: Outcome, { route }: LlmRequest, at: number): boolean | undefined => {
  if (outcome._tag === "Completed") return true
  if (outcome._tag === "Abandoned") return at >= route.deadline ? false : undefined
  const { error } = outcome
  if (isOverload(error)) return false
  return error.retry === "never" && error.breaker === "neutral" && error.reason !== "NoDeployment" ? true : undefined
}

const priorityOf = ({ overrides }: LlmRequest): number => overrides.priority ?? 0

/** The layer, over the figures of the groups. */
export const make = (deps: AdmissionThrottleDeps, options: Options = {}): Service.RequestLayer => {
  const { events, random, rates, registry } = deps
  const k = options.multiplier ?? defaults.multiplier
  const window = toMs(options.window ?? defaults.window)
  const minimum = options.minimumRequests ?? defaults.minimumRequests
  return Service.bracketRequest<Admissions | undefined>({
    begin: (request, at) => {
      const group = registry.resolve(request.model)?.group.name
      if (group === undefined) return undefined
      const admissions = rates.of(group, window)
      const priority = priorityOf(request)
      admissions.arrive(priority, at)
      const share = admissions.share(k, minimum, at)
      if (share === 0) return admissions
      const own = admissions.shareOf(priority, share, at)
      if (random() >= own) return admissions
      admissions.settle(false, at)
      events?.publish({ _tag: "RequestThrottled", at, group, share: own }, request)
      return turnedAway(group, own)
    },
    end: (admissions, outcome, at, request) => {
      const isAccepted = verdict(outcome, request, at)
      if (isAccepted !== undefined) admissions?.settle(isAccepted, at)
    }
  })
}

/** Turns requests away while their group has more to do than it can. */
export const layerWith = (
  options: Options
): Layer.Layer<LlmService, ConfigError, LlmService | AdmissionRates | DeploymentRegistry> =>
  Service.wrap(
    LlmService,
    Effect.gen(function* () {
      const valid = yield* Field.decode(Options, options, "throttle")
      const deps = { rates: yield* AdmissionRates, registry: yield* DeploymentRegistry, random: yield* uniform }
      return make({ ...deps, events: yield* RouterEvents }, valid)
    })
  )

/** Turns requests away while their group has more to do than it can, with the defaults. */
export const layer: Layer.Layer<LlmService, never, LlmService | AdmissionRates | DeploymentRegistry> = Layer.fresh(
  Layer.orDie(layerWith({}))
)

/** The layer as a concern of a stack. */
export class AdmissionThrottle extends Concern.request({
  name: "throttle",
  about: "Turns requests away while a group has more to do than it can",
  on: false,
  options: Options,
  outside: {
    retry: "what is too much is not tried again",
    queue: "what is too much does not wait"
  },
  inside: { fallback: "what one group has no room for goes to another" },
  state: [Admitted, Registry, TowerEvents],
  make: (options) =>
    Effect.gen(function* () {
      const deps = { rates: yield* AdmissionRates, registry: yield* DeploymentRegistry, random: yield* uniform }
      return make({ ...deps, events: yield* RouterEvents }, options)
    })
}) {}
