/**
 * How well strategies route: every scenario that comes with the package, every strategy and rule, five seeds, medians. With
 * `--write` the tables are docs/routing-quality.md. Some names as arguments leave out all other scenarios.
 */
import { writeFileSync } from "node:fs"
import type { Result } from "@switchyard/simulator/Result"
import * as Scenario from "@switchyard/simulator/Scenario"
import * as Scenarios from "@switchyard/simulator/Scenarios"
import * as Simulation from "@switchyard/simulator/Simulation"
import { Effect, Either } from "effect"

const flags = process.argv.slice(2)
const seeds = flags.includes("--quick") ? [1] : [1, 2, 3, 4, 5]
const asked = flags.filter((flag) => Scenarios.isName(flag))
const scenarios = asked.length > 0 ? asked : Scenarios.names

const ours = ["peak-ewma", "latency-based", "least-busy", "simple-shuffle"]
const liteLlm = ["litellm-simple-shuffle", "litellm-least-busy", "litellm-usage-based-v2", "litellm-latency-based"]
const variants = ["oracle", ...ours, ...liteLlm, "finagle-peak-ewma", "lowest-average", "lowest-ema"]
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

const figuresOf = (results: ReadonlyArray<Result>): Figures => {
  const of = (value: (result: Result) => number): number => median(results.map(value))
  return {
    p50: of(({ latency }) => latency.p50),
    p99: of(({ latency }) => latency.p99),
    firstP99: of(({ firstToken }) => firstToken.p99),
    failed: of(({ completed, requests }) => (requests - completed) / requests),
    failedAttempts: of(({ failedAttempts }) => failedAttempts),
    goodput: of(({ goodput }) => goodput),
    attempts: of(({ attemptsPerRequest }) => attemptsPerRequest),
    cost: of(({ cost }) => cost),
    cached: of(({ deployments }) => {
      const sum = (value: (one: Result["deployments"][number]) => number) =>
        deployments.reduce((all, one) => all + value(one), 0)
      return sum(({ cachedTokens }) => cachedTokens) / sum(({ inputTokens }) => inputTokens)
    })
  }
}

const table = new Map<string, ReadonlyMap<string, Figures>>()
for (const name of scenarios) {
  const model = Either.getOrThrow(Scenarios.get(name))
  const scenario = Either.getOrThrowWith(
    Scenario.make(model, { compare: variants }),
    ({ message }) => new Error(message)
  )
  const row = new Map<string, Figures>()
  for (const variant of scenario.variants) {
    const results = await Effect.runPromise(
      Effect.forEach(seeds, (seed) => Simulation.run(scenario, variant, { seed }))
    )
    row.set(variant.name, figuresOf(results))
  }
  table.set(name, row)
  const told = variants.map((variant) => {
    const { failed, failedAttempts, p99 } = row.get(variant) as Figures
    return `${variant} ${(p99 / 1000).toFixed(1)}s/${(failed * 100).toFixed(1)}%/${failedAttempts}`
  })
  console.log(`${name}: ${told.join("  ")}`)
}

const seconds = (ms: number): string => (Number.isNaN(ms) ? "-" : (ms / 1000).toFixed(2))
const percent = (share: number): string => (share * 100).toFixed(2)

const grid = (title: string, about: string, text: (figures: Figures) => string): string =>
  [
    `## ${title}`,
    "",
    about,
    "",
    `| scenario | ${variants.map((variant) => `\`${variant}\``).join(" | ")} |`,
    `|---|${variants.map(() => "--:").join("|")}|`,
    ...[...table].map(
      ([name, row]) => `| ${name} | ${variants.map((variant) => text(row.get(variant) as Figures)).join(" | ")} |`
    ),
    ""
  ].join("\n")

const of = (name: string, variant: string): Figures => table.get(name)?.get(variant) as Figures

/** A rule that leaves requests without an answer is no fast one. */
const answersAll = (name: string, variant: string): boolean =>
  of(name, variant).failed <= of(name, byDefault).failed + 0.01

const claims = (): ReadonlyArray<string> => {
  const names = [...table.keys()]
  const toOracle = names.map((name) => ({ name, ratio: of(name, byDefault).p99 / of(name, "oracle").p99 }))
  const within = toOracle.filter(({ ratio }) => ratio <= 1.25)
  const most = toOracle.reduce((worst, one) => (one.ratio > worst.ratio ? one : worst))
  const hard = names.filter((name) => ["one-slow", "degrading", "outage-and-flapping"].includes(name))
  const random = names.map((name) => ({
    name,
    ratio: of(name, byDefault).p99 / of(name, "simple-shuffle").p99
  }))
  const worse = random.filter(({ ratio }) => ratio > 1.05)
  return [
    `- \`${byDefault}\`, the default: p99 within 1.25× of the oracle in ${within.length} of ${names.length} scenarios; at worst ${most.ratio.toFixed(2)}× (${most.name}).`,
    ...hard.map((name) => {
      const best = liteLlm
        .filter((variant) => answersAll(name, variant))
        .reduce<string | undefined>(
          (low, one) => (low === undefined || of(name, one).p99 < of(name, low).p99 ? one : low),
          undefined
        )
      if (best === undefined) return `- ${name}: no rule of LiteLLM's answers as many requests.`
      const ratio = of(name, best).p99 / of(name, byDefault).p99
      return `- ${name}: p99 ${ratio.toFixed(2)}× better than that of LiteLLM's best rule (\`${best}\`); failed attempts ${of(name, byDefault).failedAttempts} against ${of(name, best).failedAttempts}.`
    }),
    worse.length === 0
      ? "- Nowhere is it worse than chance (`simple-shuffle`) by more than 5 %."
      : `- Worse than chance (\`simple-shuffle\`) by more than 5 %: ${worse.map(({ name, ratio }) => `${name} (${ratio.toFixed(2)}×)`).join(", ")}.`
  ]
}

const text = `# How well it routes

Written by \`npm run bench:routing -- --write\`; seeds ${seeds.join(", ")}, medians. The scenarios are those that come with
[the simulator](simulator.md); \`switchyard simulate NAME --compare a,b\` shows one of them with charts. Rules of other routers
run in our tower, with our retries elsewhere, fallbacks and bookkeeping, which flatters them; LiteLLM's with its cooldown, its
number of retries and its timeouts. The oracle sees every queue, incident and limit, but not what chance will draw.

${claims().join("\n")}

${grid("Latency, 99th percentile", "Seconds, of requests that were answered.", ({ p99 }) => seconds(p99))}
${grid("Latency, median", "Seconds, of requests that were answered.", ({ p50 }) => seconds(p50))}
${grid("First token, 99th percentile", "Seconds.", ({ firstP99 }) => seconds(firstP99))}
${grid("Failed requests", "Percent.", ({ failed }) => percent(failed))}
${grid("Failed attempts", "Attempts that an upstream refused, answered with an error, or broke off.", ({ failedAttempts }) => String(failedAttempts))}
${grid("Goodput", "Requests per second that were answered within the scenario's objective.", ({ goodput }) => goodput.toFixed(2))}
${grid("Attempts", "Per request.", ({ attempts }) => attempts.toFixed(3))}
${grid("Cost", "USD, where upstreams have prices.", ({ cost }) => cost.toFixed(2))}
${grid("Prompt cache", "Percent of input tokens that came from it.", ({ cached }) => percent(cached))}`

if (flags.includes("--write")) writeFileSync("docs/routing-quality.md", text)
console.log(claims().join("\n"))
