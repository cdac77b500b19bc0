import { assert, describe, it } from "@effect/vitest"
import type { LlmRequest } from "@switchyard/core/LlmRequest"
import * as LlmService from "@switchyard/core/LlmService"
import * as Service from "@switchyard/core/Service"
import { busy } from "@switchyard/core/Status"
import { nowMs } from "@switchyard/core/Time"
import { cases } from "@switchyard/testing/Effort"
import * as StubLlm from "@switchyard/testing/StubLlm"
import { Deferred, Effect, Exit, Fiber, FiberId, identity, Layer, Runtime, Stream, TestClock } from "effect"
import { RouterEvents } from "../../src/events/RouterEvents.js"
import * as Hedge from "../../src/hedge/Hedge.js"
import * as LatencyTracker from "../../src/latency/LatencyTracker.js"
import { DeploymentRegistry } from "../../src/registry/DeploymentRegistry.js"
import * as Retry from "../../src/retry/Retry.js"
import * as RetryBudget from "../../src/retry/RetryBudget.js"
import { timersOf } from "../../src/time/timers.js"
import { type Dice, forSeeds, VirtualTime } from "../support/schedules.js"
import { chat, fails, type Member, tower } from "../support/tower.js"

interface Given {
  readonly delay?: number | undefined
  readonly attempts?: number
  readonly budget?: RetryBudget.RetryBudget["Type"]
  /** What every call waits for before it reaches the provider. */
  readonly gate?: Effect.Effect<void>
  /** What stands between the layer and the balancer. */
  readonly between?: Service.RequestLayer
}

const setup = (
  members: ReadonlyArray<Member>,
  script: (id: string, nth: number) => StubLlm.Reply,
  given: Given = {}
) => {
  const made = tower(members, script, given.gate)
  const { balancer, events } = made
  const { attempts = 2, budget = RetryBudget.unlimited } = given
  const delay = "delay" in given ? given.delay : 100
  const service = Hedge.make(
    { budget, events, delay: () => delay },
    { attempts }
  )((given.between ?? identity)(balancer))
  /** Sends the request, lets time pass, and tells who was asked, how it ended and when. */
  const send = (request: LlmRequest = chat(), through = service) =>
    Effect.gen(function* () {
      const clock = yield* Effect.clock
      const begin = nowMs(clock)
      const fiber = yield* Effect.fork(
        Effect.map(Effect.exit(LlmService.complete(through, request)), (exit) => ({ exit, at: nowMs(clock) - begin }))
      )
      yield* TestClock.adjust("1 minute")
      const { at, exit } = yield* Fiber.join(fiber)
      const end = Exit.match(exit, {
        onFailure: (cause) => (cause._tag === "Fail" ? cause.error.reason : cause._tag),
        onSuccess: ({ body }) => (body.choices as ReadonlyArray<{ message: { content: string } }>)[0]?.message.content
      })
      return `${made.used()} ${end} ${at}`
    })
  const outcomes = () => made.stub.outcomes.map((outcome) => outcome._tag)
  const told = () => made.published.map((event) => event._tag)
  return { ...made, service, send, outcomes, told }
}

/** Answers with its own id after so many ms. */
const after = (delays: Readonly<Record<string, number>>) => (id: string) => ({ text: id, delay: delays[id] ?? 0 })

