/**
 * Ids exchanged for others inside of JSON: in a text without writing it anew, and in a tree without touching what holds none.
 */
import type { Members } from "@switchyard/core/ExactJson"
import type { JsonObject } from "@switchyard/core/Json"

/** What stands in place of what. */
export type Exchanges = ReadonlyMap<string, string>

const special = /[.*+?^${}()|[\]\\]/g

/** Matches an id as a whole string that is a value: no part of a longer text, and no field's name. */
const valueOf = (id: string): RegExp =>
  new RegExp(`(?<=[:,[\\s])${JSON.stringify(id).replace(special, "\\$&")}(?!\\s*:)`, "g")

/** A JSON text with ids exchanged where they are whole values. All else stays as it was written. */
export const inText = (text: string, exchanges: Exchanges): string => {
  let written = text
  for (const [from, to] of exchanges) {
    if (written.includes(from)) written = written.replace(valueOf(from), () => JSON.stringify(to))
  }
  return written
}

const isOpening = (byte: number | undefined): boolean =>
  byte === 0x3a || byte === 0x2c || byte === 0x5b || (byte !== undefined && byte <= 0x20)

/** The same of a large text in its bytes. */
export const inBytes = (bytes: Uint8Array, exchanges: Exchanges): Uint8Array => {
  let written: Buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  for (const [from, to] of exchanges) {
    const quoted = Buffer.from(JSON.stringify(from))
    const pieces: Array<Buffer> = []
    let start = 0
    for (let at = written.indexOf(quoted); at !== -1; at = written.indexOf(quoted, at + quoted.length)) {
      if (!isOpening(written[at - 1])) continue
      pieces.push(written.subarray(start, at), Buffer.from(JSON.stringify(to)))
      start = at + quoted.length
    }
    if (pieces.length > 0) written = Buffer.concat([...pieces, written.subarray(start)])
  }
  return written
}

const inValue = (value: unknown, exchanges: Exchanges): unknown => {
  if (typeof value === "string") return exchanges.get(value) ?? value
  if (typeof value !== "object" || value === null) return value
  let copy: Record<string, unknown> | Array<unknown> | undefined
  for (const [name, inner] of Object.entries(value as Record<string, unknown>)) {
    const next = inValue(inner, exchanges)
    if (next === inner) continue
    copy ??= Array.isArray(value) ? [...(value as ReadonlyArray<unknown>)] : { ...(value as Record<string, unknown>) }
    ;(copy as Record<string, unknown>)[name] = next
  }
  return copy ?? value
}

/** A tree with ids exchanged; the same where none is in it. A body is only as deep as the gateway reads. */
export const inTree = (tree: JsonObject, exchanges: Exchanges): JsonObject => inValue(tree, exchanges) as JsonObject

/** Members as they were written, of a body in which ids were exchanged: the numbers in them go on as they were. */
export const inMembers = (members: Members, body: JsonObject, exchanges: Exchanges): Members =>
  new Map(
    [...members].map(([name, member]) => [
      name,
      "text" in member && body[name] !== member.value
        ? { value: body[name], text: inText(`:${member.text}`, exchanges).slice(1) }
        : member
    ])
  )
