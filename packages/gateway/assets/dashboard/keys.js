// @ts-check
/** The ledger's keys: what they may, what they have spent, and what an operator does with them. */
import { ask, errorOf, post } from "./connection.js"
import { $, element, setText } from "./dom.js"
import { fill, rowOf } from "./rows.js"
import { dateOf, usd } from "./words.js"

/** @import { KeyView } from "../../src/api/KeyViews.js" */

const pageSize = 100

/** Counted from 1. */
let page = 1

/** @param {string} id */
const input = (id) => /** @type {HTMLInputElement} */ ($(id))

/** @param {string} text */
const complain = (text) => {
  $("keys-error").hidden = text === ""
  setText($("keys-error"), text)
}

/** @param {unknown} error */
const messageOf = (error) => (error instanceof Error ? error.message : String(error))

/** @param {string} key */
const showMade = (key) => {
  $("made-key").hidden = key === ""
  setText($("made-key-text"), key)
  setText($("copy-key"), "Copy")
}

/** Forgets the key that was shown. */
export const hideMade = () => showMade("")

/** @param {KeyView} view */
const budgetOf = ({ budget_reset_at, max_budget, spend }) => {
  const spent = max_budget === null ? usd(spend) : `${usd(spend)} of ${usd(max_budget)}`
  return budget_reset_at === null ? spent : `${spent}, until ${dateOf(budget_reset_at)}`
}

/** @param {KeyView} view */
const limitsOf = ({ max_parallel_requests, rpm_limit, tpm_limit }) =>
  [
    rpm_limit === null ? "" : `${rpm_limit} requests / min`,
    tpm_limit === null ? "" : `${tpm_limit} tokens / min`,
    max_parallel_requests === null ? "" : `${max_parallel_requests} at once`
  ]
    .filter((text) => text !== "")
    .join(", ") || "–"

/**
 * Does something with a key, and shows all anew.
 * @param {HTMLButtonElement} button
 * @param {() => Promise<void>} run
 */
const doing = async (button, run) => {
  button.disabled = true
  try {
    await run()
    complain("")
    await showKeys()
  } catch (error) {
    complain(messageOf(error))
  } finally {
    button.disabled = false
  }
}

/**
 * A button that asks once more before it does what can't be undone.
 * @param {string} text
 * @param {() => Promise<void>} run
 */
const sureButton = (text, run) => {
  const button = element("button", "", text)
  button.type = "button"
  let isAsking = false
  const rest = () => {
    isAsking = false
    setText(button, text)
  }
  button.addEventListener("blur", rest)
  button.addEventListener("click", () => {
    if (!isAsking) {
      isAsking = true
      return setText(button, `${text}: sure?`)
    }
    rest()
    void doing(button, run)
  })
  return button
}

/** @param {KeyView} view */
const actionsOf = ({ blocked, token }) => {
  const box = element("div", "actions")
  const block = element("button", "", blocked ? "Unblock" : "Block")
  block.type = "button"
  block.addEventListener("click", () => doing(block, () => post(blocked ? "key/unblock" : "key/block", { key: token })))
  box.append(
    block,
    sureButton("Regenerate", async () => showMade((await post("key/regenerate", { key: token })).key)),
    sureButton("Delete", () => post("key/delete", { keys: [token] }))
  )
  return box
}

/** @param {KeyView} view */
const keyRow = (view) => {
  const row = rowOf([
    ["", { text: view.name, title: view.token, className: "name" }],
    ["Key", { text: view.key_name }],
    ["Team", { text: view.team_id ?? "–" }],
    ["User", { text: view.user_id ?? "–" }],
    ["Models", { text: view.models.length === 0 ? "all" : view.models.join(", ") }],
    ["Spent", { text: budgetOf(view) }],
    ["Limits", { text: limitsOf(view) }],
    ["Expires", { text: view.expires === null ? "never" : dateOf(view.expires) }],
    ["State", { text: view.blocked ? "Blocked" : "Open", className: view.blocked ? "bad" : "" }],
    ["", actionsOf(view)]
  ])
  row.dataset["name"] = view.name
  return row
}

/**
 * Asks for the keys, and shows them. Fails with what the gateway says.
 * @returns {Promise<void>}
 */
export const showKeys = async () => {
  const response = await ask(`key/list?return_full_object=true&size=${pageSize}&page=${page}`)
  $("keys-none").hidden = response.status !== 404
  $("keys-some").hidden = response.status === 404
  if (response.status === 404) return
  if (!response.ok) throw new Error(await errorOf(response))
  const { keys, total_count, total_pages } = await response.json()
  if (keys.length === 0 && page > 1) {
    page = 1
    return showKeys()
  }
  fill("keys", keys.map(keyRow))
  $("no-keys").hidden = total_count > 0
  setText($("keys-count"), total_count === 0 ? "" : `${total_count}`)
  setText($("keys-page"), total_pages > 1 ? `page ${page} of ${total_pages}` : "")
  $("keys-back").hidden = page <= 1
  $("keys-on").hidden = page >= total_pages
}

/** @param {string} id */
const textIn = (id) => input(id).value.trim()

/** @param {string} id */
const numberIn = (id) => (textIn(id) === "" ? undefined : Number(textIn(id)))

const asked = () => {
  const models = textIn("key-models")
    .split(",")
    .map((model) => model.trim())
    .filter((model) => model !== "")
  return {
    key_alias: textIn("key-name") || undefined,
    team_id: textIn("key-team") || undefined,
    user_id: textIn("key-user") || undefined,
    models: models.length === 0 ? undefined : models,
    max_budget: numberIn("key-budget"),
    budget_duration: textIn("key-window") || undefined,
    rpm_limit: numberIn("key-rpm"),
    tpm_limit: numberIn("key-tpm"),
    duration: textIn("key-lasts") || undefined
  }
}

/** Makes the page answer to its buttons. */
export const listenToKeys = () => {
  const form = /** @type {HTMLFormElement} */ ($("make-key"))
  const make = /** @type {HTMLButtonElement} */ ($("make-key-button"))
  form.addEventListener("submit", (event) => {
    event.preventDefault()
    void doing(make, async () => {
      const { key } = await post("key/generate", asked())
      form.reset()
      page = 1
      showMade(key)
    })
  })
  $("copy-key").addEventListener("click", () => {
    const text = $("made-key-text")
    const selectIt = () => {
      window.getSelection()?.selectAllChildren(text)
      setText($("copy-key"), "Selected: press Ctrl+C")
    }
    // Without TLS browsers give a page no clipboard.
    if (navigator.clipboard === undefined) return selectIt()
    navigator.clipboard.writeText(text.textContent ?? "").then(() => setText($("copy-key"), "Copied"), selectIt)
  })
  $("hide-key").addEventListener("click", hideMade)
  for (const [id, by] of /** @type {const} */ ([
    ["keys-back", -1],
    ["keys-on", 1]
  ])) {
    const button = /** @type {HTMLButtonElement} */ ($(id))
    button.addEventListener("click", () =>
      doing(button, async () => {
        page += by
      })
    )
  }
}
