// `npm audit` of what a user installs: known faults of high or critical severity fail. A registry that does not answer is said
// in one line, and is no failure: mirrors often have no audit.
import { spawnSync } from "node:child_process"

const npm = process.platform === "win32" ? "npm.cmd" : "npm"
const { stdout } = spawnSync(npm, ["audit", "--omit=dev", "--json", "--fetch-retries=0", "--fetch-timeout=30000"], {
  encoding: "utf8",
  timeout: 120_000
})

let report
try {
  report = JSON.parse(stdout)
} catch {
  report = undefined
}

const counts = report?.metadata?.vulnerabilities
if (counts === undefined) {
  const why = report?.message ?? report?.error?.summary ?? "no report"
  console.log(`audit: not checked, the registry does not answer (${String(why).split("\n")[0].slice(0, 200)})`)
} else {
  const bad = Object.values(report.vulnerabilities ?? {}).filter(({ severity }) => /^(high|critical)$/.test(severity))
  for (const { name, range, severity, via } of bad) {
    const titles = via
      .map((/** @type {{ title: any; url: any; }} */ one) =>
        typeof one === "string" ? one : `${one.title} (${one.url})`
      )
      .join("; ")
    console.error(`${severity}: ${name} ${range}: ${titles}`)
  }
  console.log(`audit: ${counts.total} known fault(s) in production, ${bad.length} of high or critical severity`)
  process.exitCode = bad.length > 0 ? 1 : 0
}
