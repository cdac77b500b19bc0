/**
 * JSON without its long texts: the parser reads what is left, and each text stays in its bytes until somebody asks for it.
 */
import { isAscii, textOf } from "./BytesText.js"
import type { Members } from "./ExactJson.js"
import type { JsonObject } from "./Json.js"
import { type Found, longTextsIn } from "./longTextScan.js"
import { randomMark } from "./StandIn.js"
import { put, UnreadText } from "./UnreadText.js"

/** Bytes from which a text is left out. */
export const leastText = 4096

/** Stands for a text until it is in its place; nobody outside this process can write one. */
const mark = randomMark()
const first = 100
const markLength = mark.length + String(first).length

/** JSON whose long texts are left out. */
export class LongTexts {
  /** What is left, with a mark in the place of each text. */
  readonly text: string
  /** Where the mark of each text ends. */
  private readonly ends: Array<number> = []
  private readonly isAscii: boolean
  private next = 0
  private seen = 0
  private byte = 0

  constructor(
    private readonly bytes: Buffer,
    private readonly found: ReadonlyArray<Found>,
    isPlain: boolean
  ) {
    this.isAscii = isPlain
    let text = ""
    let at = 0
    for (const { end, start } of found) {
      text += `${this.between(at, start)}${mark}${first + this.ends.length}`
      this.ends.push(text.length)
      at = end
    }
    this.text = text + this.between(at, bytes.length)
  }

  /** Where a place between texts is in the bytes; places are asked for in their order. */
  byteAt(place: number): number {
    const { ends, found, text } = this
    for (let end = ends[this.next]; end !== undefined && end <= place; end = ends[this.next]) {
      this.byte = found[this.next]?.end ?? 0
      this.seen = end
      this.next++
    }
    this.byte += this.isAscii ? place - this.seen : Buffer.byteLength(text.slice(this.seen, place))
    this.seen = place
    return this.byte
  }

  /** Whether one of them stands in what is kept of members as it was written. */
  isIn(members: Members | undefined): boolean {
    if (members === undefined) return false
    for (const member of members.values()) if ("text" in member && member.text.includes(mark)) return true
    return false
  }

  /**
   * Puts all of them into what was parsed of the rest, those in lists and at the root as texts. False where one has no place: it was a
   * name, or the value of a name that stands twice.
   */
  putInto(root: JsonObject): boolean {
    let count = 0
    const left: Array<object> = [root]
    for (let parent = left.pop(); parent !== undefined; parent = left.pop()) {
      for (const name in parent) {
        const child = (parent as JsonObject)[name]
        if (typeof child === "object") {
          if (child !== null) left.push(child)
        } else if (typeof child === "string" && child.length === markLength && child.startsWith(mark)) {
          const found = this.found[Number(child.slice(mark.length)) - first]
          if (found === undefined) return false
          count++
          const text = new UnreadText(this.bytes, found.start, found.end, found.characters)
          if (parent === root || Array.isArray(parent)) (parent as Record<string, unknown>)[name] = text.text
          else put(parent, name, text)
        }
      }
    }
    return count === this.found.length
  }

  private between(from: number, to: number): string {
    return this.isAscii ? this.bytes.toString("latin1", from, to) : textOf(this.bytes.subarray(from, to))
  }
}

const quote = 0x22
const backslash = 0x5c
/** Bytes without a quote that only a long text has. */
const leastGap = 1024

/**
 * Whether some byte of every 4,096 may lie in a long text: no quote follows soon, or one that is escaped. To look at all of 64 KiB of short messages
 * takes 14 µs, and this 2; a text of less than 8,192 bytes may be missed, and is then read.
 */
const mayHold = (bytes: Buffer): boolean => {
  for (let at = 0; at < bytes.length; at += leastText) {
    const next = bytes.indexOf(quote, at)
    if (next === -1) return false
    if (next - at >= leastGap || bytes[next - 1] === backslash) return true
  }
  return false
}

/** The long texts of JSON in UTF-8; undefined where there are none, or nothing that can find them. */
export const longTextsOf = (bytes: Buffer): LongTexts | undefined => {
  if (bytes.length < leastText || !mayHold(bytes)) return undefined
  const isPlain = isAscii(bytes)
  const found = longTextsIn(bytes, leastText, isPlain)
  return found.length === 0 ? undefined : new LongTexts(bytes, found, isPlain)
}
