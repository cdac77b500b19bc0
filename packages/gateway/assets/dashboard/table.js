// @ts-check
/** The table of deployments, and the figures above it. */
import { $, element, setData, setText } from "./dom.js"
import { sum } from "./live.js"
import { ago, count, ms, share, span, stateOf } from "./words.js"

/** @import { DeploymentView } from "../../src/api/AdminViews.js" */
/** @import { Live } from "./live.js" */

/** @typedef {(id: string, button: HTMLButtonElement) => void} Act */
/** @typedef {ReturnType<typeof makeRow>} Row */

/**
 * @param {HTMLElement} row
 * @param {string} className
 * @param {string} [label]
 */
const cell = (row, className, label) => {
  const made = element("td", className)
  if (label) made.dataset["label"] = label
  row.append(made)
  return made
}

/**
 * @param {string} id
 * @param {Act} act
 */
const makeRow = (id, act) => {
  const row = element("tr")
  row.dataset["id"] = id
  const who = element("div", "who")
  const dot = element("span", "dot")
  const names = element("div")
  const name = element("div", "id", id)
  name.title = id
  const where = element("div", "where")
  names.append(name, where)
  who.append(dot, names)
  cell(row, "deployment").append(who)
  const group = cell(row, "group", "Group")
  const state = cell(row, "state", "State")
  const pill = element("span", "pill")
  const until = element("span", "until")
  state.append(pill, until)
  const flight = cell(row, "number", "In flight")
  const rate = cell(row, "number", "Req / min")
  const errors = cell(row, "number", "Errors")
  const latency = cell(row, "number latency", "p50 / p95")
  const headroom = cell(row, "", "Headroom")
  const room = element("div", "room")
  const meter = element("meter")
  Object.assign(meter, { min: 0, max: 1, low: 0.15, high: 0.4, optimum: 1 })
  const left = element("span")
  room.append(meter, left)
  headroom.append(room)
  const why = cell(row, "error-cell why", "Last error")
  const reason = element("div", "why")
  const when = element("small")
  why.append(reason, when)
  const button = element("button", "", "Isolate")
  button.type = "button"
  button.addEventListener("click", () => act(id, button))
  cell(row, "action").append(button)
  return { row, dot, where, group, pill, until, flight, rate, errors, latency, meter, left, reason, when, button }
}

/**
 * @param {DeploymentView} view
 * @param {number} age
 */
const untilText = (view, age) => {
  const block = view.cooldown ?? view.limitedBy
  if (!block || view.isolated) return ""
  if (block.remainingMs === null) return block.reason === "probing" ? "on trial" : ""
  const left = span(block.remainingMs - age)
  return view.cooldown?.lastResort ? `${left}, still asked` : left
}

/**
 * @param {Row} at
 * @param {DeploymentView} view
 * @param {number} age Ms since the view came.
 */
const paintRow = (at, view, age) => {
  const { headroom, lastMinute } = view
  setText(at.where, [view.model, view.host ?? view.provider].join(" · "))
  at.where.title = at.where.textContent ?? ""
  setText(at.group, view.group)
  at.group.title = view.group
  setText(at.pill, stateOf(view.state))
  setData(at.pill, "state", view.state)
  at.pill.title = [view.cooldown?.reason, view.cooldown?.cause, view.limitedBy?.reason].filter(Boolean).join(": ")
  setText(at.until, untilText(view, age))
  at.until.title = view.cooldown?.lastResort
    ? "alone in its group: calls go out all the same where no fallback is left"
    : ""
  setText(at.flight, count(view.inFlight))
  setText(at.rate, lastMinute === null ? "–" : count(lastMinute.requests))
  const { failures, requests } = lastMinute ?? view
  setText(at.errors, share(failures, requests))
  at.errors.classList.toggle("bad", (lastMinute?.failures ?? 0) > 0)
  const kind = view.stream.samples > view.plain.samples ? view.stream : view.plain
  setText(at.latency, kind.p50Ms === null ? "–" : `${ms(kind.p50Ms)} / ${ms(kind.p95Ms)}`)
  at.latency.title = kind === view.stream ? "streams: until the first token" : "whole answers"
  at.meter.hidden = headroom === null
  if (headroom !== null) at.meter.value = headroom
  setText(at.left, headroom === null ? "no limit" : `${Math.round(headroom * 100)} %`)
  at.left.classList.toggle("muted", headroom === null)
  const [error] = view.lastErrors
  setText(
    at.reason,
    error ? `${error.reason}${error.status === null ? "" : ` ${error.status}`}` : (view.lastError ?? "–")
  )
  at.reason.title = error?.message ?? ""
  setText(at.when, error ? ago(error.ageMs + age) : "")
  setText(at.button, view.isolated ? "Release" : "Isolate")
  at.button.setAttribute("aria-label", `${view.isolated ? "Release" : "Isolate"} ${view.id}`)
}

const closedStates = new Set(["cooldown", "unhealthy", "isolated"])

/** One row for each deployment. */
export class Table {
  #live
  #act
  /** @type {Map<string, Row>} */
  #rows = new Map()

  /**
   * @param {Live} live
   * @param {Act} act
   */
  constructor(live, act) {
    this.#live = live
    this.#act = act
  }

  /** Shows the deployments that there are. */
  paint() {
    const { total, views } = this.#live
    const body = /** @type {HTMLTableElement} */ ($("deployments")).tBodies[0]
    const present = new Set(views.map(({ id }) => id))
    for (const [id, { row }] of this.#rows) {
      if (present.has(id)) continue
      row.remove()
      this.#rows.delete(id)
    }
    views.forEach(({ id }, index) => {
      const { row } = this.#rows.get(id) ?? this.#add(id)
      if (body?.children[index] !== row) body?.insertBefore(row, body.children[index] ?? null)
    })
    this.refresh()
    $("no-deployments").hidden = views.length > 0
    setText($("shown"), total > views.length ? `${views.length} of ${total}: those in trouble and the busiest` : "")
    this.#paintTiles()
  }

  /** Countdowns and ages go on between two samples. */
  refresh() {
    const age = performance.now() - this.#live.receivedAt
    for (const view of this.#live.views) {
      const row = this.#rows.get(view.id)
      if (row !== undefined) paintRow(row, view, age)
    }
  }

  /** @param {ReadonlyMap<string, string>} colours */
  paintDots(colours) {
    for (const [id, { dot }] of this.#rows) dot.style.background = colours.get(id) ?? ""
  }

  /** @param {string} id */
  #add(id) {
    const made = makeRow(id, this.#act)
    this.#rows.set(id, made)
    return made
  }

  #paintTiles() {
    const { views } = this.#live
    const requests = sum(views.map((view) => view.lastMinute?.requests))
    const failures = sum(views.map((view) => view.lastMinute?.failures))
    const closed = views.filter((view) => closedStates.has(view.state)).length
    setText($("tile-requests"), count(requests))
    setText($("tile-requests-note"), "last 60 s")
    setText($("tile-errors"), share(failures, requests))
    $("tile-errors").classList.toggle("bad", failures > 0 && failures / requests >= 0.05)
    setText($("tile-errors-note"), failures === 1 ? "1 failed attempt" : `${failures} failed attempts`)
    setText($("tile-flight"), count(sum(views.map((view) => view.inFlight))))
    setText($("tile-flight-note"), `${count(sum(views.map((view) => view.tokens)))} tokens so far`)
    setText($("tile-open"), `${views.length - closed} / ${views.length}`)
    $("tile-open").classList.toggle("bad", closed > 0 && closed === views.length)
    setText($("tile-open-note"), closed === 0 ? "all take calls" : `${closed} closed`)
  }
}
