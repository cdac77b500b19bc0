import { assert, describe, it } from "@effect/vitest"
import { text } from "@switchyard/core/ChatChunk"
import { EventQueue } from "@switchyard/core/EventQueue"
import type { EventStream } from "@switchyard/core/EventStream"
import type { LlmError } from "@switchyard/core/LlmError"
import * as LlmRequest from "@switchyard/core/LlmRequest"
import type { LlmResponse } from "@switchyard/core/LlmResponse"
import * as LlmService from "@switchyard/core/LlmService"
import * as Service from "@switchyard/core/Service"
import { estimate, zero } from "@switchyard/core/Usage"
import * as Cache from "@switchyard/router/Cache"
import * as CacheStore from "@switchyard/router/CacheStore"
import * as Deadline from "@switchyard/router/Deadline"
import * as Timeouts from "@switchyard/router/Timeouts"
import { cases } from "@switchyard/testing/Effort"
import * as ManualClock from "@switchyard/testing/ManualClock"
import * as StubLlm from "@switchyard/testing/StubLlm"
import { Cause, Effect, Exit, Fiber, Option, type Scheduler, Scope, Stream, TestClock, Utils } from "effect"
import { Flight } from "../../src/cache/flight.js"

const setup = (reply: StubLlm.Reply | ((call: StubLlm.StubCall) => StubLlm.Reply) = {}, options: Cache.Options = {}) =>
  Effect.map(Effect.scope, (scope) => {
    const stub = StubLlm.make(reply)
    const service = Cache.make({ store: CacheStore.make(), scope }, options)(stub.requests)
    return { stub, service }
  })

const chat = (options: LlmRequest.RequestOptions = {}, body: object = {}) =>
  LlmRequest.chat({ model: "m", messages: [{ role: "user", content: "Hi" }], ...body }, options)

const streamed = (options: LlmRequest.RequestOptions = {}) => ({ ...chat(options), stream: true })

/** The text of a stream, as far as it came. */
class Heard {
  text = ""
  read = (service: Service.RequestService, request = streamed()) =>
    Stream.runForEach(LlmService.stream(service, request), (event) =>
      Effect.sync(() => {
        this.text += text(event.json)
      })
    )
}

const opened = (service: Service.RequestService, request = streamed()) =>
  Effect.flatMap(LlmService.open(service, request), (response) =>
    response._tag === "Streaming" ? Effect.succeed(response) : Effect.die("no stream")
  )

const pause = Effect.repeatN(Effect.yieldNow(), 20)

const errorOf = (exit: Exit.Exit<unknown, LlmError>): LlmError | undefined =>
  Exit.isFailure(exit) ? Option.getOrUndefined(Cause.failureOption(exit.cause)) : undefined

