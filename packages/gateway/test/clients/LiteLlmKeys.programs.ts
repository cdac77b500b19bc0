/**
 * Keys as LiteLLM's users script them: `curl` in the shapes of its documentation, and its Python client, against two gateways that
 * share one store, each with a ledger and a thread of its own.
 */
import { execFile } from "node:child_process"
import { join } from "node:path"
import { promisify } from "node:util"
import { assert, describe, it } from "@effect/vitest"
import * as Gateway from "@switchyard/gateway/Gateway"
import * as Ledger from "@switchyard/ledger/Ledger"
import * as FakeProvider from "@switchyard/testing/FakeProvider"
import * as PostgresServer from "@switchyard/testing/PostgresServer"
import { Context, Effect, Layer } from "effect"
import { decode } from "../support/gateways.js"
import { folder } from "../support/ledgers.js"
import { run } from "../support/python.js"

const master = "sk-1234-master-key"

/** What a call costs: 1 USD for each token of its prompt, of which the provider tells 7. */
const usage = { prompt_tokens: 7, completion_tokens: 3 }
const price = { inputPrice: 1_000_000, outputPrice: 0 }

type Engine = Parameters<typeof Ledger.layer>[0]["store"]

/** Two gateways before one upstream. */
const two = (engine: (data: string) => Engine) =>
  Effect.gen(function* () {
    const provider = yield* FakeProvider.make({ name: "up", behaviour: { usage } })
    const data = yield* folder
    const settings = {
      deployments: [
        { id: "free", group: "my-free-tier", model: "gpt-4o", baseUrl: provider.url, apiKey: "k", ...price }
      ],
      masterKey: master,
      server: { port: 0 }
    }
    const start = (name: string) =>
      Effect.gen(function* () {
        const ledger = Context.get(
          yield* Layer.build(Ledger.layer({ store: engine(data), data: join(data, name) })),
          Ledger.Ledger
        )
        return yield* Gateway.make({ config: decode(settings) }, { ledger })
      })
    return { provider, a: (yield* start("a")).url, b: (yield* start("b")).url }
  }).pipe(Effect.orDie)

/** Runs `curl` as it stands in documentation; its answer, and the status of it. */
const curl = (...args: ReadonlyArray<string>) =>
  Effect.promise(async () => {
    const { stdout } = await promisify(execFile)("curl", [
      "--silent",
      "--show-error",
      "--write-out",
      "\n%{http_code}",
      ...args
    ])
    const end = stdout.lastIndexOf("\n")
    // biome-ignore lint/suspicious/noExplicitAny: what comes is looked at below
    return { status: Number(stdout.slice(end + 1)), json: JSON.parse(stdout.slice(0, end)) as any }
  })

const json = ["--header", "Content-Type: application/json"]
const bearing = (key: string) => ["--header", `Authorization: Bearer ${key}`]

/** `curl 'URL/key/generate' --header ... --data-raw '{...}'`, with the master key. */
const post = (url: string, path: string, body: object) =>
  curl(`${url}${path}`, ...bearing(master), ...json, "--data-raw", JSON.stringify(body))

const get = (url: string, path: string) => curl("-X", "GET", `${url}${path}`, ...bearing(master))

const chat = (url: string, key: string, model = "my-free-tier") =>
  curl(
    "--location",
    `${url}/chat/completions`,
    ...bearing(key),
    ...json,
    "--data",
    JSON.stringify({ model, messages: [{ role: "user", content: "what llm are you" }] })
  )

/** Asks until it is so: what one gateway does binds at the other within 2 s. */
const within = <A>(what: string, ask: Effect.Effect<A>, isSo: (answer: A) => boolean): Effect.Effect<A> => {
  const again: Effect.Effect<A> = Effect.flatMap(ask, (answer) =>
    isSo(answer) ? Effect.succeed(answer) : Effect.zipRight(Effect.sleep("50 millis"), again)
  )
  return Effect.flatMap(Effect.timeoutOption(again, "40 seconds"), (answer) =>
    answer._tag === "Some" ? Effect.succeed(answer.value) : Effect.dieMessage(what)
  )
}

type Gateways = Effect.Effect.Success<ReturnType<typeof two>>

