/**
 * Long members of a request's body, which go on as the bytes that they came as. What is long in a body is the prompt, which
 * nobody changes: to write it again, and to encode what was written, is most of what a long request costs (of 64 KiB about
 * 100 µs and two copies, where this takes 25 µs and one).
 */
import { fieldsIn, type Member, type Members } from "./ExactJson.js"
import type { JsonObject } from "./Json.js"
import type { LongTexts } from "./LongTexts.js"

/** Characters of a body from which its members are worth a look. */
export const leastBody = 4096

/** Bytes of a member from which it goes on as it came. */
const leastMember = 1024

const quote = 0x22
const backslash = 0x5c
const comma = 0x2c
const colon = 0x3a

/** A member's name and its value, as places in the text; the name's with its quotes. */
interface Place {
  readonly name: number
  readonly nameEnd: number
  readonly start: number
  readonly end: number
  /** Fields of all objects in the value, those of one name counted each. */
  readonly fields: number
}

const afterString = (text: string, from: number): number => {
  let end = from
  for (;;) {
    end = text.indexOf('"', end + 1)
    let slashes = 0
    while (text.charCodeAt(end - 1 - slashes) === backslash) slashes++
    if (slashes % 2 === 0) return end + 1
  }
}

/** Where the members of an object stand, those that are named twice included. */
export interface Places {
  readonly all: ReadonlyArray<Place>
  /** Objects and lists in each other, as they are written. */
  readonly depth: number
}

/** Where the members of an object stand. `text` is a valid JSON object. */
export const placesOf = (text: string): Places => {
  const all: Array<Place> = []
  let depth = 0
  let deepest = 0
  let name = -1
  let nameEnd = 0
  let start = 0
  let fields = 0
  const close = (end: number): void => {
    if (name !== -1) all.push({ name, nameEnd, start, end, fields })
    name = -1
    fields = 0
  }
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === quote) {
      const end = afterString(text, at)
      if (depth === 1 && name === -1) {
        name = at
        nameEnd = end
        start = text.indexOf(":", end) + 1
        at = start - 1
      } else at = end - 1
    } else if (code === 0x7b || code === 0x5b) {
      if (++depth > deepest) deepest = depth
    } else if (code === 0x7d || code === 0x5d) {
      if (depth === 1) close(at)
      depth--
    } else if (code === comma && depth === 1) close(at)
    else if (code === colon) fields++
  }
  return { all, depth: deepest }
}

/** Where a place of a text is in the bytes that it was decoded from; places are asked for in their order. */
const placesIn = (bytes: Uint8Array, text: string): ((place: number) => number) => {
  if (text.length === bytes.length) return (place) => place
  let seen = 0
  let byte = 0
  return (place) => {
    byte += Buffer.byteLength(text.slice(seen, place))
    seen = place
    return byte
  }
}

/**
 * Adds the long members to those that go on as they were written anyway. `bytes` is what `text` was decoded from, or what it is
 * when its `long` texts are in their places, and `parsed` what it parses to; no name may stand twice at its root. A member in which
 * one does is written anew: a provider that reads the first of the two would be asked for something else than was read here.
 */
export const withLong = (
  bytes: Uint8Array,
  text: string,
  { all }: Places,
  parsed: JsonObject,
  exact: Members | undefined,
  long?: LongTexts
): Members | undefined => {
  let members: Map<string, Member> | undefined
  const byteAt = long === undefined ? placesIn(bytes, text) : (place: number) => long.byteAt(place)
  for (const place of all) {
    const start = byteAt(place.start)
    const end = byteAt(place.end)
    if (end - start < leastMember) continue
    const name = JSON.parse(text.slice(place.name, place.nameEnd)) as string
    if (exact?.has(name) === true || place.fields !== fieldsIn(parsed[name])) continue
    members ??= new Map(exact)
    members.set(name, {
      value: parsed[name],
      bytes: bytes.subarray(start, end),
      source: bytes,
      start,
      end,
      hasStandIn: false,
      isAmbiguous: false
    })
  }
  return members ?? exact
}
