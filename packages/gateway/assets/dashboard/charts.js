// @ts-check
/** The charts. */
import { $, element } from "./dom.js"
import { carried, rates } from "./live.js"
import uPlot from "./uplot.js"
import { ms, timeOf } from "./words.js"

/** @import { Live, Values } from "./live.js" */

/**
 * @typedef {object} Chart
 * @property {string} id
 * @property {(ids: ReadonlyArray<string>) => Values} line
 * @property {(value: number) => string} format
 * @property {number} least The smallest top of the scale.
 * @property {string} empty
 * @property {uPlot} [plot]
 * @property {HTMLElement} [note]
 */

const spanSeconds = 15 * 60

const wholeSteps = [1, 2, 5]
  .flatMap((step) => [0, 1, 2, 3, 4, 5, 6].map((power) => step * 10 ** power))
  .sort((a, b) => a - b)

const whole = (/** @type {number} */ value) => String(Math.round(value))

const style = (/** @type {string} */ name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim()

const colourOf = (/** @type {number} */ index) => {
  const colours = style("--series").split(/\s+/)
  return colours[index % colours.length] ?? ""
}

const nameOf = (/** @type {ReadonlyArray<string>} */ ids) =>
  (ids.length === 1 ? ids[0] : undefined) ?? `${ids.length} others`

/**
 * Values with nothing on either side: no line goes through them, so they are drawn as points.
 * @param {uPlot} plot
 * @param {number} series
 */
const lonely = (plot, series) =>
  [...(plot.data[series] ?? [])].flatMap((value, at, all) =>
    value != null && all[at - 1] == null && all[at + 1] == null ? [at] : []
  )

const muted = () => ({ stroke: style("--muted"), font: "11px system-ui, sans-serif", ticks: { show: false } })

/** @param {(value: number) => string} format */
const axesOf = (format) => [
  {
    ...muted(),
    grid: { show: false },
    size: 24,
    space: 64,
    values: (/** @type {uPlot} */ _, /** @type {number[]} */ ticks) =>
      ticks.map((tick) => timeOf(tick * 1000).slice(0, 5))
  },
  {
    ...muted(),
    grid: { stroke: style("--grid"), width: 1 },
    size: 48,
    space: 34,
    ...(format === whole ? { incrs: wholeSteps } : {}),
    values: (/** @type {uPlot} */ _, /** @type {number[]} */ ticks) =>
      ticks.map((tick) => (format === whole ? tick : tick === 0 ? "0" : format(tick)))
  }
]

/** @param {Chart} chart */
const noteEmptiness = ({ note, plot }) => {
  const [, ...columns] = plot?.data ?? []
  if (note === undefined) return
  note.hidden = columns.some((values) => [...values].some((value) => typeof value === "number" && value > 0))
}

/** @param {HTMLElement} host */
const sizeOf = (host) => ({ width: Math.max(120, host.clientWidth), height: host.clientHeight })

/** Draws what the page knows. */
export class Charts {
  #live
  /** @type {ReadonlyArray<ReadonlyArray<string>>} */
  #lines = []
  /** @type {ReadonlyArray<Chart>} */
  #charts

  /** @param {Live} live */
  constructor(live) {
    this.#live = live
    const { series } = live
    this.#charts = [
      {
        id: "chart-traffic",
        line: (ids) => rates(series.added(ids, "requests")),
        format: whole,
        least: 4,
        empty: "No traffic yet. Send a request to /v1/chat/completions: it shows up within 5 seconds."
      },
      {
        id: "chart-latency",
        // The quantiles of several deployments have no sum.
        line: (ids) => (ids.length > 1 ? series.times.map(() => null) : carried(series.added(ids, "p95Ms"))),
        format: ms,
        least: 1,
        empty: "No answers yet."
      },
      {
        id: "chart-errors",
        line: (ids) => rates(series.added(ids, "failures")),
        format: whole,
        least: 4,
        empty: "No failed attempts in the last 15 minutes."
      }
    ]
  }

  /** Draws the lines that there are, anew where they are others than before. */
  draw() {
    if (JSON.stringify(this.#live.series.lines(this.#live.views)) !== JSON.stringify(this.#lines)) return this.rebuild()
    for (const chart of this.#charts) {
      chart.plot?.setData(this.#dataOf(chart))
      noteEmptiness(chart)
    }
  }

  /** Draws all anew, in the colours of now. */
  rebuild() {
    this.#lines = this.#live.series.lines(this.#live.views)
    for (const chart of this.#charts) this.#build(chart)
  }

  resize() {
    for (const { id, plot } of this.#charts) plot?.setSize(sizeOf($(id)))
  }

  /** The colour of each deployment's line. */
  colours() {
    return new Map(this.#lines.flatMap((ids, index) => ids.map((id) => /** @type {const} */ ([id, colourOf(index)]))))
  }

  /**
   * @param {Chart} chart
   * @returns {uPlot.AlignedData}
   */
  #dataOf(chart) {
    return [this.#live.series.times, ...this.#lines.map((ids) => chart.line(ids))]
  }

  /** @param {Chart} chart */
  #build(chart) {
    const host = $(chart.id)
    chart.plot?.destroy()
    host.replaceChildren()
    const now = () => (Date.now() + this.#live.clockOffset) / 1000
    chart.plot = new uPlot(
      {
        ...sizeOf(host),
        padding: [8, 16, 0, 0],
        legend: { show: false },
        cursor: { y: false, points: { size: 6 }, drag: { x: false, y: false }, sync: { key: "switchyard" } },
        scales: {
          x: { range: () => [now() - spanSeconds, now()] },
          y: { range: (_, __, max) => [0, Math.max(max ?? 0, chart.least) * 1.1] }
        },
        axes: axesOf(chart.format),
        series: [
          {},
          ...this.#lines.map((ids, index) => ({
            label: nameOf(ids),
            stroke: colourOf(index),
            width: 1.75,
            points: { show: false, size: 4, filter: lonely },
            ...(this.#lines.length === 1 ? { fill: `${colourOf(index)}22` } : {})
          }))
        ],
        plugins: [this.#tip(chart)]
      },
      this.#dataOf(chart),
      host
    )
    chart.note = element("p", "empty", chart.empty)
    host.append(chart.note)
    noteEmptiness(chart)
  }

  /**
   * @param {Chart} chart
   * @returns {uPlot.Plugin}
   */
  #tip(chart) {
    const box = element("div", "tip")
    box.hidden = true
    return {
      hooks: {
        init: (plot) => plot.over.append(box),
        setCursor: (plot) => {
          const { idx, left = -1 } = plot.cursor
          const found = idx === null || idx === undefined || left < 0 ? [] : this.#valuesAt(plot, idx)
          box.hidden = found.length === 0
          if (found.length === 0) return
          box.replaceChildren(element("small", "", timeOf((plot.data[0][idx ?? 0] ?? 0) * 1000)))
          for (const { ids, index, value } of found) {
            const row = element("div")
            const dot = element("span", "dot")
            dot.style.background = colourOf(index)
            row.append(dot, element("span", "name", nameOf(ids)), element("b", "", chart.format(value)))
            box.append(row)
          }
          const isRight = left > plot.over.clientWidth / 2
          box.style.left = isRight ? "auto" : `${left + 12}px`
          box.style.right = isRight ? `${plot.over.clientWidth - left + 12}px` : "auto"
        }
      }
    }
  }

  /**
   * @param {uPlot} plot
   * @param {number} at
   */
  #valuesAt(plot, at) {
    return this.#lines
      .map((ids, index) => ({ ids, index, value: plot.data[index + 1]?.[at] ?? -1 }))
      .filter(({ value }) => value > 0 || (value === 0 && this.#lines.length < 4))
      .sort((a, b) => b.value - a.value)
  }
}