const script = ({ a, b, provider }: Gateways) =>
  Effect.gen(function* () {
    const made = yield* post(a, "/key/generate", {
      models: ["my-free-tier"],
      aliases: { "gpt-3.5-turbo": "my-free-tier" },
      max_budget: 50,
      budget_duration: "30d",
      rpm_limit: 1000,
      duration: "30min",
      key_alias: "shop",
      metadata: { user: "ishaan@berri.ai" }
    })
    assert.strictEqual(made.status, 200, JSON.stringify(made.json))
    const { key } = made.json
    yield* within("the other gateway knows it", chat(b, key), ({ status }) => status === 200)
    assert.strictEqual((yield* chat(a, key, "gpt-3.5-turbo")).status, 200)
    assert.strictEqual((yield* chat(a, key, "dear")).status, 403)

    // The budget binds over both: neither lets in what the other has spent.
    let refused = 0
    for (let i = 0; i < 60 && refused < 4; i++) {
      const { status } = yield* chat(i % 2 === 0 ? a : b, key)
      assert.include([200, 429], status)
      refused = status === 429 ? refused + 1 : 0
      if (status === 429) yield* Effect.sleep("500 millis")
    }
    assert.strictEqual(refused, 4, "nobody was refused")
    const spent = provider.journal().length * usage.prompt_tokens
    assert.isAtLeast(spent, 50 - 2 * usage.prompt_tokens)
    // A call of each above it; a store that is slower than calls wait, as on a busy machine, is gone on without: each by its half.
    assert.isAtMost(spent, 50 + 50 / 2 + 2 * usage.prompt_tokens)
    const info = yield* within(
      "what was spent is told",
      get(b, `/key/info?key=${key}`),
      ({ json }) => json.info.spend === spent
    )
    assert.deepInclude(info.json.info, { max_budget: 50, key_alias: "shop", metadata: { user: "ishaan@berri.ai" } })

    // Another key in its place has spent as much.
    const next = yield* post(b, "/key/regenerate", { key })
    assert.deepStrictEqual([next.status, next.json.spend], [200, spent])
    assert.strictEqual((yield* chat(b, key)).status, 401)
    yield* within("the old key is gone", chat(a, key), ({ status }) => status === 401)
    assert.strictEqual((yield* chat(a, next.json.key)).status, 429)

    // More money goes on at both; a busy store may take longer over the first lease of it than a call waits.
    yield* post(a, "/key/update", { key: next.json.key, max_budget: 5000 })
    yield* within("it may spend more where that was said", chat(a, next.json.key), ({ status }) => status === 200)
    yield* within("it may spend more", chat(b, next.json.key), ({ status }) => status === 200)

    yield* post(b, "/key/block", { key: next.json.key })
    assert.strictEqual((yield* chat(b, next.json.key)).status, 403)
    yield* within("it is blocked", chat(a, next.json.key), ({ status }) => status === 403)
    yield* post(a, "/key/unblock", { key: next.json.key })
    assert.strictEqual((yield* chat(a, next.json.key)).status, 200)
    const gone = yield* post(b, "/key/delete", { keys: [next.json.key] })
    assert.deepStrictEqual(gone.json, { deleted_keys: [next.json.key] })
    yield* within("it is gone", chat(a, next.json.key), ({ status }) => status === 401)
    const today = new Date().toISOString().slice(0, 10)
    const report = yield* within(
      "all of it is in the report",
      get(a, `/global/spend/report?start_date=${today}&end_date=${today}&api_key=shop`),
      ({ json }) => json[0]?.total_cost === provider.journal().length * usage.prompt_tokens
    )
    assert.strictEqual(report.json[0].key_alias, "shop")
  })