describe("a hedge", () => {
  it.effect("does not start when the first attempt answers within the delay", () =>
    Effect.gen(function* () {
      const { send, told } = setup(["a", "b"], after({ a: 99 }))
      assert.strictEqual(yield* send(), "a a 99")
      assert.deepStrictEqual(told(), [])
    })
  )
  it.effect("that fails as the first attempt does: of equal failures the later decides", () =>
    Effect.gen(function* () {
      for (const [a, b, decides] of [
        [300, 100, "a"],
        [150, 100, "b"]
      ] as const) {
        const { service } = setup(["a", "b"], (id) => ({ ...fails("Unavailable"), delay: id === "a" ? a : b }))
        const fiber = yield* Effect.fork(Effect.flip(LlmService.complete(service, chat())))
        yield* TestClock.adjust("1 minute")
        assert.strictEqual((yield* Fiber.join(fiber)).deployment, decides)
      }
    })
  )
  it.effect("is known as the winner, and the loser is ended, where a layer in between copies the request", () =>
    Effect.gen(function* () {
      const copying: Service.RequestLayer = (next) =>
        Service.request((request) =>
          next.call({ ...request, route: { ...request.route }, overrides: { ...request.overrides, priority: 1 } })
        )
      const { outcomes, send, stub, told } = setup(["a", "b"], after({ a: 5_000, b: 50 }), { between: copying })
      assert.strictEqual(yield* send(), "ab b 150")
      assert.deepStrictEqual(
        [told(), outcomes(), stub.inFlight()],
        [["HedgeStarted", "HedgeWon"], ["Completed", "Abandoned"], 0]
      )
    })
  )
  it.effect("starts on another deployment after the delay, and its success wins", () =>
    Effect.gen(function* () {
      const { outcomes, published, send, stub } = setup(["a", "b"], after({ a: 5_000, b: 50 }))
      assert.strictEqual(yield* send(), "ab b 150")
      assert.deepStrictEqual(outcomes(), ["Abandoned", "Completed"].reverse())
      assert.strictEqual(stub.inFlight(), 0)
      assert.deepStrictEqual(published, [
        { _tag: "HedgeStarted", at: 100, group: "m", deployment: "a" },
        { _tag: "HedgeWon", at: 150, group: "m", deployment: "b" }
      ])
    })
  )
  it.effect("loses when the first attempt answers after all", () =>
    Effect.gen(function* () {
      const { outcomes, send, told } = setup(["a", "b"], after({ a: 120, b: 50 }))
      assert.strictEqual(yield* send(), "ab a 120")
      assert.deepStrictEqual(outcomes(), ["Completed", "Abandoned"])
      assert.deepStrictEqual(told(), ["HedgeStarted"])
    })
  )
  it.effect("the loser is interrupted and fully finished before the answer is returned", () =>
    Effect.gen(function* () {
      const { balancer, stub } = tower(["a", "b"], after({ a: 5_000, b: 50 }))
      let freedAt = -1
      const slow = {
        ...balancer,
        call: (request: LlmRequest) =>
          Effect.onInterrupt(balancer.call(request), () =>
            Effect.zipRight(
              Effect.sleep(30),
              Effect.map(Effect.clock, (clock) => {
                freedAt = nowMs(clock)
              })
            )
          )
      }
      const service = Hedge.make({ budget: RetryBudget.unlimited, delay: () => 100 })(slow)
      const fiber = yield* Effect.fork(Effect.zipRight(service.call(chat()), Effect.map(Effect.clock, nowMs)))
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* Fiber.join(fiber), 180)
      assert.strictEqual(freedAt, 180)
      assert.strictEqual(stub.inFlight(), 0)
    })
  )
  it.effect("starts at once when the first attempt fails and may be tried elsewhere", () =>
    Effect.gen(function* () {
      const script = (id: string) => (id === "a" ? { delay: 10, ...fails("Unavailable") } : { text: "b", delay: 5 })
      const { send, told } = setup(["a", "b"], script)
      assert.strictEqual(yield* send(), "ab b 15")
      assert.deepStrictEqual(told(), ["HedgeStarted", "HedgeWon"])
    })
  )
  it.effect("does not start after a failure that another deployment would share", () =>
    Effect.gen(function* () {
      const { send } = setup(["a", "b"], () => fails("InvalidRequest"))
      assert.strictEqual(yield* send(), "a InvalidRequest 0")
    })
  )
  it.effect("is not waited for when the first attempt meets an error that ends the request", () =>
    Effect.gen(function* () {
      const script = (id: string) => (id === "a" ? { delay: 200, ...fails("InvalidRequest") } : { delay: 20_000 })
      const { outcomes, send, stub } = setup(["a", "b"], script)
      assert.strictEqual(yield* send(), "ab InvalidRequest 200")
      assert.deepStrictEqual(outcomes(), ["Failed", "Abandoned"])
      assert.strictEqual(stub.inFlight(), 0)
    })
  )
  it.effect("whose own error would end the request only drops out: what becomes of the first attempt decides", () =>
    Effect.gen(function* () {
      const script = (id: string) => (id === "b" ? fails("InvalidRequest") : { delay: 300, ...fails("Unavailable") })
      assert.strictEqual(yield* setup(["a", "b"], script).send(), "ab Unavailable 300")
      const replaced = (id: string) => (id === "b" ? { delay: 10, ...fails("InvalidRequest") } : fails("Unavailable"))
      assert.strictEqual(yield* setup(["a", "b"], replaced).send(), "ab InvalidRequest 10")
    })
  )
  it.effect("that fails leaves the first attempt alone", () =>
    Effect.gen(function* () {
      const { send } = setup(["a", "b"], (id) => (id === "b" ? fails("InvalidRequest") : { text: "a", delay: 300 }))
      assert.strictEqual(yield* send(), "ab a 300")
    })
  )
  it.effect("that is never needed is none: with one attempt there is no extra call", () =>
    Effect.gen(function* () {
      const { send } = setup(["a", "b"], after({ a: 500 }), { attempts: 1 })
      assert.strictEqual(yield* send(), "a a 500")
    })
  )
  it.effect("may be followed by another, as many as are allowed", () =>
    Effect.gen(function* () {
      const script = after({ a: 5_000, b: 5_000, c: 10, d: 10 })
      assert.strictEqual(yield* setup(["a", "b", "c", "d"], script, { attempts: 3 }).send(), "abc c 210")
      assert.strictEqual(yield* setup(["a", "b", "c", "d"], script).send(), "ab a 5000")
    })
  )
  it.effect("needs a known delay", () =>
    Effect.gen(function* () {
      const { send } = setup(["a", "b"], after({ a: 500 }), { delay: undefined })
      assert.strictEqual(yield* send(), "a a 500")
    })
  )
  it.effect("needs another deployment that is open", () =>
    Effect.gen(function* () {
      const alone = setup(["a"], after({ a: 500 }))
      assert.strictEqual(yield* alone.send(), "a a 500")
      const full = setup(["a", "b"], after({ a: 500 }))
      full.statuses.set("b", busy("maxParallel"))
      assert.strictEqual(yield* full.send(), "a a 500")
      assert.deepStrictEqual([...alone.told(), ...full.told()], [])
    })
  )
  it.effect("is paid from the retry budget, and vetoed when that is empty", () =>
    Effect.gen(function* () {
      const budget = RetryBudget.make({ share: 0, perSecond: 0.1 })
      const { send, told } = setup(["a", "b"], after({ a: 500, b: 10 }), { budget })
      assert.strictEqual(yield* send(), "ab b 110")
      assert.isTrue((yield* send()).startsWith("abab"))
      assert.strictEqual(told().length, 4)
      const empty = setup(["a", "b"], after({ a: 500, b: 10 }), {
        budget: RetryBudget.make({ share: 0, perSecond: 0 })
      })
      assert.strictEqual(yield* empty.send(), "a a 500")
    })
  )
  it.effect("takes nothing from the budget when there is nowhere to go", () =>
    Effect.gen(function* () {
      const budget = RetryBudget.make()
      yield* setup(["a"], after({ a: 500 }), { budget }).send()
      assert.strictEqual(budget.balance(0), 100)
    })
  )
  it.effect("counts against the request's attempts", () =>
    Effect.gen(function* () {
      const { service, used } = setup(["a", "b"], after({ a: 500 }))
      const request = chat()
      const fiber = yield* Effect.fork(service.call({ ...request, route: { ...request.route, attemptBudget: 1 } }))
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(fiber)
      assert.strictEqual(used(), "a")
    })
  )
  it.effect("counts against the three attempts of a group, and no retries means no hedge", () =>
    Effect.gen(function* () {
      const script = () => ({ delay: 150, ...fails("Unavailable") })
      const ids = ["a", "b", "c", "d", "e"]
      const { send, service, stub, used } = setup(ids, script)
      const deps = { budget: RetryBudget.unlimited, random: () => 0.5 }
      const retrying = Retry.make(deps)(service)
      assert.match(yield* send(chat(), retrying), /^[a-e]{3} Unavailable/)
      assert.strictEqual(new Set(used()).size, 3)
      yield* send(chat({ maxRetries: 0 }), retrying)
      assert.strictEqual(stub.calls.length, 4)
    })
  )
  it.effect("and the first attempt both fail: the retry avoids both deployments", () =>
    Effect.gen(function* () {
      const script = (id: string) => (id === "c" ? { text: "c" } : { delay: 120, ...fails("Unavailable") })
      const { send, service } = setup(["a", "b", "c"], script)
      const retrying = Retry.make({ budget: RetryBudget.unlimited, random: () => 0.5 })(service)
      assert.strictEqual(yield* send(chat(), retrying), "abc c 220")
    })
  )
  it.effect(
    "the retries of the deployment that the error names hold, also where a layer in between rewords errors",
    () =>
      Effect.gen(function* () {
        const script = (id: string) =>
          id === "c" ? { text: "c" } : { delay: id === "a" ? 150 : 20, ...fails("Unavailable", { deployment: id }) }
        const members = [{ id: "a", maxRetries: 3 }, { id: "b", maxRetries: 0 }, "c"]
        const { send, service } = setup(members, script)
        const reworded = Service.mapRequest(Effect.mapError((error) => error.with({ description: "reworded" })))(
          service
        )
        const retrying = Retry.make({ budget: RetryBudget.unlimited, random: () => 0.5 })(reworded)
        assert.strictEqual(yield* send(chat(), retrying), "abc c 150")
      })
  )
  it.effect("of two failures the one that decides about retries surfaces, never NoDeployment", () =>
    Effect.gen(function* () {
      const script = (id: string) =>
        id === "a" ? { delay: 150, ...fails("ContextWindowExceeded") } : { delay: 150, ...fails("Unavailable") }
      assert.strictEqual(yield* setup(["a", "b"], script).send(), "ab ContextWindowExceeded 150")
      const racing = setup(["a", "b"], (id) =>
        id === "a" ? { delay: 110, ...fails("RateLimited") } : fails("Rejected", { deployment: "b" })
      )
      assert.strictEqual(yield* racing.send(), "ab RateLimited 110")
    })
  )
  it.effect("ends with the request: a caller that leaves ends both attempts first", () =>
    Effect.gen(function* () {
      const { outcomes, service, stub } = setup(["a", "b"], () => ({ hang: true }))
      const fiber = yield* Effect.fork(service.call(chat()))
      yield* TestClock.adjust(200)
      assert.strictEqual(stub.inFlight(), 2)
      const exit = yield* Fiber.interrupt(fiber)
      assert.isTrue(Exit.isFailure(exit) && Exit.isInterrupted(exit))
      assert.deepStrictEqual(outcomes(), ["Abandoned", "Abandoned"])
      assert.strictEqual(timersOf(yield* Effect.clock, yield* Effect.runtime<never>()).size, 0)
    })
  )
  it.effect("dies as the only attempt does", () =>
    Effect.gen(function* () {
      const { send } = setup(["a", "b"], () => ({ defect: "bug" }))
      assert.strictEqual(yield* send(), "a Die 0")
    })
  )
})

