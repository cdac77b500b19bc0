/**
 * Embeddings in the encoding that the caller asked for, whatever the upstream sent. OpenAI's own client asks for base64 by
 * default, and many compatible servers answer with lists of floats all the same.
 */
import { arrayOf, isJsonObject, type JsonObject } from "@switchyard/core/Json"

/** Float32 little endian in base64, as OpenAI sends it. */
const toBase64 = (floats: ReadonlyArray<unknown>): string => {
  const bytes = Buffer.allocUnsafe(floats.length * 4)
  floats.forEach((value, index) => {
    bytes.writeFloatLE(typeof value === "number" ? value : Number.NaN, index * 4)
  })
  return bytes.toString("base64")
}

const fromBase64 = (text: string): ReadonlyArray<number> => {
  const bytes = Buffer.from(text, "base64")
  return Array.from({ length: Math.floor(bytes.length / 4) }, (_, index) => bytes.readFloatLE(index * 4))
}

const converted = (embedding: unknown, base64: boolean): unknown => {
  if (base64 && Array.isArray(embedding)) return toBase64(embedding)
  return !base64 && typeof embedding === "string" ? fromBase64(embedding) : embedding
}

/** The answer with its embeddings in the encoding that `request` asked for; the same object when they are already. */
export const encodeAs = (request: JsonObject, body: JsonObject): JsonObject => {
  const base64 = request.encoding_format === "base64"
  let changed = false
  const data = arrayOf(body.data).map((item) => {
    if (!isJsonObject(item)) return item
    const embedding = converted(item.embedding, base64)
    if (embedding === item.embedding) return item
    changed = true
    return { ...item, embedding }
  })
  return changed ? { ...body, data } : body
}
