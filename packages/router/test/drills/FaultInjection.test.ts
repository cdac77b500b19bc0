import { assert, describe, it } from "@effect/vitest"
import { completionText } from "@switchyard/core/ChatChunk"
import { Reason } from "@switchyard/core/LlmError"
import * as LlmRequest from "@switchyard/core/LlmRequest"
import * as LlmService from "@switchyard/core/LlmService"
import * as Cooldown from "@switchyard/router/Cooldown"
import * as CooldownState from "@switchyard/router/CooldownState"
import { DeploymentRegistry } from "@switchyard/router/DeploymentRegistry"
import * as FaultInjection from "@switchyard/router/FaultInjection"
import * as Router from "@switchyard/router/Router"
import * as Timeouts from "@switchyard/router/Timeouts"
import * as StubLlm from "@switchyard/testing/StubLlm"
import { Array as Arr, Context, Effect, Exit, Fiber, Stream, TestClock } from "effect"

const slot = StubLlm.slot("a", { model: "real-name", provider: "p" })

const setup = () => {
  const stub = StubLlm.make({ text: "real" })
  const service = FaultInjection.make()(stub.attempts)
  const send = (request: LlmRequest.LlmRequest, hops = 0) =>
    Effect.suspend(() => {
      for (let i = 0; i < hops; i++) request.route.journal.hop({ kind: "general", from: "m", to: "n" })
      return service.call(StubLlm.attempt(request, slot))
    })
  return { stub, service, send }
}

const chat = (fault: LlmRequest.Fault | undefined, body: object = {}, overrides: LlmRequest.RequestOverrides = {}) =>
  LlmRequest.chat(
    { model: "m", messages: [{ role: "user", content: "Hi there" }], ...body },
    { overrides: { ...overrides, ...(fault === undefined ? {} : { fault }) } }
  )

const bodyOf = (call: ReturnType<ReturnType<typeof setup>["send"]>) =>
  Effect.map(call, (response) => (response._tag === "Complete" ? response : assert.fail("a stream")))

const chunksOf = (request: LlmRequest.LlmRequest) =>
  Effect.suspend(() => {
    const { send, stub } = setup()
    return Effect.flatMap(send(request), (response) => {
      if (response._tag !== "Streaming") return assert.fail("no stream")
      const { events } = response
      const go = (all: ReadonlyArray<object>): Effect.Effect<ReadonlyArray<object>, unknown> =>
        Effect.flatMap(events.pull, (batch) =>
          batch.length === 0 ? Effect.succeed(all) : go([...all, ...batch.map(({ json }) => json)])
        )
      return Effect.map(go([]), (chunks) => {
        assert.strictEqual(stub.calls.length, 0)
        assert.strictEqual(events.settlement.outcome?._tag, "Completed")
        return { chunks, usage: events.facts.usage }
      })
    })
  })

