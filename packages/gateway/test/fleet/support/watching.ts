/** What tests of several gateways wait for: that something is so, and not that some time has passed. */
import { Effect } from "effect"
import { masterKey } from "../../support/gateways.js"

/** Until it is so, for as long as `within` says. */
export const until = (isSo: Effect.Effect<boolean>, within: `${number} seconds`, what: string) =>
  Effect.repeat(Effect.zipRight(Effect.sleep(10), isSo), { until: (is) => is }).pipe(
    Effect.timeoutFail({ duration: within, onTimeout: () => new Error(`within ${within}: ${what}`) }),
    Effect.orDie
  )

interface Located {
  readonly url: string
}

/** Until all of them decide by one Redis, and each knows of so many: one that begins on a busy machine may go on without for a moment. */
export const sharing = (gateways: ReadonlyArray<Located>, replicas = gateways.length) => {
  const isShared = ({ url }: Located) =>
    Effect.promise(async () => {
      const response = await fetch(`${url}/metrics`, { headers: { authorization: `Bearer ${masterKey}` } })
      const text = await response.text()
      const says = (name: string, value: number) => text.includes(`_shared_state_${name}{engine="redis"} ${value}\n`)
      return says("up", 1) && says("replicas", replicas)
    })
  return until(
    Effect.map(Effect.forEach(gateways, isShared, { concurrency: "unbounded" }), (all) => all.every((one) => one)),
    "60 seconds",
    "all share what they know"
  )
}

const stateIn = ({ url }: Located, id: string) =>
  Effect.promise(async () => {
    const response = await fetch(`${url}/admin/deployments`, { headers: { authorization: `Bearer ${masterKey}` } })
    const { deployments } = (await response.json()) as {
      readonly deployments: ReadonlyArray<{ readonly id: string; readonly state: string }>
    }
    return deployments.find((one) => one.id === id)?.state
  })

/** Whether each of them says that a deployment is in this state. */
export const allSay = (gateways: ReadonlyArray<Located>, id: string, state: string) =>
  Effect.map(
    Effect.forEach(gateways, (gateway) => stateIn(gateway, id), { concurrency: "unbounded" }),
    (states) => states.every((one) => one === state)
  )
