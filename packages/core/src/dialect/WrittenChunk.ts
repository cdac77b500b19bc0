/**
 * Chunks of OpenAI's chat that are read in their bytes. Most chunks of an answer are alike but for the words that they add: once
 * one of them was parsed, the next is known by comparing its bytes with it, and only its words are looked at. Nothing is guessed
 * by that: what a parser would read of such a chunk is what it read of the first, with other words. That takes 1 µs of the 2.2 that
 * a chunk costs on its way through the tower, and its bytes need no decoding and encoding.
 */
import { arrayOf, isJsonObject, type JsonObject } from "../json/Json.js"
import type { KeptWords } from "../json/keptWords.js"
import { TextScan } from "../json/textScan.js"
import { inBody } from "../outcome/Usage.js"
import { errorOf } from "./AnswerFailure.js"
import type { Chunk } from "./Chat.js"
import { choiceIndex } from "./choiceStates.js"
import type { StreamEvent } from "./StreamEvent.js"

const decoder = new TextDecoder()
const before = "data: "
const after = "\n\n"

/** Texts of at most so many characters are made without a decoder. */
const shortText = 64

/** What chunks of one kind have in common. */
interface Pattern {
  readonly head: Uint8Array
  readonly middle: Uint8Array
  /** What follows a text that says nothing and differs in every chunk; empty where there is none. */
  readonly rest: Uint8Array
  readonly choice: number
  readonly isReasoning: boolean
  /** Of the chunk that was parsed: the `id`, `created` and `model` of all. */
  readonly like: JsonObject
}

/** A chunk that says a text and nothing else; its JSON is parsed when somebody asks for it. */
export class WrittenChunk implements StreamEvent {
  private parsed: Chunk | undefined

  constructor(
    /** The bytes in which the event stands from `start` to `end`: its `data: ` and the empty line after it included. */
    readonly source: Uint8Array,
    readonly start: number,
    readonly end: number,
    private readonly textStart: number,
    private readonly textEnd: number,
    /** Characters of its text. */
    readonly characters: number,
    private readonly pattern: Pattern
  ) {}

  get data(): string {
    return decoder.decode(this.source.subarray(this.start + before.length, this.end - after.length))
  }

  get json(): Chunk {
    this.parsed ??= JSON.parse(this.data) as Chunk
    return this.parsed
  }

  /** A chunk like this one, for what they have in common: the `id`, `created` and `model`. */
  get like(): JsonObject {
    return this.pattern.like
  }

  /** The choice that it belongs to. */
  get choice(): number {
    return this.pattern.choice
  }

  /** Its text is reasoning, and no content. */
  get isReasoning(): boolean {
    return this.pattern.isReasoning
  }

  /** Its text. */
  get text(): string {
    const bytes = this.source.subarray(this.textStart, this.textEnd)
    // As many characters as bytes: neither an escape nor a character beyond ASCII is in it.
    if (this.characters !== bytes.length) return JSON.parse(`"${decoder.decode(bytes)}"`) as string
    return bytes.length > shortText
      ? decoder.decode(bytes)
      : String.fromCharCode.apply(null, bytes as unknown as Array<number>)
  }

  /** Adds its text to words that are kept. */
  keepIn(words: KeptWords): void {
    words.addBytes(this.source, this.textStart, this.textEnd, this.characters)
  }
}

/** Fields whose texts are looked for, and whether they hold reasoning. */
const fields: ReadonlyArray<readonly [name: string, isReasoning: boolean]> = [
  ["content", false],
  ["reasoning_content", true],
  ["reasoning", true]
]

/** OpenAI hides the length of words by a text that differs in every chunk. */
const filler = "obfuscation"

/** Bytes of a chunk that may be a pattern. */
const largest = 4096
/** Chunks that are tried as patterns while none that follows is like one of them. */
const mostTries = 4

const stands = (part: Uint8Array, bytes: Uint8Array, at: number): boolean => {
  if (at + part.length > bytes.length) return false
  for (let i = 0; i < part.length; i++) if (part[i] !== bytes[at + i]) return false
  return true
}

const isEmpty = (value: unknown): boolean =>
  value === undefined || value === null || value === "" || (Array.isArray(value) && value.length === 0)

/** The one choice of a chunk that says nothing but a text in `field` of its delta. */
const choiceSaying = (json: JsonObject, field: string): JsonObject | undefined => {
  const [choice, ...others] = arrayOf(json.choices)
  if (!isJsonObject(choice) || others.length > 0 || !isJsonObject(choice.delta)) return undefined
  const { delta, finish_reason: reason, index, logprobs } = choice
  if (!isEmpty(reason) || !isEmpty(logprobs) || (index !== undefined && typeof index !== "number")) return undefined
  for (const name in delta) if (name !== field && name !== "role" && !isEmpty(delta[name])) return undefined
  return inBody(json) === undefined && errorOf(json) === undefined ? choice : undefined
}

