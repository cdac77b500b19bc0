/**
 * Recorded exchanges over Responses, held against readers and writers. They are not a part of the project: SWITCHYARD_RECORDINGS
 * names the folder.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { isJsonObject, type JsonObject } from "@switchyard/core/Json"
import type { Answer } from "@switchyard/dialects/Answer"
import type { OpaquePart, Part } from "@switchyard/dialects/Conversation"
import { responses } from "@switchyard/dialects/Responses"
import { describe, expect, test } from "vitest"
import { eventsOf, folded, optionsFor, rewritten, right, said, stepsOf } from "../responses/fixtures.js"

const folder = process.env["SWITCHYARD_RECORDINGS"]
const isThere = folder !== undefined && existsSync(join(folder, "openai-responses.jsonl"))
if (!isThere) console.warn("recordings of Responses: skipped, SWITCHYARD_RECORDINGS names no folder that has them")

interface Exchange {
  readonly id: string
  readonly path: string
  readonly request: unknown
  readonly status: number
  readonly json?: unknown
  readonly text?: string
}

const exchanges = (): ReadonlyArray<Exchange> =>
  readdirSync(folder ?? "")
    .filter((name) => name.endsWith(".jsonl"))
    .flatMap((name) => readFileSync(join(folder ?? "", name), "utf8").split("\n"))
    .filter((line) => line.includes("/responses"))
    .map((line) => JSON.parse(line) as Exchange)
    .filter(({ path, request }) => path.includes("/responses") && isJsonObject(request))

const parsed = (line: string): ReadonlyArray<JsonObject> => {
  if (line.trim() === "" || line.trim() === "[DONE]") return []
  const value: unknown = JSON.parse(line)
  return isJsonObject(value) ? [value] : []
}

const isWhole = (value: unknown): value is JsonObject => isJsonObject(value) && Array.isArray(value.output)

const files = (end: string): ReadonlyArray<readonly [string, string]> =>
  readdirSync(join(folder ?? "", "streams")).flatMap((provider) =>
    readdirSync(join(folder ?? "", "streams", provider))
      .filter((name) => name.endsWith(end))
      .map((name) => [name, readFileSync(join(folder ?? "", "streams", provider, name), "utf8")] as const)
  )

const bodies = (): ReadonlyArray<readonly [string, JsonObject]> => [
  ...exchanges().flatMap(({ id, json, status }) => (status === 200 && isWhole(json) ? [[id, json] as const] : [])),
  ...files(".json").flatMap(([name, text]) => {
    const body: unknown = JSON.parse(text)
    return isWhole(body) && body.object === "response" ? [[name, body] as const] : []
  })
]

const streams = (): ReadonlyArray<readonly [string, ReadonlyArray<JsonObject>]> => [
  ...exchanges().flatMap(({ id, status, text }) =>
    status === 200 && text !== undefined && text.includes("response.created")
      ? [
          [
            id,
            text
              .split("\n")
              .filter((line) => line.startsWith("data:"))
              .flatMap((line) => parsed(line.slice(5)))
          ] as const
        ]
      : []
  ),
  ...files(".chunks.txt").flatMap(([name, text]) => {
    if (!text.includes('"response.created"')) return []
    // A file may hold several answers, one behind the other.
    const answers: Array<Array<JsonObject>> = []
    for (const event of text.split("\n").flatMap(parsed)) {
      if (event.type === "response.created") answers.push([])
      answers.at(-1)?.push(event)
    }
    return answers.map((events) => [name, events] as const)
  })
]

/** Of a thought that the provider keeps to itself a stream tells nothing. */
const isTold = (part: Part): boolean => part.type !== "reasoning" || part.text !== "" || part.signature !== undefined

/** Some fixtures were shortened by hand, and their deltas say less than their ends. */
const isConsistent = (events: ReadonlyArray<JsonObject>): boolean => {
  let text = ""
  return events.every((event) => {
    if (event.type === "response.output_text.delta") text += String(event.delta)
    if (event.type !== "response.output_text.done") return true
    const isSame = event.text === text
    text = ""
    return isSame
  })
}

const masked = (part: Part): Part => {
  if (part.type === "opaque") return { ...part, value: { ...part.value, fingerprint: "…" } }
  if (part.type !== "reasoning" || part.signature === undefined) return part
  return { ...part, signature: { ...part.signature, value: "…" } }
}

/** Thoughts are encrypted anew for the last event, and some servers give another id with each. */
const unsigned = (answer: Answer): unknown =>
  said({
    ...answer,
    id: "",
    choices: answer.choices.map((choice) => ({
      ...choice,
      parts: choice.parts.filter(isTold).map(masked)
    }))
  })

const byId = (a: OpaquePart, b: OpaquePart): number => String(a.value.id).localeCompare(String(b.value.id))

const ordered = (answer: Answer): unknown =>
  said({
    ...answer,
    choices: answer.choices.map((choice) => ({
      ...choice,
      parts: [
        ...choice.parts.flatMap((part) => (part.type === "opaque" ? [part] : [])).sort(byId),
        ...choice.parts.filter(({ type }) => type !== "opaque")
      ]
    }))
  })

describe.skipIf(!isThere)("recorded Responses", () => {
  test("every request is written as it was read", () => {
    const all = exchanges()
    expect(all.length).toBeGreaterThan(100)
    for (const { id, request } of all) expect(rewritten(request as JsonObject, id), id).toEqual(request)
  })

  test("every whole answer is written as it was read", () => {
    const all = bodies()
    expect(all.length).toBeGreaterThan(100)
    for (const [id, body] of all) {
      expect(responses.writeAnswer(right(responses.readAnswer(body), id), optionsFor()), id).toEqual(body)
    }
  })

  test("every stream says what its whole answer says, and is written as it was read", () => {
    const all = streams()
    expect(all.length).toBeGreaterThan(40)
    for (const [id, events] of all) {
      const steps = stepsOf(events)
      const last = events.at(-1) ?? {}
      const answer = folded(steps)
      if (last.type === "response.completed" || last.type === "response.incomplete") {
        const whole = right(responses.readAnswer(last.response as JsonObject), id)
        // Some servers leave the items out of the last event.
        const { output } = last.response as JsonObject
        if (Array.isArray(output) && output.length > 0 && isConsistent(events))
          expect(unsigned(answer), id).toEqual(unsigned(whole))
      }
      const again = eventsOf(steps).map(({ json }) => json)
      // What was at work at once goes out one by one, as it became ready.
      expect(ordered(folded(stepsOf(again))), id).toEqual(ordered(answer))
      again.forEach((event, at) => {
        expect(event.sequence_number).toBe(at)
      })
    }
  })
})
