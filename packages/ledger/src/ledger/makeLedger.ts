/** The ledger of a process: its journal, and the thread that moves it into the store and answers for the store. */

import { join } from "node:path"
import * as Background from "@switchyard/core/Background"
import { Deferred, Duration, Effect, PubSub, Runtime, Schedule, Stream } from "effect"
import { LedgerError } from "../errors/LedgerError.js"
import * as Journal from "../journal/Journal.js"
import type { Spent } from "../money/Lease.js"
import type { UsageRecord } from "../record/UsageRecord.js"
import type { Store } from "../store/Store.js"
import * as Driver from "../store/sqlite/driver.js"
import { placeOf } from "../worker/openStore.js"
import { type EngineOptions, type News, received, type Word } from "../worker/protocol.js"
import { WorkerThread } from "../worker/workerThread.js"
import type { Health } from "./Health.js"

/** Which store, where journals are, and how much is kept. */
export interface Options {
  readonly store: EngineOptions
  /** The folder of this machine's data: journals stand below it. Made where there is none (rights 0700). */
  readonly data: string
  /** Bytes of the journal that may wait for the store. Beyond them new records are lost, counted and told. Default 256 MiB. */
  readonly spool?: number | undefined
  /** How long single records are kept; their sums stay. Default: for ever. */
  readonly keep?: Duration.DurationInput | undefined
}

/** Default of `spool`. */
const usualSpool = 256 * 1024 * 1024

/** How long a start waits for the thread: it may have to take over much that a gateway before it left behind. */
const startWithin = "3 minutes"

const longestPause = 10_000

