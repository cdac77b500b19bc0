import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import * as Gateway from "@switchyard/gateway/Gateway"
import * as SharedState from "@switchyard/gateway/SharedState"
import * as FakeProvider from "@switchyard/testing/FakeProvider"
import * as RedisServer from "@switchyard/testing/RedisServer"
import { Effect, Fiber } from "effect"
import { authorized, chat, decode, deploymentOf, masterKey } from "../support/gateways.js"
import { allSay, sharing, until } from "./support/watching.js"

const missing = RedisServer.missing()
if (missing !== undefined) console.error(missing)

let runs = 0

describe.skipIf(missing !== undefined)("several gateways on one Redis", () => {
  let redis: RedisServer.RedisServer
  beforeAll(async () => {
    redis = await RedisServer.start()
  })
  afterAll(() => redis?.stop())

  /** Three gateways with connections of their own, before one upstream, and another one that works. */
  const three = (settings: object) =>
    Effect.gen(function* () {
      const upstream = yield* FakeProvider.make({ name: "east" })
      const spare = yield* FakeProvider.make({ name: "west" })
      const config = decode({
        deployments: [deploymentOf(upstream), deploymentOf(spare)],
        strategy: "ordered",
        masterKey,
        retry: false,
        redis: { url: redis.url, prefix: `breakers ${++runs}:`, timeout: "10 seconds" },
        server: { port: 0, drainTimeout: "1 second" },
        ...settings
      })
      const one = Effect.gen(function* () {
        const shared = yield* SharedState.make(config, { note: () => {} })
        return yield* Gateway.make({ config }, { shared })
      })
      const gateways = yield* Effect.all([one, one, one], { concurrency: "unbounded" })
      yield* sharing(gateways)
      return { upstream, spare, gateways }
    })

  const ask = (gateway: Gateway.Gateway, content = "Hi") =>
    chat(gateway, { messages: [{ role: "user", content }] }, authorized)

  const askAll = (gateways: ReadonlyArray<Gateway.Gateway>) =>
    Effect.forEach(gateways, (gateway) => ask(gateway), { concurrency: "unbounded" })

  it.scopedLive("stay away together from what failed in one, try it with one call, and all see it recover", () =>
    Effect.gen(function* () {
      const { gateways, upstream } = yield* three({
        cooldown: { failures: 1, jitter: 0, duration: "5 seconds", maxDuration: "5 seconds", successThreshold: 1 }
      })
      const [first] = gateways
      const asked = () => upstream.journal().length
      yield* upstream.behave({ status: 503 })
      yield* ask(first)
      const gate = FakeProvider.gate()
      yield* upstream.behave({ gate })
      yield* until(allSay(gateways, "east", "cooldown"), "20 seconds", "all know that it failed")
      const elsewhere: Array<number> = []
      const askingAll = Effect.map(askAll(gateways), (came) => elsewhere.push(...came.map(({ status }) => status)))
      const trying = yield* Effect.fork(
        Effect.repeat(Effect.zipRight(Effect.sleep(20), askingAll), { until: () => asked() > 1 })
      )
      yield* until(
        Effect.sync(() => asked() > 1),
        "20 seconds",
        "it is tried"
      )
      const [failed, tried] = upstream.journal()
      assert.isAtLeast((tried?.receivedAt ?? 0) - (failed?.receivedAt ?? 0), 4_990, "left alone until then")
      const answers = yield* askAll([...gateways, ...gateways, ...gateways, ...gateways])
      assert.isTrue(answers.every(({ status }) => status === 200))
      assert.deepStrictEqual([asked(), upstream.inFlight()], [2, 1], "one call on trial by all")
      gate.open()
      yield* Fiber.join(trying)
      assert.deepStrictEqual(new Set(elsewhere), new Set([200]))
      yield* until(allSay(gateways, "east", "healthy"), "20 seconds", "all know that it is well")
      const before = asked()
      yield* askAll(gateways)
      assert.strictEqual(asked() - before, 3, "all ask it again")
    })
  )

  it.scopedLive("give each other's answers", () =>
    Effect.gen(function* () {
      const { gateways, spare, upstream } = yield* three({ cache: { shared: true } })
      const [first, second] = gateways
      yield* ask(first, "the same")
      // Nobody waits until it is kept.
      const isKept = Effect.promise(async () => (await redis.ask("KEYS", `breakers ${runs}:*value:*`)) !== "")
      yield* until(isKept, "20 seconds", "Redis has the answer")
      const { status } = yield* ask(second, "the same")
      assert.strictEqual(status, 200)
      assert.strictEqual(upstream.journal().length + spare.journal().length, 1)
    })
  )
})
