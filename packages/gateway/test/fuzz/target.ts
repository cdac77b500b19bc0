/**
 * What is fuzzed: inputs made of a corpus, and the oracle that judges what becomes of one.
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import type { FastCheck as fc } from "effect"

/** A promise that an input broke. `oracle` names the promise in a few words, the same for every input that breaks it. */
export class Violation extends Error {
  constructor(
    readonly oracle: string,
    detail: string
  ) {
    super(`${oracle}: ${detail.slice(0, 1_500)}`)
  }
}

/** One thing that is fuzzed. `Case` is data: it can be written down, and had again. */
export interface Target<Case> {
  readonly name: string
  readonly cases: fc.Arbitrary<Case>
  /** The files of the corpus as cases of their own. */
  readonly corpus: ReadonlyArray<readonly [file: string, item: Case]>
  /** Throws a `Violation`. */
  readonly check: (item: Case) => Promise<void>
  /** Throws a `Violation` for what can only be told after many cases: nothing may be left of them. */
  readonly settle: () => Promise<void>
  /** The bytes of a case, as a file of the corpus holds them. */
  readonly bytesOf: (item: Case) => Buffer
  /** A case of bytes: to try a smaller input under the same circumstances. */
  readonly withBytes: (item: Case, bytes: Buffer) => Case
  readonly extension: string
  readonly close: () => Promise<void>
}

const here = dirname(fileURLToPath(import.meta.url))
const corpusFolder = join(here, "..", "corpus")

/** Where found inputs are written to; git does not know it. */
export const foundFolder = join(here, "found")

/** One file of the corpus. */
export interface Item {
  readonly file: string
  readonly bytes: Buffer
}

/** The corpus of a target, sorted by name. */
export const corpusOf = (target: string): readonly [Item, ...ReadonlyArray<Item>] => {
  const folder = join(corpusFolder, target)
  const [first, ...rest] = readdirSync(folder)
    .sort()
    .map((file) => ({ file, bytes: readFileSync(join(folder, file)) }))
  if (first === undefined) throw new Error(`no corpus in ${folder}`)
  return [first, ...rest]
}

/** Writes a found input and how it came about. */
export const writeFound = (name: string, extension: string, bytes: Buffer, report: object): string => {
  mkdirSync(foundFolder, { recursive: true })
  const path = join(foundFolder, `${name}${extension}`)
  writeFileSync(path, bytes)
  writeFileSync(`${path}.json`, `${JSON.stringify(report, undefined, 2)}\n`)
  return path
}
