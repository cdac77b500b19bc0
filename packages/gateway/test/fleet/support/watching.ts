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
