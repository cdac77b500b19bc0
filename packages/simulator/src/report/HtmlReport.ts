/** Results as one page that needs nothing from elsewhere: tables, and charts of how things went. */
import type { Result } from "../figures/Result.js"
import { columns, deploymentColumns, deploymentRows } from "./Columns.js"
import { chart, escaped, type Line } from "./charts.js"

/** What the page is about. */
export interface About {
  readonly name: string
  readonly about?: string | undefined
}

const style = `
body{font:14px/1.5 system-ui,sans-serif;max-width:1000px;margin:2rem auto;padding:0 1rem;color:#1e293b;background:#fff}
table{border-collapse:collapse;width:100%;margin:1rem 0;font-variant-numeric:tabular-nums}
th,td{padding:.25rem .5rem;border-bottom:1px solid #e2e8f0;text-align:right;white-space:nowrap}
th:first-child,td:first-child{text-align:left}
.scroll{overflow-x:auto}
svg{width:100%;height:auto;font:11px system-ui,sans-serif;fill:#475569}
.grid{stroke:#e2e8f0}.shade{fill:#fee2e2}.title{font-weight:600;font-size:12px;fill:#1e293b}
figure{margin:1rem 0}figcaption span{margin-right:1rem;white-space:nowrap}
i{display:inline-block;width:.75em;height:.75em;margin-right:.35em;border-radius:2px}
@media(prefers-color-scheme:dark){body{background:#0f172a;color:#e2e8f0}th,td{border-color:#334155}.grid{stroke:#334155}.shade{fill:#7f1d1d66}svg{fill:#94a3b8}.title{fill:#e2e8f0}}
`

const table = (heads: ReadonlyArray<string>, rows: ReadonlyArray<ReadonlyArray<string>>): string =>
  `<div class="scroll"><table><thead><tr>${heads.map((head) => `<th>${escaped(head)}</th>`).join("")}</tr></thead><tbody>${rows
    .map((row) => `<tr>${row.map((cell) => `<td>${escaped(cell)}</td>`).join("")}</tr>`)
    .join("")}</tbody></table></div>`

/** Requests are still coming: what ends after is the tail of those before. */
const partsOf = ({ lasted, moments }: Result): Result["moments"] => moments.filter(({ at }) => at <= lasted)

const incidentsOf = (results: ReadonlyArray<Result>): ReadonlyArray<readonly [number, number]> =>
  results[0]?.incidents.map(({ from, to }) => [from, to] as const) ?? []

const compared = (results: ReadonlyArray<Result>): string => {
  const longest = results.reduce<Result | undefined>(
    (most, one) => (most === undefined || partsOf(one).length > partsOf(most).length ? one : most),
    undefined
  )
  if (longest === undefined) return ""
  const times = partsOf(longest).map(({ at }) => at)
  const seconds = ((times[1] ?? 1000) - (times[0] ?? 0)) / 1000
  const linesOf = (of: (moment: Result["moments"][number]) => number): ReadonlyArray<Line> =>
    results.map((result) => ({ name: result.variant, points: partsOf(result).map(of) }))
  const shaded = incidentsOf(results)
  return [
    chart({ title: "Latency, 95th percentile", unit: "s", times, shaded, lines: linesOf(({ p95 }) => p95 / 1000) }),
    chart({ title: "Latency, median", unit: "s", times, shaded, lines: linesOf(({ p50 }) => p50 / 1000) }),
    chart({ title: "Answered", unit: "per s", times, shaded, lines: linesOf(({ completed }) => completed / seconds) }),
    chart({ title: "Failed", unit: "per s", times, shaded, lines: linesOf(({ failed }) => failed / seconds) })
  ].join("")
}

const shares = (result: Result): string => {
  const parts = partsOf(result)
  const lines = result.deployments.map(({ id }, index) => ({
    name: id,
    points: parts.map(({ calls }) => {
      const all = calls.reduce((sum, one) => sum + one, 0)
      return all === 0 ? 0 : (100 * (calls[index] ?? 0)) / all
    })
  }))
  const options = { unit: "%", times: parts.map(({ at }) => at), shaded: incidentsOf([result]), lines, stacked: true }
  return chart({ title: `Calls by deployment: ${result.variant}`, ...options })
}

const errors = (results: ReadonlyArray<Result>): string => {
  const reasons = [...new Set(results.flatMap((result) => Object.keys(result.errors)))].sort()
  if (reasons.length === 0) return ""
  const rows = results.map((result) => [result.variant, ...reasons.map((reason) => String(result.errors[reason] ?? 0))])
  return `<h2>Failed requests</h2>${table(["variant", ...reasons], rows)}`
}

/** The page. */
export const render = ({ about, name }: About, results: ReadonlyArray<Result>): string => {
  const partial = results.some(({ isPartial }) => isPartial)
    ? "<p><strong>Stopped before its end: these are the figures so far.</strong></p>"
    : ""
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${escaped(name)}</title><style>${style}</style></head><body>
<h1>${escaped(name)}</h1>${about === undefined ? "" : `<p>${escaped(about)}</p>`}${partial}
${table(
  columns.map(({ title }) => title),
  results.map((result) => columns.map(({ text }) => text(result)))
)}
${compared(results)}${errors(results)}
<h2>Deployments</h2>${table(deploymentColumns, results.flatMap(deploymentRows))}
${results.map(shares).join("")}
</body></html>
`
}