describe("plain requests in flight", () => {
  it.scoped("equal requests wait for one call, and each has the answer with a journal of its own", () =>
    Effect.gen(function* () {
      const { service, stub } = yield* setup({ delay: 100, usage: estimate(100, 50) })
      const fibers = yield* Effect.forEach([0, 1, 2], () => Effect.fork(LlmService.complete(service, chat())))
      yield* TestClock.adjust(100)
      const answers = yield* Effect.forEach(fibers, (fiber) => Fiber.join(fiber))
      assert.strictEqual(stub.calls.length, 1)
      assert.deepStrictEqual(
        answers.map((answer) => answer.body),
        [answers[0]?.body, answers[0]?.body, answers[0]?.body]
      )
      const reports = answers.map((answer) => answer.journal.report())
      assert.deepStrictEqual(
        reports.map((report) => report.cache),
        ["miss", "shared", "shared"]
      )
      assert.deepStrictEqual(
        reports.map((report) => report.attempts.length),
        [1, 0, 0]
      )
      assert.deepStrictEqual(
        answers.map((answer) => answer.outcome.usage.outputTokens),
        [50, 0, 0]
      )
      assert.strictEqual(reports[0]?.deployment, "stub")
    })
  )
  it.scoped("a leader who leaves fails nobody, and the call goes on", () =>
    Effect.gen(function* () {
      const { service, stub } = yield* setup({ delay: 100 })
      const leader = yield* Effect.fork(LlmService.complete(service, chat()))
      yield* pause
      const follower = yield* Effect.fork(LlmService.complete(service, chat()))
      yield* pause
      yield* Fiber.interrupt(leader)
      assert.strictEqual(stub.inFlight(), 1)
      yield* TestClock.adjust(100)
      const answer = yield* Fiber.join(follower)
      assert.strictEqual(stub.calls.length, 1)
      assert.strictEqual(stub.outcomes[0]?._tag, "Completed")
      assert.strictEqual(answer.journal.answered?.deployment, "stub")
    })
  )
  it.scoped("what a call uses is in one report: the leader's, or after it left the next one's", () =>
    Effect.gen(function* () {
      const { service } = yield* setup({ delay: 100, usage: estimate(100, 50) })
      const leaders = LlmRequest.begin(chat(), 0)
      const leader = yield* Effect.fork(service.call(leaders))
      yield* pause
      const others = yield* Effect.forEach([1, 2], () =>
        Effect.zipLeft(Effect.fork(LlmService.complete(service, chat())), pause)
      )
      yield* Fiber.interrupt(leader)
      yield* TestClock.adjust(100)
      const reports = (yield* Effect.forEach(others, (fiber) => Fiber.join(fiber))).map(({ journal }) =>
        journal.report()
      )
      assert.deepStrictEqual(
        [leaders.route.journal.report(), ...reports].map(({ attempts, cache, usage }) => [
          cache,
          attempts[0]?.outcome,
          usage?.outputTokens
        ]),
        [
          ["miss", "abandoned", undefined],
          ["miss", "completed", 50],
          ["shared", undefined, undefined]
        ]
      )
    })
  )
  it.scoped("the last one to leave ends the call, and has left when everything is given back", () =>
    Effect.gen(function* () {
      const { service, stub } = yield* setup({ hang: true })
      const fibers = yield* Effect.forEach([0, 1, 2], () => Effect.fork(LlmService.complete(service, chat())))
      yield* pause
      yield* Fiber.interrupt(fibers[0] ?? assert.fail())
      yield* Fiber.interrupt(fibers[1] ?? assert.fail())
      assert.strictEqual(stub.inFlight(), 1)
      yield* Fiber.interrupt(fibers[2] ?? assert.fail())
      assert.strictEqual(stub.inFlight(), 0)
      assert.deepStrictEqual(
        stub.outcomes.map((outcome) => outcome._tag),
        ["Abandoned"]
      )
      stub.reply({})
      yield* LlmService.complete(service, chat())
      assert.strictEqual(stub.calls.length, 2)
    })
  )
  it.scoped("all who wait share a failure, as the same typed error", () =>
    Effect.gen(function* () {
      const { service, stub } = yield* setup({
        delay: 100,
        fail: { reason: "RateLimited", description: "slow down", retryAfter: 2_000, status: 429 }
      })
      const fibers = yield* Effect.forEach([0, 1, 2], () => Effect.fork(LlmService.complete(service, chat())))
      yield* TestClock.adjust(100)
      for (const fiber of fibers) {
        const error = errorOf(yield* Fiber.await(fiber))
        assert.deepStrictEqual([error?.reason, error?.retryAfter, error?.httpStatus], ["RateLimited", 2_000, 429])
      }
      assert.strictEqual(stub.calls.length, 1)
      stub.reply({})
      yield* LlmService.complete(service, chat())
    })
  )
  it.scoped("a defect of the inner service reaches all, and the next request calls anew", () =>
    Effect.gen(function* () {
      const { service, stub } = yield* setup({ delay: 100, defect: "bug" })
      const fibers = yield* Effect.forEach([0, 1], () => Effect.fork(LlmService.complete(service, chat())))
      yield* TestClock.adjust(100)
      for (const fiber of fibers) {
        const exit = yield* Fiber.await(fiber)
        assert.deepStrictEqual(Exit.isFailure(exit) ? Cause.dieOption(exit.cause) : undefined, Option.some("bug"))
      }
      stub.reply({})
      yield* LlmService.complete(service, chat())
      assert.strictEqual(stub.calls.length, 2)
    })
  )
  it.scoped("a request that wants a fresh answer joins nobody, and nobody joins it", () =>
    Effect.gen(function* () {
      const { service, stub } = yield* setup({ delay: 100 })
      const fresh = chat({ overrides: { cache: { noCache: true } } })
      const fibers = yield* Effect.forEach([chat(), fresh, fresh, chat()], (request) =>
        Effect.fork(LlmService.complete(service, request))
      )
      yield* TestClock.adjust(100)
      yield* Effect.forEach(fibers, (fiber) => Fiber.join(fiber))
      assert.strictEqual(stub.calls.length, 3)
    })
  )
  it.scoped("different callers do not wait for each other's call", () =>
    Effect.gen(function* () {
      const { service, stub } = yield* setup({ delay: 100 })
      yield* Effect.fork(LlmService.complete(service, chat({ caller: "alice" })))
      yield* Effect.fork(LlmService.complete(service, chat({ caller: "bob" })))
      yield* pause
      assert.strictEqual(stub.inFlight(), 2)
    })
  )
  it.scoped("when the cache is shut down, nobody is left waiting and nothing in flight", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const stub = StubLlm.make(({ index }) => (index === 0 ? { hang: true } : { text: "a b c", stallAfter: 1 }))
      const service = Cache.make({ store: CacheStore.make(), scope })(stub.requests)
      const plain = yield* Effect.fork(LlmService.complete(service, chat()))
      yield* pause
      const streaming = yield* Effect.fork(new Heard().read(service))
      yield* pause
      assert.strictEqual(stub.inFlight(), 2)
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual(stub.inFlight(), 0)
      assert.deepStrictEqual(errorOf(yield* Fiber.await(plain))?.code, "closed")
      assert.deepStrictEqual(errorOf(yield* Fiber.await(streaming))?.reason, "StreamInterrupted")
      assert.deepStrictEqual((yield* Effect.flip(LlmService.complete(service, chat()))).code, "closed")
    })
  )
})