describe("a stream", () => {
  const read = (service: ReturnType<typeof setup>["service"]) =>
    Effect.gen(function* () {
      const fiber = yield* Effect.fork(
        Effect.exit(
          Stream.runFold(LlmService.stream(service, chat({}, { stream: true })), "", (text, event) => {
            const choices = event.json.choices as ReadonlyArray<{ delta: { content?: string } }>
            return text + (choices[0]?.delta.content ?? "")
          })
        )
      )
      yield* TestClock.adjust("1 minute")
      return yield* Fiber.join(fiber)
    })
  it.effect("is won by the first content, and the loser's stream is closed", () =>
    Effect.gen(function* () {
      const { outcomes, service, stub } = setup(["a", "b"], (id) =>
        id === "a" ? { firstToken: 5_000 } : { chunks: ["b", "b"], firstToken: 20, gap: 10 }
      )
      assert.deepStrictEqual(yield* read(service), Exit.succeed("bb"))
      assert.deepStrictEqual(outcomes(), ["Abandoned", "Completed"])
      assert.strictEqual(stub.openStreams(), 0)
    })
  )
  it.effect("that breaks after content is no reason for a hedge", () =>
    Effect.gen(function* () {
      const { service, used } = setup(["a", "b"], () => ({ chunks: ["x"], failAfter: 1, ...fails("Unavailable") }))
      assert.isTrue(Exit.isFailure(yield* read(service)))
      assert.strictEqual(used(), "a")
    })
  )
})

