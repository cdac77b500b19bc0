/**
 * Unpacks answers whose server compresses them although it was asked not to, as the bytes come.
 */
import type * as Zlib from "node:zlib"
import * as Builtin from "@switchyard/core/Builtin"
import { startOf } from "./eventText.js"

/** Who is told, in order: `onData` as often as it takes, then one of the others. */
export interface UnpackerSink {
  readonly onData: (chunk: Uint8Array) => void
  readonly onEnd: () => void
  /** The bytes are not what the header says, end too early, or come to more than they may. */
  readonly onBad: (why: string) => void
  /** There is room again, after `write` has said that there is none. */
  readonly onDrain: () => void
}

/** What one packed byte may come to; honest text is below 20. */
const maxRatio = 100
/** Bytes that are not measured: a short text of one letter packs better than that. */
const unmeasured = 64 * 1024

type Step = Zlib.Gunzip | Zlib.Inflate | Zlib.BrotliDecompress

/** `deflate` means zlib's format, and many servers leave its head away. */
const inflate = (zlib: typeof Zlib, first: Uint8Array): Step =>
  ((first[0] ?? 0) & 0x0f) === 8 && (((first[0] ?? 0) << 8) | (first[1] ?? 0)) % 31 === 0
    ? zlib.createInflate()
    : zlib.createInflateRaw()

type Steps = Readonly<Record<string, (first: Uint8Array) => Step>>

const stepsOf = (zlib: typeof Zlib): Steps => {
  // Node 22.15 and later; the types of the oldest Node that is supported do not know it.
  const zstd = (zlib as unknown as { readonly createZstdDecompress?: () => Step }).createZstdDecompress
  return {
    gzip: () => zlib.createGunzip(),
    "x-gzip": () => zlib.createGunzip(),
    deflate: (first) => inflate(zlib, first),
    br: () => zlib.createBrotliDecompress(),
    ...(zstd === undefined ? {} : { zstd: () => zstd() })
  }
}

const zlib = Builtin.find<typeof Zlib>("node:zlib")
/** Without Node nothing is left to unpack: `fetch` has done so. */
const steps: Steps = zlib === undefined ? {} : stepsOf(zlib)

/** The codings of a `content-encoding` in the order in which they are undone; none for plain bytes. */
export const codingsOf = (header: string | undefined): ReadonlyArray<string> =>
  header === undefined
    ? []
    : header
        .toLowerCase()
        .split(",")
        .map((coding) => coding.trim())
        .filter((coding) => coding !== "" && coding !== "identity")
        .reverse()

/** The bytes of a byte order mark. */
const isMark = (byte: number): boolean => byte === 0xef || byte === 0xbb || byte === 0xbf

/** Packed bytes may begin with a letter, but not with so many. */
const isReadable = (bytes: Uint8Array): boolean =>
  bytes.every((byte) => (byte >= 0x20 && byte < 0x7f) || (byte >= 0x09 && byte <= 0x0d) || isMark(byte))

/** Whether bytes are packed at all: `fetch` unpacks and keeps the header, and some servers only claim to pack. */
export const isPacked = (coding: string | undefined, first: Uint8Array): boolean => {
  if (coding === undefined) return false
  if (coding === "gzip" || coding === "x-gzip") return first[0] === 0x1f || first.length === 0
  const start = startOf(first)
  return (start !== "events" && start !== "object") || !isReadable(first.subarray(0, 32))
}

/** One packed body. */
export class Unpacker {
  private readonly steps: ReadonlyArray<Step>
  private packed = 0
  private unpacked = 0
  private over = false

  /** Undefined for a coding that nobody here knows. */
  static make(codings: ReadonlyArray<string>, first: Uint8Array, sink: UnpackerSink): Unpacker | undefined {
    const known = codings.map((coding) => (Object.hasOwn(steps, coding) ? steps[coding] : undefined))
    // Below the outermost coding no byte is known yet: there `deflate` has its head.
    const made = known.map((step, at) => step?.(at === 0 ? first : Uint8Array.of(0x78, 0x9c)))
    return made.every((step) => step !== undefined) ? new Unpacker(made, sink) : undefined
  }

  private constructor(
    made: ReadonlyArray<Step>,
    private readonly sink: UnpackerSink
  ) {
    this.steps = made
    made.forEach((step, at) => {
      const next = made[at + 1]
      if (next !== undefined) step.pipe(next)
      step.on("error", () => this.bad("is not packed as it says, or was cut off"))
    })
    this.last?.on("data", (chunk: Uint8Array) => this.take(chunk))
    this.last?.on("end", () => {
      if (this.over) return
      this.over = true
      sink.onEnd()
    })
    this.first?.on("drain", () => {
      if (!this.over) sink.onDrain()
    })
  }

  /** Takes bytes; false when it should be given no more until `onDrain`. */
  write(chunk: Uint8Array): boolean {
    if (this.over) return true
    this.packed += chunk.length
    return this.first?.write(chunk) ?? true
  }

  /** No more bytes come. */
  end(): void {
    if (!this.over) this.first?.end()
  }

  pause(): void {
    this.last?.pause()
  }

  resume(): void {
    this.last?.resume()
  }

  /** Nobody is told anything any more. */
  abort(): void {
    this.over = true
    for (const step of this.steps) step.destroy()
  }

  private get first(): Step | undefined {
    return this.steps[0]
  }

  private get last(): Step | undefined {
    return this.steps[this.steps.length - 1]
  }

  private take(chunk: Uint8Array): void {
    if (this.over) return
    this.unpacked += chunk.length
    if (this.unpacked > unmeasured && this.unpacked > this.packed * maxRatio) {
      return this.bad(`unpacks to more than ${maxRatio} times its size`)
    }
    this.sink.onData(chunk)
  }

  private bad(why: string): void {
    if (this.over) return
    this.abort()
    this.sink.onBad(why)
  }
}
