import type { DeploymentConfig } from "@switchyard/core/Deployment"
import { LlmError } from "@switchyard/core/LlmError"
import * as LlmRequest from "@switchyard/core/LlmRequest"
import { failed, type Outcome } from "@switchyard/core/Outcome"
import type { Slot } from "@switchyard/core/Slot"
import { closed, open } from "@switchyard/core/Status"
import { Candidates } from "@switchyard/router/Candidates"
import * as DeploymentStats from "@switchyard/router/DeploymentStats"
import * as LatencyTracker from "@switchyard/router/LatencyTracker"
import { type Strategy, type Uniform, uniform } from "@switchyard/router/RoutingStrategy"
import * as StubLlm from "@switchyard/testing/StubLlm"
import { type Context, Effect, Random } from "effect"

/** The generator that a layer built under this seed would have. */
export const seeded = (seed: string): Uniform => Effect.runSync(Effect.withRandom(uniform, Random.make(seed)))

/** Slots `a`, `b`, `c`… with these configurations. */
export const slotsOf = (...configs: ReadonlyArray<Partial<DeploymentConfig>>): ReadonlyArray<Slot> =>
  configs.map((config, i) => StubLlm.slot(String.fromCharCode(97 + i), config))

/** `n` slots without any configuration: `d0`, `d1`… */
export const plainSlots = (n: number): ReadonlyArray<Slot> => Array.from({ length: n }, (_, i) => StubLlm.slot(`d${i}`))

export const request = (
  options: LlmRequest.RequestOptions & { readonly stream?: boolean; readonly body?: Record<string, unknown> } = {}
): LlmRequest.LlmRequest =>
  LlmRequest.chat(
    { model: "m", messages: [{ role: "user", content: "Hi" }], stream: options.stream ?? false, ...options.body },
    options
  )

export interface View {
  readonly isClosed?: (slot: Slot) => boolean
  readonly request?: LlmRequest.LlmRequest
  readonly now?: number
  /** Told each time that a status is asked. */
  readonly onStatus?: () => void
}

export const candidatesOf = (slots: ReadonlyArray<Slot>, view: View = {}): Candidates =>
  new Candidates(
    "m",
    slots,
    view.request ?? request(),
    view.now ?? 0,
    (slot) => {
      view.onStatus?.()
      return view.isClosed?.(slot) === true ? closed("cooldown", 1) : open
    },
    []
  )

/** The id that a strategy chooses; undefined when it chooses none. */
export const choose = (strategy: Strategy, slots: ReadonlyArray<Slot>, view: View = {}): string | undefined => {
  const candidates = candidatesOf(slots, view)
  const index = strategy.select(candidates)
  return index === -1 ? undefined : candidates.at(index).id
}

/** How often each slot is chosen in `n` selections. */
export const tally = (
  strategy: Strategy,
  slots: ReadonlyArray<Slot>,
  n: number,
  view: View = {}
): ReadonlyArray<number> => {
  const counts = slots.map(() => 0)
  const candidates = candidatesOf(slots, view)
  for (let i = 0; i < n; i++) {
    const index = strategy.select(candidates)
    if (index !== -1) counts[index] = (counts[index] ?? 0) + 1
  }
  return counts
}

/** Pearson's statistic of counts against expected shares; a share of 0 must have no count. */
export const chiSquare = (counts: ReadonlyArray<number>, shares: ReadonlyArray<number>): number => {
  const n = counts.reduce((a, b) => a + b, 0)
  const total = shares.reduce((a, b) => a + b, 0)
  return counts.reduce((sum, count, i) => {
    const expected = (n * (shares[i] ?? 0)) / total
    if (expected === 0) return count === 0 ? sum : Number.POSITIVE_INFINITY
    return sum + (count - expected) ** 2 / expected
  }, 0)
}

/** Above this the counts of `k` classes are not what was expected, but once in about 100,000 (Wilson–Hilferty). */
export const chiSquareLimit = (k: number): number => {
  const df = k - 1
  return df * (1 - 2 / (9 * df) + 4.27 * Math.sqrt(2 / (9 * df))) ** 3
}

