// @ts-check
/** The ledger's teams: what their keys may and have spent together, and what an operator does with them. */
import { ask, errorOf, post } from "./connection.js"
import { $, element, setText } from "./dom.js"
import { button, doer, input, listIn, numberIn, said, sureButton, textIn, write } from "./forms.js"
import { fill, rowOf } from "./rows.js"
import { budgetOf, limitsOf, modelsOf } from "./terms.js"

/** @import { KeyView, TeamView } from "../../src/api/KeyViews.js" */

/** The team that is changed; empty while a new one is made. */
let changed = ""

/** @param {string} id */
const turnTo = (id) => {
  changed = id
  setText($("make-team-title"), id === "" ? "New team" : "Change team")
  setText($("make-team-button"), id === "" ? "Make team" : "Save")
  $("leave-team").hidden = id === ""
  input("team-id").readOnly = id !== ""
}

const emptyForm = () => {
  const form = /** @type {HTMLFormElement} */ ($("make-team"))
  form.reset()
  turnTo("")
}

/** @param {TeamView} view */
const edit = (view) => {
  turnTo(view.team_id)
  write({
    "team-id": view.team_id,
    "team-name": view.team_alias,
    "team-models": view.models.join(", "),
    "team-budget": view.max_budget,
    "team-soft": view.soft_budget,
    "team-window": view.budget_duration,
    "team-rpm": view.rpm_limit,
    "team-tpm": view.tpm_limit
  })
  $("team-name").focus()
}

const fields = () => ({
  team_alias: textIn("team-name") || null,
  models: listIn("team-models"),
  max_budget: numberIn("team-budget"),
  soft_budget: numberIn("team-soft"),
  budget_duration: textIn("team-window") || null,
  rpm_limit: numberIn("team-rpm"),
  tpm_limit: numberIn("team-tpm")
})

/** @param {string} path */
const asked = async (path) => {
  const response = await ask(path)
  if (!response.ok) throw new Error(await errorOf(response))
  return response.json()
}

/** @param {TeamView} view */
const showMembers = async ({ team_alias, team_id }) => {
  const { keys } = await asked(`team/info?team_id=${encodeURIComponent(team_id)}`)
  $("team-keys-card").hidden = false
  setText($("team-keys-name"), team_alias ?? team_id)
  fill(
    "team-keys",
    keys.map((/** @type {KeyView} */ key) =>
      rowOf([
        ["", { text: key.name, className: "name" }],
        ["Key", { text: key.key_name }],
        ["User", { text: key.user_id ?? "–" }],
        ["Models", { text: modelsOf(key) }],
        ["Spent", { text: budgetOf(key) }],
        ["State", { text: key.blocked ? "Blocked" : "Open", className: key.blocked ? "bad" : "" }]
      ])
    )
  )
  $("no-team-keys").hidden = keys.length > 0
}

/** @param {TeamView} view */
const actionsOf = (view) => {
  const { blocked, team_id } = view
  const box = element("div", "actions")
  box.append(
    button("Edit", () => edit(view)),
    button("Keys", (pressed) => void doing(pressed, () => showMembers(view))),
    button(
      blocked ? "Unblock" : "Block",
      (pressed) => void doing(pressed, () => post(blocked ? "team/unblock" : "team/block", { team_id }))
    ),
    sureButton("Delete with its keys", (pressed) =>
      doing(pressed, async () => {
        await post("team/delete", { team_ids: [team_id] })
        $("team-keys-card").hidden = true
        if (changed === team_id) emptyForm()
      })
    )
  )
  return box
}

/** @param {TeamView} view */
const teamRow = (view) =>
  rowOf([
    ["", { text: view.team_alias ?? view.team_id, title: view.team_id, className: "name" }],
    ["Team", { text: view.team_id }],
    ["Models", { text: modelsOf(view) }],
    ["Spent", { text: budgetOf(view) }],
    ["Limits", { text: limitsOf(view) }],
    ["State", { text: view.blocked ? "Blocked" : "Open", className: view.blocked ? "bad" : "" }],
    ["", actionsOf(view)]
  ])

/**
 * Asks for the teams, and shows them. Fails with what the gateway says.
 * @returns {Promise<void>}
 */
export const showTeams = async () => {
  const response = await ask("team/list")
  $("teams-none").hidden = response.status !== 404
  $("teams-some").hidden = response.status === 404
  if (response.status === 404) return
  if (!response.ok) throw new Error(await errorOf(response))
  const teams = await response.json()
  fill("teams", teams.map(teamRow))
  $("no-teams").hidden = teams.length > 0
  setText($("teams-count"), teams.length === 0 ? "" : `${teams.length}`)
}

const doing = doer("teams-error", showTeams)

/** Forgets whose keys were shown. */
export const hideMembers = () => {
  $("team-keys-card").hidden = true
  fill("team-keys", [])
}

/** Makes the page answer to its buttons. */
export const listenToTeams = () => {
  const make = /** @type {HTMLButtonElement} */ ($("make-team-button"))
  $("make-team").addEventListener("submit", (event) => {
    event.preventDefault()
    void doing(make, async () => {
      if (changed === "") await post("team/new", said({ team_id: textIn("team-id") || null, ...fields() }))
      else await post("team/update", { team_id: changed, ...fields() })
      emptyForm()
    })
  })
  $("leave-team").addEventListener("click", emptyForm)
}
