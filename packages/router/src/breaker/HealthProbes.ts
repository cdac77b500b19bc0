/**
 * Background health probes: each deployment is asked from time to time whether it lives, and taken out while it does not.
 * What probes find is a flag of its own beside the breaker: no call clears it, and no probe ends a cooldown. Off unless an
 * interval is set: a probe of a language model costs tokens.
 */

import { Attempt } from "@switchyard/core/Attempt"
import * as Background from "@switchyard/core/Background"
import type { ConfigError } from "@switchyard/core/ConfigError"
import { DeploymentService } from "@switchyard/core/DeploymentService"
import * as Field from "@switchyard/core/Field"
import { LlmError } from "@switchyard/core/LlmError"
import * as LlmRequest from "@switchyard/core/LlmRequest"
import * as Outcome from "@switchyard/core/Outcome"
import type { AttemptService } from "@switchyard/core/Service"
import type { Slot } from "@switchyard/core/Slot"
import { nowMs, withNow } from "@switchyard/core/Time"
import { type Cause, Context, Effect, Layer, Schema, type Scope } from "effect"
import { DeploymentRegistry, Registry } from "../registry/DeploymentRegistry.js"
import * as Concern from "../stack/Concern.js"
import * as State from "../stack/State.js"
import { type Breaker, Breakers, CooldownState } from "./CooldownState.js"

/** Options of the probes. Durations are ms, a `Duration`, or text like "30 seconds". */
export const Options = Field.options(
  "Background health probes. Off unless an interval is set: a probe of a language model costs tokens.",
  {
    /** From the end of one round to the begin of the next; the first begins at once. Unset: no probes at all. */
    interval: Field.option(
      Field.duration,
      "From the end of one round to the begin of the next; the first begins at once. Unset: no probes at all."
    ),
    /** A probe that takes longer has failed. Default 10 seconds. */
    timeout: Field.option(Field.duration, "A probe that takes longer has failed.", 10_000),
    /** Failed probes in a row that take a deployment out. Default 3. */
    unhealthyThreshold: Field.option(Field.positiveCount, "Failed probes in a row that take a deployment out.", 3),
    /** Good probes in a row that let it back in. Default 2. */
    healthyThreshold: Field.option(Field.positiveCount, "Good probes in a row that let it back in.", 2),
    /** Probes at a time. Default 4. */
    concurrency: Field.option(Field.positiveCount, "Probes at a time.", 4),
    /** The ids of the deployments to probe. Unset: all. */
    deployments: Field.option(Schema.Array(Field.text), "The ids of the deployments to probe. Unset: all.")
  }
)
/** Options of the probes. */
export type Options = typeof Options.Type

/** What an option is when it is left out; there is no default interval. */
export const defaults = Field.defaults(Options)

/** Asks a deployment whether it lives. An error that says nothing about the deployment is no answer, neither good nor bad. */
export type Probe = (slot: Slot) => Effect.Effect<void, LlmError>

/** What the probes work with. */
export interface HealthProbesDeps {
  readonly state: Context.Tag.Service<CooldownState>
  readonly registry: Context.Tag.Service<DeploymentRegistry>
  readonly probe: Probe
  /** What probes found so far. Given by those that probed before, it is taken over, and they stop. Default: nothing. */
  readonly findings?: Findings
}

interface Streak {
  failures: number
  successes: number
}

/** What probes found out, for those that take over from them. At each time one `run` owns it. */
export interface Findings {
  /** By deployment id. */
  readonly streaks: Map<string, Streak>
  /** The breakers of the deployments that were taken out, by deployment id. */
  readonly raised: Map<string, Breaker>
  owner: object | undefined
}

/** Nothing found yet. */
export const findings = (): Findings => ({ streaks: new Map(), raised: new Map(), owner: undefined })

const timedOut = new LlmError({ reason: "Timeout", description: "the health probe took too long", phase: "total" })

/** A provider that limits the rate is alive, and a request that it does not understand says nothing. */
const isFailure = (error: LlmError): boolean => error.breaker !== "neutral" && error.reason !== "RateLimited"

/** Said by a provider that is there, though not to this: enough for one that was gone. */
const isLife = (error: LlmError): boolean => error.status !== undefined && !isFailure(error)

/**
 * Probes until the scope ends, and then takes back every flag that is up, unless others have taken over the findings. When
 * no interval is set it only takes back the flags in the findings that it was given.
 */
