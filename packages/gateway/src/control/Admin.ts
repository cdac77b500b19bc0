/**
 * What operators see and do: every deployment with its state, the configuration in force without its secrets, and the hand
 * that takes a deployment out and puts it back.
 */
import type { Slot } from "@switchyard/core/Slot"
import { isOverridable, type Status } from "@switchyard/core/Status"
import { nowMs } from "@switchyard/core/Time"
import type { Health } from "@switchyard/ledger/Health"
import { CooldownState, type Inspection } from "@switchyard/router/CooldownState"
import { DeploymentRegistry } from "@switchyard/router/DeploymentRegistry"
import { DeploymentStats } from "@switchyard/router/DeploymentStats"
import { LatencyTracker } from "@switchyard/router/LatencyTracker"
import { SpendWindows } from "@switchyard/router/SpendWindows"
import { told } from "@switchyard/router/Stack"
import { UsageWindows } from "@switchyard/router/UsageWindows"
import { type Clock, Context, Duration, Effect } from "effect"
import type * as Views from "../api/AdminViews.js"
import type { Generation, Generations } from "../generations/Generations.js"
import type { EventLog } from "../log/EventLog.js"
import { mask, secretsOf } from "../log/masking.js"
import { answerTimes } from "./answerTimes.js"

/** A deployment's state in one word. `unknown`: no call so far. `limited`: healthy, but a limit is used up. */
export type State = Views.State

/** Why a deployment takes no calls, and for how many more ms; null when nobody knows. */
export type Block = Views.Block

/** One deployment as `/admin/deployments` shows it. Plain JSON; null means that nobody knows, or that there is none. */
export type DeploymentView = Views.DeploymentView

/** Where the views come from. */
export interface AdminDeps {
  readonly eventLog: EventLog
}

const remaining = (until: number | undefined, now: number): number | null =>
  until === undefined || !Number.isFinite(until) ? null : Math.max(0, Math.round(until - now))

const hostOf = (url: string | undefined): string | null =>
  url !== undefined && URL.canParse(url) ? new URL(url).host : null

const stateOf = ({ blockedBy, health, isolated }: Inspection, limit: Status): State => {
  if (isolated) return "isolated"
  if (blockedBy === "unhealthy") return "unhealthy"
  if (blockedBy === "cooldown" || blockedBy === "retryAfter" || blockedBy === "outage") return "cooldown"
  if (health === "Degraded" || health === "Unhealthy" || health === "Cooldown") return "degraded"
  if (limit._tag !== "Open") return "limited"
  return health === "Unknown" ? "unknown" : "healthy"
}

const spendOf = (slot: Slot, { source, tower }: Generation, now: number): DeploymentView["spend"] => {
  const limit = told(source.config.router.spendLimits)?.deployments?.[slot.id]
  if (limit === undefined) return null
  const length = Duration.toMillis(limit.window)
  const window = Context.get(tower.state, SpendWindows).window("deployment", slot.id, length, now)
  return { used: window.used(now), limit: limit.limit }
}

/** What keeps a deployment closed; one that is alone in its group is asked all the same where failures alone do. */
const cooldownOf = (
  slot: Slot,
  { blockedBy, reason, until }: Inspection,
  cooldowns: Context.Tag.Service<CooldownState>,
  isAlone: boolean,
  now: number
): DeploymentView["cooldown"] =>
  blockedBy === undefined || blockedBy === "isolated"
    ? null
    : {
        reason: blockedBy,
        remainingMs: remaining(until, now),
        cause: reason ?? null,
        lastResort: isAlone && isOverridable(cooldowns.status(slot, now), now)
      }

/** Groups of one deployment. */
const groupsOfOne = ({ tower }: Generation): ReadonlySet<string> => {
  const found = new Set<string>()
  const others = new Set<string>()
  for (const { deployment } of Context.get(tower.state, DeploymentRegistry).slots()) {
    if (found.delete(deployment.group)) others.add(deployment.group)
    else if (!others.has(deployment.group)) found.add(deployment.group)
  }
  return found
}

