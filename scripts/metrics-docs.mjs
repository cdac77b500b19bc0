// Writes docs/metrics.md from the table of metrics; `--check` fails when the document is not what the table says.
import { tsImport } from "tsx/esm/api"
import { writeOrCheck } from "./generated.mjs"

const document = "docs/metrics.md"
const { defaults, definitions } = await tsImport("../packages/router/src/observe/Metrics.ts", import.meta.url)
const { waitingConnections } = await tsImport("../packages/gateway/src/telemetry/connectionGauge.ts", import.meta.url)
const { lostLines, refusals } = await tsImport("../packages/gateway/src/telemetry/ownCounters.ts", import.meta.url)
const { stateMetrics } = await tsImport("../packages/gateway/src/telemetry/stateGauges.ts", import.meta.url)
const { workerMetrics } = await tsImport("../packages/gateway/src/telemetry/WorkerCounts.ts", import.meta.url)
const { ledgerMetrics } = await tsImport("../packages/gateway/src/telemetry/ledgerGauges.ts", import.meta.url)

/** Id, title, and what is said below it. @type {Array<[string, string, string]>} */
const sections = [
  [
    "request",
    "Requests",
    "As callers see them: one request is one, however many attempts it took. All but `active_requests` are counted when a\nrequest settles, a stream at its end. `model` is the group that was asked for (`other` for a name that no group knows),\n`provider` that of the last attempt (`cache` for a cached answer, `none` without an attempt)."
  ],
  [
    "attempt",
    "Attempts",
    "Each try on one deployment, those of retries, hedges and fallbacks included. `model` is the deployment's group."
  ],
  [
    "event",
    "What the router did",
    "A series begins with its first event. `deployment` is `none` where no deployment took part."
  ],
  ["state", "State", "Read from the router at the scrape itself: nothing of it is older than the scrape."]
]

const cell = (/** @type {string} */ text) => text.replaceAll("|", "\\|")

const row = ({ buckets, help, labels, name, type }) => {
  const kind = buckets === undefined ? type : `${type} (\`${buckets}\`)`
  const named = labels.map((/** @type {string} */ label) => `\`${label}\``).join(", ")
  return `| \`switchyard_${name}\` | ${kind} | ${named} | ${cell(help)} |`
}

const sectionText = ([tier, title, lead]) => {
  const found = definitions.filter((/** @type {{ tier: any; }} */ one) => one.tier === tier)
  return `## ${title}\n\n${lead}\n\n| metric | type | labels | |\n|---|---|---|---|\n${found.map(row).join("\n")}\n`
}

const stray = definitions.filter(({ tier }) => !sections.some(([known]) => known === tier))
if (stray.length > 0) throw new Error(`no section for ${stray.map(({ name }) => name).join(", ")}`)

const bounds = ["latencyBuckets", "ttftBuckets", "tokenBuckets"]
  .map((name) => `| \`${name}\` | ${defaults[name].map((/** @type {number} */ bound) => String(bound)).join(", ")} |`)
  .join("\n")

const text = `# Metrics

<!-- Written by scripts/metrics-docs.mjs; edit packages/router/src/observe/metricTable.ts. -->

Every metric of the router, ${definitions.length} in all. The options of \`metrics\` change the prefix (\`prefix\`), add labels to every series (\`labels\`),
leave \`model\` or \`provider\` out (\`perModel\`, \`perProvider\`), and set buckets. [Operations](operations.md) says what to
watch.

${sections.map(sectionText).join("\n")}
## The gateway

What the router knows nothing of, and so is in none of its metrics.

| metric | type | labels | |
|---|---|---|---|
${[refusals, lostLines].map((one) => row({ ...one, type: "counter" })).join("\n")}
${row({ ...waitingConnections, type: "gauge", labels: [] })}

Where there is a ledger:

| metric | type | labels | |
|---|---|---|---|
${ledgerMetrics.map((/** @type {{ name: string, help: string, type: string }} */ one) => row({ ...one, labels: [], buckets: undefined })).join("\n")}

Where several processes serve behind one port:

| metric | type | labels | |
|---|---|---|---|
${workerMetrics.map((/** @type {{ name: string, help: string, type: string }} */ one) => row({ ...one, labels: [], buckets: undefined })).join("\n")}

Where gateways share their state:

| metric | type | labels | |
|---|---|---|---|
${Object.values(stateMetrics)
  .map((one) => row({ ...one, buckets: undefined }))
  .join("\n")}

## Buckets

Upper bounds, in seconds and in tokens, where the options say nothing else.

| option | default |
|---|---|
${bounds}
`

writeOrCheck(document, text, {
  content: `${definitions.length} metrics`,
  source: "the table of metrics",
  script: "metrics-docs.mjs"
})
