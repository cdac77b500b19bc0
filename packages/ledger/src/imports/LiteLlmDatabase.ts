/** LiteLLM's own tables of keys, read in one transaction that may write nothing. */
import { Effect, type Scope } from "effect"
import { LedgerError } from "../errors/LedgerError.js"
import { check, placeOf } from "../store/postgres/pgPlace.js"
import * as PgPool from "../store/postgres/pgPool.js"
import type { Row, Tables } from "./LiteLlmKeys.js"

/** Prisma's word for where the tables are. */
const schemaOf = (url: string): string => new URL(url).searchParams.get("schema") ?? "public"

const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`

const names = {
  keys: "LiteLLM_VerificationToken",
  teams: "LiteLLM_TeamTable",
  users: "LiteLLM_UserTable",
  budgets: "LiteLLM_BudgetTable"
} as const

/** Reads the tables of a LiteLLM database; those that its version does not have are empty. Nothing is ever written there. */
export const read = (url: string): Effect.Effect<Tables, LedgerError, Scope.Scope> =>
  Effect.gen(function* () {
    const wrong = check(url)
    if (wrong !== undefined) return yield* wrong
    const schema = schemaOf(url)
    const pool = yield* PgPool.make(url)
    return yield* pool.use((client) =>
      client.withTransaction(
        Effect.gen(function* () {
          yield* client.unsafe("SET TRANSACTION READ ONLY", [])
          const there = (yield* client.unsafe(
            "SELECT tablename AS name FROM pg_catalog.pg_tables WHERE schemaname = $1",
            [schema]
          )) as ReadonlyArray<{ readonly name: string }>
          const isThere = (name: string) => there.some((one) => one.name === name)
          if (!isThere(names.keys)) {
            return yield* new LedgerError({
              reason: "place",
              description: `${placeOf(url)} has no table ${names.keys} in its schema ${schema}: is it LiteLLM's?`
            })
          }
          // Columns differ from version to version.
          const rows = (name: string): Effect.Effect<ReadonlyArray<Row>, unknown> =>
            isThere(name)
              ? Effect.map(
                  client.unsafe(`SELECT to_jsonb(t) AS row FROM ${quoted(schema)}.${quoted(name)} t`, []),
                  (found) => (found as ReadonlyArray<{ readonly row: Row }>).map(({ row }) => row)
                )
              : Effect.succeed([])
          return {
            keys: yield* rows(names.keys),
            teams: yield* rows(names.teams),
            users: yield* rows(names.users),
            budgets: yield* rows(names.budgets)
          }
        })
      )
    )
  })
