/** Keys, teams and users: documents with a number for each change, so that who has a copy asks only for what is new. */
import * as Effect from "effect/Effect"
import { LedgerError } from "../../errors/LedgerError.js"
import type { KeyChanges, KeySnapshot, LedgerGroup, LedgerKey } from "../../keys/LedgerKey.js"
import { type Engine, type Row, whole } from "./engine.js"
import * as Windows from "./windows.js"

const conflict = (description: string): LedgerError => new LedgerError({ reason: "conflict", description })

const documentOf = <A>(row: Row): A => JSON.parse(String(row["document"])) as A

/** The number of this change. Its row is held until the transaction ends, so that changes become visible in their order. */
const nextVersion = (engine: Engine): Effect.Effect<number, LedgerError> =>
  Effect.flatMap(
    engine.rows(
      `UPDATE ${engine.table("versions")} SET version = version + 1 WHERE what = 'keys' RETURNING version`,
      []
    ),
    ([row]) => Effect.as(engine.tellChanged(whole(row?.["version"])), whole(row?.["version"]))
  )

const bury = (engine: Engine, kind: string, id: string, version: number): Effect.Effect<unknown, LedgerError> =>
  engine.rows(
    `INSERT INTO ${engine.table("gone")} (kind, id, version) VALUES (?, ?, ?)
     ON CONFLICT (kind, id) DO UPDATE SET version = excluded.version`,
    [kind, id, version]
  )

const unbury = (engine: Engine, kind: string, id: string): Effect.Effect<unknown, LedgerError> =>
  engine.rows(`DELETE FROM ${engine.table("gone")} WHERE kind = ? AND id = ?`, [kind, id])

const keyByHash = (engine: Engine, hash: string): Effect.Effect<LedgerKey | undefined, LedgerError> =>
  Effect.map(engine.rows(`SELECT document FROM ${engine.table("keys")} WHERE hash = ?`, [hash]), ([row]) =>
    row === undefined ? undefined : documentOf<LedgerKey>(row)
  )

const requireName = (engine: Engine, key: LedgerKey, hash: string): Effect.Effect<void, LedgerError> =>
  Effect.flatMap(
    engine.rows(`SELECT hash FROM ${engine.table("keys")} WHERE name = ? AND hash <> ?`, [key.name, hash]),
    (rows) =>
      rows.length === 0 ? Effect.void : conflict(`There is another key of the name ${JSON.stringify(key.name)}`)
  )

export const putKey = (
  engine: Engine,
  key: LedgerKey,
  expected: number | undefined
): Effect.Effect<void, LedgerError> =>
  Effect.gen(function* () {
    const version = yield* nextVersion(engine)
    const before = yield* keyByHash(engine, key.hash)
    if (expected === undefined && before !== undefined) return yield* conflict("There is such a key already")
    if (expected !== undefined && before?.updatedAt !== expected) {
      return yield* conflict(`The key ${JSON.stringify(key.name)} was changed or deleted by somebody else meanwhile`)
    }
    yield* requireName(engine, key, key.hash)
    yield* engine.rows(
      `INSERT INTO ${engine.table("keys")} (hash, name, updated_at, version, document) VALUES (?, ?, ?, ?, ?)
       ON CONFLICT (hash) DO UPDATE SET
         name = excluded.name, updated_at = excluded.updated_at, version = excluded.version, document = excluded.document`,
      [key.hash, key.name, key.updatedAt, version, JSON.stringify(key)]
    )
    yield* unbury(engine, "key", key.hash)
    if (before !== undefined) yield* Windows.rename(engine, before.name, key.name)
  })

export const deleteKeys = (engine: Engine, hashes: ReadonlyArray<string>): Effect.Effect<number, LedgerError> =>
  Effect.gen(function* () {
    if (hashes.length === 0) return 0
    const version = yield* nextVersion(engine)
    let gone = 0
    for (const hash of hashes) {
      const rows = yield* engine.rows(`DELETE FROM ${engine.table("keys")} WHERE hash = ? RETURNING name`, [hash])
      if (rows.length === 0) continue
      gone++
      yield* Windows.forget(engine, String(rows[0]?.["name"]))
      yield* bury(engine, "key", hash, version)
    }
    return gone
  })

