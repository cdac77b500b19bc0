import { assert, describe, it } from "@effect/vitest"
import * as LlmRequest from "@switchyard/core/LlmRequest"
import * as LlmService from "@switchyard/core/LlmService"
import * as AttemptMetrics from "@switchyard/router/AttemptMetrics"
import * as RequestMetrics from "@switchyard/router/RequestMetrics"
import * as Contract from "@switchyard/testing/Contract"
import * as StubLlm from "@switchyard/testing/StubLlm"
import { Effect, Fiber, Metric, MetricState, Stream, TestClock } from "effect"

for (const { check, name } of Contract.requestLayer(
  Effect.succeed(RequestMetrics.make((model) => model, { prefix: "c" }))
)) {
  it.effect(name, () => check)
}
for (const { check, name } of Contract.attemptLayer(Effect.succeed(AttemptMetrics.make({ prefix: "c" })))) {
  it.effect(name, () => check)
}

/** Every series of a prefix, as `name{label=value,...}` to its number. */
const series = (prefix: string): Readonly<Record<string, number>> =>
  Object.fromEntries(
    Metric.unsafeSnapshot()
      .filter(({ metricKey }) => metricKey.name.startsWith(`${prefix}_`))
      .map(({ metricKey, metricState }) => {
        const labels = metricKey.tags.map(({ key, value }) => `${key}=${value}`).join(",")
        const value = MetricState.isCounterState(metricState)
          ? Number(metricState.count)
          : MetricState.isGaugeState(metricState)
            ? Number(metricState.value)
            : Number.NaN
        return [`${metricKey.name.slice(prefix.length + 1)}{${labels}}`, value] as const
      })
  )

const request = (model = "m") => LlmRequest.chat({ model, messages: [{ role: "user", content: "Hi" }] })

describe("RequestMetrics", () => {
  it.effect("one request is one, with its tokens; the labels are the group and the last attempt's provider", () =>
    Effect.gen(function* () {
      const service = StubLlm.make().requests.pipe(
        RequestMetrics.make((model) => (model === "m" ? "m" : undefined), { prefix: "one", labels: { region: "eu" } })
      )
      yield* LlmService.complete(service, request())
      yield* LlmService.complete(service, request("whatever a caller sends"))
      const labels = (model: string) => `{region=eu,model=${model},provider=openai}`
      const found = series("one")
      assert.strictEqual(found[`requests_total${labels("m")}`], 1)
      assert.strictEqual(found[`requests_success_total${labels("m")}`], 1)
      assert.strictEqual(found[`input_tokens_total${labels("m")}`], 10)
      assert.strictEqual(found[`output_tokens_total${labels("m")}`], 5)
      assert.strictEqual(found[`requests_total${labels("other")}`], 1)
    })
  )
  it.effect("active requests return to zero after success, error, interruption and a stream that is left", () =>
    Effect.gen(function* () {
      const stub = StubLlm.make({ delay: 100 })
      const service = stub.requests.pipe(RequestMetrics.make((model) => model, { prefix: "two" }))
      const active = () => series("two")["active_requests{model=m}"]
      const ok = yield* Effect.fork(LlmService.complete(service, request()))
      const left = yield* Effect.fork(LlmService.complete(service, request()))
      yield* TestClock.adjust(50)
      assert.strictEqual(active(), 2)
      yield* Fiber.interrupt(left)
      assert.strictEqual(active(), 1)
      yield* TestClock.adjust(50)
      yield* Fiber.join(ok)
      stub.reply({ fail: { reason: "RateLimited", description: "slow down" } })
      yield* Effect.ignore(LlmService.complete(service, request()))
      stub.reply({ chunks: ["a", "b", "c"], gap: 1000 })
      yield* LlmService.stream(service, request()).pipe(Stream.take(2), Stream.runDrain)
      const found = series("two")
      assert.strictEqual(active(), 0)
      assert.strictEqual(found["requests_total{model=m,provider=openai}"], 4)
      assert.strictEqual(found["requests_success_total{model=m,provider=openai}"], 1)
      assert.strictEqual(found["requests_abandoned_total{model=m,provider=openai}"], 2)
      assert.strictEqual(found["requests_error_total{model=m,provider=openai,reason=RateLimited}"], 1)
    })
  )
})

describe("AttemptMetrics", () => {
  it.effect("attempts by deployment, outcome and reason; in flight returns to zero", () =>
    Effect.gen(function* () {
      const stub = StubLlm.make()
      const service = stub.attempts.pipe(AttemptMetrics.make({ prefix: "three" }))
      const slot = StubLlm.slot("d")
      yield* service.call(StubLlm.attempt(request(), slot))
      stub.reply({ fail: { reason: "Timeout", description: "late" } })
      yield* Effect.ignore(service.call(StubLlm.attempt(request(), slot)))
      stub.reply({ hang: true })
      const fiber = yield* Effect.fork(service.call(StubLlm.attempt(request(), slot)))
      yield* Effect.yieldNow()
      const found = () => series("three")
      assert.strictEqual(found()["deployment_in_flight{deployment=d,model=m,provider=openai}"], 1)
      yield* Fiber.interrupt(fiber)
      const key = (outcome: string, reason: string) =>
        `attempts_total{deployment=d,model=m,provider=openai,outcome=${outcome},reason=${reason}}`
      assert.strictEqual(found()[key("success", "")], 1)
      assert.strictEqual(found()[key("failure", "Timeout")], 1)
      assert.strictEqual(found()[key("abandoned", "")], 1)
      assert.strictEqual(found()["deployment_in_flight{deployment=d,model=m,provider=openai}"], 0)
    })
  )
  it("a name that callers choose cannot grow the registry without end", () => {
    const layer = RequestMetrics.make((model) => model, { prefix: "four" })
    const service = layer(StubLlm.make().requests)
    const many = Effect.forEach(
      Array.from({ length: 3000 }, (_, index) => `model-${index}`),
      (model) => LlmService.complete(service, request(model)),
      { discard: true }
    )
    Effect.runSync(Effect.orDie(many))
    const totals = Object.keys(series("four")).filter((name) => name.startsWith("requests_total"))
    assert.isAtMost(totals.length, 1001)
    assert.isAtLeast(series("four")["requests_total{model=other,provider=other}"] ?? 0, 1900)
  })
})
