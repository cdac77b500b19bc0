import { assert, describe, it } from "@effect/vitest"
import * as ChatChunk from "@switchyard/core/ChatChunk"
import type { LlmErrorFields } from "@switchyard/core/LlmError"
import * as LlmRequest from "@switchyard/core/LlmRequest"
import * as LlmService from "@switchyard/core/LlmService"
import * as Holdback from "@switchyard/router/Holdback"
import * as Contract from "@switchyard/testing/Contract"
import * as StubLlm from "@switchyard/testing/StubLlm"
import { Effect, Fiber, Layer, Stream, TestClock } from "effect"
import { chat, cut, dying, event, finish, read, role, says, setup, thinks, used, whole } from "../support/streams.js"

for (const [name, layer] of [
  ["the beginning", Holdback.make({ characters: 1 })],
  ["all of it", Holdback.whole]
] as const) {
  for (const { check, name: rule } of Contract.requestLayer(Effect.succeed(layer))) {
    // A stream that is held back has no reader yet, and one that never ends is never whole; how it is left is tested below.
    const needsReader =
      /^(?:closes the inner stream|still answers when any number|leaves nothing running|ends with its scope)/
    if (!needsReader.test(rule) || (name === "the beginning" && !rule.startsWith("closes")))
      it.effect(`${name}: ${rule}`, () => check)
  }
}

const alone = [{ id: "d1" }]
const silent: LlmErrorFields = { reason: "Timeout", description: "", phase: "idle", bound: "deployment" }

/** Reads on the clock; what was seen when. */
const watched = (test: ReturnType<typeof setup>, request = chat()) =>
  Effect.map(
    Effect.fork(
      Effect.exit(
        Stream.runForEach(LlmService.stream(test.service, request), ({ json }) =>
          Effect.sync(() => test.seen.push(JSON.stringify(json)))
        )
      )
    ),
    (fiber) => ({ fiber, text: () => test.seen.map((one) => ChatChunk.text(JSON.parse(one))).join("") })
  )

