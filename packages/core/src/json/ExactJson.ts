/**
 * JSON objects whose numbers go on as they were written. `JSON.parse` rounds integers beyond 2^53 and forgets that `1.0` had a
 * point; most payloads hold neither, and pay one look at their text.
 */
import type * as Crypto from "node:crypto"
import * as Builtin from "../shared/Builtin.js"
import type { JsonObject } from "./Json.js"
import * as StandIn from "./StandIn.js"
import * as UnreadText from "./UnreadText.js"

const crypto = Builtin.find<typeof Crypto>("node:crypto")

/** A member of an object, and its value as it was written. */
export interface WrittenMember {
  /** What the text was parsed to: where that was replaced, the text is of no more use. */
  readonly value: unknown
  readonly text: string
}

/** A member of a large object, whose value stays in the bytes in which it came. */
export interface RawMember {
  /** What was read of it, with stand-ins for what is long. */
  readonly value: unknown
  /** The value as it was written. */
  readonly bytes: Uint8Array
  /** All that was read, which is what stand-ins speak of. */
  readonly source: Uint8Array
  readonly start: number
  readonly end: number
  readonly hasStandIn: boolean
  /** Whether what was read may say less than the bytes: of a number with many digits, or of a name that stands twice. */
  readonly isAmbiguous: boolean
}

/** A member of an object, and its value as it was written. */
export type Member = WrittenMember | RawMember

/** The members of an object that hold a number which parsing changes, or all those of a large one, by name. */
export type Members = ReadonlyMap<string, Member>

/** Numbers that may change, and some that only look like them. */
const suspicious = /[\d.]{16}|\d\.\d*0(?!\d)|\d[eE][+-]?\d|-0(?![.\d])/

const quote = 0x22
const backslash = 0x5c
const isOpening = (code: number): boolean => code === 0x7b || code === 0x5b
const isClosing = (code: number): boolean => code === 0x7d || code === 0x5d
const isNumberStart = (code: number): boolean => code === 0x2d || (code >= 0x30 && code <= 0x39)

const numeral = /-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/y

/** The end of the string that begins at `from`. */
const afterString = (text: string, from: number): number => {
  let end = from
  for (;;) {
    end = text.indexOf('"', end + 1)
    if (end === -1) return text.length
    let slashes = 0
    while (text.charCodeAt(end - 1 - slashes) === backslash) slashes++
    if (slashes % 2 === 0) return end + 1
  }
}

/** What an object's text holds; of a name that stands twice, which parsing keeps once, both. */
export interface Outline {
  /** Members of the object itself. */
  readonly members: number
  /** Objects and lists in each other. */
  readonly depth: number
}

/** What an object's text holds, as it is written. `text` is a valid JSON object. */
export const outlineOf = (text: string): Outline => {
  let depth = 0
  let deepest = 0
  let members = 0
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === quote) at = afterString(text, at) - 1
    else if (isOpening(code)) {
      if (++depth > deepest) deepest = depth
    } else if (isClosing(code)) depth--
    else if (code === 0x3a && depth === 1) members++
  }
  return { members, depth: deepest }
}

/** The first name that stands twice among an object's members; escapes are no other name. `text` is a valid JSON object. */
export const repeatedName = (text: string): string | undefined => {
  const names = new Set<string>()
  let depth = 0
  let isValue = false
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === quote) {
      const end = afterString(text, at)
      if (depth === 1 && !isValue) {
        const name = JSON.parse(text.slice(at, end)) as string
        if (names.has(name)) return name
        names.add(name)
      }
      at = end - 1
    } else if (isOpening(code)) depth++
    else if (isClosing(code)) depth--
    else if (depth === 1 && code === 0x3a) isValue = true
    else if (depth === 1 && code === 0x2c) isValue = false
  }
  return undefined
}

/** How many fields all objects in a value have together; those of one name in one object are one. */
export const fieldsIn = (root: unknown): number => {
  let count = 0
  const left: Array<unknown> = [root]
  for (let value = left.pop(); value !== undefined; value = left.pop()) {
    if (Array.isArray(value)) {
      for (const child of value) if (typeof child === "object" && child !== null) left.push(child)
    } else if (typeof value === "object" && value !== null) {
      const unread = UnreadText.within(value as JsonObject)
      for (const name in value) {
        count++
        if (unread?.has(name) === true) continue
        const child = (value as JsonObject)[name]
        if (typeof child === "object" && child !== null) left.push(child)
      }
    }
  }
  return count
}

/** Whether one of a text's objects has two fields of one name, of which parsing kept the last. */
export const repeatsName = (text: string, parsed: unknown): boolean => {
  let fields = 0
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === quote) at = afterString(text, at) - 1
    else if (code === 0x3a) fields++
  }
  return fields !== fieldsIn(parsed)
}

