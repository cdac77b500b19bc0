/**
 * What workers cost: CPU a request of one process, and of a primary and two workers together, turn by turn within one run: as
 * fast as answers come, and at a rate that one process has time for. The reference is a bare proxy whose connections
 * `node:cluster` shares out among two processes, against the same in one: so much every program on Node pays, since each of two processes with
 * half of the load has fewer requests in a turn of its event loop. The ratios count, not the figures. Needs the build and Linux's /proc.
 *
 * `LIMIT=0` for deployments without limits, `WORKERS=4` for as many, `RATE=300` for another rate, `ROUNDS`, `REQUESTS`.
 */
import type { Load } from "../../gateway/bench/driver.js"
import {
  cpuOfProcess,
  drive,
  median,
  type Program,
  processesOf,
  startGateway,
  startScript,
  usual
} from "../../gateway/bench/programs.js"
import { busyConnections, loadOf, workloads } from "../../gateway/bench/workloads.js"

const number = (name: string, otherwise: number): number => Number(process.env[name] ?? otherwise)
const requests = number("REQUESTS", 3_000)
const rounds = number("ROUNDS", 7)
const workers = number("WORKERS", 2)
const rate = number("RATE", 400)
const connections = number("CONNECTIONS", busyConnections)
/** Each process compiles for itself: until it has, it costs twice as much. */
const warming = 4

const [chat] = workloads
if (chat === undefined) throw new Error("no workload")

const upstream = await startScript("upstream.ts")
const driver = await startScript("driver.ts")
const target = `http://127.0.0.1:${upstream.port}`
const deployments = usual(upstream.port)["deployments"] as ReadonlyArray<object>
const settings = {
  ledger: process.env["LEDGER"] === "1" ? undefined : false,
  // A limit that is never reached.
  deployments: deployments.map((one) => (process.env["LIMIT"] === "0" ? one : { ...one, rpm: 100_000_000 }))
}

interface Subject {
  readonly name: string
  readonly program: Program
  readonly pids: ReadonlyArray<number>
}

const subject = async (name: string, starting: Promise<Program>): Promise<Subject> => {
  const program = await starting
  return { name, program, pids: processesOf(program) }
}

const subjects = [
  await subject("bare, one process", startScript("bare.ts", [target])),
  await subject(`bare, ${workers} workers`, startScript("bare.ts", [target, `${workers}`])),
  await subject("gateway, one process", startGateway(upstream.port, "alone", { settings })),
  await subject(`gateway, ${workers} workers`, startGateway(upstream.port, "workers", { settings, workers }))
]

/** CPU µs a request of each process. */
const turn = async ({ pids, program }: Subject, load: Partial<Load>): Promise<ReadonlyArray<number>> => {
  const before = pids.map(cpuOfProcess)
  await drive(driver, { ...loadOf({ program }, chat, connections), requests, ...load })
  return pids.map((pid, index) => (cpuOfProcess(pid) - (before[index] ?? 0)) / requests)
}

const sum = (parts: ReadonlyArray<number>): number => parts.reduce((all, part) => all + part, 0)

const measured = async (name: string, load: Partial<Load>, turns: number): Promise<void> => {
  const found = subjects.map(() => [] as Array<ReadonlyArray<number>>)
  for (let round = 0; round < turns; round++) {
    const order = [...subjects.keys()]
    for (const index of round % 2 === 0 ? order : order.reverse()) {
      const one = subjects[index]
      if (one !== undefined) found[index]?.push(await turn(one, load))
    }
  }
  console.log(`${name}:`)
  for (const [index, { name, pids }] of subjects.entries()) {
    const parts = found[index] ?? []
    const each = pids.map((_, at) => Math.round(median(parts.map((turn) => turn[at] ?? 0))))
    console.log(
      `  ${name}: ${Math.round(median(parts.map(sum)))} µs CPU a request (${each.join(" + ")}; turns ${parts.map((turn) => Math.round(sum(turn))).join(", ")})`
    )
  }
  // Of turns that stood side by side: what the machine did meanwhile is in both.
  const ratio = (of: number, to: number): string =>
    median((found[of] ?? []).map((parts, at) => sum(parts) / sum(found[to]?.[at] ?? []))).toFixed(2)
  console.log(`  ${workers} workers to one process: bare ${ratio(1, 0)}, gateway ${ratio(3, 2)}`)
}

for (const one of subjects) for (let round = 0; round < warming; round++) await turn(one, {})
await measured(`as fast as answers come, ${connections} connections`, {}, rounds)
await measured(`${rate} requests a second`, { perSecond: rate }, rounds)
for (const { program } of subjects) program.stop()
upstream.stop()
driver.stop()
process.exit(0)