describe("the layer", () => {
  const built = (options: Hedge.Options, tracker = LatencyTracker.make()) => {
    const made = tower(["a", "b"], after({ a: 5_000, b: 10 }))
    const live = Hedge.layerWith(options).pipe(
      Layer.provide([
        Layer.succeed(LlmService.LlmService, made.balancer),
        Layer.succeed(DeploymentRegistry, made.registry),
        Layer.succeed(LatencyTracker.LatencyTracker, tracker),
        Layer.succeed(RouterEvents, made.events),
        RetryBudget.layerUnlimited
      ])
    )
    const send = Effect.gen(function* () {
      const clock = yield* Effect.clock
      const begin = nowMs(clock)
      const fiber = yield* Effect.fork(
        Effect.map(Effect.provide(LlmService.LlmService.complete(chat()), live), () => nowMs(clock) - begin)
      )
      yield* TestClock.adjust("1 minute")
      return yield* Fiber.join(fiber)
    })
    return { live, send, used: made.used }
  }
  it.effect("hedges after a fixed delay", () =>
    Effect.gen(function* () {
      const { send, used } = built({ delay: "1 second" })
      assert.strictEqual(yield* send, 1_010)
      assert.strictEqual(used(), "ab")
    })
  )
  it.effect("hedges after the quantile of the group's answers, and not before there are enough", () =>
    Effect.gen(function* () {
      const tracker = LatencyTracker.make()
      const { send } = built({ minSamples: 20 }, tracker)
      const slot = StubLlm.slot("z")
      const learn = (answers: number) => {
        for (let i = 0; i < answers; i++) {
          const usage = { inputTokens: 1, outputTokens: 1, cachedInputTokens: 0, reasoningTokens: 0, estimated: false }
          const duration = i % 10 === 0 ? 1_000 : 100
          tracker
            .begin(slot, false, 0)
            .settled({ _tag: "Completed", usage, timeToFirstToken: duration, duration }, duration)
        }
      }
      learn(10)
      assert.strictEqual(yield* send, 5_000)
      learn(90)
      assert.approximately(yield* send, 1_010, 150)
    })
  )
  it.effect("reports every wrong option by its path", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(Layer.build(built({ delay: 0, quantile: 2, attempts: 0 }).live))
      assert.deepStrictEqual(
        error.issues.map((issue) => issue.path),
        ["hedge.delay", "hedge.quantile", "hedge.attempts"]
      )
    }).pipe(Effect.scoped)
  )
})

