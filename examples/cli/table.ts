/**
 * The live table of the demo on a terminal, and its progress lines elsewhere.
 */
import * as Time from "@switchyard/core/Time"
import { CooldownState } from "@switchyard/router/CooldownState"
import { DeploymentRegistry } from "@switchyard/router/DeploymentRegistry"
import { DeploymentStats } from "@switchyard/router/DeploymentStats"
import { LatencyTracker } from "@switchyard/router/LatencyTracker"
import type { RouterEvent } from "@switchyard/router/RouterEvents"
import Table from "cli-table3"
import { Effect } from "effect"

/** Retries by deployment, which only the results know. */
export type Retries = ReadonlyMap<string, number>

const ms = (value: number | undefined): string => (value === undefined ? "–" : `${Math.round(value)} ms`)

/** The table as it stands now. */
export const draw = (
  retries: Retries
): Effect.Effect<string, never, DeploymentRegistry | DeploymentStats | CooldownState | LatencyTracker> =>
  Effect.gen(function* () {
    const registry = yield* DeploymentRegistry
    const stats = yield* DeploymentStats
    const cooldowns = yield* CooldownState
    const latencies = yield* LatencyTracker
    const now = yield* Time.now
    const table = new Table({
      head: ["deployment", "state", "in flight", "EMA", "p95", "ok", "failed", "retries", "cooldown left"],
      style: { head: [], border: [] },
      colAligns: ["left", "left", "right", "right", "right", "right", "right", "right", "right"]
    })
    for (const slot of registry.slots()) {
      const figures = stats.of(slot)
      const breaker = cooldowns.inspect(slot, now)
      const latency = latencies.of(slot)
      table.push([
        slot.id,
        breaker.health,
        figures.inFlight,
        ms(latency.duration(now)),
        ms(latency.quantile(0.95, false, now)),
        figures.successes,
        figures.failures,
        retries.get(slot.id) ?? 0,
        breaker.until === undefined ? "" : ms(Math.max(0, breaker.until - now))
      ])
    }
    return table.toString()
  })

const lines = (text: string): number => text.split("\n").length

/** A painter that draws over what it drew before. */
export const painter = (write: (text: string) => void): ((text: string) => void) => {
  let height = 0
  return (text) => {
    write(height === 0 ? `${text}\n` : `\u001b[${height}A\u001b[0J${text}\n`)
    height = lines(text)
  }
}

/** An event worth a line of its own; undefined for the rest. */
export const eventLine = (event: RouterEvent): string | undefined => {
  switch (event._tag) {
    case "CooldownOpened":
      return `  breaker of ${event.deployment} opened (${event.reason})`
    case "CooldownHalfOpen":
      return `  breaker of ${event.deployment} is half-open: one probe at a time`
    case "CooldownClosed":
      return `  breaker of ${event.deployment} closed: it is back`
    default:
      return undefined
  }
}
