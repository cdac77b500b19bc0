/**
 * Embeddings in the encoding that the caller asked for, whatever the upstream sent. OpenAI's own client asks for base64 by
 * default, and many compatible servers answer with lists of floats all the same.
 */
import { arrayOf, isJsonObject, type JsonObject } from "@switchyard/core/Json"
import * as StandIn from "@switchyard/core/StandIn"
import * as Turns from "@switchyard/core/Turns"
import { Effect } from "effect"

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

const isVector = (embedding: unknown): boolean => typeof embedding === "string" || Array.isArray(embedding)

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

/** A row of numbers that was left in the bytes, as the floats that it is. */
const floatsAt = (embedding: unknown, source: Buffer): unknown => {
  const [only] = arrayOf(embedding)
  const facts = typeof only === "string" ? StandIn.factsOf(only) : undefined
  if (facts === undefined) return embedding
  return JSON.parse(`[${source.toString("latin1", facts.start, facts.end)}]`)
}

/**
 * The same for a large answer, whose numbers were left in its `source`: what goes out, some time later, since nobody else
 * should wait while vectors are encoded.
 */
export const encodeLargeAs = (request: JsonObject, body: JsonObject, source: Buffer): Effect.Effect<Uint8Array> => {
  const base64 = request.encoding_format === "base64"
  const data = arrayOf(body.data)
  const isRight = (item: unknown): boolean =>
    !isJsonObject(item) || (typeof item.embedding === "object") === !base64 || !isVector(item.embedding)
  if (data.every(isRight)) return Effect.succeed(source)
  return Effect.async<Uint8Array>((resume) => {
    const { data: _, ...rest } = body
    const parts: Array<string> = []
    let at = 0
    let isOver = false
    Turns.take(() => {
      if (isOver) return false
      const item = data[at]
      const encoded = isJsonObject(item)
        ? { ...item, embedding: converted(floatsAt(item.embedding, source), base64) }
        : item
      parts.push(JSON.stringify(encoded))
      if (++at < data.length) return true
      const around = JSON.stringify(rest)
      const begin = around === "{}" ? "{" : `${around.slice(0, -1)},`
      resume(Effect.succeed(Buffer.from(`${begin}"data":[${parts.join(",")}]}`)))
      return false
    })
    return Effect.sync(() => {
      isOver = true
    })
  })
}
