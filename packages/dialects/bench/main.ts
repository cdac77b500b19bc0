/**
 * What translating costs, besides parsing and encoding: µs of CPU per request at 8 and at 100 KiB, and per event of a short
 * stream and of one of a hundred pieces, for every caller's dialect over every provider's. BENCH_SHORT=1 is the short form.
 */
import type { JsonObject } from "@switchyard/core/Json"
import * as Pair from "@switchyard/dialects/Pair"
import type { AnswerOptions } from "@switchyard/dialects/Translator"
import { Either } from "effect"
import { answers, type Provider, type Said } from "../test/conformance/answers.js"
import { type Caller, callers, providers } from "../test/conformance/cells.js"
import { bodies, filled, pieces } from "./bodies.js"

/** What alone is measured: `chat over gemini`, or a part of such a name. */
const only = process.argv[2] ?? ""

const rounds = process.env.BENCH_SHORT === "1" ? 15 : 61

const median = (values: ReadonlyArray<number>): number =>
  [...values].sort((a, b) => a - b)[values.length >> 1] as number

/** µs of one run of `f`. */
const costs = (f: () => void, times: number): number => {
  for (let warm = 0; warm < times; warm++) f()
  const found: Array<number> = []
  for (let round = 0; round < rounds; round++) {
    const start = process.cpuUsage()
    for (let time = 0; time < times; time++) f()
    const { system, user } = process.cpuUsage(start)
    found.push((system + user) / times)
  }
  return median(found)
}

const row = (name: string, figures: ReadonlyArray<number>): void =>
  console.log(`  ${name.padEnd(24)}${figures.map((figure) => figure.toFixed(1).padStart(14)).join("")}`)

console.log("Translating, besides parse and stringify (CPU µs, median; budgets 100, 192, 5, 5)")
console.log(
  `  ${"".padEnd(24)}${["8 KiB", "100 KiB", "short event", "event of 100"].map((head) => head.padStart(14)).join("")}`
)
for (const caller of Object.keys(callers) as Array<Caller>) {
  const origin = callers[caller]
  const small = filled(8 * 1024, bodies[caller])
  const large = filled(100 * 1024, bodies[caller])
  const options: AnswerOptions = {
    conversation: Either.getOrThrow(Pair.read(origin, small, { model: "m", stream: true })),
    id: "abcdefghijklmnopqrstuvwx",
    created: 1_700_000_000,
    wantsUsage: true
  }
  for (const provider of Object.keys(providers) as Array<Provider>) {
    if (provider === caller || !`${caller} over ${provider}`.includes(only)) continue
    const target = providers[provider]
    const request = (body: JsonObject) => (): void => {
      const read = Pair.read(origin, body, { model: "m", stream: true })
      if (Either.isLeft(read)) throw new Error(JSON.stringify(read.left))
      const written = Pair.write(read.right, origin, target, { model: "m-1" })
      if (Either.isLeft(written)) throw new Error(JSON.stringify(written.left))
    }
    const stream = (events: Said["events"]) => (): void => {
      const bridge = Pair.events(origin, target, options)
      const drop = (): void => undefined
      for (const { event, json } of events) bridge.read(json, drop, event)
      bridge.end(drop)
    }
    row(`${caller} over ${provider}`, [
      costs(request(small), 200),
      costs(request(large), 50),
      ...[answers[provider].text.events, pieces(provider, 100)].map(
        (events) => costs(stream(events), 20_000 / events.length) / events.length
      )
    ])
  }
}
