/**
 * What a ledger costs: CPU of the thread that serves per request (its record, and what two windows spent), that of the ledger's
 * own thread beside it, the event loop's lateness with it on and off, and sums over 10 million records. Alternating rounds,
 * medians. Needs Linux's /proc. BENCH_SHORT=1 is the short form. Exits 0 however the figures come out.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { monitorEventLoopDelay } from "node:perf_hooks"
import { setTimeout as pause, setImmediate as turn } from "node:timers/promises"
import { Context, Effect, Layer } from "effect"
import * as Ledger from "../src/ledger/Ledger.js"
import * as SqliteStore from "../src/store/SqliteStore.js"
import * as Driver from "../src/store/sqlite/driver.js"
import { recordOf } from "./sample.js"

const short = process.env.BENCH_SHORT === "1"
const rounds = short ? 3 : 9
const requests = short ? 10_000 : 40_000
const perTick = 10
const steady = short ? 1_000 : 5_000
const many = Number(process.argv[2] ?? (short ? 200_000 : 10_000_000))

const median = (values: ReadonlyArray<number>): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN

/** Ns that threads of this process have run: the first, and all others. */
const cpu = (): readonly [number, number] => {
  let main = 0
  let others = 0
  for (const task of readdirSync("/proc/self/task")) {
    const ran = Number(readFileSync(`/proc/self/task/${task}/schedstat`, "utf8").split(" ")[0])
    if (task === String(process.pid)) main = ran
    else others += ran
  }
  return [main, others]
}

type Service = Context.Tag.Service<Ledger.Ledger>

let checksum = 0

const request = (ledger: Service | undefined, n: number): void => {
  const record = recordOf(n)
  checksum += record.id.length
  if (ledger === undefined) return
  ledger.append(record)
  const { cost, time } = record
  ledger.spend({ scope: "caller", key: String(record.caller), length: 86_400_000, cost, time })
  ledger.spend({ scope: "team", key: String(record.team), length: 86_400_000, cost, time })
}

const burst = async (ledger: Service | undefined): Promise<readonly [number, number]> => {
  const before = cpu()
  for (let n = 0; n < requests; n += perTick) {
    for (let at = 0; at < perTick; at++) request(ledger, n + at)
    await turn()
  }
  const after = cpu()
  const [main] = [(after[0] - before[0]) / requests / 1_000]
  if (ledger !== undefined) await Effect.runPromise(Effect.retry(ledger.settled, { times: 5 }))
  const [, others] = cpu()
  return [main, (others - before[1]) / requests / 1_000]
}

/** A thousand requests a second, and how late the loop is. */
const lateness = async (ledger: Service | undefined): Promise<number> => {
  const delay = monitorEventLoopDelay({ resolution: 1 })
  delay.enable()
  const until = performance.now() + steady
  for (let n = 0; performance.now() < until; n++) {
    request(ledger, n)
    await pause(1)
  }
  delay.disable()
  return delay.percentile(99.9) / 1e6
}

const measure = async (ledger: Service): Promise<void> => {
  await burst(ledger)
  await burst(undefined)
  const on: Array<readonly [number, number]> = []
  const off: Array<readonly [number, number]> = []
  const lateOn: Array<number> = []
  const lateOff: Array<number> = []
  for (let round = 0; round < rounds; round++) {
    on.push(await burst(ledger))
    off.push(await burst(undefined))
    lateOn.push(await lateness(ledger))
    lateOff.push(await lateness(undefined))
  }
  const of = (values: ReadonlyArray<readonly [number, number]>, at: 0 | 1) => median(values.map((value) => value[at]))
  console.log(
    `CPU of the thread that serves, per request: ${(of(on, 0) - of(off, 0)).toFixed(2)} µs (${of(on, 0).toFixed(2)} with, ${of(off, 0).toFixed(2)} without)`
  )
  console.log(`CPU of all other threads, per request: ${(of(on, 1) - of(off, 1)).toFixed(1)} µs`)
  console.log(
    `event loop, p99.9 at 1,000 requests/s: ${median(lateOn).toFixed(2)} ms with, ${median(lateOff).toFixed(2)} ms without`
  )
}

/** A year of records of 100 keys, 4 models and 8 deployments, written in bulk, with their sums. */
const fill = (path: string): Effect.Effect<void, unknown> =>
  Effect.gen(function* () {
    yield* Effect.scoped(SqliteStore.make({ path }))
    const connection = (yield* Driver.load(undefined)).open(path)
    const start = Date.UTC(2025, 10, 29)
    connection.exec(`
      PRAGMA synchronous = OFF;
      DROP INDEX records_by_time; DROP INDEX records_by_caller; DROP INDEX records_by_id;
      INSERT INTO records
        WITH RECURSIVE numbers(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n + 1 < ${many})
        SELECT 'req-' || n, ${start} + n * ${Math.floor((365 * 86_400_000) / many)}, 'key-' || (n % 100), 'team-' || (n % 5), NULL, '[]', 'chat',
          'model-' || (n / 100 % 4), 'model-' || (n / 100 % 4), 'deployment-' || (n / 100 % 4 * 2 + n / 400 % 2), 'openai', 1, 1, 0,
          1200, 800, 0, 350, 40, 1000 + n % 977, 'success', 200, NULL, 1834, 412, NULL FROM numbers;
      INSERT INTO rollup
        SELECT strftime('%Y-%m-%d', time / 1000, 'unixepoch'), caller, team, '', model_group, deployment, COUNT(*), 0, SUM(cost),
          SUM(input), SUM(cache_read), SUM(cache_write), SUM(output), SUM(reasoning) FROM records GROUP BY 1, 2, 3, 4, 5, 6;
      CREATE INDEX records_by_time ON records (time, id);
    `)
    connection.close()
  })

const sums = (path: string): Effect.Effect<void, unknown> =>
  Effect.scoped(
    Effect.gen(function* () {
      yield* fill(path)
      const begun = performance.now()
      const store = yield* SqliteStore.make({ path })
      const report = yield* store.report({ by: ["day", "key"], from: undefined, to: undefined })
      const took = performance.now() - begun
      const counted = report.reduce((sum, row) => sum + row.requests, 0)
      console.log(
        `${counted.toLocaleString("en")} records by day and key: ${report.length.toLocaleString("en")} sums in ${(took / 1_000).toFixed(2)} s, opening included`
      )
    })
  )

const data = mkdtempSync(join(tmpdir(), "switchyard-bench-ledger-"))
try {
  await Effect.runPromise(
    Effect.scoped(
      Effect.flatMap(
        Layer.build(Ledger.layer({ store: { engine: "sqlite", path: join(data, "ledger.db") }, data })),
        (context) => Effect.promise(() => measure(Context.get(context, Ledger.Ledger)))
      )
    )
  )
  await Effect.runPromise(sums(join(data, "year.db")))
} finally {
  rmSync(data, { recursive: true, force: true })
}
if (checksum === 0) console.log("nothing was done")
