import { assert, describe, it } from "@effect/vitest"
import * as ChatChunk from "@switchyard/core/ChatChunk"
import { toStream } from "@switchyard/core/EventStream"
import type { JsonObject } from "@switchyard/core/Json"
import { LlmError, type LlmErrorFields } from "@switchyard/core/LlmError"
import * as LlmRequest from "@switchyard/core/LlmRequest"
import * as LlmService from "@switchyard/core/LlmService"
import * as Service from "@switchyard/core/Service"
import { Splice } from "@switchyard/core/Splice"
import * as DeploymentRegistry from "@switchyard/router/DeploymentRegistry"
import * as Recovery from "@switchyard/router/Recovery"
import * as Contract from "@switchyard/testing/Contract"
import { cases } from "@switchyard/testing/Effort"
import * as StubLlm from "@switchyard/testing/StubLlm"
import { Effect, Fiber, FastCheck as fc, Layer, Logger, Option, Stream, TestClock } from "effect"
import {
  bodies,
  chat,
  cut,
  dying,
  event,
  finish,
  type Play,
  pull,
  read,
  role,
  type Setup,
  says,
  setup,
  thinks,
  three,
  upstream,
  used,
  whole
} from "../support/streams.js"

const contract = Effect.map(
  DeploymentRegistry.make({ deployments: [{ id: "stub", group: "m", model: "m" }] }),
  (registry) => Recovery.make({ registry })
)
for (const { check, name } of Contract.requestLayer(contract)) it.effect(name, () => check)

