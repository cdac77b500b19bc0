import { assert, describe, it } from "@effect/vitest"
import { Attempt } from "@switchyard/core/Attempt"
import { DeploymentService } from "@switchyard/core/DeploymentService"
import type { LlmError } from "@switchyard/core/LlmError"
import * as Service from "@switchyard/core/Service"
import { closed } from "@switchyard/core/Status"
import { now } from "@switchyard/core/Time"
import * as Latency from "@switchyard/router/Latency"
import * as LatencyTracker from "@switchyard/router/LatencyTracker"
import { cases } from "@switchyard/testing/Effort"
import * as StubLlm from "@switchyard/testing/StubLlm"
import { Effect, Fiber, Layer, Scheduler, TestClock } from "effect"
import { request, seeded } from "../balancing/strategies/support.js"

const setup = (reply?: Parameters<typeof StubLlm.make>[0]) => {
  const stub = StubLlm.make(reply)
  const tracker = LatencyTracker.make()
  const service = Latency.make(tracker)(stub.attempts)
  const slot = StubLlm.slot("a")
  const call = (stream = false) =>
    Effect.flatMap(now, (startedAt) => service.call(StubLlm.attempt(request({ stream }), slot, startedAt)))
  return { stub, tracker, service, slot, call, figures: tracker.of(slot) }
}

/** Reads a stream to its end; a plain answer is there already. */
const drained = (call: Service.Call): Effect.Effect<void, LlmError> =>
  Effect.flatMap(
    call,
    (response): Effect.Effect<unknown, LlmError> =>
      response._tag === "Complete"
        ? Effect.void
        : Effect.repeat(response.events.pull, { until: (batch) => batch.length === 0 })
  )

/** Runs a call on the test clock for `ms`, and gives back its fiber. */
const during = <A, E>(effect: Effect.Effect<A, E>, ms: number) =>
  Effect.gen(function* () {
    const fiber = yield* Effect.fork(effect)
    yield* TestClock.adjust(ms)
    return fiber
  })