describe("a canned answer", () => {
  it.effect("to a chat is whole, in the deployment's name, and nobody is called", () =>
    Effect.gen(function* () {
      const { send, stub } = setup()
      yield* TestClock.adjust("1 day")
      const response = yield* bodyOf(send(chat({ answer: "drill" }, { n: 2 })))
      assert.strictEqual(stub.calls.length, 0)
      const choice = (index: number) => ({
        index,
        message: { role: "assistant", content: "drill", refusal: null },
        logprobs: null,
        finish_reason: "stop"
      })
      assert.deepStrictEqual(response.body, {
        id: "fault-injection-1",
        created: 86_400,
        object: "chat.completion",
        model: "real-name",
        choices: [choice(0), choice(1)],
        usage: { prompt_tokens: 3, completion_tokens: 4, total_tokens: 7 }
      })
      assert.deepStrictEqual(JSON.parse(response.raw), response.body)
      assert.strictEqual(response.outcome.usage.outputTokens, 4)
      assert.strictEqual((yield* bodyOf(send(chat({ answer: "" })))).body.id, "fault-injection-2")
    })
  )
  it.effect("to a legacy completion answers each prompt", () =>
    Effect.gen(function* () {
      const request = LlmRequest.completion(
        { model: "m", prompt: ["one", "two"] },
        { overrides: { fault: { answer: "drill" } } }
      )
      const { body } = yield* bodyOf(setup().send(request))
      assert.strictEqual(body.object, "text_completion")
      assert.strictEqual(completionText(body), "drill")
      assert.strictEqual(Array.isArray(body.choices) ? body.choices.length : 0, 2)
    })
  )
  it.effect("to embeddings has one vector for each input, in the form that was asked for", () =>
    Effect.gen(function* () {
      const embed = (input: unknown, more: object = {}) =>
        Effect.map(
          bodyOf(
            setup().send(
              LlmRequest.embeddings({ model: "m", input, ...more }, { overrides: { fault: { answer: "x" } } })
            )
          ),
          ({ body }) =>
            body as { readonly data: ReadonlyArray<{ readonly index: number; readonly embedding: unknown }> }
        )
      const plain = yield* embed(["a", "b"], { dimensions: 3 })
      assert.deepStrictEqual(plain.data, [
        { object: "embedding", index: 0, embedding: [1, 0, 0] },
        { object: "embedding", index: 1, embedding: [1, 0, 0] }
      ] as ReadonlyArray<object>)
      assert.strictEqual((yield* embed([1, 2, 3])).data.length, 1)
      assert.strictEqual((yield* embed([[1], [2, 3]])).data.length, 2)
      const encoded = (yield* embed("a", { encoding_format: "base64", dimensions: 2 })).data[0]?.embedding
      const bytes = Buffer.from(String(encoded), "base64")
      assert.deepStrictEqual([bytes.length, bytes.readFloatLE(0), bytes.readFloatLE(4)], [8, 1, 0])
    })
  )
  it.effect("to a stream comes word by word, with a finish and its usage", () =>
    Effect.gen(function* () {
      const { chunks, usage } = yield* chunksOf(chat({ answer: "two words" }, { stream: true }))
      const deltas = chunks.map((chunk) => {
        const [choice] = (chunk as { readonly choices: ReadonlyArray<{ delta: object; finish_reason: unknown }> })
          .choices
        return choice === undefined ? "usage" : [choice.delta, choice.finish_reason]
      })
      assert.deepStrictEqual(deltas, [
        [{ role: "assistant", content: "" }, null],
        [{ content: "two " }, null],
        [{ content: "words" }, null],
        [{}, "stop"],
        "usage"
      ])
      assert.deepInclude(usage, { inputTokens: 3, outputTokens: 3, estimated: false })
    })
  )
  it.effect("of many words, of many choices and of none are whole streams too, chat and legacy", () =>
    Effect.gen(function* () {
      const long = Array.from({ length: 500 }, (_, i) => `w${i}`).join(" ")
      for (const answer of [long, "", " "]) {
        yield* chunksOf(chat({ answer }, { stream: true, n: 3 }))
        const legacy = LlmRequest.completion(
          { model: "m", prompt: "p", stream: true },
          { overrides: { fault: { answer } } }
        )
        const { chunks } = yield* chunksOf(legacy)
        const texts = chunks.flatMap((chunk) => (chunk as { choices: ReadonlyArray<{ text: string }> }).choices)
        assert.strictEqual(texts.map(({ text }) => text).join(""), answer)
      }
    })
  )
  it.effect("comes also after a fallback: such a request reaches no provider", () =>
    Effect.gen(function* () {
      const { send, stub } = setup()
      const { body } = yield* bodyOf(send(chat({ answer: "drill", fail: "Unavailable" }), 1))
      assert.strictEqual(completionText(body), "drill")
      assert.strictEqual(stub.calls.length, 0)
    })
  )
})

describe("a failure", () => {
  it.effect("has the reason that was asked for, in the deployment's name, and nobody is called", () =>
    Effect.gen(function* () {
      for (const reason of Reason.literals) {
        const { send, stub } = setup()
        const error = yield* Effect.flip(send(chat({ fail: reason })))
        assert.deepInclude(error.data, { reason, deployment: "a", provider: "p", code: "fault_injection" })
        assert.strictEqual(stub.calls.length, 0)
      }
    })
  )
  it.effect("of a rate limit comes with 429 and a time to wait", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(setup().send(chat({ fail: "RateLimited" })))
      assert.deepStrictEqual([error.status, error.retryAfter], [429, 1_000])
    })
  )
  it.effect("holds in the group that the caller asked for; `everywhere`, in its fallbacks too", () =>
    Effect.gen(function* () {
      const { send, stub } = setup()
      assert.strictEqual(completionText((yield* bodyOf(send(chat({ fail: "Unavailable" }), 1))).body), "real")
      assert.strictEqual(stub.calls.length, 1)
      const everywhere = chat({ fail: "Unavailable", everywhere: true })
      assert.strictEqual((yield* Effect.flip(send(everywhere, 1))).reason, "Unavailable")
    })
  )
})

