/** Random towers, and random requests and answers for them: every concern may be there, with tight options that all come into play. */
import type { DeploymentConfig } from "@switchyard/core/Deployment"
import type { Reason } from "@switchyard/core/LlmError"
import * as LlmRequest from "@switchyard/core/LlmRequest"
import type * as Router from "@switchyard/router/Router"
import type * as StubLlm from "@switchyard/testing/StubLlm"
import { names, type StrategyName } from "../../src/balancing/strategies/Names.js"
import type { Dice } from "./schedules.js"

const strategies = names as readonly [StrategyName, ...Array<StrategyName>]

const deployment = (dice: Dice, id: string, group: string): DeploymentConfig => ({
  id,
  group,
  model: "m",
  inputPrice: 1,
  outputPrice: 10,
  ...dice.pick<Partial<DeploymentConfig>>([
    {},
    { maxParallel: 1 },
    { maxParallel: dice.int(1, 3) },
    { rpm: dice.int(2, 6) },
    { tpm: 200 }
  ])
})

/** Options of a router over groups `m` and `n`. */
export const randomOptions = (dice: Dice): Router.Options => {
  const some = <A>(options: A): A | undefined => (dice.chance(0.5) ? options : undefined)
  const off = (): false | undefined => (dice.chance(0.15) ? false : undefined)
  const perCaller = { rpm: dice.int(3, 50), maxParallel: dice.int(1, 6) }
  return {
    deployments: [
      ...Array.from({ length: dice.int(1, 3) }, (_, n) => deployment(dice, `m${n}`, "m")),
      deployment(dice, "n0", "n")
    ],
    strategy: dice.pick(strategies),
    tracing: dice.pick([undefined, false, {}, { captureContent: true }]),
    requestEvents: off(),
    metrics: off(),
    cache: some({ ttl: dice.pick([100, 60_000]), shared: dice.chance(0.5), negativeTtl: dice.pick([0, 500]) }),
    deadline: some({ deadline: dice.pick([200, 2_000, 60_000]) }),
    callerLimits: some({ everyCaller: perCaller }),
    callerBudget: some({ everyCaller: { limit: dice.pick([0.0001, 1]), window: "1 hour" } }),
    spendLimits: some({ total: { limit: dice.pick([0.0001, 1]), window: "1 hour" } }),
    pinning: off(),
    recovery: dice.pick([
      undefined,
      { policy: "prefill" },
      { policy: "error" },
      { policy: "buffer" },
      { policy: "holdback", holdback: { characters: dice.int(1, 20), delay: dice.pick([50, 1_000]) } }
    ] as const),
    patience: dice.pick([undefined, false, { slow: 100, slowPerThousand: 10 }]),
    fallback: dice.pick([undefined, { chains: { general: { m: ["n"] } } }, { chains: { default: ["n"] } }]),
    throttle: some({ minimumRequests: 1, window: "5 seconds", multiplier: 1.1 }),
    retry: dice.pick([undefined, false, { attempts: dice.int(1, 4), baseDelay: dice.pick([1, 500]) }]),
    retryBudget: some({ share: dice.pick([0, 1]), perSecond: 10 }),
    hedge: some({ delay: dice.pick([1, 50, 500]), attempts: dice.int(2, 3) }),
    queue: some({ maxQueue: dice.int(1, 20), maxWait: dice.pick(["1 second", "30 seconds"]) }),
    cooldown: dice.pick([undefined, false, { failures: 1, duration: "1 second" }, { failures: 3 }]),
    outlierEjection: some({ interval: "1 second", minimumRequests: 1, minimumHosts: 2 }),
    adaptiveConcurrency: some({ min: 1, initial: dice.int(1, 3) }),
    limits: off(),
    timeouts: dice.pick([undefined, false, { firstToken: 150, idle: 80, total: 300 }, { total: "1 hour" }]),
    faultInjection: some(true),
    healthProbes: some({
      interval: dice.pick(["1 second", "30 seconds"]),
      timeout: "100 millis",
      unhealthyThreshold: 1
    })
  } as Router.Options
}

const reasons = ["InvalidRequest", "Unavailable", "RateLimited", "Timeout", "Authentication", "ContentPolicy"] as const

/** What an upstream does. */
export const randomReply = (dice: Dice): StubLlm.Reply => {
  const delay = dice.pick([0, 0, 1, 50, 400])
  const gap = dice.pick([0, 1, 30, 200])
  const reason: Reason = dice.pick(reasons as unknown as readonly [Reason, ...Array<Reason>])
  const retryAfter = dice.pick([undefined, 50, 5_000])
  const fail = { reason, description: "as drawn", ...(retryAfter === undefined ? {} : { retryAfter }) }
  const text = "one two three four"
  return dice.pick<StubLlm.Reply>([
    {},
    { delay, text, gap },
    { delay, fail },
    { delay, fail },
    { delay, hang: true },
    { defect: "as drawn" },
    { text, delay, firstToken: dice.pick([0, 40, 300]), gap },
    { text, gap, failAfter: dice.int(0, 3), fail },
    { text, gap, stallAfter: dice.int(0, 3) },
    { text, gap, finishReason: null }
  ])
}

/** What a caller asks for. */
export const randomRequest = (dice: Dice): LlmRequest.LlmRequest => {
  const model = dice.pick(["m", "m", "m", "n", "m0", "nobody"])
  const content = dice.pick(["the same", "the same", `another ${dice.int(0, 1000)}`])
  const body = { model, stream: dice.chance(0.6), messages: [{ role: "user", content }] }
  return LlmRequest.chat(body, {
    caller: dice.pick(["alice", "bob"]),
    sessionKey: dice.pick([undefined, "session"]),
    overrides: {
      ...dice.pick([{}, {}, { deadline: dice.pick([0, 30, 1_000]) }, { timeout: 100 }, { maxRetries: 2 }]),
      ...dice.pick([{}, {}, { cache: { noCache: true } }, { cache: { noStore: true } }]),
      ...dice.pick([{}, {}, { fault: { fail: "Unavailable", delay: 20 } }, { priority: dice.int(0, 2) }])
    } as NonNullable<LlmRequest.RequestOptions["overrides"]>
  })
}

/** Whether it is what a health probe asks. */
export const isProbe = ({ body }: LlmRequest.LlmRequest): boolean => body["max_tokens"] === 16

/** What an upstream does to a probe, at once: whatever else is in flight is a caller's. */
export const randomProbe = (dice: Dice): StubLlm.Reply =>
  dice.pick<StubLlm.Reply>([{}, { fail: { reason: "Unavailable", description: "as drawn" } }, { defect: "as drawn" }])
