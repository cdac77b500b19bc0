/**
 * Mutations as data: a few numbers say what is done where, so that a failing case can be written down, had again and made
 * smaller.
 */
import { FastCheck as fc } from "effect"

/** One mutation: which, at which of the places that there are, with which of the things, and how much. */
export interface Step {
  readonly kind: number
  readonly at: number
  readonly what: number
  readonly size: number
}

const number = fc.noBias(fc.nat(0xffff))

export const step: fc.Arbitrary<Step> = fc.record({ kind: number, at: number, what: number, size: number })

/** One of some things. */
export const pick = <A>(items: readonly [A, ...ReadonlyArray<A>], index: number): A =>
  items[index % items.length] ?? items[0]

/** Where to cut bytes into pieces: in thousandths of their length. */
export const cuts: fc.Arbitrary<ReadonlyArray<number>> = fc.array(fc.noBias(fc.nat(999)), { maxLength: 12 })

/** Bytes in pieces, cut at these thousandths; `each` cuts at every byte. */
export const pieces = (bytes: Buffer, at: ReadonlyArray<number> | "each"): ReadonlyArray<Buffer> => {
  if (at === "each") return Array.from(bytes, (_, index) => bytes.subarray(index, index + 1))
  const places = [...new Set(at.map((part) => Math.floor((part * bytes.length) / 1000)))].sort((a, b) => a - b)
  return [0, ...places].map((from, index) => bytes.subarray(from, places[index])).filter((piece) => piece.length > 0)
}
