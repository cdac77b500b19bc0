import { assert, describe, it } from "@effect/vitest"
import { LlmError } from "@switchyard/core/LlmError"
import * as LlmRequest from "@switchyard/core/LlmRequest"
import * as Service from "@switchyard/core/Service"
import { cases } from "@switchyard/testing/Effort"
import { countOperations } from "@switchyard/testing/Operations"
import * as StubLlm from "@switchyard/testing/StubLlm"
import { Cause, Effect, Exit, Fiber, FastCheck as fc, TestClock } from "effect"

const attemptOf = (stream = false) =>
  StubLlm.attempt(
    LlmRequest.begin(LlmRequest.chat({ model: "m", messages: [{ role: "user", content: "Hi" }], stream }), 0),
    StubLlm.slot("a")
  )

const failed = new LlmError({ reason: "Unavailable", description: "down" })

/** What is held, and what was ever taken and given back. */
class Tally {
  held = 0
  taken = 0
  given = 0
}

const holding = (tally: Tally): Service.AttemptLayer =>
  Service.bracketAttempt<void>({
    begin: () => {
      tally.held++
      tally.taken++
    },
    end: () => {
      tally.held--
      tally.given++
    }
  })

/** Calls once more after a failure and a wait, in the region that is open. */
const again = (wait: Effect.Effect<void>): Service.AttemptLayer => {
  return (next) => {
    const enter = Service.entry(next)
    return Service.attemptWithin(
      (attempt, region) =>
        Service.recovered(enter(attempt, region), () =>
          Effect.flatMap(Service.waiting(region, wait), () => enter(attempt, region))
        ),
      next.status
    )
  }
}

/** Shares no region: what is inside opens one of its own. */
const plain: Service.AttemptLayer = (next) => Service.attempt((attempt) => next.call(attempt), next.status)

/** A base that is told when its caller leaves, and answers when it is let. */
const awaited = () => {
  const left: Array<string> = []
  const waiting: Array<(answer: Service.Call) => void> = []
  const base = Service.attemptWithin((_, region) =>
    Service.awaiting(region, (resume) => {
      waiting.push(resume)
      return () => void left.push("left")
    })
  )
  return { base, left, waiting }
}

describe("layers that share a region", () => {
  it.effect("cost two operations or one where each would have cost seven", () =>
    Effect.gen(function* () {
      const tally = new Tally()
      const { attempts } = StubLlm.make()
      const retrying = again(Effect.void)
      const shared = attempts.pipe(holding(tally), retrying, holding(tally), retrying, holding(tally))
      const split = attempts.pipe(
        holding(tally),
        plain,
        retrying,
        plain,
        holding(tally),
        plain,
        retrying,
        plain,
        holding(tally)
      )
      const few = yield* countOperations(shared.call(attemptOf()))
      const many = yield* countOperations(split.call(attemptOf()))
      assert.isAtMost(few, many - 12)
      assert.strictEqual(tally.held, 0)
    })
  )

  it.effect("wait so that they can be interrupted, and give back what they hold", () =>
    Effect.gen(function* () {
      const tally = new Tally()
      const stub = StubLlm.make({ fail: { reason: "Unavailable", description: "down" } })
      const service = stub.attempts.pipe(holding(tally), again(Effect.never), holding(tally))
      const fiber = yield* Effect.fork(service.call(attemptOf()))
      yield* TestClock.adjust("1 second")
      assert.strictEqual(tally.held, 1)
      const exit = yield* Fiber.interrupt(fiber)
      assert.isTrue(Exit.isInterrupted(exit))
      assert.deepStrictEqual([tally.held, tally.given], [0, 2])
    })
  )

  it.effect("tell what they wait for that its caller has left, once, and not when it has answered", () =>
    Effect.gen(function* () {
      for (const outside of [(next: Service.AttemptService) => next, holding(new Tally())]) {
        const { base, left, waiting } = awaited()
        const service = outside(base)
        const fiber = yield* Effect.fork(service.call(attemptOf()))
        yield* TestClock.adjust("1 second")
        yield* Fiber.interrupt(fiber)
        assert.deepStrictEqual(left, ["left"])
        const failing = yield* Effect.fork(service.call(attemptOf()))
        yield* TestClock.adjust("1 second")
        waiting[1]?.(Effect.fail(failed))
        assert.deepStrictEqual(yield* Fiber.await(failing), Exit.fail(failed))
        assert.deepStrictEqual(left, ["left"])
      }
    })
  )

  it.effect("stay uninterruptible where their caller is", () =>
    Effect.gen(function* () {
      const { base, left, waiting } = awaited()
      const service = base.pipe(holding(new Tally()))
      const fiber = yield* Effect.fork(Effect.uninterruptible(service.call(attemptOf())))
      yield* TestClock.adjust("1 second")
      const interrupting = yield* Effect.fork(Fiber.interrupt(fiber))
      yield* TestClock.adjust("1 second")
      assert.isNull(interrupting.unsafePoll())
      waiting[0]?.(Effect.fail(failed))
      yield* Fiber.join(interrupting)
      assert.deepStrictEqual(left, [])
    })
  )

  it.effect("die of what throws within, as a call, and give back what they hold", () =>
    Effect.gen(function* () {
      const tally = new Tally()
      const broken = Service.attempt(() => {
        throw new Error("bug")
      })
      const service = broken.pipe(again(Effect.void), holding(tally), again(Effect.void), holding(tally))
      const exit = yield* Effect.exit(service.call(attemptOf()))
      assert.isTrue(Exit.isFailure(exit) && Cause.isDie(exit.cause))
      assert.deepStrictEqual([tally.held, tally.given], [0, 2])
    })
  )

  it.effect("are left out where a layer puts another call in the place of theirs", () =>
    Effect.gen(function* () {
      const tally = new Tally()
      let calls = 0
      const { attempts } = StubLlm.make()
      const inner = attempts.pipe(holding(tally), again(Effect.void))
      const counted: Service.AttemptService = {
        ...inner,
        call: (attempt) => {
          calls++
          return inner.call(attempt)
        }
      }
      yield* counted.pipe(again(Effect.void), holding(tally)).call(attemptOf())
      assert.deepStrictEqual([calls, tally.held, tally.given], [1, 0, 2])
    })
  )
})

