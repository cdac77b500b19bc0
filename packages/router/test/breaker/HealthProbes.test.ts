import { assert, describe, it } from "@effect/vitest"
import { DeploymentService } from "@switchyard/core/DeploymentService"
import { LlmError, type LlmErrorFields } from "@switchyard/core/LlmError"
import * as LlmRequest from "@switchyard/core/LlmRequest"
import { closed, open } from "@switchyard/core/Status"
import * as Cooldown from "@switchyard/router/Cooldown"
import * as CooldownState from "@switchyard/router/CooldownState"
import * as DeploymentRegistry from "@switchyard/router/DeploymentRegistry"
import * as HealthProbes from "@switchyard/router/HealthProbes"
import type { RouterEvent } from "@switchyard/router/RouterEvents"
import * as StubLlm from "@switchyard/testing/StubLlm"
import { Effect, Exit, Layer, Scope, Stream, TestClock } from "effect"

const error = (reason: LlmErrorFields["reason"], more: Partial<LlmErrorFields> = {}) =>
  new LlmError({ reason, description: "told to", ...more })

type Answer = Effect.Effect<void, LlmError>
const alive: Answer = Effect.void
const dead: Answer = Effect.fail(error("Unavailable"))

const registryConfig = (ids: ReadonlyArray<string>): DeploymentRegistry.RegistryConfig => ({
  deployments: ids.map((id) => ({ id, group: "m", model: "m" }))
})

const setup = (options: HealthProbes.Options, ids: ReadonlyArray<string> = ["a"]) =>
  Effect.gen(function* () {
    const events: Array<RouterEvent> = []
    const state = CooldownState.make({
      random: () => 0,
      events: { publish: (event) => events.push(event), isActive: () => false, stream: Stream.empty }
    })
    const registry = yield* DeploymentRegistry.make(registryConfig(ids))
    const probed: Array<string> = []
    const answers = new Map<string, Answer | "throws">()
    const scope = yield* Scope.make()
    yield* Effect.addFinalizer(() => Scope.close(scope, Exit.void))
    const probe: HealthProbes.Probe = (slot) => {
      probed.push(slot.id)
      const answer = answers.get(slot.id) ?? alive
      if (answer === "throws") throw new Error("bug")
      return answer
    }
    yield* HealthProbes.run({ state, registry, probe }, options).pipe(Scope.extend(scope))
    const slot = (id = "a") => registry.slot(id) ?? StubLlm.slot(id)
    const view = (id = "a") =>
      Effect.map(TestClock.currentTimeMillis, (now) => {
        const { blockedBy, health } = state.inspect(slot(id), now)
        return [health, blockedBy]
      })
    return { answers, events, probed, registry, scope, slot, state, view }
  })

const every = (interval: number, more: HealthProbes.Options = {}): HealthProbes.Options => ({ interval, ...more })

