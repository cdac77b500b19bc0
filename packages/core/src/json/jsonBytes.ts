/**
 * The bytes of JSON: what each of them may stand for, and where they begin and end a thing.
 */
import * as StandIn from "./StandIn.js"

/** What is read next. */
export const State = {
  value: 0,
  valueOrClose: 1,
  keyOrClose: 2,
  key: 3,
  colon: 4,
  after: 5,
  end: 6,
  text: 7,
  name: 8,
  number: 9,
  word: 10
} as const

/** Bytes that stand for themselves in a text, one of ASCII each. */
export const plain = new Uint8Array(256)
for (let byte = 0x20; byte < 0x80; byte++) plain[byte] = 1
plain[0x22] = 0
plain[0x5c] = 0

export const isSpace = (byte: number): boolean => byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09
export const isDigit = (byte: number): boolean => byte >= 0x30 && byte <= 0x39
export const isHex = (byte: number): boolean =>
  isDigit(byte) || (byte >= 0x41 && byte <= 0x46) || (byte >= 0x61 && byte <= 0x66)

/** Bytes that may follow a backslash, but for those of a code. */
export const escapes = new Uint8Array(256)
for (const char of '"\\/bfnrt') escapes[char.charCodeAt(0)] = 1

/** The parts of a number, in their order; those in `whole` may be its last. */
export const Part = { sign: 0, zero: 1, digits: 2, point: 3, decimals: 4, e: 5, exponentSign: 6, exponent: 7 } as const
export const whole: ReadonlyArray<boolean> = [false, true, true, false, true, false, false, true]

/** The part that a byte begins or goes on with; -1 for none. */
export const nextPart = (part: number, byte: number): number => {
  if (isDigit(byte)) {
    switch (part) {
      case Part.sign:
        return byte === 0x30 ? Part.zero : Part.digits
      case Part.zero:
        return -1
      case Part.point:
        return Part.decimals
      case Part.e:
      case Part.exponentSign:
        return Part.exponent
      default:
        return part
    }
  }
  if (byte === 0x2e) return part === Part.zero || part === Part.digits ? Part.point : -1
  if (byte === 0x65 || byte === 0x45) return part !== Part.exponent && whole[part] === true ? Part.e : -1
  if (byte === 0x2b || byte === 0x2d) return part === Part.e ? Part.exponentSign : -1
  return -1
}

export const words: ReadonlyMap<number, readonly [text: string, value: boolean | null]> = new Map([
  [0x74, ["true", true]],
  [0x66, ["false", false]],
  [0x6e, ["null", null]]
])

/** Short names that come again and again are made once. */
const names: Array<string | undefined> = new Array(256)
const maxKeptName = 24

const isWrittenAs = (name: string, bytes: Buffer, start: number): boolean => {
  for (let i = 0; i < name.length; i++) if (name.charCodeAt(i) !== bytes[start + i]) return false
  return true
}

/** A name in ASCII. One that had to be made is added to `seen`. */
export const nameAt = (bytes: Buffer, start: number, end: number, seen: Set<string>): string => {
  const length = end - start
  if (length > maxKeptName || length === 0) {
    const long = bytes.toString("latin1", start, end)
    seen.add(long)
    return long
  }
  const place = ((bytes[start] ?? 0) * 31 + (bytes[end - 1] ?? 0) * 7 + length) & 0xff
  const known = names[place]
  if (known !== undefined && known.length === length && isWrittenAs(known, bytes, start)) return known
  const made = bytes.toString("latin1", start, end)
  names[place] = made
  seen.add(made)
  return made
}

/** Where the beginning of a text ends, after `length` bytes or a few more: between two characters. */
export const headEnd = (bytes: Buffer, start: number, length = StandIn.headLength): number => {
  const limit = start + length
  let at = start
  while (at < limit) {
    const byte = bytes[at] ?? 0
    if (byte === 0x5c) at += bytes[at + 1] === 0x75 ? 6 : 2
    else at += byte < 0xc0 ? 1 : byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4
  }
  return at
}

export const setField = (object: Record<string, unknown>, name: string, value: unknown): void => {
  if (name === "__proto__") {
    Object.defineProperty(object, name, { value, writable: true, enumerable: true, configurable: true })
  } else object[name] = value
}
