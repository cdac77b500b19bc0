/**
 * 100,000 calls (5,000 with BENCH_SHORT=1) under random faults, cancellations and timeouts, with every layer on. Afterwards
 * nothing may be held: in-flight counts, permits, reservations and queues at exactly zero, and the heap where it was. Exits
 * with 1 and says what is left when something is.
 */
import * as LlmRequest from "@switchyard/core/LlmRequest"
import * as LlmService from "@switchyard/core/LlmService"
import * as Service from "@switchyard/core/Service"
import * as Time from "@switchyard/core/Time"
import { CooldownState } from "@switchyard/router/CooldownState"
import { DeploymentRegistry } from "@switchyard/router/DeploymentRegistry"
import { DeploymentStats } from "@switchyard/router/DeploymentStats"
import { LatencyTracker } from "@switchyard/router/LatencyTracker"
import * as Router from "@switchyard/router/Router"
import { SpendWindows } from "@switchyard/router/SpendWindows"
import { UsageWindows } from "@switchyard/router/UsageWindows"
import { Dice, seedOf } from "@switchyard/testing/Dice"
import * as StubLlm from "@switchyard/testing/StubLlm"
import { Context, Effect, Random, Stream } from "effect"

const calls = process.env["BENCH_SHORT"] === "1" ? 5_000 : 100_000
const seed = process.env["SOAK_SEED"] ?? String(Date.now())

const faults = [
  "Unavailable",
  "RateLimited",
  "Timeout",
  "MalformedResponse",
  "InvalidRequest",
  "ContextWindowExceeded"
] as const

const dice = new Dice(seedOf(seed))
const chance = (): number => dice.roll()

const reply = (): StubLlm.Reply => {
  const fate = chance()
  const base = { delay: chance() * 3, chunks: ["one ", "two ", "three"], gap: chance() }
  if (fate < 0.15) {
    const reason = faults[Math.floor(chance() * faults.length)] ?? "Unavailable"
    return { ...base, fail: { reason, description: "soak", retryAfter: 1 } }
  }
  if (fate < 0.2)
    return { ...base, fail: { reason: "Unavailable", description: "cut" }, failAfter: Math.floor(chance() * 4) }
  if (fate < 0.23) return { ...base, stallAfter: Math.floor(chance() * 3) }
  if (fate < 0.26) return { ...base, hang: true }
  if (fate < 0.27) return { ...base, defect: "soak" }
  return base
}

const options: Router.Options = {
  deployments: [
    ...["a", "b", "c", "d"].map((id) => ({
      id,
      group: "m",
      model: "gpt-4o",
      maxParallel: 40,
      rpm: 1_000_000,
      tpm: 1_000_000_000
    })),
    { id: "e", group: "spare", model: "gpt-4o-mini", maxParallel: 100 },
    { id: "unused", group: "unused", model: "gpt-4o-mini" }
  ],
  fallback: { chains: { general: { m: ["spare"] }, contextWindow: { m: ["spare"] }, rateLimit: { m: ["spare"] } } },
  timeouts: { firstToken: 100, idle: 50, total: 200 },
  deadline: { deadline: 1000 },
  retry: { baseDelay: 1, maxDelay: 4 },
  retryBudget: { share: 1, perSecond: 1000 },
  hedge: { delay: 10 },
  queue: { maxQueue: 1000, maxWait: 100 },
  cooldown: { failures: 4, failureRate: false, permits: 16, duration: 4, maxDuration: 8, tripDuration: 8 },
  callerBudget: { everyCaller: { limit: 1_000_000, window: "1 day" } },
  spendLimits: { providers: { openai: { limit: 1_000_000, window: "1 day" } } }
}

const heap = (): number => {
  ;(globalThis as { gc?: () => void }).gc?.()
  return process.memoryUsage().heapUsed / 2 ** 20
}

