// @ts-check
/** Asks the gateway. Who signed in is known by a cookie that no script reads. Events are read by `fetch`: an `EventSource` does not tell why it was refused. */
import { createParser } from "./eventsource-parser.js"

/** @import { Messages } from "../../src/api/AdminEvents.js" */
/** @import { DeploymentView } from "../../src/api/AdminViews.js" */

/** @typedef {{ readonly [Name in keyof Messages]: (data: Messages[Name]) => void }} Handlers */

/** The gateway says something every 2 s: after this long a silent connection is dead. */
const silence = 9000

/**
 * @param {string} path
 * @param {RequestInit} [init]
 */
export const ask = (path, init) => fetch(new URL(path, document.baseURI), { cache: "no-store", ...init })

/**
 * Sends JSON. Fails with what the gateway says where it refuses.
 * @param {string} path
 * @param {object} [body]
 */
export const post = async (path, body = {}) => {
  const headers = { "content-type": "application/json" }
  const response = await ask(path, { method: "POST", headers, body: JSON.stringify(body) })
  if (!response.ok) throw new Error(await errorOf(response))
  return response.json()
}

/**
 * Whether somebody signed in, or need not.
 * @returns {Promise<"open" | "signedIn" | "signedOut">}
 */
export const sessionState = async () => {
  const response = await ask("admin/session")
  if (!response.ok) throw new Error(await errorOf(response))
  return (await response.json()).state
}

/**
 * What the gateway says of a request that it refused.
 * @param {Response} response
 * @returns {Promise<string>}
 */
export const errorOf = async (response) => {
  const body = await response.json().catch(() => undefined)
  return body?.error?.message ?? `The gateway answered ${response.status}.`
}

/**
 * Isolates a deployment, or releases it.
 * @param {DeploymentView} view
 * @param {"isolate" | "release"} action
 * @returns {Promise<DeploymentView>}
 */
export const act = ({ id }, action) => post(`admin/deployments/${encodeURIComponent(id)}/${action}`)

/** @param {AbortSignal} signal */
export const openEvents = (signal) => ask("admin/events", { signal })

/**
 * Reads events until the connection ends, however it does.
 * @param {Response} response
 * @param {AbortController} controller
 * @param {Handlers} handlers
 */
export const listen = async (response, controller, handlers) => {
  const parser = createParser({
    onEvent: ({ data, event }) => {
      if (event !== undefined && Object.hasOwn(handlers, event)) {
        handlers[/** @type {keyof Handlers} */ (event)](JSON.parse(data))
      }
    }
  })
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader()
  let watch = 0
  try {
    for (;;) {
      window.clearTimeout(watch)
      watch = window.setTimeout(() => controller.abort(), silence)
      const read = await reader?.read()
      if (read === undefined || read.done) return
      parser.feed(read.value)
    }
  } finally {
    window.clearTimeout(watch)
  }
}
