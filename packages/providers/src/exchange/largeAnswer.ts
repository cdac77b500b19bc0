/**
 * Reads a large answer in turns with all other work. The numbers of embeddings stay in its bytes.
 */
import type * as NodeBuffer from "node:buffer"
import * as Builtin from "@switchyard/core/Builtin"
import type { JsonObject } from "@switchyard/core/Json"
import { JsonReader, type Problem } from "@switchyard/core/JsonReader"
import type { Operation } from "@switchyard/core/LlmRequest"
import * as Turns from "@switchyard/core/Turns"
import { maxDepth, tooDeep } from "./nesting.js"

/** Bytes up to which an answer is parsed in one go. */
export const largeAnswer = 256 * 1024

/** What is read in one piece. */
const pieceBytes = 256 * 1024
const pieceValues = 2000

/** Values of an answer; one with the log probabilities of very many tokens has some millions. */
const maxValues = 5_000_000

/** Of Node alone, as all that reads bytes here: others parse large answers in one go. */
const isUtf8 = Builtin.find<typeof NodeBuffer>("node:buffer")?.isUtf8

const none: ReadonlySet<string> = new Set()

/** Who waits for it. */
export interface Reading {
  /** Nobody waits any more. */
  readonly isOver: () => boolean
  readonly read: (body: JsonObject, bytes: Buffer) => void
  /** Why it is no answer, after "the answer". */
  readonly failed: (why: string) => void
}

const whyNot = ({ _tag }: Problem): string => {
  switch (_tag) {
    case "tooDeep":
      return tooDeep
    case "tooManyValues":
      return `holds more than ${maxValues} values`
    default:
      return "is not a JSON object"
  }
}

const withoutMark = (bytes: Buffer): Buffer =>
  bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? bytes.subarray(3) : bytes

/** Reads an answer to an operation, in turns to come. Bytes that are no UTF-8 become U+FFFD, as in small answers. */
export const readLarge = (sent: Uint8Array, operation: Operation, reading: Reading): void => {
  const came = withoutMark(Buffer.from(sent.buffer, sent.byteOffset, sent.byteLength))
  const bytes = isUtf8?.(came) === true ? came : Buffer.from(came.toString())
  const isEmbeddings = operation === "embeddings"
  const reader = new JsonReader({
    maxDepth,
    maxValues,
    maxNumbers: Number.POSITIVE_INFINITY,
    maxFields: Number.POSITIVE_INFINITY,
    maxNames: Number.POSITIVE_INFINITY,
    ...(isEmbeddings ? {} : { numbersIn: none }),
    standIns: isEmbeddings ? "rows" : "none",
    isLenient: true
  })
  Turns.take(() => {
    if (reading.isOver()) return false
    const problem = reader.read(bytes, Math.min(bytes.length, reader.position + pieceBytes), pieceValues)
    if (problem === undefined && reader.position < bytes.length) return true
    const read = problem ?? reader.end(bytes)
    if ("_tag" in read) reading.failed(whyNot(read))
    else reading.read(read.json, bytes)
    return false
  })
}
