/**
 * Long texts of a request's body that nobody has read. What a prompt says is for the provider alone, who gets the bytes that came: to make
 * a text of 64 KiB costs the parser 20 µs, and all others the place in the processor's memory that it takes, which is more.
 *
 * Such a text stands in its object as a property that is made when it is asked for, so that whoever reads, copies or writes the
 * object sees nothing of it. Who needs no more than its length or its beginning asks here.
 */
import { textOf } from "./BytesText.js"
import { arrayOf, type JsonObject } from "./Json.js"
import { headEnd } from "./jsonBytes.js"
import { headLength } from "./StandIn.js"

/** A text that was not read. */
export class UnreadText {
  constructor(
    /** What it came in; nobody may change that. */
    private readonly source: Buffer,
    /** Its first byte, behind its quote. */
    private readonly start: number,
    /** Its other quote. */
    private readonly end: number,
    /** UTF-16 code units. */
    readonly characters: number
  ) {}

  /** The text itself. */
  get text(): string {
    return this.upTo(this.end)
  }

  /** Its beginning: of so many bytes, or a few more. */
  head(bytes = headLength): string {
    const { end, source, start } = this
    return this.upTo(Math.min(end, this.isPlain ? start + bytes : headEnd(source, start, bytes)))
  }

  /** Whether each of its bytes is a character. */
  private get isPlain(): boolean {
    return this.characters === this.end - this.start
  }

  private upTo(end: number): string {
    const { source, start } = this
    if (this.isPlain) return source.toString("latin1", start, end)
    return JSON.parse(`"${textOf(source.subarray(start, end))}"`) as string
  }
}

const places = Symbol("unread")

interface Holder {
  readonly [places]?: Map<string, UnreadText>
}

const settle = (object: object, name: string, value: unknown): void => {
  ;(object as Holder)[places]?.delete(name)
  Object.defineProperty(object, name, { value, writable: true, enumerable: true, configurable: true })
}

/** One for each name, since V8 knows objects by the functions in them: `content`, `text`, `url`, `data`, and few others. */
const readers = new Map<string, PropertyDescriptor>()
const mostReaders = 64

const readerOf = (name: string): PropertyDescriptor | undefined => {
  const known = readers.get(name)
  if (known !== undefined || readers.size >= mostReaders) return known
  const made: PropertyDescriptor = {
    get(this: object) {
      const text = (this as Holder)[places]?.get(name)?.text
      settle(this, name, text)
      return text
    },
    set(this: object, value: unknown) {
      settle(this, name, value)
    },
    enumerable: true,
    configurable: true
  }
  readers.set(name, made)
  return made
}

/** Puts a text in the place of an object's own property. */
export const put = (object: object, name: string, text: UnreadText): void => {
  const reader = readerOf(name)
  if (reader === undefined) return settle(object, name, text.text)
  const known = (object as Holder)[places]
  if (known === undefined) Object.defineProperty(object, places, { value: new Map([[name, text]]) })
  else known.set(name, text)
  Object.defineProperty(object, name, reader)
}

/** The texts of an object that nobody has read, by name; undefined where it never had any. */
export const within = (object: JsonObject): ReadonlyMap<string, UnreadText> | undefined => (object as Holder)[places]

/** A field, of a text that nobody has read the beginning alone: at least 4,096 bytes of it. */
export const glimpse = (object: JsonObject, name: string): unknown => within(object)?.get(name)?.head() ?? object[name]

/** A field as a list; none where it is a text, which stays unread. */
export const listIn = (object: JsonObject, name: string): ReadonlyArray<unknown> =>
  within(object)?.has(name) === true ? [] : arrayOf(object[name])
