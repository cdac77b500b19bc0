/** Moves a journal into the store, piece by piece; each piece with its position, so that none counts twice. */
import { closeSync, openSync, readSync } from "node:fs"
import * as Effect from "effect/Effect"
import type { LedgerError } from "../errors/LedgerError.js"
import * as Line from "../journal/line.js"
import * as Segments from "../journal/segments.js"
import type { Spent } from "../money/Lease.js"
import type { UsageRecord } from "../record/UsageRecord.js"
import type { Batch, Store } from "../store/Store.js"
import * as Place from "../store/sqlite/place.js"

/** Bytes of a journal that are stored at once: some 500 records. What the thread makes of more outlives its young memory, and stays. */
const pieceSize = 128 * 1024

const newline = 10

/** A piece of a journal, and lines in it that nobody can read. */
export interface Piece extends Batch {
  readonly torn: number
}

/** The next piece from a position; undefined when there is none yet. */
const next = (journal: string, folder: string, position: number, isOver: boolean): Piece | undefined => {
  const segments = Segments.list(folder)
  // The last that begins at or before the position; the first, where what was before it is gone.
  const at = Math.max(0, segments.filter(({ from }) => from <= position).length - 1)
  const segment = segments[at]
  if (segment === undefined) return undefined
  const from = Math.max(position, segment.from)
  const isLast = at === segments.length - 1
  const buffer = Buffer.allocUnsafe(Math.min(pieceSize, Math.max(0, segment.to - from)))
  let length = 0
  if (buffer.length > 0) {
    const file = openSync(segment.path, "r")
    try {
      length = readSync(file, buffer, 0, buffer.length, from - segment.from)
    } finally {
      closeSync(file)
    }
  }
  const end = buffer.subarray(0, length).lastIndexOf(newline) + 1
  if (end === 0) {
    // The rest of a segment that nobody goes on with: a line that was never finished.
    const rest = length > 0 ? 1 : 0
    const following = segments[at + 1]
    if (!isLast && following !== undefined) {
      return { journal, from, to: following.from, records: [], spent: [], torn: rest }
    }
    return isOver && rest > 0 ? { journal, from, to: from + length, records: [], spent: [], torn: rest } : undefined
  }
  const records: Array<UsageRecord> = []
  const spent: Array<Spent> = []
  let torn = 0
  for (const line of buffer.toString("utf8", 0, end - 1).split("\n")) {
    const told = Line.read(line)
    if (told?.record !== undefined) records.push(told.record)
    else if (told?.spent !== undefined) spent.push(told.spent)
    else torn++
  }
  return { journal, from, to: from + end, records, spent, torn }
}

/** How far a journal is stored. */
export interface Tail {
  readonly id: string
  readonly folder: string
  /** Undefined until the store was asked. */
  position: number | undefined
}

/** Moves what is there, up to a position at least; tells of each piece. `isOver` says that nobody writes to it any more. */
export const drain = (
  tail: Tail,
  store: Store,
  isOver: boolean,
  upTo: number,
  told: (piece: Piece, position: number) => void
): Effect.Effect<void, LedgerError> =>
  Effect.gen(function* () {
    let position = tail.position ?? (yield* store.storedUpTo(tail.id))
    tail.position = position
    while (position < upTo) {
      const at = position
      const piece = yield* Effect.try({
        try: () => next(tail.id, tail.folder, at, isOver),
        catch: (thrown) => Place.errorOf(thrown, tail.folder)
      })
      if (piece === undefined) return
      position = yield* Effect.tapError(store.write(piece), () =>
        Effect.sync(() => {
          // Whether it is in the store after all, only the store knows.
          tail.position = undefined
        })
      )
      tail.position = position
      told(piece, position)
      Segments.dropUpTo(tail.folder, position)
    }
  })
