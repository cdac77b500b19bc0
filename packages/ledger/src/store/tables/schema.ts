/** The tables, one migration after the other: forward only. What is here was released and never changes; what changes comes after it. */
import * as Effect from "effect/Effect"
import { LedgerError } from "../../errors/LedgerError.js"
import { type Engine, whole } from "./engine.js"

type Migration = (engine: Engine) => ReadonlyArray<string>

const first: Migration = ({ table, clustered }) => [
  `CREATE TABLE ${table("records")} (
    id TEXT NOT NULL, time BIGINT NOT NULL, caller TEXT, team TEXT, bearer TEXT, tags TEXT NOT NULL, operation TEXT NOT NULL,
    model TEXT, model_group TEXT, deployment TEXT, provider TEXT, attempts BIGINT NOT NULL, stream BIGINT NOT NULL, hit BIGINT NOT NULL,
    input BIGINT NOT NULL, cache_read BIGINT NOT NULL, cache_write BIGINT NOT NULL, output BIGINT NOT NULL, reasoning BIGINT NOT NULL,
    cost BIGINT NOT NULL, ending TEXT NOT NULL, status BIGINT, reason TEXT, latency BIGINT NOT NULL, first_content BIGINT, session TEXT
  )`,
  `CREATE INDEX records_by_time ON ${table("records")} (time, id)`,
  `CREATE INDEX records_by_caller ON ${table("records")} (caller, time)`,
  `CREATE INDEX records_by_id ON ${table("records")} (id)`,
  // What a request has none of is an empty text: nulls are not equal to each other in a key.
  `CREATE TABLE ${table("rollup")} (
    day TEXT NOT NULL, caller TEXT NOT NULL, team TEXT NOT NULL, bearer TEXT NOT NULL, model TEXT NOT NULL, deployment TEXT NOT NULL,
    requests BIGINT NOT NULL, failures BIGINT NOT NULL, cost BIGINT NOT NULL,
    input BIGINT NOT NULL, cache_read BIGINT NOT NULL, cache_write BIGINT NOT NULL, output BIGINT NOT NULL, reasoning BIGINT NOT NULL,
    PRIMARY KEY (day, caller, team, bearer, model, deployment)
  )${clustered}`,
  `CREATE TABLE ${table("journals")} (journal TEXT PRIMARY KEY, stored_to BIGINT NOT NULL)`,
  // `before` is when the window ended that was before; all 0 where none has begun. A length of 0 never ends.
  `CREATE TABLE ${table("windows")} (
    scope TEXT NOT NULL, name TEXT NOT NULL, length BIGINT NOT NULL,
    before BIGINT NOT NULL, ends_at BIGINT NOT NULL, spent BIGINT NOT NULL,
    PRIMARY KEY (scope, name, length)
  )`,
  `CREATE TABLE ${table("leases")} (
    holder TEXT NOT NULL, scope TEXT NOT NULL, name TEXT NOT NULL, length BIGINT NOT NULL, amount BIGINT NOT NULL, expires_at BIGINT NOT NULL,
    PRIMARY KEY (scope, name, length, holder)
  )`,
  `CREATE TABLE ${table("versions")} (what TEXT PRIMARY KEY, version BIGINT NOT NULL)`,
  `INSERT INTO ${table("versions")} (what, version) VALUES ('keys', 0)`,
  `CREATE TABLE ${table("keys")} (
    hash TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, updated_at BIGINT NOT NULL, version BIGINT NOT NULL, document TEXT NOT NULL
  )`,
  `CREATE INDEX keys_by_version ON ${table("keys")} (version)`,
  `CREATE TABLE ${table("member_groups")} (
    kind TEXT NOT NULL, id TEXT NOT NULL, updated_at BIGINT NOT NULL, version BIGINT NOT NULL, document TEXT NOT NULL, PRIMARY KEY (kind, id)
  )`,
  `CREATE INDEX groups_by_version ON ${table("member_groups")} (version)`,
  // What was deleted, so that who has a copy hears of it. `kind` is `key`, `team` or `user`.
  `CREATE TABLE ${table("gone")} (kind TEXT NOT NULL, id TEXT NOT NULL, version BIGINT NOT NULL, PRIMARY KEY (kind, id))`,
  `CREATE INDEX gone_by_version ON ${table("gone")} (version)`,
  `CREATE TABLE ${table("notes")} (name TEXT PRIMARY KEY, text TEXT NOT NULL)`
]

const migrations: ReadonlyArray<Migration> = [first]

/** The version of the tables that this program works with. */
export const current = migrations.length

/** The version of tables that are there; 0 where there are none. Fails where they are newer than this program. */
export const check = (engine: Engine, exists: boolean, place: string): Effect.Effect<number, LedgerError> =>
  exists
    ? Effect.flatMap(
        engine.rows(`SELECT version FROM ${engine.table("schema_version")}`, []),
        ([row]): Effect.Effect<number, LedgerError> => {
          const version = whole(row?.["version"])
          return version <= current
            ? Effect.succeed(version)
            : new LedgerError({
                reason: "newer",
                description:
                  `${place} was written by a later version of this program (tables ${version}, this one knows ${current}): nothing was ` +
                  "touched; use that version, or another place"
              })
        }
      )
    : Effect.succeed(0)

/** Brings tables of a version up to the current one, in the transaction that is open. */
export const migrate = (engine: Engine, from: number): Effect.Effect<void, LedgerError> =>
  Effect.gen(function* () {
    if (from === 0) yield* engine.rows(`CREATE TABLE ${engine.table("schema_version")} (version BIGINT NOT NULL)`, [])
    for (const migration of migrations.slice(from)) {
      for (const statement of migration(engine)) yield* engine.rows(statement, [])
    }
    yield* from === 0
      ? engine.rows(`INSERT INTO ${engine.table("schema_version")} (version) VALUES (?)`, [current])
      : engine.rows(`UPDATE ${engine.table("schema_version")} SET version = ?`, [current])
  })
