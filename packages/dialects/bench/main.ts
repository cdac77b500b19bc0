/**
 * What translating costs, besides parsing and encoding: µs of CPU per request at 8 and at 100 KiB, and per event of a stream, for every
 * caller's dialect over every provider's. BENCH_SHORT=1 is the short form.
 */
import type { JsonObject } from "@switchyard/core/Json"
import * as Pair from "@switchyard/dialects/Pair"
import type { AnswerOptions } from "@switchyard/dialects/Translator"
import { Either } from "effect"
import { answers, type Provider } from "../test/conformance/answers.js"
import { type Caller, callers, providers } from "../test/conformance/cells.js"
import { samples } from "../test/conformance/samples.js"

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

const paragraph =
  "The quick brown fox jumps over the lazy dog, and nobody in the yard looks up from what they do. ".repeat(5)

/** A list that is as long as it takes for a body of so many bytes. */
const filled = (bytes: number, body: (turns: number) => JsonObject): JsonObject => {
  let turns = 1
  while (JSON.stringify(body(turns)).length < bytes) turns++
  return body(turns)
}

const history = (turns: number, user: (text: string) => JsonObject, assistant: (text: string) => JsonObject) =>
  Array.from({ length: turns * 2 - 1 }, (_, at) => (at % 2 === 0 ? user(paragraph) : assistant(paragraph)))

const role = (name: string) => (content: string) => ({ role: name, content })
const repeated = (tools: unknown, count: number): ReadonlyArray<unknown> =>
  Array.from({ length: count }, (_, at) => ({ ...(tools as ReadonlyArray<JsonObject>)[0], name: `tool_${at}` }))

const bodies: Readonly<Record<Caller, (turns: number) => JsonObject>> = {
  chat: (turns) => ({
    ...samples.chat.tools,
    tool_choice: "auto",
    messages: history(turns, role("user"), role("assistant"))
  }),
  messages: (turns) => ({
    ...samples.messages.tools,
    tool_choice: { type: "auto" },
    tools: repeated(samples.messages.tools.tools, 24),
    messages: history(turns, role("user"), (text) => ({ role: "assistant", content: [{ type: "text", text }] }))
  }),
  responses: (turns) => ({
    ...samples.responses.tools,
    tool_choice: "auto",
    tools: repeated(samples.responses.tools.tools, 24),
    input: history(turns, role("user"), role("assistant"))
  }),
  gemini: (turns) => ({
    ...samples.gemini.chat,
    contents: history(
      turns,
      (text) => ({ role: "user", parts: [{ text }] }),
      (text) => ({ role: "model", parts: [{ text }] })
    )
  })
}

const row = (name: string, figures: ReadonlyArray<number>): void =>
  console.log(`  ${name.padEnd(24)}${figures.map((figure) => figure.toFixed(1).padStart(12)).join("")}`)

console.log("Translating, besides parse and stringify (CPU µs, median)")
console.log(`  ${"".padEnd(24)}${["8 KiB", "100 KiB", "an event"].map((head) => head.padStart(12)).join("")}`)
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
    const { events } = answers[provider].text
    const stream = (): void => {
      const bridge = Pair.events(origin, target, options)
      const drop = (): void => undefined
      for (const { event, json } of events) bridge.read(json, drop, event)
      bridge.end(drop)
    }
    row(`${caller} over ${provider}`, [
      costs(request(small), 200),
      costs(request(large), 50),
      costs(stream, 500) / events.length
    ])
  }
}