const one = (service: LlmServiceValue, index: number) => {
  const request = LlmRequest.chat(
    { model: "m", messages: [{ role: "user", content: `question ${index}` }] },
    { caller: `caller-${index % 10_000}`, sessionKey: `session-${index}` }
  )
  const call =
    index % 3 === 0
      ? Stream.runDrain(LlmService.stream(service, request))
      : Effect.asVoid(LlmService.complete(service, request))
  const patience = chance() < 0.15 ? chance() * 8 : 1000
  return Effect.exit(Effect.raceFirst(call, Effect.sleep(patience)))
}

type LlmServiceValue = Router.Built["service"]

const program = Effect.gen(function* () {
  const stub = StubLlm.make(reply, { keep: 100 })
  const outcomes = { Completed: 0, Failed: 0, Abandoned: 0 }
  const counted = Service.mapAttempt((call) => Service.onSettled(call, ({ _tag }) => outcomes[_tag]++))(stub.attempts)
  const tower = yield* Router.make(options, counted)
  // Callers that ask one question after the other: `forEach` keeps the fiber of every element until the last has ended, 11 KiB
  // each. Who is refused at once waits before the next: to ask on without a timer would let no timer of anybody's run.
  const run = (n: number) => {
    let asked = 0
    const caller = Effect.whileLoop({
      while: () => asked < n,
      body: () => Effect.zipRight(one(tower.service, asked++), Effect.sleep(chance() * 4)),
      step: () => {}
    })
    return Effect.replicateEffect(caller, 128, { concurrency: "unbounded", discard: true })
  }
  yield* run(Math.min(calls, 5_000))
  const before = heap()
  const started = yield* Time.now
  yield* run(calls)
  const seconds = ((yield* Time.now) - started) / 1000
  const after = heap()
  yield* Effect.sleep(100)

  const registry = Context.get(tower.state, DeploymentRegistry)
  const now = yield* Time.now
  const left: Array<string> = []
  const zero = (name: string, value: number) => {
    if (value !== 0) left.push(`${name}: ${value}`)
  }
  zero("calls of the base service", stub.inFlight())
  for (const slot of registry.slots()) {
    zero(`${slot.id} in flight`, Context.get(tower.state, DeploymentStats).of(slot).inFlight)
    zero(`${slot.id} under observation`, Context.get(tower.state, LatencyTracker).of(slot).running)
    zero(`${slot.id} unanswered`, Context.get(tower.state, LatencyTracker).of(slot).unanswered)
    const holding = Context.get(tower.state, UsageWindows).holding(slot)
    zero(`${slot.id} permits`, holding.calls)
    zero(`${slot.id} reserved tokens`, holding.tokens)
    const breaker = Context.get(tower.state, CooldownState).inspect(slot, now)
    if (breaker.circuit === "halfOpen" && breaker.permits === 0) left.push(`${slot.id}: a half-open permit is lost`)
  }
  // A queue in which somebody waits listens for freed places, and then every slot is counted, also one without limits.
  const unused = registry.slot("unused")
  if (unused === undefined || Context.get(tower.state, UsageWindows).counts(unused)) left.push("a queue is not empty")
  const windows = Context.get(tower.state, SpendWindows)
  const day = 24 * 60 * 60 * 1000
  for (let caller = 0; caller < 10_000; caller++) {
    if (windows.window("caller", `caller-${caller}`, day, now).isHeld) left.push(`a reservation of caller ${caller}`)
  }
  const provider = windows.window("provider", "openai", day, now)
  if (provider.isHeld) left.push("a reservation of the provider")
  if (provider.used(now) === 0) left.push("nothing was charged, so this says nothing about reservations")
  console.log(`soak: ${calls} calls in ${seconds.toFixed(1)} s, seed ${seed}`)
  console.log(`  attempts, warm-up included: ${JSON.stringify(outcomes)}`)
  console.log(`  heap ${before.toFixed(1)} MiB before, ${after.toFixed(1)} MiB after`)
  console.log(left.length === 0 ? "  nothing is held" : `  HELD: ${left.join(", ")}`)
  return left.length === 0
}).pipe(Effect.scoped, Effect.withRandom(Random.make(seed)))

const clean = await Effect.runPromise(program)
process.exit(clean ? 0 : 1)
