/**
 * Reads a multipart form as it comes, and strictly: where each part begins and ends, what it is called, and what a short one
 * says. A part that cannot be understood refuses the form, since a form that is written anew without it asks for something else.
 */
import type { Refusal } from "../../errors/ErrorBody.js"
import { boundaryIn, headingOf, type PartHeading } from "./partHeading.js"

export { boundaryIn }

/** A part, with the offsets in the body between which it stands. */
export interface FormPart extends PartHeading {
  readonly start: number
  readonly end: number
  /** What a field says; undefined for a file. */
  readonly value: string | undefined
}

/** Fields and files of one form. */
export const maxParts = 1000
/** Bytes of a field that is no file. */
export const maxFieldBytes = 1024 * 1024
/** Bytes of all fields together. */
const maxFieldsBytes = 4 * maxFieldBytes
/** Bytes of the headers of one part. */
const maxHeadingBytes = 16 * 1024
/** White space that may follow a boundary. */
const maxPadding = 64

const dash = 0x2d
const cr = 0x0d
const lf = 0x0a

const bad = (message: string, code = "invalid_form", param?: string): Refusal => ({
  status: 400,
  code,
  message,
  ...(param === undefined ? {} : { param })
})

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

const textOf = (bytes: Uint8Array): string | undefined => {
  try {
    return utf8.decode(bytes)
  } catch {
    return undefined
  }
}

type State = "preamble" | "heading" | "content" | "epilogue"

/** One form on its way in. */
export class FormReader {
  readonly parts: Array<FormPart> = []
  /** Bytes that are read, up to a few that may be a boundary's. */
  private rest: Buffer
  /** Where `rest` begins in the body. */
  private at: number
  private state: State = "preamble"
  private heading: PartHeading | undefined
  private start = 0
  private value: Array<Uint8Array> = []
  private valueBytes = 0
  private fieldsBytes = 0
  private readonly delimiter: Buffer

  constructor(boundary: string) {
    this.delimiter = Buffer.from(`\r\n--${boundary}`, "latin1")
    // The first boundary has no line before it.
    this.rest = Buffer.from("\r\n")
    this.at = -2
  }

  /** The part that has begun and not ended. */
  get open(): PartHeading | undefined {
    return this.heading
  }

  /** Where the content of the open part begins. */
  get openStart(): number {
    return this.start
  }

  /** Bytes of the last boundary, with the line's end that clients write behind it. */
  get endBytes(): number {
    return this.delimiter.length + 4
  }

  /** Whether the last boundary was read. */
  get isWhole(): boolean {
    return this.state === "epilogue"
  }

  /** Reads on; gives what is wrong, after which nothing may follow. */
  take(chunk: Buffer): Refusal | undefined {
    const bytes = this.rest.length === 0 ? chunk : Buffer.concat([this.rest, chunk])
    let from = 0
    for (;;) {
      const next = this.step(bytes, from)
      if (typeof next === "object") return next
      if (next < 0) {
        from = -next - 1
        break
      }
      from = next
    }
    // What is kept must not keep all of a large chunk.
    this.rest = Buffer.from(bytes.subarray(from))
    this.at += from
    return undefined
  }

  /** No more comes. */
  end(): Refusal | undefined {
    if (this.state === "epilogue") return undefined
    if (this.at < 0 && this.rest.length === 2) return bad("the request has no body; a form is expected", "empty_body")
    return bad(
      this.state === "preamble"
        ? "the form does not begin with the boundary that its content-type names"
        : "the form ends without its last boundary"
    )
  }

  /** Where to read on, below 0 (by one more) where more must come first. */
  private step(bytes: Buffer, from: number): number | Refusal {
    switch (this.state) {
      case "heading":
        return this.readHeading(bytes, from)
      case "epilogue":
        return this.readEpilogue(bytes, from)
      default:
        return this.readContent(bytes, from)
    }
  }

