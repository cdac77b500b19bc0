// @ts-check
/** The form in which a key is made, and changed. */
import { post } from "./connection.js"
import { $, setText } from "./dom.js"
import { listIn, numberIn, pairsIn, said, textIn, write } from "./forms.js"

/** @import { KeyView } from "../../src/api/KeyViews.js" */

/** The token of the key that is changed; empty while a new one is made. */
let changed = ""

const fields = () => ({
  key_alias: textIn("key-name") || null,
  team_id: textIn("key-team") || null,
  user_id: textIn("key-user") || null,
  models: listIn("key-models"),
  aliases: pairsIn("key-aliases"),
  tags: listIn("key-tags"),
  max_budget: numberIn("key-budget"),
  soft_budget: numberIn("key-soft"),
  budget_duration: textIn("key-window") || null,
  rpm_limit: numberIn("key-rpm"),
  tpm_limit: numberIn("key-tpm")
})

/** @param {string} token */
const turnTo = (token) => {
  changed = token
  setText($("make-key-title"), token === "" ? "New key" : "Change key")
  setText($("make-key-button"), token === "" ? "Make key" : "Save")
  $("leave-key").hidden = token === ""
}

/** Empties it, for a new key. */
export const emptyKeyForm = () => {
  const form = /** @type {HTMLFormElement} */ ($("make-key"))
  form.reset()
  turnTo("")
}

/**
 * Shows a key in it, to be changed. How long it lasts stays as it is where nothing is written.
 * @param {KeyView} view
 */
export const editKey = (view) => {
  turnTo(view.token)
  write({
    "key-name": view.key_alias,
    "key-team": view.team_id,
    "key-user": view.user_id,
    "key-models": view.models.join(", "),
    "key-aliases": Object.entries(view.aliases)
      .map(([name, meaning]) => `${name} = ${meaning}`)
      .join(", "),
    "key-tags": view.tags.join(", "),
    "key-budget": view.max_budget,
    "key-soft": view.soft_budget,
    "key-window": view.budget_duration,
    "key-rpm": view.rpm_limit,
    "key-tpm": view.tpm_limit,
    "key-lasts": null
  })
  $("make-key-title").scrollIntoView({ block: "nearest" })
  $("key-name").focus()
}

/**
 * Does what it says. Gives the key that was made; nothing where one was changed.
 * @returns {Promise<string>}
 */
export const sendKeyForm = async () => {
  const duration = textIn("key-lasts") || null
  if (changed === "") return (await post("key/generate", said({ ...fields(), duration }))).key
  await post("key/update", { key: changed, ...fields(), ...said({ duration }) })
  return ""
}
