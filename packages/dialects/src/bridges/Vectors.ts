/**
 * Embeddings as lists of numbers, whichever way they came.
 */
import { arrayOf, isJsonObject, type JsonObject } from "@switchyard/core/Json"
import { Either } from "effect"
import { bytesFromBase64 } from "../parts/base64.js"
import { asNumber } from "../parts/values.js"

const decoded = (base64: string): Array<number> => {
  const { buffer, byteLength, byteOffset } = bytesFromBase64(base64)
  const view = new DataView(buffer, byteOffset, byteLength)
  return Array.from({ length: byteLength >> 2 }, (_, at) => view.getFloat32(at * 4, true))
}

const vectorOf = (value: unknown): Array<number> | undefined => {
  if (typeof value === "string") return decoded(value)
  return Array.isArray(value) && value.every((one) => typeof one === "number") ? value : undefined
}

/** The vectors of an answer in OpenAI's words, in the order of the `count` inputs; fails with what is wrong. */
export const vectorsOf = (body: JsonObject, count: number): Either.Either<Array<Array<number>>, string> => {
  const vectors: Array<Array<number> | undefined> = new Array(count)
  arrayOf(body.data).forEach((entry, place) => {
    if (!isJsonObject(entry)) return
    vectors[asNumber(entry.index) ?? place] = vectorOf(entry.embedding)
  })
  const found = vectors.slice(0, count).filter((one) => one !== undefined)
  return found.length === count && vectors.length === count
    ? Either.right(found)
    : Either.left(`holds ${vectors.filter((one) => one !== undefined).length} embeddings of ${count}`)
}
