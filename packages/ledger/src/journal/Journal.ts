/**
 * What happened, in a file before the tick is over: lines are gathered while the tick lasts and written at its end, all with one
 * call. A `kill -9` loses what was settled in the last tick; a power cut what the disk had not written yet, for which nobody
 * waits here. What is in the file another process finishes, if this one can't.
 */
import { randomUUID } from "node:crypto"
import { closeSync, mkdirSync, openSync, renameSync, rmSync, writeSync } from "node:fs"
import { join } from "node:path"
import { Effect, type Scope } from "effect"
import { LedgerError } from "../errors/LedgerError.js"
import type { Spent } from "../money/Lease.js"
import type { UsageRecord } from "../record/UsageRecord.js"
import type { Driver } from "../store/sqlite/driver.js"
import * as Place from "../store/sqlite/place.js"
import * as Line from "./line.js"
import { LineBuffer } from "./lineBuffer.js"
import * as Lock from "./lock.js"
import * as Segments from "./segments.js"

/** Where journals are, and how much of one may wait. */
export interface Options {
  /** The folder of all gateways' journals on this machine. */
  readonly folder: string
  /** Bytes that may wait for the store. Beyond them records are lost, the newest. */
  readonly spool: number
}

/** Bytes of a segment. */
const segmentSize = 8 * 1024 * 1024

/** What windows spent is small, and a budget hangs on it: it is still written where records find no room any more. */
const room = 1.125

/** Writes a file; another one in tests. Gives how many bytes were written. */
export type Write = (file: number, bytes: Uint8Array, from: number) => number

/** A journal of one gateway. */
export class Journal {
  /** Position up to which lines are in the file. */
  written = 0
  /** The same, for the thread that stores them: it touches no file to learn that nothing was written. */
  readonly shown = new BigInt64Array(new SharedArrayBuffer(8))
  /** Position up to which they are in the store, as the worker told. */
  stored = 0
  /** Records and spends that found no room. */
  lost = 0
  /** What the disk said when it last refused a line. */
  failure: string | undefined
  private readonly pending = new LineBuffer()
  private isDue = false
  private isTorn = false
  private isOver = false
  private begins = 0
  private file: number

  constructor(
    readonly id: string,
    /** The folder of this journal alone. */
    readonly folder: string,
    private readonly spool: number,
    private readonly write: Write = writeSync
  ) {
    this.file = openSync(Segments.pathOf(folder, 0), "a", 0o600)
  }

  append(record: UsageRecord): void {
    if (this.isOver || this.waiting >= this.spool) {
      this.lost++
      return
    }
    Line.ofRecord(this.pending, record)
    this.due()
  }

  spend(spent: Spent): void {
    if (this.isOver || this.waiting >= this.spool * room) {
      this.lost++
      return
    }
    Line.ofSpent(this.pending, spent)
    this.due()
  }

  /** Bytes that are not in the store. */
  get waiting(): number {
    return this.written - this.stored + this.pending.length
  }

  /** Writes what was gathered. */
  readonly flush = (): void => {
    this.isDue = false
    if (this.pending.length === 0) return
    // A line that the disk took in part is no line: what follows begins a new one.
    const bytes = this.pending.gathered(this.isTorn ? newline : undefined)
    let at = 0
    try {
      while (at < bytes.length) at += this.write(this.file, bytes, at)
      this.isTorn = false
    } catch (thrown) {
      this.lost += linesOf(bytes) - linesOf(bytes.subarray(0, at)) + (this.isTorn && at === 0 ? -1 : 0)
      if (at > 0) this.isTorn = bytes[at - 1] !== newline
      this.failure = String((thrown as NodeJS.ErrnoException).code ?? thrown)
    }
    this.pending.clear()
    this.written += at
    Atomics.store(this.shown, 0, BigInt(this.written))
    if (this.written - this.begins >= segmentSize) this.turn()
  }

  /** Writes what is left, and takes nothing more. */
  close(): void {
    if (this.isOver) return
    this.flush()
    this.isOver = true
    closeSync(this.file)
  }

  private due(): void {
    if (this.isDue) return
    this.isDue = true
    setImmediate(this.flush)
  }

  /** Goes on in the next segment; in this one where the disk gives no other. */
  private turn(): void {
    if (this.isTorn) return
    try {
      const next = openSync(Segments.pathOf(this.folder, this.written), "a", 0o600)
      closeSync(this.file)
      this.file = next
      this.begins = this.written
    } catch (thrown) {
      this.failure = String((thrown as NodeJS.ErrnoException).code ?? thrown)
    }
  }
}

const newline = 10

const linesOf = (bytes: Uint8Array): number => {
  let lines = 0
  for (let at = bytes.indexOf(newline); at >= 0; at = bytes.indexOf(newline, at + 1)) lines++
  return lines
}

/** Removes a journal that is in the store as a whole. */
export const remove = (journal: Pick<Journal, "folder">): Effect.Effect<void> =>
  Effect.ignore(Effect.try(() => rmSync(journal.folder, { recursive: true, force: true })))

/**
 * Begins a journal, locked until the scope closes. It is laid under a name that nobody adopts, locked, and then renamed: no
 * other gateway takes it for a dead one's in between.
 */
export const make = (options: Options, driver: Driver): Effect.Effect<Journal, LedgerError, Scope.Scope> =>
  Effect.gen(function* () {
    yield* Place.folder(options.folder)
    const id = randomUUID()
    const made = Effect.try({
      try: () => {
        const first = join(options.folder, `${Segments.unfinished}${id}`)
        mkdirSync(first, { mode: 0o700 })
        closeSync(openSync(join(first, Segments.lockName), "a", 0o600))
        const unlock = Lock.take(driver, join(first, Segments.lockName))
        if (unlock === undefined) {
          throw new LedgerError({
            reason: "place",
            description: `No file can be locked in ${options.folder}: choose another folder`
          })
        }
        const folder = join(options.folder, id)
        renameSync(first, folder)
        const journal = new Journal(id, folder, options.spool)
        process.once("exit", journal.flush)
        return { journal, unlock }
      },
      catch: (thrown) => Place.errorOf(thrown, options.folder)
    })
    const { journal } = yield* Effect.acquireRelease(made, ({ journal, unlock }) =>
      Effect.ignore(
        Effect.try(() => {
          process.off("exit", journal.flush)
          journal.close()
          unlock()
        })
      )
    )
    return journal
  })
