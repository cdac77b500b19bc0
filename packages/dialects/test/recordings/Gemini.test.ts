/**
 * Real exchanges with Google, where a folder of them is at hand: `SWITCHYARD_RECORDINGS` names it. Nothing needs it.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { isJsonObject, type JsonObject } from "@switchyard/core/Json"
import { gemini } from "@switchyard/dialects/Gemini"
import { Either } from "effect"
import { describe, expect, it } from "vitest"
import { canonical, folded, reread, said } from "../gemini/reading.js"

const folder = process.env.SWITCHYARD_RECORDINGS
const file = folder === undefined ? "" : join(folder, "google.jsonl")
const isThere = folder !== undefined && existsSync(file)
if (!isThere) console.warn("recordings of Google's are not at hand (SWITCHYARD_RECORDINGS): their tests are skipped")

interface Exchange {
  readonly id: string
  readonly path: string
  readonly request?: JsonObject
  readonly status: number
  readonly json?: JsonObject
  readonly text?: string
}

const exchanges: ReadonlyArray<Exchange> = isThere
  ? readFileSync(file, "utf8")
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line) as Exchange)
  : []
const generated = exchanges.filter(({ path }) => /:(?:stream)?[gG]enerateContent/.test(path))

const eventsIn = (text: string): ReadonlyArray<JsonObject> =>
  text
    .split(/\r?\n/)
    .filter((line) => line.startsWith("data:"))
    .map((line) => JSON.parse(line.slice(5)) as JsonObject)

describe.skipIf(!isThere)("recordings of Google", () => {
  it("every request is read and written back unchanged", () => {
    expect(generated.length).toBeGreaterThan(0)
    for (const { id, request } of generated) {
      if (request === undefined) continue
      const read = Either.getOrThrow(gemini.readRequest(request, { model: "gemini-x", stream: false }))
      const { body, dropped } = Either.getOrThrow(gemini.writeRequest(read, { model: "gemini-x" }))
      expect(canonical(body), id).toEqual(canonical(request))
      expect(dropped, id).toEqual([])
    }
  })

  it("every whole answer is read without loss, and written back unchanged", () => {
    for (const { id, json, status } of generated) {
      if (status !== 200 || json === undefined) continue
      expect(said(json), id).toEqual(reread(json))
      const answer = Either.getOrThrow(gemini.readAnswer(json))
      const written = gemini.writeAnswer(answer, options)
      expect(canonical(written), id).toEqual(canonical(json))
    }
  })

  it("every error is read", () => {
    for (const { id, json, status } of generated) {
      if (status < 400 || json === undefined) continue
      expect(gemini.readError(json), id).toMatchObject({ status })
    }
  })

  it("every stream is read to its end, and says the same when it is written again", () => {
    const streams = generated.flatMap(({ text }) => (text === undefined ? [] : [eventsIn(text)]))
    const chunks = join(folder ?? "", "streams", "google")
    for (const name of existsSync(chunks) ? readdirSync(chunks) : []) {
      if (!name.endsWith(".chunks.txt") || name.includes("live")) continue
      streams.push(
        readFileSync(join(chunks, name), "utf8")
          .split("\n")
          .filter((line) => line !== "")
          .map((line) => JSON.parse(line) as JsonObject)
      )
    }
    expect(streams.length).toBeGreaterThan(0)
    for (const events of streams) {
      const first = folded(events)
      expect(first.ended).toBe(true)
      const written: Array<JsonObject> = []
      const reader = gemini.eventReader()
      const writer = gemini.eventWriter(options)
      for (const event of events) reader.read(event, (step) => writer.write(step, ({ json }) => written.push(json)))
      writer.end(({ json }) => written.push(json))
      const again = folded(written)
      expect(again.answer.choices).toEqual(first.answer.choices)
      expect(again.answer.usage).toEqual(first.answer.usage)
      const texts = events.flatMap(({ candidates }) =>
        (candidates as ReadonlyArray<JsonObject>).flatMap(({ content }) =>
          isJsonObject(content) ? ((content.parts ?? []) as ReadonlyArray<JsonObject>) : []
        )
      )
      const spoken = texts
        .filter(({ thought }) => thought !== true)
        .map(({ text }) => text ?? "")
        .join("")
      expect(first.text).toBe(spoken)
    }
  })
})

const options = {
  id: "id",
  created: 0,
  conversation: { origin: "gemini", model: "gemini-x", stream: false, turns: [], tools: [], settings: {}, extra: {} }
} as const