  private readContent(bytes: Buffer, from: number): number | Refusal {
    const { delimiter } = this
    const found = bytes.indexOf(delimiter, from)
    if (found === -1) {
      const tail = bytes.indexOf(cr, Math.max(from, bytes.length - delimiter.length + 1))
      const until = tail === -1 ? bytes.length : tail
      return this.content(bytes, from, until) ?? -until - 1
    }
    const after = this.afterDelimiter(bytes, found + delimiter.length)
    if (after === "unknown") return this.content(bytes, from, found) ?? -found - 1
    // The beginning of a longer line, which is content like any other.
    if (after === undefined) return this.content(bytes, from, found + 1) ?? found + 1
    const problem = this.content(bytes, from, found) ?? this.endPart(found)
    if (problem !== undefined) return problem
    this.state = after.isLast ? "epilogue" : "heading"
    return after.next
  }

  /** What stands behind a boundary; undefined where it is none. */
  private afterDelimiter(
    bytes: Buffer,
    from: number
  ): { readonly next: number; readonly isLast: boolean } | "unknown" | undefined {
    if (bytes.length < from + 2) return "unknown"
    if (bytes[from] === dash && bytes[from + 1] === dash) return { next: from + 2, isLast: true }
    let at = from
    while (bytes[at] === 0x20 || bytes[at] === 0x09) if (++at - from > maxPadding) return undefined
    if (bytes.length < at + 2) return bytes.length === at || bytes[at] === cr ? "unknown" : undefined
    return bytes[at] === cr && bytes[at + 1] === lf ? { next: at, isLast: false } : undefined
  }

  private content(bytes: Buffer, from: number, until: number): Refusal | undefined {
    if (until <= from) return undefined
    const { heading } = this
    if (heading === undefined) {
      // A line end before the first boundary is nobody's.
      const isNothing = until - from <= 2 && bytes.subarray(from, until).every((byte) => byte === cr || byte === lf)
      return isNothing ? undefined : bad("the form has bytes before its first boundary")
    }
    if (heading.isFile) return undefined
    this.valueBytes += until - from
    this.fieldsBytes += until - from
    if (this.valueBytes > maxFieldBytes || this.fieldsBytes > maxFieldsBytes) {
      const most = this.valueBytes > maxFieldBytes ? `${maxFieldBytes} bytes` : `its part of ${maxFieldsBytes} bytes`
      return bad(
        `the form's field ${heading.shown} is larger than ${most}`,
        "field_too_large",
        heading.name.slice(0, 100)
      )
    }
    this.value.push(Buffer.from(bytes.subarray(from, until)))
    return undefined
  }

  private endPart(found: number): Refusal | undefined {
    const { heading } = this
    if (heading === undefined) return undefined
    const value = heading.isFile ? undefined : textOf(Buffer.concat(this.value, this.valueBytes))
    if (!heading.isFile && value === undefined) {
      return bad(`the form's field ${heading.shown} is not valid UTF-8`, "invalid_utf8", heading.name.slice(0, 100))
    }
    this.parts.push({ ...heading, start: this.start, end: this.at + found, value })
    this.heading = undefined
    this.value = []
    this.valueBytes = 0
    return undefined
  }

  private readHeading(bytes: Buffer, from: number): number | Refusal {
    // It begins with the end of the boundary's line.
    const end = bytes.indexOf("\r\n\r\n", from)
    if ((end === -1 ? bytes.length : end) - from > maxHeadingBytes) {
      return bad(`the headers of a part of the form are larger than ${maxHeadingBytes} bytes`)
    }
    if (end === -1) return -from - 1
    if (this.parts.length >= maxParts) return bad(`the form has more than ${maxParts} parts`, "too_many_fields")
    const text = textOf(bytes.subarray(from + 2, Math.max(from + 2, end)))
    const heading = text === undefined ? bad("the headers of a part are not valid UTF-8") : headingOf(text)
    if ("status" in heading) return heading
    this.heading = heading
    this.state = "content"
    this.start = this.at + end + 4
    // An empty part's boundary begins with the line end of its own headers in some clients' forms.
    return end + 4
  }

  private readEpilogue(bytes: Buffer, from: number): number | Refusal {
    const isBlank = bytes.subarray(from).every((byte) => byte === cr || byte === lf || byte === 0x20 || byte === 0x09)
    return isBlank ? -bytes.length - 1 : bad("the form has bytes after its last boundary")
  }
}
