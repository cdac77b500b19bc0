// @ts-check
/** What the page knows: each message of the stream is folded into it. */

/** @import { Entry, Latest, Sample, Snapshot } from "../../src/api/AdminEvents.js" */
/** @import { DeploymentView, Recording } from "../../src/api/AdminViews.js" */

/** @typedef {"requests" | "failures" | "p95Ms"} Column */
/** @typedef {Array<number | null>} Values */

/** @type {ReadonlyArray<Column>} */
const columns = ["requests", "failures", "p95Ms"]

const maxPoints = 180
const maxLines = 7
const maxEvents = 200

/** Samples that a rate is taken over: single ones of 5 s are mostly noise. */
const rateOver = 6
const perMinute = 12

/** @param {ReadonlyArray<number | null | undefined>} values */
export const sum = (values) => values.reduce((/** @type {number} */ total, value) => total + (value ?? 0), 0)

/**
 * Counts per minute over the last half minute; with less than half of it seen, no small number becomes a big rate.
 * @param {Values} values
 * @returns {Values}
 */
export const rates = (values) => {
  let total = 0
  let known = 0
  return values.map((value, at) => {
    const leaving = at < rateOver ? null : (values[at - rateOver] ?? null)
    if (value !== null) {
      total += value
      known++
    }
    if (leaving !== null) {
      total -= leaving
      known--
    }
    return value === null || known === 0 ? null : (total / Math.max(known, rateOver / 2)) * perMinute
  })
}

/**
 * Goes on with the last value for half a minute: a deployment that is asked now and then has a line, not dots.
 * @param {Values} values
 * @returns {Values}
 */
export const carried = (values) => {
  /** @type {number | null} */
  let last = null
  let age = 0
  return values.map((value) => {
    age = value === null ? age + 1 : 0
    last = value ?? (age <= rateOver ? last : null)
    return last
  })
}

/** The last 15 minutes of each deployment. */
export class Series {
  /**
   * Seconds since 1970; all columns are as long.
   * @type {Array<number>}
   */
  times = []
  /** @type {Map<string, Record<Column, Values>>} */
  #columns = new Map()

  /** @param {Recording} recording */
  replace({ at, deployments }) {
    this.times = at.map((one) => one / 1000)
    this.#columns = new Map(
      deployments.map(({ failures, id, p95Ms, requests }) => [
        id,
        { requests: [...requests], failures: [...failures], p95Ms: [...p95Ms] }
      ])
    )
  }

  /** @param {Latest} point */
  add({ at, deployments }) {
    const known = this.times.length
    this.times.push(at / 1000)
    const empty = () => /** @type {Values} */ (new Array(known).fill(null))
    const points = new Map(deployments.map((one) => [one.id, one]))
    for (const id of points.keys()) {
      if (!this.#columns.has(id)) this.#columns.set(id, { requests: empty(), failures: empty(), p95Ms: empty() })
    }
    for (const [id, own] of this.#columns) {
      const point = points.get(id)
      for (const name of columns) own[name].push(point?.[name] ?? null)
    }
    if (this.times.length <= maxPoints) return
    this.times.shift()
    for (const own of this.#columns.values()) for (const name of columns) own[name].shift()
  }

  /**
   * A column of several deployments together.
   * @param {ReadonlyArray<string>} ids
   * @param {Column} name
   * @returns {Values}
   */
  added(ids, name) {
    return this.times.map((_, at) => {
      /** @type {number | null} */
      let total = null
      for (const id of ids) {
        const value = this.#columns.get(id)?.[name][at] ?? null
        if (value !== null) total = (total ?? 0) + value
      }
      return total
    })
  }

  /**
   * The busiest deployments have a line of their own, in the order of the table; the others share one.
   * @param {ReadonlyArray<{ readonly id: string }>} views
   * @returns {ReadonlyArray<ReadonlyArray<string>>}
   */
  lines(views) {
    const ranked = [...this.#columns].sort(([, a], [, b]) => sum(b.requests) - sum(a.requests)).map(([id]) => id)
    const order = new Map(views.map(({ id }, index) => [id, index]))
    const place = (/** @type {string} */ id) => order.get(id) ?? Number.MAX_SAFE_INTEGER
    const chosen = ranked
      .slice(0, maxLines)
      .sort((a, b) => place(a) - place(b))
      .map((id) => [id])
    const rest = ranked.slice(maxLines)
    return rest.length === 0 ? chosen : [...chosen, rest]
  }
}

/** All that the gateway has said. */
export class Live {
  series = new Series()
  /** @type {ReadonlyArray<DeploymentView>} */
  views = []
  /** How many deployments there are; fewer may be listed. */
  total = 0
  generation = 0
  /** @type {Sample["phase"]} */
  phase = "starting"
  /** Ms by which the gateway's clock is ahead of this one. */
  clockOffset = 0
  /** When the views came, by the page's own clock (`performance.now()`). */
  receivedAt = 0
  /** @type {Map<number, Entry>} */
  #entries = new Map()

  /** @param {Snapshot} snapshot */
  snapshot(snapshot, wall = Date.now(), monotonic = performance.now()) {
    this.#entries = new Map(snapshot.events.map((entry) => [entry.id, entry]))
    this.series.replace(snapshot.timeline)
    this.sample(snapshot, wall, monotonic)
  }

  /** @param {Sample} sample */
  sample({ at, deployments, generation, phase, total }, wall = Date.now(), monotonic = performance.now()) {
    Object.assign(this, { generation, phase, total, views: deployments, receivedAt: monotonic, clockOffset: at - wall })
  }

  /**
   * Puts a deployment in the place of what was known of it.
   * @param {DeploymentView} view
   */
  change(view) {
    this.views = this.views.map((one) => (one.id === view.id ? view : one))
  }

  /**
   * An event that is counted again takes its own place, at the end.
   * @param {Entry} entry
   */
  note(entry) {
    this.#entries.set(entry.id, entry)
  }

  /** The newest events, newest first; older ones are forgotten. */
  events() {
    const newest = [...this.#entries.values()].sort((a, b) => b.number - a.number)
    for (const { id } of newest.slice(maxEvents)) this.#entries.delete(id)
    return newest.slice(0, maxEvents)
  }
}
