/** Gateways as processes before one upstream, and callers that never tire. */
import { type ChildProcess, spawn } from "node:child_process"
import type * as RedisConnection from "@switchyard/redis/RedisConnection"
import type * as SharedStates from "@switchyard/router/SharedStates"
import type { JournalEntry } from "@switchyard/testing/FakeProvider"
import * as FakeProvider from "@switchyard/testing/FakeProvider"
import { Effect } from "effect"
import { bundled } from "../../../../../scripts/bundled.js"
import { masterKey, messages, type Together, together } from "../../support/gateways.js"
import { sharing } from "./watching.js"

/** What a process is started with. */
export interface Asked extends SharedStates.Options {
  readonly name: string
  /** Its settings as a file would have them. */
  readonly config: object
  readonly redis: Pick<RedisConnection.Options, "cluster" | "prefix" | "sentinel" | "timeout" | "url">
  /** By how much its clock is wrong, ms. */
  readonly skew: number
}

/** A gateway that runs as a process. */
export interface GatewayProcess {
  readonly name: string
  readonly url: string
  readonly child: ChildProcess
  /** What it told of its mode, line by line. */
  readonly told: () => string
}

const start = (asked: Asked) =>
  Effect.acquireRelease(
    Effect.promise(async (): Promise<GatewayProcess> => {
      const program = await bundled("packages/gateway/test/fleet/support/stampingGateway.ts")
      const child = spawn(process.execPath, [program, JSON.stringify(asked)], { stdio: ["ignore", "pipe", "pipe"] })
      let told = ""
      child.stderr.setEncoding("utf8").on("data", (text: string) => {
        told += text
      })
      const url = await new Promise<string>((resolve, reject) => {
        child.stdout.setEncoding("utf8").once("data", (text: string) => resolve(text.trim()))
        child.once("exit", () => reject(new Error(`a gateway ended: ${told}`)))
      })
      return { name: asked.name, url, child, told: () => told }
    }),
    ({ child }) => Effect.sync(() => child.kill("SIGKILL"))
  )

/** What a fleet is made of. */
export interface Settings extends SharedStates.Options, Together {
  readonly redis: Asked["redis"]
  /** Of each process, ms. */
  readonly skews?: ReadonlyArray<number>
}

/** So many processes before one upstream. */
export const fleet = (count: number, { besides, limits, more, redis, skews = [], ...windows }: Settings) =>
  Effect.gen(function* () {
    const upstream = yield* FakeProvider.make({ name: "east", journalLimit: 20_000 })
    const config = together(upstream, { besides, limits, more })
    const asked = (index: number): Asked => ({ name: `${index}`, config, redis, skew: skews[index] ?? 0, ...windows })
    const gateways = yield* Effect.all(
      Array.from({ length: count }, (_, index) => start(asked(index))),
      { concurrency: "unbounded" }
    )
    yield* sharing(gateways)
    return { upstream, gateways }
  })

/** What came of a request: its status, or that the connection broke. */
export const ask = async ({ url }: Pick<GatewayProcess, "url">, key = masterKey): Promise<number | "broken"> => {
  try {
    const response = await fetch(`${url}/v1/chat/completions`, {
      method: "POST",
      headers: { "content-type": "application/json", authorization: `Bearer ${key}` },
      body: JSON.stringify({ model: "smart", messages })
    })
    await response.arrayBuffer()
    return response.status
  } catch {
    return "broken"
  }
}

const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))

/** Callers that ask again and again, so many of each gateway, while `isOver` does not say so. Gives what came of all requests. */
export const press = async (
  gateways: ReadonlyArray<Pick<GatewayProcess, "url">>,
  each: number,
  isOver: () => boolean
): Promise<ReadonlyMap<number | "broken", number>> => {
  const counts = new Map<number | "broken", number>()
  const caller = async (gateway: Pick<GatewayProcess, "url">) => {
    while (!isOver()) {
      const came = await ask(gateway)
      counts.set(came, (counts.get(came) ?? 0) + 1)
      if (came !== 200) await pause(10)
    }
  }
  await Promise.all(gateways.flatMap((gateway) => Array.from({ length: each }, () => caller(gateway))))
  return counts
}

/** Most requests at once that an upstream worked at, of those that `counts` names. */
export const peakOf = (journal: ReadonlyArray<JournalEntry>, counts: (entry: JournalEntry) => boolean): number => {
  const changes = journal
    .filter(counts)
    .flatMap(({ endedAt = Number.POSITIVE_INFINITY, receivedAt }) => [[receivedAt, 1] as const, [endedAt, -1] as const])
  // What ends at the moment that another begins made room for it.
  changes.sort(([a, up], [b, down]) => a - b || up - down)
  let [now, peak] = [0, 0]
  for (const [, by] of changes) {
    now += by
    peak = Math.max(peak, now)
  }
  return peak
}