describe("splice", () => {
  it.effect("a stream that dies goes on from another deployment, without a gap or a repetition", () =>
    Effect.gen(function* () {
      const test = setup(({ deployment }) =>
        deployment === "d1" ? dying("one", ["Hello ", "wor"]) : whole("second", ["He", "llo w", "orld", "!"])
      )
      const { events, isWhole, text } = yield* read(test.service)
      assert.isTrue(isWhole)
      assert.strictEqual(text, "Hello world!")
      assert.deepStrictEqual(test.used(), ["d1", "d2"])
      assert.deepStrictEqual(
        events.map((item) => [item.json.id, item.json.created]),
        events.map(() => ["one", 3])
      )
      assert.deepStrictEqual(
        events.map((item) => item.json),
        events.map((item) => JSON.parse(item.data))
      )
      assert.strictEqual(JSON.stringify(events).split("assistant").length - 1, 2, "one event names the role")
    })
  )
  it.effect("messages and parameters of a restart are the caller's, unchanged", () =>
    Effect.gen(function* () {
      const test = setup((_, nth) => (nth === 0 ? dying("one", ["a"]) : whole("two", ["a", "b"])))
      const request = chat({ temperature: 0, seed: 3 })
      yield* read(test.service, request)
      assert.deepStrictEqual(bodies(test.attempts), [request.body, request.body])
    })
  )
  it.effect("cuts, stalls and malformed events are all made good", () =>
    Effect.gen(function* () {
      for (const end of [
        cut,
        { reason: "Timeout", description: "silent", phase: "idle", bound: "deployment" },
        { reason: "MalformedResponse", description: "bad event" }
      ] satisfies ReadonlyArray<LlmErrorFields>) {
        const test = setup((_, nth) => (nth === 0 ? dying("one", ["a", "b"], end) : whole("two", ["ab", "c"])))
        assert.strictEqual((yield* read(test.service)).text, "abc", end.reason)
      }
    })
  )
  it.effect("a layer outside that ends a stream ends it for good, unless it was whole already", () =>
    Effect.gen(function* () {
      const slow = new LlmError({ reason: "Timeout", phase: "total", bound: "request", description: "too slow" })
      const unfinished = { events: [role("one"), says("one", "a")] }
      const withoutGoodbye = { events: whole("one", ["a", "b"]).events }
      for (const policy of ["splice", "holdback"] as const) {
        for (const [play, ends] of [
          [unfinished, "StreamInterrupted by Timeout, Failed"],
          [withoutGoodbye, "whole, Completed"]
        ] as const) {
          const test = setup(() => play, { policy, holdback: { characters: 1 } })
          const calling = yield* Effect.fork(test.service.call(LlmRequest.begin(chat(), 0)))
          yield* TestClock.adjust("1 second")
          const response = yield* Fiber.join(calling)
          if (response._tag === "Complete") return assert.fail("no stream")
          const { events } = response
          events.fail(slow)
          const told = yield* Effect.match(Stream.runCollect(toStream(events)), {
            onFailure: ({ interruptedBy, reason }) => `${reason} by ${interruptedBy}`,
            onSuccess: () => "whole"
          })
          assert.strictEqual(`${told}, ${events.settlement.outcome?._tag}`, ends, policy)
          assert.deepStrictEqual([test.used(), test.inFlight(), test.settled.length], [["d1"], 0, 1])
        }
      }
    })
  )
  it.effect("a stream that died after its last word only gets its end", () =>
    Effect.gen(function* () {
      const test = setup((_, nth) => (nth === 0 ? dying("one", ["all of it"]) : whole("two", ["all ", "of it"])))
      const { events, isWhole, text } = yield* read(test.service)
      assert.isTrue(isWhole)
      assert.strictEqual(text, "all of it")
      assert.include(JSON.stringify(events), '"finish_reason":"stop"')
    })
  )
  it.effect("at the first difference it ends with the interruption, and aborts the second stream", () =>
    Effect.gen(function* () {
      const test = setup((_, nth) =>
        nth === 0 ? dying("one", ["The answer is ", "42"]) : { events: [says("two", "The answer was 42")] }
      )
      const { error, text } = yield* read(test.service)
      assert.strictEqual(text, "The answer is 42")
      assert.strictEqual(error?.reason, "StreamInterrupted")
      assert.strictEqual(error?.interruptedBy, "Unavailable")
      assert.include(error?.description ?? "", "another answer")
      assert.deepStrictEqual(test.aborted, ["d2"])
      assert.deepStrictEqual(
        error?.attempts?.map((attempt) => attempt.outcome),
        ["failed", "abandoned"]
      )
      assert.strictEqual(test.inFlight(), 0)
    })
  )
  it.effect("a shorter answer ends with the interruption", () =>
    Effect.gen(function* () {
      for (const play of [whole("two", ["a"]), { events: [says("two", "a"), finish("two")], end: "clean" as const }]) {
        const test = setup((_, nth) => (nth === 0 ? dying("one", ["a", "b"]) : play))
        const { error, events, text } = yield* read(test.service)
        assert.strictEqual(text, "ab")
        assert.strictEqual(error?.reason, "StreamInterrupted")
        assert.notInclude(JSON.stringify(events), '"finish_reason":"stop"')
      }
    })
  )
  it.effect("what its reader throws, before a restart or after one, ends it and begins nothing again", () =>
    Effect.gen(function* () {
      for (const restarts of [0, 1]) {
        const test = setup((_, nth) =>
          nth < restarts ? dying("one", ["a"]) : { events: [says("two", "ab"), says("two", "c")] }
        )
        const reading = LlmService.using(test.service, chat(), (response) =>
          response._tag === "Complete"
            ? Effect.void
            : response.events.forward((batch) => {
                if (batch.some(({ json }) => ChatChunk.text(json).includes("b"))) throw new Error("bug")
                return undefined
              })
        )
        const fiber = yield* Effect.fork(Effect.provide(Effect.flip(reading), Logger.remove(Logger.defaultLogger)))
        yield* TestClock.adjust("1 minute")
        const error = yield* Fiber.join(fiber)
        const { code, interruptedBy, reason } = error
        assert.deepStrictEqual([code, interruptedBy], ["defect", "InvalidRequest"])
        assert.strictEqual(reason, "StreamInterrupted")
        assert.lengthOf(test.used(), restarts + 1)
        assert.strictEqual(test.inFlight(), 0)
      }
    })
  )
  it.effect("a restart that dies too, sooner or later than the first stream, is restarted", () =>
    Effect.gen(function* () {
      const plays = [
        dying("one", ["ab", "cd"]),
        dying("two", ["abc"]),
        dying("three", ["abcde"]),
        whole("4", ["abcdef"])
      ]
      const test = setup((_, nth) => plays[nth] ?? cut, { deployments: [...three, { id: "d4" }] })
      const { isWhole, text } = yield* read(test.service)
      assert.isTrue(isWhole)
      assert.strictEqual(text, "abcdef")
      assert.deepStrictEqual(test.used(), ["d1", "d2", "d3", "d4"])
    })
  )
  it.effect("restarts keep to the budget of attempts", () =>
    Effect.gen(function* () {
      const test = setup(() => dying("one", ["a"]), { budget: 2 })
      const { error, text } = yield* read(test.service)
      assert.strictEqual(text, "a")
      assert.strictEqual(error?.reason, "StreamInterrupted")
      assert.strictEqual(test.attempts.length, 2)
    })
  )
  it.effect("without another deployment the interruption surfaces, not the failed restart", () =>
    Effect.gen(function* () {
      const alone = setup(() => dying("one", ["a"]), { deployments: [{ id: "d1" }] })
      assert.strictEqual((yield* read(alone.service)).error?.reason, "StreamInterrupted")
      assert.strictEqual(alone.attempts.length, 1)
      const refused = setup((_, nth) =>
        nth === 0 ? dying("one", ["a"]) : { reason: "Authentication", description: "no", status: 401 }
      )
      assert.strictEqual((yield* read(refused.service)).error?.reason, "StreamInterrupted")
    })
  )
  it.effect("a restart goes through fallbacks, and targets that failed before stay out", () =>
    Effect.gen(function* () {
      const test = setup(
        ({ deployment }) =>
          deployment === "m1"
            ? dying("one", ["a"])
            : deployment === "x1"
              ? { reason: "Unavailable", description: "down" }
              : whole("two", ["a", "b"]),
        {
          deployments: [{ id: "m1" }, { id: "x1", group: "x" }, { id: "y1", group: "y" }],
          fallback: { chains: { general: { m: ["x", "y"] } } }
        }
      )
      assert.strictEqual((yield* read(test.service)).text, "ab")
      assert.deepStrictEqual(test.used(), ["m1", "x1", "y1"])
    })
  )
  it.effect("a target that was answering may answer again from another deployment, those before it may not", () =>
    Effect.gen(function* () {
      const down: LlmErrorFields = { reason: "Unavailable", description: "down" }
      const test = setup(
        ({ deployment }) =>
          deployment === "y1" ? dying("one", ["a"]) : deployment === "y2" ? whole("two", ["a", "b"]) : down,
        {
          deployments: [{ id: "m1" }, { id: "x1", group: "x" }, { id: "y1", group: "y" }, { id: "y2", group: "y" }],
          fallback: { chains: { general: { m: ["x", "y"] } } }
        }
      )
      assert.strictEqual((yield* read(test.service)).text, "ab")
      assert.deepStrictEqual(test.used(), ["m1", "x1", "y1", "m1", "y2"])
    })
  )
  it.effect("several choices, log probabilities and tool calls cannot be spliced: nothing is asked again", () =>
    Effect.gen(function* () {
      const call = event("one", { delta: { tool_calls: [{ index: 0, function: { name: "f", arguments: "{" } }] } })
      const cases: ReadonlyArray<readonly [object, ReadonlyArray<JsonObject>]> = [
        [{ n: 2 }, [says("one", "a")]],
        [{ logprobs: true }, [says("one", "a")]],
        [{}, [event("one", { delta: { content: "a" }, logprobs: { content: [] } })]],
        [{}, [event("one", { index: 1, delta: { content: "a" } })]],
        [{}, [says("one", "a"), call]],
        [{}, [call]]
      ]
      for (const [body, events] of cases) {
        const test = setup((_, nth) => (nth === 0 ? { events, end: cut } : whole("two", ["a", "b"])))
        const { error } = yield* read(test.service, chat(body))
        assert.strictEqual(error?.reason, "StreamInterrupted", JSON.stringify(body))
        assert.strictEqual(test.attempts.length, 1)
      }
    })
  )
  it.effect("tool calls of a second stream, where the first one had text, are a difference", () =>
    Effect.gen(function* () {
      const call = event("two", { delta: { tool_calls: [{ index: 0, function: { name: "f" } }] } })
      const test = setup((_, nth) => (nth === 0 ? dying("one", ["ab"]) : { events: [says("two", "a"), call] }))
      assert.strictEqual((yield* read(test.service)).error?.reason, "StreamInterrupted")
      assert.deepStrictEqual(test.aborted, ["d2"])
    })
  )
  it.effect("tool calls after the seam go on", () =>
    Effect.gen(function* () {
      const call = event("two", { delta: { tool_calls: [{ index: 0, function: { name: "f" } }] } })
      const test = setup((_, nth) =>
        nth === 0 ? dying("one", ["ab"]) : { events: [says("two", "abc"), call, finish("two")], end: "clean" }
      )
      const { events, isWhole, text } = yield* read(test.service)
      assert.isTrue(isWhole)
      assert.strictEqual(text, "abc")
      assert.include(JSON.stringify(events), "tool_calls")
    })
  )
  it.effect("after reasoning alone a restart is always allowed, and does not reason aloud again", () =>
    Effect.gen(function* () {
      const test = setup((_, nth) =>
        nth === 0
          ? { events: [role("one"), thinks("one", "hm")], end: cut }
          : {
              events: [
                role("two"),
                thinks("two", "ah"),
                event("two", { delta: { reasoning_content: "so", content: "a" } }),
                finish("two")
              ],
              end: "clean"
            }
      )
      const { events, isWhole, text } = yield* read(test.service, chat({ n: 2, logprobs: true }))
      assert.isTrue(isWhole)
      assert.strictEqual(text, "a")
      assert.deepStrictEqual(
        events.flatMap((item) => (item.json.choices as ReadonlyArray<{ readonly delta: JsonObject }>)[0]?.delta ?? []),
        [{ role: "assistant", content: "" }, { reasoning_content: "hm" }, { content: "a" }, {}]
      )
    })
  )
  it.effect("after reasoning alone a lone deployment is asked again, three times at most", () =>
    Effect.gen(function* () {
      const dies = { events: [role("one"), thinks("one", "hm")], end: cut }
      const alone = [{ id: "d1" }]
      const twice = setup((_, nth) => (nth < 2 ? dies : whole("two", ["a"])), { deployments: alone })
      assert.strictEqual((yield* read(twice.service)).text, "a")
      const always = setup(() => dies, { deployments: alone })
      assert.strictEqual((yield* read(always.service)).error?.reason, "StreamInterrupted")
      assert.strictEqual(always.attempts.length, 3)
      const silent: LlmErrorFields = { reason: "Timeout", description: "", phase: "idle", bound: "deployment" }
      const silence = setup(() => ({ ...dies, end: silent }), { deployments: alone })
      yield* read(silence.service)
      assert.strictEqual(silence.attempts.length, 1)
    })
  )
  it.effect("at most 1 MiB is held: a longer answer cannot be spliced", () =>
    Effect.gen(function* () {
      const half = "x".repeat(262_144)
      const fits = setup((_, nth) => (nth === 0 ? dying("one", [half, half]) : whole("two", [half, half, "y"])))
      assert.isTrue((yield* read(fits.service)).isWhole)
      const long = setup((_, nth) => (nth === 0 ? dying("one", [half, half, "y"]) : whole("two", [half, half, "yz"])))
      assert.strictEqual((yield* read(long.service)).error?.reason, "StreamInterrupted")
      assert.strictEqual(long.attempts.length, 1)
    })
  )
  it.effect("a whole answer to the restart is as good as a stream", () =>
    Effect.gen(function* () {
      const test = setup((_, nth) =>
        nth === 0
          ? dying("one", ["a"])
          : { id: "two", choices: [{ index: 0, message: { role: "assistant", content: "ab" }, finish_reason: "stop" }] }
      )
      const { isWhole, text } = yield* read(test.service)
      assert.isTrue(isWhole)
      assert.strictEqual(text, "ab")
    })
  )
  it.effect("legacy completions are spliced by their text", () =>
    Effect.gen(function* () {
      const piece = (text: string) => ({ id: "x", choices: [{ index: 0, text, finish_reason: null }] })
      const last = { id: "x", choices: [{ index: 0, text: "", finish_reason: "stop" }] }
      const test = setup((_, nth) =>
        nth === 0 ? { events: [piece("a"), piece("b")], end: cut } : { events: [piece("abc"), last], end: "clean" }
      )
      const { isWhole, text } = yield* read(
        test.service,
        LlmRequest.completion({ model: "m", prompt: "Hi", stream: true })
      )
      assert.isTrue(isWhole)
      assert.strictEqual(text, "abc")
    })
  )
  it.effect(
    "no restart after the deadline, after the caller's own bound, or where another would answer no better",
    () =>
      Effect.gen(function* () {
        const cases: ReadonlyArray<readonly [Setup, LlmErrorFields]> = [
          [{ deadline: 2 }, cut],
          [{}, { reason: "Timeout", description: "late", bound: "caller" }],
          [{}, { reason: "ContentPolicyViolation", description: "refused" }]
        ]
        for (const [options, end] of cases) {
          const test = setup((_, nth) => (nth === 0 ? dying("one", ["a"], end) : whole("two", ["ab"])), options)
          assert.strictEqual((yield* read(test.service)).error?.reason, "StreamInterrupted")
          assert.strictEqual(test.attempts.length, 1, end.reason)
        }
      })
  )
  it.effect("the report has all attempts and sums their usage", () =>
    Effect.gen(function* () {
      const test = setup((_, nth) =>
        nth === 0 ? { events: [says("one", "a"), used("one", 7)], end: cut } : whole("two", ["a", "b"])
      )
      yield* read(test.service)
      const report = test.attempts[0]?.request.route.journal.report()
      assert.strictEqual(report?.usage?.outputTokens, 9)
      assert.strictEqual(report?.usage?.inputTokens, 20)
      assert.strictEqual(report?.deployment, "d2")
      assert.deepStrictEqual(
        report?.attempts.map((attempt) => attempt.outcome),
        ["failed", "completed"]
      )
    })
  )
  it.effect("a stream that lives passes untouched: the same events, no second call", () =>
    Effect.gen(function* () {
      const play = whole("one", ["a", "b"])
      const test = setup(() => play)
      const { events } = yield* read(test.service)
      assert.strictEqual(events.length, play.events.length)
      for (const [index, item] of events.entries()) assert.strictEqual(item.json, play.events[index])
      assert.strictEqual(test.attempts.length, 1)
    })
  )
})

