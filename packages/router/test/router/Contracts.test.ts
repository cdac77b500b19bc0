/**
 * The contract of a layer, over every concern of the standard stack as a tower makes it, so that none can be forgotten:
 * whatever they do, they pass answers on unchanged, give everything back, and end what they began.
 */
import { describe, it } from "@effect/vitest"
import * as Service from "@switchyard/core/Service"
import * as CallerLimits from "@switchyard/router/CallerLimits"
import * as CallerWindows from "@switchyard/router/CallerWindows"
import * as Concern from "@switchyard/router/Concern"
import * as FaultInjection from "@switchyard/router/FaultInjection"
import * as Hedge from "@switchyard/router/Hedge"
import * as RetryBudget from "@switchyard/router/RetryBudget"
import * as Router from "@switchyard/router/Router"
import * as Tracing from "@switchyard/router/Tracing"
import * as Contract from "@switchyard/testing/Contract"
import { cases } from "@switchyard/testing/Effort"
import * as StubLlm from "@switchyard/testing/StubLlm"
import { type Context, Effect } from "effect"

/** More than the limits below. */
const calls = 21

const plenty = { rpm: 1_000_000, tpm: 1_000_000_000, maxParallel: 20 }

/** Each layer's own test tries all of them. */
const schedules = cases(200)

/** What concerns are told that would have nothing to do without. */
const told: Readonly<Record<string, object>> = {
  hedge: { delay: "1 minute" },
  callerLimits: { everyCaller: plenty },
  callerBudget: { everyCaller: { limit: 1000, window: "1 day" } },
  spendLimits: { deployments: { stub: { limit: 1000, window: "1 day" } } },
  timeouts: { total: "1 hour" }
}

/** What a concern may do that a layer usually may not. */
const allowed: Readonly<Record<string, Contract.ContractOptions>> = { cache: { mayAnswerItself: true } }

type AnyConcern = (typeof Router.standard)["concerns"][number]

/** The layer of a concern, with the state of a tower of its own. */
const layerOf = <L extends Service.AttemptLayer | Service.RequestLayer>({ key, make, options }: AnyConcern) =>
  Effect.gen(function* () {
    const deployments = [{ id: "stub", group: "m", model: "m" }]
    const tower = yield* Router.make({ deployments }, StubLlm.make().attempts)
    const given: unknown = make(options === Concern.flag ? true : (told[key] ?? {}))
    const layer = Effect.isEffect(given)
      ? yield* Effect.provide(given as Effect.Effect<L | undefined>, tower.state as Context.Context<never>)
      : (given as L | undefined)
    return layer ?? (((next: unknown) => next) as L)
  })

for (const concern of Router.standard.concerns) {
  const options = { calls, schedules, deployment: plenty, ...allowed[concern.id] }
  const checks =
    concern.tier === "attempt"
      ? Contract.attemptLayer(layerOf<Service.AttemptLayer>(concern), options)
      : concern.tier === "request"
        ? Contract.requestLayer(layerOf<Service.RequestLayer>(concern), options)
        : []
  if (checks.length === 0) continue
  describe(`the concern ${concern.id} keeps the contract of its tier`, () => {
    for (const { check, name } of checks) it.effect(name, () => check)
  })
}

/** Makes every request ask for a fault that is none, so that it takes the long way. */
const asking: Service.AttemptLayer = (next) =>
  Service.attempt((attempt) => {
    Object.assign(attempt.request.overrides, { fault: {} })
    return next.call(attempt)
  }, next.status)

/** Names a caller in every request. */
const named: Service.RequestLayer = (next) => Service.request((request) => next.call({ ...request, caller: "alice" }))

const requestLayers: Readonly<Record<string, Effect.Effect<Service.RequestLayer>>> = {
  "CallerLimits of a caller": Effect.sync(() => {
    const limits = CallerLimits.make({ windows: CallerWindows.make() }, { everyCaller: plenty })
    return (next) => named(limits(next))
  }),
  "Hedge that knows no delay": Effect.sync(() => Hedge.make({ budget: RetryBudget.unlimited, delay: () => undefined })),
  "the spans of requests, with their content": Effect.sync(() => Tracing.requests({ captureContent: true }))
}

describe("FaultInjection that is asked for nothing keeps the contract of its tier", () => {
  const layer = Effect.sync((): Service.AttemptLayer => (next) => asking(FaultInjection.make()(next)))
  for (const { check, name } of Contract.attemptLayer(layer, { deployment: plenty, calls, schedules }))
    it.effect(name, () => check)
})

for (const [name, layer] of Object.entries(requestLayers)) {
  describe(`${name} keeps the contract of its tier`, () => {
    for (const { check, name } of Contract.requestLayer(layer, { calls, schedules })) it.effect(name, () => check)
  })
}