describe("all of a stream (buffer)", () => {
  it.effect("nothing is delivered before the answer is whole, and every failure is repeated", () =>
    Effect.gen(function* () {
      const call = event("one", { delta: { tool_calls: [{ index: 0, function: { name: "f" } }] } })
      const test = setup(
        (_, nth) =>
          nth === 0 ? { events: [thinks("one", "hm"), says("one", "no"), call], end: cut } : whole("two", ["yes"]),
        { policy: "buffer", retry: {} }
      )
      const { fiber, text } = yield* watched(test, chat({ n: 2 }))
      yield* TestClock.adjust(6)
      assert.deepStrictEqual(test.seen, [])
      yield* TestClock.adjust(10)
      yield* Fiber.join(fiber)
      assert.deepStrictEqual(test.used(), ["d1", "d2"])
      assert.strictEqual(text(), "yes")
      assert.notInclude(JSON.stringify(test.seen), "hm")
    })
  )
  it.effect("a lone deployment is asked again after a backoff, as for a plain call", () =>
    Effect.gen(function* () {
      const at: Array<number> = []
      const test = setup(
        (_, nth) => {
          at.push(nth)
          return nth < 2 ? dying("one", [`wording ${nth}`]) : whole("two", ["another wording"])
        },
        { policy: "buffer", retry: {}, deployments: alone }
      )
      const { isWhole, text } = yield* read(test.service)
      assert.isTrue(isWhole)
      assert.strictEqual(text, "another wording")
      assert.strictEqual(test.attempts.length, 3)
      const [first, second, third] = test.attempts.map((attempt) => attempt.startedAt)
      assert.isAtLeast((second ?? 0) - (first ?? 0), 250)
      assert.isAtLeast((third ?? 0) - (second ?? 0), 500)
    })
  )
  it.effect("as many tries as a plain call has, then the fallback, then the error of the first", () =>
    Effect.gen(function* () {
      const options = { policy: "buffer", retry: { attempts: 2 } } as const
      const hops = setup(({ deployment }) => (deployment === "d1" ? dying("one", ["a"]) : whole("two", ["b"])), {
        ...options,
        deployments: [{ id: "d1" }, { id: "x1", group: "x" }],
        fallback: { chains: { general: { m: ["x"] } } }
      })
      assert.strictEqual((yield* read(hops.service)).text, "b")
      assert.deepStrictEqual(hops.used(), ["d1", "d1", "x1"])
      const none = setup(() => dying("one", ["a"]), { ...options, deployments: alone })
      const { error, events } = yield* read(none.service)
      assert.deepStrictEqual(events, [])
      assert.strictEqual(error?.reason, "Unavailable")
      assert.strictEqual(none.attempts.length, 2)
      const hung = setup(() => dying("one", ["a"], silent), { ...options, deployments: alone })
      assert.strictEqual((yield* read(hung.service)).error?.reason, "Timeout")
      assert.strictEqual(hung.attempts.length, 1, "a silent one is not asked again")
    })
  )
  it.effect("usage, skips and the outcome are those of the answer", () =>
    Effect.gen(function* () {
      const test = setup((_, nth) => (nth === 0 ? dying("one", ["a"]) : whole("two", ["b", "c"])), {
        policy: "buffer",
        retry: {}
      })
      yield* read(test.service)
      const outcome = test.settled[0]
      assert.strictEqual(test.settled.length, 1)
      assert.strictEqual(outcome?._tag === "Completed" ? outcome.usage.outputTokens : undefined, 2)
    })
  )
  it.effect("a caller who leaves while it buffers aborts the upstream", () =>
    Effect.gen(function* () {
      const test = setup(() => ({ events: [says("one", "a")] }), { policy: "buffer", retry: {} })
      const fiber = yield* Effect.fork(test.service.call(LlmRequest.begin(chat(), 0)))
      yield* TestClock.adjust(5)
      yield* Fiber.interrupt(fiber)
      assert.deepStrictEqual(test.aborted, ["d1"])
      assert.strictEqual(test.inFlight(), 0)
      assert.deepStrictEqual(
        test.settled.map((outcome) => outcome._tag),
        ["Abandoned"]
      )
    })
  )
  it.effect("more events than the queue holds are read on", () =>
    Effect.gen(function* () {
      const pieces = Array.from({ length: 300 }, (_, i) => `${i} `)
      const test = setup(() => whole("one", pieces), { policy: "buffer" })
      assert.strictEqual((yield* read(test.service)).text, pieces.join(""))
    })
  )
})

