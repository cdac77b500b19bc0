/**
 * What each concern costs, told by leaving it out. Of the gateway's own work that is by the setting that turns it off, in pairs of
 * processes whose rounds alternate: two processes that are the same differ by some percent for as long as they live, since V8 lays out
 * and compiles each in its own way, so that several pairs are begun. Of the stack's concerns it is by towers in one process.
 */
import { builtCosts } from "../../router/bench/concerns.js"
import { median, type Program, startGateway, type Variant } from "./programs.js"
import { row, table } from "./tables.js"
import { busyConnections, compete, isShort, workloads } from "./workloads.js"

const settings: ReadonlyArray<readonly [string, Variant]> = [
  // How far two of the same differ: what is less than that is noise.
  ["nothing", {}],
  ["the ledger", { settings: { ledger: false } }],
  ["the log", { settings: { log: { format: "off" } } }],
  ["headers of the request's way", { settings: { answers: { routing: "none" } } }],
  ["metrics", { settings: { metrics: false } }]
]

/** Chats in a turn: many short turns tell apart what few long ones do not, since a machine's noise lasts for seconds. */
const shortTurn = isShort ? 750 : 1500

const pairs = isShort ? 1 : 5

/** What a chat costs with everything, and how much less without something: medians of one pair of processes. */
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
      isShort ? 3 : 7,
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

/** A table of what a chat costs less without each setting: the median of the pairs, and the least and the most of them. */
const bySettings = async (driver: Program, upstream: number): Promise<string> => {
  const rows: Array<string> = []
  for (const [name, variant] of settings) {
    const found: Array<{ readonly whole: number; readonly less: number }> = []
    for (let pair = 0; pair < pairs; pair++) {
      const one = await saved(driver, upstream, name, variant)
      if (one !== undefined) found.push(one)
    }
    const less = found.map((one) => one.less)
    const share = median(found.map((one) => (one.less / one.whole) * 100))
    const range = `${Math.min(...less).toFixed(0)} to ${Math.max(...less).toFixed(0)}`
    rows.push(row(name, median(less).toFixed(1), range, `${share.toFixed(1)} %`))
    console.log(rows[rows.length - 1])
  }
  return table(["left out of the gateway", "CPU µs less a chat", `of ${pairs} pairs of processes`, "of all"], rows)
}

/** A table of what a call through the stack alone costs less without each of its concerns. */
const byConcerns = async (): Promise<string> => {
  const found = [...(await builtCosts())].sort((a, b) => b.less - a.less)
  const rows = found.map(({ less, name, whole }) =>
    row(name, less.toFixed(2), `${((less / whole) * 100).toFixed(1)} %`)
  )
  const whole = median(found.map((cost) => cost.whole)).toFixed(1)
  return table([`left out of the stack, of which a call costs ${whole} µs`, "CPU µs less a call", "of the stack"], rows)
}

/** Both tables. */
export const explain = async (driver: Program, upstream: number): Promise<string> => {
  const concerns = await byConcerns()
  console.log(concerns)
  return `${await bySettings(driver, upstream)}\n\n${concerns}`
}
