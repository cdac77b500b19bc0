/**
 * How well strategies route: every scenario that comes with the package, every strategy and rule, five seeds, medians. With
 * `--write` the tables are docs/routing-quality.md. Names of scenarios as arguments leave out all others; `--seeds=1,2` are fewer
 * seeds, `--only=a,b` are fewer variants; `--keep=FILE` remembers what was measured, so that several runs, one after the other or
 * side by side, make one document.
 */
import { appendFileSync, existsSync, readFileSync, writeFileSync } from "node:fs"
import type { Result } from "@switchyard/simulator/Result"
import * as Scenario from "@switchyard/simulator/Scenario"
import * as Scenarios from "@switchyard/simulator/Scenarios"
import * as Simulation from "@switchyard/simulator/Simulation"
import { Effect, Either } from "effect"

const flags = process.argv.slice(2)
const valuesOf = (name: string): ReadonlyArray<string> =>
  flags.flatMap((flag) => (flag.startsWith(`--${name}=`) ? [flag.slice(name.length + 3)] : []))
const seeds = (valuesOf("seeds")[0] ?? "1,2,3,4,5").split(",").map(Number)
const kept = valuesOf("keep")
const asked = flags.filter((flag) => Scenarios.isName(flag))
const scenarios = asked.length > 0 ? asked : Scenarios.names

const ours = ["peak-ewma", "least-expected-latency", "latency-based", "least-busy", "simple-shuffle"]
const liteLlm = ["litellm-simple-shuffle", "litellm-least-busy", "litellm-usage-based-v2", "litellm-latency-based"]
const variants = ["oracle", ...ours, ...liteLlm, "finagle-peak-ewma", "lowest-average", "lowest-ema"]
/** The default with a layer more, or two. */
const layered = ["adaptive", "throttled", "adaptive-throttled", "ejecting", "objective", "adaptive-objective"]
const chosen = valuesOf("only").flatMap((names) => names.split(","))
const byDefault = "peak-ewma"

const median = (values: ReadonlyArray<number>): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN

interface Figures {
  readonly p50: number
  readonly p99: number
  readonly firstP99: number
  readonly failed: number
  readonly failedAttempts: number
  readonly goodput: number
  readonly attempts: number
  readonly cost: number
  readonly cached: number
}

const figuresOf = (result: Result): Figures => {
  const sum = (value: (one: Result["deployments"][number]) => number) =>
    result.deployments.reduce((all, one) => all + value(one), 0)
  return {
    p50: result.latency.p50,
    p99: result.latency.p99,
    firstP99: result.firstToken.p99,
    failed: (result.requests - result.completed) / result.requests,
    failedAttempts: result.failedAttempts,
    goodput: result.goodput,
    attempts: result.attemptsPerRequest,
    cost: result.cost,
    cached: sum(({ cachedTokens }) => cachedTokens) / sum(({ inputTokens }) => inputTokens)
  }
}

const medians = (all: ReadonlyArray<Figures>): Figures => {
  const [first] = all
  if (first === undefined) throw new Error("no seed")
  const of = (key: keyof Figures): number => median(all.map((figures) => figures[key]))
  return Object.fromEntries((Object.keys(first) as Array<keyof Figures>).map((key) => [key, of(key)])) as never
}

const table = new Map<string, ReadonlyMap<string, Figures>>()

/** What was measured before, by scenario, variant and seed; each run adds a line to its first file. */
const known = new Map<string, Figures>()
for (const file of kept.filter((path) => existsSync(path))) {
  // JSON has no NaN.
  const revive = (_: string, value: unknown): unknown => (value === null ? Number.NaN : value)
  for (const line of readFileSync(file, "utf8").split("\n").filter(Boolean)) {
    const [key, figures] = JSON.parse(line, revive) as [string, Figures]
    known.set(key, figures)
  }
}

const measured = async (name: string, scenario: Scenario.Scenario, variant: Scenario.Variant, seed: number) => {
  const key = `${name} ${variant.name} ${seed}`
  const before = known.get(key)
  if (before !== undefined) return before
  const figures = figuresOf(await Effect.runPromise(Simulation.run(scenario, variant, { seed })))
  if (kept[0] !== undefined) appendFileSync(kept[0], `${JSON.stringify([key, figures])}\n`)
  return figures
}

for (const name of scenarios) {
  const model = Either.getOrThrow(Scenarios.get(name))
  const scenario = Either.getOrThrowWith(
    Scenario.make(model, { compare: chosen.length > 0 ? chosen : [...variants, ...layered] }),
    ({ message }) => new Error(message)
  )
  const row = new Map<string, Figures>()
  for (const variant of scenario.variants) {
    const all: Array<Figures> = []
    for (const seed of seeds) all.push(await measured(name, scenario, variant, seed))
    row.set(variant.name, medians(all))
  }
  table.set(name, row)
  const told = [...row].map(([variant, { failed, failedAttempts, p99 }]) => {
    return `${variant} ${(p99 / 1000).toFixed(1)}s/${(failed * 100).toFixed(1)}%/${failedAttempts}`
  })
  console.log(`${name}: ${told.join("  ")}`)
}

const seconds = (ms: number): string => (Number.isNaN(ms) ? "-" : (ms / 1000).toFixed(2))
const percent = (share: number): string => (share * 100).toFixed(2)

const order = (name: string): number => (Scenarios.names as ReadonlyArray<string>).indexOf(name)

