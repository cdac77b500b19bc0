/** What results are compared by, as texts: the table of the command, and that of the page. */
import type { IncidentResult, Result } from "../figures/Result.js"

/** A column. */
export interface Column {
  readonly title: string
  readonly text: (result: Result) => string
}

/** A time in s or ms; a dash for none. */
export const time = (ms: number | undefined): string => {
  if (ms === undefined || Number.isNaN(ms)) return "-"
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(ms < 10_000 ? 2 : 1)} s`
}

const percent = (share: number): string =>
  Number.isNaN(share) ? "-" : `${(share * 100).toFixed(share < 0.1 ? 2 : 1)} %`

/** The middle of how long something took, over all incidents; `never` where it did not come at least once. */
const middle = (
  incidents: ReadonlyArray<IncidentResult>,
  of: (one: IncidentResult) => number | undefined,
  isTold: (one: IncidentResult) => boolean
): string => {
  const told = incidents.filter(isTold).map(of)
  if (told.length === 0) return "-"
  const known = told.flatMap((ms) => ms ?? []).sort((a, b) => a - b)
  if (known.length * 2 < told.length) return "never"
  return time(known[Math.floor((known.length - 1) / 2)])
}

/** The columns, in their order. */
export const columns: ReadonlyArray<Column> = [
  { title: "variant", text: ({ isPartial, variant }) => (isPartial ? `${variant} (so far)` : variant) },
  { title: "requests", text: ({ requests }) => String(requests) },
  { title: "good/s", text: ({ goodput }) => goodput.toFixed(2) },
  { title: "failed", text: ({ completed, requests }) => percent((requests - completed) / requests) },
  { title: "p50", text: ({ latency }) => time(latency.p50) },
  { title: "p95", text: ({ latency }) => time(latency.p95) },
  { title: "p99", text: ({ latency }) => time(latency.p99) },
  { title: "first p50", text: ({ firstToken }) => time(firstToken.p50) },
  { title: "first p95", text: ({ firstToken }) => time(firstToken.p95) },
  { title: "first p99", text: ({ firstToken }) => time(firstToken.p99) },
  { title: "429s", text: ({ limited }) => String(limited) },
  {
    title: "attempts",
    text: ({ attemptsPerRequest }) => (Number.isNaN(attemptsPerRequest) ? "-" : attemptsPerRequest.toFixed(3))
  },
  { title: "USD", text: ({ cost }) => cost.toFixed(2) },
  {
    title: "detected",
    text: ({ incidents }) =>
      middle(
        incidents,
        ({ detected }) => detected,
        () => true
      )
  },
  {
    title: "recovered",
    text: ({ incidents, simulated }) =>
      middle(
        incidents,
        ({ recovered }) => recovered,
        ({ to }) => to < simulated
      )
  }
]

/** What each deployment did, as rows below the names of their columns. */
export const deploymentColumns: ReadonlyArray<string> = [
  "variant",
  "deployment",
  "share",
  "calls",
  "failed",
  "429s",
  "cached",
  "USD"
]

/** The rows of all deployments of a result. */
export const deploymentRows = ({ deployments, variant }: Result): ReadonlyArray<ReadonlyArray<string>> =>
  deployments.map(({ cachedTokens, calls, cost, failed, id, inputTokens, limited, share }) => [
    variant,
    id,
    percent(share),
    String(calls),
    String(failed),
    String(limited),
    percent(inputTokens === 0 ? Number.NaN : cachedTokens / inputTokens),
    cost.toFixed(2)
  ])
