import { assert, describe, it } from "@effect/vitest"
import { LlmError } from "@switchyard/core/LlmError"
import * as LlmRequest from "@switchyard/core/LlmRequest"
import * as Outcome from "@switchyard/core/Outcome"
import * as EventLog from "@switchyard/gateway/EventLog"
import type * as RouterEvents from "@switchyard/router/RouterEvents"
import * as StubLlm from "@switchyard/testing/StubLlm"
import { Effect, Stream, TestClock } from "effect"

const setup = Effect.map(EventLog.make(), (log) => ({ events: log.events, log }))

const retried = (at: number, group = "m"): RouterEvents.RouterEvent => ({
  _tag: "Retried",
  at,
  group,
  deployment: "a",
  reason: "Timeout",
  delay: at / 7
})

const failedJournal = (ids: ReadonlyArray<string>, at: number) => {
  const request = LlmRequest.begin(LlmRequest.chat({ model: "m", messages: [] }), 0)
  for (const id of ids) {
    const error = new LlmError({
      reason: "Unavailable",
      description: `down at ${at} ${"x".repeat(300)}`,
      status: 503,
      providerMessage: "the prompt was: hello"
    })
    StubLlm.attempt(request, StubLlm.slot(id)).settle(Outcome.failed(error), at)
  }
  return request.route.journal
}

describe("EventLog", () => {
  it.effect("keeps events with the time of day and how long a cooldown lasts", () =>
    Effect.gen(function* () {
      yield* TestClock.adjust("1 minute")
      const { events, log } = yield* setup
      events.publish({ _tag: "CooldownOpened", at: 59_000, deployment: "a", reason: "Timeout", until: 64_000 })
      events.publish({ _tag: "CooldownClosed", at: 60_000, deployment: "a" })
      assert.deepStrictEqual(log.since(), [
        {
          id: 1,
          number: 1,
          at: 59_000,
          times: 1,
          deployment: "a",
          reason: "Timeout",
          lastsMs: 5000,
          type: "CooldownOpened"
        },
        { id: 2, number: 2, at: 60_000, times: 1, deployment: "a", type: "CooldownClosed" }
      ])
      assert.deepStrictEqual(
        log.since(1).map(({ type }) => type),
        ["CooldownClosed"]
      )
    })
  )
  it.effect("the same failover again and again is one entry that counts, for 5 seconds", () =>
    Effect.gen(function* () {
      const { events, log } = yield* setup
      for (const at of [0, 1000, 4999]) events.publish(retried(at))
      events.publish(retried(4999, "other"))
      events.publish(retried(5000))
      assert.deepStrictEqual(
        log.since().map((entry) => [entry.id, entry.number, entry.times]),
        [
          [1, 3, 3],
          [4, 4, 1],
          [5, 5, 1]
        ]
      )
    })
  )
  it.effect("a change of state is never swallowed by a flood, and no more than 500 entries are kept", () =>
    Effect.gen(function* () {
      const { events, log } = yield* setup
      events.publish({ _tag: "CooldownOpened", at: 0, deployment: "a", reason: "Timeout", until: 9 })
      for (let i = 0; i < 900; i++) events.publish(retried(i))
      assert.deepStrictEqual(
        log.since().map(({ times, type }) => [type, times]),
        [
          ["CooldownOpened", 1],
          ["Retried", 900]
        ]
      )
      for (let i = 0; i < 900; i++) events.publish({ _tag: "CooldownClosed", at: i, deployment: `d${i}` })
      const kept = log.since()
      assert.strictEqual(kept.length, EventLog.maxEvents)
      assert.strictEqual(kept[499]?.number, 1801)
    })
  )
  it.effect("reloads are among them, events of every call are not, and listeners hear of what is kept", () =>
    Effect.gen(function* () {
      const { events, log } = yield* setup
      let heard = 0
      const stop = log.onEvent(() => heard++)
      events.publish({ _tag: "ConfigReloaded", at: 0, generation: 2, problems: ["a warning"] })
      events.publish({ _tag: "ConfigRefused", at: 0, generation: 2, problems: ["bad"] })
      events.publish({ _tag: "HedgeStarted", at: 0, group: "m", deployment: "a" })
      stop()
      events.publish({ _tag: "DeploymentIsolated", at: 0, deployment: "a" })
      assert.strictEqual(heard, 2)
      assert.deepStrictEqual(
        log.since().map(({ type }) => type),
        ["ConfigReloaded", "ConfigRefused", "DeploymentIsolated"]
      )
      assert.isFalse(events.isActive())
    })
  )
  it.effect("what is published goes on to whoever else listens", () =>
    Effect.gen(function* () {
      const seen: Array<string> = []
      const { events } = yield* EventLog.make({
        publish: ({ _tag }) => seen.push(_tag),
        isActive: () => true,
        stream: Stream.empty
      })
      assert.isTrue(events.isActive())
      events.publish({ _tag: "HedgeStarted", at: 0, group: "m", deployment: "a" })
      events.publish(retried(1))
      assert.deepStrictEqual(seen, ["HedgeStarted", "Retried"])
    })
  )
  it.effect("the last five errors of a deployment, newest first, in our own words", () =>
    Effect.gen(function* () {
      yield* TestClock.adjust("10 seconds")
      const { log } = yield* setup
      for (let at = 1000; at <= 7000; at += 1000) log.noteFailures(failedJournal(["a"], at))
      const errors = log.errorsOf("a")
      assert.deepStrictEqual(
        errors.map(({ at }) => at),
        [7000, 6000, 5000, 4000, 3000]
      )
      assert.deepStrictEqual(
        [errors[0]?.reason, errors[0]?.status, errors[0]?.message.length],
        ["Unavailable", 503, 200]
      )
      assert.notInclude(JSON.stringify(errors), "prompt")
      assert.deepStrictEqual(log.errorsOf("b"), [])
    })
  )
  it.effect("of a thousand deployments with errors the one that failed longest ago is forgotten", () =>
    Effect.gen(function* () {
      const { log } = yield* setup
      for (let i = 0; i < 1000; i++) log.noteFailures(failedJournal([`d${i}`], 0))
      log.noteFailures(failedJournal(["d0"], 0))
      log.noteFailures(failedJournal(["one more"], 0))
      assert.deepStrictEqual(
        ["d0", "d1", "d2", "one more"].map((id) => log.errorsOf(id).length),
        [2, 0, 1, 1]
      )
    })
  )
})
