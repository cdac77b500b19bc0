/**
 * Reads JSON piece by piece as its bytes arrive, as strictly as `JSON.parse`, and stops at bounds on depth and counts. It
 * makes a tree of what is small: long texts, long rows of numbers and objects of very many fields are checked and left in
 * the bytes, with a stand-in in the tree. So neither the time of a turn nor memory grows with more than the bytes.
 */
import { digestOf, type RawMember } from "./ExactJson.js"
import type { JsonObject } from "./Json.js"
import {
  escapes,
  headEnd,
  isDigit,
  isHex,
  isSpace,
  nameAt,
  nextPart,
  Part,
  plain,
  State,
  setField,
  whole,
  words
} from "./jsonBytes.js"
import * as StandIn from "./StandIn.js"

/** What a reader puts up with. */
export interface Bounds {
  /** Objects and lists in each other. */
  readonly maxDepth: number
  /** Texts, numbers, words, objects and lists, but for those in long rows of numbers where these are counted apart. */
  readonly maxValues: number
  /** Numbers in long rows. */
  readonly maxNumbers: number
  /** Fields of the root. */
  readonly maxFields: number
  /** Different names of fields: each makes whatever reads an object slower. */
  readonly maxNames: number
  /** Fields of the root in which long rows of numbers are counted apart; undefined for all. */
  readonly numbersIn?: ReadonlySet<string>
  /** What gets a stand-in: whatever is large (default), nothing but long rows of numbers, or nothing. */
  readonly standIns?: "rows" | "none"
  /** Whether the last of two fields of one name counts, and a number may be infinite, as for `JSON.parse`. Default false. */
  readonly isLenient?: boolean
}

/** Why a text was not read to its end. */
export type Problem =
  | { readonly _tag: "syntax"; readonly at: number }
  | { readonly _tag: "notObject" }
  | { readonly _tag: "tooDeep" | "tooManyValues" | "tooManyNumbers" | "tooManyFields" | "tooManyNames" }
  | { readonly _tag: "duplicate"; readonly name: string }
  /** A number that no reader can hold. */
  | { readonly _tag: "infinite"; readonly name: string }

/** What was read. */
export interface ReadJson {
  readonly json: JsonObject
  readonly members: ReadonlyMap<string, RawMember>
}

/** Bytes from which a text gets a stand-in. */
const longText = 16 * 1024
/** Numbers in a row from which they get one. */
const longRow = 64
/** Fields from which an object gets one; what is read by name has fewer. */
const wideObject = 1024
/** Bytes of a number that may be too large for anybody, whatever its exponent. */
const longNumber = 200

type Container = Record<string, unknown> | Array<unknown>

/** The reader of one text. */
export class JsonReader {
  private state: number = State.value
  private at = 0
  /** Where the text, number or word under way begins. */
  private start = 0
  private stack: Array<Container> = []
  private fields: Array<string> = []
  /** Whether each open container is an object. */
  private isObject: Array<boolean> = []
  private counts: Array<number> = []
  private starts: Array<number> = []
  private depth = 0
  /** The depth of an object that is left in the bytes; 0 for none. */
  private skipped = 0
  // The text under way.
  private isAscii = true
  private hasEscapes = false
  /** Bytes that it has more than characters. */
  private shorter = 0
  /** Of an escape under way: 5 after the backslash, then as many hex digits as are to come. */
  private escape = 0
  // The number under way.
  private part = 0
  private exponentDigits = 0
  // The word under way.
  private word: readonly [text: string, value: boolean | null] = ["", null]
  // Numbers in a row, in a list.
  private row = 0
  private rowStart = 0
  private rowEnd = 0

  private values = 0
  private numbers = 0
  private root: Record<string, unknown> | undefined
  private readonly members = new Map<string, RawMember>()
  private name = ""
  private readonly seen = new Set<string>()
  private memberStart = 0
  private isApart: boolean
  private hasStandIn = false
  private hasLongNumber = false
  private problem: Problem | undefined

  private readonly longText: number
  private readonly longRow: number
  private readonly wideObject: number

