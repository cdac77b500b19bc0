import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import * as Gateway from "@switchyard/gateway/Gateway"
import * as SharedState from "@switchyard/gateway/SharedState"
import * as FakeProvider from "@switchyard/testing/FakeProvider"
import * as RedisServer from "@switchyard/testing/RedisServer"
import { Effect } from "effect"
import { type Answer, chat, decode, deploymentOf, masterKey } from "../support/gateways.js"

const missing = RedisServer.missing()
if (missing !== undefined) console.error(missing)

let runs = 0

const key = "sk-alice-7c1d0f"

const asAlice = { authorization: `Bearer ${key}` }

describe.skipIf(missing !== undefined)("a caller of several gateways on one Redis", () => {
  let redis: RedisServer.RedisServer
  beforeAll(async () => {
    redis = await RedisServer.start()
  })
  afterAll(() => redis?.stop())

  /** Two gateways with connections of their own, before one upstream; `alice` is what her key may do. */
  const two = (alice: object, settings: object = {}) =>
    Effect.gen(function* () {
      const upstream = yield* FakeProvider.make({ name: "east" })
      const config = decode({
        deployments: [deploymentOf(upstream)],
        masterKey,
        keys: [{ name: "alice", key, ...alice }],
        retry: false,
        cooldown: false,
        redis: { url: redis.url, prefix: `callers ${++runs}:`, timeout: "10 seconds" },
        server: { port: 0, drainTimeout: "1 second" },
        ...settings
      })
      const one = Effect.gen(function* () {
        const shared = yield* SharedState.make(config, { note: () => {} })
        return yield* Gateway.make({ config }, { shared })
      })
      const [first, second] = yield* Effect.all([one, one], { concurrency: "unbounded" })
      return { upstream, first, second }
    })

  const ask = (gateway: Gateway.Gateway): Effect.Effect<Answer> => chat(gateway, {}, asAlice)

  const both = (
    { first, second }: { readonly first: Gateway.Gateway; readonly second: Gateway.Gateway },
    each: number
  ): Effect.Effect<ReadonlyArray<Answer>> =>
    Effect.forEach(
      Array.from({ length: each * 2 }, (_, index) => (index % 2 === 0 ? first : second)),
      (gateway) => ask(gateway),
      { concurrency: "unbounded" }
    )

  const counted = (answers: ReadonlyArray<Answer>, status: number) =>
    answers.filter((answer) => answer.status === status).length

  it.scopedLive(
    "requests: as many as one may ask for, to the last; a refusal says when it fits by the use of both",
    () =>
      Effect.gen(function* () {
        const fleet = yield* two({ rpm: 15 })
        const answers = yield* both(fleet, 20)
        assert.deepStrictEqual([counted(answers, 200), counted(answers, 429)], [15, 25])
        assert.strictEqual(fleet.upstream.journal().length, 15)
        const { headers, text } = yield* ask(fleet.second)
        assert.match(text, /the caller's limit of 15 requests per minute is used up/)
        // Up to a tenth is added by chance.
        const wait = Number(headers["retry-after"])
        assert.isTrue(wait >= 30 && wait <= 66, `${wait}`)
      })
  )

  it.scopedLive("calls at once: as many as one may have, and all come back", () =>
    Effect.gen(function* () {
      const fleet = yield* two({ maxParallel: 3 })
      yield* fleet.upstream.behave({ latencyMs: 30 })
      const rounds = yield* Effect.replicateEffect(both(fleet, 5), 3)
      assert.isAtMost(fleet.upstream.stats().peakInFlight, 3)
      assert.isAtLeast(counted(rounds.flat(), 200), 9)
      // Nobody waits until Redis was told.
      yield* Effect.sleep(100)
      assert.deepStrictEqual(counted(yield* Effect.all([ask(fleet.first), ask(fleet.second)]), 200), 2)
    })
  )
})
