/** Limits over several gateways, each a process of its own, on one Redis. */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import * as RedisServer from "@switchyard/testing/RedisServer"
import { Effect } from "effect"
import { momentsOf } from "../support/stamps.js"
import { ask, fleet, type GatewayProcess, peakOf, press } from "./support/gatewayProcesses.js"

const missing = RedisServer.missing()
if (missing !== undefined) console.error(missing)

let runs = 0

/** Until it is so; the test's own time ends it otherwise. */
const until = (isSo: () => boolean) => Effect.repeat(Effect.sleep(20), { until: isSo })

describe.skipIf(missing !== undefined)("gateways as processes on one Redis", { timeout: 120_000 }, () => {
  let redis: RedisServer.RedisServer
  beforeAll(async () => {
    redis = await RedisServer.start()
  })
  afterAll(() => redis?.stop())

  const own = (timeout: `${number} ${"millis" | "seconds"}` = "10 seconds") => ({
    url: redis.url,
    prefix: `processes ${++runs}:`,
    timeout
  })

  it.scopedLive(
    "four of them, two with clocks that are minutes off, admit exactly what a deployment may in each window",
    () =>
      Effect.gen(function* () {
        const [rpm, window, minutes] = [100, 2_000, 60_000]
        const skews = [0, 7 * minutes, -7 * minutes, 0]
        const { gateways, upstream } = yield* fleet(4, { redis: own(), limits: { rpm }, window, skews })
        const { journal, stats } = upstream
        yield* Effect.promise(() => press(gateways, 4, () => stats().requests > 3.5 * rpm))
        const admissions = journal()
          .map(({ headers }) => momentsOf(headers))
          .sort((a, b) => a.number - b.number)
        // Each has a number of its own, and none is missing: so each window's id, `(number - 1) / rpm`, is borne by rpm requests.
        assert.deepStrictEqual(
          admissions.map(({ number }) => number),
          admissions.map((_, index) => index + 1)
        )
        assert.isAbove(admissions.length, 3 * rpm)
        // And whatever its number, the one that comes rpm later was admitted a window later: the last to be so when it was answered.
        for (const [index, { answered, number }] of admissions.entries()) {
          const first = admissions[index - rpm]
          if (first !== undefined) assert.isAtLeast(answered - first.asked, window - 2, `admission ${number}`)
        }
        assert.strictEqual(new Set(journal().map(({ headers }) => headers["x-gateway"])).size, 4)
      })
  )

  it.scopedLive(
    "no more calls run at once than a deployment may have, but those of a frozen process, which ends them when it wakes",
    () =>
      Effect.gen(function* () {
        const { gateways, upstream } = yield* fleet(4, { redis: own(), limits: { maxParallel: 8 }, lease: 3_000 })
        const [frozen, ...others] = gateways
        if (frozen === undefined) return
        yield* upstream.when(({ headers }) => ({ latencyMs: headers["x-gateway"] === frozen.name ? 600_000 : 20 }))
        // Three calls that won't end by themselves, of the one that is about to be frozen.
        const held = Array.from({ length: 3 }, () => ask(frozen))
        yield* until(() => upstream.inFlight() === 3)
        let isOver = false
        const pressed = press(others, 6, () => isOver)
        const isOfOthers = ({ headers }: { readonly headers: Readonly<Record<string, string>> }) =>
          headers["x-gateway"] !== frozen.name
        const answeredBefore = upstream.stats().answered
        yield* until(() => upstream.stats().answered > answeredBefore + 100)
        assert.isAtMost(
          peakOf(upstream.journal(), () => true),
          8
        )
        frozen.child.kill("SIGSTOP")
        // Its permits go to others with its lease, and not before.
        yield* until(() => peakOf(upstream.journal(), isOfOthers) === 8)
        frozen.child.kill("SIGCONT")
        const came = yield* Effect.promise(() => Promise.all(held))
        isOver = true
        yield* Effect.promise(() => pressed)
        assert.isAtMost(peakOf(upstream.journal(), isOfOthers), 8)
        assert.isTrue(came.every((status) => status !== 200))
        yield* until(() => upstream.journal().filter(({ end }) => end === "clientAborted").length === 3)
      })
  )

  it.scopedLive("the permits of one that is killed return with its lease", () =>
    Effect.gen(function* () {
      const { gateways, upstream } = yield* fleet(3, { redis: own(), limits: { maxParallel: 4 }, lease: 3_000 })
      const [killed, ...others] = gateways
      if (killed === undefined) return
      yield* upstream.when(({ headers }) => ({ latencyMs: headers["x-gateway"] === killed.name ? 600_000 : 5 }))
      const held = Array.from({ length: 4 }, () => ask(killed))
      yield* until(() => upstream.inFlight() === 4)
      const full = yield* Effect.promise(() => Promise.all(others.map((other) => ask(other))))
      assert.deepStrictEqual(full, [429, 429])
      killed.child.kill("SIGKILL")
      assert.deepStrictEqual(yield* Effect.promise(() => Promise.all(held)), ["broken", "broken", "broken", "broken"])
      const counts = yield* Effect.promise(() => press(others, 4, () => upstream.stats().answered >= 8))
      assert.isAtLeast(counts.get(200) ?? 0, 8)
      assert.isAtMost(
        peakOf(upstream.journal(), ({ headers }) => headers["x-gateway"] !== killed.name),
        4
      )
    })
  )

  const metricOf = (gateway: GatewayProcess, name: string) =>
    Effect.map(
      Effect.promise(() => fetch(`${gateway.url}/metrics`).then((response) => response.text())),
      (text) => Number(new RegExp(`^switchyard_${name} (.*)$`, "m").exec(text)?.[1] ?? Number.NaN)
    )
  const untilAll = (gateways: ReadonlyArray<GatewayProcess>, up: number) =>
    Effect.forEach(gateways, (gateway) =>
      Effect.repeat(Effect.zipRight(Effect.sleep(50), metricOf(gateway, 'shared_state_up{engine="redis"}')), {
        until: (value) => value === up
      })
    )

  it.scopedLive("a Redis that freezes and dies under load fails no request, and few wait for it", () =>
    Effect.gen(function* () {
      const { gateways, upstream } = yield* fleet(2, { redis: own("250 millis"), limits: { rpm: 1_000_000 } })
      const { stats } = upstream
      let isOver = false
      const pressed = press(gateways, 4, () => isOver)
      const more = Effect.suspend(() => {
        const before = stats().answered
        return until(() => stats().answered > before + 100)
      })
      yield* more
      const waits = 'shared_state_questions_total{engine="redis",outcome="slow"}'
      const before = yield* Effect.forEach(gateways, (gateway) => metricOf(gateway, waits))
      redis.freeze()
      yield* untilAll(gateways, 0)
      yield* more
      // Those on their way when it froze, the three that told so, and a beat now and then: all others never asked.
      for (const [index, gateway] of gateways.entries()) {
        assert.isAtMost((yield* metricOf(gateway, waits)) - (before[index] ?? 0), 30)
      }
      redis.thaw()
      yield* untilAll(gateways, 1)
      yield* more
      yield* Effect.promise(() => redis.kill())
      yield* untilAll(gateways, 0)
      yield* more
      yield* Effect.promise(() => redis.restart())
      yield* untilAll(gateways, 1)
      yield* more
      isOver = true
      const counts = yield* Effect.promise(() => pressed)
      assert.deepStrictEqual([...counts.keys()], [200])
    })
  )

  it.scopedLive("while it is gone each has its share of the permits, and together they have no more than all", () =>
    Effect.gen(function* () {
      const { gateways, upstream } = yield* fleet(3, { redis: own("250 millis"), limits: { maxParallel: 7 } })
      yield* upstream.behave({ latencyMs: 20 })
      // Each knows of the others with its next word.
      yield* Effect.forEach(gateways, (gateway) =>
        Effect.repeat(metricOf(gateway, 'shared_state_replicas{engine="redis"}'), { until: (count) => count === 3 })
      )
      yield* Effect.promise(() => redis.kill())
      yield* untilAll(gateways, 0)
      let isOver = false
      const pressed = press(gateways, 6, () => isOver)
      yield* until(() => upstream.stats().answered > 150)
      isOver = true
      yield* Effect.promise(() => pressed)
      const shares = gateways.map(({ name }) =>
        peakOf(upstream.journal(), ({ headers }) => headers["x-gateway"] === name)
      )
      assert.deepStrictEqual([...shares].sort(), [2, 2, 3])
      yield* Effect.promise(() => redis.restart())
      yield* untilAll(gateways, 1)
      assert.strictEqual(yield* Effect.promise(() => ask(gateways[0] ?? { url: "" })), 200)
    })
  )
})