  constructor(private readonly bounds: Bounds) {
    const { standIns } = bounds
    this.longText = standIns === undefined ? longText : Number.POSITIVE_INFINITY
    this.wideObject = standIns === undefined ? wideObject : Number.POSITIVE_INFINITY
    this.longRow = standIns === "none" ? Number.POSITIVE_INFINITY : longRow
    this.isApart = bounds.numbersIn === undefined
  }

  /** Values that the tree holds so far. */
  get size(): number {
    return this.values
  }

  /** How far it has read. */
  get position(): number {
    return this.at
  }

  /**
   * Reads on, up to `end` or until about `most` values were met (in rows of numbers only their bytes count); `bytes` begin where the text begins. What was read of them
   * must stay.
   */
  read(bytes: Buffer, end: number, most = Number.POSITIVE_INFINITY): Problem | undefined {
    const limit = this.values + most
    while (this.problem === undefined && this.at < end && this.values < limit) {
      switch (this.state) {
        case State.text:
        case State.name:
          this.readText(bytes, end)
          break
        case State.number:
          this.readNumber(bytes, end)
          break
        case State.word:
          this.readWord(bytes, end)
          break
        default:
          this.step(bytes, bytes[this.at] ?? 0)
      }
    }
    return this.problem
  }

  /** What was read; `bytes` are the whole text. */
  end(bytes: Buffer): ReadJson | Problem {
    if (this.problem !== undefined) return this.problem
    if (this.state === State.number && this.depth === 0 && whole[this.part] === true) return { _tag: "notObject" }
    if (this.state !== State.end) return { _tag: "syntax", at: this.at }
    if (this.root === undefined) return { _tag: "notObject" }
    const members = new Map<string, RawMember>()
    for (const [name, member] of this.members) {
      members.set(name, { ...member, bytes: bytes.subarray(member.start, member.end), source: bytes })
    }
    return { json: this.root, members }
  }

  private fail(problem: Problem): void {
    this.problem = problem
  }

  private bad(): void {
    this.fail({ _tag: "syntax", at: this.at })
  }

  private step(bytes: Buffer, byte: number): void {
    if (isSpace(byte)) {
      this.at++
      return
    }
    switch (this.state) {
      case State.valueOrClose:
        if (byte === 0x5d) return this.close(bytes, false)
        return this.begin(bytes, byte)
      case State.value:
        return this.begin(bytes, byte)
      case State.keyOrClose:
        if (byte === 0x7d) return this.close(bytes, true)
        return this.beginName(byte)
      case State.key:
        return this.beginName(byte)
      case State.colon:
        if (byte !== 0x3a) return this.bad()
        this.at++
        this.state = State.value
        return
      case State.after:
        if (byte === 0x2c) {
          this.at++
          this.state = this.isObject[this.depth] === true ? State.key : State.value
          return
        }
        if (byte === 0x5d) return this.close(bytes, false)
        if (byte === 0x7d) return this.close(bytes, true)
        return this.bad()
      default:
        return this.bad()
    }
  }

  private beginName(byte: number): void {
    if (byte !== 0x22) return this.bad()
    this.beginText(State.name)
  }

  private beginText(state: number): void {
    this.state = state
    this.start = this.at++
    this.isAscii = true
    this.hasEscapes = false
    this.shorter = 0
    this.escape = 0
  }

  private begin(bytes: Buffer, byte: number): void {
    if (byte === 0x2d || isDigit(byte)) return this.beginNumber(byte)
    this.endRow(bytes)
    if (this.depth === 1) this.memberStart = this.at
    if (byte === 0x22) return this.beginText(State.text)
    if (byte === 0x7b || byte === 0x5b) return this.open(byte === 0x7b)
    const word = words.get(byte)
    if (word === undefined) return this.bad()
    this.state = State.word
    this.start = this.at++
    this.word = word
  }