export const run = (deps: HealthProbesDeps, options: Options = {}): Effect.Effect<void, never, Scope.Scope> => {
  const { interval } = options
  const { probe, registry, state } = deps
  const known = deps.findings ?? findings()
  const { raised, streaks } = known
  const timeout = options.timeout ?? defaults.timeout
  const unhealthyThreshold = options.unhealthyThreshold ?? defaults.unhealthyThreshold
  const healthyThreshold = options.healthyThreshold ?? defaults.healthyThreshold
  const concurrency = options.concurrency ?? defaults.concurrency
  const chosen = options.deployments === undefined ? undefined : new Set<string>(options.deployments)
  const self = {}

  const streakOf = (slot: Slot): Streak => {
    const streak = streaks.get(slot.id) ?? { failures: 0, successes: 0 }
    streaks.set(slot.id, streak)
    return streak
  }

  const succeeded = (slot: Slot, now: number): void => {
    if (known.owner !== self) return
    const streak = streakOf(slot)
    streak.failures = 0
    streak.successes++
    if (streak.successes < healthyThreshold) return
    raised.delete(slot.id)
    state.of(slot).probeRecovered(now)
  }

  const failed = (slot: Slot, error: LlmError, now: number): void => {
    // Who refuses every probe, as a model of pictures does, would else be out for ever.
    if (raised.has(slot.id) && isLife(error)) return succeeded(slot, now)
    if (known.owner !== self || !isFailure(error)) return
    const streak = streakOf(slot)
    streak.successes = 0
    streak.failures++
    if (streak.failures < unhealthyThreshold) return
    const breaker = state.of(slot)
    raised.set(slot.id, breaker)
    breaker.probeFailed(error.reason, now)
  }

  const probeOne = (slot: Slot): Effect.Effect<void> =>
    Effect.suspend(() => probe(slot)).pipe(
      Effect.timeoutFail({ duration: timeout, onTimeout: () => timedOut }),
      Effect.matchCauseEffect({
        onSuccess: () => withNow((now) => Effect.sync(() => succeeded(slot, now))),
        onFailure: (cause) => {
          const outcome = Outcome.fromCause(cause)
          return outcome._tag === "Abandoned"
            ? Effect.failCause(cause as Cause.Cause<never>)
            : withNow((now) => Effect.sync(() => failed(slot, outcome.error, now)))
        }
      })
    )

  /** Nobody asks after a deployment that is no longer probed, so nothing may keep it out. */
  const lower = (isProbed: (id: string) => boolean): Effect.Effect<void> =>
    withNow((now) =>
      Effect.sync(() => {
        if (known.owner !== self) return
        for (const id of streaks.keys()) if (!isProbed(id)) streaks.delete(id)
        for (const [id, breaker] of raised) {
          if (isProbed(id)) continue
          raised.delete(id)
          breaker.probeRecovered(now)
        }
      })
    )

  const round = Effect.suspend(() => {
    const slots = registry.slots().filter((slot) => chosen === undefined || chosen.has(slot.id))
    const ids = new Set<string>(slots.map((slot) => slot.id))
    return Effect.zipRight(
      lower((id) => ids.has(id)),
      Effect.forEach(slots, probeOne, { concurrency, discard: true })
    )
  })

  const takeOver = Effect.sync(() => {
    known.owner = self
  })
  if (interval === undefined) {
    return Effect.zipRight(
      takeOver,
      lower(() => false)
    )
  }

  const rounds: Effect.Effect<void> = Effect.suspend(() =>
    known.owner === self ? Effect.zipRight(Effect.zipRight(round, Effect.sleep(interval)), rounds) : Effect.void
  )
  return takeOver.pipe(
    Effect.zipRight(Effect.addFinalizer(() => lower(() => false))),
    Effect.zipRight(Background.run(rounds)),
    Effect.asVoid
  )
}

/** OpenAI's later models refuse fewer. */
const fewestTokens = 16

/**
 * The default probe: a chat request for a few tokens, sent through `service`. Give it the service below the breaker; one above
 * would be turned away by the very state that it should mend. A deployment whose model name has a wildcard has no model
 * of its own to ask for, and passes.
 */
export const chat =
  (service: AttemptService): Probe =>
  (slot) =>
    slot.deployment.model.includes("*")
      ? Effect.void
      : Effect.clockWith((clock) => {
          const now = nowMs(clock)
          const messages = [{ role: "user", content: "ping" }]
          const body = { model: slot.deployment.group, messages, max_tokens: fewestTokens }
          const attempt = new Attempt(1, LlmRequest.begin(LlmRequest.chat(body), now), slot, now, false, false)
          return Effect.ensuring(
            Effect.asVoid(service.call(attempt)),
            Effect.sync(() => attempt.release())
          )
        })

/** Runs the probes with a probe of your own. */
export const layer = (
  probe: Probe,
  options: Options = {}
): Layer.Layer<never, ConfigError, CooldownState | DeploymentRegistry> =>
  Layer.fresh(
    Layer.scopedDiscard(
      Effect.gen(function* () {
        const valid = yield* Field.decode(Options, options, "healthProbes")
        yield* run({ state: yield* CooldownState, registry: yield* DeploymentRegistry, probe }, valid)
      })
    )
  )

/**
 * Runs the probes with short chat requests through the attempt-tier service that it stands around, which it leaves as
 * it is. It belongs directly inside the Cooldown layer.
 */
export const layerChatWith = (
  options: Options
): Layer.Layer<DeploymentService, ConfigError, DeploymentService | CooldownState | DeploymentRegistry> =>
  Layer.fresh(
    Layer.scoped(
      DeploymentService,
      Effect.gen(function* () {
        const valid = yield* Field.decode(Options, options, "healthProbes")
        const service = yield* DeploymentService
        yield* run({ state: yield* CooldownState, registry: yield* DeploymentRegistry, probe: chat(service) }, valid)
        return service
      })
    )
  )

/** Runs the probes with short chat requests through the attempt-tier service that it stands around, which it leaves as it is, with the defaults. */
export const layerChat: Layer.Layer<DeploymentService, never, DeploymentService | CooldownState | DeploymentRegistry> =
  Layer.fresh(Layer.orDie(layerChatWith({})))

/** What probes of a tower found. */
export class ProbeFindings extends Context.Tag("@switchyard/router/ProbeFindings")<ProbeFindings, Findings>() {}

/** What health probes found out. */
export class Probed extends State.make({
  name: "probed",
  tag: ProbeFindings,
  layer: () => Layer.sync(ProbeFindings, findings)
}) {}

/** The probes as a concern of a stack: they ask the base service, below the breaker that they mend. */
export class HealthProbes extends Concern.beside({
  name: "healthProbes",
  about: "Asks deployments now and then whether they live",
  options: Options,
  state: [Probed, Breakers, Registry],
  make: (options) =>
    Effect.gen(function* () {
      const probe = chat(yield* DeploymentService)
      const state = yield* CooldownState
      yield* run({ state, registry: yield* DeploymentRegistry, probe, findings: yield* ProbeFindings }, options)
    })
}) {}
