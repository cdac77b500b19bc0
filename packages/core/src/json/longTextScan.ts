/**
 * Finds the long texts of JSON in its bytes, 16 of them at a time: a program of WebAssembly, since a loop of JavaScript takes
 * 480 µs for 64 KiB where this takes 10. What it finds is a text to every reader: it ends at its first quote that is not escaped, its
 * escapes are JSON's, and no character in it had to be escaped. That its bytes are UTF-8 is for others to see.
 */
import * as Wasm from "../shared/wasmCode.js"
import { escapes, isHex } from "./jsonBytes.js"

/** Bytes that are looked at. */
export const mostScanned = 128 * 1024

/** A place that was found: where its text begins, where it ends, and how many bytes more than characters its escapes are. */
const entryBytes = 12
const mostFound = 64

/** The memory: what each byte may be, the places that were found, the bytes themselves, and some more to read beyond them. */
const kinds = 0
const found = 256
const source = found + mostFound * entryBytes
const pages = Math.ceil((source + mostScanned + 32) / 65_536)

const Kind = { escape: 1, hex: 2 } as const

const quote = 0x22
const backslash = 0x5c
const letterU = 0x75

const { Type, add, and, atLeast, bits16, branch, equal, equal16, get, leave, less, less16, load16, loadByte, loop } =
  Wasm
const { number, or16, set, splat, subtract, tee, trailingZeros, when } = Wasm

/** What the first program takes and keeps. */
const [length, least, at, from, byte, mask, shorter, isOdd, out, block, quotes, backslashes, blank] = [
  0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12
] as const

const raise = (local: number, by: number): Wasm.Code => [...get(local), ...number(by), ...add, ...set(local)]
const fill = (local: number, value: number): Wasm.Code => [...number(value), ...splat, ...set(local)]
const isKind = (ahead: number, kind: number): Wasm.Code => [
  ...get(at),
  ...loadByte(source + ahead),
  ...loadByte(kinds),
  ...number(kind),
  ...and
]
const keep = (place: number, local: number): Wasm.Code => [...get(out), ...get(local), ...Wasm.store(found + place)]
/** To the next block where there is nothing in this one, else to the first thing in it; over when that is behind the last byte. */
const step = (depth: number): Wasm.Code => [
  ...tee(mask),
  ...Wasm.isZero,
  ...when(raise(at, 16), branch(depth)),
  ...get(at),
  ...get(mask),
  ...trailingZeros,
  ...add,
  ...tee(at),
  ...get(length),
  ...atLeast,
  ...when(get(out), leave)
]
const isByte = (value: number): Wasm.Code => [...get(byte), ...number(value), ...equal]

/** Gives how many bytes the entries take of all texts of at least `least` bytes. */
const scan: Wasm.Program = {
  name: "scan",
  parameters: 2,
  locals: [...Array<number>(7).fill(Type.i32), ...Array<number>(4).fill(Type.v128)],
  body: [
    fill(quotes, quote),
    fill(backslashes, backslash),
    fill(blank, 0x20),
    loop(
      // Between texts. Behind the last byte is whatever was there before.
      [...get(at), ...get(length), ...atLeast, ...when(get(out), leave)],
      [...get(at), ...load16(source), ...get(quotes), ...equal16, ...bits16, ...step(1)],
      raise(at, 1),
      [...get(at), ...set(from)],
      [...number(0), ...tee(shorter), ...set(isOdd)],
      loop(
        // In a text.
        [...get(at), ...get(length), ...atLeast, ...when(get(out), leave)],
        [...get(at), ...load16(source), ...tee(block), ...get(quotes), ...equal16],
        [...get(block), ...get(backslashes), ...equal16, ...or16],
        [...get(block), ...get(blank), ...less16, ...or16, ...bits16, ...step(1)],
        [...get(at), ...loadByte(source), ...set(byte)],
        isByte(quote),
        when(
          [...get(at), ...get(from), ...subtract, ...get(least), ...atLeast],
          [...get(isOdd), ...Wasm.isZero, ...and],
          [...get(out), ...number(mostFound * entryBytes), ...less, ...and],
          when(keep(0, from), keep(4, at), keep(8, shorter), raise(out, entryBytes)),
          raise(at, 1),
          branch(2)
        ),
        isByte(backslash),
        when(
          isKind(1, Kind.escape),
          when(raise(shorter, 1), raise(at, 2), branch(2)),
          [...get(at), ...loadByte(source + 1), ...number(letterU), ...equal],
          [2, 3, 4, 5].flatMap((ahead) => [...isKind(ahead, Kind.hex), ...number(0), ...Wasm.unequal, ...and]),
          when(raise(shorter, 5), raise(at, 6), branch(2)),
          raise(at, 1)
        ),
        // No escape, or a character that has to be one.
        [...number(1), ...set(isOdd)],
        raise(at, 1),
        branch(0)
      )
    ),
    get(out)
  ]
}

