import { assert, describe, it } from "@effect/vitest"
import { LlmError } from "@switchyard/core/LlmError"
import * as LlmRequest from "@switchyard/core/LlmRequest"
import type { Outcome } from "@switchyard/core/Outcome"
import * as Service from "@switchyard/core/Service"
import { busy, closed } from "@switchyard/core/Status"
import { countOperations } from "@switchyard/testing/Operations"
import * as StubLlm from "@switchyard/testing/StubLlm"
import { Cause, Deferred, Effect, Exit, Fiber, TestClock } from "effect"

const refused = new LlmError({ reason: "Rejected", description: "full" })

/** A layer that writes down what it does. */
const noted = (name: string, log: Array<string>, more: Partial<Service.AttemptBracket<string>> = {}) =>
  Service.bracketAttempt<string>({
    begin: () => {
      log.push(`+${name}`)
      return name
    },
    end: (taken, { _tag }) => log.push(`-${taken} ${_tag}`),
    ...more
  })

/** Passes everything on, and is no bracket: it splits a run. */
const plain: Service.AttemptLayer = (next) => Service.attempt((attempt) => next.call(attempt), next.status)

const make = (reply: StubLlm.Reply = {}, stream = false) => {
  const stub = StubLlm.make(reply)
  const attempt = () =>
    StubLlm.attempt(
      LlmRequest.begin(LlmRequest.chat({ model: "m", messages: [{ role: "user", content: "Hi" }], stream }), 0),
      StubLlm.slot("a")
    )
  return { stub, attempt, log: [] as Array<string> }
}

/** The same layers as one bracket, and each in one of its own. */
const ways = [
  ["folded", (layer: Service.AttemptLayer) => layer],
  [
    "split",
    (layer: Service.AttemptLayer): Service.AttemptLayer =>
      (next) =>
        layer(plain(next))
  ]
] as const

