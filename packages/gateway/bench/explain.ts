/**
 * What each concern costs, told by leaving it out: of the stack, or by the setting that turns it off. Each is measured beside a
 * gateway with everything that began with it, in rounds that alternate: what else goes on on the machine falls on both, and V8 knows both equally well.
 */
import * as Router from "@switchyard/router/Router"
import { median, type Program, startGateway, type Variant } from "./programs.js"
import { row, table } from "./tables.js"
import { busyConnections, compete, isShort, workloads } from "./workloads.js"

const settings: ReadonlyArray<readonly [string, Variant]> = [
  // How far two of the same differ: what is less than that is noise. Twice, since once may be luck.
  ["nothing", {}],
  ["nothing, once more", {}],
  ["the ledger", { settings: { ledger: false } }],
  ["the log", { settings: { log: { format: "off" } } }],
  ["headers of the request's way", { settings: { answers: { routing: "none" } } }],
  ["metrics", { settings: { metrics: false } }]
]

const removable = (): ReadonlyArray<string> =>
  Router.standard.concerns.filter(({ tier }) => tier !== "turn").map(({ id }) => id)

const without = (name: string): Variant => ({
  stack: `export default (stack) => stack.remove(${JSON.stringify(name)})`
})

/** Chats in a turn: many short turns tell apart what few long ones do not, since a machine's noise lasts for seconds. */
const shortTurn = isShort ? 750 : 1500

/** µs that a chat costs less without something, and what the gateway costs with everything. */
const saved = async (driver: Program, upstream: number, name: string, variant: Variant) => {
  const [chat] = workloads
  if (chat === undefined) return undefined
  try {
    const all = await startGateway(upstream, "everything")
    const less = await startGateway(upstream, name, variant)
    const figures = await compete(
      driver,
      [{ program: all }, { program: less }],
      { ...chat, requests: shortTurn },
      busyConnections,
      isShort ? 3 : 19,
      isShort ? 1 : 6
    )
    for (const { stop } of [all, less]) stop()
    const [own, other] = figures
    if (own === undefined || other === undefined) return undefined
    return { whole: own.cpu, less: median(own.all.map((cpu, round) => cpu - (other.all[round] ?? Number.NaN))) }
  } catch (cause) {
    console.error(`without ${name}: ${String(cause).split("\n", 1)[0]}`)
    return undefined
  }
}

/** A table of what a chat costs less without each concern. */
export const explain = async (driver: Program, bare: Program, upstream: number): Promise<string> => {
  const all = await startGateway(upstream, "everything")
  const [chat] = workloads
  if (chat === undefined) return ""
  const [least, most] = await compete(driver, [{ program: bare }, { program: all }], chat, busyConnections)
  const rows = [
    row("everything", (most?.cpu ?? Number.NaN).toFixed(0), "100 %"),
    row("the bare proxy, in which nothing is done", (least?.cpu ?? Number.NaN).toFixed(0), "")
  ]
  const stacks = removable().map((name) => [`concern ${name}`, without(name)] as const)
  all.stop()
  for (const [name, variant] of [...settings, ...(isShort ? [] : stacks)]) {
    const found = await saved(driver, upstream, name, variant)
    if (found === undefined) continue
    const text = row(name, found.less.toFixed(1), `${((found.less / found.whole) * 100).toFixed(1)} %`)
    console.log(text)
    rows.push(text)
  }
  return table(["left out", "CPU µs less a chat", "of all"], rows)
}
