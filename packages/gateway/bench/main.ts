/**
 * What a request costs the gateway in CPU, against a bare proxy in the same run: alternating rounds, medians, ratios. The
 * gateway is the command as it is installed, so it has to be built. CPU time and not throughput, because load generator and
 * upstream share the machine. Needs Linux's /proc. Exits 0 however the figures come out.
 */
import { type ChildProcess, fork, spawn } from "node:child_process"
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { Agent, request } from "undici"
import * as Operations from "./operations.js"

const short = process.env.BENCH_SHORT === "1"
const rounds = short ? 3 : 7
const concurrency = 16

interface Proxy {
  readonly child: ChildProcess
  readonly url: string
}

const ended = (what: string) => (code: number | null) => {
  console.error(`${what} ended with ${code}`)
  process.exit(1)
}

const startHelper = async (file: string, ...args: ReadonlyArray<string>): Promise<Proxy> => {
  const child = fork(fileURLToPath(new URL(file, import.meta.url)), args)
  child.once("exit", ended(file))
  const port = await new Promise<number>((resolve) => {
    child.once("message", (message: { readonly port: number }) => resolve(message.port))
  })
  return { child, url: `http://127.0.0.1:${port}` }
}

const settings = (upstream: string): object => ({
  masterKey: "sk-bench",
  log: { format: "off" },
  deployments: ["a", "b", "c", "spare"].map((id) => ({
    id,
    group: id === "spare" ? "spare" : "smart",
    model: "gpt-4o",
    baseUrl: `${upstream}/v1`,
    rpm: 100_000_000,
    tpm: 1_000_000_000,
    maxParallel: 10_000
  })),
  fallback: { chains: { general: { smart: ["spare"] } } }
})

const startGateway = async (upstream: string): Promise<Proxy> => {
  const folder = mkdtempSync(join(tmpdir(), "switchyard-bench-"))
  process.once("exit", () => rmSync(folder, { recursive: true }))
  const file = join(folder, "config.json")
  writeFileSync(file, JSON.stringify(settings(upstream)))
  const bin = fileURLToPath(new URL("../../cli/bin/switchyard.js", import.meta.url))
  const child = spawn(
    process.execPath,
    [bin, "serve", "--config", file, "--data", join(folder, "data"), "--port", "0"],
    {
      stdio: ["ignore", "pipe", "inherit"]
    }
  )
  child.once("exit", ended("the gateway"))
  let printed = ""
  const url = await new Promise<string>((resolve) => {
    child.stdout.on("data", (text: Buffer) => {
      printed += text.toString()
      const found = /http:\/\/\S+/.exec(printed)?.[0]
      if (found !== undefined && printed.includes("\n")) resolve(found)
    })
  })
  return { child, url }
}

/** µs of CPU that all threads of a process have used. */
const cpuOf = ({ child }: Proxy): number =>
  readdirSync(`/proc/${child.pid}/task`)
    .map((thread) => Number(readFileSync(`/proc/${child.pid}/task/${thread}/schedstat`, "utf8").split(" ")[0]))
    .reduce((sum, nanos) => sum + nanos, 0) / 1000

/** MiB that a process has resident. */
const memoryOf = ({ child }: Proxy): number =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, "utf8"))?.[1]) / 1024

const dispatcher = new Agent({ connections: concurrency, pipelining: 1 })

const message = (content: string, stream: boolean): string =>
  JSON.stringify({ model: "smart", stream, messages: [{ role: "user", content }] })

const workloads = [
  { name: "chat", body: message("Hello?", false), requests: short ? 1500 : 5000, budget: 2.5 },
  { name: "100-chunk stream", body: message("Hello?", true), requests: short ? 100 : 400, budget: 1.3 },
  { name: "64 KiB prompt", body: message("word ".repeat(13_000), false), requests: short ? 400 : 1500, budget: 2.5 }
]

const drive = async (url: string, body: string, requests: number): Promise<void> => {
  let left = requests
  const worker = async (): Promise<void> => {
    while (left-- > 0) {
      const answer = await request(`${url}/v1/chat/completions`, {
        method: "POST",
        dispatcher,
        headers: { "content-type": "application/json", authorization: "Bearer sk-bench" },
        body
      })
      const text = await answer.body.text()
      const isWhole = body.includes('"stream":true') ? text.endsWith("data: [DONE]\n\n") : text.includes('"usage"')
      if (answer.statusCode !== 200 || !isWhole) throw new Error(`${answer.statusCode} ${text.slice(0, 300)}`)
    }
  }
  await Promise.all(Array.from({ length: concurrency }, worker))
}

const sorted = (values: ReadonlyArray<number>): ReadonlyArray<number> => [...values].sort((a, b) => a - b)
const median = (values: ReadonlyArray<number>): number => sorted(values)[values.length >> 1] ?? Number.NaN
const spread = (values: ReadonlyArray<number>): string =>
  [Math.min(...values), median(values), Math.max(...values)].map((value) => value.toFixed(2)).join("–")

const upstream = await startHelper("upstream.ts")
const bare = await startHelper("bare.ts", upstream.url)
const gateway = await startGateway(upstream.url)

console.log(
  `gateway against a bare node:http + undici proxy, CPU µs a request, ${rounds} rounds each, c=${concurrency}`
)
console.log(`idle memory       gateway ${memoryOf(gateway).toFixed(0)} MiB (budget 160)`)
for (const { body, budget, name, requests } of workloads) {
  const cost = async (proxy: Proxy): Promise<number> => {
    const before = cpuOf(proxy)
    await drive(proxy.url, body, requests)
    return (cpuOf(proxy) - before) / requests
  }
  await cost(bare)
  await cost(gateway)
  const costs = { bare: [] as Array<number>, gateway: [] as Array<number> }
  for (let round = 0; round < rounds; round++) {
    costs.bare.push(await cost(bare))
    costs.gateway.push(await cost(gateway))
  }
  const ratios = costs.gateway.map((own, round) => own / (costs.bare[round] ?? Number.NaN))
  const figures = `bare ${median(costs.bare).toFixed(0).padStart(5)}  gateway ${median(costs.gateway).toFixed(0).padStart(5)}`
  console.log(`${name.padEnd(17)} ${figures}  ratio ${spread(ratios)} (min–median–max; budget ${budget})`)
}
console.log(`memory after      gateway ${memoryOf(gateway).toFixed(0)} MiB`)
for (const { child } of [gateway, bare, upstream]) {
  child.removeAllListeners("exit")
  child.kill()
}
await dispatcher.close()
await Operations.run()
process.exit(0)