describe.each(ways)("brackets around brackets, %s", (_, way) => {
  it.effect("begin from outside and end from inside", () =>
    Effect.gen(function* () {
      const { attempt, log, stub } = make()
      const service = stub.attempts.pipe(way(noted("in", log)), way(noted("mid", log)), way(noted("out", log)))
      yield* service.call(attempt())
      yield* service.call(attempt())
      const once = ["+out", "+mid", "+in", "-in Completed", "-mid Completed", "-out Completed"]
      assert.deepStrictEqual(log, [...once, ...once])
    })
  )

  it.effect("a refusal ends what stands around it, with its error, and asks nobody inside", () =>
    Effect.gen(function* () {
      const { attempt, log, stub } = make()
      const errors: Array<Outcome> = []
      const service = stub.attempts.pipe(
        way(noted("in", log)),
        way(noted("mid", log, { begin: () => refused })),
        way(noted("out", log, { end: (_, outcome) => errors.push(outcome) }))
      )
      assert.strictEqual(yield* Effect.flip(service.call(attempt())), refused)
      assert.deepStrictEqual(log, ["+out"])
      assert.deepStrictEqual(errors, [{ _tag: "Failed", error: refused, usage: undefined }])
      assert.strictEqual(stub.calls.length, 0)
    })
  )

  it.effect("a begin that asks a store is waited for, and may refuse as well", () =>
    Effect.gen(function* () {
      const { attempt, log, stub } = make()
      let answer: Effect.Effect<string, LlmError> = Effect.as(Effect.sleep("1 second"), "lent")
      const at: Array<number> = []
      const note = (now: number) => {
        at.push(now)
        log.push("+in")
        return "in"
      }
      const service = stub.attempts.pipe(
        way(noted("in", log, { begin: (_, now) => note(now) })),
        way(noted("store", log, { begin: () => answer })),
        way(noted("out", log))
      )
      const fiber = yield* Effect.fork(service.call(attempt()))
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(fiber)
      assert.deepStrictEqual(at, [1000], "what begins after the wait begins at a later time")
      answer = Effect.zipRight(Effect.yieldNow(), Effect.fail(refused))
      assert.strictEqual(yield* Effect.flip(service.call(attempt())), refused)
      const first = ["+out", "+in", "-in Completed", "-lent Completed", "-out Completed"]
      assert.deepStrictEqual(log, [...first, "+out", "-out Failed"])
      assert.strictEqual(stub.calls.length, 1)
    })
  )

  it.effect("an interruption while a store is asked loses nothing of what it gives", () =>
    Effect.gen(function* () {
      const { attempt, log, stub } = make()
      const store = yield* Deferred.make<string>()
      const service = stub.attempts.pipe(
        way(noted("in", log)),
        way(noted("store", log, { begin: () => Deferred.await(store) })),
        way(noted("out", log))
      )
      const fiber = yield* Effect.fork(service.call(attempt()))
      yield* Effect.yieldNow()
      const leaving = yield* Effect.fork(Fiber.interrupt(fiber))
      yield* Effect.yieldNow()
      yield* Deferred.succeed(store, "lent")
      yield* Fiber.join(leaving)
      assert.deepStrictEqual(log.filter((line) => line.startsWith("-")).slice(-2), [
        "-lent Abandoned",
        "-out Abandoned"
      ])
      assert.strictEqual(stub.calls.length, 0)
    })
  )

  it.effect("whatever throws, everything that was taken is given back once", () =>
    Effect.gen(function* () {
      const bug = (): never => {
        throw new Error("bug")
      }
      const cases: ReadonlyArray<readonly [Partial<Service.AttemptBracket<string>>, ReadonlyArray<string>]> = [
        [{ begin: bug }, ["+out", "-out Failed"]],
        [{ pass: bug }, ["+out", "+mid", "-mid Failed", "-out Failed"]],
        [{ onResponse: bug }, ["+out", "+mid", "+in", "-in Failed", "-mid Failed", "-out Failed"]],
        [{ end: bug }, ["+out", "+mid", "+in", "-in Completed", "-out Failed"]]
      ]
      for (const [more, expected] of cases) {
        const { attempt, log, stub } = make()
        const service = stub.attempts.pipe(way(noted("in", log)), way(noted("mid", log, more)), way(noted("out", log)))
        const exit = yield* Effect.exit(service.call(attempt()))
        assert.isTrue(Exit.isFailure(exit) && Cause.isDie(exit.cause), `${Object.keys(more)}: the defect goes on`)
        const hint = Object.keys(more).join()
        const split = log.filter((line) => hint !== "onResponse" || !line.startsWith("-in"))
        assert.deepStrictEqual(
          split,
          expected.filter((line) => hint !== "onResponse" || !line.startsWith("-in")),
          hint
        )
        assert.strictEqual(stub.inFlight(), 0)
      }
    })
  )

  it.effect("streams: first content and end have one time each, and all hear of both", () =>
    Effect.gen(function* () {
      const { attempt, log, stub } = make({ text: "a b", firstToken: 30, gap: 20 }, true)
      const told = (name: string) =>
        way(
          noted(name, log, {
            onResponse: (taken, { _tag }, at) => log.push(`${taken} ${_tag} ${at}`),
            onFirstContent: (taken, at) => log.push(`${taken} content ${at}`),
            end: (taken, { _tag }, at) => log.push(`-${taken} ${_tag} ${at}`)
          })
        )
      const service = stub.attempts.pipe(told("in"), told("out"))
      const response = yield* service.call(attempt())
      if (response._tag !== "Streaming") return assert.fail("not a stream")
      yield* TestClock.adjust(40)
      response.events.close()
      response.events.close()
      assert.deepStrictEqual(log, [
        "+out",
        "+in",
        "in Streaming 0",
        "out Streaming 0",
        "in content 30",
        "out content 30",
        "-in Abandoned 40",
        "-out Abandoned 40"
      ])
    })
  )

  it.effect("an end that throws when a stream settles keeps no other from hearing of it", () =>
    Effect.gen(function* () {
      const { attempt, log, stub } = make({ text: "a b", stallAfter: 1 }, true)
      const bug = noted("mid", log, {
        end: () => {
          throw new Error("bug")
        }
      })
      const service = stub.attempts.pipe(way(noted("in", log)), way(bug), way(noted("out", log)))
      const response = yield* service.call(attempt())
      if (response._tag === "Streaming") response.events.close()
      assert.deepStrictEqual(
        log.filter((line) => line.startsWith("-")).map((line) => line.slice(0, 4)),
        ["-in ", "-out"]
      )
    })
  )

  it.effect("each sees the request as it came to it, and passes on its own", () =>
    Effect.gen(function* () {
      const { attempt, log, stub } = make()
      const renamed = (name: string) =>
        Service.bracketRequest<void>({
          begin: ({ model }) => {
            log.push(`${name} ${model}`)
          },
          pass: (request) => ({ ...request, model: `${request.model}${name}` }),
          end: (_, __, ___, { model }) => log.push(`-${name} ${model}`)
        })
      const base = Service.request(({ model }) => {
        log.push(model)
        return stub.attempts.call(attempt())
      })
      yield* base.pipe(renamed("b"), renamed("a")).call(attempt().request)
      assert.deepStrictEqual(log, ["a m", "b ma", "mab", "-b ma", "-a m"])
    })
  )

  it.effect("one that has nothing to do is left out", () =>
    Effect.gen(function* () {
      const { attempt, log, stub } = make()
      const idle = noted("idle", log, { when: () => false, pass: () => assert.fail("passed") })
      yield* stub.attempts.pipe(way(noted("in", log)), way(idle), way(noted("out", log))).call(attempt())
      assert.deepStrictEqual(log, ["+out", "+in", "-in Completed", "-out Completed"])
    })
  )

  it("the status is the worst of all", () => {
    const { attempt, log, stub } = make()
    const service = stub.attempts.pipe(
      way(noted("in", log, { status: () => busy("rpm", 5) })),
      way(noted("out", log)),
      way(noted("out", log, { status: () => closed("cooldown", 7) }))
    )
    const { request, slot } = attempt()
    assert.deepStrictEqual(service.status(slot, request, 0), closed("cooldown", 7))
    stub.setStatus(closed("inner"))
    assert.deepStrictEqual(service.status(slot, request, 0), closed("inner"))
  })
})