describe("HealthProbes", () => {
  it("the defaults, in one table: no interval, so no probes", () => {
    assert.deepStrictEqual<HealthProbes.Options>(HealthProbes.defaults, {
      timeout: 10_000,
      unhealthyThreshold: 3,
      healthyThreshold: 2,
      concurrency: 4
    })
  })
  it.scoped("are off unless an interval is set", () =>
    Effect.gen(function* () {
      const { probed } = yield* setup({})
      yield* TestClock.adjust("1 day")
      assert.deepStrictEqual(probed, [])
    })
  )
  it.scoped("begin at once, and go round at the interval", () =>
    Effect.gen(function* () {
      const { probed } = yield* setup(every(1000), ["a", "b"])
      yield* TestClock.adjust(0)
      assert.deepStrictEqual(probed, ["a", "b"])
      yield* TestClock.adjust(999)
      assert.strictEqual(probed.length, 2)
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(probed, ["a", "b", "a", "b"])
    })
  )
  it.scoped("one failed probe keeps a deployment open, the third in a row closes it, two good ones reopen it", () =>
    Effect.gen(function* () {
      const { answers, events, slot, state, view } = yield* setup(every(1000))
      answers.set("a", dead)
      const seen: Array<unknown> = []
      for (let i = 0; i < 3; i++) {
        yield* TestClock.adjust(i === 0 ? 0 : 1000)
        seen.push(yield* view())
      }
      assert.deepStrictEqual(state.status(slot(), 2000), closed("unhealthy", undefined, "operator"))
      answers.set("a", alive)
      for (let i = 0; i < 2; i++) {
        yield* TestClock.adjust(1000)
        seen.push(yield* view())
      }
      assert.deepStrictEqual(seen, [
        ["Unknown", undefined],
        ["Unknown", undefined],
        ["Unhealthy", "unhealthy"],
        ["Unhealthy", "unhealthy"],
        ["Degraded", undefined]
      ])
      assert.deepStrictEqual(events, [
        { _tag: "ProbeFailed", at: 2000, deployment: "a", reason: "Unavailable" },
        { _tag: "ProbeRecovered", at: 4000, deployment: "a" }
      ])
    })
  )
  it.scoped("failures must come in a row, and so must the good ones", () =>
    Effect.gen(function* () {
      const { answers, view } = yield* setup(every(1000, { unhealthyThreshold: 2, healthyThreshold: 2 }))
      const seen: Array<unknown> = []
      for (const answer of [dead, alive, dead, dead, alive, dead, alive, alive]) {
        answers.set("a", answer)
        yield* TestClock.adjust(seen.length === 0 ? 0 : 1000)
        seen.push((yield* view())[0])
      }
      assert.deepStrictEqual(seen, [
        "Unknown",
        "Unknown",
        "Unknown",
        "Unhealthy",
        "Unhealthy",
        "Unhealthy",
        "Unhealthy",
        "Degraded"
      ])
    })
  )
  it.scoped("an endpoint that the provider does not support, and a rate limit, are no answer at all", () =>
    Effect.gen(function* () {
      const { answers, view } = yield* setup(every(1000, { unhealthyThreshold: 2 }))
      const answerWith = (answer: Answer) => {
        answers.set("a", answer)
        return TestClock.adjust(1000)
      }
      yield* TestClock.adjust(0)
      yield* answerWith(dead)
      yield* answerWith(Effect.fail(error("InvalidRequest", { status: 404 })))
      yield* answerWith(Effect.fail(error("RateLimited")))
      assert.deepStrictEqual(yield* view(), ["Unknown", undefined])
      yield* answerWith(dead)
      assert.deepStrictEqual(yield* view(), ["Unhealthy", "unhealthy"])
    })
  )
  it.scoped("but let in again who was taken out: a provider that refuses is there", () =>
    Effect.gen(function* () {
      const { answers, view } = yield* setup(every(1000, { unhealthyThreshold: 1, healthyThreshold: 2 }))
      const answerWith = (answer: Answer) => {
        answers.set("a", answer)
        return TestClock.adjust(1000)
      }
      yield* TestClock.adjust(0)
      yield* answerWith(dead)
      assert.deepStrictEqual(yield* view(), ["Unhealthy", "unhealthy"])
      yield* answerWith(Effect.fail(error("InvalidRequest")))
      yield* answerWith(Effect.fail(error("InvalidRequest")))
      assert.deepStrictEqual(yield* view(), ["Unhealthy", "unhealthy"])
      yield* answerWith(Effect.fail(error("InvalidRequest", { status: 400 })))
      yield* answerWith(Effect.fail(error("RateLimited", { status: 429 })))
      assert.notStrictEqual((yield* view())[0], "Unhealthy")
    })
  )
  it.scoped("a probe that stalls is cut off by the timeout, and has failed", () =>
    Effect.gen(function* () {
      const { answers, events, probed } = yield* setup(every(1000, { timeout: "2 seconds", unhealthyThreshold: 1 }))
      answers.set("a", Effect.never)
      yield* TestClock.adjust(1999)
      assert.deepStrictEqual(events, [])
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(events, [{ _tag: "ProbeFailed", at: 2000, deployment: "a", reason: "Timeout" }])
      yield* TestClock.adjust(1000)
      assert.strictEqual(probed.length, 2)
    })
  )
  it.scoped("a probe that dies or throws has failed, and the rounds go on", () =>
    Effect.gen(function* () {
      const { answers, probed, view } = yield* setup(every(1000, { unhealthyThreshold: 1 }), ["a", "b"])
      answers.set("a", Effect.die("bug"))
      answers.set("b", "throws")
      yield* TestClock.adjust(3000)
      assert.strictEqual(probed.length, 8)
      assert.deepStrictEqual(
        [yield* view("a"), yield* view("b")],
        [
          ["Unhealthy", "unhealthy"],
          ["Unhealthy", "unhealthy"]
        ]
      )
    })
  )
  it.scoped("no more run at a time than allowed", () =>
    Effect.gen(function* () {
      const ids = Array.from({ length: 20 }, (_, i) => `d${i}`)
      const { answers, probed } = yield* setup(every(60_000, { concurrency: 3 }), ids)
      let running = 0
      let most = 0
      for (const id of ids) {
        answers.set(
          id,
          Effect.acquireUseRelease(
            Effect.sync(() => {
              most = Math.max(most, ++running)
            }),
            () => Effect.sleep(100),
            () => Effect.sync(() => running--)
          )
        )
      }
      yield* TestClock.adjust(1000)
      assert.deepStrictEqual([most, running, probed.length], [3, 0, 20])
    })
  )
  it.scoped("only chosen deployments are probed, new ones from the next round on", () =>
    Effect.gen(function* () {
      const { probed, registry } = yield* setup(every(1000, { deployments: ["b", "c"] }), ["a", "b"])
      yield* TestClock.adjust(0)
      yield* registry.replace(registryConfig(["a", "b", "c"]))
      yield* TestClock.adjust(1000)
      assert.deepStrictEqual(probed, ["b", "b", "c"])
    })
  )
  it.scoped("a deployment that is no longer probed is not kept out, nor is any when the probes end", () =>
    Effect.gen(function* () {
      const { answers, registry, scope, slot, state } = yield* setup(every(1000, { unhealthyThreshold: 1 }), ["a", "b"])
      answers.set("a", dead).set("b", dead)
      const gone = slot("b")
      yield* TestClock.adjust(0)
      assert.deepStrictEqual(state.status(gone, 0), closed("unhealthy", undefined, "operator"))
      yield* registry.replace(registryConfig(["a"]))
      yield* TestClock.adjust(1000)
      assert.deepStrictEqual(state.status(gone, 1000), open)
      assert.deepStrictEqual(state.status(slot("a"), 1000), closed("unhealthy", undefined, "operator"))
      yield* Scope.close(scope, Exit.void)
      assert.deepStrictEqual(state.status(slot("a"), 1000), open)
    })
  )
})

