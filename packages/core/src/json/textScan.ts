/**
 * Reads one text of JSON in its bytes, as strictly as a decoder and `JSON.parse` together.
 */
import { escapes, isHex, plain } from "./jsonBytes.js"

const quote = 0x22
const backslash = 0x5c

const isNext = (byte: number | undefined): boolean => byte !== undefined && byte >= 0x80 && byte <= 0xbf

/** Bytes of the character beyond ASCII that begins at a place, 2 to 4; 0 when it is none. */
const wideCharacter = (bytes: Uint8Array, at: number): number => {
  const first = bytes[at] ?? 0
  const second = bytes[at + 1] ?? 0
  if (!isNext(second)) return 0
  if (first >= 0xc2 && first <= 0xdf) return 2
  if (!isNext(bytes[at + 2])) return 0
  // Neither longer than it has to be, nor half of a pair.
  if (first >= 0xe0 && first <= 0xef) {
    return (first === 0xe0 && second < 0xa0) || (first === 0xed && second > 0x9f) ? 0 : 3
  }
  if (first < 0xf0 || first > 0xf4 || !isNext(bytes[at + 3])) return 0
  return (first === 0xf0 && second < 0x90) || (first === 0xf4 && second > 0x8f) ? 0 : 4
}

/** Bytes of the escape that begins at a place; 0 when it is none. */
const escapeLength = (bytes: Uint8Array, at: number): number => {
  const kind = bytes[at + 1] ?? 0
  if (escapes[kind] === 1) return 2
  if (kind !== 0x75) return 0
  for (let digit = at + 2; digit < at + 6; digit++) if (!isHex(bytes[digit] ?? 0)) return 0
  return 6
}

/** Reads texts; one reader may read any number, one after the other. */
export class TextScan {
  /** UTF-16 code units of the text that was read last. */
  characters = 0

  /** Where the text that begins at `from`, behind its quote, ends: at its other quote. -1 when it does not, or is none. */
  read(bytes: Uint8Array, from: number): number {
    let shorter = 0
    for (let at = from; at < bytes.length; ) {
      const byte = bytes[at] as number
      if (plain[byte] === 1) {
        at++
        continue
      }
      if (byte === quote) {
        this.characters = at - from - shorter
        return at
      }
      const length = byte === backslash ? escapeLength(bytes, at) : byte >= 0x80 ? wideCharacter(bytes, at) : 0
      if (length === 0) return -1
      shorter += length - (length === 4 ? 2 : 1)
      at += length
    }
    return -1
  }
}
