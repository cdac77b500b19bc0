/** The configuration of the gateways, and files that are none. */
import type { Dice } from "@switchyard/testing/Dice"
import { masterKey } from "./exchange.js"

/** What a configuration needs to know of an upstream. */
interface Named {
  readonly name: string
  readonly url: string
}

/** Every bound is short, so that a short run meets it; a request's deadline is well below a client's patience. */
const bounds = {
  masterKey,
  log: { format: "json", level: "debug", maxPerSecond: 100_000 },
  server: {
    streamHeaderWait: "500 millis",
    keepAlive: "1 second",
    stallTimeout: "3 seconds",
    drainDelay: "1 second",
    drainTimeout: "3 seconds",
    headersTimeout: "3 seconds",
    requestTimeout: "8 seconds"
  },
  retry: { attempts: 3, baseDelay: 20, maxDelay: 200 },
  retryBudget: { share: 1, perSecond: 100 },
  cooldown: { duration: "200 millis", maxDuration: "800 millis", tripDuration: "1 second" },
  timeouts: { connect: "2 seconds", firstToken: "3 seconds", idle: "3 seconds", total: "5 seconds" },
  deadline: { deadline: "15 seconds" },
  fallback: { chains: { general: { smart: ["spare"] }, rateLimit: { smart: ["spare"] } } }
}

/** A good configuration; the weights differ from one to the next. */
export const good = (upstreams: ReadonlyArray<Named>, dice: Dice): string => {
  const deployments = upstreams.flatMap(({ name, url }) => {
    const common = { baseUrl: url, apiKey: `sk-${name}`, weight: 1 + dice.below(4) }
    return name === "spare"
      ? [{ id: "spare", group: "spare", model: "gpt-4o-mini", ...common }]
      : [
          { id: name, group: "smart", model: "gpt-4o", ...common },
          { id: `${name}-vectors`, group: "vectors", model: "text-embedding-3-small", ...common }
        ]
  })
  return JSON.stringify({ ...bounds, deployments }, null, 2)
}

/** A file that must not be put in force: cut off, of another kind, mistyped, empty, without any key. */
export const bad = (upstreams: ReadonlyArray<Named>, dice: Dice): string => {
  const whole = good(upstreams, dice)
  return dice.pick([
    whole.slice(0, whole.length >> 1),
    `\u0000\u0001${whole.slice(20, 60)}`,
    whole.replace('"deployments"', '"deploiments"'),
    "",
    whole.replace('"15 seconds"', '"a while"')
  ])
}
