/**
 * Stand-ins: what a tree holds in place of a value that was too large to be read. A stand-in is a text, the beginning of the
 * long text that it stands for, and says at its end where that stands in the bytes, how long it is and what its digest is.
 * So whoever reads beginnings, lengths or equality reads them right, and the value itself goes on as the bytes that came.
 * Nobody outside this process can write one.
 */
import type * as Crypto from "node:crypto"
import * as Builtin from "../shared/Builtin.js"

/** What a stand-in says of the value that it stands for. */
export interface Facts {
  /** The value's place in the bytes that were read. */
  readonly start: number
  readonly end: number
  /** UTF-16 code units of a text; 0 for numbers. */
  readonly characters: number
  /** How many numbers in a row; 0 for anything else. */
  readonly numbers: number
  /** SHA-256 of the value as it was written. */
  readonly digest: string
}

/** Characters of a long text that its stand-in begins with, about. */
export const headLength = 4096

/** Node loads all of its Web Crypto for the first of these, which its own module does not need. */
const randomBytes = (count: number): Uint8Array =>
  Builtin.find<typeof Crypto>("node:crypto")?.randomBytes(count) ?? crypto.getRandomValues(new Uint8Array(count))

/** A text that nobody outside this process can write. */
export const randomMark = (): string =>
  `<${Array.from(randomBytes(16), (byte) => byte.toString(16).padStart(2, "0")).join("")}>`

/** A secret of this process. */
const mark = randomMark()

/** A text that stands for a value. */
export const make = (head: string, { characters, digest, end, numbers, start }: Facts): string =>
  `${head}${mark}${start},${end},${characters},${numbers},${digest}${mark}`

/** No stand-in is shorter. */
export const shortest = 2 * mark.length

/** Whether JSON holds a stand-in. */
export const isIn = (json: string): boolean => json.includes(mark)

/** What a text says of the value that it stands for; undefined for every other text. */
export const factsOf = (text: string): Facts | undefined => {
  if (!text.endsWith(mark)) return undefined
  const from = text.indexOf(mark) + mark.length
  const [start, end, characters, numbers, digest = ""] = text.slice(from, -mark.length).split(",")
  return { start: Number(start), end: Number(end), characters: Number(characters), numbers: Number(numbers), digest }
}

/** How many numbers in a row a text stands for; 0 for every other text. */
export const numbersOf = (text: string): number =>
  text.length < shortest || !text.endsWith(mark) ? 0 : (factsOf(text)?.numbers ?? 0)

/** A text as it may be shown: a stand-in's beginning, any other text whole. */
export const shown = (text: string): string => (text.endsWith(mark) ? `${text.slice(0, text.indexOf(mark))}…` : text)

/** Where the string begins that `at` lies in: every quote inside it is escaped. */
const openingOf = (json: string, at: number): number => {
  let open = at
  for (;;) {
    open = json.lastIndexOf('"', open - 1)
    let slashes = 0
    while (json[open - 1 - slashes] === "\\") slashes++
    if (slashes % 2 === 0) return open
  }
}

/** JSON in pieces, with the values in place of their stand-ins. `source` is what was read. */
export const spliced = (json: string, source: Uint8Array): ReadonlyArray<string | Uint8Array> => {
  const pieces: Array<string | Uint8Array> = []
  let from = 0
  for (let at = json.indexOf(mark); at !== -1; at = json.indexOf(mark, from)) {
    const close = json.indexOf(mark, at + mark.length) + mark.length
    const facts = factsOf(json.slice(at, close))
    if (facts === undefined) break
    pieces.push(json.slice(from, openingOf(json, at)), source.subarray(facts.start, facts.end))
    from = close + 1
  }
  pieces.push(json.slice(from))
  return pieces
}

const utf8 = new TextDecoder()

/**
 * A tree with the values themselves in place of their stand-ins, for who writes it anew; the same tree where there are none, and the
 * same branches. `source` is what was read.
 */
export const restored = (value: unknown, source: Uint8Array): unknown => {
  if (typeof value === "string") {
    const facts = value.length < shortest ? undefined : factsOf(value)
    return facts === undefined ? value : (JSON.parse(utf8.decode(source.subarray(facts.start, facts.end))) as unknown)
  }
  if (typeof value !== "object" || value === null) return value
  let copy: Record<string, unknown> | Array<unknown> | undefined
  for (const [name, inner] of Object.entries(value as Record<string, unknown>)) {
    const whole = restored(inner, source)
    if (whole === inner) continue
    copy ??= Array.isArray(value) ? [...(value as ReadonlyArray<unknown>)] : { ...(value as Record<string, unknown>) }
    ;(copy as Record<string, unknown>)[name] = whole
  }
  return copy ?? value
}
