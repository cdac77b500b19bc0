/**
 * Words for a module of WebAssembly, as its text format has them, and the bytes that they stand for: as much as a scanner needs.
 * A program is a list of them, read from top to bottom: what stands below works on what those above have left on the stack.
 */

/** A piece of a module: its bytes. */
export type Code = ReadonlyArray<number>

/** A number of no more than 7 bits at a time. */
const unsigned = (value: number): Code => (value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...unsigned(value >>> 7)])

const signed = (value: number): Code =>
  value >= -64 && value < 64 ? [value & 0x7f] : [(value & 0x7f) | 0x80, ...signed(value >> 7)]

const all = (codes: ReadonlyArray<Code>): Code => codes.flat()

/** What is 128 bits wide. */
const wide = (opcode: number, ...rest: Code): Code => [0xfd, ...unsigned(opcode), ...rest]

/** The types of what a function takes, gives and keeps. */
export const Type = { i32: 0x7f, v128: 0x7b } as const

const nothing = 0x40

export const number = (value: number): Code => [0x41, ...signed(value)]
export const get = (local: number): Code => [0x20, ...unsigned(local)]
export const set = (local: number): Code => [0x21, ...unsigned(local)]
/** Keeps what is on the stack, and leaves it there. */
export const tee = (local: number): Code => [0x22, ...unsigned(local)]

/** Goes on from its beginning where a branch says so. */
export const loop = (...body: ReadonlyArray<Code>): Code => [0x03, nothing, ...all(body), 0x0b]
/** Where the stack's top is not 0. */
export const when = (...body: ReadonlyArray<Code>): Code => [0x04, nothing, ...all(body), 0x0b]
/** To the beginning of a loop, or the end of a `when`: the innermost is 0. */
export const branch = (depth: number): Code => [0x0c, ...unsigned(depth)]
export const leave: Code = [0x0f]

/** A byte, so far behind the address on the stack. */
export const loadByte = (offset = 0): Code => [0x2d, 0, ...unsigned(offset)]
export const store = (offset = 0): Code => [0x36, 2, ...unsigned(offset)]

export const isZero: Code = [0x45]
export const equal: Code = [0x46]
export const unequal: Code = [0x47]
export const less: Code = [0x48]
export const atLeast: Code = [0x4e]
export const trailingZeros: Code = [0x68]
export const ones: Code = [0x69]
export const add: Code = [0x6a]
export const subtract: Code = [0x6b]
export const and: Code = [0x71]
export const shiftLeft: Code = [0x74]

/** 16 bytes, so far behind the address on the stack. */
export const load16 = (offset = 0): Code => wide(0x00, 0, ...unsigned(offset))
/** 16 times the byte on the stack. */
export const splat: Code = wide(0x0f)
export const equal16: Code = wide(0x23)
export const signedLess16: Code = wide(0x25)
export const less16: Code = wide(0x26)
export const greater16: Code = wide(0x28)
export const or16: Code = wide(0x50)
/** The highest bit of each of 16 bytes. */
export const bits16: Code = wide(0x64)

/** A function: what it takes, all numbers, then what it keeps. It gives a number. */
export interface Program {
  readonly name: string
  readonly parameters: number
  readonly locals: ReadonlyArray<number>
  readonly body: ReadonlyArray<Code>
}

const section = (id: number, items: ReadonlyArray<Code>): Code => {
  const content = [...unsigned(items.length), ...all(items)]
  return [id, ...unsigned(content.length), ...content]
}

const text = (value: string): Code => [...unsigned(value.length), ...[...value].map((char) => char.charCodeAt(0))]

const typeOf = ({ parameters }: Program): Code => [0x60, parameters, ...Array(parameters).fill(Type.i32), 1, Type.i32]

const codeOf = ({ body, locals }: Program): Code => {
  const content = [...unsigned(locals.length), ...locals.flatMap((type) => [1, type]), ...all(body), 0x0b]
  return [...unsigned(content.length), ...content]
}

/** A module of some functions that work on a memory of so many pages of 64 KiB, which it gives as `memory`. */
export const moduleOf = (pages: number, programs: ReadonlyArray<Program>): Uint8Array =>
  new Uint8Array([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, programs.map(typeOf)),
    ...section(
      3,
      programs.map((_, index) => unsigned(index))
    ),
    ...section(5, [[1, ...unsigned(pages), ...unsigned(pages)]]),
    ...section(7, [
      [...text("memory"), 2, 0],
      ...programs.map(({ name }, index) => [...text(name), 0, ...unsigned(index)])
    ]),
    ...section(10, programs.map(codeOf))
  ])