describe("two flags", () => {
  const body = { model: "m", messages: [{ role: "user", content: "Hi" }] }
  const withBreaker = Effect.gen(function* () {
    const made = yield* setup(every(1000, { unhealthyThreshold: 1, healthyThreshold: 1 }))
    const stub = StubLlm.make()
    const breaker = Cooldown.make({ state: made.state }, { failures: 1, successThreshold: 1 })(stub.attempts)
    const call = Effect.suspend(() => Effect.exit(breaker.call(StubLlm.attempt(LlmRequest.chat(body), made.slot()))))
    return { ...made, call, stub }
  })

  it.scoped("the end of a cooldown makes no deployment selectable whose probes fail", () =>
    Effect.gen(function* () {
      const { answers, call, stub, view } = yield* withBreaker
      yield* TestClock.adjust(0)
      stub.reply({ fail: { reason: "Unavailable", description: "" } })
      yield* call
      assert.deepStrictEqual(yield* view(), ["Cooldown", "cooldown"])
      answers.set("a", dead)
      yield* TestClock.adjust(1000)
      assert.deepStrictEqual(yield* view(), ["Unhealthy", "unhealthy"])
      yield* TestClock.adjust(10_000)
      assert.deepStrictEqual(yield* view(), ["Unhealthy", "unhealthy"])
      yield* call
      assert.strictEqual(stub.calls.length, 1)
      answers.set("a", alive)
      yield* TestClock.adjust(1000)
      assert.deepStrictEqual(yield* view(), ["Degraded", undefined])
    })
  )
  it.scoped("a good probe ends no cooldown", () =>
    Effect.gen(function* () {
      const { answers, call, stub, view } = yield* withBreaker
      yield* TestClock.adjust(0)
      answers.set("a", dead)
      stub.reply({ fail: { reason: "Authentication", description: "", status: 401 } })
      yield* call
      yield* TestClock.adjust(1000)
      answers.set("a", alive)
      yield* TestClock.adjust(1000)
      assert.deepStrictEqual(yield* view(), ["Cooldown", "cooldown"])
    })
  )
  it.scoped("a successful call clears no failed probe", () =>
    Effect.gen(function* () {
      const { answers, call, stub, view } = yield* withBreaker
      stub.reply({ delay: 2000 })
      yield* Effect.fork(call)
      answers.set("a", dead)
      yield* TestClock.adjust(5000)
      assert.strictEqual(stub.outcomes[0]?._tag, "Completed")
      assert.deepStrictEqual(yield* view(), ["Unhealthy", "unhealthy"])
    })
  )
})

