/**
 * The simulator against reality: three scenarios in virtual time, and over real HTTP against servers that answer by the same
 * models, with the same tower, requests and arrivals. All variants of a scenario run side by side, half a minute long. Says
 * whether medians agree within 15 %, and whether of two variants that virtual time has more than 10 % apart the same is faster.
 * Names of scenarios as arguments leave out the others; `--seed=N` is another throw of the dice.
 */

import { DeploymentService } from "@switchyard/core/DeploymentService"
import { isLlmError, type LlmError } from "@switchyard/core/LlmError"
import * as LlmRequest from "@switchyard/core/LlmRequest"
import type { LlmResponse } from "@switchyard/core/LlmResponse"
import * as NodeProviders from "@switchyard/providers/NodeProviders"
import * as Router from "@switchyard/router/Router"
import * as Scenario from "@switchyard/simulator/Scenario"
import { SimulatedUpstream } from "@switchyard/simulator/SimulatedUpstream"
import * as Simulation from "@switchyard/simulator/Simulation"
import { VirtualTime } from "@switchyard/simulator/VirtualTime"
import { Effect, Either, Layer, Random } from "effect"
import { Samples } from "../src/figures/quantiles.js"
import { Feed } from "../src/run/feed.js"
import { IncidentTimes } from "../src/upstream/conditions.js"
import type { Planned } from "../src/workload/requests.js"
import { saying, serve } from "./reality/modelledServer.js"
import { scenarios } from "./reality/scenarios.js"
import { WallTime } from "./reality/WallTime.js"

const flags = process.argv.slice(2)
const seed = Number(flags.find((flag) => flag.startsWith("--seed="))?.slice(7) ?? 1)
const asked = flags.filter((flag) => Object.hasOwn(scenarios, flag))
const compare = ["peak-ewma", "least-busy", "simple-shuffle"]

interface Figures {
  readonly p50: number
  readonly p95: number
  readonly requests: number
  readonly failed: number
}

interface RealFigures extends Figures {
  readonly time: WallTime
}

/** Requests of a scenario, and when they come: as virtual time has it. */
const arrivalsOf = (scenario: Scenario.Scenario): ReadonlyArray<Planned & { readonly at: number }> => {
  const time = new VirtualTime()
  const all: Array<Planned & { readonly at: number }> = []
  const feed = new Feed(scenario, time, seed, (planned, then) => {
    all.push({ ...planned, at: time.now })
    then()
  })
  feed.start()
  while (time.run(4096, () => feed.isDry)) {}
  return all
}

const drained = (response: LlmResponse): Effect.Effect<void, LlmError> =>
  response._tag === "Complete"
    ? Effect.void
    : Effect.flatMap(response.events.pull, (batch) => (batch.length === 0 ? Effect.void : drained(response)))

/** One variant over real HTTP. */
const real = (scenario: Scenario.Scenario, variant: Scenario.Variant, arrivals: ReturnType<typeof arrivalsOf>) =>
  Effect.gen(function* () {
    const { incidents = [], upstreams = {}, warmUp = 0 } = scenario.model
    const time = new WallTime()
    const deployments = yield* Effect.forEach(variant.options.deployments, (deployment) => {
      const own = incidents.filter((incident) => incident.deployments?.includes(deployment.id) === true)
      const model = upstreams[deployment.id] ?? upstreams["*"] ?? {}
      const times = own.map((incident) => new IncidentTimes(incident))
      const upstream = new SimulatedUpstream(deployment.id, model, time, times, seed)
      return Effect.map(serve(upstream, time), (baseUrl) => ({ ...deployment, baseUrl, apiKey: "sk-modelled" }))
    })
    const base = yield* DeploymentService
    const { service } = yield* Effect.withRandom(
      Router.make({ ...variant.options, deployments }, base),
      Random.make(`switchyard ${seed}`)
    )
    const latency = new Samples()
    let failed = 0
    const one = ({ asked, at, request }: (typeof arrivals)[number]): Effect.Effect<void> =>
      Effect.async<void>((resume) => {
        time.at(at, () => {
          const startedAt = time.now
          const begun = LlmRequest.begin(saying(request, asked), Number(time.clock.unsafeCurrentTimeNanos()) / 1e6)
          const call = Effect.matchCause(Effect.flatMap(service.call(begun), drained), {
            onFailure: (cause) => {
              if (cause._tag !== "Fail" || !isLlmError(cause.error)) console.error(cause.toString())
              if (at >= Number(warmUp)) failed++
            },
            onSuccess: () => {
              if (at >= Number(warmUp)) latency.add(time.now - startedAt)
            }
          })
          resume(call)
        })
      })
    yield* Effect.forEach(arrivals, one, { concurrency: "unbounded", discard: true })
    return { p50: latency.quantile(0.5), p95: latency.quantile(0.95), requests: latency.size + failed, failed, time }
  }).pipe(Effect.provide(Layer.fresh(NodeProviders.layer)), Effect.scoped)

