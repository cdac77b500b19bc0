/** What the ledger's file has when workers, and then the one that started them, are killed in the midst of calls. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { run, start } from "../support/process.js"
import { type Answer, burst, counted, listens, loadBy, until, workers } from "./support.js"

const joe = "sk-joe-of-workers-1"
const tight = "sk-tight-of-workers-1"

/** Of each call, USD; and what the tight key may spend. */
const cost = 0.1
const budget = 40

describe("a ledger in one file, under two workers that are killed", { timeout: 180_000 }, () => {
  it.scopedLive(
    "has each call that was answered, once, but those of the very moment; what it says of a budget holds after the restart",
    () =>
      Effect.gen(function* () {
        const gateway = yield* workers(2, {
          top: `ledger: {}
keys:
  - { name: joe, key: ${joe} }
  - { name: tight, key: ${tight}, budget: { limit: ${budget}, window: 1 day } }`
        })
        const { child, config, data, finished, upstream, url } = gateway
        yield* upstream.behave({ latencyMs: 10, usage: { prompt_tokens: 90, completion_tokens: 10 } })
        let isOver = false
        let isSpent = false
        const paidAt: Array<number> = []
        let untold = 0
        const each = 4
        const loading = yield* Effect.fork(
          Effect.all(
            [
              loadBy(url, each, joe, () => isOver),
              loadBy(
                url,
                each,
                tight,
                () => isOver,
                ({ came, text }) => {
                  isSpent ||= text.includes("is used up")
                  if (came === 200) paidAt.push(performance.now())
                }
              )
            ],
            { concurrency: 2 }
          )
        )
        const more = (count: number) => {
          const before = upstream.stats().answered
          return until(() => upstream.stats().answered > before + count)
        }
        yield* more(10)
        let [, other = 0] = gateway.pids
        let victim = gateway.pids[0] ?? 0
        const kills = 3
        for (let kill = 0; kill < kills; kill++) {
          // What it spent within about a second, or a bit more on a busy machine, the others don't know, until its journal is read.
          untold += paidAt.filter((at) => at > performance.now() - 3_000).length
          process.kill(victim, "SIGKILL")
          const [, next] = yield* gateway.until(
            new RegExp(
              `"event":"worker_ended"[^\\n]*"pid":${victim}\\b[^]*"event":"worker_ready","worker":\\d,"pid":(\\d+)`
            )
          )
          victim = other
          other = Number(next)
          yield* more(20)
        }
        yield* until(() => isSpent)
        child.kill("SIGKILL")
        yield* finished
        isOver = true
        const callers = (yield* Fiber.join(loading)).flat()

        const again = yield* start(["serve", "--config", config, "--workers", "2"], { SWITCHYARD_DATA: data })
        const [, next = ""] = yield* again.until(listens)
        assert.deepStrictEqual(counted(yield* burst(next, 3, "smart", tight)), { 429: 3 })
        again.child.kill("SIGTERM")
        assert.strictEqual((yield* again.finished).code, 0)

        const { stdout } = yield* run(["spend", "--data", data, "--export", "jsonl"])
        const records = stdout
          .split("\n")
          .filter((line) => line !== "")
          .map((line) => JSON.parse(line) as Readonly<Record<string, unknown>>)
        const kept = new Set(records.map(({ id }) => id))
        assert.strictEqual(kept.size, records.length, "none twice")
        const isMissing = ({ came, id }: Answer) => came === 200 && !kept.has(id)
        // A caller that has asked again was answered in a tick that is over: only the last before a cut may be missing.
        const mayMiss = (one: Answer, next: Answer | undefined) => one.came === 200 && typeof next?.came === "string"
        const missing = callers.flatMap((calls) =>
          calls.filter((one, at) => isMissing(one) && !mayMiss(one, calls[at + 1]))
        )
        assert.deepStrictEqual(missing, [])
        const paid = records.filter(({ outcome }) => outcome === "success")
        assert.isAtMost(paid.length, upstream.journal().length)
        const spent = paid.filter(({ caller }) => caller === "tight").length * cost
        assert.isAtLeast(spent, budget)
        assert.isAtMost(spent, budget + ((kills + 1) * each + untold) * cost)
      })
  )
})
