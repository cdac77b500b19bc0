/** What several gateways, each a process of its own, know together over one Redis: breakers, and what a caller may spend. */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import * as FakeProvider from "@switchyard/testing/FakeProvider"
import * as RedisServer from "@switchyard/testing/RedisServer"
import { Effect, Fiber } from "effect"
import { deploymentOf, messages } from "../support/gateways.js"
import { ask, fleet, type GatewayProcess, press } from "./support/gatewayProcesses.js"
import { allSay, until } from "./support/watching.js"

const missing = RedisServer.missing()
if (missing !== undefined) console.error(missing)

let runs = 0

/** So many of each, all at once. */
const askAll = (gateways: ReadonlyArray<GatewayProcess>, each: number, key?: string) =>
  Effect.promise(() =>
    Promise.all(gateways.flatMap((gateway) => Array.from({ length: each }, () => ask(gateway, key))))
  )

describe.skipIf(missing !== undefined)("gateways as processes on one Redis", { timeout: 180_000 }, () => {
  let redis: RedisServer.RedisServer
  beforeAll(async () => {
    redis = await RedisServer.start()
  })
  afterAll(() => redis?.stop())

  const own = () => ({ url: redis.url, prefix: `together ${++runs}:`, timeout: "10 seconds" as const })

  it.scopedLive(
    "what failed in one is left alone by all, tried again with one call of them all, and asked by all once that went well",
    () =>
      Effect.gen(function* () {
        const spare = yield* FakeProvider.make({ name: "west" })
        const { gateways, upstream } = yield* fleet(3, {
          redis: own(),
          besides: [deploymentOf(spare)],
          more: {
            strategy: "ordered",
            cooldown: { failures: 1, jitter: 0, duration: "5 seconds", maxDuration: "5 seconds", successThreshold: 1 }
          }
        })
        const [first, ...others] = gateways
        if (first === undefined) return
        const asked = () => upstream.journal().length
        yield* upstream.behave({ status: 503 })
        yield* Effect.promise(() => ask(first))
        // A call on trial that is not answered before all that is asked meanwhile.
        const gate = FakeProvider.gate()
        yield* upstream.behave({ gate })
        yield* until(allSay(others, "east", "cooldown"), "20 seconds", "the others know that it failed")
        const elsewhere: Array<number | "broken"> = []
        const askingAll = Effect.map(askAll(gateways, 1), (came) => elsewhere.push(...came))
        const trying = yield* Effect.fork(
          Effect.repeat(Effect.zipRight(Effect.sleep(20), askingAll), { until: () => asked() > 1 })
        )
        yield* until(
          Effect.sync(() => upstream.inFlight() > 0),
          "20 seconds",
          "it is tried"
        )
        const [failed, tried] = upstream.journal()
        assert.isAtLeast((tried?.receivedAt ?? 0) - (failed?.receivedAt ?? 0), 4_990, "left alone until then")
        yield* upstream.behave({})
        const meanwhile = yield* askAll(gateways, 4)
        assert.isTrue(meanwhile.every((status) => status === 200))
        assert.deepStrictEqual([asked(), upstream.inFlight()], [2, 1])
        gate.open()
        yield* Fiber.join(trying)
        assert.deepStrictEqual(new Set(elsewhere), new Set([200]))
        const askedBy = () =>
          new Set(
            upstream
              .journal()
              .slice(2)
              .map(({ headers }) => headers["x-gateway"])
          )
        yield* until(
          Effect.map(askAll(gateways, 1), () => askedBy().size === 3),
          "20 seconds",
          "all ask it again"
        )
      })
  )

  it.scopedLive("what failed in one is asked by the others for half a second more, at most", () =>
    Effect.gen(function* () {
      const spare = yield* FakeProvider.make({ name: "west" })
      const { gateways, upstream } = yield* fleet(3, {
        redis: own(),
        besides: [deploymentOf(spare)],
        more: { strategy: "ordered", cooldown: { failures: 1, jitter: 0, duration: "20 seconds" } }
      })
      const [first, ...others] = gateways
      if (first === undefined) return
      // The others have no reason of their own to leave it alone.
      yield* upstream.when(({ headers }) => (headers["x-gateway"] === first.name ? { status: 503 } : {}))
      let isOver = false
      const pressed = press(others, 2, () => isOver)
      yield* until(
        Effect.sync(() => upstream.stats().answered > 40),
        "20 seconds",
        "all are busy"
      )
      yield* Effect.promise(() => ask(first))
      const failed = upstream.journal().find(({ headers }) => headers["x-gateway"] === first.name)
      const answered = spare.stats().answered
      yield* until(
        Effect.sync(() => spare.stats().answered > answered + 100),
        "20 seconds",
        "the others ask elsewhere"
      )
      isOver = true
      assert.deepStrictEqual([...(yield* Effect.promise(() => pressed)).keys()], [200])
      const last = Math.max(...upstream.journal().map(({ receivedAt }) => receivedAt))
      // They look twice a second, and would go on for all the 20 seconds if they did not; a busy machine is late with all of it.
      assert.isAtMost(last - (failed?.endedAt ?? 0), 5_000)
    })
  )

  it.scopedLive("a caller's budget is that of all, and is passed by what is in flight at most", () =>
    Effect.gen(function* () {
      const key = "sk-joe-of-processes-1"
      const { gateways, upstream } = yield* fleet(3, {
        redis: own(),
        limits: { inputPrice: 1_000, outputPrice: 0 },
        more: { keys: [{ name: "joe", key, budget: { limit: 2, window: "1 hour" } }] }
      })
      // 0.1 USD, far more than what is set aside for it.
      yield* upstream.behave({ usage: { prompt_tokens: 100, completion_tokens: 1 } })
      const came: Array<number | "broken"> = []
      const answered = () => came.filter((one) => one === 200).length
      const refusal = ({ url }: GatewayProcess) =>
        Effect.promise(async () => {
          const headers = { "content-type": "application/json", authorization: `Bearer ${key}` }
          const body = JSON.stringify({ model: "smart", messages })
          const response = await fetch(`${url}/v1/chat/completions`, { method: "POST", headers, body })
          if (response.status === 200) came.push(200)
          return response.text()
        })
      // One call of each at once. What one has leased the others don't have: some are told to come again before all is spent.
      const isSpent = Effect.gen(function* () {
        came.push(...(yield* askAll(gateways, 1, key)))
        if (answered() < 20) return false
        const told = yield* Effect.forEach(gateways, refusal, { concurrency: "unbounded" })
        return told.every((text) => text.includes("the caller's budget of 2 USD is used up"))
      })
      yield* until(isSpent, "30 seconds", "all is spent")
      assert.isTrue(came.every((one) => one === 200 || one === 429))
      assert.isAtMost(answered(), 20 + gateways.length)
      assert.strictEqual(upstream.journal().length, answered())
      assert.strictEqual(new Set(upstream.journal().map(({ headers }) => headers["x-gateway"])).size, 3)
    })
  )

  it.scopedLive(
    "calls of one that is frozen beyond their lease end when it wakes, where others have the caller's permits",
    () =>
      Effect.gen(function* () {
        const key = "sk-joe-of-processes-2"
        const { gateways, upstream } = yield* fleet(2, {
          redis: own(),
          lease: 3_000,
          more: { keys: [{ name: "joe", key, maxParallel: 2 }], retry: { attempts: 3 } }
        })
        const [frozen, other] = gateways
        if (frozen === undefined || other === undefined) return
        yield* upstream.when(({ headers }) => (headers["x-gateway"] === frozen.name ? { hang: true } : {}))
        const held = [ask(frozen, key), ask(frozen, key)]
        yield* until(
          Effect.sync(() => upstream.inFlight() === 2),
          "20 seconds",
          "both are asked"
        )
        assert.strictEqual(yield* Effect.promise(() => ask(other, key)), 429)
        frozen.child.kill("SIGSTOP")
        yield* until(
          Effect.promise(async () => (await ask(other, key)) === 200),
          "20 seconds",
          "the other has their permits"
        )
        frozen.child.kill("SIGCONT")
        assert.deepStrictEqual(yield* Effect.promise(() => Promise.all(held)), [503, 503])
        yield* until(
          Effect.sync(() => upstream.journal().filter(({ end }) => end === "clientAborted").length === 2),
          "20 seconds",
          "nothing of them runs"
        )
        const askedByFrozen = upstream.journal().filter(({ headers }) => headers["x-gateway"] === frozen.name)
        assert.strictEqual(askedByFrozen.length, 2, "nobody tries them again")
      })
  )
})
