import { connect, createServer, type Server } from "node:net"
import { describe, expect, it } from "@effect/vitest"
import * as PostgresServer from "@switchyard/testing/PostgresServer"
import { Deferred, Duration, Effect, Exit, Scope } from "effect"
import { afterAll, beforeAll } from "vitest"
import type { LedgerError } from "../../src/errors/LedgerError.js"
import * as PostgresStore from "../../src/store/PostgresStore.js"
import * as PgEngine from "../../src/store/postgres/pgEngine.js"
import type { Store } from "../../src/store/Store.js"
import { suite } from "./contract.js"
import { key, morning, record } from "./samples.js"

const missing = PostgresServer.missing()
if (missing !== undefined) console.warn(missing)

const batch = { journal: "j", from: 0, to: 1, records: [record()], spent: [] }

/** What a server says to each connection when it is shot, as it goes over the wire. */
const shot = (() => {
  const text = "SFATAL\0C57P01\0Mterminating connection due to unexpected postmaster exit\0\0"
  const head = Buffer.from("E\0\0\0\0")
  head.writeInt32BE(text.length + 4, 1)
  return Buffer.concat([head, Buffer.from(text)])
})()

const isReady = Buffer.from("Z\0\0\0\x05I")

/**
 * A way to the server on which it seems to be shot: in the moment in which a connection is ready (those that are made from then
 * on), or when one is ended.
 */
const lastWords = (server: PostgresServer.PostgresServer) =>
  Effect.map(
    Effect.acquireRelease(
      Effect.async<{ readonly proxy: Server; readonly last: { at: "begin" | "end" | undefined; said: number } }>(
        (resume) => {
          const last = { at: undefined as "begin" | "end" | undefined, said: 0 }
          const proxy = createServer((near) => {
            const far = connect(server.port, "127.0.0.1")
            let isNew = true
            for (const [one, other] of [
              [near, far],
              [far, near]
            ] as const) {
              one.on("error", () => other.destroy())
              one.on("close", () => other.destroy())
            }
            far.on("data", (bytes: Buffer) => {
              const begins = isNew && bytes.includes(isReady)
              if (begins) isNew = false
              if (!begins || last.at !== "begin") return near.write(bytes)
              last.said++
              return near.end(Buffer.concat([bytes, shot]))
            })
            near.on("data", (bytes: Buffer) => {
              // "X": the client takes its leave.
              if (last.at !== "end" || bytes[0] !== 0x58) return far.write(bytes)
              last.said++
              return near.end(shot)
            })
          })
          proxy.listen(0, "127.0.0.1", () => resume(Effect.succeed({ proxy, last })))
        }
      ),
      ({ proxy }) => Effect.sync(() => proxy.close())
    ),
    ({ last, proxy }) => {
      const address = proxy.address()
      const port = typeof address === "object" && address !== null ? address.port : 0
      return { last, url: server.url().replace(`:${server.port}/`, `:${port}/`) }
    }
  )

