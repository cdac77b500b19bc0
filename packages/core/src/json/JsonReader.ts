/**
 * Reads JSON piece by piece as its bytes arrive, as strictly as `JSON.parse`, and stops at bounds on depth and counts. It
 * makes a tree of what is small: long texts, long rows of numbers and objects of very many fields are checked and left in
 * the bytes, with a stand-in in the tree. So neither the time of a turn nor memory grows with more than the bytes.
 */
import type { RawMember } from "./ExactJson.js"
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
  whole,
  words
} from "./jsonBytes.js"
import { type Bounds, JsonTree, type Problem } from "./jsonTree.js"

export type { Bounds, Problem } from "./jsonTree.js"

/** What was read. */
export interface ReadJson {
  readonly json: JsonObject
  readonly members: ReadonlyMap<string, RawMember>
}

/** Bytes of a number that may be too large for anybody, whatever its exponent. */
const longNumber = 200

/** The reader of one text. */
export class JsonReader {
  private state: number = State.value
  private at = 0
  /** Where the text, number or word under way begins. */
  private start = 0
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
  private readonly tree: JsonTree

  constructor(private readonly bounds: Bounds) {
    this.tree = new JsonTree(bounds)
  }

  /** Values that the tree holds so far. */
  get size(): number {
    return this.tree.values
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
    const { tree } = this
    const limit = tree.values + most
    while (tree.problem === undefined && this.at < end && tree.values < limit) {
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
    return tree.problem
  }

  /** What was read; `bytes` are the whole text. */
  end(bytes: Buffer): ReadJson | Problem {
    const { problem, root } = this.tree
    if (problem !== undefined) return problem
    if (this.state === State.number && this.tree.depth === 0 && whole[this.part] === true) return { _tag: "notObject" }
    if (this.state !== State.end) return { _tag: "syntax", at: this.at }
    if (root === undefined) return { _tag: "notObject" }
    const members = new Map<string, RawMember>()
    for (const [name, member] of this.tree.members) {
      members.set(name, { ...member, bytes: bytes.subarray(member.start, member.end), source: bytes })
    }
    return { json: root, members }
  }

  private bad(): void {
    this.tree.fail({ _tag: "syntax", at: this.at })
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
          this.state = this.tree.isInObject ? State.key : State.value
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
    this.tree.beginOther(bytes, this.at)
    if (byte === 0x22) return this.beginText(State.text)
    if (byte === 0x7b || byte === 0x5b) return this.open(byte === 0x7b)
    const word = words.get(byte)
    if (word === undefined) return this.bad()
    this.state = State.word
    this.start = this.at++
    this.word = word
  }

  private beginNumber(byte: number): void {
    this.tree.beginNumber(this.at)
    this.state = State.number
    this.start = this.at++
    this.part = byte === 0x2d ? Part.sign : byte === 0x30 ? Part.zero : Part.digits
    this.exponentDigits = 0
  }

  private open(isObject: boolean): void {
    this.tree.open(isObject, this.at++)
    this.state = isObject ? State.keyOrClose : State.valueOrClose
  }

  private close(bytes: Buffer, isObject: boolean): void {
    if (!this.tree.close(bytes, isObject, this.at + 1)) return this.bad()
    this.at++
    this.goOn()
  }

  /** A value is over. */
  private goOn(): void {
    this.state = this.tree.depth === 0 ? State.end : State.after
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
        if (this.tree.problem !== undefined) break
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
    const { at, shorter, start, tree } = this
    this.goOn()
    tree.count()
    if (tree.isSkipping) return
    if (at - start < tree.longText) return tree.put(this.text(bytes), at)
    const head = this.text(bytes, headEnd(bytes, start + 1))
    tree.put(tree.standIn(bytes, head, start, at, at - start - 2 - shorter, 0), at)
  }

  private endName(bytes: Buffer): void {
    const { tree } = this
    this.state = State.colon
    if (!tree.beginField()) return
    if (this.isAscii && !this.hasEscapes) {
      return tree.nameField(nameAt(bytes, this.start + 1, this.at - 1, tree.names))
    }
    const name = this.text(bytes)
    tree.names.add(name)
    tree.nameField(name)
  }

  private readWord(bytes: Buffer, end: number): void {
    const [text, value] = this.word
    while (this.at < end) {
      if (bytes[this.at] !== text.charCodeAt(this.at - this.start)) return this.bad()
      if (++this.at - this.start === text.length) {
        this.tree.count()
        this.goOn()
        return this.tree.put(value, this.at)
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
    const { at, start, tree } = this
    if (at - start >= 16) tree.isAmbiguous = true
    const isRisky = at - start > longNumber || this.exponentDigits > 2
    if (isRisky && this.bounds.isLenient !== true && !Number.isFinite(Number(bytes.toString("latin1", start, at)))) {
      return tree.fail({ _tag: "infinite", name: tree.name })
    }
    this.goOn()
    if (tree.takeInRow(start, at)) return
    tree.count()
    if (!tree.isSkipping) tree.put(Number(bytes.toString("latin1", start, at)), at)
  }
}
