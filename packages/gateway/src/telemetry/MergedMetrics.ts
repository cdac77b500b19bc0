/**
 * What several processes have counted, as one text for a scrape: counters and histograms are added up, gauges too, but for those
 * of which a sum would say nothing.
 */

/** How gauges of several processes make one. */
type Rule = "sum" | "least" | "most" | "mean"

/** Names are without the prefix. Of a limit that all count together each process tells the same. */
const rules: ReadonlyArray<readonly [ending: string, rule: Rule]> = [
  ["_deployment_available", "least"],
  ["_deployment_headroom_ratio", "least"],
  ["_deployment_rpm_headroom", "least"],
  ["_deployment_tpm_headroom", "least"],
  ["_deployment_latency_ema_seconds", "mean"],
  ["_deployment_ttft_ema_seconds", "mean"],
  ["_deployment_state", "most"],
  ["_deployment_health", "most"],
  ["_ledger_up", "least"],
  ["_ledger_write_age_seconds", "most"],
  ["_shared_state_up", "least"],
  ["_shared_state_replicas", "most"]
]

/** Of series that tell a state each by 1 or 0, only the first of these that any process is in is told. */
const exclusive: Readonly<Record<string, ReadonlyArray<string>>> = {
  _deployment_state: ["open", "half_open", "closed"],
  _deployment_health: ["cooldown", "unhealthy", "degraded", "healthy", "unknown"]
}

interface Series {
  readonly values: Array<number>
  /** What stands behind the value: an exemplar. */
  rest: string
}

interface Family {
  readonly name: string
  type: string
  readonly heads: Array<string>
  readonly series: Map<string, Series>
}

const sample = /^([a-zA-Z_:][\w:]*(?:\{(?:[^"}]|"(?:[^"\\]|\\.)*")*\})?) (\S+)(.*)$/

const valueOf = (text: string): number =>
  text === "+Inf" ? Number.POSITIVE_INFINITY : text === "-Inf" ? Number.NEGATIVE_INFINITY : Number(text)

const textOf = (value: number): string =>
  value === Number.POSITIVE_INFINITY ? "+Inf" : value === Number.NEGATIVE_INFINITY ? "-Inf" : String(value)

/** OpenMetrics names a family of counters without the ending that its series have. */
const familyOf = (name: string, isOpen: boolean): string => (isOpen ? name.replace(/_total$/, "") : name)

const gather = (text: string, families: Map<string, Family>, isOpen: boolean): void => {
  let current: Family | undefined
  for (const line of text.split("\n")) {
    if (line === "" || line === "# EOF") continue
    const [, kind, given = "", said = ""] = /^# (HELP|TYPE|UNIT) (\S+) ?(.*)$/.exec(line) ?? []
    if (kind !== undefined) {
      const name = familyOf(given, isOpen)
      const head = `# ${kind} ${name} ${said}`
      let family = families.get(name)
      if (family === undefined) {
        family = { name, type: "", heads: [], series: new Map() }
        families.set(name, family)
      }
      current = family
      if (kind === "TYPE") current.type = said
      if (!current.heads.some((known) => known.startsWith(`# ${kind} `))) current.heads.push(head)
      continue
    }
    const [, key, value = "", rest = ""] = sample.exec(line) ?? []
    if (key === undefined || current === undefined) continue
    const known = current.series.get(key)
    if (known === undefined) current.series.set(key, { values: [valueOf(value)], rest })
    else {
      known.values.push(valueOf(value))
      if (rest !== "") known.rest = rest
    }
  }
}

const sum = (values: ReadonlyArray<number>): number => values.reduce((total, value) => total + value, 0)

const joined = (values: ReadonlyArray<number>, rule: Rule): number =>
  rule === "sum"
    ? sum(values)
    : rule === "least"
      ? Math.min(...values)
      : rule === "most"
        ? Math.max(...values)
        : sum(values) / values.length

const stateLabel = /,?state="([^"]*)"/

/** Of the states that a deployment is in by different processes, the gravest. */
const settle = (lines: ReadonlyArray<readonly [key: string, value: number]>, order: ReadonlyArray<string>) => {
  const worst = new Map<string, number>()
  const placeOf = (key: string) => order.indexOf(stateLabel.exec(key)?.[1] ?? "")
  for (const [key, value] of lines) {
    const whose = key.replace(stateLabel, "")
    if (value > 0) worst.set(whose, Math.min(worst.get(whose) ?? order.length, placeOf(key)))
  }
  return lines.map(([key]) => [key, worst.get(key.replace(stateLabel, "")) === placeOf(key) ? 1 : 0] as const)
}

const linesOf = ({ name, series, type }: Family): ReadonlyArray<readonly [key: string, value: number]> => {
  const [ending, rule = "sum"] = type === "gauge" ? (rules.find(([known]) => name.endsWith(known)) ?? []) : []
  const lines = [...series].map(([key, { values }]) => [key, joined(values, rule)] as const)
  const order = ending === undefined ? undefined : exclusive[ending]
  return order === undefined ? lines : settle(lines, order)
}

/** Texts of several processes as one: in OpenMetrics where one of them is, else in Prometheus' format. */
export const merge = (texts: ReadonlyArray<string>): string => {
  const families = new Map<string, Family>()
  const isOpen = texts.some((text) => text.endsWith("# EOF\n"))
  for (const text of texts) gather(text, families, isOpen)
  const out: Array<string> = []
  for (const family of [...families.values()].sort((a, b) => (a.name < b.name ? -1 : 1))) {
    out.push(...family.heads)
    for (const [key, value] of linesOf(family)) out.push(`${key} ${textOf(value)}${family.series.get(key)?.rest ?? ""}`)
  }
  if (isOpen) out.push("# EOF")
  return out.length === 0 ? "" : `${out.join("\n")}\n`
}

/** What has only ever grown in a text, in Prometheus' format: what a process that is gone has counted still counts. */
export const lasting = (text: string): string => {
  const families = new Map<string, Family>()
  gather(text, families, false)
  const out: Array<string> = []
  for (const { heads, name, series, type } of families.values()) {
    if (type !== "counter" && type !== "histogram") continue
    const named = type === "counter" && !name.endsWith("_total") ? `${name}_total` : name
    out.push(...heads.map((head) => head.replace(` ${name} `, ` ${named} `)))
    for (const [key, { values }] of series) out.push(`${key} ${textOf(sum(values))}`)
  }
  return out.length === 0 ? "" : `${out.join("\n")}\n`
}
