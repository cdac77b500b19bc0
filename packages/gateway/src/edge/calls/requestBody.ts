import type { IncomingMessage } from "node:http"
import { isUtf8, textOf } from "@switchyard/core/BytesText"
import {
  infinitePaths,
  type Members,
  membersOf,
  outlineOf,
  repeatedName,
  type WrittenMember
} from "@switchyard/core/ExactJson"
import { isJsonObject, type JsonObject } from "@switchyard/core/Json"
import { type LongTexts, longTextsOf } from "@switchyard/core/LongTexts"
import { leastBody, placesOf, withLong } from "@switchyard/core/WrittenBody"
import { Either } from "effect"
import type { Refusal } from "../../errors/ErrorBody.js"

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
export const withoutMark = (bytes: Buffer): Buffer =>
  bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? bytes.subarray(3) : bytes

const bad = (code: string, message: string): Either.Either<never, Refusal> =>
  Either.left({ status: 400, code, message })

/** A body as a request takes it. */
export interface ParsedBody {
  readonly json: JsonObject
  /** Members that go on as they were written: those whose numbers parsing changes, or all of a large body. */
  readonly exact: Members | undefined
}

/** What bodies may hold. */
export interface JsonBounds {
  /** Objects and lists in each other. */
  readonly maxDepth: number
  /** Values of any kind. */
  readonly maxValues: number
  /** Numbers in rows of `input` or `prompt`, which are token ids. */
  readonly maxNumbers: number
}

/** Fields at a body's root. Any of them is copied and looked up many times. */
export const maxFields = 1000

export const tooDeep = (max: number): Refusal => ({
  status: 400,
  code: "too_deep",
  message: `the request's body nests deeper than ${max} levels`
})

export const tooManyFields: Refusal = {
  status: 400,
  code: "too_many_fields",
  message: `the request's body has more than ${maxFields} fields`
}

/** Different names of fields in a large body: each makes whatever reads an object slower. */
export const maxNames = 20_000

export const tooManyNames: Refusal = {
  status: 400,
  code: "too_many_fields",
  message: `the request's body has more than ${maxNames} different names of fields`
}

export const repeated = (name: string): Refusal => ({
  status: 400,
  code: "duplicate_field",
  param: name.slice(0, 100),
  message: `the field ${JSON.stringify(name.slice(0, 100))} stands more than once in the request's body`
})

/** Nobody is told: the body is read once more, with its long texts. */
const unplaced: Refusal = { status: 400, code: "invalid_json", message: "" }

const asRead = (members: ReadonlyMap<string, WrittenMember>): JsonObject =>
  Object.fromEntries([...members].map(([name, { value }]) => [name, value]))

/** The JSON object in a small body, or what is wrong with it; never a quote from it but a field's name. */
export const parseBody = (sent: Buffer, maxDepth: number): Either.Either<ParsedBody, Refusal> => {
  const bytes = withoutMark(sent)
  if (bytes.length === 0) return bad("empty_body", "the request has no body; a JSON object is expected")
  if (!isUtf8(bytes)) return bad("invalid_utf8", "the request's body is not valid UTF-8")
  const long = longTextsOf(bytes)
  const body = long === undefined ? undefined : parsed(bytes, long.text, maxDepth, long)
  // What is wrong is told of the text as it came.
  return body !== undefined && Either.isRight(body) ? body : parsed(bytes, textOf(bytes), maxDepth)
}

/** `text` is what the bytes say, or what of it is left without its `long` texts, which then have to find their places. */
const parsed = (
  bytes: Buffer,
  text: string,
  maxDepth: number,
  long?: LongTexts
): Either.Either<ParsedBody, Refusal> => {
  let value: unknown
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
  const places = bytes.length < leastBody ? undefined : placesOf(text)
  const { depth, members: fields } = places === undefined ? outlineOf(text) : { ...places, members: places.all.length }
  if (depth > maxDepth) return Either.left(tooDeep(maxDepth))
  if (fields > maxFields) return Either.left(tooManyFields)
  if (fields !== Object.keys(value).length) return Either.left(repeated(repeatedName(text) ?? ""))
  const exact = membersOf(text, value)
  const infinite = exact === undefined ? [] : infinitePaths(asRead(exact))
  if (infinite.length > 0) {
    return bad(
      "invalid_number",
      infinite.map((path) => `${path}: expected a number that fits, this one is too large`).join("; ")
    )
  }
  if (long !== undefined && (long.isIn(exact) || !long.putInto(value))) return Either.left(unplaced)
  return Either.right({
    json: value,
    exact: places === undefined ? exact : withLong(bytes, text, places, value, exact, long)
  })
}
