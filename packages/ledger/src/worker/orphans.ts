/** Journals of gateways that are no more: what they had not stored yet is stored by whoever comes next. */
import { rmSync, statSync } from "node:fs"
import { join } from "node:path"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { LedgerError } from "../errors/LedgerError.js"
import * as Lock from "../journal/lock.js"
import * as Segments from "../journal/segments.js"
import type { Store } from "../store/Store.js"
import type { Driver } from "../store/sqlite/driver.js"
import * as Tail from "./tail.js"

/** What was taken over. */
export interface Adopted {
  readonly journals: number
  readonly records: number
  /** Lines that the end of their gateway tore. */
  readonly torn: number
}

const modified = (path: string): number | undefined => {
  try {
    return statSync(path).mtimeMs
  } catch {
    return undefined
  }
}

/** Ms after which a journal without a lock file is no one that is just being made or removed. */
const settledAfter = 60_000

const adopt = (folder: string, id: string, driver: Driver, store: Store): Effect.Effect<Adopted, LedgerError> => {
  const own = join(folder, id)
  return Effect.acquireUseRelease(
    Effect.sync(() => Lock.take(driver, join(own, Segments.lockName))),
    (unlock) =>
      Effect.gen(function* () {
        const adopted = { journals: 0, records: 0, torn: 0 }
        if (unlock === undefined) return adopted
        yield* Tail.drain({ id, folder: own, position: undefined }, store, true, Number.POSITIVE_INFINITY, (piece) => {
          adopted.records += piece.records.length
          adopted.torn += piece.torn
        })
        rmSync(own, { recursive: true, force: true })
        return { ...adopted, journals: 1 }
      }),
    (unlock) => Effect.ignore(Effect.try(() => unlock?.()))
  )
}

/** Takes over all journals but one's own and those whose gateway lives. */
export const adoptAll = (
  folder: string,
  own: string,
  driver: Driver,
  store: Store
): Effect.Effect<Adopted, LedgerError> =>
  Effect.gen(function* () {
    const now = yield* Clock.currentTimeMillis
    const total = { journals: 0, records: 0, torn: 0 }
    for (const id of Segments.journals(folder)) {
      if (id === own) continue
      if (modified(join(folder, id, Segments.lockName)) === undefined) {
        const age = now - (modified(join(folder, id)) ?? now)
        if (age < settledAfter) continue
      }
      const { journals, records, torn } = yield* adopt(folder, id, driver, store)
      total.journals += journals
      total.records += records
      total.torn += torn
    }
    return total
  })