interface Case {
  /** Innermost first: a bracket, one that calls again, or one that shares nothing. */
  readonly layers: ReadonlyArray<"hold" | "again" | "plain">
  readonly stream: boolean
  readonly fails: boolean
  readonly maxOps: number
  readonly shift: number
  readonly yields: number
}

const caseOf: fc.Arbitrary<Case> = fc.record({
  layers: fc.array(fc.constantFrom<Case["layers"][number]>("hold", "again", "plain"), { minLength: 1, maxLength: 7 }),
  stream: fc.boolean(),
  fails: fc.boolean(),
  maxOps: fc.integer({ min: 15, max: 60 }),
  shift: fc.nat({ max: 8 }),
  yields: fc.nat({ max: 40 })
})

describe("under random schedules and interruptions", () => {
  it.effect(
    "whatever shares a region, all that was taken is given back once",
    () =>
      Effect.gen(function* () {
        const seed = 161
        const checked = (one: Case) =>
          Effect.gen(function* () {
            const hint = `seed ${seed}, ${JSON.stringify(one)}`
            const tally = new Tally()
            const stub = StubLlm.make(one.fails ? { fail: { reason: "Unavailable", description: "down" } } : {})
            const layers = {
              hold: holding(tally),
              again: again(Effect.yieldNow()),
              plain
            }
            const service = one.layers.reduce((next, layer) => layers[layer](next), stub.attempts)
            const attempt = attemptOf(one.stream)
            let owned: Effect.Effect<unknown, LlmError> = Effect.ensuring(
              service.call(attempt),
              Effect.sync(() => attempt.release())
            )
            for (let i = 0; i < one.shift; i++) {
              const later = owned
              owned = Effect.suspend(() => later)
            }
            const fiber = yield* Effect.fork(Effect.withMaxOpsBeforeYield(owned, one.maxOps))
            for (let i = 0; i < one.yields; i++) yield* Effect.yieldNow()
            yield* Fiber.interrupt(fiber)
            assert.strictEqual(tally.held, 0, hint)
            assert.strictEqual(tally.given, tally.taken, hint)
            assert.strictEqual(stub.inFlight(), 0, hint)
            assert.strictEqual(stub.openStreams(), 0, hint)
            assert.strictEqual(stub.outcomes.length, stub.calls.length, hint)
          })
        yield* Effect.forEach(fc.sample(caseOf, { seed, numRuns: cases(2000) }), checked, {
          concurrency: 50,
          discard: true
        })
      }),
    120_000
  )
})
