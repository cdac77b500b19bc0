/**
 * What the demo can show: for each scenario its upstreams, their faults over the course of the run, and the router's
 * options. The upstreams are real HTTP servers on loopback.
 */
import type { DeploymentConfig } from "@switchyard/core/Deployment"
import type * as Router from "@switchyard/router/Router"
import * as FakeProvider from "@switchyard/testing/FakeProvider"
import { Effect, type Scope } from "effect"

/** The scenarios by name, with what each shows. */
export const scenarios = {
  outage: "one upstream fails for a while in the middle, one limits its rate: breaker, retries, recovery",
  hedge: "every tenth answer of one upstream hangs for seconds: a second attempt wins the race",
  fallback: "long prompts and refused ones: typed fallbacks to groups that can answer them",
  limits: "limits of our own, rpm and calls in parallel: requests wait their turn in a queue"
} as const

/** What every upstream answers; a request is answered whole when it got all of this. */
export const reply = "All aboard: this answer came over the tracks of the demo."

/** The name of a scenario. */
export type ScenarioName = keyof typeof scenarios

/** One request of the workload. */
export interface Job {
  readonly model: string
  readonly prompt: string
  readonly stream: boolean
}

/** A scenario that runs: options for the router, the workload, and what happens on the way. */
export interface Scenario {
  readonly options: Router.Options
  /** The strategy's name, unless the command line says another. */
  readonly strategy: string
  readonly job: (index: number) => Job
  /** Called with the share of requests that are done, after each one: turns faults on and off. */
  readonly onProgress: (done: number) => Effect.Effect<void>
}

const scenario = (made: Scenario): Scenario => made

type Behaviour = FakeProvider.Behaviour

const upstream = (
  name: string,
  behaviour: Behaviour,
  config: Partial<DeploymentConfig> = {}
): Effect.Effect<
  { readonly provider: FakeProvider.FakeProvider; readonly deployment: DeploymentConfig },
  never,
  Scope.Scope
> =>
  Effect.map(FakeProvider.make({ name, behaviour }), (provider) => ({
    provider,
    deployment: {
      id: name,
      group: "chat",
      model: `${name}-model`,
      provider: "fake",
      baseUrl: provider.url,
      apiKey: "sk-demo",
      ...config
    }
  }))

const paced = (latencyMs: number, jitterMs: number): Behaviour => ({
  latencyMs,
  jitterMs,
  firstTokenMs: latencyMs * 0.6,
  chunkGapMs: latencyMs * 0.05,
  chunks: 8,
  reply
})

const everyThirdStreams = (index: number): Job => ({
  model: "chat",
  prompt: `Question ${index}: which platform?`,
  stream: index % 3 === 0
})

/** A switch that is thrown once when the run has come far enough. */
const once = (at: number, effect: Effect.Effect<void>): ((done: number) => Effect.Effect<void>) => {
  let thrown = false
  return (done) =>
    Effect.suspend(() => {
      if (thrown || done < at) return Effect.void
      thrown = true
      return effect
    })
}

const outage = Effect.gen(function* () {
  const fast = yield* upstream("fast", paced(250, 80))
  const slow = yield* upstream("slow", paced(900, 300))
  const flaky = yield* upstream("flaky", paced(300, 80))
  const limited = yield* upstream("limited", {
    ...paced(280, 80),
    rateLimit: { limit: 12, windowMs: 1000, retryAfterMs: 500 }
  })
  const fail = once(0.2, flaky.provider.behave({ status: 503, error: "the engine is off the rails" }))
  const recover = once(0.45, flaky.provider.behave(paced(300, 80)))
  return scenario({
    options: {
      deployments: [fast, slow, flaky, limited].map(({ deployment }) => deployment),
      cooldown: { duration: "800 millis", maxDuration: "2 seconds" }
    },
    strategy: "peak-ewma",
    job: everyThirdStreams,
    onProgress: (done: number) => Effect.zipRight(fail(done), recover(done))
  })
})

const hedge = Effect.gen(function* () {
  const steady = yield* upstream("steady", paced(150, 40))
  const uneven = yield* upstream("uneven", paced(120, 40))
  yield* uneven.provider.when(({ seq }) => (seq % 10 === 0 ? paced(4000, 0) : undefined))
  return scenario({
    options: {
      deployments: [steady.deployment, uneven.deployment],
      hedge: { delay: "400 millis" }
    },
    strategy: "round-robin",
    job: everyThirdStreams,
    onProgress: () => Effect.void
  })
})

const fallback = Effect.gen(function* () {
  const small = yield* upstream("small", paced(100, 40))
  const large = yield* upstream("large", paced(250, 80), { group: "long-context" })
  const careful = yield* upstream("careful", paced(150, 40), { group: "second-opinion" })
  yield* small.provider.when(({ body }) => {
    const text = JSON.stringify(body)
    if (text.length > 2000) {
      return {
        status: 400,
        error: { code: "context_length_exceeded", message: "maximum context length is 500 tokens" }
      }
    }
    return text.includes("forbidden")
      ? { status: 400, error: { code: "content_policy_violation", message: "refused" } }
      : undefined
  })
  return scenario({
    options: {
      deployments: [small, large, careful].map(({ deployment }) => deployment),
      fallback: {
        chains: { contextWindow: { chat: ["long-context"] }, contentPolicy: { chat: ["second-opinion"] } }
      }
    },
    strategy: "peak-ewma",
    job: (index: number) => {
      const job = everyThirdStreams(index)
      if (index % 7 === 0) return { ...job, prompt: "long ".repeat(600) }
      return index % 11 === 0 ? { ...job, prompt: "Tell me the forbidden timetable" } : job
    },
    onProgress: () => Effect.void
  })
})

const limits = Effect.gen(function* () {
  const narrow = yield* upstream("narrow", paced(120, 40), { maxParallel: 4 })
  const metered = yield* upstream("metered", paced(120, 40), { rpm: 60 })
  const wide = yield* upstream("wide", paced(300, 80), { maxParallel: 10 })
  return scenario({
    options: {
      deployments: [narrow, metered, wide].map(({ deployment }) => deployment),
      queue: { maxQueue: 1000, maxWait: "30 seconds" }
    },
    strategy: "least-busy",
    job: everyThirdStreams,
    onProgress: () => Effect.void
  })
})

/** Starts the upstreams of a scenario; they stop with the scope. */
export const start = (name: ScenarioName): Effect.Effect<Scenario, never, Scope.Scope> =>
  ({ outage, hedge, fallback, limits })[name]