describe("the life of a recovered stream", () => {
  const leaving = (service: Service.RequestService, after: number) =>
    Effect.gen(function* () {
      const fiber = yield* Effect.fork(Stream.runDrain(LlmService.stream(service, chat())))
      yield* TestClock.adjust(after)
      yield* Fiber.interrupt(fiber)
    })
  it.effect("it settles once: completed with the time to the first content that the caller saw", () =>
    Effect.gen(function* () {
      const test = setup((_, nth) => (nth === 0 ? dying("one", ["a", "b"]) : whole("two", ["abc"])))
      yield* read(test.service)
      assert.strictEqual(test.settled.length, 1)
      const outcome = test.settled[0]
      if (outcome?._tag !== "Completed") return assert.fail(outcome?._tag)
      assert.strictEqual(outcome.timeToFirstToken, 1)
      assert.strictEqual(outcome.duration, 7)
    })
  )
  it.effect("it settles once as failed when it could not be made good", () =>
    Effect.gen(function* () {
      const test = setup(() => dying("one", ["a"]), { deployments: [{ id: "d1" }] })
      yield* read(test.service)
      assert.deepStrictEqual(
        test.settled.map((outcome) => outcome._tag),
        ["Failed"]
      )
    })
  )
  it.effect("a caller who leaves settles it as abandoned and aborts the stream of the moment", () =>
    Effect.gen(function* () {
      const hanging = (id: string): Play => ({ events: [says(id, "a"), says(id, "b")] })
      const first = setup(() => hanging("one"))
      yield* leaving(first.service, 10)
      assert.deepStrictEqual(first.aborted, ["d1"])
      const second = setup((_, nth) => (nth === 0 ? dying("one", ["a"]) : hanging("two")))
      yield* leaving(second.service, 10)
      assert.deepStrictEqual(second.aborted, ["d2"])
      for (const test of [first, second]) {
        assert.deepStrictEqual(
          test.settled.map((outcome) => outcome._tag),
          ["Abandoned"]
        )
        assert.strictEqual(test.inFlight(), 0)
        assert.strictEqual(test.playing(), 0)
      }
    })
  )
  it.effect("a caller who leaves during a restart interrupts it", () =>
    Effect.gen(function* () {
      const test = setup((_, nth) => (nth === 0 ? dying("one", ["a"]) : { events: [] }))
      yield* leaving(test.service, 10)
      assert.deepStrictEqual(test.used(), ["d1", "d2"])
      assert.deepStrictEqual(test.aborted, ["d2"])
      assert.strictEqual(test.inFlight(), 0)
      assert.deepStrictEqual(
        test.settled.map((outcome) => outcome._tag),
        ["Abandoned"]
      )
    })
  )
  it.effect("closing it from another fiber ends a restart and the reader", () =>
    Effect.gen(function* () {
      const test = setup((_, nth) => (nth === 0 ? dying("one", ["a"]) : { events: [] }))
      const response = yield* test.service.call(LlmRequest.begin(chat(), 0)).pipe(Effect.fork)
      yield* TestClock.adjust(1)
      const streaming = yield* Fiber.join(response)
      if (streaming._tag !== "Streaming") return assert.fail("no stream")
      const { events } = streaming
      const reader = yield* Effect.fork(Effect.flip(Effect.forever(events.pull)))
      yield* TestClock.adjust(10)
      assert.deepStrictEqual(test.used(), ["d1", "d2"])
      events.close()
      events.close()
      assert.strictEqual((yield* Fiber.join(reader)).code, "closed")
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(test.aborted, ["d2"])
      assert.strictEqual(test.inFlight(), 0)
      assert.deepStrictEqual(
        test.settled.map((outcome) => outcome._tag),
        ["Abandoned"]
      )
    })
  )
  it.effect("a restart that answers after the caller has left is closed", () =>
    Effect.gen(function* () {
      const up = upstream(
        (_, nth) => (nth === 0 ? dying("one", ["a"]) : { events: [says("two", "ab")] }),
        Effect.sleep(1)
      )
      const slow = Service.attempt((attempt) =>
        up.attempts.length === 0
          ? up.service.call(attempt)
          : Effect.uninterruptible(Effect.zipRight(Effect.sleep(10), up.service.call(attempt)))
      )
      const registry = yield* DeploymentRegistry.make({
        deployments: three.map((entry) => ({ ...entry, group: "m", model: "m" }))
      })
      const service = Service.request((request) => {
        const { journal } = request.route
        const made = StubLlm.attempt(request, registry.slots()[journal.entries.length] ?? StubLlm.slot("x"))
        return Service.onSettled(slow.call(made), (outcome) => made.settle(outcome, 0))
      }).pipe(Recovery.make({ registry }))
      const response = yield* service.call(LlmRequest.begin(chat(), 0))
      if (response._tag !== "Streaming") return assert.fail("no stream")
      const reader = yield* Effect.fork(Effect.flip(Effect.forever(response.events.pull)))
      yield* TestClock.adjust(5)
      response.events.close()
      yield* TestClock.adjust(20)
      assert.strictEqual((yield* Fiber.join(reader)).code, "closed")
      assert.deepStrictEqual(up.aborted, ["d2"])
      assert.strictEqual(up.playing(), 0)
    })
  )
  it.effect("closing the response of an interrupted stream that nobody reads settles it", () =>
    Effect.gen(function* () {
      const test = setup(() => dying("one", ["a"]))
      const fiber = yield* Effect.fork(
        Effect.scoped(Effect.zipRight(LlmService.open(test.service, chat()), Effect.sleep(50)))
      )
      yield* TestClock.adjust(60)
      yield* Fiber.join(fiber)
      assert.deepStrictEqual(
        test.settled.map((outcome) => outcome._tag),
        ["Abandoned"]
      )
      assert.strictEqual(test.attempts.length, 1)
    })
  )
  it.effect("a pull that is interrupted loses nothing: the next one goes on", () =>
    Effect.gen(function* () {
      const test = setup((_, nth) => (nth === 0 ? dying("one", ["a", "b"]) : whole("two", ["a", "b", "c"])))
      const fiber = yield* Effect.fork(
        Effect.scoped(
          Effect.gen(function* () {
            const response = yield* LlmService.open(test.service, chat())
            if (response._tag !== "Streaming") return assert.fail("no stream")
            let text = ""
            for (;;) {
              const batch = yield* Effect.timeoutOption(response.events.pull, 0.5)
              if (Option.isNone(batch)) continue
              if (batch.value.length === 0) return text
              for (const item of batch.value) text += ChatChunk.text(item.json)
            }
          })
        )
      )
      for (let i = 0; i < 100; i++) yield* TestClock.adjust(0.25)
      assert.strictEqual(yield* Fiber.join(fiber), "abc")
    })
  )
  it.effect("a reader who stops stops the upstream: nothing is read ahead", () =>
    Effect.gen(function* () {
      const many = Array.from({ length: 200 }, (_, i) => says("one", `${i} `))
      const test = setup(() => ({ events: [...many, finish("one")], end: "clean" }))
      const fiber = yield* Effect.fork(
        Effect.scoped(
          Effect.gen(function* () {
            const response = yield* LlmService.open(test.service, chat())
            if (response._tag !== "Streaming") return assert.fail("no stream")
            yield* Effect.sleep(100)
            assert.deepStrictEqual(test.flow, ["pause"])
            yield* response.events.pull
            assert.deepStrictEqual(test.flow, ["pause", "resume"])
          })
        )
      )
      yield* TestClock.adjust(100)
      yield* Fiber.join(fiber)
    })
  )
  it.effect("plain requests, and streams that were whole at once, are not touched", () =>
    Effect.gen(function* () {
      const stub = StubLlm.make()
      const registry = yield* DeploymentRegistry.make({ deployments: [{ id: "d", group: "m", model: "m" }] })
      const service = stub.requests.pipe(Recovery.make({ registry }))
      const plain = yield* LlmService.complete(service, chat())
      assert.strictEqual(ChatChunk.completionText(plain.body), "ok")
      assert.strictEqual((yield* Stream.runCollect(LlmService.stream(service, chat()))).length, 4)
    })
  )
})