/** The shortest text between two strings that holds such a number: `:-0,`. */
const shortest = 4

/** Whether a number may change. Strings are hopped over: a long prompt costs a search for its end. */
const maySuffer = (text: string): boolean => {
  let from = 0
  for (;;) {
    const open = text.indexOf('"', from)
    const end = open === -1 ? text.length : open
    if (end - from >= shortest && suspicious.test(text.slice(from, end))) return true
    if (open === -1) return false
    from = afterString(text, open)
  }
}

/** The members whose numbers change; undefined when there are none. `text` is valid JSON, and `parsed` what it parses to. */
export const membersOf = (text: string, parsed: JsonObject): ReadonlyMap<string, WrittenMember> | undefined => {
  if (!maySuffer(text)) return undefined
  const members = new Map<string, WrittenMember>()
  let depth = 0
  let name: string | undefined
  let start = 0
  let changes = false
  const close = (end: number): void => {
    if (name === undefined) return
    // Of a name that stands twice the last one counts, as for `JSON.parse`.
    if (changes) members.set(name, { value: parsed[name], text: text.slice(start, end).trim() })
    else members.delete(name)
    name = undefined
    changes = false
  }
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === quote) {
      const end = afterString(text, at)
      if (depth === 1 && name === undefined) {
        name = JSON.parse(text.slice(at, end)) as string
        start = text.indexOf(":", end) + 1
        at = start - 1
      } else at = end - 1
    } else if (isOpening(code)) depth++
    else if (isClosing(code)) {
      if (depth === 1) close(at)
      depth--
    } else if (code === 0x2c && depth === 1) close(at)
    else if (isNumberStart(code)) {
      numeral.lastIndex = at
      const found = numeral.exec(text)?.[0] ?? text.charAt(at)
      if (String(Number(found)) !== found) changes = true
      at += found.length - 1
    }
  }
  return members.size === 0 ? undefined : members
}

/** SHA-256 of what was written; of values that stayed in their bytes, and only Node's gateway reads those. */
export const digestOf = (bytes: Uint8Array): string => {
  if (crypto === undefined) throw new Error("bytes are read on Node alone, 20.16 or newer")
  return crypto.createHash("sha256").update(bytes).digest("base64")
}

/** Puts texts and bytes together: a text where all are texts. Texts side by side are encoded as one. */
const joined = (pieces: ReadonlyArray<string | Uint8Array>): string | Uint8Array => {
  const parts: Array<Uint8Array> = []
  let text = ""
  for (const piece of pieces) {
    if (typeof piece === "string") text += piece
    else {
      parts.push(Buffer.from(text), piece)
      text = ""
    }
  }
  if (parts.length === 0) return text
  parts.push(Buffer.from(text))
  return Buffer.concat(parts)
}

/** The object as JSON, its members as they were written where they are what they were: in bytes where it came in them. */
export const stringify = (object: JsonObject, members: Members): string | Uint8Array => {
  const pieces: Array<string | Uint8Array> = []
  let source: Uint8Array | undefined
  for (const member of members.values()) {
    if ("source" in member && member.hasStandIn) {
      source = member.source
      break
    }
  }
  for (const name in object) {
    const value = object[name]
    const known = members.get(name)
    const before = `${pieces.length === 0 ? "{" : ","}${JSON.stringify(name)}:`
    if (known !== undefined && Object.is(known.value, value)) {
      pieces.push(before, "bytes" in known ? known.bytes : known.text)
      continue
    }
    const text: string | undefined = JSON.stringify(value)
    if (text === undefined) continue
    pieces.push(before)
    if (source === undefined || !StandIn.isIn(text)) pieces.push(text)
    else pieces.push(...StandIn.spliced(text, source))
  }
  if (pieces.length === 0) return "{}"
  pieces.push("}")
  return joined(pieces)
}

/** How many places a refusal names. */
const maxNamed = 8

/** The paths of numbers that are too large for any reader (`1e999`), which parsing makes infinite. */
export const infinitePaths = (root: JsonObject): ReadonlyArray<string> => {
  const found: Array<string> = []
  const stack: Array<readonly [string, unknown]> = [["", root]]
  for (let top = stack.pop(); top !== undefined && found.length < maxNamed; top = stack.pop()) {
    const [path, value] = top
    if (typeof value === "number") {
      if (!Number.isFinite(value)) found.push(path)
    } else if (typeof value === "object" && value !== null) {
      const entries = Object.entries(value).reverse()
      for (const [name, child] of entries) {
        if (typeof child === "number" || typeof child === "object")
          stack.push([path === "" ? name : `${path}.${name}`, child])
      }
    }
  }
  return found
}
