/**
 * Takes a deployment out of the selection for a while that fails far more often than its siblings of the same group, after
 * Envoy's outlier detection. The breaker looks at one deployment alone, and bears every second call failing; here it is compared,
 * so that three in ten are too many where the others have none, and none where all have as many: then it is not the
 * deployment. Failures in a row are the breaker's business.
 *
 * A success and a failure count as they do for the breaker. Siblings are compared when an interval has passed and a call
 * ends; who is out returns by itself, and stays out longer each time.
 */
import type { ConfigError } from "@switchyard/core/ConfigError"
import { DeploymentService } from "@switchyard/core/DeploymentService"
import * as Field from "@switchyard/core/Field"
import { LlmError } from "@switchyard/core/LlmError"
import type { Outcome } from "@switchyard/core/Outcome"
import * as Service from "@switchyard/core/Service"
import { type Closed, closed, open } from "@switchyard/core/Status"
import { toMs } from "@switchyard/core/Time"
import { type Context, Effect, Layer } from "effect"
import { type Events, RouterEvents } from "../events/RouterEvents.js"
import { TowerEvents } from "../events/TowerEvents.js"
import * as Concern from "../stack/Concern.js"
import { Compared, Ejections } from "./Ejections.js"
import type { OnEjected, Rule } from "./siblings.js"

/** Options of the layer. */
export const Options = Field.options(
  "Takes out, for a while, a deployment that fails far more often than its siblings of the same group.",
  {
    /** How often siblings are compared. Default 30 seconds. */
    interval: Field.option(Field.duration, "How often siblings are compared.", 30_000),
    /** A deployment with fewer calls in an interval is not compared. Default 20. */
    minimumRequests: Field.option(
      Field.positiveCount,
      "A deployment with fewer calls in an interval is not compared.",
      20
    ),
    /** With fewer deployments to compare nobody is put out. Default 3. */
    minimumHosts: Field.option(Field.positiveCount, "With fewer deployments to compare nobody is put out.", 3),
    /** So many standard deviations below the mean of its siblings is too few successes. Default 1.9. */
    deviations: Field.option(
      Field.positive,
      "So many standard deviations below the mean of its siblings is too few successes.",
      1.9
    ),
    /** How long it is out the first time; the second time in a row twice as long, and so on. Default 30 seconds. */
    duration: Field.option(
      Field.duration,
      "How long it is out the first time; the second time in a row twice as long, and so on.",
      30_000
    ),
    /** The longest that it is out. Default 5 minutes. */
    maxDuration: Field.option(Field.duration, "The longest that it is out.", 300_000),
    /** The most of a group that is out at once, as a share; one may always be, and the last one never is. Default 0.1. */
    maxShare: Field.option(
      Field.fraction,
      "The most of a group that is out at once, as a share; one may always be, and the last one never is.",
      0.1
    )
  }
)
/** Options of the layer. */
export type Options = typeof Options.Type

const defaults = Field.defaults(Options)

/** What the layer works with. */
export interface OutlierEjectionDeps {
  readonly ejections: Context.Tag.Service<Ejections>
  /** Where it is published who is put out. Default: nowhere. */
  readonly events?: Pick<Events, "publish">
}

const ruleOf = (options: Options): Rule => ({
  interval: toMs(options.interval ?? defaults.interval),
  minimumRequests: options.minimumRequests ?? defaults.minimumRequests,
  minimumHosts: options.minimumHosts ?? defaults.minimumHosts,
  deviations: options.deviations ?? defaults.deviations,
  duration: toMs(options.duration ?? defaults.duration),
  maxDuration: toMs(options.maxDuration ?? defaults.maxDuration),
  maxShare: options.maxShare ?? defaults.maxShare
})

/** Whether the call went well; undefined where it says nothing of the deployment. */
const verdict = (outcome: Outcome): boolean | undefined => {
  if (outcome._tag === "Completed") return true
  if (outcome._tag === "Abandoned") return undefined
  return outcome.error.breaker === "counts" || outcome.error.breaker === "trips" ? false : undefined
}

const turnedAway = (deployment: string, until: number, now: number): LlmError =>
  new LlmError({
    reason: "Rejected",
    description: "the deployment fails far more often than its siblings",
    deployment,
    code: "ejected",
    retryAfter: Math.max(0, until - now)
  })

/** The layer, over the figures of the siblings. */
export const make = ({ ejections, events }: OutlierEjectionDeps, options: Options = {}): Service.AttemptLayer => {
  const rule = ruleOf(options)
  const statuses = new WeakMap<object, Closed>()
  const onEjected: OnEjected = (sibling, until, at) => {
    events?.publish({ _tag: "CooldownOpened", at, deployment: sibling.deployment, reason: "ejected", until })
  }
  return Service.bracketAttempt<void>({
    begin: ({ forced, slot }, at) => {
      const { ejectedUntil } = ejections.of(slot)
      return ejectedUntil > at && !forced ? turnedAway(slot.id, ejectedUntil, at) : undefined
    },
    end: (_, outcome, at, { slot }) => {
      const isGood = verdict(outcome)
      if (isGood === undefined) return
      ejections.group(slot.deployment.group).record(ejections.of(slot), isGood, at, rule, onEjected)
    },
    status: (slot, _, now) => {
      const sibling = ejections.of(slot)
      if (sibling.ejectedUntil <= now) return open
      const known = statuses.get(sibling)
      if (known?.until === sibling.ejectedUntil) return known
      const made = closed("ejected", sibling.ejectedUntil)
      statuses.set(sibling, made)
      return made
    }
  })
}

/** Takes out deployments that fail far more often than their siblings. */
export const layerWith = (
  options: Options
): Layer.Layer<DeploymentService, ConfigError, DeploymentService | Ejections> =>
  Service.wrap(
    DeploymentService,
    Effect.gen(function* () {
      const valid = yield* Field.decode(Options, options, "outlierEjection")
      return make({ ejections: yield* Ejections, events: yield* RouterEvents }, valid)
    })
  )

/** Takes out deployments that fail far more often than their siblings, with the defaults. */
export const layer: Layer.Layer<DeploymentService, never, DeploymentService | Ejections> = Layer.fresh(
  Layer.orDie(layerWith({}))
)

/** The layer as a concern of a stack. */
export class OutlierEjection extends Concern.attempt({
  name: "outlierEjection",
  about: "Takes out, for a while, who fails far more often than its siblings",
  on: false,
  options: Options,
  outside: {
    adaptiveConcurrency: "what is out takes no permit",
    limits: "what is out takes no permit",
    timeouts: "an attempt that timed out has failed"
  },
  inside: { cooldown: "what the breaker turns away is no failure" },
  state: [Compared, TowerEvents],
  make: (options) =>
    Effect.gen(function* () {
      return make({ ejections: yield* Ejections, events: yield* RouterEvents }, options)
    })
}) {}
