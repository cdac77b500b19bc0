import { pick, type Step } from "./steps.js"

const inserts = [
  "\0",
  "\r",
  "\n",
  "\r\n",
  "\n\n",
  "\ufeff",
  '"',
  "\\",
  "{",
  "}",
  "[",
  "]",
  ",",
  ":",
  " ",
  "data:"
] as const

const spliced = (bytes: Buffer, from: number, to: number, between: Uint8Array): Buffer =>
  Buffer.concat([bytes.subarray(0, from), between, bytes.subarray(to)])

/** Changes bytes at one place. */
export const mutateBytes = (bytes: Buffer, { at, kind, size, what }: Step): Buffer => {
  if (bytes.length === 0) return bytes
  const place = at % bytes.length
  const end = Math.min(bytes.length, place + 1 + (size % 64))
  switch (kind % 8) {
    case 0:
      return spliced(bytes, place, place + 1, Buffer.of(what % 256))
    case 1:
      return spliced(bytes, place, place + 1, Buffer.of((bytes[place] ?? 0) ^ (1 << (what % 8))))
    case 2:
      return bytes.subarray(0, place)
    case 3:
      return spliced(bytes, place, end, Buffer.alloc(0))
    case 4:
      return spliced(bytes, place, place, bytes.subarray(place, end))
    case 5:
      return spliced(bytes, place, place, Buffer.from(pick(inserts, what)))
    case 6:
      return spliced(bytes, place, place, Buffer.of(pick([0x80, 0xc0, 0xe2, 0xed, 0xf5, 0xff], what)))
    default:
      return spliced(bytes, place, place, Buffer.alloc(size % 5_000, pick(inserts, what)))
  }
}