describe("the beginning of a stream", () => {
  const options = { policy: "holdback", retry: {} } as const
  const long = "x".repeat(159)
  const tool = (json: string) => event("one", { delta: { tool_calls: [{ index: 0, function: { arguments: json } }] } })

  it.effect("an early cut is repeated unseen, whatever the wording and whatever it held", () =>
    Effect.gen(function* () {
      for (const first of [dying("one", ["One ", "wording"]), { events: [tool(long)], end: cut }, dying("one", [])]) {
        for (const deployments of [alone, [{ id: "d1" }, { id: "d2" }]]) {
          const test = setup((_, nth) => (nth === 0 ? first : whole("two", ["Another"])), { ...options, deployments })
          const { events, isWhole, text } = yield* read(test.service)
          assert.isTrue(isWhole)
          assert.strictEqual(text, "Another")
          assert.isTrue(events.every(({ json }) => json.id === "two"))
          assert.strictEqual(test.attempts.length, 2)
        }
      }
    })
  )
  it.effect("160 characters of text or tool arguments release it, and after that a cut is spliced", () =>
    Effect.gen(function* () {
      for (const [pieces, isReleased] of [
        [[says("one", long)], false],
        [[says("one", long), says("one", "y")], true],
        [[tool(long)], false],
        [[tool(long), tool("y")], true]
      ] as const) {
        const test = setup(() => ({ events: [role("one"), ...pieces] }), options)
        const { fiber } = yield* watched(test)
        yield* TestClock.adjust(20)
        assert.strictEqual(test.seen.length, isReleased ? pieces.length + 1 : 0)
        yield* Fiber.interrupt(fiber)
        assert.strictEqual(test.inFlight(), 0)
      }
      const test = setup(
        ({ deployment }) => (deployment === "d1" ? dying("one", [long, "yz"]) : whole("two", [long, "yz!"])),
        options
      )
      const { isWhole, text } = yield* read(test.service)
      assert.isTrue(isWhole)
      assert.strictEqual(text, `${long}yz!`)
    })
  )
  it.effect("1,500 ms after the first text release it, also while the provider is silent", () =>
    Effect.gen(function* () {
      const test = setup(() => ({ events: [role("one"), says("one", "few words")] }), options)
      const { fiber, text } = yield* watched(test)
      yield* TestClock.adjust(1_500)
      assert.strictEqual(text(), "")
      yield* TestClock.adjust(2)
      assert.strictEqual(text(), "few words")
      yield* Fiber.interrupt(fiber)
      assert.deepStrictEqual(test.aborted, ["d1"])
    })
  )
  it.effect("the end releases it, at once", () =>
    Effect.gen(function* () {
      const test = setup(() => whole("one", ["short"]), options)
      const { fiber, text } = yield* watched(test)
      yield* TestClock.adjust(10)
      yield* Fiber.join(fiber)
      assert.strictEqual(text(), "short")
    })
  )
  it.effect(
    "reasoning passes at once; text that is cut after it is repeated unseen, without reasoning aloud again",
    () =>
      Effect.gen(function* () {
        for (const deployments of [alone, [{ id: "d1" }, { id: "d2" }]]) {
          const second = { events: [thinks("two", "ah"), says("two", "Another"), finish("two"), used("two", 2)] }
          const test = setup(
            (_, nth) =>
              nth === 0
                ? { events: [role("one"), thinks("one", "hm"), thinks("one", "so"), says("one", "One")], end: cut }
                : { ...second, end: "clean" },
            { ...options, deployments }
          )
          const { fiber, text } = yield* watched(test)
          yield* TestClock.adjust(3)
          assert.include(test.seen.join(""), "hm", "before any text is there")
          yield* TestClock.adjust("1 minute")
          yield* Fiber.join(fiber)
          assert.strictEqual(text(), "Another")
          assert.notInclude(test.seen.join(""), "ah")
          assert.strictEqual(test.attempts.length, 2)
        }
      })
  )
  it.effect("its bounds are options", () =>
    Effect.gen(function* () {
      const script = () => ({ events: [says("one", "abcd")] })
      const few = setup(script, { ...options, holdback: { characters: 4 } })
      const soon = setup(script, { ...options, holdback: { delay: "10 millis" } })
      for (const [test, after] of [
        [few, 3],
        [soon, 12]
      ] as const) {
        const { fiber, text } = yield* watched(test)
        yield* TestClock.adjust(after)
        assert.strictEqual(text(), "abcd")
        yield* Fiber.interrupt(fiber)
      }
    })
  )
  it.effect("closing a stream whose held words nobody read ends its reader with an error", () =>
    Effect.gen(function* () {
      const test = setup(() => whole("one", ["a", "b"]), options)
      const fiber = yield* Effect.fork(test.service.call(LlmRequest.begin(chat(), 0)))
      yield* TestClock.adjust(20)
      const response = yield* Fiber.join(fiber)
      if (response._tag === "Complete") return assert.fail("no stream")
      response.events.close()
      assert.strictEqual((yield* Effect.flip(response.events.pull)).code, "closed")
    })
  )
})

describe("the layer", () => {
  it.effect("wrong bounds fail to build", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(
        Effect.scoped(
          Layer.build(
            Holdback.layerWith({ characters: 0, delay: -1 }).pipe(
              Layer.provide(Layer.succeed(LlmService.LlmService, StubLlm.make().requests))
            )
          )
        )
      )
      assert.deepStrictEqual(
        error.issues.map(({ path }) => path),
        ["holdback.characters", "holdback.delay"]
      )
    })
  )
})
