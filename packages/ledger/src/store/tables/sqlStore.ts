/** The store over an engine: the statements are the same for both. */
import * as Effect from "effect/Effect"
import type { LedgerError } from "../../errors/LedgerError.js"
import type { Batch, Store } from "../Store.js"
import { type Engine, textOrNothing, whole } from "./engine.js"
import * as Keys from "./keyTables.js"
import * as Records from "./records.js"
import * as Rollup from "./rollup.js"
import * as Windows from "./windows.js"

const storedUpTo = (engine: Engine, journal: string): Effect.Effect<number, LedgerError> =>
  Effect.map(engine.rows(`SELECT stored_to FROM ${engine.table("journals")} WHERE journal = ?`, [journal]), ([row]) =>
    whole(row?.["stored_to"])
  )

/** A batch that begins before what is stored was written by another process meanwhile, or twice: nothing of it is stored. */
const write = (engine: Engine, batch: Batch): Effect.Effect<number, LedgerError> =>
  Effect.gen(function* () {
    yield* engine.insert(
      "journals",
      [
        ["journal", "text"],
        ["stored_to", "bigint"]
      ],
      [[batch.journal, 0]],
      "ON CONFLICT (journal) DO NOTHING"
    )
    const [row] = yield* engine.hold("journals", [["journal", "text"]], [[batch.journal]])
    const stored = whole(row?.["stored_to"])
    if (batch.from < stored) return stored
    yield* Records.insert(engine, batch.records)
    yield* Rollup.add(engine, batch.records)
    yield* Windows.spend(engine, batch.spent)
    yield* engine.rows(`UPDATE ${engine.table("journals")} SET stored_to = ? WHERE journal = ?`, [
      batch.to,
      batch.journal
    ])
    return batch.to
  })

const note = (engine: Engine, name: string): Effect.Effect<string | undefined, LedgerError> =>
  Effect.map(engine.rows(`SELECT text FROM ${engine.table("notes")} WHERE name = ?`, [name]), ([row]) =>
    textOrNothing(row?.["text"])
  )

const insertNote = (engine: Engine): string => `INSERT INTO ${engine.table("notes")} (name, text) VALUES (?, ?)`

export const make = (engine: Engine): Store => {
  const reading = <A>(effect: Effect.Effect<A, LedgerError>) => engine.atomic("read", effect)
  const writing = <A>(effect: Effect.Effect<A, LedgerError>) => engine.atomic("write", effect)
  return {
    write: (batch) => writing(write(engine, batch)),
    storedUpTo: (journal) => reading(storedUpTo(engine, journal)),
    lease: (holder, asks) => writing(Windows.lease(engine, holder, asks)),
    windows: (now) => reading(Windows.inForce(engine, now)),
    release: (holder) => writing(Windows.release(engine, holder)),
    snapshot: reading(Keys.snapshot(engine)),
    changesSince: (version) => reading(Keys.changesSince(engine, version)),
    changed: engine.changed,
    putKey: (key, expected) => writing(Keys.putKey(engine, key, expected)),
    deleteKeys: (hashes) => writing(Keys.deleteKeys(engine, hashes)),
    rehashKey: (hash, next) => writing(Keys.rehashKey(engine, hash, next)),
    putGroup: (group, expected) => writing(Keys.putGroup(engine, group, expected)),
    deleteGroups: (kind, ids) => writing(Keys.deleteGroups(engine, kind, ids)),
    report: (ask) => reading(Rollup.report(engine, ask)),
    records: (ask) => reading(Records.select(engine, ask)),
    prune: (before) => writing(Records.prune(engine, before)),
    note: (name) => reading(note(engine, name)),
    putNote: (name, text) =>
      writing(
        Effect.asVoid(
          engine.rows(`${insertNote(engine)} ON CONFLICT (name) DO UPDATE SET text = excluded.text`, [name, text])
        )
      ),
    keepNote: (name, text) =>
      writing(
        Effect.zipRight(
          engine.rows(`${insertNote(engine)} ON CONFLICT (name) DO NOTHING`, [name, text]),
          Effect.map(note(engine, name), (kept) => kept ?? text)
        )
      )
  }
}
