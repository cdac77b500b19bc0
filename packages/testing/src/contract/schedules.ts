/**
 * Random ways to end a call, and the driver that lets fibers run in a manual clock's time.
 */
import { Effect, type Exit, Fiber, Utils } from "effect"
import type { ManualClock } from "../ManualClock.js"
import type { Reply } from "../StubLlm.js"

/** What one caller does, and what the inner service does to it. Times in ms. */
export interface Schedule {
  readonly stream: boolean
  readonly reply: Reply
  /** When the call begins. */
  readonly start: number
  /** When the caller leaves, counted from its start. */
  readonly patience: number
  /** Turns of other fibers between that moment and the interruption. */
  readonly yields: number
  /** Operations between two yields of the caller's fiber: small, so that an interruption can fall between any two. */
  readonly maxOps: number
  /** Events after which a reader closes the stream; undefined to read to the end. */
  readonly pulls: number | undefined
}

/** `count` schedules from a seed. */
export const makeSchedules = (seed: number, count: number): ReadonlyArray<Schedule> => {
  const random = new Utils.PCGRandom(seed)
  const below = (bound: number): number => random.integer(bound)
  const one = <A>(...all: readonly [A, ...Array<A>]): A => all[below(all.length)] as A
  const reply = (): Reply => {
    const delay = one(0, 1, 50, 400)
    const reason = one("InvalidRequest", "Unavailable", "RateLimited", "Timeout", "Authentication")
    const fail = { reason, description: "as scheduled" } as const
    return one<Reply>(
      {},
      { delay },
      { delay, fail },
      { delay, hang: true },
      { defect: "as scheduled" },
      { text: "one two three four", delay, firstToken: below(300), gap: below(100) },
      { text: "one two three four", gap: below(100), failAfter: below(4), fail },
      { text: "one two three four", gap: below(100), stallAfter: below(4) },
      { text: "one two three four", finishReason: null }
    )
  }
  return Array.from({ length: count }, () => ({
    stream: below(2) === 0,
    reply: reply(),
    start: below(500),
    patience: one(0, below(10), below(1000), 30_000),
    yields: below(40),
    maxOps: one(2048, 19, 23, 29, 31),
    pulls: one(undefined, undefined, 1 + below(4))
  }))
}

/** Turns enough for every fiber that can run to run until it waits. */
export const settle: Effect.Effect<void> = Effect.repeatN(Effect.yieldNow(), 100)

const hour = 3_600_000

/** Runs an effect in a clock's time, in steps that grow and reach to the next who wakes, until it ends; undefined when it does not within an hour. */
export const drive = <A, E>(
  time: ManualClock,
  effect: Effect.Effect<A, E>
): Effect.Effect<Exit.Exit<A, E> | undefined> =>
  Effect.gen(function* () {
    // A daemon: an effect that cannot be interrupted must not hold up the one who drives it.
    const fiber = yield* Effect.forkDaemon(Effect.withClock(effect, time.clock))
    for (let elapsed = 0; elapsed < hour; ) {
      for (let i = 0; i < 30; i++) {
        yield* Effect.yieldNow()
        const exit = fiber.unsafePoll()
        if (exit !== null) return exit
      }
      const least = elapsed < 2000 ? 5 : elapsed < 60_000 ? 100 : 10_000
      const idle = time.next() - time.now()
      const step = idle < hour ? Math.max(least, idle) : least
      time.advance(step)
      elapsed += step
    }
    yield* Fiber.interruptFork(fiber)
    return undefined
  })
