/** The tables of a run. */
import Table from "cli-table3"
import { heapLimit } from "./gateway.js"
import type { Counts, Finished, Journal } from "./journal.js"
import type { Options } from "./options.js"

const MiB = 1024 * 1024

const columns = [
  ["whole", "whole answers"],
  ["error", "typed errors"],
  ["in-band", "cut with in-band error"],
  ["left", "caller left"],
  ["refused", "nobody listened"],
  ["lost", "lost without a word"]
] as const

const requests = (counts: Counts): number => columns.reduce((sum, [outcome]) => sum + counts[outcome], 0)

const plain = { head: [], border: [] }

const outcomes = (title: string, rows: Iterable<readonly [string, Counts]>): string => {
  const table = new Table({
    head: [title, "requests", ...columns.map(([, name]) => name)],
    style: plain,
    colAligns: ["left", ...columns.map(() => "right" as const), "right"]
  })
  for (const [name, counts] of rows)
    table.push([name, requests(counts), ...columns.map(([outcome]) => counts[outcome])])
  return table.toString()
}

const sorted = (counts: Map<string, Counts>): ReadonlyArray<readonly [string, Counts]> =>
  [...counts].sort(([, a], [, b]) => requests(b) - requests(a))

const quantile = (values: ReadonlyArray<number>, q: number): number =>
  [...values].sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor(q * values.length))] ?? Number.NaN

const figures = (head: ReadonlyArray<string>, rows: ReadonlyArray<ReadonlyArray<string | number>>): string => {
  const table = new Table({
    head: [...head],
    style: plain,
    colAligns: head.map((_, index) => (index === 0 ? "left" : "right"))
  })
  for (const row of rows) table.push([...row])
  return table.toString()
}

/** Times of the table about memory. */
const times = 12

const memory = ({ samples }: Journal): string => {
  const step = Math.max(1, Math.ceil(samples.length / times))
  const shown = samples.filter((_, index) => index % step === 0 || index === samples.length - 1)
  const names = [...new Set(samples.flatMap(({ gateways }) => gateways.map(([name]) => name)))].sort()
  return figures(
    ["time", ...names.flatMap((name) => [`${name} RSS`, `${name} heap`, `${name} fds`])],
    shown.map(({ at, gateways }) => [
      `${(at / 1000).toFixed(0)} s`,
      ...names.flatMap((name) => {
        const seen = gateways.find(([own]) => own === name)?.[1]
        return seen === undefined ? ["", "", ""] : [(seen.rss / MiB).toFixed(0), (seen.heap / MiB).toFixed(0), seen.fds]
      })
    ])
  )
}

const loop = ({ loops, pings, samples }: Journal): string => {
  const held = samples.flatMap(({ gateways }) => gateways.map(([, { lately }]) => lately))
  return figures(
    ["ms", "p50", "p99", "max"],
    [
      ...[...loops].map(([name, { max, p50, p99 }]) => [
        `event loop of ${name}`,
        ...[p50, p99, max].map((ms) => ms.toFixed(1))
      ]),
      ["longest of each half second", ...[0.5, 0.99, 1].map((q) => quantile(held, q).toFixed(0))],
      ["/health/live, as a client sees it", ...[0.5, 0.99, 1].map((q) => quantile(pings, q).toFixed(0))]
    ]
  )
}

/** Lost calls that are told one by one. */
const shownCalls = 25

const told = (journal: Journal, call: Finished): string => {
  const { from, id, to, verdict, what } = call
  const why = verdict.outcome === "lost" ? verdict.why : verdict.outcome
  const faults = journal.faultsOf(id).map((fault) => fault || "good answer")
  return [
    `  call ${id} (${what}), ${(from / 1000).toFixed(2)} to ${(to / 1000).toFixed(2)} s: ${why}`,
    `    upstreams: ${faults.join(", ") || "none was asked"}; near it: ${journal.near(call).join(", ") || "nothing"}`,
    ...journal.linesAbout(id).map((line) => `    ${line}`)
  ].join("\n")
}

/** Nothing was lost, and nothing else is wrong. */
export const isClean = (journal: Journal): boolean => journal.problems.length === 0 && journal.totals().lost === 0

/** Everything, for people. */
export const text = (journal: Journal, { seconds, seed }: Options): string => {
  const lost = journal.finished.filter(({ verdict }) => verdict.outcome === "lost")
  const codes = new Map<string, number>()
  for (const { verdict } of journal.finished) {
    if ("code" in verdict) codes.set(verdict.code, (codes.get(verdict.code) ?? 0) + 1)
  }
  const faults = journal.countBy(({ id }) => {
    const met = journal.faultsOf(id)
    return met.length === 0 ? ["(no upstream was asked)"] : met.map((fault) => fault || "(good answer)")
  })
  return [
    `chaos: ${seconds} s, seed ${seed}, two gateways with ${heapLimit} MiB of heap each`,
    outcomes("what callers did", [...sorted(journal.countBy(({ what }) => [what])), ["all", journal.totals()]]),
    outcomes("what upstreams did with the call", sorted(faults)),
    outcomes(
      "what was done meanwhile",
      sorted(
        journal.countBy((call) => {
          const near = journal.near(call)
          return near.length === 0 ? ["(nothing)"] : near
        })
      )
    ),
    `errors by code: ${
      [...codes]
        .sort(([, a], [, b]) => b - a)
        .map(([code, count]) => `${code} ${count}`)
        .join(", ") || "none"
    }`,
    `connections refused while no gateway or another one listened: ${journal.refused}; closed before the request was taken: ${journal.stale} (both were sent again)`,
    loop(journal),
    memory(journal),
    ...(lost.length === 0
      ? []
      : [
          `LOST WITHOUT A WORD (--seed ${seed}${lost.length > shownCalls ? `; the first ${shownCalls}, all with --json` : ""}):\n${lost
            .slice(0, shownCalls)
            .map((call) => told(journal, call))
            .join("\n")}`
        ]),
    ...(journal.problems.length === 0
      ? []
      : [`PROBLEMS:\n${journal.problems.map((problem) => `  ${problem}`).join("\n")}`]),
    isClean(journal) ? "nothing was lost" : "NOT CLEAN"
  ].join("\n\n")
}

/** The same as data. */
export const json = (journal: Journal, options: Options): string =>
  JSON.stringify(
    {
      ...options,
      totals: journal.totals(),
      callers: Object.fromEntries(journal.countBy(({ what }) => [what])),
      faults: Object.fromEntries(
        journal.countBy(({ id }) => journal.faultsOf(id).map((fault) => fault || "good answer"))
      ),
      moments: Object.fromEntries(journal.countBy((call) => journal.near(call))),
      refused: journal.refused,
      stale: journal.stale,
      timeline: journal.moments,
      calls: journal.finished,
      loops: Object.fromEntries(journal.loops),
      samples: journal.samples,
      lost: journal.finished.filter(({ verdict }) => verdict.outcome === "lost"),
      problems: journal.problems
    },
    null,
    2
  )
