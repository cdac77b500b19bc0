// @ts-check
/** What was spent in the last days. */
import { ask, errorOf } from "./connection.js"
import { $, element, setText } from "./dom.js"
import { fill, rowOf } from "./rows.js"
import uPlot from "./uplot.js"
import { count, usd } from "./words.js"

/** @import { SpendSum, SpendTable, SpendView } from "../../src/api/SpendViews.js" */

/** @type {uPlot | undefined} */
let plot

const style = (/** @type {string} */ name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim()

const dayOf = (/** @type {number} */ seconds) => new Date(seconds * 1000).toISOString().slice(5, 10)

/** @param {HTMLElement} host */
const sizeOf = (host) => ({ width: Math.max(120, host.clientWidth), height: host.clientHeight })

/** @param {ReadonlyArray<SpendSum>} days */
const draw = (days) => {
  const host = $("chart-spend")
  plot?.destroy()
  host.replaceChildren()
  const colour = style("--series").split(/\s+/)[0] ?? ""
  const muted = { stroke: style("--muted"), font: "11px system-ui, sans-serif", ticks: { show: false } }
  const bars = uPlot.paths.bars?.({ size: [0.7, 40] })
  plot = new uPlot(
    {
      ...sizeOf(host),
      padding: [8, 16, 0, 0],
      legend: { show: false },
      cursor: { show: false },
      scales: {
        x: { range: (_, min, max) => [min - 43_200, max + 43_200] },
        y: { range: (_, __, max) => [0, max > 0 ? max * 1.1 : 1] }
      },
      axes: [
        { ...muted, grid: { show: false }, size: 24, space: 56, values: (_, ticks) => ticks.map(dayOf) },
        {
          ...muted,
          grid: { stroke: style("--grid"), width: 1 },
          size: 64,
          space: 34,
          values: (_, ticks) => ticks.map(usd)
        }
      ],
      series: [{}, { stroke: colour, fill: `${colour}88`, points: { show: false }, ...(bars ? { paths: bars } : {}) }]
    },
    [days.map(({ name }) => Date.parse(name) / 1000), days.map(({ cost }) => (cost > 0 ? cost : null))],
    host
  )
  if (days.every(({ cost }) => cost === 0)) host.append(element("p", "empty", "Nothing was spent in these days."))
}

/**
 * @param {SpendSum} sum
 * @param {string} none
 */
const sumRow = ({ alias, cost, failures, name, requests, tokens }, none) => {
  const shown = alias ?? (name === "" ? none : name)
  return rowOf([
    ["", { text: shown, title: name, className: "name" }],
    ["Requests", { text: count(requests), className: "number" }],
    ["Failed", { text: count(failures), className: "number" }],
    ["Tokens", { text: count(tokens), className: "number" }],
    ["USD", { text: usd(cost), className: "number" }]
  ])
}

/**
 * @param {string} what
 * @param {SpendTable} table
 * @param {string} none
 */
const fillTable = (what, { rows, total }, none) => {
  fill(
    `spend-${what}`,
    rows.map((row) => sumRow(row, none))
  )
  setText($(`spend-${what}-note`), total > rows.length ? `the ${rows.length} dearest of ${total}` : "")
}

/** Asks for the sums, and shows them. Fails with what the gateway says. */
export const showSpend = async () => {
  const response = await ask("admin/spend")
  if (!response.ok) throw new Error(await errorOf(response))
  /** @type {SpendView} */
  const view = await response.json()
  $("spend-none").hidden = view.hasLedger
  $("spend-some").hidden = !view.hasLedger
  if (!view.hasLedger) return
  setText($("spend-total"), usd(view.total.cost))
  setText($("spend-total-note"), `${count(view.total.requests)} requests, ${count(view.total.tokens)} tokens`)
  setText($("spend-time"), `${view.from} to ${view.to}, UTC`)
  draw(view.days)
  fillTable("keys", view.keys, "(no key)")
  fillTable("teams", view.teams, "(no team)")
  fillTable("models", view.models, "(no model)")
  fillTable("deployments", view.deployments, "(none)")
}

export const resizeSpend = () => plot?.setSize(sizeOf($("chart-spend")))
