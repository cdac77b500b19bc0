/** The files of a journal: one after the other, each named by the position that it begins at. */
import { existsSync, readdirSync, rmSync, statSync } from "node:fs"
import { join } from "node:path"

const ending = ".jsonl"

/** What a journal's folder is called while its gateway has not locked it. */
export const unfinished = ".new-"

/** Whose lock is held as long as the gateway lives that writes it. */
export const lockName = "lock"

/** One file. Positions are bytes since the journal began. */
export interface Segment {
  readonly path: string
  readonly from: number
  readonly to: number
}

/** The path of the segment that begins at a position. */
export const pathOf = (folder: string, from: number): string =>
  join(folder, `${String(from).padStart(16, "0")}${ending}`)

/** The segments that are there, in their order. */
export const list = (folder: string): ReadonlyArray<Segment> =>
  (existsSync(folder) ? readdirSync(folder) : [])
    .filter((name) => name.endsWith(ending))
    .sort()
    .map((name) => {
      const from = Number(name.slice(0, -ending.length))
      const path = join(folder, name)
      return { path, from, to: from + statSync(path).size }
    })

/** Removes segments that end at or before a position; the last one stays, it may be written to. */
export const dropUpTo = (folder: string, position: number): void => {
  for (const { path, to } of list(folder).slice(0, -1)) {
    if (to <= position) rmSync(path, { force: true })
  }
}

/** Names of journals below a folder. */
export const journals = (folder: string): ReadonlyArray<string> =>
  (existsSync(folder) ? readdirSync(folder, { withFileTypes: true }) : [])
    .filter((entry) => entry.isDirectory() && !entry.name.startsWith("."))
    .map(({ name }) => name)
