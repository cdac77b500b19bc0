import { headBytes } from "@switchyard/core/SoundLength"
import type { FormReader } from "./formReader.js"

const none = new Uint8Array(0)

/** The first bytes of the files of a form, taken as they come: nobody reads a file for them again. */
export class FileHeads {
  private readonly heads = new Map<number, Uint8Array>()
  private seen = 0

  /** Takes what of a chunk, which begins at `at`, is a file's beginning. */
  take(chunk: Uint8Array, at: number, form: Pick<FormReader, "parts" | "open" | "openStart">): void {
    for (; this.seen < form.parts.length; this.seen++) {
      const part = form.parts[this.seen]
      if (part !== undefined && part.value === undefined) this.keep(chunk, at, part.start, part.end)
    }
    if (form.open?.isFile === true) this.keep(chunk, at, form.openStart, Number.POSITIVE_INFINITY)
  }

  /** The beginning of the file that begins there. */
  of(start: number): Uint8Array {
    return this.heads.get(start) ?? none
  }

  private keep(chunk: Uint8Array, at: number, start: number, end: number): void {
    const known = this.of(start)
    const from = start + known.length
    const to = Math.min(start + headBytes, end, at + chunk.length)
    if (from >= to || from < at) return
    const more = chunk.subarray(from - at, to - at)
    const head = new Uint8Array(known.length + more.length)
    head.set(known)
    head.set(more, known.length)
    this.heads.set(start, head)
  }
}
