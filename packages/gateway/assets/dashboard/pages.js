// @ts-check
/** The pages of the dashboard: what happens now, the keys, the teams, what was spent, and the gateways that share their state. Each is asked for when it is looked at. */
import { $, setText } from "./dom.js"
import { showFleet } from "./fleet.js"
import { hideMade, listenToKeys, showKeys } from "./keys.js"
import { fill } from "./rows.js"
import { resizeSpend, showSpend } from "./spend.js"
import { hideMembers, listenToTeams, showTeams } from "./teams.js"

/** @type {Readonly<Record<string, { readonly id: string, readonly show: () => Promise<void> }>>} */
const pages = {
  now: { id: "content", show: async () => {} },
  keys: { id: "page-keys", show: showKeys },
  teams: { id: "page-teams", show: showTeams },
  spend: { id: "page-spend", show: showSpend },
  fleet: { id: "page-fleet", show: showFleet }
}

const chosen = () => {
  const name = window.location.hash.slice(1)
  return Object.hasOwn(pages, name) ? name : "now"
}

/** @param {string} text */
const complain = (text) => {
  $("page-error").hidden = text === ""
  setText($("page-error"), text)
}

/** Shows the page that the address names. */
export const showPage = async () => {
  const name = chosen()
  for (const [other, { id }] of Object.entries(pages)) {
    $(id).hidden = other !== name
    if (other === name) $(`to-${other}`).setAttribute("aria-current", "page")
    else $(`to-${other}`).removeAttribute("aria-current")
  }
  hideMade()
  hideMembers()
  complain("")
  try {
    await pages[name]?.show()
  } catch (error) {
    if (name === chosen()) complain(error instanceof Error ? error.message : String(error))
  }
}

/** Nobody looks any more: what the pages know is gone. */
export const clearPages = () => {
  hideMade()
  hideMembers()
  complain("")
  for (const id of ["keys", "teams", "spend-keys", "spend-teams", "spend-models", "spend-deployments", "fleet"])
    fill(id, [])
  $("spend-some").hidden = true
}

/** @param {() => void} onShown */
export const listenToPages = (onShown) => {
  listenToKeys()
  listenToTeams()
  window.addEventListener("hashchange", () => {
    if ($("inside").hidden) return
    void showPage()
    onShown()
  })
}

export { resizeSpend }
