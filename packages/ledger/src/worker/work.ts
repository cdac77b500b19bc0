/**
 * What the ledger's thread does: opens the store, stores what gateways left behind and what this one writes, answers what it
 * is asked, and deletes what is too old. Whatever goes wrong is told and tried again.
 */

import { join } from "node:path"
import * as Background from "@switchyard/core/Background"
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as ExecutionStrategy from "effect/ExecutionStrategy"
import * as Exit from "effect/Exit"
import * as Logger from "effect/Logger"
import * as Runtime from "effect/Runtime"
import * as Schedule from "effect/Schedule"
import * as Scope from "effect/Scope"
import { LedgerError } from "../errors/LedgerError.js"
import type { Store } from "../store/Store.js"
import * as Driver from "../store/sqlite/driver.js"
import { openStore } from "./openStore.js"
import * as Orphans from "./orphans.js"
import type { News, Question, Sent, ThreadOptions } from "./protocol.js"
import { sent } from "./protocol.js"
import * as Tail from "./tail.js"

/** The other end. */
export interface Port {
  readonly say: (news: News) => void
  readonly listen: (heard: (question: Question) => void) => void
}

/** How long is waited between looks at the journal, and when the store has said no. */
const lookEvery = "200 millis"
const tryAgainAfter = "1 second"
const adoptEvery = "30 seconds"
/** A full spool takes about half a minute. */
const adoptWithin = "2 minutes"
const pruneEvery = "10 minutes"

/** Looks at the journal between which the store is asked whether it is there, when nothing is written. */
const probeEvery = 5

/** Words before whose answer the journal is moved: they read what it changes. */
const afterJournal = new Set(["lease", "windows", "release", "report", "records", "settle", "end"])

const byHand = (defect: unknown): LedgerError =>
  new LedgerError({ reason: "away", description: `The ledger's thread met what it does not know: ${String(defect)}` })

/** Errors of one's own asking say nothing of the store. */
const isOfStore = ({ reason }: LedgerError): boolean => reason !== "conflict"