describe.skipIf(missing !== undefined)("with a real server", () => {
  let server: PostgresServer.PostgresServer
  beforeAll(async () => {
    server = await PostgresServer.start()
  }, 180_000)
  afterAll(() => server.stop())

  const fresh = Effect.sync(() => server.sql("DROP SCHEMA IF EXISTS switchyard CASCADE"))
  const make = Effect.suspend(() => PostgresStore.make({ url: server.url() }))

  const lasting = Effect.runSync(Scope.make())
  let pair: readonly [Store, Store] | undefined
  afterAll(() => Effect.runPromise(Scope.close(lasting, Exit.void)))

  /** Opened once: what a test leaves behind is emptied. */
  const emptied = Effect.suspend(() => {
    if (pair === undefined) {
      const both = Effect.zipRight(fresh, Effect.all([make, make]))
      return Effect.tap(Scope.extend(both, lasting), (made) =>
        Effect.sync(() => {
          pair = made
        })
      )
    }
    server.sql(
      "TRUNCATE switchyard.records, switchyard.rollup, switchyard.journals, switchyard.windows, switchyard.leases, switchyard.keys, switchyard.member_groups, switchyard.gone, switchyard.notes"
    )
    return Effect.succeed(pair)
  })
  suite("Postgres", emptied)

  describe("a store on Postgres", () => {
    const refused = (url: string): Effect.Effect<LedgerError> =>
      Effect.orDie(Effect.flip(Effect.scoped(PostgresStore.make({ url }))))

    it.scopedLive("makes tables in its own schema alone, and touches none of LiteLLM's", () =>
      Effect.gen(function* () {
        yield* fresh
        server.sql(
          'CREATE TABLE IF NOT EXISTS "LiteLLM_VerificationToken" (token text); TRUNCATE "LiteLLM_VerificationToken"'
        )
        const store = yield* make
        yield* store.write(batch)
        yield* store.putKey(key(), undefined)
        const names = server.sql(
          "SELECT DISTINCT schemaname FROM pg_stat_user_tables WHERE n_tup_ins > 0 OR schemaname <> 'public'"
        )
        expect(names).toBe("switchyard")
        expect(server.sql('SELECT count(*) FROM "LiteLLM_VerificationToken"')).toBe("0")
      })
    )

    it.scopedLive("is made once when several gateways begin at once", () =>
      Effect.gen(function* () {
        yield* fresh
        const stores = yield* Effect.all([make, make, make], { concurrency: "unbounded" })
        for (const store of stores) yield* store.snapshot
        expect(server.sql("SELECT count(*) FROM switchyard.schema_version")).toBe("1")
      })
    )

    it.scopedLive("tells others of a change of keys", () =>
      Effect.gen(function* () {
        yield* fresh
        const listeners = () => Number(server.sql("SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'"))
        const before = listeners()
        const store = yield* make
        const other = yield* make
        // The notice goes to who listens already: the poll is for who does not yet.
        while (listeners() < before + 2) yield* Effect.sleep("20 millis")
        const told = yield* Effect.fork(other.changed)
        yield* Effect.sleep("10 millis")
        yield* store.putKey(key(), undefined)
        yield* told
      })
    )

    it.scopedLive("does a transaction again that lost to another in a deadlock", () =>
      Effect.gen(function* () {
        yield* fresh
        server.sql(
          "CREATE SCHEMA switchyard; CREATE TABLE switchyard.pairs (id int PRIMARY KEY, n int); INSERT INTO switchyard.pairs VALUES (1, 0), (2, 0)"
        )
        const engine = yield* PgEngine.make(server.url(), false)
        const both = yield* Deferred.make<void>()
        let begun = 0
        let runs = 0
        const add = (id: number) => engine.rows("UPDATE switchyard.pairs SET n = n + 1 WHERE id = ?", [id])
        const crossing = (first: number, second: number) =>
          engine.atomic(
            "write",
            Effect.gen(function* () {
              runs++
              yield* add(first)
              if (++begun === 2) yield* Deferred.succeed(both, undefined)
              yield* Deferred.await(both)
              yield* add(second)
            })
          )
        yield* Effect.all([crossing(1, 2), crossing(2, 1)], { concurrency: "unbounded" })
        expect(runs).toBe(3)
        expect(server.sql("SELECT string_agg(n::text, ',') FROM switchyard.pairs")).toBe("2,2")
        yield* fresh
      })
    )

    it.scopedLive("of a later version is refused and not touched", () =>
      Effect.gen(function* () {
        yield* fresh
        yield* Effect.scoped(make)
        server.sql("UPDATE switchyard.schema_version SET version = 99")
        expect((yield* Effect.flip(make)).reason).toBe("newer")
        yield* fresh
      })
    )

    it.scopedLive(
      "says what is wrong: a password, a role without rights, a database or a server that is not there",
      () =>
        Effect.gen(function* () {
          yield* fresh
          server.sql(
            "DROP ROLE IF EXISTS guest; CREATE ROLE guest LOGIN PASSWORD 'g'; REVOKE CREATE ON DATABASE postgres FROM PUBLIC"
          )
          const errors = [
            yield* refused(server.url("postgres", "postgres", "wrong-secret")),
            yield* refused(server.url("postgres", "guest", "g")),
            yield* refused(server.url("nowhere")),
            yield* refused("postgresql://u:top-secret@127.0.0.1:1/x"),
            yield* refused("mysql://u:top-secret@h/x")
          ]
          expect(errors.map(({ reason }) => reason)).toEqual(["refused", "rights", "refused", "away", "place"])
          expect(errors[1]?.message).toContain("CREATE")
          for (const { message } of errors) expect(message).not.toMatch(/secret/)
          expect(server.sql("SELECT to_regnamespace('switchyard') IS NULL")).toBe("t")
        })
    )

    it.scopedLive("works for a role without CREATE on tables that were made for it", () =>
      Effect.gen(function* () {
        yield* fresh
        yield* Effect.scoped(make)
        server.sql(
          "GRANT USAGE ON SCHEMA switchyard TO guest; GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA switchyard TO guest"
        )
        const store = yield* PostgresStore.make({ url: server.url("postgres", "guest", "g") })
        yield* store.write(batch)
        expect(yield* store.records({ limit: 1 })).toHaveLength(1)
      })
    )

    it.scopedLive(
      "ends no process by what it says last, on a connection that begins or one that ends: nobody hears it there",
      () =>
        Effect.gen(function* () {
          yield* fresh
          const { last, url } = yield* lastWords(server)
          // An error that nobody hears fails the run.
          for (const moment of ["begin", "end"] as const) {
            const scope = yield* Scope.make()
            const store = yield* Scope.extend(PostgresStore.make({ url }), scope)
            yield* Effect.sleep("100 millis")
            last.at = moment
            yield* Effect.exit(Effect.all([store.snapshot, store.windows(0), store.snapshot], { concurrency: 3 }))
            yield* Effect.sleep("200 millis")
            yield* Scope.close(scope, Exit.void)
            while (last.said === 0) yield* Effect.sleep("20 millis")
            // What nobody hears comes soon after.
            yield* Effect.sleep("100 millis")
            last.at = undefined
            last.said = 0
          }
          expect(
            (yield* Effect.scoped(Effect.flatMap(PostgresStore.make({ url }), ({ snapshot }) => snapshot))).keys
          ).toEqual([])
        })
    )

    it.scopedLive("that freezes is told within 5 s, and goes on when it is back; so does one that was killed", () =>
      Effect.gen(function* () {
        yield* fresh
        const store = yield* make
        yield* store.putKey(key(), undefined)
        server.freeze()
        const [took, error] = yield* Effect.timed(Effect.flip(store.snapshot))
        expect(error.reason).toBe("away")
        // On a machine with nothing else to do.
        expect(Duration.toMillis(took)).toBeLessThan(3 * 5_000)
        server.thaw()
        const back = Effect.retry(store.snapshot, {
          times: 300,
          while: () => Effect.as(Effect.sleep("100 millis"), true)
        })
        expect((yield* back).keys).toHaveLength(1)
        yield* Effect.promise(server.kill)
        expect((yield* Effect.flip(store.write(batch))).reason).toBe("away")
        yield* Effect.promise(server.restart)
        expect((yield* back).keys).toHaveLength(1)
        expect(yield* store.write(batch)).toBe(1)
        expect((yield* store.records({ limit: 5, to: morning + 1 })).length).toBe(1)
      })
    )
  })
})
