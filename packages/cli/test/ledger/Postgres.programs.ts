/**
 * The command over a real PostgreSQL: LiteLLM's keys taken over, keys and sums by command, and roles that may not do all.
 */
import { assert, describe, it } from "@effect/vitest"
import * as FakeProvider from "@switchyard/testing/FakeProvider"
import * as PostgresServer from "@switchyard/testing/PostgresServer"
import { Effect } from "effect"
import { beforeAll } from "vitest"
import * as KeyHash from "../../../ledger/src/keys/KeyHash.js"
import { file, run, start } from "../support/process.js"
import { chat, listens } from "./support.js"

const missing = PostgresServer.missing()
if (missing !== undefined) console.warn(missing)

const settings = (upstream: string, database: string) => `server: { port: 0 }
masterKey: sk-master-of-test-1
ledger: { url: ${JSON.stringify(database)} }
keys: [{ name: joe, key: sk-joe-of-test-1, budget: { limit: 10, window: 1 day } }]
deployments:
  - { id: east, group: smart, model: m, baseUrl: ${JSON.stringify(upstream)}, apiKey: sk-upstream-1, inputPrice: 1000, outputPrice: 1000 }
`

const get = (url: string, path: string) =>
  Effect.promise(async () => {
    const response = await fetch(url + path, { headers: { authorization: "Bearer sk-master-of-test-1" } })
    return { status: response.status, text: await response.text() }
  })

const until = <A>(ask: Effect.Effect<A>, isSo: (answer: A) => boolean): Effect.Effect<A> =>
  Effect.flatMap(ask, (answer) =>
    isSo(answer) ? Effect.succeed(answer) : Effect.zipRight(Effect.sleep("100 millis"), until(ask, isSo))
  )

/** Their columns, as Prisma makes them; those that nobody reads here are left out. */
const theirs = (alice: string, old: string) => `
  CREATE TABLE "LiteLLM_BudgetTable" (budget_id text PRIMARY KEY, max_budget float8, soft_budget float8, max_parallel_requests int,
    tpm_limit bigint, rpm_limit bigint, budget_duration text, budget_reset_at timestamp(3));
  CREATE TABLE "LiteLLM_TeamTable" (team_id text PRIMARY KEY, team_alias text, members_with_roles jsonb DEFAULT '{}', metadata jsonb DEFAULT '{}',
    max_budget float8, spend float8 DEFAULT 0, models text[], tpm_limit bigint, rpm_limit bigint, budget_duration text,
    budget_reset_at timestamp(3), blocked bool DEFAULT false);
  CREATE TABLE "LiteLLM_UserTable" (user_id text PRIMARY KEY, user_email text, max_budget float8, spend float8 DEFAULT 0, models text[]);
  CREATE TABLE "LiteLLM_VerificationToken" (token text PRIMARY KEY, key_name text, key_alias text, spend float8 DEFAULT 0, expires timestamp(3),
    models text[], aliases jsonb DEFAULT '{}', config jsonb DEFAULT '{}', user_id text, team_id text, max_parallel_requests int,
    metadata jsonb DEFAULT '{}', blocked bool, tpm_limit bigint, rpm_limit bigint, max_budget float8, budget_duration text,
    budget_reset_at timestamp(3), budget_id text);
  INSERT INTO "LiteLLM_TeamTable" (team_id, team_alias, models) VALUES ('t1', 'shop', '{}');
  INSERT INTO "LiteLLM_VerificationToken" (token, key_name, key_alias, spend, models, team_id, max_budget) VALUES
    ('${KeyHash.sha256(alice)}', 'sk-...cdef', 'alice', 1.5, '{smart}', 't1', 100);
  INSERT INTO "LiteLLM_VerificationToken" (token, key_name, key_alias, models, blocked) VALUES
    ('${KeyHash.sha256(old)}', 'sk-...0000', 'old', '{}', true);
`

