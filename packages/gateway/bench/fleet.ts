/**
 * What gateways pay for sharing their state by Redis on the loopback, against the same gateway without, in one run: alternating
 * rounds, medians. Then how long requests wait while Redis is frozen, and when it is killed; for how long gateways ask on what
 * has failed in another; and, with `--exact`, how many four gateways admit in windows of 60 seconds. Needs Linux's /proc and a redis-server. Ends with 1 where a figure misses its
 * budget.
 *
 *   npm run bench:fleet -- --exact
 */
import { type ChildProcess, fork, spawn } from "node:child_process"
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"
import * as FakeProvider from "@switchyard/testing/FakeProvider"
import * as RedisServer from "@switchyard/testing/RedisServer"
import { Effect } from "effect"
import { Agent, request } from "undici"
import { bundled } from "../../../scripts/bundled.js"
import { ask, fleet, press } from "../test/fleet/support/gatewayProcesses.js"
import { allSay, until } from "../test/fleet/support/watching.js"
import { deploymentOf } from "../test/support/gateways.js"

const { values: given } = parseArgs({
  options: {
    rounds: { type: "string", default: "7" },
    requests: { type: "string", default: "4000" },
    exact: { type: "boolean", default: false },
    only: { type: "string", default: "" }
  }
})
const [rounds, requests] = [Number(given.rounds), Number(given.requests)]
const inFlight = 16

const budgets = { p50: 0.5, cpu: 40, wait: 100, heard: 500 }

const missing = RedisServer.missing()
if (missing !== undefined) {
  console.error(missing)
  process.exit(1)
}

interface Running {
  readonly pid: number
  readonly url: string
  readonly child: ChildProcess
}

const folder = mkdtempSync(join(tmpdir(), "switchyard-bench-fleet-"))
const children: Array<ChildProcess> = []
process.once("exit", () => {
  for (const child of children) child.kill("SIGKILL")
  rmSync(folder, { recursive: true, force: true })
})

const startUpstream = async (): Promise<Running> => {
  const child = fork(fileURLToPath(new URL("upstream.ts", import.meta.url)))
  children.push(child)
  const port = await new Promise<number>((resolve) => {
    child.once("message", (message: { readonly port: number }) => resolve(message.port))
  })
  return { child, pid: child.pid ?? 0, url: `http://127.0.0.1:${port}` }
}

const startGateway = async (name: string, upstream: string, redis?: object): Promise<Running> => {
  const file = join(folder, `${name}.json`)
  const deployment = { rpm: 100_000_000, tpm: 1_000_000_000, maxParallel: 10_000, group: "smart", model: "gpt-4o" }
  const deployments = ["a", "b", "c"].map((id) => ({ id, baseUrl: `${upstream}/v1`, ...deployment }))
  const settings = { masterKey: "sk-bench", log: { format: "off" }, ledger: false, deployments, redis }
  writeFileSync(file, JSON.stringify(settings))
  const program = await bundled("packages/cli/src/main.ts")
  const child = spawn(process.execPath, [program, "serve", "--config", file, "--port", "0"], {
    stdio: ["ignore", "pipe", "inherit"]
  })
  children.push(child)
  const url = await new Promise<string>((resolve, reject) => {
    child.stdout.on("data", (text: Buffer) => {
      const [, found] = /listens on (http:\/\/\S+)/.exec(text.toString()) ?? []
      if (found !== undefined) resolve(found)
    })
    child.once("exit", (code) => reject(new Error(`the gateway ended with ${code}`)))
  })
  return { child, pid: child.pid ?? 0, url }
}

/** µs of CPU that all threads of a process have used. */
const cpuOf = (pid: number): number =>
  readdirSync(`/proc/${pid}/task`)
    .map((thread) => Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, "utf8").split(" ")[0]))
    .reduce((sum, nanos) => sum + nanos, 0) / 1000

const dispatcher = new Agent({ connections: inFlight, pipelining: 1 })
const body = JSON.stringify({ model: "smart", messages: [{ role: "user", content: "Hello?" }] })
const headers = { "content-type": "application/json", authorization: "Bearer sk-bench" }

