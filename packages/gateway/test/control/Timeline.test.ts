import { assert, describe, it } from "@effect/vitest"
import * as LlmRequest from "@switchyard/core/LlmRequest"
import * as LlmService from "@switchyard/core/LlmService"
import * as Timeline from "@switchyard/gateway/Timeline"
import * as Router from "@switchyard/router/Router"
import * as StubLlm from "@switchyard/testing/StubLlm"
import { Effect, Fiber, TestClock } from "effect"

const chat = (model = "m") => LlmRequest.chat({ model, messages: [{ role: "user", content: "Hi" }] })

const towerOf = (ids: ReadonlyArray<string>, stub = StubLlm.make()) =>
  Router.make({ deployments: ids.map((id) => ({ id, group: id, model: "m" })), retry: false }, stub.attempts)

const call = (tower: Router.Built, model: string) => Effect.ignore(LlmService.complete(tower.service, chat(model)))

const seriesOf = (timeline: Timeline.Timeline, id: string) =>
  timeline.recording().deployments.find((series) => series.id === id)

describe("Timeline", () => {
  it.scoped("counts what happened between two samples, and no more", () =>
    Effect.gen(function* () {
      const stub = StubLlm.make(({ request }) =>
        request.model === "b" ? { fail: { reason: "Unavailable", description: "no" } } : {}
      )
      const tower = yield* towerOf(["a", "b"], stub)
      const timeline = yield* Timeline.make(() => tower)
      yield* call(tower, "a")
      yield* call(tower, "a")
      yield* call(tower, "b")
      assert.strictEqual(timeline.latest().number, 0)
      yield* TestClock.adjust("5 seconds")
      yield* call(tower, "a")
      yield* TestClock.adjust("10 seconds")
      const { at, deployments, intervalMs } = timeline.recording()
      assert.deepStrictEqual([intervalMs, at], [5000, [5000, 10_000, 15_000]])
      assert.deepStrictEqual(
        deployments.map(({ failures, id, requests }) => [id, requests, failures]),
        [
          ["a", [2, 1, 0], [0, 0, 0]],
          ["b", [1, 0, 0], [1, 0, 0]]
        ]
      )
    })
  )
  it.scoped("tells latency while a deployment is used, and nothing while it is idle", () =>
    Effect.gen(function* () {
      const tower = yield* towerOf(["a"], StubLlm.make({ delay: "3 seconds" }))
      const timeline = yield* Timeline.make(() => tower)
      const fiber = yield* Effect.fork(call(tower, "a"))
      yield* TestClock.adjust("10 seconds")
      yield* Fiber.join(fiber)
      const series = seriesOf(timeline, "a")
      assert.deepStrictEqual(series?.meanMs, [3000, null])
      assert.approximately(series?.p95Ms[0] ?? 0, 3000, 500)
      assert.deepStrictEqual(series?.inFlight, [0, 0])
    })
  )
  it.scoped("what is in flight is seen at the sample", () =>
    Effect.gen(function* () {
      const tower = yield* towerOf(["a"], StubLlm.make({ delay: "7 seconds" }))
      const timeline = yield* Timeline.make(() => tower)
      const fiber = yield* Effect.fork(call(tower, "a"))
      yield* TestClock.adjust("10 seconds")
      yield* Fiber.join(fiber)
      assert.deepStrictEqual(seriesOf(timeline, "a")?.inFlight, [1, 0])
    })
  )
  it.scoped("keeps 15 minutes, and forgets what is older", () =>
    Effect.gen(function* () {
      const tower = yield* towerOf(["a"])
      const timeline = yield* Timeline.make(() => tower)
      yield* call(tower, "a")
      yield* TestClock.adjust("15 minutes")
      assert.strictEqual(timeline.recording().at.length, 180)
      assert.strictEqual(seriesOf(timeline, "a")?.requests[0], 1)
      yield* TestClock.adjust("5 seconds")
      const { at, deployments } = timeline.recording()
      assert.deepStrictEqual([at.length, at[0], at[179]], [180, 10_000, 905_000])
      assert.deepStrictEqual(new Set(deployments[0]?.requests), new Set([0]))
    })
  )
  it.scoped("another generation counts from zero, and nothing is counted twice or negatively", () =>
    Effect.gen(function* () {
      const first = yield* towerOf(["a", "gone"])
      const second = yield* towerOf(["a", "new"])
      let tower = first
      const timeline = yield* Timeline.make(() => tower)
      for (let i = 0; i < 3; i++) yield* call(first, "a")
      yield* call(first, "gone")
      yield* TestClock.adjust("5 seconds")
      tower = second
      for (let i = 0; i < 4; i++) yield* call(second, "a")
      yield* TestClock.adjust("5 seconds")
      assert.deepStrictEqual(seriesOf(timeline, "a")?.requests, [3, 4])
      assert.deepStrictEqual(seriesOf(timeline, "gone")?.requests, [1, null])
      assert.deepStrictEqual(seriesOf(timeline, "new")?.requests, [null, 0])
      yield* TestClock.adjust("15 minutes")
      assert.isUndefined(seriesOf(timeline, "gone"))
    })
  )
  it.scoped("records so many deployments and no more; one with traffic takes the place of one without", () =>
    Effect.gen(function* () {
      const tower = yield* towerOf(["a", "b", "c"])
      const timeline = yield* Timeline.make(() => tower, { maxDeployments: 2 })
      const ids = () => timeline.recording().deployments.map(({ id }) => id)
      yield* call(tower, "a")
      yield* TestClock.adjust("5 seconds")
      assert.deepStrictEqual(ids(), ["a", "b"])
      yield* call(tower, "c")
      yield* TestClock.adjust("5 seconds")
      assert.deepStrictEqual(ids(), ["a", "c"])
      assert.deepStrictEqual(seriesOf(timeline, "c")?.requests, [null, 1])
    })
  )
})