export const rehashKey = (engine: Engine, hash: string, next: LedgerKey): Effect.Effect<void, LedgerError> =>
  Effect.gen(function* () {
    const version = yield* nextVersion(engine)
    const before = yield* keyByHash(engine, hash)
    if (before === undefined) return yield* conflict("The key that is to be replaced is not there any more")
    if (hash !== next.hash && (yield* keyByHash(engine, next.hash)) !== undefined) {
      return yield* conflict("There is such a key already")
    }
    yield* requireName(engine, next, hash)
    yield* engine.rows(
      `UPDATE ${engine.table("keys")} SET hash = ?, name = ?, updated_at = ?, version = ?, document = ? WHERE hash = ?`,
      [next.hash, next.name, next.updatedAt, version, JSON.stringify(next), hash]
    )
    if (hash !== next.hash) yield* bury(engine, "key", hash, version)
    yield* unbury(engine, "key", next.hash)
    yield* Windows.rename(engine, before.name, next.name)
  })

export const putGroup = (
  engine: Engine,
  group: LedgerGroup,
  expected: number | undefined
): Effect.Effect<void, LedgerError> =>
  Effect.gen(function* () {
    const version = yield* nextVersion(engine)
    const [row] = yield* engine.rows(
      `SELECT updated_at FROM ${engine.table("member_groups")} WHERE kind = ? AND id = ?`,
      [group.kind, group.id]
    )
    const named = `${group.kind} ${JSON.stringify(group.id)}`
    if (expected === undefined && row !== undefined) return yield* conflict(`There is a ${named} already`)
    if (expected !== undefined && (row === undefined || whole(row["updated_at"]) !== expected)) {
      return yield* conflict(`The ${named} was changed or deleted by somebody else meanwhile`)
    }
    yield* engine.rows(
      `INSERT INTO ${engine.table("member_groups")} (kind, id, updated_at, version, document) VALUES (?, ?, ?, ?, ?)
       ON CONFLICT (kind, id) DO UPDATE SET
         updated_at = excluded.updated_at, version = excluded.version, document = excluded.document`,
      [group.kind, group.id, group.updatedAt, version, JSON.stringify(group)]
    )
    yield* unbury(engine, group.kind, group.id)
  })

export const deleteGroups = (
  engine: Engine,
  kind: LedgerGroup["kind"],
  ids: ReadonlyArray<string>
): Effect.Effect<number, LedgerError> =>
  Effect.gen(function* () {
    if (ids.length === 0) return 0
    const version = yield* nextVersion(engine)
    let gone = 0
    for (const id of ids) {
      const rows = yield* engine.rows(
        `DELETE FROM ${engine.table("member_groups")} WHERE kind = ? AND id = ? RETURNING id`,
        [kind, id]
      )
      if (rows.length === 0) continue
      gone++
      yield* bury(engine, kind, id, version)
    }
    return gone
  })

const since = (engine: Engine, version: number): Effect.Effect<KeySnapshot, LedgerError> =>
  Effect.gen(function* () {
    const [row] = yield* engine.rows(`SELECT version FROM ${engine.table("versions")} WHERE what = 'keys'`, [])
    const documents = (table: string, order: string) =>
      engine.rows(`SELECT document FROM ${engine.table(table)} WHERE version > ? ORDER BY ${order}`, [version])
    return {
      version: whole(row?.["version"]),
      keys: (yield* documents("keys", "version, hash")).map(documentOf<LedgerKey>),
      groups: (yield* documents("member_groups", "version, kind, id")).map(documentOf<LedgerGroup>)
    }
  })

export const snapshot = (engine: Engine): Effect.Effect<KeySnapshot, LedgerError> => since(engine, -1)

export const changesSince = (engine: Engine, version: number): Effect.Effect<KeyChanges, LedgerError> =>
  Effect.gen(function* () {
    const changed = yield* since(engine, version)
    const gone = yield* engine.rows(
      `SELECT kind, id FROM ${engine.table("gone")} WHERE version > ? ORDER BY version, id`,
      [version]
    )
    return {
      ...changed,
      goneKeys: gone.filter((row) => row["kind"] === "key").map((row) => String(row["id"])),
      goneGroups: gone.filter((row) => row["kind"] !== "key").map((row) => `${row["kind"]} ${row["id"]}`)
    }
  })