describe("a delay", () => {
  it.effect("comes before the real answer, the canned one and the failure", () =>
    Effect.gen(function* () {
      for (const fault of [{}, { answer: "drill" }, { fail: "Unavailable" as const }]) {
        const { send, stub } = setup()
        const fiber = yield* Effect.fork(Effect.exit(send(chat({ delay: 100, ...fault }))))
        yield* TestClock.adjust(99)
        assert.isNull(fiber.unsafePoll())
        assert.strictEqual(stub.calls.length, 0)
        yield* TestClock.adjust(1)
        assert.strictEqual(Exit.isSuccess(yield* Fiber.join(fiber)), !("fail" in fault))
        assert.strictEqual(stub.calls.length, "answer" in fault || "fail" in fault ? 0 : 1)
      }
    })
  )
  it.effect("ends at once when its caller leaves", () =>
    Effect.gen(function* () {
      const { send, stub } = setup()
      const fiber = yield* Effect.fork(send(chat({ delay: 1e9 })))
      yield* TestClock.adjust(1)
      assert.isTrue(Exit.isInterrupted(yield* Fiber.interrupt(fiber)))
      assert.strictEqual(stub.calls.length, 0)
    })
  )
  it.effect("runs into the timeouts above as a slow deployment does", () =>
    Effect.gen(function* () {
      const service = Timeouts.make({ total: 50 })(setup().service)
      const attempt = StubLlm.attempt(chat({ delay: 1e9, answer: "late" }), slot)
      const fiber = yield* Effect.fork(Effect.flip(service.call(attempt)))
      yield* TestClock.adjust(50)
      assert.deepInclude((yield* Fiber.join(fiber)).data, { reason: "Timeout", phase: "total", bound: "deployment" })
    })
  )
})

describe("a request that asks for nothing", () => {
  it.effect("is the inner service's, as it came, and so is its answer", () =>
    Effect.gen(function* () {
      const { service } = setup()
      const asked: Array<unknown> = []
      const answers: Array<unknown> = []
      const inner = FaultInjection.make()({
        ...service,
        call: (attempt) => {
          asked.push(attempt)
          return Effect.tap(service.call(attempt), (answer) => answers.push(answer))
        }
      })
      const attempt = StubLlm.attempt(chat(undefined), slot)
      const answer = yield* inner.call(attempt)
      assert.deepStrictEqual([asked.length, answers.length], [1, 1])
      assert.strictEqual(asked[0], attempt)
      assert.strictEqual(answers[0], answer)
    })
  )
})

const tower = (options: Partial<Router.Options> = {}) =>
  Effect.gen(function* () {
    const stub = StubLlm.make({ text: "real" })
    const { service, state } = yield* Router.make(
      {
        deployments: Object.entries({ a: "m", b: "m", spare: "spare" }).map(([id, group]) => ({
          id,
          group,
          model: "m"
        })),
        fallback: { chains: { general: { m: ["spare"] }, contextWindow: { m: ["spare"] } } },
        faultInjection: true,
        ...options
      },
      stub.attempts
    )
    const health = Effect.map(TestClock.currentTimeMillis, (now) =>
      Context.get(state, DeploymentRegistry)
        .slots()
        .map((slot) => Context.get(state, CooldownState.CooldownState).status(slot, now)._tag)
    )
    return { stub, service, health }
  })