describe("prefill", () => {
  const able = [{ id: "d1" }, { id: "d2" }, { id: "d3", capabilities: ["prefill"] }]
  it.effect("the delivered text is continued by a deployment that declares it", () =>
    Effect.gen(function* () {
      const test = setup((_, nth) => (nth === 0 ? dying("one", ["Once ", "upon"]) : whole("two", [" a", " time"])), {
        policy: "prefill",
        deployments: able
      })
      const request = chat()
      const { events, isWhole, text } = yield* read(test.service, request)
      assert.isTrue(isWhole)
      assert.strictEqual(text, "Once upon a time")
      assert.deepStrictEqual(test.used(), ["d1", "d3"])
      assert.deepStrictEqual(test.attempts[1]?.request.body, {
        ...request.body,
        messages: [
          { role: "user", content: "Hi" },
          { role: "assistant", content: "Once upon", prefix: true }
        ]
      })
      assert.isTrue(events.every((item) => item.json.id === "one"))
    })
  )
  it.effect("a refused prefill, one that dies, and no able deployment at all: spliced in its place", () =>
    Effect.gen(function* () {
      const refusal: LlmErrorFields = { reason: "InvalidRequest", description: "no prefix" }
      const isPrefill = (body: { readonly messages?: unknown }) => JSON.stringify(body).includes('"prefix":true')
      const cases: ReadonlyArray<readonly [string, Setup["deployments"], LlmErrorFields, ReadonlyArray<string>]> = [
        ["refused", able, refusal, ["d1", "d3", "d2"]],
        ["refused by the last one left", [able[0], able[2]].flatMap((one) => one ?? []), refusal, ["d1", "d3", "d3"]],
        ["down", able, { reason: "Unavailable", description: "down" }, ["d1", "d3", "d2"]],
        ["nobody is able", three, refusal, ["d1", "d2"]]
      ]
      for (const [name, deployments, failure, used] of cases) {
        const test = setup(
          ({ request }, nth) =>
            nth === 0 ? dying("one", ["a"]) : isPrefill(request.body) ? failure : whole("two", ["a", "b"]),
          { policy: "prefill", deployments: deployments ?? three }
        )
        const { isWhole, text } = yield* read(test.service)
        assert.strictEqual(text, "ab", name)
        assert.isTrue(isWhole, name)
        assert.deepStrictEqual(test.used(), used, name)
      }
    })
  )
  it.effect("a splice after a prefill that led nowhere may still go to every fallback", () =>
    Effect.gen(function* () {
      const test = setup(({ deployment }) => (deployment === "m1" ? dying("one", ["a"]) : whole("two", ["a", "b"])), {
        policy: "prefill",
        deployments: [
          { id: "m1" },
          { id: "x1", group: "x" },
          { id: "y1", group: "y" },
          { id: "z1", group: "z", capabilities: ["prefill"] }
        ],
        fallback: { chains: { general: { m: ["x", "y"] } } }
      })
      assert.strictEqual((yield* read(test.service)).text, "ab")
      assert.deepStrictEqual(test.used(), ["m1", "x1"])
    })
  )
  it.effect("a refused prefill never becomes the caller's error, and no able deployment is no error of its own", () =>
    Effect.gen(function* () {
      const refused = setup(
        (_, nth) => (nth === 0 ? dying("one", ["a"]) : { reason: "InvalidRequest", description: "no prefix" }),
        { policy: "prefill", deployments: able }
      )
      const { error } = yield* read(refused.service)
      assert.strictEqual(error?.reason, "StreamInterrupted")
      assert.deepStrictEqual(
        error?.attempts?.map((attempt) => attempt.reason),
        ["StreamInterrupted", "InvalidRequest", "InvalidRequest"]
      )
      const unable = setup(() => dying("one", ["a"]), { policy: "prefill" })
      assert.strictEqual((yield* read(unable.service)).error?.reason, "StreamInterrupted")
    })
  )
  it.effect("a second interruption continues all of the text, from the caller's own messages", () =>
    Effect.gen(function* () {
      const plays = [dying("one", ["a"]), dying("two", ["b"]), whole("three", ["c"])]
      const capabilities = ["prefill"]
      const test = setup((_, nth) => plays[nth] ?? cut, {
        policy: "prefill",
        deployments: three.map((entry) => ({ ...entry, capabilities }))
      })
      assert.strictEqual((yield* read(test.service)).text, "abc")
      assert.deepStrictEqual(test.attempts[2]?.request.body.messages, [
        { role: "user", content: "Hi" },
        { role: "assistant", content: "ab", prefix: true }
      ])
    })
  )
  it.effect("after reasoning alone the answer simply begins again, anywhere", () =>
    Effect.gen(function* () {
      const test = setup((_, nth) => (nth === 0 ? { events: [thinks("one", "hm")], end: cut } : whole("two", ["a"])), {
        policy: "prefill",
        deployments: able
      })
      const request = chat()
      assert.strictEqual((yield* read(test.service, request)).text, "a")
      assert.deepStrictEqual(test.used(), ["d1", "d2"])
      assert.deepStrictEqual(bodies(test.attempts), [request.body, request.body])
    })
  )
})

