/** What every store promises, whatever its engine: the suite that SQLite and Postgres are both held to. */
import { describe, expect, it } from "@effect/vitest"
import { Effect, type Scope } from "effect"
import type { LedgerError } from "../../src/errors/LedgerError.js"
import type { LeaseAsk, Spent } from "../../src/money/Lease.js"
import type { UsageRecord } from "../../src/record/UsageRecord.js"
import type { Batch, Store } from "../../src/store/Store.js"
import { group, hour, key, morning, record } from "./samples.js"

/** Two stores on one and the same empty database. */
export type Open = Effect.Effect<readonly [Store, Store], LedgerError, Scope.Scope>

const batch = (records: ReadonlyArray<UsageRecord>, of: Partial<Batch> = {}): Batch => ({
  journal: "j1",
  from: 0,
  to: 100,
  records,
  spent: [],
  ...of
})

const spent = (of: Partial<Spent> = {}): Spent => ({
  scope: "caller",
  key: "alice",
  length: hour,
  cost: 1_000,
  time: morning,
  ...of
})

const ask = (of: Partial<LeaseAsk> = {}): LeaseAsk => ({
  scope: "caller",
  key: "alice",
  length: hour,
  limit: 10_000,
  amount: 4_000,
  lasts: 60_000,
  now: morning,
  ...of
})

const look = (of: Partial<LeaseAsk> = {}): LeaseAsk => ask({ amount: 0, ...of })

