/**
 * A ledger over a store in a temporary file, in the test's own thread: what is written is in the store before it is asked.
 */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Ledger } from "@switchyard/ledger/Ledger"
import { LedgerError } from "@switchyard/ledger/LedgerError"
import * as SqliteStore from "@switchyard/ledger/SqliteStore"
import type { Store } from "@switchyard/ledger/Store"
import { type Context, Effect, Stream } from "effect"

/** A folder that is gone when the scope closes. */
export const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "switchyard-ledger-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
)

const away = new LedgerError({ reason: "away", description: "the store does not answer" })

/** A ledger on a file; two of them on one file are two gateways. */
export const open = (path: string) =>
  Effect.gen(function* () {
    const store = yield* Effect.orDie(SqliteStore.make({ path }))
    const guarded = <A>(effect: Effect.Effect<A, LedgerError>) =>
      Effect.suspend(() => (made.isAway ? Effect.fail(away) : effect))
    const asked: Record<string, unknown> = {}
    for (const [name, member] of Object.entries(store)) {
      asked[name] =
        typeof member === "function"
          ? (...given: ReadonlyArray<unknown>) =>
              guarded((member as (...given: ReadonlyArray<unknown>) => Effect.Effect<unknown, LedgerError>)(...given))
          : Effect.isEffect(member) && name !== "changed"
            ? guarded(member as Effect.Effect<unknown, LedgerError>)
            : member
    }
    let at = 0
    const journal = `test ${Math.abs(path.length)} ${process.hrtime.bigint()}`
    const write = (records: Parameters<Store["write"]>[0]["records"], spent: Parameters<Store["write"]>[0]["spent"]) =>
      Effect.runSync(Effect.orDie(store.write({ journal, from: at, to: ++at, records, spent })))
    const made: {
      readonly ledger: Context.Tag.Service<Ledger>
      readonly store: Store
      /** Whether the store answers. */
      isAway: boolean
    } = {
      store,
      isAway: false,
      ledger: {
        append: (record) => write([record], []),
        spend: (spent) => write([], [spent]),
        store: asked as unknown as Store,
        health: () => ({
          engine: "sqlite",
          place: path,
          state: made.isAway ? "away" : "up",
          error: undefined,
          waitingBytes: 0,
          lost: 0,
          awaySince: undefined
        }),
        changes: Stream.empty,
        settled: Effect.void
      }
    }
    return made
  })
