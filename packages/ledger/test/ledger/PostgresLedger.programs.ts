import { mkdtempSync, readdirSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as PostgresServer from "@switchyard/testing/PostgresServer"
import { Context, Duration, Effect, Exit, Layer, Scope } from "effect"
import { afterAll, beforeAll } from "vitest"
import * as Ledger from "../../src/ledger/Ledger.js"
import { key, record } from "../store/samples.js"

const missing = PostgresServer.missing()
if (missing !== undefined) console.warn(missing)

const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "switchyard-ledger-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
)

describe.skipIf(missing !== undefined)("a ledger on Postgres", () => {
  let server: PostgresServer.PostgresServer
  beforeAll(async () => {
    server = await PostgresServer.start()
  }, 180_000)
  afterAll(() => server.stop())

  const open = (data: string, url: string) =>
    Effect.map(Layer.build(Ledger.layer({ store: { engine: "postgres", url }, data })), (context) =>
      Context.get(context, Ledger.Ledger)
    )
  const all = { by: ["key"] as const, from: undefined, to: undefined }

  it.scopedLive("keeps what happens while the server is frozen or dead, and stores it once when it is back", () =>
    Effect.gen(function* () {
      const ledger = yield* open(yield* folder, server.database())
      const until = (state: "up" | "away") =>
        Effect.repeat(Effect.sleep("20 millis"), { until: () => ledger.health().state === state })
      const stored = Effect.retry(ledger.settled, {
        times: 300,
        while: () => Effect.as(Effect.sleep("200 millis"), true)
      })
      ledger.append(record({ id: "before" }))
      yield* ledger.settled
      server.freeze()
      for (let at = 0; at < 100; at++) ledger.append(record({ id: `frozen-${at}` }))
      yield* Effect.timeout(until("away"), "20 seconds")
      expect(ledger.health().waitingBytes).toBeGreaterThan(0)
      // Nobody waits for a store that is known to be away.
      const [took, error] = yield* Effect.timed(Effect.flip(ledger.store.snapshot))
      expect(error.reason).toBe("away")
      expect(Duration.toMillis(took)).toBeLessThan(3_000)
      server.thaw()
      yield* until("up")
      yield* stored
      expect((yield* ledger.store.report(all))[0]?.requests).toBe(101)
      yield* Effect.promise(server.kill)
      for (let at = 0; at < 100; at++) ledger.append(record({ id: `dead-${at}` }))
      yield* until("away")
      yield* Effect.promise(server.restart)
      yield* until("up")
      yield* stored
      expect((yield* ledger.store.report(all))[0]?.requests).toBe(201)
      expect(ledger.health()).toMatchObject({ lost: 0, waitingBytes: 0, error: undefined, awaySince: undefined })
    })
  )

  it.scopedLive("ends while the server is away, and the next one stores what it left; a change of keys is heard", () =>
    Effect.gen(function* () {
      const data = yield* folder
      const url = server.database()
      const scope = yield* Scope.make()
      const ledger = yield* Scope.extend(open(data, url), scope)
      server.freeze()
      ledger.append(record({ id: "late" }))
      yield* Scope.close(scope, Exit.void)
      server.thaw()
      expect(readdirSync(join(data, "journals"))).toHaveLength(1)
      const next = yield* open(data, url)
      expect((yield* next.store.records({ limit: 1, id: "late" })).length).toBe(1)
      const other = yield* open(yield* folder, url)
      // The notice goes to who listens already: the poll is for who does not yet.
      const listening = () =>
        Number(
          server.sql(
            "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'LISTEN%' AND datname = current_database()",
            new URL(url).pathname.slice(1)
          )
        )
      while (listening() < 2) yield* Effect.sleep("20 millis")
      const told = yield* Effect.fork(next.store.changed)
      yield* Effect.sleep("10 millis")
      yield* other.store.putKey(key(), undefined)
      yield* told
    })
  )
})
