/**
 * What `top` says of the gateways that share their state: replicas over Redis, workers of one machine. From `/admin/fleet`.
 */
import type { FleetView, Replica } from "@switchyard/gateway/FleetViews"
import { counted, type Paint, plain } from "../output.js"
import { table } from "../table.js"
import { count, share, time } from "./TopTable.js"

const decides = ({ mode }: Replica, paint: Paint): string =>
  mode === "local" ? paint("yellow", "by itself") : "with the others"

/** A line and a row for each gateway; empty for a gateway that knows of no other. */
export const render = ({ configs, engine, error, replicas }: FleetView, paint: Paint): string => {
  if (replicas.length < 2 && error === null) return ""
  const [usual] = configs
  const heading = `${paint("bold", counted(replicas.length, "gateway"))}${engine === null ? "" : ` over ${plain(engine)}`}`
  const trouble = error === null ? "" : `  ${paint("red", plain(error))}`
  const rows = table(
    [
      { title: "gateway" },
      { title: "decides" },
      { title: "in flight", align: "right" },
      { title: "req/min", align: "right" },
      { title: "failed", align: "right" },
      { title: "heard of", align: "right" },
      { title: "configuration" }
    ],
    replicas.map((replica) => [
      `${plain(replica.host)}:${replica.pid}${replica.isThis ? " (this one)" : ""}`,
      decides(replica, paint),
      String(replica.inFlight),
      count(replica.requests),
      share(replica.errors, replica.requests),
      replica.isThis ? "" : `${time(replica.ageMs)} ago`,
      replica.config === usual?.config ? "" : paint("yellow", "differs")
    ])
  )
  return `${heading}${trouble}\n${rows}`
}