describe("the fold", () => {
  const answer = StubLlm.make().attempts.call(make().attempt())

  it.effect("adjacent brackets cost the operations of one, whatever else they are composed with", () =>
    Effect.gen(function* () {
      const response = yield* answer
      const base = Service.attempt(() => Effect.succeed(response))
      const { attempt } = make()
      const layers = (n: number, layer: Service.AttemptLayer) =>
        Array.from({ length: n }).reduce<Service.AttemptService>((next) => layer(next), base)
      const watch = Service.bracketAttempt<void>({ begin: () => {}, end: () => {} })
      const cost = (service: Service.AttemptService) => countOperations(service.call(attempt()))
      const [none, one, eight] = [yield* cost(base), yield* cost(layers(1, watch)), yield* cost(layers(8, watch))]
      assert.isAtMost(one - none, 7)
      assert.strictEqual(eight, one)
      const split = yield* cost(layers(4, watch).pipe(plain, watch, watch))
      assert.strictEqual(split - none, 2 * (one - none), "a layer of another kind splits them")
    })
  )

  it.effect("a service with another call than it was made with is no part of it", () =>
    Effect.gen(function* () {
      const { attempt, log, stub } = make()
      const inner = noted("in", log)(stub.attempts)
      const other = { ...inner, call: stub.attempts.call }
      yield* noted("out", log)(other).call(attempt())
      assert.deepStrictEqual(log, ["+out", "-out Completed"])
      yield* inner.call(attempt())
      assert.deepStrictEqual(log.slice(2), ["+in", "-in Completed"], "the inner service stands for itself")
    })
  )

  it.effect("nothing to do for any of them is the inner service itself", () =>
    Effect.gen(function* () {
      const call = Effect.never
      const idle = Service.bracketAttempt<void>({ when: () => false, begin: () => assert.fail("begun") })
      const service = idle(idle(Service.attempt(() => call)))
      assert.strictEqual(service.call(make().attempt()), call)
    })
  )
})

describe.each(ways)("what a bracket learns of an end, %s", (_, way) => {
  const priced = Service.bracketAttempt<void>({
    begin: () => {},
    learn: (_, { usage }) => (usage === undefined ? undefined : { cost: usage.outputTokens })
  })
  const watched = () => {
    const told: Array<string> = []
    const watcher = (name: string) =>
      Service.bracketAttempt<void>({
        begin: () => {},
        end: (_, { _tag, cost }) => told.push(`${name} ${_tag} ${cost}`)
      })
    return {
      told,
      layer: (next: Service.AttemptService) => next.pipe(way(priced), way(watcher("out")), way(watcher("far")))
    }
  }

  it.effect("is heard by those outside it, and stands in the answer", () =>
    Effect.gen(function* () {
      const { attempt, stub } = make()
      const { layer, told } = watched()
      const response = yield* layer(stub.attempts).call(attempt())
      assert.deepStrictEqual(told, ["out Completed 5", "far Completed 5"])
      assert.strictEqual(response._tag === "Complete" ? response.outcome.cost : undefined, 5)
      stub.reply({ fail: { reason: "Unavailable", description: "down" } })
      yield* Effect.flip(layer(stub.attempts).call(attempt()))
      assert.deepStrictEqual(told.slice(2), ["out Failed undefined", "far Failed undefined"])
    })
  )

  it.effect("is heard at the end of a stream, however it ends", () =>
    Effect.gen(function* () {
      const { attempt, stub } = make({ chunks: ["four"], stallAfter: 1 }, true)
      const { layer, told } = watched()
      const response = yield* layer(stub.attempts).call(attempt())
      if (response._tag !== "Streaming") return assert.fail("no stream")
      yield* response.events.pull
      response.events.close()
      assert.strictEqual(response.events.settlement.outcome?.cost, 1)
      assert.deepStrictEqual(told, ["out Abandoned 1", "far Abandoned 1"])
    })
  )

  it.effect("leaks nothing where it throws", () =>
    Effect.gen(function* () {
      for (const stream of [false, true]) {
        const { attempt, log, stub } = make({}, stream)
        const broken = noted("broken", log, {
          learn: () => {
            throw new Error("a bug")
          }
        })
        const service = stub.attempts.pipe(way(noted("in", log)), way(broken), way(noted("out", log)))
        const exit = yield* Effect.exit(
          Effect.tap(service.call(attempt()), (response) =>
            response._tag === "Streaming" ? Effect.exit(response.events.pull) : Effect.void
          )
        )
        assert.strictEqual(Exit.isFailure(exit), !stream)
        assert.strictEqual(log.filter((line) => line.startsWith("-")).length, 3, log.join())
        assert.strictEqual(stub.inFlight(), 0)
      }
    })
  )
})
