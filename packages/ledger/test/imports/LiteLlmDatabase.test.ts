/**
 * LiteLLM's tables on a real server, read by a role that may read alone.
 */
import { assert, describe, it } from "@effect/vitest"
import * as LiteLlmDatabase from "@switchyard/ledger/LiteLlmDatabase"
import * as PostgresServer from "@switchyard/testing/PostgresServer"
import { Effect } from "effect"
import { beforeAll } from "vitest"

const missing = PostgresServer.missing()
if (missing !== undefined) console.warn(missing)

describe.skipIf(missing !== undefined)("LiteLLM's tables", () => {
  let server: PostgresServer.SharedServer
  beforeAll(async () => {
    server = await PostgresServer.shared()
  }, 60_000)

  it.scopedLive("are read in the schema that the address names, whatever columns they have, and never written", () =>
    Effect.gen(function* () {
      const address = server.database()
      const database = new URL(address).pathname.slice(1)
      const sql = (text: string) => server.sql(text, database)
      sql(`CREATE SCHEMA theirs;
        CREATE TABLE theirs."LiteLLM_VerificationToken" (token text, key_alias text, models text[], spend float8, metadata jsonb);
        INSERT INTO theirs."LiteLLM_VerificationToken" VALUES ('${"a".repeat(64)}', 'blog', '{smart}', 1.5, '{"tags": ["web"]}');
        CREATE TABLE theirs."LiteLLM_TeamTable" (team_id text, max_budget float8);
        INSERT INTO theirs."LiteLLM_TeamTable" VALUES ('t1', 10);
        CREATE ROLE reads_litellm LOGIN PASSWORD 'reads-alone';
        GRANT USAGE ON SCHEMA theirs TO reads_litellm; GRANT SELECT ON ALL TABLES IN SCHEMA theirs TO reads_litellm;`)
      const url = new URL(address)
      url.username = "reads_litellm"
      url.password = "reads-alone"
      url.searchParams.set("schema", "theirs")
      url.searchParams.set("connection_limit", "5")
      const read = yield* LiteLlmDatabase.read(url.href)
      assert.deepStrictEqual(read, {
        keys: [
          { token: "a".repeat(64), key_alias: "blog", models: ["smart"], spend: 1.5, metadata: { tags: ["web"] } }
        ],
        teams: [{ team_id: "t1", max_budget: 10 }],
        users: [],
        budgets: []
      })
      const other = yield* Effect.flip(LiteLlmDatabase.read(address))
      assert.match(other.message, /has no table LiteLLM_VerificationToken in its schema public/)
      url.password = "another-one"
      const refused = yield* Effect.flip(LiteLlmDatabase.read(url.href))
      assert.notInclude(refused.message, "another-one")
    })
  )
})
