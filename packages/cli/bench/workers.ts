/**
 * What workers cost: CPU for each request of one process, and of a primary and two workers together, turn by turn within one
 * run. `npm run bench:workers`; `LIMIT=0` for a deployment without limits, of which nothing is asked. The ratio counts, not
 * the figures.
 */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { Agent, createServer, request } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { bundled } from "../../../scripts/bundled.js"

const atOnce = 16
const each = Number(process.env["REQUESTS"] ?? 2_000)
const rounds = Number(process.env["ROUNDS"] ?? 5)

const key = "sk-master-of-the-bench"
const body = JSON.stringify({ model: "m", messages: [{ role: "user", content: "Hello there, how are you?" }] })

const upstream = createServer((asked, answer) => {
  asked.resume()
  asked.on("end", () => {
    answer.setHeader("content-type", "application/json")
    answer.end(
      JSON.stringify({
        id: "a",
        object: "chat.completion",
        model: "m",
        choices: [{ index: 0, message: { role: "assistant", content: "Fine, thank you." }, finish_reason: "stop" }],
        usage: { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15 }
      })
    )
  })
}).listen(0, "127.0.0.1")
await once(upstream, "listening")
const base = `http://127.0.0.1:${(upstream.address() as AddressInfo).port}/v1`

const folder = mkdtempSync(join(tmpdir(), "switchyard-bench-"))
const config = join(folder, "c.yaml")
// A limit that is never reached.
writeFileSync(
  config,
  `server: { port: 0 }\nmasterKey: ${key}\nledger: false\ndeployments:\n  - { id: a, group: m, model: m, baseUrl: "${base}", apiKey: sk-upstream-1${process.env["LIMIT"] === "0" ? "" : ", rpm: 100000000"} }\n`
)
const program = await bundled("packages/cli/src/main.ts")

interface Subject {
  readonly name: string
  readonly url: string
  readonly pids: ReadonlyArray<number>
  readonly agent: Agent
  readonly end: () => void
}

const childrenOf = (pid: number): ReadonlyArray<number> =>
  readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        const stat = readFileSync(`/proc/${name}/stat`, "utf8")
        return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]) === pid ? [Number(name)] : []
      } catch {
        return []
      }
    })

const start = (name: string, workers: number): Promise<Subject> =>
  new Promise((resolve) => {
    const child = spawn(process.execPath, [program, "serve", "--config", config, "--workers", String(workers)], {
      env: { ...process.env, SWITCHYARD_DATA: join(folder, name) },
      stdio: ["ignore", "pipe", "pipe"]
    })
    let said = ""
    const look = (text: string) => {
      said = (said + text).slice(-20_000)
      const url = /listens on (http:\S+) /.exec(said)?.[1]
      const ready = new Set(said.match(/"event":"worker_ready","worker":\d+/g)).size
      if (url === undefined || (workers > 1 && ready < workers)) return
      child.stderr.removeAllListeners("data").resume()
      child.stdout.removeAllListeners("data").resume()
      const pid = child.pid ?? 0
      resolve({
        name,
        url,
        pids: [pid, ...childrenOf(pid)],
        agent: new Agent({ keepAlive: true, maxSockets: atOnce }),
        end: () => child.kill("SIGTERM")
      })
    }
    child.stdout.setEncoding("utf8").on("data", look)
    child.stderr.setEncoding("utf8").on("data", look)
  })

/** CPU ms of processes so far: a tick is a hundredth of a second. */
const cpu = (pids: ReadonlyArray<number>): number =>
  pids.reduce((sum, pid) => {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8")
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ")
    return sum + (Number(fields[11]) + Number(fields[12])) * 10
  }, 0)

const ask = ({ agent, url }: Subject): Promise<void> =>
  new Promise((resolve, reject) => {
    const sent = request(
      `${url}/v1/chat/completions`,
      { agent, method: "POST", headers: { "content-type": "application/json", authorization: `Bearer ${key}` } },
      (answer) => {
        answer.resume()
        answer.on("end", () => (answer.statusCode === 200 ? resolve() : reject(new Error(`${answer.statusCode}`))))
      }
    )
    sent.on("error", reject)
    sent.end(body)
  })

const load = async (subject: Subject, count: number): Promise<number> => {
  const before = subject.pids.map((pid) => cpu([pid]))
  let left = count
  const one = async () => {
    while (left-- > 0) await ask(subject)
  }
  await Promise.all(Array.from({ length: atOnce }, one))
  const parts = subject.pids.map((pid, index) => ((cpu([pid]) - (before[index] ?? 0)) * 1000) / count)
  if (parts.length > 1) console.log(`  of which each process: ${parts.map(Math.round).join(", ")}`)
  return parts.reduce((sum, part) => sum + part, 0)
}

const median = (values: ReadonlyArray<number>): number => [...values].sort((a, b) => a - b)[values.length >> 1] ?? 0

const alone = await start("one process", 1)
const workers = await start("a primary and 2 workers", 2)
const subjects = [alone, workers]
// Each process compiles for itself: until it has, it costs twice as much.
for (const subject of subjects) await load(subject, 4 * each)
const found = new Map<Subject, Array<number>>(subjects.map((subject) => [subject, []]))
for (let round = 0; round < rounds; round++) {
  for (const subject of round % 2 === 0 ? subjects : [...subjects].reverse()) {
    found.get(subject)?.push(await load(subject, each))
  }
}
for (const [{ name }, values] of found) {
  console.log(`${name}: ${Math.round(median(values))} µs CPU a request (${values.map(Math.round).join(", ")})`)
}
const [first, second] = subjects.map((subject) => median(found.get(subject) ?? []))
console.log(`ratio ${((second ?? 0) / (first ?? 1)).toFixed(3)}, at most 1.15`)
for (const { agent, end } of subjects) {
  agent.destroy()
  end()
}
upstream.closeAllConnections()
upstream.close()
rmSync(folder, { recursive: true, force: true })
