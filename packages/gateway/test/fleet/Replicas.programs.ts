import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import type { DeploymentConfig } from "@switchyard/core/Deployment"
import * as Gateway from "@switchyard/gateway/Gateway"
import * as SharedState from "@switchyard/gateway/SharedState"
import * as FakeProvider from "@switchyard/testing/FakeProvider"
import * as RedisServer from "@switchyard/testing/RedisServer"
import { Effect } from "effect"
import { decode, deploymentOf, masterKey, messages, post } from "../support/gateways.js"
import { sharing, until } from "./support/watching.js"

const missing = RedisServer.missing()
if (missing !== undefined) console.error(missing)

let runs = 0

describe.skipIf(missing !== undefined)("gateways on one Redis", () => {
  let redis: RedisServer.RedisServer
  beforeAll(async () => {
    redis = await RedisServer.start()
  })
  afterAll(() => redis?.stop())

  /** So many gateways before one upstream, each with connections of its own; `told` hears what they log of their state. */
  const fleet = (count: number, limits: Partial<DeploymentConfig>, timeout = "10 seconds") =>
    Effect.gen(function* () {
      const upstream = yield* FakeProvider.make({ name: "east" })
      const told: Array<string> = []
      const note = (_level: string, event: string) => void told.push(event)
      const config = decode({
        deployments: [deploymentOf(upstream, limits)],
        masterKey,
        retry: false,
        cooldown: false,
        redis: { url: redis.url, prefix: `run ${++runs}:`, timeout },
        server: { port: 0, drainTimeout: "1 second" }
      })
      const one = Effect.gen(function* () {
        const shared = yield* SharedState.make(config, { note })
        return yield* Gateway.make({ config }, { shared })
      })
      const gateways = yield* Effect.forEach(Array.from({ length: count }), () => one, { concurrency: "unbounded" })
      yield* sharing(gateways)
      return { upstream, gateways, told }
    })

  const ask = (gateway: Gateway.Gateway) =>
    Effect.map(post(gateway, "/v1/chat/completions", { model: "smart", messages }), ({ status }) => status)

  const askAll = (gateways: ReadonlyArray<Gateway.Gateway>, each: number) =>
    Effect.forEach(
      gateways.flatMap((gateway) => Array.from({ length: each }, () => gateway)),
      ask,
      { concurrency: "unbounded" }
    )

  const counted = (statuses: ReadonlyArray<number>, status: number) => statuses.filter((one) => one === status).length

  it.scopedLive("four of them ask a deployment as often in a minute as one may, to the last request", () =>
    Effect.gen(function* () {
      const { gateways, upstream } = yield* fleet(4, { rpm: 25 })
      const statuses = yield* askAll(gateways, 20)
      assert.deepStrictEqual([counted(statuses, 200), counted(statuses, 429)], [25, 55])
      assert.strictEqual(upstream.journal().length, 25)
    })
  )

  it.scopedLive("three of them have no more calls in flight than one may, and all permits come back", () =>
    Effect.gen(function* () {
      const { gateways, upstream } = yield* fleet(3, { maxParallel: 2 })
      yield* upstream.behave({ latencyMs: 20 })
      const rounds = yield* Effect.replicateEffect(askAll(gateways, 4), 4)
      assert.isAtMost(upstream.stats().peakInFlight, 2)
      assert.isAtLeast(counted(rounds.flat(), 200), 4)
      const [gateway] = gateways
      if (gateway === undefined) return
      // Selection knows a bit later what others have given back.
      yield* until(
        Effect.map(ask(gateway), (status) => status === 200),
        "20 seconds",
        "a permit is there"
      )
      const both = askAll([gateway], 2)
      yield* until(
        Effect.map(both, (statuses) => counted(statuses, 200) === 2),
        "20 seconds",
        "both permits are there"
      )
    })
  )

  it.scopedLive("one that is frozen, and one that is gone, fail no request; back again, it decides again", () =>
    Effect.gen(function* () {
      const { gateways, told } = yield* fleet(2, { rpm: 1000 }, "250 millis")
      const untilTold = (event: string, times: number) =>
        Effect.repeat(Effect.sleep(20), { until: () => told.filter((one) => one === event).length >= times })
      redis.freeze()
      const frozen = yield* askAll(gateways, 5)
      yield* untilTold("state_local", 2)
      redis.thaw()
      yield* untilTold("state_shared", 2)
      yield* Effect.promise(() => redis.kill())
      const gone = yield* askAll(gateways, 5)
      yield* untilTold("state_local", 4)
      yield* Effect.promise(() => redis.restart())
      yield* untilTold("state_shared", 4)
      const back = yield* askAll(gateways, 5)
      assert.deepStrictEqual([counted(frozen, 200), counted(gone, 200), counted(back, 200)], [10, 10, 10])
    })
  )
})
