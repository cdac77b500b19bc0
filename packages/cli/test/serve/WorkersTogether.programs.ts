/** What callers and deployments may do, where several workers serve: with the ledger's one file, and with a Redis. */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import * as RedisServer from "@switchyard/testing/RedisServer"
import { Effect } from "effect"
import { run } from "../support/process.js"
import { type Answer, answers, burst, counted, get, workers } from "./support.js"

const joe = "sk-joe-of-workers-1"

describe("two workers", { timeout: 180_000 }, () => {
  it.scopedLive("spend one budget of a caller, and each call is in the ledger once", () =>
    Effect.gen(function* () {
      const gateway = yield* workers(2, {
        top: `ledger: {}
keys: [{ name: joe, key: ${joe}, budget: { limit: 2, window: 1 hour } }]`,
        more: (base) =>
          `  - { id: paid, group: paid, model: m, baseUrl: ${base}, apiKey: sk-upstream-1, inputPrice: 1000, outputPrice: 0 }`
      })
      const { child, data, finished, upstream, url } = gateway
      // 0.1 USD, far more than what is set aside for it.
      yield* upstream.behave({ usage: { prompt_tokens: 100, completion_tokens: 10 } })
      const atOnce = 4
      const came: Array<Answer> = []
      const ask = Effect.tap(answers(url, atOnce, "paid", joe), (all) => Effect.sync(() => came.push(...all)))
      const answered = () => came.filter((one) => one.came === 200).length
      const isSpent = ({ came, text }: Answer) =>
        came === 429 && text.includes("the caller's budget of 2 USD is used up")
      const isHeld = ({ came, text }: Answer) => came === 429 && text.includes("calls in flight hold what is left")
      // What one worker has leased the other doesn't have: some are told to come again before all is spent.
      yield* Effect.repeat(ask, { until: (all) => all.every(isSpent) })
      assert.isAtLeast(answered(), 20)
      assert.isAtMost(answered(), 20 + atOnce)
      assert.deepStrictEqual(
        came.filter((one) => one.came !== 200 && !isSpent(one) && !isHeld(one)),
        []
      )
      assert.strictEqual(upstream.journal().length, answered())
      child.kill("SIGTERM")
      assert.strictEqual((yield* finished).code, 0)
      const { stdout } = yield* run(["spend", "--data", data, "--export", "jsonl", "--key", "joe"])
      const records = stdout
        .split("\n")
        .filter((line) => line !== "")
        .map((line) => JSON.parse(line) as Readonly<Record<string, unknown>>)
      assert.strictEqual(new Set(records.map(({ id }) => id)).size, records.length)
      assert.strictEqual(records.length, came.length)
      const paid = records.filter(({ outcome }) => outcome === "success")
      assert.deepStrictEqual(
        paid.map(({ cost_usd }) => cost_usd),
        paid.map(() => 0.1)
      )
      assert.strictEqual(paid.length, answered())
    })
  )
})

const missing = RedisServer.missing()
if (missing !== undefined) console.error(missing)

describe.skipIf(missing !== undefined)("two workers on one Redis", { timeout: 180_000 }, () => {
  let redis: RedisServer.RedisServer
  beforeAll(async () => {
    redis = await RedisServer.start()
  })
  afterAll(() => redis?.stop())

  it.scopedLive("admit exactly what a deployment may in a minute, and refuse all others for that", () =>
    Effect.gen(function* () {
      const { pids, upstream, url } = yield* workers(2, {
        top: `ledger: false
redis: { url: "${redis.url}", prefix: "workers:", timeout: 10 seconds }`,
        more: (base) => `  - { id: often, group: often, model: m, baseUrl: ${base}, apiKey: sk-upstream-1, rpm: 40 }`
      })
      assert.lengthOf(pids, 2)
      // One that begins on a busy machine may go on without Redis for a moment.
      yield* Effect.repeat(get(url, "/metrics"), {
        until: ({ text }) =>
          /_shared_state_up\{engine="redis"\} 1\n/.test(text) && /_replicas\{engine="redis"\} 2\n/.test(text)
      })
      assert.deepStrictEqual(counted(yield* burst(url, 60, "often")), { 200: 40, 429: 20 })
      assert.deepStrictEqual(counted(yield* burst(url, 10, "often")), { 429: 10 })
      assert.strictEqual(upstream.journal().length, 40)
    })
  )
})