export const suite = (name: string, open: Open): void => {
  const test = (what: string, body: (store: Store, other: Store) => Effect.Effect<void, LedgerError, Scope.Scope>) =>
    it.scopedLive(what, () => Effect.flatMap(open, ([store, other]) => body(store, other)))

  describe(`a store on ${name}`, () => {
    test("gives records back as they were, newest first", (store) =>
      Effect.gen(function* () {
        const full = record({
          id: "req-2",
          time: morning + 1,
          user: "u1",
          tags: ["a", "b,c"],
          stream: true,
          isHit: true,
          reason: "timeout",
          ending: "failure",
          session: "0af3"
        })
        const empty = record({
          id: "req-3",
          time: morning + 2,
          caller: undefined,
          team: undefined,
          model: undefined,
          group: undefined,
          deployment: undefined,
          provider: undefined,
          status: undefined,
          firstContent: undefined,
          ending: "refused"
        })
        yield* store.write(batch([record(), full, empty]))
        expect(yield* store.records({ limit: 10 })).toEqual([empty, full, record()])
      }))

    test("cuts what callers say to 256 bytes, between characters, and keeps no NUL", (store) =>
      Effect.gen(function* () {
        yield* store.write(
          batch([record({ model: "ä".repeat(300), caller: `a\0${"x".repeat(300)}`, tags: ["😀".repeat(65)] })])
        )
        const [kept] = yield* store.records({ limit: 1 })
        expect(kept?.model).toBe("ä".repeat(128))
        expect(kept?.caller).toBe(`a${"x".repeat(255)}`)
        expect(kept?.tags).toEqual(["😀".repeat(64)])
      }))

    test("keeps whole numbers only, and none that is no amount", (store) =>
      Effect.gen(function* () {
        yield* store.write(batch([record({ latency: 1.6, input: Number.NaN, output: -3, cost: 2 ** 60 })]))
        const [kept] = yield* store.records({ limit: 1 })
        expect(kept).toMatchObject({ latency: 2, input: 0, output: 0, cost: Number.MAX_SAFE_INTEGER })
      }))

    test("stores a piece of a journal once, and tells where the next one begins", (store, other) =>
      Effect.gen(function* () {
        expect(yield* store.storedUpTo("j1")).toBe(0)
        expect(yield* store.write(batch([record()], { spent: [spent()] }))).toBe(100)
        expect(yield* other.write(batch([record()], { spent: [spent()] }))).toBe(100)
        expect(yield* other.write(batch([record(), record({ id: "b" })], { from: 50, to: 150 }))).toBe(100)
        expect(yield* store.write(batch([], { from: 100, to: 120 }))).toBe(120)
        expect(yield* store.storedUpTo("j1")).toBe(120)
        expect(yield* store.write(batch([record({ id: "c" })], { journal: "j2", from: 40, to: 90 }))).toBe(90)
        expect((yield* store.records({ limit: 10 })).map(({ id }) => id)).toEqual(["req-1", "c"])
        expect((yield* store.report({ by: [], from: undefined, to: undefined }))[0]?.requests).toBe(2)
      }))

    test("pages through records without losing one of the same time", (store) =>
      Effect.gen(function* () {
        const ids = Array.from({ length: 25 }, (_, at) => `r${String(at).padStart(2, "0")}`)
        yield* store.write(batch(ids.map((id, at) => record({ id, time: morning + Math.floor(at / 10) }))))
        const seen: Array<string> = []
        let after: { time: number; id: string } | undefined
        for (;;) {
          const page = yield* store.records({ limit: 4, after })
          if (page.length === 0) break
          seen.push(...page.map(({ id }) => id))
          const last = page.at(-1)
          after = last && { time: last.time, id: last.id }
        }
        expect(seen).toEqual([...ids].reverse())
      }))

    test("finds records by what they are asked by", (store) =>
      Effect.gen(function* () {
        yield* store.write(
          batch([
            record({ id: "a", time: morning }),
            record({ id: "b", time: morning + 10, caller: "bob", ending: "failure" }),
            record({ id: "c", time: morning + 20, team: "red", model: "slow" }),
            record({ id: "'; DROP TABLE records; --", time: morning + 30, caller: "' OR 1=1 --" })
          ])
        )
        const ids = (of: Partial<Parameters<Store["records"]>[0]>) =>
          Effect.map(store.records({ limit: 10, ...of }), (found) => found.map(({ id }) => id))
        expect(yield* ids({ from: morning + 10, to: morning + 20 })).toEqual(["b"])
        expect(yield* ids({ caller: "bob" })).toEqual(["b"])
        expect(yield* ids({ team: "red" })).toEqual(["c"])
        expect(yield* ids({ model: "slow" })).toEqual(["c"])
        expect(yield* ids({ ending: "failure" })).toEqual(["b"])
        expect(yield* ids({ id: "a" })).toEqual(["a"])
        expect(yield* ids({ caller: "' OR 1=1 --" })).toEqual(["'; DROP TABLE records; --"])
      }))

    test("tells sums by what they are asked by, days in UTC, and leaves out what there is none of", (store) =>
      Effect.gen(function* () {
        const midnight = Date.UTC(2026, 10, 30)
        yield* store.write(
          batch([
            record({ time: midnight - 1 }),
            record({ time: midnight, cost: 5 }),
            record({ time: midnight, cost: 7, caller: "Bob", ending: "failure", group: "slow" }),
            record({
              time: midnight,
              cost: 9,
              caller: undefined,
              group: undefined,
              model: "made up",
              ending: "refused"
            }),
            record({ time: midnight, cost: 1, ending: "abandoned" })
          ])
        )
        yield* store.write(batch([record({ time: midnight, cost: 11 })], { from: 100, to: 200 }))
        const tokens = { input: 10, cacheRead: 2, cacheWrite: 3, output: 20, reasoning: 4 }
        const all = { from: undefined, to: undefined }
        expect(yield* store.report({ by: ["day"], ...all })).toMatchObject([
          { by: { day: "2026-11-29" }, requests: 1, failures: 0, cost: 1_000, ...tokens },
          { by: { day: "2026-11-30" }, requests: 5, failures: 2, cost: 33, input: 50 }
        ])
        expect(yield* store.report({ by: ["key", "model"], from: "2026-11-30", to: "2026-11-30" })).toMatchObject([
          { by: {}, cost: 9 },
          { by: { key: "Bob", model: "slow" }, cost: 7 },
          { by: { key: "alice", model: "fast" }, cost: 17, requests: 3 }
        ])
        expect(yield* store.report({ by: ["deployment"], ...all, key: "alice" })).toMatchObject([
          { by: { deployment: "openai-1" }, cost: 1_017 }
        ])
        expect(yield* store.report({ by: ["team"], ...all, team: "red" })).toEqual([])
      }))

    test("sums more than a number holds exactly", (store) =>
      Effect.gen(function* () {
        for (let at = 0; at < 3; at++) {
          yield* store.write(batch([record({ cost: Number.MAX_SAFE_INTEGER })], { from: at * 10, to: at * 10 + 10 }))
        }
        const [row] = yield* store.report({ by: ["day"], from: undefined, to: undefined })
        expect(row?.cost).toBeCloseTo(3 * Number.MAX_SAFE_INTEGER, -4)
      }))

    test("deletes old records and keeps their sums", (store) =>
      Effect.gen(function* () {
        yield* store.write(batch([record({ id: "old", time: morning - 1 }), record({ id: "new" })]))
        expect(yield* store.prune(morning)).toBe(1)
        expect(yield* store.prune(morning)).toBe(0)
        expect((yield* store.records({ limit: 10 })).map(({ id }) => id)).toEqual(["new"])
        expect((yield* store.report({ by: [], from: undefined, to: undefined }))[0]?.requests).toBe(2)
      }))

    test("adds what was spent to the window in force at its time", (store) =>
      Effect.gen(function* () {
        yield* store.lease("g1", [ask({ amount: 1 })])
        yield* store.write(batch([], { spent: [spent(), spent({ cost: 500, time: morning + hour - 1 })] }))
        const before = yield* store.lease("g1", [look()])
        expect(before[0]).toMatchObject({ spent: 1_500, endsAt: morning + hour })
        // The next window begins with what is spent in it, and what belongs to the one before no longer counts.
        yield* store.write(
          batch([], { from: 100, to: 200, spent: [spent({ cost: 70, time: morning + 2 * hour }), spent({ cost: 9 })] })
        )
        const after = yield* store.lease("g1", [look({ now: morning + 2 * hour })])
        expect(after[0]).toMatchObject({ spent: 70, endsAt: morning + 3 * hour })
        // Out of order, but after the end of the window before: it counts.
        yield* store.write(batch([], { from: 200, to: 300, spent: [spent({ cost: 5, time: morning + 2 * hour - 5 })] }))
        expect((yield* store.lease("g1", [look({ now: morning + 2 * hour })]))[0]?.spent).toBe(75)
        // Over, and nothing has begun since.
        const over = yield* store.lease("g1", [look({ now: morning + 9 * hour })])
        expect(over[0]).toMatchObject({ spent: 0, endsAt: undefined, granted: 0 })
      }))

    test("knows windows that never end", (store) =>
      Effect.gen(function* () {
        const length = Number.POSITIVE_INFINITY
        yield* store.write(batch([], { spent: [spent({ length }), spent({ length, time: morning + 900 * hour })] }))
        const [grant] = yield* store.lease("g1", [ask({ length, now: morning + 999 * hour })])
        expect(grant).toMatchObject({ spent: 2_000, endsAt: length, granted: 4_000, length })
      }))

    test("leases no more than is left of a window to all together", (store, other) =>
      Effect.gen(function* () {
        yield* store.write(batch([], { spent: [spent()] }))
        expect(yield* store.lease("g1", [ask()])).toMatchObject([
          {
            granted: 4_000,
            spent: 1_000,
            leasedByOthers: 0,
            sharers: 0,
            expiresAt: morning + 60_000,
            endsAt: morning + hour
          }
        ])
        expect(yield* other.lease("g2", [ask()])).toMatchObject([{ granted: 4_000, leasedByOthers: 4_000 }])
        expect(yield* store.lease("g3", [ask()])).toMatchObject([{ granted: 1_000, leasedByOthers: 8_000 }])
        expect(yield* store.lease("g4", [ask()])).toMatchObject([{ granted: 0, leasedByOthers: 9_000, sharers: 3 }])
        // In place of the lease before.
        expect(yield* store.lease("g1", [ask({ amount: 5_000 })])).toMatchObject([{ granted: 4_000 }])
        // Other windows are others.
        expect(yield* store.lease("g1", [ask({ scope: "team" }), ask({ length: 1 })])).toMatchObject([
          { granted: 4_000, leasedByOthers: 0 },
          { granted: 4_000, leasedByOthers: 0, expiresAt: morning + 1 }
        ])
      }))

    test("counts a lease until it expires, is given back, or its holder ends", (store, other) =>
      Effect.gen(function* () {
        const others = (now: number) =>
          Effect.map(store.lease("me", [look({ now })]), ([grant]) => [grant?.leasedByOthers, grant?.sharers])
        yield* other.lease("g1", [ask()])
        yield* other.lease("g2", [ask({ amount: 2_000, lasts: 120_000 })])
        expect(yield* others(morning + 59_999)).toEqual([6_000, 2])
        expect(yield* others(morning + 60_000)).toEqual([2_000, 1])
        yield* other.lease("g2", [look()])
        expect(yield* others(morning)).toEqual([4_000, 1])
        yield* store.release("g1")
        expect(yield* others(morning)).toEqual([0, 0])
      }))

    test("tells all windows in force, and what leases hold of them", (store, other) =>
      Effect.gen(function* () {
        yield* store.write(batch([], { spent: [spent()] }))
        yield* store.lease("g1", [ask(), ask({ scope: "team", length: Number.POSITIVE_INFINITY })])
        yield* other.lease("g2", [ask({ amount: 2_000 })])
        const told = (now: number) =>
          Effect.map(store.windows(now), (all) => [...all].sort((a, b) => a.length - b.length))
        const { key, scope, length } = ask()
        const endless = {
          scope: "team",
          key,
          length: Number.POSITIVE_INFINITY,
          endsAt: Number.POSITIVE_INFINITY,
          spent: 0
        }
        expect(yield* told(morning + 1)).toEqual([
          { scope, key, length, endsAt: morning + hour, spent: 1_000, leasedByOthers: 6_000 },
          { ...endless, leasedByOthers: 4_000 }
        ])
        expect(yield* told(morning + 2 * hour)).toEqual([{ ...endless, leasedByOthers: 0 }])
      }))

    test("leases are no more than a window when many ask at once", (store, other) =>
      Effect.gen(function* () {
        const grants = yield* Effect.forEach(
          Array.from({ length: 12 }, (_, at) => at),
          (at) =>
            (at % 2 === 0 ? store : other).lease(`g${at}`, [
              ask({ amount: 1_500 }),
              ask({ key: "other", amount: 1_500 })
            ]),
          { concurrency: "unbounded" }
        )
        expect(grants.reduce((sum, [grant]) => sum + (grant?.granted ?? 0), 0)).toBe(10_000)
      }))

    test("numbers changes of keys and groups, and tells what is new, changed and gone", (store, other) =>
      Effect.gen(function* () {
        const start = yield* store.snapshot
        expect(start).toEqual({ version: start.version, keys: [], groups: [] })
        const full = key({
          models: ["fast", "gpt-*"],
          allowance: { max: 5, window: hour, soft: 3 },
          metadata: { note: "ä\0", deep: [1, { a: null }] },
          aliases: { small: "fast" },
          expiresAt: morning
        })
        yield* store.putKey(full, undefined)
        yield* store.putKey(key({ hash: "b2", name: "bob" }), undefined)
        yield* store.putGroup(group(), undefined)
        const all = yield* other.snapshot
        // JSON knows no undefined: what is not said is not there.
        expect(all.keys.map(({ hash }) => hash)).toEqual(["a1", "b2"])
        expect(all.keys[0]).toMatchObject(JSON.parse(JSON.stringify(full)))
        expect(all.groups.map(({ id }) => id)).toEqual(["blue"])
        expect(all.version).toBeGreaterThan(start.version)
        expect(yield* other.changesSince(all.version)).toEqual({
          version: all.version,
          keys: [],
          groups: [],
          goneKeys: [],
          goneGroups: []
        })
        yield* store.putKey(key({ isBlocked: true, updatedAt: morning + 1 }), morning)
        expect(yield* store.deleteKeys(["b2", "nobody"])).toBe(1)
        expect(yield* store.deleteGroups("team", ["blue"])).toBe(1)
        expect(yield* store.deleteGroups("user", ["blue"])).toBe(0)
        const changes = yield* other.changesSince(all.version)
        expect(changes.keys.map(({ hash, isBlocked }) => [hash, isBlocked])).toEqual([["a1", true]])
        expect([changes.goneKeys, changes.goneGroups]).toEqual([["b2"], ["team blue"]])
        // Made again, it is not gone any more.
        yield* store.putGroup(group(), undefined)
        yield* store.putKey(key({ hash: "b2", name: "bob" }), undefined)
        const again = yield* other.changesSince(all.version)
        expect([again.goneKeys, again.goneGroups, again.groups.length, again.keys.length]).toEqual([[], [], 1, 2])
      }))

    test("refuses a change of what somebody else has changed, and a name or hash that is taken", (store, other) =>
      Effect.gen(function* () {
        yield* store.putKey(key(), undefined)
        yield* store.putGroup(group(), undefined)
        const version = (yield* store.snapshot).version
        const attempts: ReadonlyArray<Effect.Effect<void, LedgerError>> = [
          other.putKey(key(), undefined),
          other.putKey(key({ hash: "other" }), undefined),
          other.putKey(key({ updatedAt: morning + 5 }), morning + 1),
          other.putKey(key({ hash: "nobody", name: "nobody" }), morning),
          other.rehashKey("nobody", key({ hash: "c3" })),
          other.putGroup(group(), undefined),
          other.putGroup(group(), morning - 1),
          other.putGroup(group({ id: "nobody" }), morning)
        ]
        for (const attempt of attempts) {
          expect((yield* Effect.orDie(Effect.flip(attempt))).reason).toBe("conflict")
        }
        expect((yield* store.snapshot).version).toBe(version)
      }))

    test("of many that change a key at once, one does", (store, other) =>
      Effect.gen(function* () {
        yield* store.putKey(key(), undefined)
        const done = yield* Effect.forEach(
          Array.from({ length: 6 }, (_, at) => at),
          (at) => Effect.isSuccess((at % 2 ? store : other).putKey(key({ updatedAt: morning + 1 + at }), morning)),
          { concurrency: "unbounded" }
        )
        expect(done.filter(Boolean)).toHaveLength(1)
      }))

    test("gives a key another hash and keeps what it has spent, under another name too", (store) =>
      Effect.gen(function* () {
        yield* store.putKey(key(), undefined)
        yield* store.write(batch([], { spent: [spent()] }))
        const { version } = yield* store.snapshot
        yield* store.rehashKey("a1", key({ hash: "z9", name: "renamed", updatedAt: morning + 1 }))
        const changes = yield* store.changesSince(version)
        expect([changes.keys.map(({ hash }) => hash), changes.goneKeys]).toEqual([["z9"], ["a1"]])
        expect((yield* store.lease("g", [look({ key: "renamed" })]))[0]?.spent).toBe(1_000)
        yield* store.deleteKeys(["z9"])
        expect((yield* store.lease("g", [look({ key: "renamed" })]))[0]?.spent).toBe(0)
      }))

    test("keeps notes", (store, other) =>
      Effect.gen(function* () {
        expect(yield* store.note("secret")).toBeUndefined()
        yield* store.putNote("secret", "one")
        yield* store.putNote("secret", "two\n'\"")
        expect(yield* other.note("secret")).toBe("two\n'\"")
        expect(yield* other.keepNote("secret", "three")).toBe("two\n'\"")
        const kept = yield* Effect.all([store.keepNote("first", "a"), other.keepNote("first", "b")], {
          concurrency: "unbounded"
        })
        expect(new Set(kept).size).toBe(1)
      }))
  })
}