describe("bounds of their own", () => {
  const bounded = (
    reply: StubLlm.Reply,
    deadline: Deadline.Options
  ): Effect.Effect<{ stub: StubLlm.StubLlm; service: Service.RequestService }, never, Scope.Scope> =>
    Effect.map(Effect.scope, (scope) => {
      const stub = StubLlm.make(reply)
      const slot = StubLlm.slot("stub")
      const attempts = stub.attempts.pipe(Timeouts.make())
      const routed = Service.request((request) =>
        Effect.suspend(() => attempts.call(StubLlm.attempt(request, slot, request.route.startedAt)))
      )
      const service = routed.pipe(Deadline.make(deadline), Cache.make({ store: CacheStore.make(), scope }))
      return { stub, service }
    })

  it.scoped("requests with other bounds or other retries fly alone, and use the same stored answer", () =>
    Effect.gen(function* () {
      const { service, stub } = yield* setup({ delay: 100 })
      const all: ReadonlyArray<LlmRequest.RequestOverrides> = [
        {},
        { deadline: 1_000 },
        { timeout: 1_000 },
        { maxRetries: 0 },
        { priority: 1 }
      ]
      const fibers = yield* Effect.forEach(all, (overrides) =>
        Effect.fork(LlmService.complete(service, chat({ overrides })))
      )
      yield* TestClock.adjust(100)
      yield* Effect.forEach(fibers, (fiber) => Fiber.join(fiber))
      assert.strictEqual(stub.calls.length, 5)
      yield* Effect.forEach(all, (overrides) => LlmService.complete(service, chat({ overrides })))
      assert.strictEqual(stub.calls.length, 5)
    })
  )
  it.scoped("a follower's shorter deadline is kept although the leader may wait longer", () =>
    Effect.gen(function* () {
      const { service, stub } = yield* bounded({ delay: 500 }, {})
      const leader = yield* Effect.fork(LlmService.complete(service, chat()))
      yield* pause
      const hurried = yield* Effect.fork(LlmService.complete(service, chat({ overrides: { deadline: 100 } })))
      yield* TestClock.adjust(100)
      const error = errorOf(yield* Fiber.await(hurried))
      assert.deepStrictEqual([error?.reason, error?.bound], ["Timeout", "caller"])
      yield* TestClock.adjust(400)
      assert.isTrue(Exit.isSuccess(yield* Fiber.await(leader)))
      assert.strictEqual(stub.inFlight(), 0)
    })
  )
  it.scoped("the leader's deadline fails the leader alone: who came later asks again, with the time that is left", () =>
    Effect.gen(function* () {
      const { service, stub } = yield* bounded({ hang: true }, { deadline: 100 })
      const leader = yield* Effect.fork(LlmService.complete(service, chat()))
      yield* TestClock.adjust(60)
      const followers = yield* Effect.forEach([1, 2], () => Effect.fork(LlmService.complete(service, chat())))
      yield* TestClock.adjust(40)
      assert.strictEqual(errorOf(yield* Fiber.await(leader))?.bound, "caller")
      yield* pause
      assert.strictEqual(stub.calls.length, 2)
      stub.reply({})
      yield* TestClock.adjust(59)
      for (const fiber of followers) assert.isTrue(Option.isNone(yield* Fiber.poll(fiber)))
      yield* TestClock.adjust(1)
      const exits = yield* Effect.forEach(followers, (fiber) => Fiber.await(fiber))
      for (const exit of exits) assert.strictEqual(errorOf(exit)?.bound, "caller")
      assert.strictEqual(stub.calls.length, 2)
      assert.strictEqual(stub.inFlight(), 0)
    })
  )
})