describe("the default probe", () => {
  it.effect("is a chat request for a few tokens, as many as every model takes, sent to the deployment itself", () =>
    Effect.gen(function* () {
      const stub = StubLlm.make()
      yield* HealthProbes.chat(stub.attempts)(StubLlm.slot("a"))
      const sent = stub.calls[0]
      assert.strictEqual(sent?.deployment, "a")
      assert.strictEqual(sent?.request.operation, "chat")
      assert.strictEqual(sent?.request.body.max_tokens, 16)
      assert.strictEqual(sent?.request.stream, false)
    })
  )
  it.effect("fails with the deployment's error", () =>
    Effect.gen(function* () {
      const stub = StubLlm.make({ fail: { reason: "Authentication", description: "", status: 401 } })
      const error = yield* Effect.flip(HealthProbes.chat(stub.attempts)(StubLlm.slot("a")))
      assert.strictEqual(error.reason, "Authentication")
    })
  )
  it.effect("asks nothing of a deployment that has no model of its own", () =>
    Effect.gen(function* () {
      const stub = StubLlm.make()
      yield* HealthProbes.chat(stub.attempts)(StubLlm.slot("any", { group: "openai/*", model: "*" }))
      assert.strictEqual(stub.calls.length, 0)
    })
  )
  it.effect("reaches a deployment that the breaker around it has closed", () =>
    Effect.gen(function* () {
      const stub = StubLlm.make({ fail: { reason: "Unavailable", description: "" } })
      const Live = Cooldown.layer.pipe(
        Layer.provide(HealthProbes.layerChatWith({ interval: "1 second", unhealthyThreshold: 1, healthyThreshold: 1 })),
        Layer.provide(Layer.succeed(DeploymentService, stub.attempts)),
        Layer.provideMerge(CooldownState.layerMemory),
        Layer.provideMerge(DeploymentRegistry.layer(registryConfig(["a"])))
      )
      yield* Effect.gen(function* () {
        const service = yield* DeploymentService
        const slot = (yield* DeploymentRegistry.DeploymentRegistry).slot("a") ?? StubLlm.slot("a")
        const status = Effect.map(TestClock.currentTimeMillis, (now) =>
          service.status(slot, LlmRequest.chat({ model: "m", messages: [] }), now)
        )
        yield* TestClock.adjust(0)
        assert.deepStrictEqual(yield* status, closed("unhealthy", undefined, "operator"))
        stub.reply({})
        yield* TestClock.adjust(1000)
        assert.deepStrictEqual(yield* status, open)
      }).pipe(Effect.provide(Live))
    })
  )
  it.effect("wrong options are named when the layer is built", () =>
    Effect.gen(function* () {
      const wrong = HealthProbes.layer(() => Effect.void, { interval: -1, concurrency: 0 })
      const error = yield* wrong.pipe(
        Layer.provide(CooldownState.layerMemory),
        Layer.provide(DeploymentRegistry.layer(registryConfig(["a"]))),
        Layer.build,
        Effect.scoped,
        Effect.flip
      )
      assert.deepStrictEqual(
        error.issues.map((issue) => issue.path),
        ["healthProbes.interval", "healthProbes.concurrency"]
      )
    })
  )
})
