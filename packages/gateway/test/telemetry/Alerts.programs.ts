/** The alert rules and the dashboard, held against Prometheus' own tools and the list of metrics. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { afterAll, assert, describe, it } from "@effect/vitest"
import * as Metrics from "@switchyard/router/Metrics"
import { parse, stringify } from "yaml"
import { ledgerMetrics } from "../../src/telemetry/ledgerGauges.js"
import { stateMetrics } from "../../src/telemetry/stateGauges.js"
import { workerMetrics } from "../../src/telemetry/WorkerCounts.js"
import { hasPromtool, promtool } from "../support/prometheus.js"

const root = fileURLToPath(new URL("../../../..", import.meta.url))
const inRoot = (path: string): string => join(root, path)
const read = (path: string): string => readFileSync(inRoot(path), "utf8")

interface Rule {
  readonly alert?: string
  readonly record?: string
  readonly expr: string
  readonly labels?: Readonly<Record<string, string>>
  readonly annotations?: Readonly<Record<string, string>>
}

interface RuleFile {
  readonly groups: ReadonlyArray<{ readonly name: string; readonly rules: ReadonlyArray<Rule> }>
}

interface AlertTest {
  readonly alertname: string
  readonly exp_alerts: ReadonlyArray<unknown>
}

interface TestFile {
  readonly tests: ReadonlyArray<{
    readonly input_series: ReadonlyArray<{ readonly series: string }>
    readonly alert_rule_test?: ReadonlyArray<AlertTest>
  }>
}

const ruleFile = parse(read("ops/alerts.yml")) as RuleFile
const testFile = parse(read("ops/alerts.test.yml")) as TestFile
const rules = ruleFile.groups.flatMap((group) => group.rules)
const alerts = rules.filter((rule) => rule.alert !== undefined)
const alertTests = testFile.tests.flatMap((test) => test.alert_rule_test ?? [])

/** Labels that Prometheus or the format sets. */
const common = ["job", "instance"]

/** The router's metrics, those of the ledger, and those of what gateways share. */
const all = [
  ...Metrics.definitions,
  ...ledgerMetrics.map(({ name, type }) => ({ name, type, labels: [] })),
  ...workerMetrics.map(({ name, type }) => ({ name, type, labels: [] })),
  ...Object.values(stateMetrics)
]

/** The metric that a series belongs to, and the labels that it can have. */
const seriesNamed = (name: string): ReadonlyArray<string> | undefined => {
  for (const { labels, name: own, type } of all) {
    const whole = `${Metrics.defaults.prefix}_${own}`
    if (name === whole && type !== "histogram") return [...labels, ...common]
    if (type !== "histogram" || !name.startsWith(`${whole}_`)) continue
    const suffix = name.slice(whole.length)
    if (suffix === "_bucket") return [...labels, ...common, "le"]
    if (suffix === "_sum" || suffix === "_count") return [...labels, ...common]
  }
  return undefined
}

const recorded = new Map(rules.flatMap(({ expr, record }) => (record === undefined ? [] : [[record, expr] as const])))

const strings = /"(?:[^"\\]|\\.)*"/g

/**
 * What is wrong with the names and labels of an expression; a reading of it good enough for ours, and strict: every word
 * before a brace or a bracket counts as a metric.
 */
const problemsOf = (expr: string): ReadonlyArray<string> => {
  const bare = expr.replace(strings, '""')
  const problems: Array<string> = []
  const known = new Set<string>()
  const names = new Set(
    [...bare.matchAll(/\b(?:[a-z]+:)?switchyard_[a-z0-9_]+(?::[a-z0-9_]+)?/g)].map(([name]) => name)
  )
  for (const name of names) {
    const source = recorded.get(name)
    if (source !== undefined) {
      for (const [, by = ""] of source.matchAll(/\bby \(([^)]*)\)/g)) for (const label of words(by)) known.add(label)
      continue
    }
    const labels = seriesNamed(name)
    if (labels === undefined) problems.push(`there is no metric ${name}`)
    else for (const label of labels) known.add(label)
  }
  for (const [, name = "", inside = ""] of bare.matchAll(/([a-zA-Z_:][a-zA-Z0-9_:]*)\{([^}]*)\}/g)) {
    const labels = name === "up" ? common : seriesNamed(name)
    if (labels === undefined) {
      problems.push(`there is no metric ${name}`)
      continue
    }
    for (const [, label = ""] of inside.matchAll(/([a-zA-Z_][a-zA-Z0-9_]*)\s*(?:=~|!~|!=|=)/g)) {
      if (!labels.includes(label)) problems.push(`${name} has no label ${label}`)
    }
  }
  for (const [, list = ""] of bare.matchAll(/\b(?:by|on|without|ignoring)\s*\(([^)]*)\)/g)) {
    for (const label of words(list)) if (!known.has(label)) problems.push(`no metric here has the label ${label}`)
  }
  return problems
}

