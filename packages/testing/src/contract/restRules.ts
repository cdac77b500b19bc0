/**
 * When no call is left, nothing of the layer goes on: no fiber that waits, no timer that sleeps, but for the loops that it began
 * when it was made. Those end with its scope, at once.
 */
import { Effect, Exit, Scope } from "effect"
import { type Beside, type Broken, type BuildRule, expect, type Rule, type Subject } from "./contractRules.js"
import { endInEveryWay, fewCalls } from "./leakRules.js"
import { callInEveryWay, interruptEverywhere } from "./scheduleRules.js"
import { settle } from "./schedules.js"

/** What may still end by itself when the last call has: a timer that many calls share waits a moment for the next one. */
const grace = 1_000

const comeToRest = ({ time }: Subject): Effect.Effect<void> =>
  Effect.gen(function* () {
    yield* settle
    for (let i = 0; i < 10; i++) {
      time.advance(grace / 10)
      yield* settle
    }
  })

/** Not more than there was before. */
const nothingMore = (subject: Subject, before: Beside, after: string): Effect.Effect<void, Broken> =>
  Effect.suspend(() => {
    const { fibers, sleepers } = subject.beside()
    return expect(
      fibers <= before.fibers && sleepers <= before.sleepers,
      () =>
        `${after}, ${fibers - before.fibers} more fibers are left than before, and ${sleepers - before.sleepers} more of them sleep`
    )
  })

const callsOfEveryKind = (subject: Subject, seed: number, schedules: number): Effect.Effect<void, Broken> =>
  Effect.gen(function* () {
    yield* settle
    const before = subject.beside()
    const atRest = (after: string) =>
      Effect.zipRight(comeToRest(subject), nothingMore(subject, before, `a second after ${after}`))
    yield* interruptEverywhere(subject)
    yield* atRest("calls that were interrupted between any two operations")
    yield* callInEveryWay(subject, seed, schedules)
    yield* atRest(`calls that ended in every way (seed ${seed})`)
    yield* endInEveryWay(subject, fewCalls, undefined)
    yield* atRest("the last call")
  })

export const restRules: ReadonlyArray<readonly [name: string, rule: Rule]> = [
  [
    "leaves nothing running beside when all calls have ended",
    (subject, { schedules = 200, seed = 1 }) => callsOfEveryKind(subject, seed, schedules)
  ]
]

/** Rules about the making of a layer itself. */
export const scopeRules: ReadonlyArray<readonly [name: string, rule: BuildRule]> = [
  [
    "ends with its scope at once, also when it was made where nothing can be interrupted",
    (build) =>
      Effect.gen(function* () {
        const scope = yield* Scope.make()
        const subject = yield* Effect.uninterruptible(Scope.extend(build, scope))
        yield* endInEveryWay(subject, 1, undefined)
        yield* settle
        // A daemon: a scope that does not close must break this rule, not hang the test.
        const closing = yield* Effect.forkDaemon(Scope.close(scope, Exit.void))
        yield* settle
        yield* expect(closing.unsafePoll() !== null, () => "something goes on that its scope waits for")
        yield* comeToRest(subject)
        const none = { fibers: 0, sleepers: 0 }
        yield* nothingMore(subject, none, "a second after its scope has closed")
      })
  ]
]
