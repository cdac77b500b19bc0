/**
 * The table of `top`: one row for each deployment, from what `/admin/deployments` says.
 */
import type { DeploymentView } from "@switchyard/gateway/AdminViews"
import { counted, type Paint, plain, type Style } from "../output.js"
import { table } from "../table.js"

const nobodyKnows = "–"

/** A time in ms, in two or three digits: `850 ms`, `4.2 s`, `3 min`. */
export const time = (ms: number | null | undefined): string => {
  if (ms === null || ms === undefined) return nobodyKnows
  if (ms < 999.5) return `${Math.round(ms)} ms`
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`
  return `${Math.round(ms / 60_000)} min`
}

/** A count in few digits: `950`, `12.3k`, `4.0M`. */
export const count = (value: number): string => {
  if (value < 10_000) return String(value)
  return value < 1_000_000 ? `${(value / 1000).toFixed(1)}k` : `${(value / 1_000_000).toFixed(1)}M`
}

const styles: Readonly<Record<string, Style>> = {
  healthy: "green",
  unknown: "dim",
  degraded: "yellow",
  limited: "yellow",
  cooldown: "red",
  unhealthy: "red",
  isolated: "cyan"
}

const stateOf = (view: DeploymentView): string => {
  const block = view.cooldown ?? view.limitedBy
  const left = block?.remainingMs === null || block?.remainingMs === undefined ? "" : ` ${time(block.remainingMs)}`
  return `${plain(view.state)}${left}${view.cooldown?.lastResort === true ? ", still asked" : ""}`
}

/** A part of a whole in percent; a dash where there is nothing. */
export const share = (part: number, whole: number): string =>
  whole === 0 ? nobodyKnows : `${Math.round((100 * part) / whole)}%`

const minuteOf = ({ lastMinute }: DeploymentView): string =>
  lastMinute === null ? nobodyKnows : count(lastMinute.requests)

/** The newest error that is not older than ten minutes. */
const errorOf = ({ lastErrors }: DeploymentView): string => {
  const [newest] = lastErrors
  if (newest === undefined || newest.ageMs > 600_000) return ""
  return plain(`${newest.reason}, ${time(newest.ageMs)} ago`)
}

/** The table. */
export const render = (views: ReadonlyArray<DeploymentView>, paint: Paint): string =>
  table(
    [
      { title: "group" },
      { title: "deployment" },
      { title: "state" },
      { title: "in flight", align: "right" },
      { title: "req/min", align: "right" },
      { title: "requests", align: "right" },
      { title: "failed", align: "right" },
      { title: "first token", align: "right" },
      { title: "answer", align: "right" },
      { title: "headroom", align: "right" },
      { title: "last error" }
    ],
    views.map((view) => [
      plain(view.group),
      plain(view.id),
      paint(styles[view.state] ?? "dim", stateOf(view)),
      String(view.inFlight),
      minuteOf(view),
      count(view.requests),
      share(view.failures, view.requests),
      time(view.stream.meanMs),
      time(view.plain.meanMs),
      view.headroom === null ? nobodyKnows : `${Math.round(100 * view.headroom)}%`,
      errorOf(view)
    ])
  )

/** One line over the table: where, how many, and whether the connection stands. */
export const heading = (
  url: string,
  views: ReadonlyArray<DeploymentView>,
  trouble: string | undefined,
  paint: Paint
): string => {
  const down = views.filter(({ state }) => state === "cooldown" || state === "unhealthy" || state === "isolated").length
  const what = `${paint("bold", url)}  ${counted(views.length, "deployment")}${down === 0 ? "" : `, ${paint("red", `${down} out`)}`}`
  return trouble === undefined ? what : `${what}  ${paint("red", `no connection: ${trouble}; trying again`)}`
}
