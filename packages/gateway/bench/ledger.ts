/**
 * What the ledger costs a gateway: the same requests of a key with a budget, with the ledger on and with `ledger: false`,
 * alternating in one run. CPU of the thread that serves and of all others, how late its event loop is at a fixed rate, and
 * memory. The gateway is the command as it is installed, so it has to be built. Needs Linux's /proc. BENCH_SHORT=1 is the
 * short form. Exits 0 however the figures come out.
 */
import { type ChildProcess, fork, spawn } from "node:child_process"
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as pause } from "node:timers/promises"
import { fileURLToPath } from "node:url"
import { Agent, request } from "undici"

const short = process.env.BENCH_SHORT === "1"
const rounds = short ? 10 : 30
const requests = 1_500
const lateRounds = short ? 1 : 5
const rate = 200
const steady = short ? 2_000 : 8_000
const concurrency = 16

interface Gateway {
  readonly child: ChildProcess
  readonly url: string
  /** Where it writes how late it is. */
  readonly told: string
}

const folder = mkdtempSync(join(tmpdir(), "switchyard-bench-"))
const children: Array<ChildProcess> = []
process.once("exit", () => {
  for (const child of children) child.kill("SIGKILL")
  rmSync(folder, { recursive: true, force: true })
})

const ended = (what: string) => (code: number | null) => {
  console.error(`${what} ended with ${code}`)
  process.exit(1)
}

const settings = (upstream: string, isOn: boolean): object => ({
  masterKey: "sk-bench",
  log: { format: "off" },
  ...(isOn ? {} : { ledger: false }),
  keys: [{ name: "bench", key: "sk-of-the-bench", budget: { limit: 1_000_000, window: "1 day" } }],
  deployments: [
    { id: "a", group: "smart", model: "gpt-4o", baseUrl: `${upstream}/v1`, inputPrice: 2.5, outputPrice: 10 }
  ]
})

const start = async (upstream: string, isOn: boolean): Promise<Gateway> => {
  const name = isOn ? "on" : "off"
  const file = join(folder, `${name}.json`)
  const told = join(folder, `${name}.lateness`)
  writeFileSync(file, JSON.stringify(settings(upstream, isOn)))
  const here = (path: string) => fileURLToPath(new URL(path, import.meta.url))
  const child = spawn(
    process.execPath,
    [
      ...["--import", here("./lateness.mjs"), here("../../cli/bin/switchyard.js")],
      ...["serve", "--config", file, "--data", join(folder, name), "--port", "0"]
    ],
    { stdio: ["ignore", "pipe", "inherit"], env: { ...process.env, BENCH_LATENESS: told } }
  )
  children.push(child)
  child.once("exit", ended(`the gateway with the ledger ${name}`))
  let printed = ""
  const url = await new Promise<string>((resolve) => {
    child.stdout.on("data", (text: Buffer) => {
      printed += text.toString()
      const found = /http:\/\/\S+/.exec(printed)?.[0]
      if (found !== undefined && printed.includes("\n")) resolve(found)
    })
  })
  return { child, url, told }
}

/** µs of CPU that the thread that serves has used, and all others. */
const cpuOf = ({ child }: Gateway): readonly [number, number] => {
  let main = 0
  let others = 0
  for (const thread of readdirSync(`/proc/${child.pid}/task`)) {
    const ran = Number(readFileSync(`/proc/${child.pid}/task/${thread}/schedstat`, "utf8").split(" ")[0]) / 1_000
    if (thread === String(child.pid)) main = ran
    else others += ran
  }
  return [main, others]
}

const memoryOf = ({ child }: Gateway): number =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, "utf8"))?.[1]) / 1024

const dispatcher = new Agent({ connections: concurrency, pipelining: 1 })
const body = JSON.stringify({ model: "smart", messages: [{ role: "user", content: "Hello?" }] })

const call = async (url: string): Promise<void> => {
  const answer = await request(`${url}/v1/chat/completions`, {
    method: "POST",
    dispatcher,
    headers: { "content-type": "application/json", authorization: "Bearer sk-of-the-bench" },
    body
  })
  const text = await answer.body.text()
  if (answer.statusCode !== 200) throw new Error(`${answer.statusCode} ${text.slice(0, 300)}`)
}