describe("in the tower", () => {
  it.scoped("a fault in the first group leads to the fallback's real answer, plain and streamed", () =>
    Effect.gen(function* () {
      for (const fail of ["Unavailable", "ContextWindowExceeded", "RateLimited", "Timeout"] as const) {
        const { service, stub } = yield* tower()
        const request = chat({ fail })
        const fiber = yield* Effect.fork(LlmService.complete(service, request))
        yield* TestClock.adjust("30 seconds")
        const { body, journal } = yield* Fiber.join(fiber)
        assert.strictEqual(completionText(body), "real")
        const report = journal.report()
        assert.deepStrictEqual([`${report.deployment}`, report.usedFallback], ["spare", true])
        assert.deepStrictEqual(
          stub.calls.map(({ deployment }) => deployment as string),
          ["spare"]
        )
        assert.strictEqual(report.attempts[0]?.reason, fail)
        const streaming = yield* Effect.fork(Stream.runCollect(LlmService.stream(service, request)))
        yield* TestClock.adjust("30 seconds")
        assert.isAbove(Arr.fromIterable(yield* Fiber.join(streaming)).length, 1)
        assert.strictEqual(stub.calls.length, 2)
      }
    })
  )
  it.scoped("failures open the breakers, but not those of a drill that cools nothing", () =>
    Effect.gen(function* () {
      const loud = yield* tower()
      yield* LlmService.complete(loud.service, chat({ fail: "Authentication" }))
      assert.deepStrictEqual(yield* loud.health, ["Closed", "Closed", "Open"])
      const quiet = yield* tower()
      for (const fail of ["Authentication", "RateLimited", "Unavailable"] as const) {
        const drill = chat({ fail }, {}, { cooldown: 0 })
        for (let i = 0; i < 20; i++) {
          const fiber = yield* Effect.fork(LlmService.complete(quiet.service, drill))
          yield* TestClock.adjust("30 seconds")
          yield* Fiber.join(fiber)
        }
      }
      assert.deepStrictEqual(yield* quiet.health, ["Open", "Open", "Open"])
    })
  )
  it.scoped("is off unless it is asked for: faults of a request do nothing then", () =>
    Effect.gen(function* () {
      const { service, stub } = yield* tower({ faultInjection: false })
      const { body } = yield* LlmService.complete(service, chat({ answer: "drill", fail: "Unavailable", delay: 1e9 }))
      assert.strictEqual(completionText(body), "real")
      assert.strictEqual(stub.calls.length, 1)
      const wrong = { deployments: [{ id: "a", group: "m", model: "m" }], faultInjection: "yes" }
      assert.deepStrictEqual(
        Router.check(wrong as unknown as Router.Options).map(({ path }) => path),
        ["faultInjection"]
      )
    })
  )
  it.scoped("a canned answer is nobody else's: a cache keeps it for the same drill only", () =>
    Effect.gen(function* () {
      const { service, stub } = yield* tower({ cache: { ttl: "1 hour" } })
      const text = (fault?: LlmRequest.Fault) =>
        Effect.map(LlmService.complete(service, chat(fault)), ({ body }) => completionText(body))
      assert.strictEqual(yield* text({ answer: "drill" }), "drill")
      assert.strictEqual(yield* text(), "real")
      assert.strictEqual(yield* text({ answer: "other" }), "other")
      assert.strictEqual(yield* text({ answer: "drill" }), "drill")
      assert.strictEqual(stub.calls.length, 1)
    })
  )
  it.scoped("a hundred requests that give a deployment no time leave it to the others", () =>
    Effect.gen(function* () {
      const impatient = (timeout: Router.Options["timeouts"], overrides: LlmRequest.RequestOverrides) =>
        Effect.gen(function* () {
          const { health, service, stub } = yield* tower({ retry: false, fallback: {}, timeouts: timeout })
          stub.reply({ delay: 20 })
          for (let i = 0; i < 100; i++) {
            const fiber = yield* Effect.fork(Effect.exit(LlmService.complete(service, chat(undefined, {}, overrides))))
            yield* TestClock.adjust(1)
            assert.isTrue(Exit.isFailure(yield* Fiber.join(fiber)))
          }
          return yield* health
        })
      assert.deepStrictEqual(yield* impatient({}, { timeout: 1 }), ["Open", "Open", "Open"])
      assert.deepStrictEqual(yield* impatient({ total: 1 }, {}), ["Closed", "Closed", "Open"])
      assert.deepStrictEqual(yield* impatient({ total: 1 }, { timeout: 1 }), ["Closed", "Closed", "Open"])
    })
  )
})

describe("below a breaker", () => {
  it.effect("a caller's own bound on an attempt never opens it, a retry on another deployment may answer", () =>
    Effect.gen(function* () {
      const events = { publish: () => {}, isActive: () => false, stream: Stream.empty }
      const state = CooldownState.make({ random: () => 0, events })
      const stub = StubLlm.make({ hang: true })
      const service = stub.attempts.pipe(
        Timeouts.make({ total: "1 minute" }),
        Cooldown.make({ state }, { failures: 1 })
      )
      const fiber = yield* Effect.fork(
        Effect.flip(service.call(StubLlm.attempt(chat(undefined, {}, { timeout: 1 }), slot)))
      )
      yield* TestClock.adjust(1)
      assert.strictEqual((yield* Fiber.join(fiber)).bound, "request")
      assert.deepInclude(state.inspect(slot, 1), { circuit: "closed", consecutiveFailures: 0 })
    })
  )
})
