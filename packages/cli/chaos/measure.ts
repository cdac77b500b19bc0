/** Looks at the gateways from time to time, as a load balancer and as an operator. */
import { Agent, get } from "node:http"
import type { Gateway } from "./gateway.js"
import type { Journal } from "./journal.js"

/** Ms between two looks at whether a gateway takes requests. */
const probing = 200

/** Ms between two looks at memory. */
const sampling = 1_000

/** Ms after which a probe counts as failed. */
const patience = 2_000

const statusOf = (url: string, agent: Agent): Promise<number | undefined> =>
  new Promise((resolve) => {
    const call = get(url, { agent, timeout: patience }, (response) => {
      response.resume()
      response.on("close", () => resolve(response.statusCode))
    })
    call.on("timeout", () => call.destroy())
    call.on("error", () => resolve(undefined))
  })

/** Starts looking; what it returns ends that. */
export const watch = (gateways: ReadonlyArray<Gateway>, journal: Journal): (() => void) => {
  const agent = new Agent({ keepAlive: true })
  const probe = async (gateway: Gateway): Promise<void> => {
    const { url } = gateway
    if (url === undefined) return
    const from = performance.now()
    const live = await statusOf(`${url}/health/live`, agent)
    if (live === 200) journal.pings.push(performance.now() - from)
    gateway.isReady = (await statusOf(`${url}/health/ready`, agent)) === 200 && gateway.url === url
  }
  const asked = new Set<Gateway>()
  const probes = setInterval(() => {
    for (const gateway of gateways) {
      if (asked.has(gateway)) continue
      asked.add(gateway)
      void probe(gateway).finally(() => asked.delete(gateway))
    }
  }, probing)
  const sample = (): void => {
    const seen = gateways.flatMap((gateway) => {
      const found = gateway.look()
      return found === undefined ? [] : [[gateway.name, found] as const]
    })
    journal.samples.push({ at: journal.now(), gateways: seen })
  }
  const samples = setInterval(sample, sampling)
  return () => {
    clearInterval(probes)
    clearInterval(samples)
    sample()
    agent.destroy()
  }
}

/** Requests that a gateway says it has in progress; undefined when it does not answer. */
export const inProgress = async (url: string): Promise<number | undefined> => {
  try {
    const text = await (await fetch(`${url}/metrics`, { signal: AbortSignal.timeout(patience) })).text()
    const gauges = [...text.matchAll(/^switchyard_(?:active_requests|deployment_in_flight)\{.*\} (\d+)$/gm)]
    return gauges.reduce((sum, [, count]) => sum + Number(count), 0)
  } catch {
    return undefined
  }
}