const replyOf = (dice: Dice, stream: boolean): StubLlm.Reply => {
  const delay = dice.int(0, 60)
  const kind = dice.pick(["answers", "answers", "fails", "refuses", "hangs"])
  if (kind === "hangs") return { hang: true }
  if (kind === "refuses") return { delay, ...fails("InvalidRequest") }
  if (kind === "fails")
    return stream ? { delay, ...fails("Unavailable"), failAfter: 0 } : { delay, ...fails("Unavailable") }
  return { delay, firstToken: dice.int(0, 30), chunks: ["x", "y"], gap: dice.int(0, 30) }
}

describe("under any schedule", () => {
  it("there is one answer at most, every attempt ends, and every stream but the winner's is closed", () => {
    let hedged = 0
    let won = 0
    forSeeds(3000, (dice, seed) => {
      // Fibers that yield after a few operations let interruptions fall between any two of them.
      const time = new VirtualTime(seed % 2 === 0 ? dice.int(2, 12) : 2048)
      const stream = dice.chance(0.6)
      const ids = ["a", "b", "c", "d"].slice(0, dice.int(1, 4))
      const attempts = dice.int(1, 3)
      const delay = dice.int(1, 50)
      const replies = new Map(ids.map((id) => [id, replyOf(dice, stream)]))
      const { published, service, stub, used } = setup(ids, (id) => replies.get(id) ?? {}, { attempts, delay })
      const request = chat({}, { stream })
      const { journal } = request.route
      let runningAtAnswer = Number.NaN
      let openAtAnswer = Number.NaN
      const fiber = time.fork(
        Effect.onExit(service.call(request), (exit) =>
          Effect.sync(() => {
            runningAtAnswer = stub.inFlight()
            openAtAnswer = stub.openStreams()
            if (Exit.isFailure(exit)) journal.releaseAll()
          })
        )
      )
      time.advance(dice.int(1, 150))
      const leaves = fiber.unsafePoll() === null
      if (leaves) time.interrupt(fiber)
      time.advance(1_000)
      const exit = fiber.unsafePoll()
      if (exit === null) return assert.fail("the request never ended")
      const answer = Exit.isSuccess(exit) ? exit.value : undefined
      // Of what was started, only a winning stream may outlive the answer.
      const outlives = answer?._tag === "Streaming" && answer.events.settlement.outcome === undefined ? 1 : 0
      if (answer !== undefined) {
        assert.isAtMost(runningAtAnswer, answer._tag === "Streaming" ? 1 : 0, "attempts that run on")
        assert.isAtMost(openAtAnswer, answer._tag === "Streaming" ? 1 : 0, "streams that stay open")
      }
      assert.strictEqual(stub.openStreams(), outlives)
      if (answer?._tag === "Streaming") answer.events.close()
      assert.strictEqual(stub.inFlight(), 0, "in flight")
      assert.strictEqual(stub.openStreams(), 0, "open streams")
      assert.strictEqual(timersOf(time.clock, Runtime.defaultRuntime).size, 0, "timers")
      assert.strictEqual(stub.outcomes.length, stub.calls.length, "each attempt settles once")
      assert.isAtMost(stub.calls.length, attempts)
      assert.strictEqual(new Set(used()).size, used().length, "no deployment is asked twice")
      // A hedge may be ended before its call reaches the base service.
      const started = published.filter((event) => event._tag === "HedgeStarted").length
      assert.isAtLeast(started, stub.calls.length - 1)
      assert.isAtMost(started, attempts - 1)
      if (stub.calls.length > 1) hedged++
      if (published.some((event) => event._tag === "HedgeWon")) won++
    })
    assert.isAbove(hedged, cases(750))
    assert.isAbove(won, cases(90))
  })
  it("a success that gets lost while another one wins, or while the caller leaves, leaves no stream open", () => {
    let lost = 0
    forSeeds(2000, (dice) => {
      // Every attempt answers in one instant, and fibers take turns every few operations.
      const time = new VirtualTime(dice.int(2, 30))
      const gate = Deferred.unsafeMake<void>(FiberId.none)
      const { service, stub } = setup(["a", "b", "c"], () => ({ chunks: ["x", "y"], stallAfter: 1 }), {
        attempts: dice.int(2, 3),
        delay: 10,
        gate: Deferred.await(gate)
      })
      const request = chat({}, { stream: true })
      const fiber = time.fork(service.call(request))
      time.advance(50)
      Deferred.unsafeDone(gate, Effect.void)
      if (dice.chance(0.5)) {
        time.flush(dice.int(1, 60))
        if (fiber.unsafePoll() === null) time.interrupt(fiber)
      }
      time.flush()
      const exit = fiber.unsafePoll()
      if (exit === null) return assert.fail("the request never ended")
      if (stub.calls.length > 1 || Exit.isFailure(exit)) lost++
      // The winner's own answer may get lost further up: who began the request releases its journal then.
      assert.isAtMost(stub.openStreams(), 1, "open streams")
      if (Exit.isFailure(exit)) request.route.journal.releaseAll()
      else if (exit.value._tag === "Streaming") exit.value.events.close()
      assert.strictEqual(stub.openStreams(), 0, "the winner's stream")
      assert.strictEqual(stub.inFlight(), 0, "in flight")
    })
    assert.isAbove(lost, cases(900))
  })
})