const words = (list: string): ReadonlyArray<string> =>
  list
    .split(",")
    .map((word) => word.trim())
    .filter((word) => word !== "")

interface Panel {
  readonly title: string
  readonly type: string
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number }
  readonly targets?: ReadonlyArray<{ readonly expr: string; readonly legendFormat: string }>
}

const dashboard = JSON.parse(read("ops/grafana-dashboard.json")) as {
  readonly panels: ReadonlyArray<Panel>
  readonly templating: { readonly list: ReadonlyArray<{ readonly name: string; readonly definition?: string }> }
}

const queries = dashboard.panels.flatMap(({ targets = [], title }) => targets.map((target) => ({ ...target, title })))

/** A heading's words in a link, as GitHub makes them. */
const slug = (heading: string): string =>
  heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, "")
    .trim()
    .replace(/\s/g, "-")

const folder = mkdtempSync(join(tmpdir(), "switchyard-alerts-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe("the alert rules", () => {
  it("use metrics and labels that exist", () => {
    for (const { alert, expr, record } of rules) assert.deepStrictEqual(problemsOf(expr), [], alert ?? record)
    for (const { series } of testFile.tests.flatMap(({ input_series }) => input_series)) {
      assert.deepStrictEqual(problemsOf(series), [], series)
    }
  })
  it("the check finds a metric, a label and a grouping that do not exist", () => {
    assert.deepStrictEqual(problemsOf("sum(rate(switchyard_request_total[5m]))"), [
      "there is no metric switchyard_request_total"
    ])
    assert.deepStrictEqual(problemsOf('switchyard_active_requests{provider="x"}'), [
      "switchyard_active_requests has no label provider"
    ])
    assert.deepStrictEqual(problemsOf("sum by (deployment) (switchyard_requests_total)"), [
      "no metric here has the label deployment"
    ])
    assert.deepStrictEqual(problemsOf("switchyard_ttft_seconds"), ["there is no metric switchyard_ttft_seconds"])
  })
  it("each say what happened, what it means, how urgent it is, and where to read on", () => {
    const headings = new Set(
      [...read("docs/operations.md").matchAll(/^#+ (.*)$/gm)].map(([, heading = ""]) => slug(heading))
    )
    for (const { alert, annotations = {}, labels = {} } of alerts) {
      assert.include(["page", "ticket"], labels["severity"], alert)
      assert.isNotEmpty(annotations["summary"], alert)
      assert.isNotEmpty(annotations["description"], alert)
      const [document, anchor = ""] = (annotations["runbook_url"] ?? "").split("#")
      assert.strictEqual(document, "docs/operations.md", alert)
      assert.isTrue(headings.has(anchor), `${alert}: docs/operations.md has no heading for #${anchor}`)
      for (const text of Object.values(annotations)) {
        const used = [...text.matchAll(/\$labels\.([a-z]+)/g)].map(([, label = ""]) => label)
        for (const label of used) assert.include(["model", "deployment", "instance", "scope"], label, alert)
      }
    }
  })
  it("each have a test where they fire and one where they do not, and every recorded ratio is used", () => {
    assert.isAtLeast(alerts.length, 12)
    for (const { alert } of alerts) {
      const tests = alertTests.filter(({ alertname }) => alertname === alert)
      assert.isTrue(
        tests.some(({ exp_alerts }) => exp_alerts.length > 0),
        `${alert} never fires in a test`
      )
      assert.isTrue(
        tests.some(({ exp_alerts }) => exp_alerts.length === 0),
        `${alert} always fires in its tests`
      )
    }
    for (const record of recorded.keys())
      assert.isTrue(
        alerts.some(({ expr }) => expr.includes(record)),
        record
      )
    for (const { alertname } of alertTests)
      assert.isTrue(
        alerts.some(({ alert }) => alert === alertname),
        alertname
      )
  })
  it.skipIf(!hasPromtool)("are rules to promtool, and so is the example of a configuration", () => {
    const checked = promtool(["check", "rules", "ops/alerts.yml"], { cwd: root })
    assert.isTrue(checked.isContent, checked.said)
    const config = promtool(["check", "config", "ops/prometheus.yml"], { cwd: root })
    assert.isTrue(config.isContent, config.said)
  })
  it.skipIf(!hasPromtool)("pass their tests", () => {
    const tested = promtool(["test", "rules", "ops/alerts.test.yml"], { cwd: root })
    assert.isTrue(tested.isContent, tested.said)
  })
  it.skipIf(!hasPromtool)(
    "a rule that never fires, or always does, fails its tests",
    () => {
      /** The alerts whose tests fail when every rule has this expression. */
      const failing = (expr: string): ReadonlySet<string> => {
        const groups = ruleFile.groups.map((group) => ({
          ...group,
          rules: group.rules.flatMap((rule) => (rule.alert === undefined ? [] : [{ ...rule, expr }]))
        }))
        // The expressions read no series.
        const tests = testFile.tests.flatMap(({ alert_rule_test }) =>
          alert_rule_test === undefined ? [] : [{ interval: "5m", input_series: [], alert_rule_test }]
        )
        writeFileSync(join(folder, "alerts.yml"), stringify({ groups: groups.filter(({ rules }) => rules.length > 0) }))
        writeFileSync(join(folder, "alerts.test.yml"), stringify({ ...testFile, evaluation_interval: "10m", tests }))
        const { said } = promtool(["test", "rules", "alerts.test.yml"], { cwd: folder })
        return new Set([...said.matchAll(/alertname: ?"?([A-Za-z]+)/g)].map(([, alert = ""]) => alert))
      }
      const names = new Set(alerts.map(({ alert = "" }) => alert))
      assert.deepStrictEqual(failing("vector(0) > 1"), names, "rules that may never fire")
      assert.deepStrictEqual(failing("vector(1)"), names, "rules that may always fire")
    },
    180_000
  )
})

describe("the dashboard", () => {
  it("asks for metrics and labels that exist, and shows every metric", () => {
    for (const { expr, title } of queries) assert.deepStrictEqual(problemsOf(expr), [], title)
    for (const { definition = "", name } of dashboard.templating.list) {
      const inner = definition.replace(/^label_values\((.*), ([a-z]+)\)$/, "sum by ($2) ($1)")
      assert.deepStrictEqual(problemsOf(inner), [], name)
    }
    const shown = queries.map(({ expr }) => expr).join("\n")
    const missing = all.map(({ name }) => `${Metrics.defaults.prefix}_${name}`).filter((name) => !shown.includes(name))
    assert.deepStrictEqual(missing, [])
  })
  it("legends name labels that the query keeps", () => {
    for (const { expr, legendFormat, title } of queries) {
      const kept = [...expr.matchAll(/\bby \(([^)]*)\)/g)].flatMap(([, list = ""]) => words(list))
      for (const [, label = ""] of legendFormat.matchAll(/\{\{([a-z_]+)\}\}/g)) assert.include(kept, label, title)
    }
  })
  it("panels have a place of their own", () => {
    const taken = new Set<string>()
    for (const { gridPos, title } of dashboard.panels) {
      assert.isAtMost(gridPos.x + gridPos.w, 24, title)
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++) {
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
          assert.isFalse(taken.has(`${x},${y}`), `${title} lies on another panel`)
          taken.add(`${x},${y}`)
        }
      }
    }
  })
  it.skipIf(!hasPromtool)("its queries are queries to promtool", () => {
    const asRules = queries.map(({ expr }, index) => ({
      record: `panel_${index}`,
      expr: expr.replaceAll("$__rate_interval", "5m").replaceAll(/\$(model|deployment)/g, ".*")
    }))
    writeFileSync(join(folder, "dashboard.yml"), stringify({ groups: [{ name: "dashboard", rules: asRules }] }))
    const checked = promtool(["check", "rules", "dashboard.yml"], { cwd: folder })
    assert.isTrue(checked.isContent, checked.said)
  })
})

it("docs/operations.md links the files that it is about", () => {
  const text = read("docs/operations.md")
  for (const path of ["ops/alerts.yml", "ops/alerts.test.yml", "ops/grafana-dashboard.json", "ops/prometheus.yml"]) {
    assert.isTrue(existsSync(inRoot(path)), path)
    assert.include(text, `](../${path})`)
  }
})
