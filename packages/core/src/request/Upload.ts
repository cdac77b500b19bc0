/**
 * What came beside a payload in a form of several parts: fields and files, in their order. A file is read as often as it is
 * sent, so that a request with one can be tried again, and never held whole.
 */
import type { FileFacts } from "../dialect/Dialect.js"
import { secondsIn } from "../media/SoundLength.js"

/** A field of a form. */
export interface UploadField {
  readonly name: string
  readonly value: string
}

/** A file of a form. */
export interface UploadFile extends FileFacts {
  readonly name: string
  /**
   * Its bytes from the beginning, each time that it is called; exactly `size` of them. Whoever stops early calls `return`.
   * What it fails with, where that is an `LlmError`, is what the attempt fails with.
   */
  readonly open: () => AsyncIterable<Uint8Array>
}

/** A part of a form. */
export type UploadPart = UploadField | UploadFile

/** A form. Whoever made it closes its files when the request has ended; until then they can be opened. */
export interface Upload {
  readonly parts: ReadonlyArray<UploadPart>
}

/** Whether a part is a file. */
export const isFile = (part: UploadPart): part is UploadFile => "open" in part

const none: ReadonlyArray<UploadFile> = []

/** The files of a form; none without one. */
export const filesOf = (upload: Upload | undefined): ReadonlyArray<UploadFile> =>
  upload === undefined ? none : upload.parts.filter(isFile)

/** A file that is in memory. */
export const fileOf = (
  name: string,
  bytes: Uint8Array,
  options: { readonly filename?: string; readonly contentType?: string; readonly seconds?: number } = {}
): UploadFile => {
  const seconds = options.seconds ?? secondsIn(bytes, bytes.length)
  return {
    name,
    filename: options.filename ?? "file",
    contentType: options.contentType ?? "application/octet-stream",
    size: bytes.length,
    ...(seconds === undefined ? {} : { seconds }),
    open: async function* () {
      yield bytes
    }
  }
}

/**
 * The fields of a form as a payload: a name that is there more than once, or that ends in `[]`, as a list under its bare
 * name. Values stay texts.
 */
export const bodyOf = (parts: ReadonlyArray<UploadPart>): Record<string, unknown> => {
  const body = new Map<string, unknown>()
  for (const part of parts) {
    if (isFile(part)) continue
    const isList = part.name.endsWith("[]")
    const name = isList ? part.name.slice(0, -2) : part.name
    const before = body.get(name)
    if (Array.isArray(before)) before.push(part.value)
    else if (before !== undefined) body.set(name, [before, part.value])
    else body.set(name, isList ? [part.value] : part.value)
  }
  return Object.fromEntries(body)
}