export const completed = (duration: number, outputTokens = 5, timeToFirstToken = duration): Outcome => ({
  _tag: "Completed",
  usage: { inputTokens: 10, outputTokens, cachedInputTokens: 0, reasoningTokens: 0, estimated: false },
  timeToFirstToken,
  duration
})

/** What the last minute used. */
export interface Use {
  tokens: number
  requests: number
  headroom: number
}

/** Slots whose windows say what the entries say; `used` may be changed. */
export const withUsage = (entries: ReadonlyArray<Partial<DeploymentConfig> & Partial<Use>>) => {
  const slots = slotsOf(...entries.map(({ headroom: _h, requests: _r, tokens: _t, ...config }) => config))
  const nothing: Use = { tokens: 0, requests: 0, headroom: 1 }
  const used = new Map<string, Use>(slots.map((slot, i) => [slot.id, { ...nothing, ...entries[i] }]))
  return { slots, used, windows: { usage: (slot: Slot): Use => used.get(slot.id) ?? nothing } }
}

/** A deployment's failure that says something of it. */
export const refused: Outcome = failed(new LlmError({ reason: "Unavailable", description: "refused" }))

/** What one call meets in a simulation: how long it takes, and how it ends. */
interface Fate {
  readonly takes: number
  readonly fails?: boolean
  /** Of streams: ms to the first token. */
  readonly first?: number
}

/** What both layers around the strategy write, in virtual time, as Balancer and Latency do. */
export interface Simulation {
  readonly slots: ReadonlyArray<Slot>
  readonly tracker: Context.Tag.Service<LatencyTracker.LatencyTracker>
  readonly stats: Context.Tag.Service<DeploymentStats.DeploymentStats>
  /** Sends calls at these times; gives back the id that each was sent to. */
  readonly run: (
    arrivals: ReadonlyArray<number>,
    fate: (id: string, now: number) => Fate,
    onChosen?: (slot: Slot, now: number) => void
  ) => ReadonlyArray<string>
}

/** A simulation of one strategy; its time goes on from one `run` to the next. Answers to streams have 100 tokens. */
export const simulate = (
  slots: ReadonlyArray<Slot>,
  make: (deps: Pick<Simulation, "tracker" | "stats">) => Strategy,
  stream = false
): Simulation => {
  const asked = request({ stream })
  const tracker = LatencyTracker.make()
  const stats = DeploymentStats.make()
  const strategy = make({ tracker, stats })
  const pending: Array<{ readonly at: number; readonly end: () => void }> = []
  const endUntil = (now: number) => {
    pending.sort((a, b) => b.at - a.at)
    for (
      let next = pending[pending.length - 1];
      next !== undefined && next.at <= now;
      next = pending[pending.length - 1]
    ) {
      pending.pop()
      next.end()
    }
  }
  return {
    slots,
    tracker,
    stats,
    run: (arrivals, fate, onChosen) =>
      arrivals.map((now) => {
        endUntil(now)
        const index = strategy.select(candidatesOf(slots, { now, request: asked }))
        const slot = slots[index]
        if (slot === undefined) return "none"
        onChosen?.(slot, now)
        const figures = stats.of(slot)
        DeploymentStats.started(figures, now)
        const tracked = tracker.begin(slot, stream, now)
        const { fails, first, takes } = fate(slot.id, now)
        const outcome = fails === true ? refused : stream ? completed(takes, 100, first) : completed(takes)
        if (first !== undefined) pending.push({ at: now + first, end: () => tracked.answered(now + first) })
        const end = () => {
          tracked.settled(outcome, now + takes)
          DeploymentStats.settled(figures, outcome)
        }
        pending.push({ at: now + takes, end })
        return slot.id
      })
  }
}

/** The share of an id among ids. */
export const shareOf = (id: string, ids: ReadonlyArray<string>): number =>
  ids.filter((other) => other === id).length / ids.length

/** Times from `from` to `to`, every `step` ms. */
export const every = (step: number, from: number, to: number): ReadonlyArray<number> =>
  Array.from({ length: Math.floor((to - from) / step) }, (_, i) => from + i * step)