describe("error", () => {
  it.effect("the caller gets what was delivered and then the error", () =>
    Effect.gen(function* () {
      const test = setup(() => dying("one", ["a"]), { policy: "error" })
      const { error, text } = yield* read(test.service)
      assert.strictEqual(text, "a")
      assert.strictEqual(error?.reason, "StreamInterrupted")
      assert.strictEqual(test.attempts.length, 1)
    })
  )
})

describe("random interruptions", () => {
  const letters = fc.string({ unit: fc.constantFrom("a", "b", "é", "😀"), maxLength: 12 })
  const plays = fc.record({
    /** Which text: mostly the same one, as a deterministic model gives. */
    other: fc.option(letters, { nil: undefined, freq: 4 }),
    cuts: fc.array(fc.nat({ max: 12 }), { maxLength: 4 }),
    dies: fc.option(fc.nat({ max: 24 }), { nil: undefined, freq: 3 }),
    reasons: fc.boolean(),
    isInstant: fc.boolean()
  })
  const samples = fc.record({
    text: letters,
    plays: fc.array(plays, { minLength: 1, maxLength: 5 }),
    policy: fc.constantFrom("splice" as const, "holdback" as const, "buffer" as const, "error" as const),
    forwards: fc.boolean()
  })

  const pieces = (text: string, cuts: ReadonlyArray<number>): ReadonlyArray<string> => {
    const at = [...new Set([0, ...cuts.filter((cutAt) => cutAt < text.length), text.length])].sort((a, b) => a - b)
    return at.slice(1).map((end, index) => text.slice(at[index], end))
  }

  it.effect("the text is a whole answer or ends with an error, nothing is repeated or skipped", () =>
    Effect.forEach(
      fc.sample(samples, { numRuns: cases(2000), seed: 20260401 }),
      (sample) =>
        Effect.gen(function* () {
          const texts: Array<string> = []
          const test = setup(
            (_, nth): Play => {
              const play = sample.plays[nth]
              if (play === undefined) {
                texts.push("a")
                return dying("last", ["a"])
              }
              const text = play.other ?? sample.text
              texts.push(text)
              const before = [role(`${nth}`), ...(play.reasons ? [thinks(`${nth}`, "hm")] : [])]
              const all = [
                ...before,
                ...pieces(text, play.cuts).map((piece) => says(`${nth}`, piece)),
                finish(`${nth}`)
              ]
              const { dies, isInstant } = play
              return dies === undefined || dies >= all.length
                ? { events: all, end: "clean", isInstant }
                : { events: all.slice(0, dies), end: cut, isInstant }
            },
            {
              policy: sample.policy,
              deployments: sample.plays.map((__, i) => ({ id: `d${i}` })),
              pace: Effect.yieldNow()
            }
          )
          const { error, isWhole, text } = yield* pull(test.service, sample.forwards)
          const message = JSON.stringify(sample)
          if (isWhole) assert.isTrue(texts.includes(text), message)
          else {
            assert.isDefined(error, message)
            assert.isTrue(texts.some((candidate) => candidate.startsWith(text)) || text === "", message)
          }
          const deterministic = sample.plays.every((play) => play.other === undefined)
          const last = sample.plays.find((play) => play.dies === undefined)
          if (deterministic && sample.policy === "splice" && last !== undefined && test.attempts.length > 1) {
            assert.strictEqual(text, sample.text, message)
            assert.isTrue(isWhole, message)
          }
          const settled = test.settled.map((outcome) => outcome._tag)
          assert.deepStrictEqual(settled, [isWhole ? "Completed" : "Failed"], message)
          assert.strictEqual(test.inFlight(), 0, message)
          assert.strictEqual(test.playing(), 0, message)
          // After reasoning alone the same one may be asked again.
          const repeats = sample.plays.some((play) => play.reasons) ? 2 : 0
          assert.isAtMost(test.attempts.length - new Set(test.used()).size, repeats, message)
        }),
      { discard: true }
    )
  )
  it("the comparison of texts equals the comparison of their joined text, however they are cut", () => {
    fc.assert(
      fc.property(letters, letters, fc.boolean(), fc.array(fc.nat({ max: 12 })), (known, other, same, cuts) => {
        const repeated = same ? known + other : other
        const splice = new Splice(known)
        let fresh = ""
        let isSame = true
        for (const piece of pieces(repeated, cuts)) {
          const rest = splice.take(piece)
          if (rest === undefined) {
            isSame = false
            break
          }
          fresh += rest
        }
        assert.strictEqual(isSame, repeated.startsWith(known) || known.startsWith(repeated))
        if (isSame) {
          assert.strictEqual(fresh, repeated.slice(known.length))
          assert.strictEqual(splice.isDone, repeated.length >= known.length)
        }
      }),
      { numRuns: cases(5000), seed: 20260402 }
    )
  })
})

describe("the layer", () => {
  it.effect("an unknown policy fails to build", () =>
    Effect.gen(function* () {
      const options = { policy: "hope" } as unknown as Recovery.Options
      const error = yield* Effect.flip(
        Effect.scoped(
          Layer.build(
            Recovery.layerWith(options).pipe(
              Layer.provide(Layer.succeed(LlmService.LlmService, StubLlm.make().requests)),
              Layer.provide(DeploymentRegistry.layer({ deployments: [{ id: "d", group: "m", model: "m" }] }))
            )
          )
        )
      )
      assert.deepStrictEqual(
        error.issues.map((found) => [found.path, found.expected]),
        [["recovery.policy", "splice, prefill or error"]]
      )
    })
  )
})
