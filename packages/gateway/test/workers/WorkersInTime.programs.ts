/** What workers hold to in time, by what the upstream saw: windows of two seconds, calls at once, and breakers. */
import { assert, describe, it } from "@effect/vitest"
import * as FakeProvider from "@switchyard/testing/FakeProvider"
import { Effect, Fiber } from "effect"
import { peakOf, press } from "../fleet/support/gatewayProcesses.js"
import { deploymentOf } from "../support/gateways.js"
import { momentsOf } from "../support/stamps.js"
import { workerProcesses } from "./support/workerProcesses.js"

/** Until it is so; the test's own time ends it otherwise. */
const until = (isSo: () => boolean) => Effect.repeat(Effect.sleep(20), { until: isSo })

const workerOf = ({ headers }: { readonly headers: Readonly<Record<string, string>> }): string =>
  headers["x-worker"] ?? ""

describe("two workers", { timeout: 120_000 }, () => {
  it.scopedLive(
    "admit exactly what a deployment may in each window of two seconds, also when one of them is killed",
    () =>
      Effect.gen(function* () {
        const [rpm, window] = [100, 2_000]
        const { pids, upstream, url } = yield* workerProcesses(2, { limits: { rpm }, window })
        const asked = () => upstream.stats().requests
        const pressing = yield* Effect.fork(Effect.promise(() => press([{ url }], 8, () => asked() > 5.5 * rpm)))
        yield* until(() => asked() > 2.5 * rpm)
        const before = new Set(upstream.journal().map(workerOf))
        process.kill(pids[0] ?? 0, "SIGKILL")
        yield* Fiber.join(pressing)
        assert.strictEqual(before.size, 2)
        const admissions = upstream.journal().map(({ headers }) => momentsOf(headers))
        assert.isAbove(admissions.length, 5 * rpm)
        // Each was let in between its two moments: no window holds more that lie in it with both.
        for (const { answered: end } of admissions) {
          const within = admissions.filter(({ answered, asked }) => answered <= end && asked > end - window + 2)
          assert.isAtMost(within.length, rpm)
        }
      })
  )

  it.scopedLive(
    "never run more calls at once than a deployment may have; those of one that is killed are free at once",
    () =>
      Effect.gen(function* () {
        const { pids, upstream, url } = yield* workerProcesses(2, { limits: { maxParallel: 8 }, lease: 120_000 })
        yield* upstream.behave({ latencyMs: 200 })
        const answered = () => upstream.stats().answered
        let isOver = false
        const pressing = yield* Effect.fork(Effect.promise(() => press([{ url }], 24, () => isOver)))
        yield* until(() => answered() > 60)
        const [killed = 0] = pids
        process.kill(killed, "SIGKILL")
        const [at, before] = [performance.now(), upstream.journal().length]
        const isOfOther = (one: Parameters<typeof workerOf>[0]) => workerOf(one) !== `${killed}`
        // Its lease would have held what its calls had for two minutes.
        yield* until(() => peakOf(upstream.journal().slice(before), isOfOther) === 8)
        isOver = true
        yield* Fiber.join(pressing)
        assert.isBelow(performance.now() - at, 60_000)
        assert.strictEqual(new Set(upstream.journal().map(workerOf)).size, 2)
        assert.strictEqual(
          peakOf(upstream.journal(), () => true),
          8
        )
      })
  )

  it.scopedLive("leave alone what failed in one of them: within half a second no other asks it any more", () =>
    Effect.gen(function* () {
      const spare = yield* FakeProvider.make({ name: "west", journalLimit: 20_000 })
      const { pids, upstream, url } = yield* workerProcesses(2, {
        besides: [deploymentOf(spare)],
        more: { strategy: "ordered", cooldown: { failures: 1, duration: "1 hour", maxDuration: "1 hour", jitter: 0 } }
      })
      let fails = false
      yield* upstream.when(({ headers }) =>
        fails && headers["x-worker"] === `${pids[0]}` ? { status: 503 } : { latencyMs: 5 }
      )
      yield* spare.behave({ latencyMs: 5 })
      const pressing = yield* Effect.fork(Effect.promise(() => press([{ url }], 8, () => spare.stats().answered > 300)))
      yield* until(() =>
        pids.every((pid) => upstream.journal().filter((one) => workerOf(one) === `${pid}`).length > 20)
      )
      fails = true
      yield* Fiber.join(pressing)
      const failed = upstream.journal().filter(({ status }) => status === 503)
      const [first] = failed
      const lastOf = Math.max(...upstream.journal().map(({ receivedAt }) => receivedAt))
      // They are told at once, and would go on for ever otherwise; a busy machine is late with all of it.
      assert.isBelow(lastOf - (first?.endedAt ?? 0), 5_000)
      assert.deepStrictEqual(new Set(failed.map(workerOf)), new Set([`${pids[0]}`]))
      assert.strictEqual(new Set(spare.journal().map(workerOf)).size, 2, "and both went on elsewhere")
    })
  )
})
