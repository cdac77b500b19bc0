/** What is asked, the same of every program, and in rounds that alternate between them. */
import type { Load, Outcome } from "./driver.js"
import { cpuOf, drive, median, type Program } from "./programs.js"

/** CI's form: enough to see that all works, too little for figures. */
export const isShort = process.env.BENCH_SHORT === "1"

/** How often all take their turn. */
export const rounds = isShort ? 3 : 7

/** Connections that keep a gateway of one process busy. */
export const busyConnections = 16

/** One kind of request. */
export interface Workload {
  readonly name: string
  readonly body: string
  readonly requests: number
  readonly expects: string
  /** What a gateway's CPU may be of the bare proxy's. */
  readonly goal: number
}

const message = (content: string, stream: boolean): string =>
  JSON.stringify({ model: "smart", stream, messages: [{ role: "user", content }] })

/** The kinds that are measured. */
export const workloads: ReadonlyArray<Workload> = [
  { name: "chat", body: message("Hello?", false), requests: isShort ? 1500 : 6000, expects: '"usage"', goal: 2 },
  {
    name: "stream of 100 chunks",
    body: message("Hello?", true),
    requests: isShort ? 200 : 1000,
    expects: "data: [DONE]",
    goal: 1.3
  },
  {
    name: "64 KiB prompt",
    body: message("word ".repeat(13_000), false),
    requests: isShort ? 400 : 2000,
    expects: '"usage"',
    goal: 1.4
  }
]

/** One who takes a turn. */
export interface Rival {
  readonly program: Program
  readonly path?: string
  /** Another project's. */
  readonly isOther?: boolean
  readonly headers?: Readonly<Record<string, string>>
  /** Its own words for the usual request. */
  readonly bodyOf?: (body: string) => string
}

/** What one rival's rounds gave, medians. */
export interface Figures {
  readonly cpu: number
  readonly perSecond: number
  readonly p50: number
  readonly p99: number
  readonly firstP50: number
  /** Every round's CPU µs a request. */
  readonly all: ReadonlyArray<number>
}

/** What a rival is sent. */
export const loadOf = (rival: Rival, { body, expects, requests }: Workload, connections: number): Load => ({
  port: rival.program.port,
  path: rival.path ?? "/v1/chat/completions",
  headers: rival.headers ?? { authorization: "Bearer sk-bench" },
  body: rival.bodyOf?.(body) ?? body,
  requests,
  connections,
  expects
})

/** A rival of others may fail, and takes no part from then on; ours may not. */
const driven = async (driver: Program, rival: Rival, load: Load): Promise<Outcome | undefined> => {
  try {
    return await drive(driver, load)
  } catch (cause) {
    if (rival.isOther !== true) throw cause
    console.error(`${rival.program.name} fails: ${String(cause).replaceAll(/\s+/g, " ").slice(0, 300)}`)
    return undefined
  }
}

/** Turns before those that count: V8 makes code fast while it runs. */
const warming = isShort ? 1 : 3

/** Lets all take their turns, after some that do not count. Who went last goes first in the next: what a turn leaves behind falls on all. */
export const compete = async (
  driver: Program,
  rivals: ReadonlyArray<Rival>,
  workload: Workload,
  connections: number,
  turns = rounds,
  warmingTurns = warming
): Promise<ReadonlyArray<Figures>> => {
  const broken = new Set<Rival>()
  const found = rivals.map(() => [] as Array<{ readonly cpu: number; readonly outcome: Outcome }>)
  const inOrder = [...rivals.entries()]
  const reversed = [...inOrder].reverse()
  for (let round = -warmingTurns; round < turns; round++) {
    for (const [index, rival] of round % 2 === 0 ? inOrder : reversed) {
      if (broken.has(rival)) continue
      const before = cpuOf(rival.program)
      const outcome = await driven(driver, rival, loadOf(rival, workload, connections))
      if (outcome === undefined) {
        broken.add(rival)
        found[index] = []
        continue
      }
      const cpu = (cpuOf(rival.program) - before) / workload.requests
      if (round >= 0) found[index]?.push({ cpu, outcome })
    }
  }
  return found.map((turns) => ({
    cpu: median(turns.map(({ cpu }) => cpu)),
    perSecond: median(turns.map(({ outcome }) => workload.requests / outcome.seconds)),
    p50: median(turns.map(({ outcome }) => outcome.p50)),
    p99: median(turns.map(({ outcome }) => outcome.p99)),
    firstP50: median(turns.map(({ outcome }) => outcome.firstP50)),
    all: turns.map(({ cpu }) => cpu)
  }))
}