describe("streams in flight", () => {
  const reply: StubLlm.Reply = { chunks: ["one ", "two ", "three ", "four"], gap: 100 }

  it.scoped("the first caller is given chunks as they come", () =>
    Effect.gen(function* () {
      const { service } = yield* setup(reply)
      const heard = new Heard()
      const fiber = yield* Effect.fork(heard.read(service))
      yield* TestClock.adjust(100)
      assert.strictEqual(heard.text, "one two ")
      yield* TestClock.adjust(200)
      yield* Fiber.join(fiber)
      assert.strictEqual(heard.text, "one two three four")
    })
  )
  it.scoped("a stream that was shared is stored when it has ended, whoever has read it by then", () =>
    Effect.gen(function* () {
      const { service, stub } = yield* setup(reply)
      const quick = new Heard()
      const fiber = yield* Effect.fork(quick.read(service))
      yield* pause
      yield* opened(service)
      yield* TestClock.adjust(300)
      yield* Fiber.join(fiber)
      const again = new Heard()
      yield* again.read(service)
      assert.strictEqual(again.text, quick.text)
      assert.strictEqual(stub.calls.length, 1)
    })
  )
  it.scoped("who joins late is given what came so far, and then everything as it comes", () =>
    Effect.gen(function* () {
      const { service, stub } = yield* setup(reply)
      const early = new Heard()
      const late = new Heard()
      const first = yield* Effect.fork(early.read(service))
      yield* TestClock.adjust(100)
      const second = yield* Effect.fork(late.read(service))
      yield* pause
      assert.strictEqual(late.text, "one two ")
      yield* TestClock.adjust(100)
      assert.deepStrictEqual([early.text, late.text], ["one two three ", "one two three "])
      yield* TestClock.adjust(100)
      yield* Fiber.join(first)
      yield* Fiber.join(second)
      assert.deepStrictEqual([early.text, late.text], ["one two three four", "one two three four"])
      assert.strictEqual(stub.calls.length, 1)
    })
  )
  it.scoped("each reader's outcome is its own: times from its own start, and what was used in the leader's alone", () =>
    Effect.gen(function* () {
      const { service } = yield* setup({ ...reply, usage: estimate(100, 50) })
      const leader = yield* opened(service)
      yield* TestClock.adjust(100)
      const follower = yield* opened(service)
      yield* TestClock.adjust(200)
      assert.deepStrictEqual(leader.events.settlement.outcome, {
        _tag: "Completed",
        usage: { ...estimate(100, 50), estimated: false },
        timeToFirstToken: 0,
        duration: 300
      })
      assert.deepStrictEqual(follower.events.settlement.outcome, {
        _tag: "Completed",
        usage: zero,
        timeToFirstToken: 0,
        duration: 200
      })
    })
  )
  it.scoped("a leader who leaves in the middle fails nobody; the last who leaves aborts the upstream at once", () =>
    Effect.gen(function* () {
      const { service, stub } = yield* setup(reply)
      const leader = yield* opened(service)
      const follower = yield* opened(service)
      yield* TestClock.adjust(100)
      leader.events.close()
      assert.strictEqual(leader.events.settlement.outcome?._tag, "Abandoned")
      yield* TestClock.adjust(100)
      assert.strictEqual(stub.openStreams(), 1)
      follower.events.close()
      assert.strictEqual(stub.openStreams(), 0)
      assert.deepStrictEqual(
        stub.outcomes.map((outcome) => outcome._tag),
        ["Abandoned"]
      )
    })
  )
  it.scoped("a stream that breaks breaks for everybody, after what came", () =>
    Effect.gen(function* () {
      const { service, stub } = yield* setup({
        ...reply,
        failAfter: 2,
        fail: { reason: "Unavailable", description: "reset" }
      })
      const heard = [new Heard(), new Heard()]
      const fibers = yield* Effect.forEach(heard, (each) => Effect.fork(each.read(service)))
      yield* TestClock.adjust(200)
      for (const fiber of fibers) {
        const error = errorOf(yield* Fiber.await(fiber))
        assert.deepStrictEqual([error?.reason, error?.interruptedBy], ["StreamInterrupted", "Unavailable"])
      }
      assert.deepStrictEqual(
        heard.map((each) => each.text),
        ["one two ", "one two "]
      )
      assert.strictEqual(stub.calls.length, 1)
    })
  )
  it.scoped("an error before the first content is a failure of the call for all", () =>
    Effect.gen(function* () {
      const { service } = yield* setup({
        delay: 10,
        fail: { reason: "Unavailable", description: "down" },
        failAfter: 0
      })
      const fibers = yield* Effect.forEach([0, 1], () => Effect.fork(Effect.scoped(opened(service))))
      yield* TestClock.adjust(10)
      for (const fiber of fibers) assert.strictEqual(errorOf(yield* Fiber.await(fiber))?.reason, "Unavailable")
    })
  )
})