describe("Latency", () => {
  it.effect("times a plain call by its duration", () =>
    Effect.gen(function* () {
      const { call, figures } = setup({ delay: 700 })
      yield* during(call(), 700)
      assert.strictEqual(figures.duration(yield* now), 700)
      assert.strictEqual(figures.peak(yield* now), 700)
      assert.isUndefined(figures.timeToFirstToken(yield* now))
    })
  )

  it.effect("times a stream's first token when the content comes, not when the response begins", () =>
    Effect.gen(function* () {
      const { call, figures } = setup({ delay: 50, firstToken: 400, chunks: ["a", "b"], gap: 1000 })
      yield* during(drained(call(true)), 449)
      assert.isUndefined(figures.timeToFirstToken(yield* now))
      assert.strictEqual(figures.unanswered, 1)
      yield* TestClock.adjust(1)
      assert.strictEqual(figures.timeToFirstToken(yield* now), 450)
      assert.deepStrictEqual([figures.unanswered, figures.running], [0, 1])
      yield* TestClock.adjust(1000)
      assert.strictEqual(figures.duration(yield* now), 1450)
      assert.strictEqual(figures.running, 0)
    })
  )

  it.effect("does not take a fast failure for a fast answer", () =>
    Effect.gen(function* () {
      const { call, figures, stub } = setup({ delay: 900 })
      yield* during(call(), 900)
      stub.reply({ delay: 1, fail: { reason: "Authentication", description: "no", status: 401 } })
      for (let i = 0; i < 10; i++) yield* during(Effect.flip(call()), 1)
      assert.strictEqual(figures.duration(yield* now), 900)
      assert.isAbove(figures.failurePenalty(yield* now), 5)
    })
  )

  it.effect("takes away the good name of a deployment that hangs: by callers who leave, and by timeouts", () =>
    Effect.gen(function* () {
      for (const leave of [true, false]) {
        const { call, figures, stub } = setup({ delay: 100 })
        yield* during(call(), 100)
        stub.reply(leave ? { hang: true } : { delay: 5000, fail: { reason: "Timeout", description: "slow" } })
        const fiber = yield* during(Effect.exit(call()), 5000)
        yield* Fiber.interrupt(fiber)
        assert.isAbove(figures.duration(yield* now) ?? 0, 1000)
        assert.isAbove(figures.peak(yield* now) ?? 0, 4999)
      }
    })
  )

  it.effect("does not blame a deployment for a caller who soon leaves", () =>
    Effect.gen(function* () {
      const { call, figures, stub } = setup({ delay: 1000 })
      yield* during(call(), 1000)
      stub.reply({ hang: true })
      const fiber = yield* during(call(), 300)
      yield* Fiber.interrupt(fiber)
      assert.strictEqual(figures.duration(yield* now), 1000)
      assert.strictEqual(figures.failurePenalty(yield* now), 1)
    })
  )

  it.effect("settles a stream once that is closed early, stalls or breaks", () =>
    Effect.gen(function* () {
      const { call, figures, stub } = setup({ chunks: ["a", "b"], stallAfter: 1 })
      const response = yield* call(true)
      yield* Effect.yieldNow()
      if (response._tag === "Complete") return assert.fail("not a stream")
      yield* response.events.awaitContent
      assert.deepStrictEqual([figures.running, figures.unanswered], [1, 0])
      response.events.close()
      response.events.close()
      assert.strictEqual(figures.running, 0)
      stub.reply({ chunks: ["a"], fail: { reason: "Unavailable", description: "cut" }, failAfter: 1 })
      yield* Effect.flip(drained(call(true)))
      assert.strictEqual(figures.running, 0)
      assert.isAbove(figures.failurePenalty(yield* now), 1)
    })
  )

  it.effect("settles a call that dies of a defect", () =>
    Effect.gen(function* () {
      const { call, figures, stub } = setup({ defect: new Error("bug") })
      yield* Effect.exit(call())
      assert.deepStrictEqual([figures.running, figures.unanswered], [0, 0])
      stub.reply({})
      const throws = Latency.make(LatencyTracker.make())(
        Service.attempt(() => {
          throw new Error("bug")
        })
      )
      assert.strictEqual(
        (yield* Effect.exit(throws.call(StubLlm.attempt(request(), StubLlm.slot("b")))))._tag,
        "Failure"
      )
    })
  )

  it.effect("observes each run of a call anew", () =>
    Effect.gen(function* () {
      const { figures, service, slot } = setup({ delay: 100 })
      const call = service.call(StubLlm.attempt(request(), slot))
      const fiber = yield* Effect.fork(Effect.all([call, call, call], { concurrency: "unbounded" }))
      yield* TestClock.adjust(1)
      assert.strictEqual(figures.unanswered, 3)
      yield* TestClock.adjust(99)
      yield* Fiber.join(fiber)
      assert.strictEqual(figures.unanswered, 0)
      assert.closeTo(figures.samples(false, yield* now), 3, 1e-6)
    })
  )

  it.effect("forwards the status of the inner service", () =>
    Effect.sync(() => {
      const { service, slot, stub } = setup()
      const shut = closed("cooldown", 5)
      stub.setStatus(shut)
      assert.strictEqual(service.status(slot, request(), 0), shut)
    })
  )

  it.effect("as a Layer, writes to the tracker that strategies read", () =>
    Effect.gen(function* () {
      const service = yield* DeploymentService
      const { of } = yield* LatencyTracker.LatencyTracker
      const slot = StubLlm.slot("a")
      yield* during(service.call(new Attempt(1, request(), slot, 0, false, false)), 250)
      assert.strictEqual(of(slot).duration(yield* now), 250)
    }).pipe(
      Effect.provide(
        Latency.layer.pipe(
          Layer.provide(Layer.succeed(DeploymentService, StubLlm.make({ delay: 250 }).attempts)),
          Layer.provideMerge(LatencyTracker.layerMemory)
        )
      )
    )
  )

  it.effect("gives back every observation, wherever an interruption falls", () =>
    Effect.gen(function* () {
      for (let seed = 0; seed < cases(3000); seed++) {
        const random = seeded(`interrupted ${seed}`)
        const { figures, service, slot } = setup(random() < 0.7 ? { chunks: ["a", "b", "c"] } : { hang: true })
        const attempt = StubLlm.attempt(request({ stream: random() < 0.5 }), slot)
        // The fiber may give way between any two operations, so that the interruption can fall there. Giving way takes
        // about ten operations itself: much oftener, and it would never get on.
        const scheduler: Scheduler.Scheduler = {
          shouldYield: () => (random() < 0.05 ? 0 : false),
          scheduleTask: (task, priority, fiber) => Scheduler.defaultScheduler.scheduleTask(task, priority, fiber)
        }
        const call = Effect.exit(drained(service.call(attempt)))
        const fiber = yield* Effect.fork(Effect.withScheduler(call, scheduler))
        for (let turns = random() * 8; turns >= 1; turns--) yield* Effect.yieldNow()
        yield* Fiber.interrupt(fiber)
        attempt.release()
        assert.deepStrictEqual([figures.running, figures.unanswered], [0, 0], `seed ${seed}`)
      }
    })
  )
})