/** A table of one figure. Scenarios in which it is zero everywhere are left out. */
const grid = (
  title: string,
  about: string,
  text: (figures: Figures) => string,
  columns: ReadonlyArray<string> = variants
): string =>
  [
    `## ${title}`,
    "",
    about,
    "",
    `| scenario | ${columns.map((variant) => `\`${variant}\``).join(" | ")} |`,
    `|---|${columns.map(() => "--:").join("|")}|`,
    ...[...table]
      .sort(([a], [b]) => order(a) - order(b))
      .map(([name, row]) => ({ name, cells: columns.map((variant) => text(row.get(variant) as Figures)) }))
      .filter(({ cells }) => cells.some((cell) => Number(cell) !== 0))
      .map(({ cells, name }) => `| ${name} | ${cells.join(" | ")} |`),
    ""
  ].join("\n")

const layersGrid = (title: string, about: string, text: (figures: Figures) => string): string =>
  grid(`Layers beside the strategy: ${title}`, about, text, [byDefault, ...layered])

const of = (name: string, variant: string): Figures => table.get(name)?.get(variant) as Figures

/** A rule that leaves requests without an answer is no fast one. */
const answersAll = (name: string, variant: string, than: string): boolean =>
  of(name, variant).failed <= of(name, than).failed + 0.01

const claims = (own: string): ReadonlyArray<string> => {
  const names = Scenarios.names.filter((name) => table.has(name))
  const toOracle = names.map((name) => ({ name, ratio: of(name, own).p99 / of(name, "oracle").p99 }))
  const within = toOracle.filter(({ ratio }) => ratio <= 1.25)
  const most = toOracle.reduce((worst, one) => (one.ratio > worst.ratio ? one : worst))
  const hard = names.filter((name) => ["one-slow", "degrading", "outage-and-flapping"].includes(name))
  const random = names.map((name) => ({
    name,
    ratio: of(name, own).p99 / of(name, "simple-shuffle").p99
  }))
  const worse = random.filter(({ ratio }) => ratio > 1.05)
  return [
    `- \`${own}\`${own === byDefault ? ", the default" : ""}: p99 within 1.25× of the oracle in ${within.length} of ${names.length} scenarios; at worst ${most.ratio.toFixed(2)}× (${most.name}).`,
    ...hard.map((name) => {
      const best = liteLlm
        .filter((variant) => answersAll(name, variant, own))
        .reduce<string | undefined>(
          (low, one) => (low === undefined || of(name, one).p99 < of(name, low).p99 ? one : low),
          undefined
        )
      if (best === undefined) return `- ${name}: no rule of LiteLLM's answers as many requests.`
      const ratio = of(name, best).p99 / of(name, own).p99
      return `- ${name}: LiteLLM's best rule (\`${best}\`) has ${ratio.toFixed(2)} times its p99; failed attempts ${of(name, own).failedAttempts} against ${of(name, best).failedAttempts}.`
    }),
    worse.length === 0
      ? "- Nowhere is it worse than chance (`simple-shuffle`) by more than 5 %."
      : `- Worse than chance (\`simple-shuffle\`) by more than 5 %: ${worse.map(({ name, ratio }) => `${name} (${ratio.toFixed(2)}×)`).join(", ")}.`
  ]
}

// A part of the variants is no table: it is kept for one.
if (chosen.length > 0) process.exit(0)

const text = `# How well it routes

Written by \`npm run bench:routing -- --write --seeds=${seeds.join(",")}\`, ${seeds.length === 1 ? "one seed" : "medians"}. The scenarios are those that come with
[the simulator](simulator.md); \`switchyard simulate NAME --compare a,b\` shows one of them with charts. Rules of other routers
run in our tower, with our retries elsewhere, fallbacks and bookkeeping, which flatters them; LiteLLM's with its cooldown, its
number of retries and its timeouts. The oracle sees every queue, incident and limit, but not what chance will draw.

${[byDefault, "least-expected-latency"].flatMap(claims).join("\n")}

${grid("Latency, 99th percentile", "Seconds, of requests that were answered.", ({ p99 }) => seconds(p99))}
${grid("Latency, median", "Seconds, of requests that were answered.", ({ p50 }) => seconds(p50))}
${grid("First token, 99th percentile", "Seconds.", ({ firstP99 }) => seconds(firstP99))}
${grid("Failed requests", "Percent.", ({ failed }) => percent(failed))}
${grid("Failed attempts", "Attempts that an upstream refused, answered with an error, or broke off.", ({ failedAttempts }) => String(failedAttempts))}
${grid("Goodput", "Requests per second that were answered within the scenario's objective.", ({ goodput }) => goodput.toFixed(2))}
${grid("Attempts", "Per request.", ({ attempts }) => attempts.toFixed(3))}
${grid("Cost", "USD, where upstreams have prices.", ({ cost }) => cost.toFixed(2))}
${grid("Prompt cache", "Percent of input tokens that came from it.", ({ cached }) => percent(cached))}
${layersGrid("latency, 99th percentile", "The default strategy alone, and with what `switchyard simulate --compare` calls by these names. Seconds, of requests that were answered.", ({ p99 }) => seconds(p99))}
${layersGrid("goodput", "Requests per second that were answered within the scenario's objective.", ({ goodput }) => goodput.toFixed(2))}
${layersGrid("failed requests", "Percent.", ({ failed }) => percent(failed))}
${layersGrid("failed attempts", "Attempts that an upstream refused, answered with an error, or broke off.", ({ failedAttempts }) => String(failedAttempts))}
${layersGrid("cost", "USD, where upstreams have prices.", ({ cost }) => cost.toFixed(2))}`

if (flags.includes("--write")) writeFileSync("docs/routing-quality.md", text)
console.log([byDefault, "least-expected-latency"].flatMap(claims).join("\n"))
