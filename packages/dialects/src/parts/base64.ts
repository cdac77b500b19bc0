/**
 * Base64 wherever this runs: Node's own where there is Node, since it is many times as fast, else Effect's.
 */
import { Either, Encoding } from "effect"

const hasNode = typeof Buffer !== "undefined"

/** A text's UTF-8 bytes as base64. */
export const toBase64 = (text: string): string =>
  hasNode ? Buffer.from(text, "utf8").toString("base64") : Encoding.encodeBase64(text)

/** The text whose UTF-8 bytes base64 holds; of what is none, what Node makes of it, or nothing. */
export const fromBase64 = (base64: string): string =>
  hasNode
    ? Buffer.from(base64, "base64").toString("utf8")
    : Either.getOrElse(Encoding.decodeBase64String(base64), () => "")

/** Bytes as base64. */
export const bytesToBase64 = (bytes: Uint8Array): string =>
  hasNode
    ? Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64")
    : Encoding.encodeBase64(bytes)

/** The bytes that base64 holds, in memory of their own. */
export const bytesFromBase64 = (base64: string): Uint8Array =>
  hasNode
    ? Uint8Array.from(Buffer.from(base64, "base64"))
    : Either.getOrElse(Encoding.decodeBase64(base64), () => new Uint8Array())

/** How many bytes a text takes in UTF-8. */
export const byteLength = (text: string): number =>
  hasNode ? Buffer.byteLength(text, "utf8") : new TextEncoder().encode(text).length
