/**
 * What a `JsonReader` has read so far: a tree of what is small, with stand-ins for what is large, within bounds.
 */
import { digestOf, type RawMember } from "./ExactJson.js"
import type { JsonObject } from "./Json.js"
import { setField } from "./jsonBytes.js"
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

/** Bytes from which a text gets a stand-in. */
const longText = 16 * 1024
/** Numbers in a row from which they get one. */
const longRow = 64
/** Fields from which an object gets one; what is read by name has fewer. */
const wideObject = 1024

type Container = Record<string, unknown> | Array<unknown>

/** The tree of one text, as far as it is read. */
export class JsonTree {
  /** Objects and lists that are open. */
  depth = 0
  /** Values that it holds so far. */
  values = 0
  /** Why reading must stop. */
  problem: Problem | undefined
  root: JsonObject | undefined
  /** Fields of the root. */
  readonly members = new Map<string, RawMember>()
  /** The field of the root that is under way. */
  name = ""
  isAmbiguous = false
  /** Names of fields, each once. */
  readonly names = new Set<string>()
  /** Bytes from which a text gets a stand-in. */
  readonly longText: number

  private readonly stack: Array<Container> = []
  private readonly fields: Array<string> = []
  /** Whether each open container is an object. */
  private readonly isObject: Array<boolean> = []
  private readonly counts: Array<number> = []
  private readonly starts: Array<number> = []
  /** The depth of an object that is left in the bytes; 0 for none. */
  private skipped = 0
  // Numbers in a row, in a list.
  private row = 0
  private rowStart = 0
  private rowEnd = 0
  private numbers = 0
  private memberStart = 0
  private isApart: boolean
  private hasStandIn = false
  private readonly longRow: number
  private readonly wideObject: number

  constructor(private readonly bounds: Bounds) {
    const { standIns } = bounds
    this.longText = standIns === undefined ? longText : Number.POSITIVE_INFINITY
    this.wideObject = standIns === undefined ? wideObject : Number.POSITIVE_INFINITY
    this.longRow = standIns === "none" ? Number.POSITIVE_INFINITY : longRow
    this.isApart = bounds.numbersIn === undefined
  }

  /** Whether the innermost open container is an object. */
  get isInObject(): boolean {
    return this.isObject[this.depth] === true
  }

  /** Whether what is read now is left in the bytes. */
  get isSkipping(): boolean {
    return this.skipped > 0
  }

  fail(problem: Problem): void {
    this.problem = problem
  }

  count(): void {
    if (++this.values > this.bounds.maxValues) this.fail({ _tag: "tooManyValues" })
  }

  beginNumber(at: number): void {
    if (this.depth === 1) this.memberStart = at
  }

  /** A value begins that is no number. */
  beginOther(bytes: Buffer, at: number): void {
    this.endRow(bytes)
    if (this.depth === 1) this.memberStart = at
  }

  open(isObject: boolean, at: number): void {
    this.count()
    if (++this.depth > this.bounds.maxDepth) return this.fail({ _tag: "tooDeep" })
    this.isObject[this.depth] = isObject
    this.counts[this.depth] = 0
    this.starts[this.depth] = at
    if (this.skipped === 0) this.stack[this.depth] = isObject ? {} : []
  }

  /** The innermost container ends before `end`; false if it is not of this kind. */
  close(bytes: Buffer, isObject: boolean, end: number): boolean {
    const { depth } = this
    if (depth === 0 || this.isObject[depth] !== isObject) return false
    this.endRow(bytes)
    this.depth--
    if (depth === this.skipped) {
      this.skipped = 0
      const start = this.starts[depth] ?? 0
      this.put(this.standIn(bytes, "{", start, end, end - start, 0), end)
    } else if (this.skipped === 0) {
      const value = this.stack[depth]
      if (depth > 1) this.put(value, end)
      else if (value !== undefined && !Array.isArray(value)) this.root = value
    }
    return true
  }

  /** A field begins, whose name need be read only where this is true. */
  beginField(): boolean {
    const { depth } = this
    const count = (this.counts[depth] ?? 0) + 1
    this.counts[depth] = count
    if (this.skipped > 0) return false
    if (depth === 1 || count <= this.wideObject) return true
    this.skipped = depth
    return false
  }

  /** The field's name, which is in `names`. */
  nameField(name: string): void {
    const { bounds, depth } = this
    if (this.names.size > bounds.maxNames) return this.fail({ _tag: "tooManyNames" })
    this.fields[depth] = name
    if (depth > 1) return
    if (this.members.has(name) && bounds.isLenient !== true) return this.fail({ _tag: "duplicate", name })
    if ((this.counts[depth] ?? 0) > bounds.maxFields) return this.fail({ _tag: "tooManyFields" })
    this.name = name
    this.isApart = bounds.numbersIn === undefined || bounds.numbersIn.has(name)
  }

  /** What takes the place of a value that is left in the bytes. */
  standIn(bytes: Buffer, head: string, start: number, end: number, characters: number, numbers: number): string {
    this.hasStandIn = true
    const digest = digestOf(bytes.subarray(start, end))
    return StandIn.make(head, { start, end, characters, numbers, digest })
  }

  /** A value is complete. */
  put(value: unknown, end: number): void {
    if (this.skipped > 0 || this.depth === 0) return
    const parent = this.stack[this.depth]
    if (Array.isArray(parent)) {
      parent.push(value)
      return
    }
    if (parent === undefined) return
    const name = this.fields[this.depth] ?? ""
    if (this.depth > 1 && Object.hasOwn(parent, name)) this.isAmbiguous = true
    setField(parent, name, value)
    if (this.depth === 1) this.endMember(value, end)
  }

  private endMember(value: unknown, end: number): void {
    const { isAmbiguous, hasStandIn, memberStart: start, name } = this
    const nothing = new Uint8Array(0)
    this.members.set(name, { value, bytes: nothing, source: nothing, start, end, hasStandIn, isAmbiguous })
    this.hasStandIn = false
    this.isAmbiguous = false
  }

  /** Takes a number that stands in a list; false where it stands elsewhere. */
  takeInRow(start: number, end: number): boolean {
    if (this.skipped > 0 || this.depth === 0 || this.isObject[this.depth] !== false) return false
    if (this.row++ === 0) this.rowStart = start
    this.rowEnd = end
    if (this.isApart) {
      if (this.numbers + this.row > this.bounds.maxNumbers) this.fail({ _tag: "tooManyNumbers" })
    } else if (this.values + this.row > this.bounds.maxValues) this.fail({ _tag: "tooManyValues" })
    return true
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
