/* The dashboard: figures come as server-sent events, read by fetch, because an EventSource cannot bear a key. Whatever the
   gateway sends is shown as text only: ids, models and reasons are other people's words. */
const keyName = "switchyard.masterKey"
const spanSeconds = 15 * 60
const maxPoints = 180
const maxLines = 7
const maxEvents = 200
/** The gateway says something every 2 s: after this long a silent connection is dead. */
const silence = 9000

const $ = (id) => document.getElementById(id)

const element = (tag, className, text) => {
  const made = document.createElement(tag)
  if (className) made.className = className
  if (text !== undefined) made.textContent = text
  return made
}

const setText = (node, text) => {
  if (node.textContent !== text) node.textContent = text
}

const setData = (node, name, value) => {
  if (node.dataset[name] !== value) node.dataset[name] = value
}

// --- words

const ms = (value) => {
  if (value === null || value === undefined) return "–"
  if (value < 1) return "<1 ms"
  if (value < 1000) return `${Math.round(value)} ms`
  return value < 10_000 ? `${(value / 1000).toFixed(2)} s` : `${Math.round(value / 1000)} s`
}

const span = (value) => {
  const seconds = Math.max(0, Math.ceil(value / 1000))
  if (seconds < 60) return `${seconds} s`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 60) return `${minutes} min ${seconds % 60} s`
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`
}

const ago = (value) =>
  value < 60_000
    ? `${Math.max(0, Math.round(value / 1000))} s ago`
    : `${span(value).split(" ").slice(0, 2).join(" ")} ago`

const share = (part, whole) => {
  if (!whole) return "–"
  const percent = (100 * part) / whole
  return percent === 0
    ? "0 %"
    : percent < 0.1
      ? "<0.1 %"
      : `${percent < 10 ? percent.toFixed(1) : Math.round(percent)} %`
}

const count = (value) => (value >= 10_000 ? `${(value / 1000).toFixed(1)}k` : String(value))

const timeOf = (at) =>
  new Date(at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false })

const states = {
  healthy: "Healthy",
  unknown: "No calls yet",
  degraded: "Degraded",
  limited: "Limit reached",
  cooldown: "Cooling down",
  unhealthy: "Unhealthy",
  isolated: "Isolated"
}

const because = (event) => (event.deployment ? `${event.reason} of ${event.deployment}` : event.reason)

/** Per type: its label, its tone, and what it says. */
const eventWords = {
  CooldownOpened: [
    "Cooldown",
    "bad",
    (e) => `${e.deployment} is left alone${e.lastsMs ? ` for ${span(e.lastsMs)}` : ""}: ${e.reason}`
  ],
  CooldownHalfOpen: ["Trial", "warn", (e) => `${e.deployment} gets a call on trial`],
  CooldownClosed: ["Recovered", "good", (e) => `${e.deployment} takes calls again`],
  DeploymentIsolated: ["Isolated", "hand", (e) => `${e.deployment} was taken out by hand`],
  DeploymentReleased: ["Released", "hand", (e) => `${e.deployment} was put back by hand`],
  ProbeFailed: ["Probe failed", "bad", (e) => `${e.deployment} does not answer health probes: ${e.reason}`],
  ProbeRecovered: ["Probe good", "good", (e) => `${e.deployment} answers health probes again`],
  Retried: ["Retry", "warn", (e) => `${e.group} tried again after ${because(e)}`],
  FallbackTaken: ["Fallback", "warn", (e) => `${e.from} → ${e.to} (${e.kind}): ${because(e)}`],
  StreamRestarted: ["Restart", "warn", (e) => `A stream of ${e.group} went on elsewhere after ${because(e)}`],
  HedgeWon: ["Hedge won", "idle", (e) => `${e.deployment} answered first for ${e.group}`],
  BudgetExhausted: ["Budget", "bad", (e) => `The budget of ${e.scope} ${e.key} is used up`],
  ConfigReloaded: ["Reload", "idle", (e) => [`Configuration ${e.generation} is in force`, ...e.problems].join("; ")],
  ConfigRefused: ["Reload", "bad", (e) => ["A configuration was refused", ...e.problems].join("; ")]
}

// --- state

/** id → { group, requests, failures, p95Ms }, columns as long as `times` (seconds). */
let series = new Map()
let times = []
let views = []
let receivedAt = 0
let clockOffset = 0
let entries = new Map()

const serverNow = () => Date.now() + clockOffset

// --- charts

const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim()

const sum = (values) => values.reduce((total, value) => total + (value ?? 0), 0)

/** Samples that a rate is taken over: single ones of 5 s are mostly noise. */
const rateOver = 6

/** Counts per minute over the last half minute; with less than half of it seen, no small number becomes a big rate. */
const rates = (values) => {
  let total = 0
  let known = 0
  return values.map((value, at) => {
    const leaving = at < rateOver ? null : values[at - rateOver]
    if (value !== null) {
      total += value
      known++
    }
    if (leaving !== null && leaving !== undefined) {
      total -= leaving
      known--
    }
    return value === null || known === 0 ? null : (total / Math.max(known, rateOver / 2)) * perMinute
  })
}

/** Goes on with the last value for half a minute: a deployment that is asked now and then has a line, not dots. */
const carried = (values) => {
  let last = null
  let age = 0
  return values.map((value) => {
    age = value === null ? age + 1 : 0
    last = value ?? (age <= rateOver ? last : null)
    return last
  })
}

/** The busiest deployments have a line and a colour of their own, the others share one. */
let lines = []

const chooseLines = () => {
  const ranked = [...series].sort(([, a], [, b]) => sum(b.requests) - sum(a.requests))
  const order = new Map(views.map((view, index) => [view.id, index]))
  const chosen = ranked.slice(0, maxLines).map(([id]) => id)
  chosen.sort((a, b) => (order.get(a) ?? 1e9) - (order.get(b) ?? 1e9))
  const rest = ranked.slice(maxLines).map(([id]) => id)
  return rest.length === 0 ? chosen.map((id) => [id]) : [...chosen.map((id) => [id]), rest]
}

const nameOf = (ids) => (ids.length === 1 ? ids[0] : `${ids.length} others`)

const colourOf = (index) => {
  const colours = style("--series").split(/\s+/)
  return colours[index % colours.length]
}

const added = (ids, column) =>
  times.map((_, at) => {
    let total = null
    for (const id of ids) {
      const value = series.get(id)?.[column][at]
      if (value !== null && value !== undefined) total = (total ?? 0) + value
    }
    return total
  })

const perMinute = 12

const wholeSteps = [1, 2, 5]
  .flatMap((step) => [0, 1, 2, 3, 4, 5, 6].map((power) => step * 10 ** power))
  .sort((a, b) => a - b)

const whole = (value) => String(Math.round(value))

const charts = [
  {
    id: "chart-traffic",
    line: (ids) => rates(added(ids, "requests")),
    format: whole,
    least: 4,
    empty: "No traffic yet. Send a request to /v1/chat/completions: it shows up within 5 seconds."
  },
  {
    id: "chart-latency",
    // The quantiles of several deployments have no sum.
    line: (ids) => (ids.length > 1 ? times.map(() => null) : carried(added(ids, "p95Ms"))),
    format: ms,
    least: 1,
    empty: "No answers yet."
  },
  {
    id: "chart-errors",
    line: (ids) => rates(added(ids, "failures")),
    format: whole,
    least: 4,
    empty: "No failed attempts in the last 15 minutes."
  }
]

const tip = (chart) => {
  const box = element("div", "tip")
  box.hidden = true
  return {
    hooks: {
      init: (plot) => plot.over.appendChild(box),
      setCursor: (plot) => {
        const { idx, left } = plot.cursor
        if (idx === null || idx === undefined || left < 0) {
          box.hidden = true
          return
        }
        const found = lines
          .map((ids, index) => ({ ids, index, value: plot.data[index + 1]?.[idx] }))
          .filter(({ value }) => value !== null && value !== undefined && (value > 0 || lines.length < 4))
          .sort((a, b) => b.value - a.value)
        if (found.length === 0) {
          box.hidden = true
          return
        }
        box.replaceChildren(element("small", "", timeOf(plot.data[0][idx] * 1000)))
        for (const { ids, index, value } of found) {
          const row = element("div")
          const dot = element("span", "dot")
          dot.style.background = colourOf(index)
          row.append(dot, element("span", "name", nameOf(ids)), element("b", "", chart.format(value)))
          box.append(row)
        }
        box.hidden = false
        const right = left > plot.over.clientWidth / 2
        box.style.left = right ? "auto" : `${left + 12}px`
        box.style.right = right ? `${plot.over.clientWidth - left + 12}px` : "auto"
      }
    }
  }
}

const build = (chart) => {
  const host = $(chart.id)
  chart.plot?.destroy()
  host.replaceChildren()
  const muted = style("--muted")
  const grid = { stroke: style("--grid"), width: 1 }
  const font = "11px system-ui, sans-serif"
  chart.plot = new uPlot(
    {
      width: Math.max(120, host.clientWidth),
      height: host.clientHeight,
      padding: [8, 16, 0, 0],
      legend: { show: false },
      cursor: { y: false, points: { size: 6 }, drag: { x: false, y: false }, sync: { key: "switchyard" } },
      scales: {
        x: { range: () => [serverNow() / 1000 - spanSeconds, serverNow() / 1000] },
        y: { range: (_, __, max) => [0, Math.max(max ?? 0, chart.least) * 1.1] }
      },
      axes: [
        {
          stroke: muted,
          font,
          grid: { show: false },
          ticks: { show: false },
          size: 24,
          space: 64,
          values: (_, ticks) => ticks.map((tick) => timeOf(tick * 1000).slice(0, 5))
        },
        {
          stroke: muted,
          font,
          grid,
          ticks: { show: false },
          size: 48,
          space: 34,
          ...(chart.format === whole ? { incrs: wholeSteps } : {}),
          values: (_, ticks) => ticks.map((tick) => (chart.format === ms ? (tick === 0 ? "0" : ms(tick)) : tick))
        }
      ],
      series: [
        {},
        ...lines.map((ids, index) => ({
          label: nameOf(ids),
          stroke: colourOf(index),
          width: 1.75,
          points: { show: false },
          ...(lines.length === 1 ? { fill: `${colourOf(index)}22` } : {})
        }))
      ],
      plugins: [tip(chart)]
    },
    dataOf(chart),
    host
  )
  chart.note = element("p", "empty", chart.empty)
  host.append(chart.note)
  noteEmptiness(chart)
}

const dataOf = (chart) => [times, ...lines.map((ids) => chart.line(ids))]

const noteEmptiness = (chart) => {
  const [, ...columns] = chart.plot.data
  chart.note.hidden = columns.some((values) => values.some((value) => value !== null && value > 0))
}

const rebuildCharts = () => {
  lines = chooseLines()
  for (const chart of charts) build(chart)
  paintDots()
}

const drawCharts = () => {
  const chosen = chooseLines()
  if (JSON.stringify(chosen) !== JSON.stringify(lines)) return rebuildCharts()
  for (const chart of charts) {
    chart.plot.setData(dataOf(chart))
    noteEmptiness(chart)
  }
}

const columnNames = ["requests", "failures", "p95Ms"]

const setTimeline = (recording) => {
  times = recording.at.map((at) => at / 1000)
  series = new Map(
    recording.deployments.map((one) => [one.id, { requests: one.requests, failures: one.failures, p95Ms: one.p95Ms }])
  )
}

const addPoint = (point) => {
  const length = times.length
  times.push(point.at / 1000)
  for (const one of point.deployments) {
    if (!series.has(one.id)) {
      series.set(one.id, Object.fromEntries(columnNames.map((name) => [name, new Array(length).fill(null)])))
    }
    for (const name of columnNames) series.get(one.id)[name].push(one[name])
  }
  const seen = new Set(point.deployments.map(({ id }) => id))
  for (const [id, columns] of series) if (!seen.has(id)) for (const name of columnNames) columns[name].push(null)
  if (times.length <= maxPoints) return
  times.shift()
  for (const columns of series.values()) for (const name of columnNames) columns[name].shift()
}

// --- deployments

const rows = new Map()

const cell = (row, className, label) => {
  const made = element("td", className)
  if (label) made.dataset.label = label
  row.append(made)
  return made
}

const makeRow = (id) => {
  const row = element("tr")
  row.dataset.id = id
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
  const latency = cell(row, "number", "p50 / p95")
  const headroom = cell(row, "", "Headroom")
  const room = element("div", "room")
  const meter = element("meter")
  Object.assign(meter, { min: 0, max: 1, low: 0.15, high: 0.4, optimum: 1 })
  const left = element("span")
  room.append(meter, left)
  headroom.append(room)
  const why = cell(row, "error", "Last error")
  why.className = "error-cell why"
  const reason = element("div", "why")
  const when = element("small")
  why.append(reason, when)
  const button = element("button", "", "Isolate")
  button.type = "button"
  button.addEventListener("click", () => act(id, button))
  cell(row, "action").append(button)
  return { row, dot, where, group, pill, until, flight, rate, errors, latency, meter, left, reason, when, button }
}

const untilText = (view) => {
  const block = view.cooldown ?? view.limitedBy
  if (!block || view.isolated) return ""
  if (block.remainingMs === null) return block.reason === "probing" ? "on trial" : ""
  return span(block.remainingMs - (performance.now() - receivedAt))
}

const paintRow = (view) => {
  const at = rows.get(view.id)
  setText(at.where, [view.model, view.host ?? view.provider].join(" · "))
  at.where.title = at.where.textContent
  setText(at.group, view.group)
  at.group.title = view.group
  setText(at.pill, states[view.state] ?? view.state)
  setData(at.pill, "state", view.state)
  at.pill.title = [view.cooldown?.reason, view.cooldown?.cause, view.limitedBy?.reason].filter(Boolean).join(": ")
  setText(at.until, untilText(view))
  setText(at.flight, count(view.inFlight))
  setText(at.rate, view.lastMinute === null ? "–" : count(view.lastMinute.requests))
  setText(
    at.errors,
    view.lastMinute === null
      ? share(view.failures, view.requests)
      : share(view.lastMinute.failures, view.lastMinute.requests)
  )
  at.errors.classList.toggle("bad", (view.lastMinute?.failures ?? 0) > 0)
  const kind = view.stream.samples > view.plain.samples ? view.stream : view.plain
  setText(at.latency, kind.p50Ms === null ? "–" : `${ms(kind.p50Ms)} / ${ms(kind.p95Ms)}`)
  at.latency.title = kind === view.stream ? "streams: until the first token" : "whole answers"
  at.meter.hidden = view.headroom === null
  if (view.headroom !== null) at.meter.value = view.headroom
  setText(at.left, view.headroom === null ? "no limit" : `${Math.round(view.headroom * 100)} %`)
  at.left.classList.toggle("muted", view.headroom === null)
  const [error] = view.lastErrors
  setText(
    at.reason,
    error ? `${error.reason}${error.status === null ? "" : ` ${error.status}`}` : (view.lastError ?? "–")
  )
  at.reason.title = error?.message ?? ""
  setText(at.when, error ? ago(error.ageMs + performance.now() - receivedAt) : "")
  setText(at.button, view.isolated ? "Release" : "Isolate")
  at.button.setAttribute("aria-label", `${view.isolated ? "Release" : "Isolate"} ${view.id}`)
}

const paintDots = () => {
  const colours = new Map()
  lines.forEach((ids, index) => {
    for (const id of ids) colours.set(id, colourOf(index))
  })
  for (const [id, { dot }] of rows) dot.style.background = colours.get(id) ?? ""
}

const paintTable = (total) => {
  const body = $("deployments").tBodies[0]
  const present = new Set(views.map(({ id }) => id))
  for (const [id, { row }] of rows) {
    if (present.has(id)) continue
    row.remove()
    rows.delete(id)
  }
  views.forEach((view, index) => {
    if (!rows.has(view.id)) rows.set(view.id, makeRow(view.id))
    const { row } = rows.get(view.id)
    if (body.children[index] !== row) body.insertBefore(row, body.children[index] ?? null)
    paintRow(view)
  })
  $("no-deployments").hidden = views.length > 0
  setText($("shown"), total > views.length ? `${views.length} of ${total}: those in trouble and the busiest` : "")
}

const closedStates = new Set(["cooldown", "unhealthy", "isolated"])

const paintTiles = () => {
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

// --- events

const paintEvents = () => {
  const newest = [...entries.values()].sort((a, b) => b.number - a.number)
  for (const entry of newest.slice(maxEvents)) entries.delete(entry.id)
  $("events").replaceChildren(
    ...newest.slice(0, maxEvents).map((entry) => {
      const [label, tone, words] = eventWords[entry.type] ?? [entry.type, "idle", () => ""]
      const item = element("li")
      const time = element("time", "", timeOf(entry.at))
      time.dateTime = new Date(entry.at).toISOString()
      const kind = element("span", "kind", label)
      kind.dataset.tone = tone
      const what = element("span", "what", words(entry))
      if (entry.times > 1) what.append(" ", element("small", "", `×${entry.times}`))
      item.append(time, kind, what)
      return item
    })
  )
  $("no-events").hidden = newest.length > 0
}

// --- what the gateway says

const phases = { starting: "starting", draining: "draining" }

const takeSample = (sample) => {
  views = sample.deployments
  receivedAt = performance.now()
  clockOffset = sample.at - Date.now()
  setText($("generation"), [`configuration ${sample.generation}`, phases[sample.phase]].filter(Boolean).join(" · "))
  paintTable(sample.total)
  paintTiles()
}

const handlers = {
  snapshot: (data) => {
    $("sign-in").hidden = true
    $("content").hidden = false
    entries = new Map(data.events.map((entry) => [entry.id, entry]))
    setTimeline(data.timeline)
    takeSample(data)
    rebuildCharts()
    paintEvents()
  },
  sample: takeSample,
  point: (data) => {
    addPoint(data)
    drawCharts()
  },
  timeline: (data) => {
    setTimeline(data)
    drawCharts()
  },
  router: (entry) => {
    entries.set(entry.id, entry)
    paintEvents()
  }
}

// --- connection

const storage = {
  get: () => sessionStorage.getItem(keyName),
  set: (key) => sessionStorage.setItem(keyName, key),
  clear: () => sessionStorage.removeItem(keyName)
}

const headers = () => {
  const key = storage.get()
  return key === null ? {} : { authorization: `Bearer ${key}` }
}

const url = (path) => new URL(path, document.baseURI)

const setConnection = (state, text) => {
  setData($("connection"), "state", state)
  setText($("connection"), text)
}

const alertWith = (text) => {
  $("alert").hidden = text === ""
  setText($("alert"), text)
}

const errorOf = async (response) => {
  const body = await response.json().catch(() => undefined)
  return body?.error?.message ?? `The gateway answered ${response.status}.`
}

const askForKey = (message) => {
  $("content").hidden = true
  $("sign-in").hidden = false
  $("forget").hidden = true
  $("key-error").hidden = message === ""
  setText($("key-error"), message)
  setConnection("waiting", "Key needed")
  alertWith("")
  $("key").focus()
}

const dispatch = (block) => {
  let name = "message"
  const data = []
  for (const line of block.split("\n")) {
    if (line.startsWith("event:")) name = line.slice(6).trim()
    else if (line.startsWith("data:")) data.push(line.slice(5).trimStart())
  }
  if (data.length > 0) handlers[name]?.(JSON.parse(data.join("\n")))
}

/** Reads events until the connection ends, however it does. */
const listen = async (response, controller) => {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader()
  let rest = ""
  let watch = 0
  const rewind = () => {
    clearTimeout(watch)
    watch = setTimeout(() => controller.abort(), silence)
  }
  try {
    for (;;) {
      rewind()
      const { done, value } = await reader.read()
      if (done) return
      const blocks = (rest + value).split("\n\n")
      rest = blocks.pop()
      for (const block of blocks) dispatch(block)
    }
  } finally {
    clearTimeout(watch)
  }
}

let failures = 0
let retry = 0
let connection

const reconnect = () => {
  failures++
  const wait = Math.min(8, 2 ** (failures - 1))
  setConnection("lost", "Connection lost")
  const shown = views.length > 0 ? " The figures below are from before." : ""
  alertWith(`Connection lost. Trying again every few seconds.${shown}`)
  clearTimeout(retry)
  retry = setTimeout(connect, wait * 1000)
}

const connect = async () => {
  clearTimeout(retry)
  connection?.abort()
  const controller = new AbortController()
  connection = controller
  if (failures === 0) setConnection("connecting", "Connecting…")
  try {
    const response = await fetch(url("admin/events"), {
      headers: headers(),
      cache: "no-store",
      signal: controller.signal
    })
    if (response.status === 401 || response.status === 403) {
      const given = storage.get() !== null
      const message = await errorOf(response)
      storage.clear()
      return askForKey(given || response.status === 403 ? message : "")
    }
    if (!response.ok) throw new Error(await errorOf(response))
    failures = 0
    setConnection("live", "Live")
    alertWith("")
    $("forget").hidden = storage.get() === null
    await listen(response, controller)
  } catch {
    // Said below: every end of a connection is the same to the reader.
  }
  if (connection === controller) reconnect()
}

const act = async (id, button) => {
  const view = views.find((one) => one.id === id)
  if (view === undefined) return
  const action = view.isolated ? "release" : "isolate"
  button.disabled = true
  try {
    const path = `admin/deployments/${encodeURIComponent(id)}/${action}`
    const response = await fetch(url(path), { method: "POST", headers: headers() })
    if (!response.ok) throw new Error(await errorOf(response))
    const changed = await response.json()
    views = views.map((one) => (one.id === id ? changed : one))
    paintRow(changed)
    paintTiles()
    alertWith("")
  } catch (error) {
    alertWith(`Could not ${action} ${id}: ${error.message}`)
  } finally {
    button.disabled = false
  }
}

$("key-form").addEventListener("submit", (event) => {
  event.preventDefault()
  storage.set($("key").value.trim())
  $("key").value = ""
  failures = 0
  connect()
})

$("forget").addEventListener("click", () => {
  storage.clear()
  views = []
  connect()
})

// Countdowns and ages go on between two samples.
setInterval(() => {
  for (const view of views) if (rows.has(view.id)) paintRow(view)
}, 1000)

let resized = 0
addEventListener("resize", () => {
  cancelAnimationFrame(resized)
  resized = requestAnimationFrame(() => {
    for (const { id, plot } of charts)
      plot?.setSize({ width: Math.max(120, $(id).clientWidth), height: $(id).clientHeight })
  })
})

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  if (charts[0].plot) rebuildCharts()
})

connect()