/** A service with one stream, fed by the test, that counts how often it was asked to wait. */
const manual = Effect.map(Effect.scope, (scope) => {
  const upstreams: Array<EventQueue> = []
  const log: Array<string> = []
  const base = Service.request((request) =>
    Effect.clockWith((clock): Effect.Effect<LlmResponse> => {
      const number = upstreams.length
      const events = new EventQueue({
        clock,
        startedAt: 0,
        estimateInputTokens: () => 1,
        pause: () => log.push(`pause ${number}`),
        resume: () => log.push(`resume ${number}`),
        abort: () => log.push(`abort ${number}`)
      })
      upstreams.push(events)
      return Effect.succeed({ _tag: "Streaming", status: 200, headers: {}, events, journal: request.route.journal })
    })
  )
  const push = (number: number, count: number, finish = false) => {
    for (let i = 0; i < count; i++) {
      const last = finish && i === count - 1
      const json = { choices: [{ index: 0, delta: { content: "x" }, ...(last ? { finish_reason: "stop" } : {}) }] }
      upstreams[number]?.push({ data: JSON.stringify(json), json })
    }
    if (finish) upstreams[number]?.end()
  }
  const service = (options: Cache.Options) => Cache.make({ store: CacheStore.make(), scope }, options)(base)
  return { upstreams, log, push, service }
})

const eventBytes = JSON.stringify({ choices: [{ index: 0, delta: { content: "x" } }] }).length + 32