export const make = (options: Options) =>
  Effect.gen(function* () {
    const clock = yield* Effect.clock
    const runtime = yield* Background.runtime()
    const fork = (effect: Effect.Effect<void>) => void Runtime.runFork(runtime)(effect)
    const driver = yield* Driver.load(options.store.engine === "sqlite" ? options.store.driver : undefined)
    const journals = join(options.data, "journals")
    const place = placeOf(options.store)
    // Ends after all else: what it holds is locked until nobody writes to it.
    const journal = yield* Journal.make({ folder: journals, spool: options.spool ?? usualSpool }, driver)
    const news = yield* PubSub.sliding<Health>(64)
    const started = yield* Deferred.make<void, LedgerError>()
    const listeners = new Set<() => void>()
    let error: LedgerError | undefined
    let awaySince: number | undefined
    let isEnding = false
    let wasReady = false
    let failures = 0

    const health = (): Health => ({
      engine: options.store.engine,
      place,
      state: error === undefined ? "up" : "away",
      error,
      waitingBytes: journal.waiting,
      lost: journal.lost,
      awaySince
    })

    const show = (next: LedgerError | undefined): void => {
      const isChange = (next === undefined) !== (error === undefined) || next?.message !== error?.message
      error = next
      awaySince = next === undefined ? undefined : (awaySince ?? clock.unsafeCurrentTimeMillis())
      if (!isChange) return
      news.unsafeOffer(health())
      fork(
        next === undefined
          ? Effect.logInfo(`The ledger's store ${place} is back`)
          : Effect.logWarning(`The ledger's store ${place} is away, the journal goes on: ${next.message}`)
      )
    }

    const tell = (told: News): void => {
      if (told.tag === "stored") journal.stored = Math.max(journal.stored, told.to)
      else if (told.tag === "health") show(told.error === undefined ? undefined : received(told.error))
      else if (told.tag === "changed") for (const listener of [...listeners]) listener()
      else if (told.tag === "log") {
        const log = { Info: Effect.logInfo, Warning: Effect.logWarning, Error: Effect.logError }[told.level]
        fork(log(told.message))
      } else if (told.tag === "ready") {
        failures = 0
        wasReady = true
        Deferred.unsafeDone(started, Effect.void)
        show(undefined)
      } else if (told.tag === "unable") {
        Deferred.unsafeDone(started, received(told.error))
        show(received(told.error))
      }
    }

    const begin = (): WorkerThread =>
      new WorkerThread(
        {
          engine: options.store,
          journals,
          journal: journal.id,
          written: journal.shown,
          keep: options.keep === undefined ? undefined : Duration.toMillis(options.keep)
        },
        tell,
        (why) => {
          if (isEnding) return
          const gone = new LedgerError({ reason: "away", description: `The ledger's thread is gone: ${why}` })
          Deferred.unsafeDone(started, gone)
          show(error ?? gone)
          const pause = Math.min(longestPause, 200 * 2 ** failures++)
          fork(
            Effect.delay(
              Effect.sync(() => {
                if (!isEnding) thread = begin()
              }),
              pause
            )
          )
        }
      )
    let thread = begin()

    const ask = (word: Word, values: ReadonlyArray<unknown>): Effect.Effect<unknown, LedgerError> =>
      Effect.suspend(() => {
        // Of a store that does not answer nobody waits for the next answer; one that can't write may still be read.
        if (error?.reason === "away" && word !== "end") return error
        journal.flush()
        return thread.ask(word, values, journal.written, () =>
          show(new LedgerError({ reason: "away", description: `The ledger's store ${place} does not answer` }))
        )
      })

    yield* Effect.addFinalizer(() =>
      Effect.gen(function* () {
        isEnding = true
        // One that never opened its store has nobody who would answer.
        const isStored = wasReady && (yield* Effect.isSuccess(ask("end", [])))
        yield* isStored ? thread.leave : thread.terminate
        if ((isStored || !wasReady) && journal.waiting <= 0) yield* Journal.remove(journal)
        else if (journal.waiting > 0) {
          yield* Effect.logWarning(
            `${journal.waiting} bytes of the ledger's journal are not in the store yet: the next gateway with this data folder stores them`
          )
        }
      })
    )
    yield* Deferred.await(started).pipe(
      Effect.timeoutFail({
        duration: startWithin,
        onTimeout: () =>
          new LedgerError({ reason: "away", description: `The ledger's store ${place} did not open in time` })
      })
    )

    let toldLost = 0
    yield* Background.run(
      Effect.repeat(
        Effect.suspend(() => {
          const lost = journal.lost
          if (lost === toldLost) return Effect.void
          const more = lost - toldLost
          toldLost = lost
          news.unsafeOffer(health())
          const why = journal.failure === undefined ? "its spool is full" : `the disk says ${journal.failure}`
          return Effect.logError(
            `${more} entries found no room in the ledger's journal and are lost (${lost} in all): ${why}`
          )
        }),
        Schedule.spaced("1 second")
      )
    )

    const asking =
      <A extends ReadonlyArray<unknown>, B>(word: Word) =>
      (...values: A) =>
        ask(word, values) as Effect.Effect<B, LedgerError>
    const store: Omit<Store, "write" | "storedUpTo"> = {
      lease: asking("lease"),
      windows: asking("windows"),
      release: asking("release"),
      snapshot: Effect.suspend(asking("snapshot")),
      changesSince: asking("changesSince"),
      changed: Effect.async<void>((resume) => {
        const listener = () => {
          listeners.delete(listener)
          resume(Effect.void)
        }
        listeners.add(listener)
        return Effect.sync(() => listeners.delete(listener))
      }),
      putKey: asking("putKey"),
      deleteKeys: asking("deleteKeys"),
      rehashKey: asking("rehashKey"),
      putGroup: asking("putGroup"),
      deleteGroups: asking("deleteGroups"),
      report: asking("report"),
      records: asking("records"),
      prune: asking("prune"),
      note: asking("note"),
      putNote: asking("putNote"),
      keepNote: asking("keepNote")
    }
    return {
      append: (record: UsageRecord): void => journal.append(record),
      spend: (spent: Spent): void => journal.spend(spent),
      store,
      health,
      changes: Stream.fromPubSub(news),
      settled: Effect.asVoid(ask("settle", []))
    }
  })
