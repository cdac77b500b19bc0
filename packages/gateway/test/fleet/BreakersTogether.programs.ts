import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import * as Gateway from "@switchyard/gateway/Gateway"
import * as SharedState from "@switchyard/gateway/SharedState"
import * as FakeProvider from "@switchyard/testing/FakeProvider"
import * as RedisServer from "@switchyard/testing/RedisServer"
import { Effect } from "effect"
import { authorized, chat, decode, deploymentOf, masterKey } from "../support/gateways.js"

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
      return { upstream, spare, gateways }
    })

  const ask = (gateway: Gateway.Gateway, content = "Hi") =>
    chat(gateway, { messages: [{ role: "user", content }] }, authorized)

  it.scopedLive("stay away together from what failed in one, try it with one call, and all see it recover", () =>
    Effect.gen(function* () {
      const { gateways, upstream } = yield* three({
        cooldown: { failures: 1, jitter: 0, duration: "2 seconds", maxDuration: "2 seconds", successThreshold: 1 }
      })
      const [first] = gateways
      const asked = () => upstream.journal().length
      yield* upstream.behave({ status: 503 })
      yield* ask(first)
      yield* Effect.sleep(500)
      assert.strictEqual(asked(), 1)
      const elsewhere = yield* Effect.forEach(gateways, (gateway) => ask(gateway), { concurrency: "unbounded" })
      assert.strictEqual(asked(), 1, "nobody asks it")
      assert.isTrue(elsewhere.every(({ status }) => status === 200))
      yield* upstream.behave({ latencyMs: 700 })
      yield* Effect.sleep(1_700)
      const answers = yield* Effect.forEach(
        Array.from({ length: 12 }, (_, index) => gateways[index % 3] ?? first),
        (gateway) => ask(gateway),
        { concurrency: "unbounded" }
      )
      assert.isTrue(answers.every(({ status }) => status === 200))
      assert.strictEqual(asked(), 2, "one call on trial by all")
      yield* upstream.behave({})
      yield* Effect.sleep(500)
      yield* Effect.forEach(gateways, (gateway) => ask(gateway))
      assert.strictEqual(asked(), 5, "all ask it again")
    })
  )

  it.scopedLive("give each other's answers", () =>
    Effect.gen(function* () {
      const { gateways, spare, upstream } = yield* three({ cache: { shared: true } })
      const [first, second] = gateways
      yield* ask(first, "the same")
      yield* Effect.sleep(200)
      const { status } = yield* ask(second, "the same")
      assert.strictEqual(status, 200)
      assert.strictEqual(upstream.journal().length + spare.journal().length, 1)
    })
  )
})
