/**
 * A million requests through the full tower (50,000 with BENCH_SHORT=1): CPU time of the process, and its memory. Exits with 1
 * when they take more than 90 s of one core, or 1 GiB.
 */
import { PerformanceObserver } from "node:perf_hooks"
import * as Scenario from "@switchyard/simulator/Scenario"
import * as Simulation from "@switchyard/simulator/Simulation"
import { Effect, Either } from "effect"

const requests = process.env.BENCH_SHORT === "1" ? 50_000 : 1_000_000

const deployment = (id: string) => ({ id, group: "m", model: "gpt-4o", rpm: 100_000, tpm: 1e9, maxParallel: 2000 })

const text = JSON.stringify({
  name: "speed",
  requests,
  router: {
    deployments: [...["a", "b", "c", "d"].map(deployment), { id: "spare", group: "spare", model: "gpt-4o-mini" }],
    fallback: { chains: { general: { m: ["spare"] } } }
  },
  upstreams: { "*": { slots: 1000, errors: { "500": 0.005 }, rpm: 100_000 } },
  incidents: [{ deployments: ["b"], from: "10 minutes", lasts: "1 minute", every: "1 hour", down: 503 }],
  workload: [{ model: "m", rate: 100 }]
})

const scenario = Either.getOrThrow(Either.flatMap(Scenario.parse(text), (model) => Scenario.make(model)))
const [variant] = scenario.variants
if (variant === undefined) throw new Error("no variant")

let most = 0
/** µs that the main thread stood still for collections of garbage. */
let collecting = 0
new PerformanceObserver((list) => {
  for (const { duration } of list.getEntries()) collecting += duration * 1000
}).observe({ entryTypes: ["gc"] })

/** What V8 needs until it has compiled the tower is in the first requests. */
const warmUp = requests / 20
let warm:
  | { at: number; rest: number; each: number; collecting: number; others: (seconds: number) => number }
  | undefined
const before = process.cpuUsage()
const result = await Effect.runPromise(
  Simulation.run(scenario, variant, {
    onProgress: (told) => {
      most = Math.max(most, process.memoryUsage.rss())
      if (warm !== undefined || told.requests < warmUp) return
      const { system, user } = process.cpuUsage(before)
      const rest = requests - told.requests
      warm = {
        at: told.requests,
        rest,
        each: (system + user) / told.requests,
        collecting,
        others: (seconds) => (seconds * 1e6 - system - user) / rest
      }
    }
  })
)
const { system, user } = process.cpuUsage(before)
const seconds = (system + user) / 1e6
const mib = most / 2 ** 20
console.log(
  `${result.requests} requests, ${result.completed} answered: ${seconds.toFixed(1)} s of one core, ${((seconds * 1e6) / requests).toFixed(0)} µs each, ${mib.toFixed(0)} MiB at most`
)
if (warm !== undefined) {
  const collected = (collecting - warm.collecting) / warm.rest
  console.log(
    `  the first ${warm.at}, while V8 compiles: ${warm.each.toFixed(0)} µs each; the others ${warm.others(seconds).toFixed(0)}, and the main thread stands still for collections of garbage for ${collected.toFixed(0)} µs of each (wall time)`
  )
}
const isGood = (seconds * 1e6) / requests <= 90 && mib <= 1024
console.log(isGood ? "  within 90 s a million, and 1 GiB" : "  MORE than 90 s a million, or 1 GiB")
process.exit(isGood ? 0 : 1)
