/**
 * What a request costs the base service when caller and provider speak the same dialect, against a chat in the same run: µs of CPU
 * over a transport in memory, parse and stringify and all. Rounds alternate; the ratios are what counts. BENCH_SHORT=1 is the short form.
 */
import * as LlmRequest from "@switchyard/core/LlmRequest"
import type { LlmResponse } from "@switchyard/core/LlmResponse"
import * as Time from "@switchyard/core/Time"
import { gemini } from "@switchyard/dialects/Gemini"
import { messages } from "@switchyard/dialects/Messages"
import { responses } from "@switchyard/dialects/Responses"
import * as OpenAiCompatible from "@switchyard/providers/OpenAiCompatible"
import * as StubLlm from "@switchyard/testing/StubLlm"
import { Effect } from "effect"
import { bodies, filled, pieces } from "../../dialects/bench/bodies.js"
import { answers } from "../../dialects/test/conformance/answers.js"

const dialects = { chat: undefined, messages, responses, gemini }
type Name = keyof typeof dialects
const names = Object.keys(dialects) as ReadonlyArray<Name>
const protocols: Readonly<Record<Name, string>> = {
  chat: "openai",
  messages: "anthropic",
  responses: "responses",
  gemini: "gemini"
}

const rounds = process.env.BENCH_SHORT === "1" ? 9 : 41

const median = (values: ReadonlyArray<number>): number =>
  [...values].sort((a, b) => a - b)[values.length >> 1] as number

const encoder = new TextEncoder()
const wholes = new Map(names.map((name) => [name, encoder.encode(JSON.stringify(answers[name].text.whole))]))
/** A stream as a socket gives it: a chunk for each event. */
const streams = new Map(
  names.map((name) => {
    const texts = pieces(name, 100).map(
      ({ event, json }) => `${event === undefined ? "" : `event: ${event}\n`}data: ${JSON.stringify(json)}\n\n`
    )
    if (name === "chat") texts.push("data: [DONE]\n\n")
    return [name, texts.map((text) => encoder.encode(text))] as const
  })
)

const nameOf = (path: string): Name =>
  path.includes("/messages")
    ? "messages"
    : path.includes("/responses")
      ? "responses"
      : path.includes(":")
        ? "gemini"
        : "chat"

const service = OpenAiCompatible.make({
  send: ({ body, path }, handlers) => {
    const name = nameOf(path)
    const isStream = path.includes(":stream") || (typeof body === "string" && body.includes('"stream":true'))
    handlers.onHeaders(200, { "content-type": isStream ? "text/event-stream" : "application/json" })
    for (const chunk of isStream ? (streams.get(name) ?? []) : [wholes.get(name) ?? new Uint8Array()]) {
      handlers.onData(chunk)
    }
    handlers.onEnd()
    return { pause: () => {}, resume: () => {}, abort: () => {} }
  }
})

const read = (response: LlmResponse): Effect.Effect<void, unknown> => {
  if (response._tag === "Complete") return Effect.void
  const rest: Effect.Effect<void, unknown> = Effect.flatMap(response.events.pull, (batch) =>
    batch.length === 0 ? Effect.void : rest
  )
  return rest
}

const calling = (name: Name, size: number, stream: boolean): (() => void) => {
  const body = filled(size, bodies[name])
  const dialect = dialects[name]
  const request =
    dialect === undefined
      ? LlmRequest.chat({ ...body, model: "m", messages: body.messages as LlmRequest.ChatBody["messages"], stream })
      : LlmRequest.of(dialect, "chat", name === "gemini" ? body : { ...body, stream }, { model: "m", stream })
  const slot = StubLlm.slot("d1", {
    apiKey: "sk-bench",
    model: "up-model",
    protocol: protocols[name],
    baseUrl: "http://127.0.0.1:9"
  })
  const call = Effect.flatMap(
    Effect.flatMap(Time.now, (now) => service.call(StubLlm.attempt(request, slot, now))),
    read
  )
  return () => void Effect.runSync(call)
}

const cost = (f: () => void, times: number): number => {
  const start = process.cpuUsage()
  for (let time = 0; time < times; time++) f()
  const { system, user } = process.cpuUsage(start)
  return (system + user) / times
}

console.log(
  "The same dialect in and out, over a transport in memory (CPU µs; ratio to chat's in the same round, median)"
)
console.log(`  ${"".padEnd(24)}${names.map((name) => name.padStart(18)).join("")}`)
for (const [title, size, stream, times] of [
  ["8 KiB, whole", 8 * 1024, false, 200],
  ["100 KiB, whole", 100 * 1024, false, 40],
  ["a stream of 100 pieces", 1024, true, 40]
] as const) {
  if (!title.includes(process.argv[2] ?? "")) continue
  const calls = names.map((name) => calling(name, size, stream))
  for (const call of calls) cost(call, times * 2)
  const figures = Array.from({ length: rounds }, () => calls.map((call) => cost(call, times)))
  const cells = names.map((_, at) => {
    const own = median(figures.map((round) => round[at] ?? Number.NaN))
    const ratio = median(figures.map((round) => (round[at] ?? Number.NaN) / (round[0] ?? Number.NaN)))
    return `${own.toFixed(1)} (${ratio.toFixed(2)})`.padStart(18)
  })
  console.log(`  ${title.padEnd(24)}${cells.join("")}`)
}
