// @ts-check
/** The ledger's keys: what they may, what they have spent, and what an operator does with them. */
import { ask, errorOf, post } from "./connection.js"
import { $, element, setText } from "./dom.js"
import { button, doer, sureButton } from "./forms.js"
import { editKey, emptyKeyForm, sendKeyForm } from "./keyForm.js"
import { fill, rowOf } from "./rows.js"
import { budgetOf, limitsOf, modelsOf } from "./terms.js"
import { dateOf } from "./words.js"

/** @import { KeyView } from "../../src/api/KeyViews.js" */

const pageSize = 100

/** Counted from 1. */
let page = 1

/** @param {string} key */
const showMade = (key) => {
  $("made-key").hidden = key === ""
  setText($("made-key-text"), key)
  setText($("copy-key"), "Copy")
}

/** Forgets the key that was shown. */
export const hideMade = () => showMade("")

/** @param {KeyView} view */
const actionsOf = (view) => {
  const { blocked, token } = view
  const box = element("div", "actions")
  box.append(
    button("Edit", () => editKey(view)),
    button(
      blocked ? "Unblock" : "Block",
      (pressed) => void doing(pressed, () => post(blocked ? "key/unblock" : "key/block", { key: token }))
    ),
    sureButton("Regenerate", (pressed) =>
      doing(pressed, async () => {
        showMade((await post("key/regenerate", { key: token })).key)
        emptyKeyForm()
      })
    ),
    sureButton("Delete", (pressed) =>
      doing(pressed, async () => {
        await post("key/delete", { keys: [token] })
        emptyKeyForm()
      })
    )
  )
  return box
}

/** @param {KeyView} view */
const aliasesOf = ({ aliases }) => Object.entries(aliases).map(([name, meaning]) => `${name} means ${meaning}`)

/** @param {KeyView} view */
const keyRow = (view) => {
  const row = rowOf([
    ["", { text: view.name, title: view.token, className: "name" }],
    ["Key", { text: view.key_name }],
    ["Team", { text: view.team_id ?? "–" }],
    ["User", { text: view.user_id ?? "–" }],
    ["Models", { text: [modelsOf(view), ...aliasesOf(view)].join(", ") }],
    ["Tags", { text: view.tags.join(", ") || "–" }],
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

const doing = doer("keys-error", showKeys)

/** Makes the page answer to its buttons. */
export const listenToKeys = () => {
  const make = /** @type {HTMLButtonElement} */ ($("make-key-button"))
  $("make-key").addEventListener("submit", (event) => {
    event.preventDefault()
    void doing(make, async () => {
      const key = await sendKeyForm()
      emptyKeyForm()
      if (key === "") return
      page = 1
      showMade(key)
    })
  })
  $("leave-key").addEventListener("click", emptyKeyForm)
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