const burst = async (gateway: Gateway): Promise<readonly [number, number]> => {
  const before = cpuOf(gateway)
  let left = requests
  const worker = async (): Promise<void> => {
    while (left-- > 0) await call(gateway.url)
  }
  await Promise.all(Array.from({ length: concurrency }, worker))
  const main = cpuOf(gateway)[0] - before[0]
  // What the ledger's thread has still to do is its part of these requests.
  await pause(500)
  return [main / requests, (cpuOf(gateway)[1] - before[1]) / requests]
}

const lines = (file: string): ReadonlyArray<string> =>
  existsSync(file) ? readFileSync(file, "utf8").trimEnd().split("\n") : []

const late = async ({ child, told }: Gateway): Promise<number> => {
  const before = lines(told).length
  child.kill("SIGUSR2")
  while (lines(told).length === before) await pause(5)
  return Number(lines(told).at(-1))
}

const lateness = async (gateway: Gateway): Promise<number> => {
  await late(gateway)
  const begun = performance.now()
  const calls: Array<Promise<void>> = []
  for (let n = 0; performance.now() - begun < steady; n++) {
    await pause(Math.max(0, begun + (n * 1_000) / rate - performance.now()))
    calls.push(call(gateway.url))
  }
  await Promise.all(calls)
  return late(gateway)
}

const median = (values: ReadonlyArray<number>): number =>
  [...values].sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN

const upstream = fork(fileURLToPath(new URL("./upstream.ts", import.meta.url)), [])
children.push(upstream)
const port = await new Promise<number>((resolve) =>
  upstream.once("message", (message: { readonly port: number }) => resolve(message.port))
)
const on = await start(`http://127.0.0.1:${port}`, true)
const off = await start(`http://127.0.0.1:${port}`, false)
await pause(2_000)
const mib = (gateway: Gateway) => `${memoryOf(gateway).toFixed(0)} MiB`
console.log(`idle memory: ${mib(on)} with, ${mib(off)} without`)
for (let warm = 0; warm < 3; warm++) {
  await burst(on)
  await burst(off)
}
const seen = {
  on: { main: [] as Array<number>, others: [] as Array<number>, late: [] as Array<number> },
  off: { main: [] as Array<number>, others: [] as Array<number>, late: [] as Array<number> }
}
for (let round = 0; round < rounds; round++) {
  // Who comes first changes: what one leaves to do must not always meet the other.
  for (const which of round % 2 === 0 ? (["on", "off"] as const) : (["off", "on"] as const)) {
    const gateway = which === "on" ? on : off
    const [main, others] = await burst(gateway)
    seen[which].main.push(main)
    seen[which].others.push(others)
    if (round % Math.ceil(rounds / lateRounds) === 0) seen[which].late.push(await lateness(gateway))
  }
}
/** Of the quieter rounds: what else runs on the machine makes a request dearer, and never cheaper. */
const quiet = (values: ReadonlyArray<number>): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 10)] ?? Number.NaN
const differences = seen.on.main.map((main, round) => main - (seen.off.main[round] ?? Number.NaN))
const told = (what: "main" | "others" | "late", digits: number, of = median) =>
  `${of(seen.on[what]).toFixed(digits)} with, ${of(seen.off[what]).toFixed(digits)} without`
console.log(
  `CPU of the thread that serves, µs a request: ${told("main", 1)}; difference ${median(differences).toFixed(1)} (medians of ${rounds} rounds)`
)
console.log(
  `  in the tenth of the rounds that was disturbed least: ${told("main", 1, quiet)}; difference ${(quiet(seen.on.main) - quiet(seen.off.main)).toFixed(1)}`
)
console.log(`CPU of all other threads, µs a request: ${told("others", 1)}`)
console.log(`event loop, p99.9 in ms at ${rate} requests/s: ${told("late", 2)}`)
console.log(
  `memory after ${((rounds + 3) * requests + lateRounds * (steady / 1_000) * rate).toLocaleString("en")} requests each: ${mib(on)} with, ${mib(off)} without`
)
await dispatcher.close()
for (const child of children) child.removeAllListeners("exit")
process.exit(0)
