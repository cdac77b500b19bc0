/**
 * What one selection costs, the status filter included, by strategy and by size of the group.
 */
import * as LlmRequest from "@switchyard/core/LlmRequest"
import type { AttemptService } from "@switchyard/core/Service"
import * as Slot from "@switchyard/core/Slot"
import * as Status from "@switchyard/core/Status"
import { Candidates } from "@switchyard/router/Candidates"
import * as DeploymentStats from "@switchyard/router/DeploymentStats"
import * as LatencyTracker from "@switchyard/router/LatencyTracker"
import * as PriceBook from "@switchyard/router/PriceBook"
import { type Strategy, uniform } from "@switchyard/router/RoutingStrategy"
import * as CostBased from "@switchyard/router/RoutingStrategy/CostBased"
import * as LatencyBased from "@switchyard/router/RoutingStrategy/LatencyBased"
import * as LeastBusy from "@switchyard/router/RoutingStrategy/LeastBusy"
import * as Ordered from "@switchyard/router/RoutingStrategy/Ordered"
import * as PeakEwma from "@switchyard/router/RoutingStrategy/PeakEwma"
import * as PriorityBased from "@switchyard/router/RoutingStrategy/PriorityBased"
import * as RateLimitAware from "@switchyard/router/RoutingStrategy/RateLimitAware"
import * as RoundRobin from "@switchyard/router/RoutingStrategy/RoundRobin"
import * as SimpleShuffle from "@switchyard/router/RoutingStrategy/SimpleShuffle"
import * as Sticky from "@switchyard/router/RoutingStrategy/Sticky"
import * as UsageBased from "@switchyard/router/RoutingStrategy/UsageBased"
import * as UsageWindows from "@switchyard/router/UsageWindows"
import * as StubLlm from "@switchyard/testing/StubLlm"
import { Effect, Random } from "effect"
import { isShort, measure, print, type Subject } from "./harness.js"

/** Two layers' answers over cells, as breaker and limits give theirs. */
const statusOf = (): AttemptService["status"] => {
  const breaker = Slot.key("bench/breaker", () => ({ status: Status.open as Status.Status }))
  const limits = Slot.key("bench/limits", () => ({ status: Status.open as Status.Status, until: 0 }))
  const inner: AttemptService["status"] = (slot, _, now) => {
    const cell = slot.get(limits)
    return cell.until > now ? cell.status : Status.open
  }
  return (slot, request, now) => Status.worst(slot.get(breaker).status, inner(slot, request, now))
}

/** A group of `size` deployments in the middle of their work: some latency, some calls in flight, some tokens used. */
const strategiesFor = (size: number) => {
  const random = Effect.runSync(Effect.withRandom(uniform, Random.make("selection bench")))
  const slots = Array.from({ length: size }, (_, i) =>
    StubLlm.slot(`deployment-${i}`, {
      weight: 1 + (i % 3),
      rpm: 100 + (i % 7),
      tpm: 10_000 + (i % 11),
      priority: i % 5,
      inputPrice: 1 + (i % 13),
      outputPrice: 2
    })
  )
  const stats = DeploymentStats.make()
  const tracker = LatencyTracker.make()
  const windows = UsageWindows.make()
  slots.forEach((slot, i) => {
    stats.of(slot).inFlight = i % 4
    Effect.runSync(windows.reserve(slot, (i * 37) % 9_000, 0))
    const duration = 200 + ((i * 131) % 997)
    const usageOfCall = { inputTokens: 10, outputTokens: 5, cachedInputTokens: 0, reasoningTokens: 0, estimated: false }
    tracker
      .begin(slot, false, 0)
      .settled({ _tag: "Completed", usage: usageOfCall, timeToFirstToken: duration, duration }, duration)
  })
  const request = LlmRequest.chat(
    { model: "m", messages: [{ role: "user", content: "Which way?" }] },
    { sessionKey: "session" }
  )
  const candidates = new Candidates("m", slots, request, 2_000, statusOf(), [])
  const strategies: ReadonlyArray<Strategy> = [
    PeakEwma.make({ tracker, stats, random }),
    RoundRobin.make(),
    SimpleShuffle.make({ random }),
    Ordered.make(),
    PriorityBased.make({ random }),
    LeastBusy.make({ stats, random }),
    UsageBased.make({ windows, random }),
    RateLimitAware.make({ windows, random }),
    LatencyBased.make({ tracker, stats, random }, { buffer: 0.1 }),
    CostBased.make({ prices: PriceBook.make(), random }),
    Sticky.make({ random })
  ]
  return { candidates, strategies }
}

const subjects = (size: number): ReadonlyArray<Subject> => {
  const { candidates, strategies } = strategiesFor(size)
  return strategies.map((strategy) => ({
    name: strategy.name,
    run: (n) =>
      Effect.sync(() => {
        for (let i = 0; i < n; i++) strategy.select(candidates)
      })
  }))
}

/** Prints µs per selection for every strategy, for groups of 2 to 10,000. */
export const run = async (): Promise<void> => {
  for (const size of isShort ? [2, 1_000] : [2, 10, 100, 1_000, 10_000]) {
    const repetitions = Math.max(50, Math.floor((isShort ? 100_000 : 1_000_000) / size))
    print(`selection among ${size}`, "µs each", await measure(subjects(size), Math.min(repetitions, 100_000)))
  }
}
