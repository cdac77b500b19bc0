// @ts-check
/** Asks the gateway. Events are read by `fetch`: an `EventSource` cannot bear a key. */
import { createParser } from "./eventsource-parser.js"

/** @import { Messages } from "../../src/api/AdminEvents.js" */
/** @import { DeploymentView } from "../../src/api/AdminViews.js" */

/** @typedef {{ readonly [Name in keyof Messages]: (data: Messages[Name]) => void }} Handlers */

const keyName = "switchyard.masterKey"
/** The gateway says something every 2 s: after this long a silent connection is dead. */
const silence = 9000

/** Where the master key is kept: in this tab, until it is closed. */
export const storage = {
  get: () => sessionStorage.getItem(keyName),
  /** @param {string} key */
  set: (key) => sessionStorage.setItem(keyName, key),
  clear: () => sessionStorage.removeItem(keyName)
}

/**
 * @param {string} path
 * @param {RequestInit} [init]
 */
const ask = (path, init) => {
  const key = storage.get()
  return fetch(new URL(path, document.baseURI), {
    ...init,
    ...(key === null ? {} : { headers: { authorization: `Bearer ${key}` } })
  })
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
export const act = async ({ id }, action) => {
  const response = await ask(`admin/deployments/${encodeURIComponent(id)}/${action}`, { method: "POST" })
  if (!response.ok) throw new Error(await errorOf(response))
  return response.json()
}

/** @param {AbortSignal} signal */
export const openEvents = (signal) => ask("admin/events", { cache: "no-store", signal })

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
