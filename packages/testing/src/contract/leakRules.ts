/**
 * What a layer never gives back shows in how many calls fit in at once, before and after, and for certain when nothing is left:
 * whatever its limit is, that many calls that have ended, and then one more.
 */
import { toStream } from "@switchyard/core/EventStream"
import { Cause, Effect, Exit, Fiber, FiberId, Stream } from "effect"
import type { Reply } from "../StubLlm.js"
import { type Broken, broken, describeExit, expect, owned, type Rule, run, type Subject } from "./contractRules.js"
import { settle } from "./schedules.js"

/** More than any limit that a test of a layer sets. */
const manyCalls = 1_001
/** Enough to see that less is left. */
export const fewCalls = 10
/** Between two calls: what was used in a window of a minute is free again, what is held for a call is not. */
const pause = 61_000

/** A way in which calls end. */
interface Ending {
  readonly what: string
  readonly reply: Reply
  readonly stream: boolean
  /** Events after which the reader leaves; undefined for one who reads to the end. */
  readonly pulls?: number
  /** The call is interrupted. */
  readonly isLeft?: boolean
  /** The call itself has to succeed. */
  readonly isGood: boolean
}

const text = "one two three"

const endings: ReadonlyArray<Ending> = [
  { what: "whole answers", reply: {}, stream: false, isGood: true },
  { what: "streams that were read to their end", reply: { text }, stream: true, isGood: true },
  { what: "streams that their readers closed", reply: { text, stallAfter: 2 }, stream: true, pulls: 1, isGood: true },
  {
    what: "streams that broke",
    reply: { text, failAfter: 1, fail: { reason: "Unavailable", description: "reset" } },
    stream: true,
    isGood: false
  },
  {
    what: "calls that were refused as wrong",
    reply: { fail: { reason: "InvalidRequest", description: "400" } },
    stream: false,
    isGood: false
  },
  {
    what: "streams that failed before they opened",
    reply: { fail: { reason: "Unavailable", description: "503" } },
    stream: true,
    isGood: false
  },
  { what: "calls that were interrupted", reply: { hang: true }, stream: false, isLeft: true, isGood: false },
  { what: "streams that were interrupted", reply: { hang: true }, stream: true, isLeft: true, isGood: false }
]

/**
 * One call from its beginning to its end; a reader who leaves closes what is open. Each asks for something else, so that no
 * cache has its answer.
 */
const once = (subject: Subject, { pulls, stream }: Pick<Ending, "pulls" | "stream">) => {
  const built = subject.build(stream, `Say ${subject.stub.calls.length}.`)
  return Effect.flatMap(owned(built), (response) => {
    if (response._tag === "Complete") return Effect.void
    const events = toStream(response.events)
    return Stream.runDrain(pulls === undefined ? events : Stream.take(events, pulls))
  }).pipe(Effect.ensuring(Effect.sync(built.release)))
}

/** A call whose caller leaves it before it ends. */
const left = (subject: Subject, stream: boolean, turns: number): Effect.Effect<void> =>
  Effect.gen(function* () {
    const fiber = yield* Effect.forkDaemon(Effect.withClock(once(subject, { stream }), subject.time.clock))
    for (let i = 0; i < turns; i++) yield* Effect.yieldNow()
    yield* Fiber.interruptFork(fiber)
    for (let i = 0; i < 5; i++) yield* Effect.yieldNow()
  })

const hour = 3_600_000

/** A call and a stream succeed, at the latest after an hour: a breaker may still be closed by what failed before. */
export const works = (subject: Subject, after: string): Effect.Effect<void, Broken> =>
  Effect.gen(function* () {
    subject.stub.reply({ text })
    for (const stream of [false, true]) {
      const until = subject.time.now() + hour
      for (;;) {
        const exit = yield* run(subject, once(subject, { stream }))
        if (Exit.isSuccess(exit)) break
        if (Cause.isDie(exit.cause) || subject.time.now() > until) {
          return yield* broken(`after ${after} no call succeeds any more: ${describeExit(exit)}`)
        }
        subject.time.advance(pause)
      }
    }
  })

/** Nothing is held while no call is in flight, as far as the one who made the layer can tell. */
export const nothingHeld = (held: (() => number) | undefined, after: string): Effect.Effect<void, Broken> =>
  Effect.suspend(() => {
    const count = held?.() ?? 0
    return expect(count === 0, () => `nothing is in flight ${after}, and ${count} are still held`)
  })

/** Calls that nobody let through, one after the other, until no more are made. */
const patience = 20

/** How many calls the layer lets through at once, up to so many, as its status and its calls say. They are interrupted then. */
const roomFor = (subject: Subject, stream: boolean, most: number): Effect.Effect<number> =>
  Effect.gen(function* () {
    const { status, stub, time } = subject
    stub.reply({ hang: true })
    const fibers: Array<Fiber.RuntimeFiber<void, unknown>> = []
    const isOpen = () => (status?.()._tag ?? "Open") === "Open"
    while (fibers.length < most && fibers.length - stub.inFlight() < patience && isOpen()) {
      fibers.push(yield* Effect.forkDaemon(Effect.withClock(once(subject, { stream }), time.clock)))
      yield* Effect.yieldNow()
    }
    yield* settle
    const found = stub.inFlight()
    for (const fiber of fibers) fiber.unsafeInterruptAsFork(FiberId.none)
    yield* settle
    return found
  })

const kinds = [false, true]

/** How many plain calls, and how many streams. */
const room = (subject: Subject, most: number): Effect.Effect<ReadonlyArray<number>> =>
  Effect.forEach(kinds, (stream) => roomFor(subject, stream, most))

/** So many calls end in each way; those that should succeed do, and afterwards the layer still works. */
export const endInEveryWay = (
  subject: Subject,
  calls: number,
  held: (() => number) | undefined
): Effect.Effect<void, Broken> =>
  Effect.gen(function* () {
    for (const ending of endings) {
      subject.stub.reply(ending.reply)
      for (let done = 0; done < calls; done++) {
        subject.time.advance(pause)
        if (ending.isLeft === true) {
          yield* left(subject, ending.stream, 1 + (done % 8))
          continue
        }
        const exit = yield* run(subject, once(subject, ending))
        if (ending.isGood && Exit.isFailure(exit)) {
          return yield* broken(`one failed after ${done} ${ending.what}: ${describeExit(exit)}`)
        }
      }
      yield* works(subject, `${calls} ${ending.what}`)
      yield* nothingHeld(held, `after ${calls} ${ending.what}`)
    }
  })

export const leakRules: ReadonlyArray<readonly [name: string, rule: Rule]> = [
  [
    "still answers when any number of calls has ended, in whichever way",
    (subject, { calls = manyCalls, held }) =>
      Effect.gen(function* () {
        yield* endInEveryWay(subject, fewCalls, held)
        if (held !== undefined) return
        subject.time.advance(hour)
        const first = yield* room(subject, calls)
        if (first.every((found) => found >= calls)) return
        subject.time.advance(hour)
        yield* endInEveryWay(subject, fewCalls, held)
        subject.time.advance(hour)
        const then = yield* room(subject, calls)
        if (then.every((found, kind) => found >= (first[kind] ?? 0))) return
        // Less room may be a lost permit, or caution after failures; only the former ends in none at all.
        subject.time.advance(hour)
        yield* endInEveryWay(subject, calls, held)
      })
  ]
]
