import { isUtf8 } from "node:buffer"
import type { IncomingMessage } from "node:http"
import { infinitePaths, type Members, membersOf } from "@switchyard/core/ExactJson"
import { isDeeper, isJsonObject, type JsonObject } from "@switchyard/core/Json"
import { Either } from "effect"
import type { Refusal } from "../ErrorBody.js"
import { unpack, unpackerOf } from "./unpacking.js"

/** The refusal of a body that is larger than `max` bytes. */
export const tooLarge = (max: number): Refusal => ({
  status: 413,
  code: "request_too_large",
  message: `the request's body is larger than ${max} bytes`
})

/** What a request says about its body's length; undefined when it does not. */
export const declaredLength = (request: IncomingMessage): number | undefined => {
  const value = request.headers["content-length"]
  return value === undefined ? undefined : Number(value)
}

/** A mark that some programs of Windows put before every text in UTF-8. */
const withoutMark = (bytes: Buffer): Buffer =>
  bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? bytes.subarray(3) : bytes

/**
 * Gives the bytes of a request to `done`, once, in the turn in which the last of them came, or was unpacked; no fiber waits
 * for them. Both what is sent and what it unpacks to is bounded by `max`. What
 * comes after the bound is read and dropped, so that the client gets to read the refusal; how long that may take is bounded
 * by the server's `requestTimeout`. A client that goes away is the server's to notice.
 */
export const readBody = (
  request: IncomingMessage,
  max: number,
  done: (body: Either.Either<Buffer, Refusal>) => void
): void => {
  let chunks: Array<Buffer> = []
  let size = 0
  let isTooLarge = false
  request.on("data", (chunk: Buffer) => {
    size += chunk.length
    if (size <= max) chunks.push(chunk)
    else if (!isTooLarge) {
      isTooLarge = true
      chunks = []
      done(Either.left(tooLarge(max)))
    }
  })
  request.on("end", () => {
    if (isTooLarge) return
    const only = chunks[0]
    const bytes = chunks.length === 1 && only !== undefined ? only : Buffer.concat(chunks, size)
    const encoding = request.headers["content-encoding"]
    if (encoding === undefined) return done(Either.right(bytes))
    const unpacker = unpackerOf(encoding)
    if (Either.isLeft(unpacker)) return done(Either.left(unpacker.left))
    if (unpacker.right === undefined) done(Either.right(bytes))
    else unpack(unpacker.right, bytes, max, done)
  })
}

const bad = (code: string, message: string): Either.Either<never, Refusal> =>
  Either.left({ status: 400, code, message })

/** A body as a request takes it. */
export interface ParsedBody {
  readonly json: JsonObject
  /** Members whose numbers go on as they were written. */
  readonly exact: Members | undefined
}

const asRead = (members: Members): JsonObject =>
  Object.fromEntries([...members].map(([name, { value }]) => [name, value]))

/** The JSON object in a body, or what is wrong with it; never a quote from it. */
export const parseBody = (sent: Buffer, maxDepth: number): Either.Either<ParsedBody, Refusal> => {
  const bytes = withoutMark(sent)
  if (bytes.length === 0) return bad("empty_body", "the request has no body; a JSON object is expected")
  if (!isUtf8(bytes)) return bad("invalid_utf8", "the request's body is not valid UTF-8")
  let value: unknown
  const text = bytes.toString("utf8")
  try {
    value = JSON.parse(text)
  } catch (cause) {
    const position = /at position (\d+)/.exec(String(cause))?.[1]
    return bad(
      "invalid_json",
      `the request's body is not valid JSON${position === undefined ? "" : ` (at character ${position})`}`
    )
  }
  if (!isJsonObject(value)) return bad("invalid_json", "the request's body is JSON, but not an object")
  if (isDeeper(value, maxDepth)) return bad("too_deep", `the request's body nests deeper than ${maxDepth} levels`)
  const exact = membersOf(text, value)
  const infinite = exact === undefined ? [] : infinitePaths(asRead(exact))
  return infinite.length === 0
    ? Either.right({ json: value, exact })
    : bad(
        "invalid_number",
        infinite.map((path) => `${path}: expected a number that fits, this one is too large`).join("; ")
      )
}