const python = `
import json, sys
from litellm.proxy.client import Client, UnauthorizedError, UsersManagementClient
url, key = sys.argv[1:]
client = Client(base_url=url, api_key=key)
made = client.keys.generate(models=["my-free-tier"], key_alias="py", duration="1h", team_id="t", user_id="u", aliases={"gpt": "my-free-tier"})
listed = client.keys.list(page=1, size=5, team_id="t", return_full_object=True, include_team_keys=True)
info = client.keys.info(made["key"])
updated = client.keys.update(key=made["key"], models=["other"])
people = UsersManagementClient(url, key)
user = people.create_user({"user_id": "u", "user_email": "u@example.com", "auto_create_key": False})
users = people.list_users()
got = people.get_user("u")
gone = people.delete_user(["u"])
try:
    Client(base_url=url, api_key="sk-nobody").keys.list()
    refused = False
except UnauthorizedError:
    refused = True
print(json.dumps({
  "name": made["key_name"], "total": listed["total_count"], "same": listed["keys"][0]["token"] == made["token"],
  "info": info["info"]["key_alias"], "models": updated["models"], "email": users[0]["user_email"],
  "keys": len(got["keys"]), "gone": gone["deleted_keys"], "refused": refused
}))
`

const missing = PostgresServer.missing()
if (missing !== undefined) console.warn(missing)

/** A real Postgres where there is one, as teams have it; else a file. */
const store = Effect.map(
  Effect.acquireRelease(
    Effect.promise(async () => (missing === undefined ? await PostgresServer.start() : undefined)),
    (server) => Effect.promise(async () => server?.stop())
  ),
  (server) => ({
    server,
    engine: (data: string): Engine =>
      server === undefined
        ? { engine: "sqlite", path: join(data, "ledger.db") }
        : { engine: "postgres", url: server.url() }
  })
)

/** What becomes of keys while the store does not answer, and after. */
const outage = ({ a, b, provider }: Gateways, server: PostgresServer.PostgresServer) =>
  Effect.gen(function* () {
    const generate = (name: string) =>
      Effect.map(post(a, "/key/generate", { key_alias: name, max_budget: 1_000_000 }), (made) => String(made.json.key))
    const known = yield* generate("known")
    const blocked = yield* generate("blocked")
    yield* post(a, "/key/block", { key: blocked })
    const others = provider.journal().length
    const statuses = (keys: ReadonlyArray<string>) =>
      Effect.all(
        keys.flatMap((key) => [a, b].map((url) => Effect.map(chat(url, key), ({ status }) => status))),
        { concurrency: "unbounded" }
      )
    yield* within("both know them", statuses([known, blocked]), (now) => now.join() === "200,200,403,403")
    const isAway = within("they hear of it", statuses(["sk-of-nobody-1"]), (now) => now.join() === "503,503")
    const isBack = within("they hear of its return", statuses(["sk-of-nobody-2"]), (now) => now.join() === "401,401")
    const during = Effect.gen(function* () {
      yield* isAway
      assert.deepStrictEqual(yield* statuses([known, blocked, "sk-of-nobody-3"]), [200, 200, 403, 403, 503, 503])
      assert.strictEqual((yield* post(a, "/key/unblock", { key: blocked })).status, 503)
    })
    server.freeze()
    yield* Effect.ensuring(during, Effect.sync(server.thaw))
    yield* isBack
    yield* Effect.promise(server.kill)
    yield* Effect.ensuring(during, Effect.promise(server.restart))
    yield* isBack
    assert.strictEqual((yield* post(b, "/key/unblock", { key: blocked })).status, 200)
    const asked = (provider.journal().length - others) * usage.prompt_tokens
    yield* within("nothing was lost", get(b, `/key/info?key=${known}`), ({ json }) => json.info.spend === asked)
  })

describe("keys as LiteLLM's users script them", () => {
  it.scopedLive(
    "curl makes, limits, spends, blocks and replaces a key over two gateways on one store; while it is away known keys go on",
    () =>
      Effect.gen(function* () {
        const { engine, server } = yield* store
        const gateways = yield* two(engine)
        yield* script(gateways)
        if (server !== undefined) yield* outage(gateways, server)
      }),
    180_000
  )

  it.scopedLive(
    "LiteLLM's Python client makes, lists, changes and deletes keys and users",
    () =>
      Effect.gen(function* () {
        const { a } = yield* two((data) => ({ engine: "sqlite", path: join(data, "ledger.db") }))
        const told = yield* run("litellm", python, [a, master])
        if (told === undefined) return
        assert.match(String(told["name"]), /^sk-\.\.\./)
        assert.deepInclude(told, {
          total: 1,
          same: true,
          info: "py",
          models: ["other"],
          email: "u@example.com",
          keys: 1,
          gone: 1,
          refused: true
        })
      }),
    180_000
  )
})
