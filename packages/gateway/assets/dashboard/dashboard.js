// @ts-check
/** The dashboard: figures come as server-sent events, are folded into what the page knows, and shown. */
import { Charts } from "./charts.js"
import { act, errorOf, listen, openEvents, post, sessionState } from "./connection.js"
import { $, element, setData, setText } from "./dom.js"
import { Live } from "./live.js"
import { clearPages, listenToPages, resizeSpend, showPage } from "./pages.js"
import { Table } from "./table.js"
import { eventOf, timeOf } from "./words.js"

/** @import { Handlers } from "./connection.js" */

const live = new Live()
const charts = new Charts(live)
const key = /** @type {HTMLInputElement} */ ($("key"))

/** @param {string} text */
const alertWith = (text) => {
  $("alert").hidden = text === ""
  setText($("alert"), text)
}

const table = new Table(live, async (id, button) => {
  const view = live.views.find((one) => one.id === id)
  if (view === undefined) return
  const action = view.isolated ? "release" : "isolate"
  button.disabled = true
  try {
    live.change(await act(view, action))
    table.paint()
    alertWith("")
  } catch (error) {
    alertWith(`Could not ${action} ${id}: ${error instanceof Error ? error.message : error}`)
  } finally {
    button.disabled = false
  }
})

const paintEvents = () => {
  const entries = live.events()
  $("events").replaceChildren(
    ...entries.map((entry) => {
      const { label, text, tone } = eventOf(entry)
      const item = element("li")
      const time = element("time", "", timeOf(entry.at))
      time.dateTime = new Date(entry.at).toISOString()
      const kind = element("span", "kind", label)
      kind.dataset["tone"] = tone
      const what = element("span", "what", text)
      if (entry.times > 1) what.append(" ", element("small", "", `×${entry.times}`))
      item.append(time, kind, what)
      return item
    })
  )
  $("no-events").hidden = entries.length > 0
}

const paintSample = () => {
  const phase = live.phase === "ready" ? [] : [live.phase]
  setText($("generation"), [`configuration ${live.generation}`, ...phase].join(" · "))
  table.paint()
}

const drawCharts = () => {
  charts.draw()
  table.paintDots(charts.colours())
}

const rebuildCharts = () => {
  charts.rebuild()
  table.paintDots(charts.colours())
}

/** @type {Handlers} */
const handlers = {
  snapshot: (data) => {
    $("sign-in").hidden = true
    if ($("inside").hidden) {
      $("inside").hidden = false
      void showPage()
    }
    live.snapshot(data)
    paintSample()
    rebuildCharts()
    paintEvents()
  },
  sample: (data) => {
    live.sample(data)
    paintSample()
  },
  point: (data) => {
    live.series.add(data)
    drawCharts()
  },
  timeline: (data) => {
    live.series.replace(data)
    drawCharts()
  },
  router: (entry) => {
    live.note(entry)
    paintEvents()
  }
}

/**
 * @param {string} state
 * @param {string} text
 */
const setConnection = (state, text) => {
  setData($("connection"), "state", state)
  setText($("connection"), text)
}

/** @param {string} message */
const askForKey = (message) => {
  $("inside").hidden = true
  clearPages()
  $("sign-in").hidden = false
  $("sign-out").hidden = true
  $("key-error").hidden = message === ""
  setText($("key-error"), message)
  setConnection("waiting", "Key needed")
  alertWith("")
  key.focus()
}

let failures = 0
let retry = 0
/** Whether the figures were there for a session: then its end is worth a word. */
let wasIn = false
/** @type {AbortController | undefined} */
let connection

const reconnect = () => {
  failures++
  setConnection("lost", "Connection lost")
  const shown = live.views.length > 0 ? " The figures below are from before." : ""
  alertWith(`Connection lost. Trying again every few seconds.${shown}`)
  window.clearTimeout(retry)
  retry = window.setTimeout(connect, Math.min(8, 2 ** (failures - 1)) * 1000)
}

const connect = async () => {
  window.clearTimeout(retry)
  connection?.abort()
  const controller = new AbortController()
  connection = controller
  if (failures === 0) setConnection("connecting", "Connecting…")
  try {
    const state = await sessionState()
    if (state === "signedOut") {
      const message = wasIn ? "You are signed out: the session is over." : ""
      wasIn = false
      return askForKey(message)
    }
    const response = await openEvents(controller.signal)
    if (response.status === 401 || response.status === 403) return askForKey(await errorOf(response))
    if (!response.ok) throw new Error(await errorOf(response))
    failures = 0
    wasIn = state === "signedIn"
    setConnection("live", "Live")
    alertWith("")
    $("sign-out").hidden = !wasIn
    await listen(response, controller, handlers)
  } catch {
    // Said below: every end of a connection is the same to the reader.
  }
  if (connection === controller) reconnect()
}

$("key-form").addEventListener("submit", (event) => {
  event.preventDefault()
  const given = key.value.trim()
  key.value = ""
  failures = 0
  post("admin/login", { key: given }).then(connect, (error) => askForKey(error.message))
})

$("sign-out").addEventListener("click", () => {
  wasIn = false
  live.views = []
  post("admin/logout").then(connect, (error) => alertWith(`Could not sign out: ${error.message}`))
})

window.setInterval(() => table.refresh(), 1000)

const resize = () => {
  charts.resize()
  resizeSpend()
}

listenToPages(resize)

let resized = 0
window.addEventListener("resize", () => {
  window.cancelAnimationFrame(resized)
  resized = window.requestAnimationFrame(resize)
})

window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  if (!$("inside").hidden) rebuildCharts()
})

connect()
