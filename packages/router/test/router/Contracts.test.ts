/**
 * The contract of a layer, for those whose own tests are about other things: whatever they do, they pass answers on
 * unchanged, give everything back, and end what they began.
 */
import { describe, it } from "@effect/vitest"
import * as Service from "@switchyard/core/Service"
import * as AdmissionQueue from "@switchyard/router/AdmissionQueue"
import * as CallerLimits from "@switchyard/router/CallerLimits"
import * as CallerWindows from "@switchyard/router/CallerWindows"
import * as Deadline from "@switchyard/router/Deadline"
import * as DeploymentRegistry from "@switchyard/router/DeploymentRegistry"
import * as FaultInjection from "@switchyard/router/FaultInjection"
import * as Hedge from "@switchyard/router/Hedge"
import * as Latency from "@switchyard/router/Latency"
import * as LatencyTracker from "@switchyard/router/LatencyTracker"
import * as Limits from "@switchyard/router/Limits"
import * as Patience from "@switchyard/router/Patience"
import * as Retry from "@switchyard/router/Retry"
import * as RetryBudget from "@switchyard/router/RetryBudget"
import * as Timeouts from "@switchyard/router/Timeouts"
import * as Tracing from "@switchyard/router/Tracing"
import * as UsageWindows from "@switchyard/router/UsageWindows"
import * as Contract from "@switchyard/testing/Contract"
import { Effect } from "effect"

/** Makes every request ask for a fault that is none, so that it takes the long way. */
const asking: Service.AttemptLayer = (next) =>
  Service.attempt((attempt) => {
    Object.assign(attempt.request.overrides, { fault: {} })
    return next.call(attempt)
  }, next.status)

/** Names a caller in every request. */
const named: Service.RequestLayer = (next) => Service.request((request) => next.call({ ...request, caller: "alice" }))

/** More than the limits below. */
const calls = 101

const plenty = { rpm: 1_000_000, tpm: 1_000_000_000, maxParallel: 100 }

const attemptLayers: Readonly<Record<string, Effect.Effect<Service.AttemptLayer>>> = {
  FaultInjection: Effect.sync(FaultInjection.make),
  "FaultInjection that is asked for nothing": Effect.sync(() => (next) => asking(FaultInjection.make()(next))),
  Latency: Effect.sync(() => Latency.make(LatencyTracker.make())),
  Limits: Effect.sync(() => Limits.make({ windows: UsageWindows.make() })),
  Timeouts: Effect.sync(() => Timeouts.make({ total: "1 hour" })),
  "the spans of attempts": Effect.succeed(Tracing.attempts),
  "the notes of selections": Effect.succeed(Tracing.selections({ registry: { resolve: () => undefined } }))
}

const requestLayers: Readonly<Record<string, Effect.Effect<Service.RequestLayer, unknown>>> = {
  AdmissionQueue: Effect.map(
    DeploymentRegistry.make({ deployments: [{ id: "stub", group: "m", model: "m" }] }),
    (registry) => AdmissionQueue.make({ registry, windows: UsageWindows.make() })
  ),
  "CallerLimits of nobody": Effect.sync(() =>
    CallerLimits.make({ windows: CallerWindows.make() }, { everyCaller: plenty })
  ),
  CallerLimits: Effect.sync(() => {
    const limits = CallerLimits.make({ windows: CallerWindows.make() }, { everyCaller: plenty })
    return (next) => named(limits(next))
  }),
  Deadline: Effect.sync(() => Deadline.make()),
  "Hedge that waits": Effect.sync(() => Hedge.make({ budget: RetryBudget.unlimited, delay: () => 60_000 })),
  "Patience that never ends": Effect.sync(() => Patience.make({ budget: RetryBudget.unlimited })),
  "Hedge that knows no delay": Effect.sync(() => Hedge.make({ budget: RetryBudget.unlimited, delay: () => undefined })),
  Retry: Effect.sync(() => Retry.make({ budget: RetryBudget.unlimited, random: () => 0.5 })),
  "the spans of requests": Effect.sync(() => Tracing.requests({ captureContent: true })),
  "the notes of refusals": Effect.succeed(Tracing.refusals)
}

for (const [name, layer] of Object.entries(attemptLayers)) {
  describe(`${name} keeps the contract of an attempt-tier layer`, () => {
    const limits = { maxParallel: 100, rpm: 1_000_000, tpm: 1_000_000_000 }
    for (const { check, name } of Contract.attemptLayer(layer, { deployment: limits, calls })) {
      it.effect(name, () => check)
    }
  })
}

for (const [name, layer] of Object.entries(requestLayers)) {
  describe(`${name} keeps the contract of a request-tier layer`, () => {
    for (const { check, name } of Contract.requestLayer(layer, { calls })) it.effect(name, () => check)
  })
}
