// @ts-check
/** The gateways that share their state: what each is and does, and whether their configurations differ. */
import { ask, errorOf } from "./connection.js"
import { $, setText } from "./dom.js"
import { fill, rowOf } from "./rows.js"
import { ago, count, dateOf, share } from "./words.js"

/** @import { FleetView, Replica } from "../../src/api/FleetViews.js" */

/** @type {Readonly<Record<FleetView["mode"], string>>} */
const modes = { shared: "with all", local: "by itself", alone: "alone" }

/** @param {FleetView} view */
const modeOf = ({ engine, error, mode }) => {
  if (mode === "alone")
    return "This gateway shares nothing: name redis in its configuration, and limits hold over all that do."
  if (error === null) return `Limits hold over all gateways: ${engine} counts for them.`
  const who =
    mode === "local" ? "This gateway decides by itself, with its share of every limit" : "The others are not known now"
  return `${who}: ${error}`
}

/** @param {FleetView} view */
const rows = ({ configs, replicas }) => {
  const usual = configs[0]?.config
  /** @param {Replica} replica */
  const row = (replica) => {
    const { ageMs, config, errors, generation, host, id, inFlight, isThis, mode, pid, requests, since, version } =
      replica
    const made = rowOf([
      [
        "",
        { text: `${host}:${pid}${isThis ? " (this one)" : ""}`, title: `${id}, heard ${ago(ageMs)}`, className: "name" }
      ],
      ["Version", { text: version }],
      ["Configuration", { text: config, title: `generation ${generation}`, className: config === usual ? "" : "bad" }],
      ["Since", { text: dateOf(new Date(since).toISOString()) }],
      ["Decides", { text: modes[mode] ?? mode, className: mode === "local" ? "bad" : "" }],
      ["Req / min", { text: count(requests), className: "number" }],
      ["Errors", { text: share(errors, requests), className: "number" }],
      ["In flight", { text: count(inFlight), className: "number" }]
    ])
    made.dataset["id"] = id
    return made
  }
  return replicas.map(row)
}

/**
 * Asks for the gateways, and shows them. Fails with what the gateway says.
 * @returns {Promise<void>}
 */
export const showFleet = async () => {
  const response = await ask("admin/fleet")
  if (!response.ok) throw new Error(await errorOf(response))
  /** @type {FleetView} */
  const view = await response.json()
  const { configs, sum } = view
  setText($("fleet-mode"), modeOf(view))
  $("fleet-differs").hidden = configs.length < 2
  setText(
    $("fleet-differs"),
    `${configs.length} configurations are in force: ${configs.map(({ config, replicas }) => `${config} in ${replicas.length}`).join(", ")}`
  )
  setText($("fleet-replicas"), String(sum.replicas))
  setText($("fleet-requests"), count(sum.requests))
  setText($("fleet-errors"), share(sum.errors, sum.requests))
  setText($("fleet-flight"), count(sum.inFlight))
  fill("fleet", rows(view))
}