describe.skipIf(missing !== undefined)("over PostgreSQL", { timeout: 300_000 }, () => {
  let server: PostgresServer.SharedServer
  beforeAll(async () => {
    server = await PostgresServer.shared()
  }, 180_000)

  it.scopedLive(
    "LiteLLM's keys are taken over beside their tables, which stay as they are; keys and sums by command",
    () =>
      Effect.gen(function* () {
        const upstream = yield* FakeProvider.make({ name: "east" })
        const address = server.database()
        const database = new URL(address).pathname.slice(1)
        const [alice, old] = ["sk-alice-0123456789abcdef", "sk-old-01234567890000"]
        server.sql(theirs(alice, old), database)
        const rows = () =>
          server.sql(
            `SELECT md5(string_agg(t::text, '' ORDER BY token)) FROM "LiteLLM_VerificationToken" t; SELECT COUNT(*) FROM pg_tables WHERE schemaname = 'public'`,
            database
          )
        const before = rows()
        const config = yield* file("c.yaml", settings(upstream.url, address))
        const command = (...words: ReadonlyArray<string>) => run([...words, "--config", config])

        const taken = yield* command("key", "import", "--from-litellm", "--url", address)
        assert.deepStrictEqual([taken.code, taken.stderr], [0, ""])
        assert.match(taken.stdout, /^2 keys, 1 team and 0 users taken over, 1 window with what is spent of them\n/)
        const again = yield* command("key", "import", "--from-litellm", "--url", address)
        assert.match(again.stdout, /^0 keys, 0 teams and 0 users taken over, .*\n2 keys were there already\n/)

        const gateway = yield* start(["serve", "--config", config])
        const [, url = ""] = yield* gateway.until(listens)
        assert.strictEqual(yield* chat(url, { key: alice }), 200)
        assert.strictEqual(yield* chat(url, { key: old }), 403)
        assert.strictEqual(yield* chat(url, { key: KeyHash.sha256(alice) }), 401)
        const info = yield* get(url, `/key/info?key=${alice}`)
        assert.include(info.text, '"key_alias":"alice"')
        assert.isAtLeast((JSON.parse(info.text) as { readonly info: { readonly spend: number } }).info.spend, 1.5)

        const made = yield* command("key", "create", "--name", "blog", "--team", "t1", "--budget", "5", "--per", "1d")
        const [, own = ""] = /\n {2}(sk-[\w-]{20,})\n$/.exec(made.stdout) ?? []
        yield* until(chat(url, { key: own }), (status) => status === 200)
        const listed = yield* command("key", "list")
        assert.match(listed.stdout, /\nalice +sk-\.\.\.cdef +t1 +smart +100 USD/)
        assert.match(listed.stdout, /\nold .*blocked\n3 keys\n$/)
        yield* command("key", "revoke", "blog")
        yield* until(chat(url, { key: own }), (status) => status === 401)
        const sums = yield* until(command("spend", "--by", "key,team"), ({ stdout }) => /\nblog /.test(stdout))
        assert.match(sums.stdout, /\nalice +t1 +1 +0 /)
        const exported = yield* command("spend", "--export", "jsonl", "--key", "alice")
        assert.deepInclude(JSON.parse(exported.stdout.split("\n")[0] ?? ""), {
          caller: "alice",
          team: "t1",
          outcome: "success"
        })
        assert.strictEqual(rows(), before)
      })
  )

  it.scopedLive(
    "a role that may make nothing is told of, and all goes on in memory; a wrong password is an error without it",
    () =>
      Effect.gen(function* () {
        const upstream = yield* FakeProvider.make({ name: "east" })
        const address = server.database()
        const database = new URL(address).pathname.slice(1)
        const role = `guest_of_${database}`
        server.sql(`CREATE ROLE ${role} LOGIN PASSWORD 'guests-only'`, database)
        const url = new URL(address)
        url.username = role
        url.password = "guests-only"
        const config = yield* file("c.yaml", settings(upstream.url, url.href))
        const gateway = yield* start(["serve", "--config", config])
        yield* gateway.until(/nothing is kept, all goes on in memory: .*give it CREATE on the database/)
        const [, own = ""] = yield* gateway.until(listens)
        assert.strictEqual(yield* chat(own), 200)
        const shown = (yield* get(own, "/admin/config")).text
        assert.include(shown, "all goes on in memory")
        assert.strictEqual(
          server.sql("SELECT COUNT(*) FROM pg_namespace WHERE nspname = 'switchyard'", database).trim(),
          "0"
        )

        url.password = "another-secret"
        const refused = yield* run(["serve", "--config", yield* file("c.yaml", settings(upstream.url, url.href))])
        assert.strictEqual(refused.code, 1)
        assert.match(refused.stderr, /it refuses the user or the password of database_url/)
        assert.notInclude(refused.stderr + refused.stdout, "another-secret")
      })
  )
})