/** Requests, so many at once, while there are any; gives how long each took, ms. */
const drive = async (url: string, parallel: number, isOver: (begun: number) => boolean): Promise<Array<number>> => {
  const took: Array<number> = []
  let begun = 0
  const caller = async (): Promise<void> => {
    while (!isOver(begun++)) {
      const began = performance.now()
      const answer = await request(`${url}/v1/chat/completions`, { method: "POST", dispatcher, headers, body })
      const text = await answer.body.text()
      if (answer.statusCode !== 200) throw new Error(`${answer.statusCode} ${text.slice(0, 300)}`)
      took.push(performance.now() - began)
    }
  }
  await Promise.all(Array.from({ length: parallel }, caller))
  return took
}

const quantile = (values: ReadonlyArray<number>, q: number): number =>
  [...values].sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * q))] ?? Number.NaN
const median = (values: ReadonlyArray<number>): number => quantile(values, 0.5)

let isGood = true
const line = (name: string, found: number, unit: string, budget?: number): void => {
  const isMissed = budget !== undefined && !(found <= budget)
  if (isMissed) isGood = false
  const said = budget === undefined ? "" : ` (budget ${budget}${isMissed ? ": MISSED" : ""})`
  console.log(`${name.padEnd(58)} ${found.toFixed(found < 10 ? 2 : 0).padStart(8)} ${unit}${said}`)
}

/** What a server tells of itself. */
const infoOf = async (redis: RedisServer.RedisServer): Promise<(name: string) => number> => {
  const text = await redis.ask("INFO")
  return (name) => Number(new RegExp(`^${name}:(\\d+)`, "m").exec(text)?.[1])
}

const costs = async (redis: RedisServer.RedisServer, plain: Running, shared: Running): Promise<void> => {
  const both = { plain, shared }
  const found = {
    plain: { cpu: [] as Array<number>, p50: [] as Array<number> },
    shared: { cpu: [] as Array<number>, p50: [] as Array<number> }
  }
  const info = await infoOf(redis)
  const redisPid = info("process_id")
  for (const { url } of [plain, shared]) await drive(url, inFlight, (begun) => begun >= requests)
  const began = { info: await infoOf(redis), cpu: cpuOf(redisPid) }
  for (let round = 0; round < rounds; round++) {
    for (const name of ["plain", "shared"] as const) {
      const { pid, url } = both[name]
      const before = cpuOf(pid)
      await drive(url, inFlight, (begun) => begun >= requests)
      found[name].cpu.push((cpuOf(pid) - before) / requests)
      found[name].p50.push(median(await drive(url, 1, (begun) => begun >= requests / 8)))
    }
  }
  const now = { info: await infoOf(redis), cpu: cpuOf(redisPid) }
  const all = rounds * (requests + requests / 8)
  const perRequest = (name: string) => (now.info(name) - began.info(name)) / all
  line("p50 without Redis, one at a time", median(found.plain.p50), "ms")
  line("  with it: added", median(found.shared.p50) - median(found.plain.p50), "ms", budgets.p50)
  line(`CPU of the gateway without Redis, ${inFlight} at once`, median(found.plain.cpu), "µs a request")
  line("  with it: added", median(found.shared.cpu) - median(found.plain.cpu), "µs a request", budgets.cpu)
  line("CPU of Redis", (now.cpu - began.cpu) / all, "µs a request")
  line("commands", perRequest("total_commands_processed"), "a request, those inside scripts too")
  line("bytes to Redis", perRequest("total_net_input_bytes"), "a request")
  line("bytes from Redis", perRequest("total_net_output_bytes"), "a request")
  for (const part of ["use", "moments", "calls"]) {
    const [key = ""] = (await redis.ask("KEYS", `bench:*:${part}`)).split("\n")
    line(
      `memory of a busy deployment's ${part}`,
      key === "" ? 0 : Number(await redis.ask("MEMORY", "USAGE", key)),
      "bytes"
    )
  }
}

const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))

/** The longest that a request took while something happened to Redis. */
const waits = async (redis: RedisServer.RedisServer, { url }: Running): Promise<void> => {
  const worstWhile = async (happens: () => Promise<void>): Promise<number> => {
    let isOver = false
    const took = drive(url, inFlight, () => isOver)
    await pause(300)
    await happens()
    isOver = true
    return Math.max(...(await took))
  }
  const usual: Array<number> = []
  for (let round = 0; round < 5; round++) usual.push(await worstWhile(() => pause(1_500)))
  line("the longest of a second and a half as ever (median of five)", median(usual), "ms")
  const trouble = async (name: string, begin: () => unknown, end: () => unknown): Promise<void> => {
    const found: Array<number> = []
    for (let round = 0; round < 5; round++) {
      found.push(
        await worstWhile(async () => {
          await begin()
          await pause(1_000)
          await end()
          await pause(200)
        })
      )
      await pause(1_500)
    }
    line(`  while it is ${name}: longer`, Math.max(0, median(found) - median(usual)), "ms", budgets.wait)
  }
  await trouble("frozen for a second, and back", redis.freeze, redis.thaw)
  await trouble("killed, and back empty after a second", redis.kill, redis.restart)
}