/** Runs until it is asked to end; gives when all is done. */
export const run = (options: ThreadOptions, port: Port): Effect.Effect<void> =>
  Effect.gen(function* () {
    const tail: Tail.Tail = {
      id: options.journal,
      folder: join(options.journals, options.journal),
      position: undefined
    }
    const turn = Effect.unsafeMakeSemaphore(1)
    const over = yield* Deferred.make<void>()
    const scope = yield* Effect.scope
    let opened: { readonly store: Store; readonly scope: Scope.CloseableScope } | undefined
    let shown: Sent | undefined

    const log = (level: "Info" | "Warning" | "Error", message: string) => port.say({ tag: "log", level, message })

    const show = (error: LedgerError | undefined): void => {
      if (error?.reason === shown?.reason && error?.description === shown?.description) return
      shown = error === undefined ? undefined : sent(error)
      port.say({ tag: "health", error: shown })
    }

    const open = Effect.gen(function* () {
      const inner = yield* Scope.fork(scope, ExecutionStrategy.sequential)
      const store = yield* Scope.extend(openStore(options.engine), inner).pipe(
        // What is wrong is told at once, however long the end of the connections takes.
        Effect.onError((cause) => Effect.forkDaemon(Scope.close(inner, Exit.failCause(cause))))
      )
      opened = { store, scope: inner }
      return store
    })

    /** A damaged store is opened anew: that looks at it, and puts it aside. */
    const failed = (error: LedgerError): Effect.Effect<void> => {
      if (isOfStore(error)) show(error)
      const current = opened
      if (error.reason !== "corrupt" || current === undefined) return Effect.void
      opened = undefined
      tail.position = undefined
      return Scope.close(current.scope, Exit.void)
    }

    const withStore = <A>(use: (store: Store) => Effect.Effect<A, LedgerError>): Effect.Effect<A, LedgerError> =>
      Effect.suspend(() => (opened === undefined ? turn.withPermits(1)(reopened) : Effect.succeed(opened.store))).pipe(
        Effect.flatMap(use),
        Effect.catchAllDefect((defect) => Effect.fail(byHand(defect))),
        Effect.tapError(failed)
      )
    const reopened = Effect.suspend(() => (opened === undefined ? open : Effect.succeed(opened.store)))

    const drain = (upTo: number) =>
      withStore((store) =>
        turn.withPermits(1)(
          Tail.drain(tail, store, false, upTo, (_, position) => port.say({ tag: "stored", to: position }))
        )
      )

    const answer = (question: Question): Effect.Effect<unknown, LedgerError> => {
      const { word, values, upTo } = question
      const before = afterJournal.has(word) ? drain(upTo) : Effect.void
      if (word === "settle" || word === "end") return before
      return Effect.zipRight(
        before,
        withStore((store) => {
          const asked = store[word] as unknown
          return (typeof asked === "function" ? asked(...values) : asked) as Effect.Effect<unknown, LedgerError>
        })
      )
    }

    const hear = (question: Question): Effect.Effect<void> =>
      answer(question).pipe(
        Effect.matchCause({
          onSuccess: (value) => port.say({ tag: "answer", id: question.id, value }),
          onFailure: (cause) => {
            const failure = Cause.failureOption(cause)
            const error = failure._tag === "Some" ? failure.value : byHand(Cause.squash(cause))
            port.say({ tag: "refusal", id: question.id, error: sent(error) })
          }
        }),
        Effect.zipRight(question.word === "end" ? Deferred.succeed(over, undefined) : Effect.void)
      )

    const adopt = (driver: Driver.Driver) =>
      Effect.tap(
        withStore((store) => Orphans.adoptAll(options.journals, options.journal, driver, store)),
        ({ journals, records, torn }) =>
          Effect.sync(() => {
            if (journals === 0) return
            log("Info", `The ledger took over ${journals} journals of gateways that are no more: ${records} records`)
            if (torn > 0) log("Warning", `${torn} lines of them were not whole, and are lost`)
          })
      )

    let looks = 0
    const look = Effect.suspend(() => {
      looks++
      const before = tail.position
      const written = Number(Atomics.load(options.written, 0))
      return Effect.zipRight(
        before !== undefined && before >= written ? Effect.void : drain(written),
        Effect.suspend(() => {
          const isQuiet = tail.position === before
          if (isQuiet && shown === undefined && looks % probeEvery !== 0) return Effect.void
          return Effect.zipRight(
            isQuiet ? withStore((store) => store.storedUpTo(options.journal)) : Effect.void,
            Effect.sync(() => show(undefined))
          )
        })
      )
    })
    const looking = Effect.forever(
      Effect.matchEffect(look, {
        onSuccess: () => Effect.sleep(lookEvery),
        onFailure: () => Effect.sleep(tryAgainAfter)
      })
    )

    const prune = (keep: number): Effect.Effect<void, LedgerError> =>
      Effect.gen(function* () {
        const now = yield* Effect.clockWith((clock) => clock.currentTimeMillis)
        let deleted = 0
        do {
          deleted = yield* withStore((store) => store.prune(now - keep))
          yield* Effect.sleep("50 millis")
        } while (deleted >= 10_000)
      })

    const ready = yield* Effect.exit(Effect.zipRight(open, Driver.load(undefined)))
    if (Exit.isFailure(ready)) {
      const error = Cause.failureOption(ready.cause)
      port.say({
        tag: "unable",
        error: sent(error._tag === "Some" ? error.value : byHand(Cause.squash(ready.cause)))
      })
      return
    }
    // What others left behind counts before anything is leased or told.
    yield* Effect.ignore(Effect.timeout(adopt(ready.value), adoptWithin))
    yield* Background.run(looking)
    yield* Background.run(Effect.repeat(Effect.ignore(adopt(ready.value)), Schedule.spaced(adoptEvery)))
    yield* Background.run(
      Effect.forever(
        withStore((store) => store.changed).pipe(
          Effect.matchEffect({
            onSuccess: () => Effect.sync(() => port.say({ tag: "changed" })),
            onFailure: () => Effect.sleep(tryAgainAfter)
          })
        )
      )
    )
    if (options.keep !== undefined) {
      yield* Background.run(Effect.repeat(Effect.ignore(prune(options.keep)), Schedule.spaced(pruneEvery)))
    }
    const runtime = yield* Background.runtime<Scope.Scope>()
    port.listen((question) => Runtime.runFork(runtime)(hear(question)))
    port.say({ tag: "ready" })
    yield* Deferred.await(over)
  }).pipe(
    Effect.scoped,
    // What is logged here is told through the gateway's own log.
    Effect.provide(
      Logger.replace(
        Logger.defaultLogger,
        Logger.make(({ logLevel, message }) => {
          const level =
            logLevel._tag === "Error" || logLevel._tag === "Fatal"
              ? "Error"
              : logLevel._tag === "Warning"
                ? "Warning"
                : "Info"
          const text = (Array.isArray(message) ? message : [message]).map(String).join(" ")
          port.say({ tag: "log", level, message: text })
        })
      )
    )
  )
