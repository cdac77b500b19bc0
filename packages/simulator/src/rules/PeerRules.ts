/**
 * The rules of other routers, as they are publicly known, to compare with: how each chooses, and what it does about failures as
 * far as our options can say it. They get our retries on other deployments and our bookkeeping, which flatters them.
 */
import type * as Router from "@switchyard/router/Router"
import * as LiteLlm from "./liteLlmRules.js"
import * as Others from "./otherRules.js"
import type { Rule, RuleDeps } from "./Rule.js"

export type { Rule, RuleDeps }

/** LiteLLM's ways beside its choice: two retries, five seconds of cooldown, 600 seconds until a call has timed out. */
const liteLlm: Partial<Router.Options> = {
  balancer: { whenAllClosed: "fail" },
  retry: { attempts: 3 },
  cooldown: {
    failures: false,
    failureRate: 0.5,
    minimumCalls: 5,
    allowedFails: { RateLimited: 0, Timeout: 0, Authentication: 0, ModelNotFound: 0 },
    duration: 5000,
    maxDuration: 5000,
    jitter: 0,
    slowStart: 0
  },
  timeouts: { firstToken: 600_000, firstTokenPerThousand: 0, idle: 600_000 }
}

interface Named {
  readonly make: (deps: RuleDeps) => Rule
  readonly options: Partial<Router.Options>
}

const table: ReadonlyMap<string, Named> = new Map(
  Object.entries({
    "litellm-simple-shuffle": { make: LiteLlm.simpleShuffle, options: liteLlm },
    "litellm-least-busy": { make: LiteLlm.leastBusy, options: liteLlm },
    "litellm-usage-based-v2": { make: LiteLlm.usageBased, options: liteLlm },
    "litellm-latency-based": { make: LiteLlm.latencyBased, options: liteLlm },
    "finagle-peak-ewma": { make: Others.peakEwma, options: {} },
    "lowest-average": { make: Others.lowestAverage, options: {} },
    "lowest-ema": { make: Others.lowestEma, options: {} },
    oracle: { make: Others.oracle, options: {} }
  })
)

/** The names of the rules. */
export const names: ReadonlyArray<string> = [...table.keys()]

/** What a rule's router does about failures; nothing for a name that is none. */
export const optionsOf = (name: string): Partial<Router.Options> => table.get(name)?.options ?? {}

/** The rule of that name. */
export const make = (name: string, deps: RuleDeps): Rule | undefined => table.get(name)?.make(deps)