  private beginNumber(byte: number): void {
    if (this.depth === 1) this.memberStart = this.at
    this.state = State.number
    this.start = this.at++
    this.part = byte === 0x2d ? Part.sign : byte === 0x30 ? Part.zero : Part.digits
    this.exponentDigits = 0
  }

  private count(): void {
    if (++this.values > this.bounds.maxValues) this.fail({ _tag: "tooManyValues" })
  }

  private open(isObject: boolean): void {
    this.count()
    if (++this.depth > this.bounds.maxDepth) return this.fail({ _tag: "tooDeep" })
    this.isObject[this.depth] = isObject
    this.counts[this.depth] = 0
    this.starts[this.depth] = this.at++
    this.state = isObject ? State.keyOrClose : State.valueOrClose
    if (this.skipped === 0) this.stack[this.depth] = isObject ? {} : []
  }

  private close(bytes: Buffer, isObject: boolean): void {
    const { depth } = this
    if (depth === 0 || this.isObject[depth] !== isObject) return this.bad()
    this.endRow(bytes)
    this.at++
    this.depth--
    if (depth === this.skipped) {
      this.skipped = 0
      const start = this.starts[depth] ?? 0
      return this.put(this.standIn(bytes, "{", start, this.at, this.at - start, 0))
    }
    if (this.skipped > 0) {
      this.state = State.after
      return
    }
    if (depth > 1) return this.put(this.stack[depth])
    this.state = State.end
    const root = this.stack[depth]
    if (root !== undefined && !Array.isArray(root)) this.root = root
  }

  private standIn(
    bytes: Buffer,
    head: string,
    start: number,
    end: number,
    characters: number,
    numbers: number
  ): string {
    this.hasStandIn = true
    const digest = digestOf(bytes.subarray(start, end))
    return StandIn.make(head, { start, end, characters, numbers, digest })
  }

  /** A value is complete. */
  private put(value: unknown): void {
    this.state = this.depth === 0 ? State.end : State.after
    if (this.skipped > 0 || this.depth === 0) return
    const parent = this.stack[this.depth]
    if (Array.isArray(parent)) {
      parent.push(value)
      return
    }
    if (parent === undefined) return
    setField(parent, this.fields[this.depth] ?? "", value)
    if (this.depth === 1) this.endMember(value)
  }

  private endMember(value: unknown): void {
    const { at: end, hasLongNumber, hasStandIn, memberStart: start, name } = this
    const nothing = new Uint8Array(0)
    this.members.set(name, { value, bytes: nothing, source: nothing, start, end, hasStandIn, hasLongNumber })
    this.hasStandIn = false
    this.hasLongNumber = false
  }

  private readText(bytes: Buffer, end: number): void {
    let { at } = this
    while (at < end) {
      const byte = bytes[at] ?? 0
      if (this.escape > 0) {
        at++
        if (this.escape === 5) {
          if (byte === 0x75) this.escape = 4
          else if (escapes[byte] === 1) this.escape = 0
          else this.bad()
          this.shorter++
        } else if (isHex(byte)) {
          this.escape--
          this.shorter++
        } else this.bad()
        if (this.problem !== undefined) break
      } else if (plain[byte] === 1) {
        do at++
        while (at < end && plain[bytes[at] ?? 0] === 1)
      } else if (byte === 0x22) {
        this.at = at + 1
        return this.endText(bytes)
      } else if (byte === 0x5c) {
        this.hasEscapes = true
        if (at + 1 < end && escapes[bytes[at + 1] ?? 0] === 1) {
          this.shorter++
          at += 2
        } else {
          this.escape = 5
          at++
        }
      } else if (byte < 0x20) {
        this.at = at
        return this.bad()
      } else {
        this.isAscii = false
        if (byte < 0xc0) this.shorter++
        else if (byte >= 0xf0) this.shorter--
        at++
      }
    }
    this.at = at
  }

  private text(bytes: Buffer, end = this.at - 1): string {
    const from = this.start + 1
    if (this.hasEscapes) return JSON.parse(`"${bytes.toString("utf8", from, end)}"`) as string
    return this.isAscii ? bytes.toString("latin1", from, end) : bytes.toString("utf8", from, end)
  }

