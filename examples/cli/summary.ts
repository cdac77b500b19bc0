/**
 * What a run came to: as data for `--json`, as text for people.
 */
import type { RouterEvent } from "@switchyard/router/RouterEvents"
import { reply } from "./scenarios.js"
import type { Result } from "./workload.js"

/** Quantiles in ms. */
interface Quantiles {
  readonly p50: number
  readonly p95: number
  readonly p99: number
}

/** One deployment's part in the run. */
interface Share {
  readonly deployment: string
  readonly answered: number
  readonly attempts: number
  readonly failed: number
  readonly retries: number
  /** Times its breaker opened, and closed again. */
  readonly cooldowns: number
  readonly recoveries: number
}

/** The whole run. */
export interface Summary {
  readonly scenario: string
  readonly strategy: string
  readonly requests: number
  readonly streams: number
  readonly answered: number
  readonly failed: ReadonlyArray<{ readonly request: number; readonly error: string }>
  readonly attempts: number
  /** Requests that another deployment or group answered after a failure. */
  readonly failovers: number
  readonly hedgesWon: number
  readonly fallbacks: Readonly<Record<string, number>>
  readonly inputTokens: number
  readonly outputTokens: number
  readonly seconds: number
  readonly latency: Quantiles
  readonly firstToken: Quantiles
  readonly shares: ReadonlyArray<Share>
}

const quantiles = (values: ReadonlyArray<number>): Quantiles => {
  const sorted = values.filter((value) => !Number.isNaN(value)).sort((a, b) => a - b)
  const at = (q: number) => Math.round(sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? 0)
  return { p50: at(0.5), p95: at(0.95), p99: at(0.99) }
}

const isWhole = (result: Result): boolean => result.error === undefined && result.characters === reply.length

const problem = (result: Result): string =>
  result.error === undefined ? `${result.characters} of ${reply.length} characters` : result.error.message

/** Adds up a run. */
export const summarize = (
  run: { readonly scenario: string; readonly strategy: string; readonly seconds: number },
  deployments: ReadonlyArray<string>,
  results: ReadonlyArray<Result>,
  events: ReadonlyArray<RouterEvent>
): Summary => {
  const reports = results.flatMap(({ report }) => (report === undefined ? [] : [report]))
  const attempts = results.flatMap(({ error, report }) => report?.attempts ?? error?.attempts ?? [])
  const real = attempts.filter(({ outcome }) => outcome !== "rejected")
  const count = (tag: RouterEvent["_tag"], deployment: string) =>
    events.filter((event) => event._tag === tag && "deployment" in event && event.deployment === deployment).length
  const fallbacks: Record<string, number> = {}
  for (const { kind } of reports.flatMap((report) => report.fallbacks)) fallbacks[kind] = (fallbacks[kind] ?? 0) + 1
  const tokens = (name: "inputTokens" | "outputTokens") =>
    reports.reduce((sum, { usage }) => sum + (usage?.[name] ?? 0), 0)
  return {
    ...run,
    requests: results.length,
    streams: results.filter(({ stream }) => stream).length,
    answered: results.filter(isWhole).length,
    failed: results
      .filter((result) => !isWhole(result))
      .map((result) => ({ request: result.index, error: problem(result) })),
    attempts: real.length,
    failovers: reports.filter((report) => report.attempts.some(({ outcome }) => outcome === "failed")).length,
    hedgesWon: events.filter(({ _tag }) => _tag === "HedgeWon").length,
    fallbacks,
    inputTokens: tokens("inputTokens"),
    outputTokens: tokens("outputTokens"),
    latency: quantiles(results.map(({ latency }) => latency)),
    firstToken: quantiles(results.filter(({ stream }) => stream).map(({ firstToken }) => firstToken)),
    shares: deployments.map((deployment) => {
      const own = real.filter((attempt) => attempt.deployment === deployment)
      return {
        deployment,
        answered: reports.filter((report) => report.deployment === deployment).length,
        attempts: own.length,
        failed: own.filter(({ outcome }) => outcome === "failed").length,
        retries: own.filter(({ number }) => number > 1).length,
        cooldowns: count("CooldownOpened", deployment),
        recoveries: count("CooldownClosed", deployment)
      }
    })
  }
}

const ms = ({ p50, p95, p99 }: Quantiles): string => `p50 ${p50} ms   p95 ${p95} ms   p99 ${p99} ms`

const bar = (share: number): string => "█".repeat(Math.round(share * 30))

const shareLine = (share: Share, answered: number): string => {
  const part = answered === 0 ? 0 : share.answered / answered
  const notes = [
    share.failed > 0 ? `${share.failed} failed` : "",
    share.cooldowns > 0 ? `cooldown ${share.cooldowns}×, back ${share.recoveries}×` : ""
  ].filter((note) => note !== "")
  const percent = `${Math.round(part * 100)} %`.padStart(5)
  return `  ${share.deployment.padEnd(9)}${String(share.answered).padStart(5)} ${percent} ${bar(part).padEnd(31)}${notes.join(", ")}`.trimEnd()
}

/** The summary as text. */
export const render = (summary: Summary): string => {
  const kinds = Object.entries(summary.fallbacks).map(([kind, times]) => `${kind} ${times}×`)
  return [
    "",
    `${summary.answered} of ${summary.requests} requests answered whole in ${summary.seconds.toFixed(1)} s (${summary.streams} streams, strategy ${summary.strategy})`,
    `attempts   ${summary.attempts} (${summary.attempts - summary.requests} beyond the first of each request)`,
    `failovers  ${summary.failovers} requests survived a failed attempt${summary.hedgesWon > 0 ? `, ${summary.hedgesWon} were won by a hedge` : ""}`,
    ...(kinds.length > 0 ? [`fallbacks  ${kinds.join(", ")}`] : []),
    `tokens     ${summary.inputTokens} in, ${summary.outputTokens} out`,
    `latency    ${ms(summary.latency)}`,
    `1st token  ${ms(summary.firstToken)}   (streams)`,
    "traffic",
    ...summary.shares.map((share) => shareLine(share, summary.answered)),
    ...summary.failed.slice(0, 10).map(({ error, request }) => `request ${request} was not answered: ${error}`)
  ].join("\n")
}
