/**
 * A form on its way to a provider: written again, with the fields as they go out, and never whole in memory.
 */
import { LlmError } from "@switchyard/core/LlmError"
import { isFile, type Upload, type UploadFile } from "@switchyard/core/Upload"
import type { BodySource } from "../transport/wire.js"

/** A form, how long it is, and by what its parts are told apart. */
export interface Form extends BodySource {
  readonly contentType: string
}

const encoder = new TextEncoder()

/** As browsers write names: what would end a quoted text, or a line, is escaped. */
const quoted = (text: string): string =>
  `"${text.replace(/[\r\n"]/g, (letter) => (letter === '"' ? "%22" : letter === "\n" ? "%0A" : "%0D"))}"`

/** A type that cannot end its line. */
const safeType = (type: string): string => (/^[\t\x20-\x7e]{1,255}$/.test(type) ? type : "application/octet-stream")

const textOf = (value: unknown): string =>
  typeof value === "string" ? value : typeof value === "object" ? JSON.stringify(value) : String(value)

const isGiven = (value: unknown): boolean => value !== undefined && value !== null

/** A field as its parts: a list is one for each, under the name that the caller gave it. */
const fieldParts = (name: string, value: unknown, isBare: boolean): ReadonlyArray<readonly [string, string]> =>
  Array.isArray(value)
    ? value.map((item) => [isBare ? name : `${name}[]`, textOf(item)] as const)
    : [[name, textOf(value)]]

/** Pieces of a form: bytes, or a file to be read. */
type Piece = Uint8Array | UploadFile

const sizeOf = (piece: Piece): number => (piece instanceof Uint8Array ? piece.length : piece.size)

/** A file is not what it was said to be. */
const changed = (file: UploadFile, read: number): LlmError =>
  new LlmError({
    reason: "InvalidRequest",
    description: `${file.name}: a file of ${file.size} bytes ended after ${read}, or did not end there`,
    code: "invalid_file",
    param: file.name
  })

async function* bytesOf(file: UploadFile): AsyncGenerator<Uint8Array> {
  let read = 0
  for await (const chunk of file.open()) {
    read += chunk.length
    // What is longer must not reach into the next part.
    if (read > file.size) throw changed(file, read)
    if (chunk.length > 0) yield chunk
  }
  if (read < file.size) throw changed(file, read)
}

async function* written(pieces: ReadonlyArray<Piece>): AsyncGenerator<Uint8Array> {
  for (const piece of pieces) {
    if (piece instanceof Uint8Array) yield piece
    else yield* bytesOf(piece)
  }
}

/** Names that a form gave more than once without brackets: they are written so again. */
const bareLists = ({ parts }: Upload): ReadonlySet<string> =>
  new Set(parts.filter((part) => !isFile(part) && !part.name.endsWith("[]")).map(({ name }) => name))

/** A form of the fields of `body`, in their order, and of the files of `upload` after them. `boundary` is in none of them. */
export const formOf = (upload: Upload, body: Readonly<Record<string, unknown>>, boundary: string): Form => {
  const pieces: Array<Piece> = []
  let head = ""
  const bare = bareLists(upload)
  for (const [name, value] of Object.entries(body)) {
    if (!isGiven(value)) continue
    for (const [partName, text] of fieldParts(name, value, bare.has(name))) {
      head += `--${boundary}\r\ncontent-disposition: form-data; name=${quoted(partName)}\r\n\r\n${text}\r\n`
    }
  }
  for (const file of upload.parts.filter(isFile)) {
    const disposition = `form-data; name=${quoted(file.name)}; filename=${quoted(file.filename)}`
    head += `--${boundary}\r\ncontent-disposition: ${disposition}\r\ncontent-type: ${safeType(file.contentType)}\r\n\r\n`
    pieces.push(encoder.encode(head), file)
    head = "\r\n"
  }
  pieces.push(encoder.encode(`${head}--${boundary}--\r\n`))
  return {
    contentType: `multipart/form-data; boundary=${boundary}`,
    size: pieces.reduce((sum, piece) => sum + sizeOf(piece), 0),
    [Symbol.asyncIterator]: () => written(pieces)
  }
}

/** A body whose failure to be read is told: whoever sends it knows nothing but that its connection broke. */
export const guarded = (form: Form, failed: (error: LlmError) => void): BodySource => ({
  size: form.size,
  [Symbol.asyncIterator]: async function* () {
    try {
      yield* form
    } catch (error) {
      failed(
        error instanceof LlmError
          ? error
          : new LlmError({
              reason: "InvalidRequest",
              description: "a file of the request cannot be read",
              code: "invalid_file"
            })
      )
      throw error
    }
  }
})