describe("backpressure", () => {
  const isPaused = (log: ReadonlyArray<string>) => log.filter((said) => said.startsWith("pause")).length

  it.scoped("a caller that stops reading stops the upstream", () =>
    Effect.gen(function* () {
      const { log, push, service } = yield* manual
      const opening = yield* Effect.fork(opened(service({})))
      yield* pause
      for (let i = 0; i < 20; i++) {
        push(0, 10)
        yield* pause
      }
      assert.deepStrictEqual(log, ["pause 0"])
      const { events } = yield* Fiber.join(opening)
      for (let read = 0; read < 200; ) read += (yield* events.pull).length
      assert.deepStrictEqual(log, ["pause 0", "resume 0"])
    })
  )
  it.scoped("a slow reader does not hold a fast one, as long as the stream can be kept", () =>
    Effect.gen(function* () {
      const { log, push, service } = yield* manual
      const cache = service({})
      const fast = new Heard()
      const slowly = yield* Effect.fork(opened(cache))
      yield* pause
      const reading = yield* Effect.fork(fast.read(cache))
      yield* pause
      for (let i = 0; i < 50; i++) {
        push(0, 10, i === 49)
        yield* pause
      }
      yield* Fiber.join(reading)
      assert.strictEqual(fast.text.length, 500)
      assert.deepStrictEqual(log, [])
      const slow = yield* Fiber.join(slowly)
      let read = 0
      for (let batch = yield* slow.events.pull; batch.length > 0; batch = yield* slow.events.pull) read += batch.length
      assert.strictEqual(read, 500)
    })
  )
  it.scoped(
    "past maxEntryBytes nobody can join, and the slowest reader holds the others once it is that far behind",
    () =>
      Effect.gen(function* () {
        const { log, push, service, upstreams } = yield* manual
        const cache = service({ maxEntryBytes: 200 * eventBytes })
        const fast = new Heard()
        const slowly = yield* Effect.fork(opened(cache))
        yield* pause
        const reading = yield* Effect.fork(fast.read(cache))
        yield* pause
        for (let i = 0; i < 20; i++) {
          push(0, 10)
          yield* pause
        }
        assert.strictEqual(fast.text.length, 200)
        for (let i = 0; i < 30; i++) {
          push(0, 10)
          yield* pause
        }
        // The slow one has 64 events in hand and lags 200 behind; a batch is never torn.
        assert.isAtLeast(fast.text.length, 264)
        assert.isAtMost(fast.text.length, 274)
        assert.strictEqual(isPaused(log), 1)

        const joining = yield* Effect.fork(opened(cache))
        yield* pause
        assert.strictEqual(upstreams.length, 2)

        const slow = yield* Fiber.join(slowly)
        slow.events.close()
        for (let i = 0; i < 10; i++) {
          push(0, 10, i === 9)
          yield* pause
        }
        yield* Fiber.join(reading)
        assert.strictEqual(fast.text.length, 600)
        yield* Fiber.interrupt(joining)
        assert.include(log, "abort 1")
        assert.notInclude(log, "abort 0")
      })
  )
  it.scoped("a slow reader of a stream that was too long to keep still gets every event", () =>
    Effect.gen(function* () {
      const { push, service } = yield* manual
      const cache = service({ maxEntryBytes: 100 * eventBytes })
      const fast = new Heard()
      const slowly = yield* Effect.fork(opened(cache))
      yield* pause
      const reading = yield* Effect.fork(fast.read(cache))
      yield* pause
      push(0, 10)
      const slow = yield* Fiber.join(slowly)
      let read = 0
      for (let i = 1; i < 100; i++) {
        push(0, 10, i === 99)
        yield* pause
        if (i % 20 === 0) read += (yield* slow.events.pull).length
      }
      for (let batch = yield* slow.events.pull; batch.length > 0; batch = yield* slow.events.pull) read += batch.length
      yield* Fiber.join(reading)
      assert.deepStrictEqual([read, fast.text.length], [1_000, 1_000])
    })
  )
})

/** Runs tasks only when it is told to, and lets a fiber yield once, after so many operations. */
class SteppedScheduler implements Scheduler.Scheduler {
  private readonly tasks: Array<() => void> = []
  private hasYielded = false

  constructor(private readonly ops: number) {}

  shouldYield(fiber: Fiber.RuntimeFiber<unknown, unknown>): number | false {
    const { currentOpCount } = fiber as unknown as { readonly currentOpCount: number }
    if (this.hasYielded || currentOpCount < this.ops) return false
    this.hasYielded = true
    return 0
  }

  scheduleTask(task: () => void): void {
    this.tasks.push(task)
  }

  step(): void {
    this.tasks.shift()?.()
  }

  drain(): void {
    while (this.tasks.length > 0) this.step()
  }
}

/** What one caller does. Times in ms. */
interface Caller {
  readonly start: number
  readonly patience: number
  readonly yields: number
  readonly maxOps: number
  readonly stream: boolean
  readonly key: string
  readonly pullGap: number
}

const words = ["one ", "two ", "three ", "four"]

/** One random schedule: callers that join, leave and read at their own pace, and an upstream that answers or fails. */
const schedule = (seed: number) => {
  const random = new Utils.PCGRandom(seed)
  const below = (bound: number) => random.integer(bound)
  const one = <A>(...all: readonly [A, ...Array<A>]): A => all[below(all.length)] as A
  const replies = Array.from({ length: 8 }, (): StubLlm.Reply => {
    const fail = { reason: one("Unavailable", "RateLimited", "InvalidRequest"), description: "as scheduled" } as const
    const delay = one(0, 1, 5, 20)
    return one<StubLlm.Reply>(
      { chunks: words, delay },
      { chunks: words, delay, firstToken: below(10), gap: below(10) },
      { chunks: words, delay, gap: below(10) },
      { delay, fail },
      { chunks: words, delay, gap: below(10), failAfter: below(4), fail }
    )
  })
  const callers = Array.from(
    { length: 2 + below(6) },
    (): Caller => ({
      start: one(0, 0, below(40)),
      patience: one(Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY, below(30)),
      yields: below(30),
      maxOps: one(2048, 19, 23, 31),
      stream: one(true, true, false),
      key: one("a", "a", "b"),
      pullGap: one(0, 0, below(15))
    })
  )
  return { replies, callers, options: { ttl: one(0, 10, 1_000), maxEntryBytes: one(1_048_576, 400) } }
}

