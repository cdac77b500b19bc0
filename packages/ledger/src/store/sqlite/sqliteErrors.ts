/** What SQLite's codes mean, in words for people. */
import { LedgerError } from "../../errors/LedgerError.js"

/** SQLite's primary result code of what was thrown; undefined when it has none. */
const codeOf = (thrown: unknown): number | undefined => {
  const { rawCode, errcode, message } = thrown as { rawCode?: unknown; errcode?: unknown; message?: unknown }
  const told = typeof rawCode === "number" ? rawCode : errcode
  if (typeof told === "number") return told & 0xff
  // libsql says it at the end of a sentence where a file can't be opened.
  const written = /: (\d+)"?\)?$/.exec(String(message))?.[1]
  return written === undefined ? undefined : Number(written) & 0xff
}

const causeOf = (thrown: unknown): string => (thrown instanceof Error ? thrown.message : String(thrown))

type Reason = LedgerError["reason"]

const table: ReadonlyMap<number, readonly [Reason, (place: string) => string]> = new Map([
  [3, ["place", (place) => `${place} can't be opened: its rights do not allow it`]],
  [5, ["locked", (place) => `${place} is held by another program for longer than is waited: end that, or try again`]],
  [6, ["locked", (place) => `${place} is held by another program for longer than is waited: end that, or try again`]],
  [8, ["readOnly", (place) => `${place} can only be read: make it and its folder writable for this user`]],
  [10, ["place", (place) => `${place} can't be read or written: the disk reports an error`]],
  [11, ["corrupt", (place) => `${place} is damaged`]],
  [13, ["full", (place) => `No space is left for ${place}: free some`]],
  [14, ["place", (place) => `${place} can't be opened: its folder must be there, and writable for this user`]],
  [19, ["conflict", (place) => `${place} has such an entry already`]],
  [26, ["corrupt", (place) => `${place} is no SQLite database`]]
])

/** What was thrown about a file, as the ledger's error. */
export const of = (thrown: unknown, place: string): LedgerError => {
  if (thrown instanceof LedgerError) return thrown
  const known = table.get(codeOf(thrown) ?? -1)
  return known === undefined
    ? new LedgerError({ reason: "place", description: `${place} did not do what it was asked for: ${causeOf(thrown)}` })
    : new LedgerError({ reason: known[0], description: known[1](place) })
}
