/** A process's side of room that it is lent, over a server whose answers the tests choose. */
import { assert, describe, it } from "@effect/vitest"
import { type AdmitAsk, EngineError, type SharedUse } from "@switchyard/router/Engine"
import { Deferred, Effect, Exit, Fiber, Scope, TestClock } from "effect"
import * as Borrowed from "../../src/engine/borrowed.js"
import { Debt } from "../../src/engine/debt.js"
import type { Answer, LendingUsage, Word } from "../../src/engine/usage.js"

const nothing: SharedUse = { requests: 0, tokens: 0, calls: 0, requestsFreeIn: undefined, tokensFreeIn: undefined }

const room = { requests: 256, tokens: 0, calls: 256 }

const ask = (attempt: string, rpm = 100_000): AdmitAsk => ({
  key: "k",
  attempt,
  limits: { rpm, tpm: undefined, maxParallel: undefined },
  tokens: 1,
  lease: 10_000,
  window: 60_000
})

/** A server that lends to whoever wants it; `before` is waited for before it answers. */
const server = (before: (ask: AdmitAsk) => Effect.Effect<void>) => {
  const words: Array<Word> = []
  const usage: LendingUsage = {
    borrow: (asked, loan): Effect.Effect<Answer> =>
      Effect.as(before(asked), {
        answer: { _tag: "Admitted", number: 1, use: nothing },
        granted: loan === undefined ? undefined : room,
        isLent: false
      }),
    tell: (word) =>
      Effect.sync(() => {
        words.push(word)
        return { isRecalled: false, moment: 1, granted: room, use: nothing }
      }),
    admit: () => Effect.never,
    settle: () => Effect.void,
    release: () => Effect.void,
    renew: () => Effect.succeed([]),
    record: () => Effect.void,
    look: () => Effect.succeed([])
  }
  return { usage, words }
}

const news = { publish: () => Effect.void, listen: () => Effect.void }

describe("room that a process is lent", () => {
  it.scoped("is given back at once when limits have changed before it came", () =>
    Effect.gen(function* () {
      const late = yield* Deferred.make<void>()
      const { usage, words } = server(({ attempt }) => (attempt === "late" ? Deferred.await(late) : Effect.void))
      const scope = yield* Scope.make()
      const process = yield* Scope.extend(
        Borrowed.make("me", usage, news, () => 1),
        scope
      )
      for (let index = 0; index < 7; index++) yield* process.usage.admit(ask(`${index}`))
      const asking = yield* Effect.fork(process.usage.admit(ask("late")))
      yield* Effect.yieldNow()
      // A reload: from now on others are in force.
      yield* process.usage.admit(ask("after the reload", 50_000))
      yield* Deferred.succeed(late, undefined)
      yield* Fiber.join(asking)
      yield* TestClock.adjust("100 millis")
      const old = words.filter(({ loan }) => loan.name === "me:1")
      assert.deepStrictEqual(
        old.map(({ told: { isClosed, less, running } }) => ({ isClosed, less, running })),
        [{ isClosed: true, less: room, running: 0 }]
      )
      // What the limits of now were lent for is still there.
      assert.strictEqual(process.lent?.admit(ask("by the loan", 50_000))?._tag, "Admitted")
      assert.isUndefined(process.lent?.admit(ask("by the old one")))
      // The end waits a moment for the last words.
      const ending = yield* Effect.fork(Scope.close(scope, Exit.void))
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(ending)
    })
  )
})

describe("a loan of which the server knows nothing any more", () => {
  it("is over, also when its last word was never answered", () => {
    const debt = new Debt("me:1", 1, ask("a"), 0)
    debt.grant(room, nothing, 0, 0)
    debt.block.take("a", 1, 1)
    assert.isDefined(debt.word(1, 50))
    debt.lose()
    assert.isFalse(debt.isOver, "the word may still be answered")
    debt.unanswered(60)
    assert.isTrue(debt.isOver)
    assert.isUndefined(debt.word(1, 10_000))
  })

  it.scoped("is not spoken of for ever", () =>
    Effect.gen(function* () {
      const { usage } = server(() => Effect.void)
      let told = 0
      let isGone = false
      const failing: LendingUsage = {
        ...usage,
        borrow: (asked, loan) =>
          Effect.map(usage.borrow(asked, loan), (answer) => (isGone ? { ...answer, granted: undefined } : answer)),
        tell: () =>
          Effect.suspend(() => {
            told++
            return new EngineError({ reason: "slow", description: "no answer" })
          })
      }
      const process = yield* Borrowed.make("me", failing, news, () => 1)
      for (let index = 0; index < 8; index++) yield* process.usage.admit(ask(`${index}`))
      assert.isDefined(process.lent?.admit(ask("lent")))
      yield* TestClock.adjust("60 millis")
      isGone = true
      yield* process.usage.admit(ask("more"))
      const before = told
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(told, before)
    })
  )
})