  private endText(bytes: Buffer): void {
    if (this.state === State.name) return this.endName(bytes)
    this.count()
    if (this.skipped > 0) {
      this.state = State.after
      return
    }
    const { at, shorter, start } = this
    if (at - start < this.longText) return this.put(this.text(bytes))
    const head = this.text(bytes, headEnd(bytes, start + 1))
    this.put(this.standIn(bytes, head, start, at, at - start - 2 - shorter, 0))
  }

  private endName(bytes: Buffer): void {
    this.state = State.colon
    const { depth } = this
    const count = (this.counts[depth] ?? 0) + 1
    this.counts[depth] = count
    if (this.skipped > 0) return
    if (depth > 1 && count > this.wideObject) {
      this.skipped = depth
      return
    }
    const { seen } = this
    const isPlain = this.isAscii && !this.hasEscapes
    const name = isPlain ? nameAt(bytes, this.start + 1, this.at - 1, seen) : this.text(bytes)
    if (!isPlain) seen.add(name)
    if (seen.size > this.bounds.maxNames) return this.fail({ _tag: "tooManyNames" })
    this.fields[depth] = name
    if (depth > 1) return
    if (this.members.has(name) && this.bounds.isLenient !== true) return this.fail({ _tag: "duplicate", name })
    if (count > this.bounds.maxFields) return this.fail({ _tag: "tooManyFields" })
    this.name = name
    this.isApart = this.bounds.numbersIn === undefined || this.bounds.numbersIn.has(name)
  }

  private readWord(bytes: Buffer, end: number): void {
    const [text, value] = this.word
    while (this.at < end) {
      if (bytes[this.at] !== text.charCodeAt(this.at - this.start)) return this.bad()
      if (++this.at - this.start === text.length) {
        this.count()
        return this.put(value)
      }
    }
  }

  private readNumber(bytes: Buffer, end: number): void {
    while (this.at < end) {
      const next = nextPart(this.part, bytes[this.at] ?? 0)
      if (next === -1) {
        if (whole[this.part] !== true || isDigit(bytes[this.at] ?? 0)) return this.bad()
        return this.endNumber(bytes)
      }
      if (next === Part.exponent) this.exponentDigits++
      this.part = next
      this.at++
    }
  }

  private endNumber(bytes: Buffer): void {
    const { at, start } = this
    if (at - start >= 16) this.hasLongNumber = true
    const isRisky = at - start > longNumber || this.exponentDigits > 2
    if (isRisky && this.bounds.isLenient !== true && !Number.isFinite(Number(bytes.toString("latin1", start, at)))) {
      return this.fail({ _tag: "infinite", name: this.name })
    }
    if (this.skipped === 0 && this.depth > 0 && this.isObject[this.depth] === false) {
      if (this.row++ === 0) this.rowStart = start
      this.rowEnd = at
      this.state = State.after
      if (this.isApart) {
        if (this.numbers + this.row > this.bounds.maxNumbers) this.fail({ _tag: "tooManyNumbers" })
      } else if (this.values + this.row > this.bounds.maxValues) this.fail({ _tag: "tooManyValues" })
      return
    }
    this.count()
    this.put(this.skipped > 0 ? 0 : Number(bytes.toString("latin1", start, at)))
  }

  /** A list's numbers in a row are over. */
  private endRow(bytes: Buffer): void {
    const { row, rowEnd, rowStart } = this
    if (row === 0) return
    this.row = 0
    const list = this.stack[this.depth]
    if (!Array.isArray(list)) return
    if (row >= this.longRow) {
      if (this.isApart) this.numbers += row
      else this.values += row
      list.push(this.standIn(bytes, "", rowStart, rowEnd, 0, row))
      return
    }
    this.values += row
    if (this.values > this.bounds.maxValues) this.fail({ _tag: "tooManyValues" })
    for (const number of JSON.parse(`[${bytes.toString("latin1", rowStart, rowEnd)}]`) as ReadonlyArray<number>)
      list.push(number)
  }
}