const share = (a: number, b: number): number => Math.abs(a - b) / b
const ms = (value: number): string => value.toFixed(0).padStart(7)
let isGood = true
let latest = 0

/** Of each two variants that virtual time tells apart: whether the same one is faster in reality. */
const rankings = (figure: "p50" | "p95", both: ReadonlyArray<{ virtual: Figures; real: Figures }>): string => {
  let told = 0
  let agreed = 0
  for (const [index, one] of both.entries()) {
    for (const other of both.slice(index + 1)) {
      const virtual = one.virtual[figure] / other.virtual[figure]
      const real = one.real[figure] / other.real[figure]
      if (Math.max(virtual, 1 / virtual) <= 1.1) continue
      told++
      if (virtual > 1 === real > 1) agreed++
    }
  }
  if (agreed < told) isGood = false
  return `${figure} ${agreed} of ${told}`
}

for (const [name, text] of Object.entries(scenarios)) {
  if (asked.length > 0 && !asked.includes(name)) continue
  const scenario = Either.getOrThrowWith(
    Either.flatMap(Scenario.parse(text), (model) => Scenario.make(model, { compare })),
    ({ message }) => new Error(message)
  )
  const arrivals = arrivalsOf(scenario)
  console.log(`${name}: ${scenario.model.about}`)
  console.log(
    `  ${"".padEnd(16)} requests  failed: virtual    real   p50: virtual    real    off   p95: virtual    real    off`
  )
  const simulated = await Effect.runPromise(
    Effect.forEach(scenario.variants, (variant) => Simulation.run(scenario, variant, { seed }))
  )
  const reals = await Effect.runPromise(
    Effect.forEach(scenario.variants, (variant) => real(scenario, variant, arrivals), { concurrency: "unbounded" })
  )
  const both = simulated.map(({ completed, latency, requests }, index) => ({
    virtual: { p50: latency.p50, p95: latency.p95, requests, failed: requests - completed },
    real: reals[index] as RealFigures
  }))
  for (const [index, { real, virtual }] of both.entries()) {
    const off = [share(real.p50, virtual.p50), share(real.p95, virtual.p95)].map(
      (value) => `${(value * 100).toFixed(1)} %`
    )
    console.log(
      `  ${compare[index]?.padEnd(16)} ${String(real.requests).padStart(8)} ${String(virtual.failed).padStart(16)} ${ms(real.failed)}       ${ms(virtual.p50)} ${ms(real.p50)} ${off[0]?.padStart(7)}       ${ms(virtual.p95)} ${ms(real.p95)} ${off[1]?.padStart(7)}`
    )
    latest = Math.max(latest, real.time.lateness.quantile(0.95))
    if (!(share(real.p50, virtual.p50) <= 0.15) || real.requests !== virtual.requests) isGood = false
  }
  console.log(
    `  of pairs that virtual time has more than 10 % apart, reality has the same as faster: ${rankings("p50", both)}, ${rankings("p95", both)}`
  )
}
console.log(
  `this machine's own timers were up to ${latest.toFixed(0)} ms late (p95)${latest > 50 ? ": what is off may be the machine's" : ""}`
)
console.log(isGood ? "PASS: medians within 15 %, and the same order" : "MISSED: a median or an order differs")
