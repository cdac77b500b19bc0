/**
 * A gateway over a ledger: what it is given, and what is told of how it does.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Gateway from "@switchyard/gateway/Gateway"
import type { Health, Ledger } from "@switchyard/ledger/Ledger"
import { LedgerError } from "@switchyard/ledger/LedgerError"
import type { UsageRecord } from "@switchyard/ledger/UsageRecord"
import * as FakeProvider from "@switchyard/testing/FakeProvider"
import { type Context, Effect, Stream } from "effect"
import { authorized, decode, deploymentOf, eventually, masterKey, messages, post } from "../support/gateways.js"

const away = new LedgerError({ reason: "away", description: "db.internal did not answer" })

/** A ledger without a store, whose health is what a test says. */
const setup = Effect.gen(function* () {
  const records: Array<UsageRecord> = []
  const state: { health: Health } = {
    health: {
      engine: "postgres",
      place: "postgresql://db.internal/x",
      state: "up",
      error: undefined,
      waitingBytes: 0,
      lost: 0,
      awaySince: undefined
    }
  }
  const nothing = Effect.succeed({ version: 1, keys: [], groups: [], goneKeys: [], goneGroups: [] })
  const store = {
    snapshot: nothing,
    changesSince: () => nothing,
    changed: Effect.never,
    note: () => Effect.succeed("a".repeat(43)),
    lease: () => Effect.fail(away),
    windows: () => Effect.fail(away),
    putNote: () => Effect.void,
    release: () => Effect.void
  } as unknown as Context.Tag.Service<Ledger>["store"]
  const ledger: Context.Tag.Service<Ledger> = {
    append: (record) => void records.push(record),
    spend: () => {},
    store,
    health: () => state.health,
    changes: Stream.never,
    settled: Effect.void
  }
  const upstream = yield* FakeProvider.make({ name: "east" })
  const config = decode({ deployments: [deploymentOf(upstream, { tags: ["web"] })], masterKey, server: { port: 0 } })
  const start = (given: Context.Tag.Service<Ledger> | undefined) => Gateway.make({ config }, { ledger: given })
  return { records, state, ledger, start }
})

const read = (url: string, path: string) =>
  Effect.promise(async () => (await fetch(url + path, { headers: authorized })).text())

describe("a gateway's ledger", () => {
  it.scopedLive("is given one record of each request that ends, and none of those without a key", () =>
    Effect.gen(function* () {
      const { ledger, records, start } = yield* setup
      const gateway = yield* start(ledger)
      const ask = (model: string, headers = {}) =>
        post(gateway, "/v1/chat/completions", { model, messages, tags: ["web"] }, headers)
      assert.strictEqual((yield* ask("smart")).status, 200)
      assert.strictEqual((yield* ask("smart", { authorization: "Bearer sk-nobody-has-this" })).status, 401)
      assert.strictEqual((yield* ask("nobody-has-this")).status, 404)
      yield* eventually(
        () => `2 records; ${records.length} are there`,
        () => records.length >= 2
      )
      assert.deepStrictEqual(
        records.map(({ attempts, caller, deployment, ending, group, status, tags }) => [
          ...[caller, group, deployment, attempts],
          ...[ending, status, tags.join()]
        ]),
        [
          ["(master)", "smart", "east", 1, "success", 200, "web"],
          ["(master)", undefined, undefined, 0, "failure", 404, "web"]
        ]
      )
      assert.notInclude(JSON.stringify(records), "Hi there")
    })
  )

  it.scopedLive(
    "is told by readiness, the configuration's view and metrics, up and away, and of no ledger nothing",
    () =>
      Effect.gen(function* () {
        const { ledger, start, state } = yield* setup
        const gateway = yield* start(ledger)
        const told = (url: string) =>
          Effect.map(
            Effect.all([read(url, "/health/readiness"), read(url, "/admin/config"), read(url, "/metrics")]),
            ([ready, config, metrics]) => ({
              db: (JSON.parse(ready) as { readonly db: string }).db,
              ledger: (JSON.parse(config) as { readonly ledger: Readonly<Record<string, unknown>> | null }).ledger,
              metrics: [...metrics.matchAll(/^switchyard_ledger_(\w+) (\S+)$/gm)].map(
                ([, name, value]) => `${name} ${value}`
              )
            })
          )
        const up = yield* told(gateway.url)
        assert.strictEqual(up.db, "connected")
        assert.deepInclude(up.ledger, {
          engine: "postgres",
          place: "postgresql://db.internal/x",
          state: "up",
          error: null
        })
        assert.sameMembers(up.metrics, ["up 1", "waiting_bytes 0", "records_lost_total 0", "write_age_seconds 0"])
        state.health = {
          ...state.health,
          state: "away",
          error: away,
          awaySince: Date.now() - 60_000,
          waitingBytes: 7,
          lost: 3
        }
        const gone = yield* told(gateway.url)
        assert.strictEqual(gone.db, "Not connected")
        assert.deepInclude(gone.ledger, {
          state: "away",
          error: "db.internal did not answer",
          waitingBytes: 7,
          lostRecords: 3
        })
        assert.includeMembers([...gone.metrics], ["up 0", "waiting_bytes 7", "records_lost_total 3"])
        assert.match(gone.metrics.join("\n"), /write_age_seconds 6\d\./)
        const none = yield* told((yield* start(undefined)).url)
        assert.deepStrictEqual(none, { db: "Not connected", ledger: null, metrics: [] })
      })
  )
})