/** For how long three gateways, each a process and busy, go on to ask what has failed in a fourth. */
const news = (redis: RedisServer.RedisServer) =>
  Effect.gen(function* () {
    const spare = yield* FakeProvider.make({ name: "west" })
    const cooldown = { failures: 1, jitter: 0, duration: "2 seconds", maxDuration: "2 seconds", successThreshold: 1 }
    const { gateways, upstream } = yield* fleet(4, {
      redis: { url: redis.url, prefix: "news:", timeout: "1 second" },
      besides: [deploymentOf(spare)],
      more: { strategy: "ordered", cooldown }
    })
    const [first, ...others] = gateways
    if (first === undefined) return
    const times: Array<number> = []
    for (let round = 0; round < 10; round++) {
      yield* upstream.when(({ headers: sent }) => (sent["x-gateway"] === first.name ? { status: 503 } : {}))
      let isOver = false
      const pressed = press(others, 1, () => isOver)
      const countOf = ({ stats }: FakeProvider.FakeProvider) => stats().answered
      yield* until(
        Effect.sync(() => countOf(upstream) > 40),
        "20 seconds",
        "all are busy"
      )
      yield* Effect.promise(() => ask(first))
      const failed = upstream.journal().find(({ headers: sent }) => sent["x-gateway"] === first.name)
      const before = countOf(spare)
      yield* until(
        Effect.sync(() => countOf(spare) > before + 100),
        "20 seconds",
        "they ask elsewhere"
      )
      isOver = true
      yield* Effect.promise(() => pressed)
      const last = Math.max(...upstream.journal().map(({ receivedAt }) => receivedAt))
      times.push(last - (failed?.endedAt ?? 0))
      yield* upstream.reset
      yield* until(
        Effect.zipRight(
          Effect.promise(() => Promise.all(gateways.map((gateway) => ask(gateway)))),
          allSay(gateways, "east", "healthy")
        ),
        "20 seconds",
        "all know that it is well"
      )
    }
    line("what failed in one of four gateways is asked by others for", median(times), "ms more")
    line("  at most, of ten times", Math.max(...times), "ms", budgets.heard)
  }).pipe(Effect.scoped)

/** Four gateways, each a process, that are asked for more than they may for two minutes and a half. */
const exactness = (redis: RedisServer.RedisServer) =>
  Effect.gen(function* () {
    const [rpm, window] = [100, 60_000]
    const options = { url: redis.url, prefix: "exact:", timeout: "1 second" } as const
    const { gateways, upstream } = yield* fleet(4, { redis: options, limits: { rpm }, window })
    yield* Effect.promise(() => press(gateways, 2, () => upstream.stats().requests >= 2.5 * rpm))
    const admissions = upstream
      .journal()
      .map(({ headers: sent }) => (sent["x-admission"] ?? "").split(" ").map(Number))
      .sort(([a = 0], [b = 0]) => a - b)
    const isNumbered = admissions.every(([number], index) => number === index + 1)
    const gaps = admissions.slice(rpm).map(([, , answered = 0], index) => answered - (admissions[index]?.[1] ?? 0))
    line(`requests of four gateways at ${rpm} a minute`, admissions.length, "admitted")
    line("  ids of windows that not exactly 100 bear, the last apart", isNumbered ? 0 : 1, "", 0)
    line("  windows shorter than 60 s", gaps.filter((gap) => gap < window - 2).length, "", 0)
    line("  the shortest", Math.min(...gaps) / 1000, "s")
  }).pipe(Effect.scoped)

const wants = (part: string): boolean => given.only === "" || given.only === part

const redis = await RedisServer.start()
const upstream = await startUpstream()
const plain = await startGateway("plain", upstream.url)
const shared = await startGateway("shared", upstream.url, { url: redis.url, prefix: "bench:" })
if (wants("costs")) await costs(redis, plain, shared)
if (wants("waits")) await waits(redis, shared)
if (wants("news")) await Effect.runPromise(news(redis))
if (given.exact) await Effect.runPromise(exactness(redis))
await redis.stop()
process.exit(isGood ? 0 : 1)
