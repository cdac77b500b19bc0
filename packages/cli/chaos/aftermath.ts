/** What is left when the faults are over: nothing may be held, and everything has to work. */
import type { Gateway } from "./gateway.js"
import { inProgress } from "./measure.js"
import type { World } from "./moments.js"
import { descriptors, sockets } from "./sockets.js"

/** Calls that have to be answered whole. */
const calls = 30

/** Ms in which everything that was under way has to end: the deadline, what a client that stalls is given, and some more. */
const patience = 20_000

/** File descriptors that a gateway may have more than a fresh one. */
const slack = 8

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

const eventually = async (isSo: () => Promise<boolean>): Promise<boolean> => {
  const until = performance.now() + patience
  for (;;) {
    if (await isSo()) return true
    if (performance.now() > until) return false
    await sleep(250)
  }
}

const holdsNothing = async ({ url }: Gateway): Promise<boolean> => url !== undefined && (await inProgress(url)) === 0

/** Says in the journal what is not as it should be. `fresh`: file descriptors of a gateway that has done nothing yet. */
export const look = async ({ callers, gateways, journal, upstreams }: World, fresh: number): Promise<void> => {
  for (const upstream of upstreams) {
    upstream.thaw()
    await upstream.revive()
    upstream.soothe()
  }
  for (const gateway of gateways) {
    if (!(await eventually(() => holdsNothing(gateway)))) {
      const left = gateway.url === undefined ? "it does not run" : `${await inProgress(gateway.url)} in progress`
      journal.problem(`gateway ${gateway.name} still holds something after ${patience / 1000} s: ${left}`)
    }
  }
  const verdicts = gateways.some(({ url }) => url !== undefined) ? await callers.wellBehaved(calls) : []
  const failed = verdicts.filter(({ outcome }) => outcome !== "whole")
  if (failed.length > 0) {
    journal.problem(
      `${failed.length} of ${calls} calls fail after all faults are over: ${JSON.stringify(failed.slice(0, 3))}`
    )
  }
  callers.close()
  const named = new Map(upstreams.map(({ name, port }) => [port, name]))
  const held = ({ pid }: Gateway): number => (pid === undefined ? 0 : descriptors(pid, named))
  for (const gateway of gateways) {
    if (!(await eventually(async () => held(gateway) <= fresh + slack))) {
      const { pid = 0 } = gateway
      journal.problem(
        `gateway ${gateway.name} has ${held(gateway)} file descriptors, a fresh one ${fresh}; its sockets: ${sockets(pid, named)}`
      )
    }
  }
}