/** What the second program takes and keeps. */
const [begin, end, sum, some, limit, tails, leads] = [0, 1, 2, 3, 4, 5, 6] as const
const within: Wasm.Code = [...bits16, ...get(limit), ...and, ...Wasm.ones]

/** Gives how many bytes more than UTF-16 code units some UTF-8 is. */
const surplus: Wasm.Program = {
  name: "surplus",
  parameters: 2,
  locals: [Type.i32, Type.v128, Type.i32, Type.v128, Type.v128],
  body: [
    fill(tails, 0xc0),
    fill(leads, 0xef),
    loop(
      [...get(begin), ...get(end), ...atLeast, ...when(get(sum), leave)],
      [...number(0xffff), ...set(limit)],
      [...get(end), ...get(begin), ...subtract, ...number(16), ...less],
      when([
        ...number(1),
        ...get(end),
        ...get(begin),
        ...subtract,
        ...Wasm.shiftLeft,
        ...number(1),
        ...subtract,
        ...set(limit)
      ]),
      [...get(begin), ...load16(source), ...set(some)],
      [...get(sum), ...get(some), ...get(tails), ...Wasm.signedLess16, ...within, ...add],
      [...get(some), ...get(leads), ...Wasm.greater16, ...within, ...subtract, ...set(sum)],
      raise(begin, 16),
      branch(0)
    ),
    get(sum)
  ]
}

interface Exports {
  readonly memory: { readonly buffer: ArrayBuffer }
  readonly scan: (length: number, least: number) => number
  readonly surplus: (start: number, end: number) => number
}

/** As much of it as is used: its types come with those of browsers alone. */
interface WebAssemblyHere {
  readonly Module: new (bytes: Uint8Array) => object
  readonly Instance: new (module: object) => { readonly exports: unknown }
}

interface Scanner extends Exports {
  readonly bytes: Uint8Array
  readonly entries: Int32Array
}

const made = (): Scanner | undefined => {
  try {
    const { Instance, Module } = (globalThis as unknown as { readonly WebAssembly: WebAssemblyHere }).WebAssembly
    const exports = new Instance(new Module(Wasm.moduleOf(pages, [scan, surplus]))).exports as Exports
    const { buffer } = exports.memory
    const table = new Uint8Array(buffer, kinds, 256)
    for (let one = 0; one < 256; one++) {
      table[one] = (escapes[one] === 1 ? Kind.escape : 0) | (isHex(one) ? Kind.hex : 0)
    }
    return {
      memory: exports.memory,
      scan: exports.scan,
      surplus: exports.surplus,
      bytes: new Uint8Array(buffer, source),
      entries: new Int32Array(buffer, found)
    }
  } catch {
    // Nothing may be compiled here, or the addresses that such a memory reserves are not granted.
    return undefined
  }
}

let scanner: Scanner | undefined
let isMade = false

/** A long text: the places of its first byte and of its last quote, and its UTF-16 code units. */
export interface Found {
  readonly start: number
  readonly end: number
  readonly characters: number
}

const none: ReadonlyArray<Found> = []

/**
 * The texts of at least `least` bytes in JSON of no more than `mostScanned`, in their order, names included. `bytes` are UTF-8; of what
 * is no JSON some may be missing, and none is wrong. None is found where there is no WebAssembly.
 */
export const longTextsIn = (bytes: Uint8Array, least: number, isAscii: boolean): ReadonlyArray<Found> => {
  if (!isMade) {
    isMade = true
    scanner = made()
  }
  if (scanner === undefined || bytes.length > mostScanned) return none
  scanner.bytes.set(bytes)
  const size = scanner.scan(bytes.length, least)
  if (size === 0) return none
  const texts: Array<Found> = []
  const { entries } = scanner
  for (let entry = 0; entry < size / 4; entry += 3) {
    const start = entries[entry] as number
    const end = entries[entry + 1] as number
    const wide = isAscii ? 0 : scanner.surplus(start, end)
    texts.push({ start, end, characters: end - start - (entries[entry + 2] as number) - wide })
  }
  return texts
}