const saidIn = (json: JsonObject, field: string): unknown => {
  const delta = choiceSaying(json, field)?.delta
  return isJsonObject(delta) ? delta[field] : undefined
}

/** Where the text begins that is the value of a field; -1 where there is none. */
const behind = (text: string, field: string, from: number): number => {
  const at = text.indexOf(`"${field}":"`, from)
  return at === -1 ? -1 : at + field.length + '"":"'.length
}

const isAscii = (bytes: Uint8Array, from: number, to: number): boolean => {
  for (let at = from; at < to; at++) if ((bytes[at] ?? 0) >= 0x80) return false
  return true
}

const parsed = (text: string): JsonObject | undefined => {
  try {
    const json: unknown = JSON.parse(text)
    return isJsonObject(json) ? json : undefined
  } catch {
    return undefined
  }
}

/** The chunks of one stream. */
export class WrittenChunks {
  private pattern: Pattern | undefined
  private tries = mostTries
  private readonly scan = new TextScan()

  /** The event that begins at a place, where it is like one that was parsed; undefined for every other. */
  match(bytes: Uint8Array, at: number): WrittenChunk | undefined {
    const { pattern, scan } = this
    if (pattern === undefined || !stands(pattern.head, bytes, at)) return undefined
    const start = at + pattern.head.length
    const end = scan.read(bytes, start)
    const { characters } = scan
    if (end === -1 || !stands(pattern.middle, bytes, end)) return undefined
    let last = end + pattern.middle.length
    if (pattern.rest.length > 0) {
      const rest = scan.read(bytes, last)
      if (rest === -1 || !stands(pattern.rest, bytes, rest)) return undefined
      last = rest + pattern.rest.length
    }
    this.tries = mostTries
    return new WrittenChunk(bytes, at, last, start, end, characters, pattern)
  }

  /** An event was parsed: those that follow may be like it. `bytes` are the event alone. */
  learn(bytes: Uint8Array, json: JsonObject): void {
    if (this.tries === 0 || bytes.length > largest) return
    const field = fields.find(([name]) => !isEmpty(saidIn(json, name)))
    if (field === undefined) return
    this.tries--
    const text = decoder.decode(bytes)
    if (!text.startsWith(`${before}{`) || !text.endsWith(`}${after}`)) return
    this.pattern = this.patternOf(bytes, text, json, field) ?? this.pattern
  }

  private patternOf(
    bytes: Uint8Array,
    text: string,
    json: JsonObject,
    [field, isReasoning]: (typeof fields)[number]
  ): Pattern | undefined {
    const start = behind(text, field, 0)
    const end = this.scan.read(bytes, start)
    // Where all is ASCII but the words, places in the text are those in the bytes, counted from its own end.
    if (start === -1 || end <= start || !isAscii(bytes, 0, start) || !isAscii(bytes, end, bytes.length))
      return undefined
    const wordsEnd = text.length - bytes.length + end
    const fillStart = behind(text, filler, wordsEnd) + end - wordsEnd
    const fillEnd = fillStart < end ? undefined : this.scan.read(bytes, fillStart)
    if (fillEnd === -1) return undefined
    const tail = text.slice(wordsEnd)
    const filled = fillEnd === undefined ? tail : `${tail.slice(0, fillEnd - end)}x${tail.slice(fillEnd - end)}`
    // Names may stand twice, or elsewhere: what was found is what a parser reads, or else it reads no other words here.
    const changed = parsed(`${text.slice(before.length, wordsEnd)}x${filled}`)
    const choice = changed === undefined ? undefined : choiceSaying(changed, field)
    if (changed === undefined || choice === undefined) return undefined
    if (saidIn(changed, field) !== `${String(saidIn(json, field))}x`) return undefined
    if (fillEnd !== undefined && changed[filler] !== `${String(json[filler])}x`) return undefined
    return {
      head: new Uint8Array(bytes.subarray(0, start)),
      middle: new Uint8Array(bytes.subarray(end, fillEnd === undefined ? bytes.length : fillStart)),
      rest: new Uint8Array(fillEnd === undefined ? [] : bytes.subarray(fillEnd)),
      choice: choiceIndex(choice),
      isReasoning,
      like: changed
    }
  }
}