const viewOf = (
  slot: Slot,
  generation: Generation,
  deps: AdminDeps,
  clock: Clock.Clock,
  alone: ReadonlySet<string>
): DeploymentView => {
  const { state } = generation.tower
  const now = nowMs(clock)
  const wallNow = clock.unsafeCurrentTimeMillis()
  const { baseUrl, group, id, maxParallel, model, provider, rpm, tags, tpm, weight } = slot.deployment
  const cooldowns = Context.get(state, CooldownState)
  const inspection = cooldowns.inspect(slot, now)
  const stats = Context.get(state, DeploymentStats).of(slot)
  const latency = Context.get(state, LatencyTracker).of(slot)
  const windows = Context.get(state, UsageWindows)
  const limit = windows.status(slot, 1, now)
  return {
    id,
    group,
    provider,
    model,
    host: hostOf(baseUrl),
    weight: weight ?? null,
    tags,
    state: stateOf(inspection, limit),
    isolated: inspection.isolated,
    cooldown: cooldownOf(slot, inspection, cooldowns, alone.has(group), now),
    limitedBy: limit._tag === "Open" ? null : { reason: limit.reason, remainingMs: remaining(limit.until, now) },
    rampFactor: inspection.rampFactor,
    stream: answerTimes(latency, true, now),
    plain: answerTimes(latency, false, now),
    inFlight: stats.inFlight,
    requests: stats.requests,
    successes: stats.successes,
    failures: stats.failures,
    blameless: stats.blameless,
    abandoned: stats.abandoned,
    tokens: stats.tokens,
    lastMinute: {
      requests: stats.lastMinute.requests(now),
      failures: stats.lastMinute.failures(now),
      tokens: stats.lastMinute.tokens(now)
    },
    limits: { rpm: rpm ?? null, tpm: tpm ?? null, maxParallel: maxParallel ?? null },
    // To ask for the usage of a deployment that nobody counts would begin to count it, and make its calls dearer.
    headroom: windows.counts(slot) ? Math.round(windows.usage(slot, now).headroom * 1000) / 1000 : null,
    spend: spendOf(slot, generation, now),
    lastErrors: deps.eventLog.errorsOf(id).map((error) => ({ ...error, ageMs: Math.max(0, wallNow - error.at) })),
    lastError: stats.lastError ?? null,
    lastRequestAgeMs: stats.lastRequestAt === undefined ? null : Math.max(0, Math.round(now - stats.lastRequestAt))
  }
}

/** All deployments of a generation, in the order of the configuration. */
export const deployments = (
  generation: Generation,
  deps: AdminDeps,
  clock: Clock.Clock
): ReadonlyArray<DeploymentView> => {
  const alone = groupsOfOne(generation)
  return Context.get(generation.tower.state, DeploymentRegistry)
    .slots()
    .map((slot) => viewOf(slot, generation, deps, clock, alone))
}

/** What may be done to a deployment by hand. `reset` ends a cooldown, and nothing else. */
export const actions = ["isolate", "release", "reset"] as const
/** What may be done to a deployment by hand. */
export type Action = (typeof actions)[number]

/** Does it, and shows the deployment as it is then; undefined for an id that is not in the configuration. */
export const act = (
  action: Action,
  id: string,
  generation: Generation,
  deps: AdminDeps
): Effect.Effect<DeploymentView | undefined> =>
  Effect.clockWith((clock) => {
    const { state } = generation.tower
    const slot = Context.get(state, DeploymentRegistry).slot(id)
    if (slot === undefined) return Effect.succeed(undefined)
    return Effect.map(Context.get(state, CooldownState)[action](slot), () =>
      viewOf(slot, generation, deps, clock, groupsOfOne(generation))
    )
  })

/** The place has no password in it; what the store says of itself may have one that nobody thought of. */
const ledgerView = ({ awaySince, engine, error, lost, place, state, waitingBytes }: Health) => ({
  engine,
  place,
  state,
  error: error?.message ?? null,
  awaySince: awaySince ?? null,
  waitingBytes,
  lostRecords: lost
})

/** The configuration in force, as `/admin/config` shows it: no secret, wherever it stands. */
export const config = (generations: Context.Tag.Service<Generations>, lostLogLines = 0, ledger?: Health): unknown => {
  const { installedAt, number, source } = generations.current()
  const shown = {
    generation: number,
    installedAt,
    files: source.files ?? [],
    problems: source.problems ?? [],
    lastRefusal: generations.lastRefusal() ?? null,
    lostLogLines,
    ledger: ledger === undefined ? null : ledgerView(ledger),
    config: source.display ?? source.config
  }
  return mask(shown, secretsOf(source.config))
}
