/**
 * Forms as a strict server reads them: what is not exactly one is refused, and how long it is must be said.
 *
 * @since 0.1.0
 */
import { createHash } from "node:crypto"

/** A file of a form, as the journal tells of it. */
export interface FakeFile {
  readonly name: string
  readonly filename: string
  readonly contentType: string
  readonly size: number
  readonly sha256: string
}

/** A form: each field's values in their order, and the files. */
export interface FakeForm {
  readonly fields: Readonly<Record<string, ReadonlyArray<string>>>
  readonly files: ReadonlyArray<FakeFile>
}

/** What is asked beside conversations. */
export type FakeOperation =
  | "rerank"
  | "cohereRerank"
  | "voyageRerank"
  | "fireworksRerank"
  | "teiRerank"
  | "nvidiaRerank"
  | "bedrockRerank"
  | "moderation"
  | "image"
  | "imageEdit"
  | "imageVariation"
  | "speech"
  | "transcription"
  | "translation"

/** What was asked, as far as its answer depends on it. */
export interface MediaAsked {
  readonly operation: FakeOperation
  readonly files: ReadonlyArray<FakeFile>
}

const header = (head: string, name: string): string | undefined =>
  head
    .split("\r\n")
    .find((line) => line.toLowerCase().startsWith(`${name}:`))
    ?.slice(name.length + 1)
    .trim()

const quotedIn = (disposition: string, name: string): string | undefined =>
  new RegExp(`;\\s*${name}="([^"\\r\\n]*)"`).exec(disposition)?.[1]

/** Reads a form; a text says what is wrong with it. */
export const readForm = (contentType: string | undefined, body: Buffer): FakeForm | string => {
  const boundary = /^multipart\/form-data;\s*boundary="?([^";\s]{1,70})"?$/i.exec(contentType ?? "")?.[1]
  if (boundary === undefined) return `no boundary in ${JSON.stringify(contentType)}`
  const first = Buffer.from(`--${boundary}`)
  if (!body.subarray(0, first.length).equals(first)) return "it does not begin with its boundary"
  const delimiter = Buffer.from(`\r\n--${boundary}`)
  const fields: Record<string, Array<string>> = {}
  const files: Array<FakeFile> = []
  let at = first.length
  for (;;) {
    const after = body.subarray(at, at + 2).toString("latin1")
    if (after === "--")
      return body.length === at + 4 && body.subarray(at + 2).toString() === "\r\n"
        ? { fields, files }
        : "something stands after its end"
    if (after !== "\r\n") return "a boundary is no line of its own"
    const headEnd = body.indexOf("\r\n\r\n", at + 2)
    const end = headEnd < 0 ? -1 : body.indexOf(delimiter, headEnd + 2)
    if (headEnd < 0 || end < 0) return "it ends within a part"
    const head = body.subarray(at + 2, headEnd).toString("utf8")
    const content = body.subarray(headEnd + 4, Math.max(headEnd + 4, end))
    const disposition = header(head, "content-disposition")
    const name = disposition === undefined ? undefined : quotedIn(disposition, "name")
    if (disposition === undefined || !disposition.startsWith("form-data") || name === undefined)
      return "a part has no name"
    const filename = quotedIn(disposition, "filename")
    if (filename === undefined) {
      fields[name] = [...(fields[name] ?? []), content.toString("utf8")]
    } else {
      files.push({
        name,
        filename,
        contentType: header(head, "content-type") ?? "",
        size: content.length,
        sha256: createHash("sha256").update(content).digest("hex")
      })
    }
    at = end + delimiter.length
  }
}