type Ending = { readonly left: boolean; readonly text: string | undefined; readonly error: string | undefined }

/** Runs a schedule and says what was wrong with it; undefined when nothing was. */
const follow = (seed: number): Effect.Effect<string | undefined> =>
  Effect.gen(function* () {
    const { callers, options, replies } = schedule(seed)
    const time = ManualClock.make()
    const scope = yield* Scope.make()
    const stub = StubLlm.make(({ index }) => replies[index % replies.length] ?? {})
    const running = new Map<string, number>()
    let atOnce = 0
    let counted = 0
    const watched = stub.requests.pipe((next) =>
      Service.request((request) => {
        const key = `${request.caller} ${request.stream}`
        return Service.bracket(
          () => {
            const now = (running.get(key) ?? 0) + 1
            running.set(key, now)
            atOnce = Math.max(atOnce, now)
            return key
          },
          () => next.call(request),
          () => {
            running.set(key, (running.get(key) ?? 0) - 1)
          }
        )
      })
    )
    const service = watched.pipe(Cache.make({ store: CacheStore.make(), scope }, options), (next) =>
      Service.request((request) =>
        Service.bracket(
          () => request,
          () => next.call(request),
          () => {
            counted += request.route.journal.usage?.outputTokens ?? 0
          }
        )
      )
    )

    const read = (caller: Caller, events: EventStream, sofar: string): Effect.Effect<string, LlmError> =>
      Effect.flatMap(Effect.zipRight(Effect.sleep(caller.pullGap), events.pull), (batch) => {
        const joined = sofar + batch.map((event) => text(event.json)).join("")
        return batch.length === 0 ? Effect.succeed(joined) : read(caller, events, joined)
      })

    const ask = (caller: Caller): Effect.Effect<string, LlmError> => {
      const request = chat({ caller: caller.key })
      return caller.stream
        ? Effect.scoped(
            Effect.flatMap(opened(service, { ...request, stream: true }), ({ events }) => read(caller, events, ""))
          )
        : Effect.map(LlmService.complete(service, request), () => "whole")
    }

    const live = (caller: Caller): Effect.Effect<Ending> =>
      Effect.gen(function* () {
        yield* Effect.sleep(caller.start)
        const fiber = yield* Effect.fork(ask(caller))
        if (Number.isFinite(caller.patience)) {
          yield* Effect.sleep(caller.patience)
          for (let i = 0; i < caller.yields; i++) yield* Effect.yieldNow()
          yield* Fiber.interruptFork(fiber)
        }
        const exit = yield* Fiber.await(fiber)
        return {
          left: Exit.isFailure(exit) && Cause.isInterrupted(exit.cause),
          text: Exit.isSuccess(exit) ? exit.value : undefined,
          error: errorOf(exit)?.reason
        }
      }).pipe(Effect.withMaxOpsBeforeYield(caller.maxOps))

    const fiber = yield* Effect.fork(
      Effect.withClock(Effect.forEach(callers, live, { concurrency: "unbounded" }), time.clock)
    )
    for (let i = 0; i < 400 && Option.isNone(yield* Fiber.poll(fiber)); i++) {
      for (let turn = 0; turn < 12; turn++) yield* Effect.yieldNow()
      time.advance(1)
    }
    const ended = yield* Fiber.poll(fiber)
    if (Option.isNone(ended) || Exit.isFailure(ended.value)) return "somebody hangs"
    yield* pause

    const problems: Array<string> = []
    const failures = new Set(["Unavailable", "RateLimited", "InvalidRequest", "StreamInterrupted"])
    ended.value.value.forEach((ending, index) => {
      const caller = callers[index]
      if (ending.left && caller?.patience !== Number.POSITIVE_INFINITY) return
      const whole = caller?.stream === true ? words.join("") : "whole"
      const isFine = ending.text === whole || (ending.error !== undefined && failures.has(ending.error))
      if (!isFine) problems.push(`caller ${index} stayed and got ${JSON.stringify(ending)}`)
    })
    if (stub.inFlight() !== 0 || stub.openStreams() !== 0) problems.push("something is still in flight")
    if (atOnce > 1 && options.maxEntryBytes > 400) problems.push(`${atOnce} calls of one key at once`)
    const used = stub.outcomes.reduce((sum, outcome) => sum + (outcome.usage?.outputTokens ?? 0), 0)
    if (counted !== used) problems.push(`${used} tokens were used and ${counted} counted`)
    yield* Scope.close(scope, Exit.void)
    return problems.length === 0 ? undefined : problems.join("; ")
  })

