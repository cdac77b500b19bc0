/**
 * Recorded exchanges of real providers: looked for in the folder that SWITCHYARD_RECORDINGS names, and not needed.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import type { JsonObject } from "@switchyard/core/Json"

const folder = process.env.SWITCHYARD_RECORDINGS

/** Whether the recordings are there; whoever skips says so in the name of the suite. */
export const hasRecordings = folder !== undefined && existsSync(folder)

/** What a skipped suite says. */
export const whySkipped = hasRecordings ? "" : " (skipped: SWITCHYARD_RECORDINGS names no folder)"

/** One exchange. */
export interface Exchange {
  readonly provider: string
  readonly path: string
  readonly status: number
  readonly request: JsonObject
  /** A whole answer. */
  readonly json?: JsonObject | undefined
  /** The events of a streamed one. */
  readonly events?: ReadonlyArray<JsonObject> | undefined
  /** The names of its events, where they have any. */
  readonly names?: ReadonlyArray<string | undefined> | undefined
  readonly base64?: string | undefined
}

interface Line {
  readonly path: string
  readonly status: number
  readonly request: JsonObject
  readonly json?: JsonObject
  readonly text?: string
  readonly base64?: string
}

interface Event {
  readonly name: string | undefined
  readonly json: JsonObject
}

const eventsOf = (text: string): ReadonlyArray<Event> =>
  text.split(/\r?\n\r?\n/).flatMap((block) => {
    const lines = block.split(/\r?\n/)
    const data = lines.flatMap((line) => (line.startsWith("data:") ? [line.slice(5).trim()] : [])).join("\n")
    const name = lines
      .find((line) => line.startsWith("event:"))
      ?.slice(6)
      .trim()
    return data === "" || data === "[DONE]" ? [] : [{ name, json: JSON.parse(data) as JsonObject }]
  })

/** The exchanges with a provider whose path has the form. */
export const exchanges = (provider: string, path: RegExp): ReadonlyArray<Exchange> => {
  if (folder === undefined || !existsSync(join(folder, `${provider}.jsonl`))) return []
  return readFileSync(join(folder, `${provider}.jsonl`), "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Line)
    .filter((line) => path.test(line.path))
    .map(({ text, ...line }) => {
      const events = text === undefined ? undefined : eventsOf(text)
      const told = events && { events: events.map(({ json }) => json), names: events.map(({ name }) => name) }
      return { provider, ...line, ...told }
    })
}

/** A stream or a whole answer, by its file. */
export interface Recorded {
  readonly file: string
  readonly json?: JsonObject
  readonly events?: ReadonlyArray<JsonObject>
}

/** The streams and whole answers of a provider. */
export const streams = (provider: string): ReadonlyArray<Recorded> => {
  const path = folder === undefined ? "" : join(folder, "streams", provider)
  if (folder === undefined || !existsSync(path)) return []
  return readdirSync(path).map((file) => {
    const text = readFileSync(join(path, file), "utf8")
    if (file.endsWith(".json")) return { file, json: JSON.parse(text) as JsonObject }
    const events = text.split("\n").flatMap((line) => (line.trim() === "" ? [] : [JSON.parse(line) as JsonObject]))
    return { file, events }
  })
}