describe("any schedule", () => {
  it.effect(
    "one call per key at a time, nobody hangs, who stays gets the whole answer or the error, and all is counted once",
    () =>
      Effect.gen(function* () {
        for (let seed = 0; seed < cases(1_000); seed++) {
          const problem = yield* follow(seed)
          if (problem !== undefined) assert.fail(`seed ${seed}: ${problem}`)
        }
      }),
    60_000
  )
})

describe("between two steps", () => {
  it.scoped("a stream whose response got lost on its way up is closed with its request", () =>
    Effect.gen(function* () {
      const { service, stub } = yield* setup({ chunks: words, gap: 10 })
      const lost = LlmRequest.begin(streamed(), 0)
      yield* service.call(lost)
      assert.strictEqual(stub.openStreams(), 1)
      lost.route.journal.releaseAll()
      assert.strictEqual(stub.openStreams(), 0)
      assert.strictEqual(stub.inFlight(), 0)
    })
  )

  it.scoped("what a shared call holds open is closed when the last one has left it", () =>
    Effect.gen(function* () {
      let isOpen = true
      const close = () => {
        isOpen = false
      }
      const base = Service.request((request) =>
        Effect.suspend(() => {
          request.route.journal.adopt({ close })
          return Effect.never
        })
      )
      const service = Cache.make({ store: CacheStore.make(), scope: yield* Effect.scope })(base)
      const callers = yield* Effect.forEach([0, 1], () => Effect.fork(LlmService.complete(service, chat())))
      yield* pause
      yield* Fiber.interrupt(callers[0] ?? assert.fail())
      assert.isTrue(isOpen)
      yield* Fiber.interrupt(callers[1] ?? assert.fail())
      assert.isFalse(isOpen)
    })
  )

  const flightOf = (stub: StubLlm.StubLlm, scope: Scope.Scope) =>
    Effect.clockWith((clock) => {
      const request = LlmRequest.begin(chat(), 0)
      const flight = new Flight({
        request,
        call: stub.requests.call,
        scope,
        clock,
        maxBytes: 1_000,
        store: () => Effect.void,
        onClosed: () => {}
      })
      return Effect.succeed({ leader: flight.join(request), follower: flight.join(LlmRequest.begin(chat(), 0)) })
    })

  it.scoped("a leader who leaves before it began the call leaves that to the next one", () =>
    Effect.gen(function* () {
      const stub = StubLlm.make()
      const { follower, leader } = yield* flightOf(stub, yield* Effect.scope)
      leader.leave()
      assert.strictEqual((yield* follower.answer)._tag, "Complete")
      assert.strictEqual(stub.calls.length, 1)
    })
  )
  it.scoped("wherever a leader is interrupted while it begins the call, who waits for it gets the answer", () =>
    Effect.gen(function* () {
      const scope = yield* Effect.scope
      for (let ops = 1; ops < 40; ops++) {
        const scheduler = new SteppedScheduler(ops)
        const stub = StubLlm.make()
        const { follower, leader } = yield* flightOf(stub, scope)
        const leading = Effect.runFork(
          Effect.onExit(leader.answer, () => Effect.sync(() => leader.leave())),
          {
            scheduler
          }
        )
        scheduler.step()
        leading.unsafeInterruptAsFork(leading.id())
        scheduler.drain()
        const following = yield* Effect.fork(follower.answer)
        yield* pause
        scheduler.drain()
        yield* pause
        const exit = yield* Fiber.poll(following)
        assert.isTrue(Option.isSome(exit) && Exit.isSuccess(exit.value), `interrupted after ${ops} operations`)
      }
    })
  )
})
