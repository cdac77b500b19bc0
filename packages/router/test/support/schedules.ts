import { cases } from "@switchyard/testing/Effort"
import { Clock, Duration, Effect, type Fiber, FiberId, Random, type Scheduler } from "effect"
import { PCGRandom } from "effect/Utils"

interface Timer {
  readonly at: number
  readonly fire: () => void
}

/**
 * A clock, a scheduler and a source of randomness in the hand of the test, for property tests with thousands of schedules: nothing
 * runs in real time, a fiber that has run `opsBeforeYield` operations lets the others go first, and the same schedule is the same run.
 */
export class VirtualTime implements Scheduler.Scheduler {
  /** ms */
  now = 0
  private timers: Array<Timer> = []
  private readonly tasks: Array<() => void> = []
  private readonly random = Random.make("virtual time")

  constructor(private readonly opsBeforeYield: number = 2048) {}

  shouldYield(fiber: Fiber.RuntimeFiber<unknown, unknown>): number | false {
    const { currentOpCount } = fiber as unknown as { readonly currentOpCount: number }
    // A yield with a priority would cost a dozen operations itself, and with few allowed it would never end.
    return currentOpCount > this.opsBeforeYield ? (undefined as unknown as number) : false
  }

  scheduleTask(task: () => void): void {
    this.tasks.push(task)
  }

  /** Lets fibers run, at most that many steps; whether nothing is left to do at this instant. */
  flush(steps = Number.POSITIVE_INFINITY): boolean {
    for (let i = 0; i < steps; i++) {
      const task = this.tasks.shift()
      if (task === undefined) return true
      task()
    }
    return this.tasks.length === 0
  }

  /** How many sleep. */
  get sleepers(): number {
    return this.timers.length
  }

  /** Lets the time pass, instant by instant; `onInstant` looks at each when it has come to rest. */
  advance(to: number, onInstant: () => void = () => {}): void {
    this.flush()
    for (;;) {
      const next = Math.min(...this.timers.map((timer) => timer.at))
      if (next > to) break
      this.now = Math.max(this.now, next)
      const due = this.timers.filter((timer) => timer.at <= this.now)
      this.timers = this.timers.filter((timer) => timer.at > this.now)
      for (const timer of due) timer.fire()
      this.flush()
      if (!this.timers.some((timer) => timer.at <= this.now)) onInstant()
    }
    this.now = to
    onInstant()
  }

  /** Lets the time pass, instant by instant, for as long as somebody sleeps and it is not done. */
  pass(isDone: () => boolean): void {
    this.flush()
    while (!isDone() && this.timers.length > 0) {
      this.advance(Math.min(...this.timers.map((timer) => timer.at)))
    }
  }

  /** Starts an effect in this time. */
  fork<A, E>(effect: Effect.Effect<A, E>): Fiber.RuntimeFiber<A, E> {
    return Effect.runFork(Effect.withRandom(Effect.withClock(effect, this.clock), this.random), { scheduler: this })
  }

  /** Asks a fiber to stop. */
  interrupt(fiber: Fiber.RuntimeFiber<unknown, unknown>): void {
    fiber.unsafeInterruptAsFork(FiberId.none)
  }

  readonly clock: Clock.Clock = {
    [Clock.ClockTypeId]: Clock.ClockTypeId,
    unsafeCurrentTimeMillis: () => this.now,
    unsafeCurrentTimeNanos: () => BigInt(Math.round(this.now * 1e6)),
    currentTimeMillis: Effect.sync(() => this.now),
    currentTimeNanos: Effect.sync(() => BigInt(Math.round(this.now * 1e6))),
    sleep: (duration) =>
      Effect.async<void>((resume) => {
        const timer: Timer = {
          at: this.now + Duration.toMillis(duration),
          fire: () => resume(Effect.void)
        }
        this.timers.push(timer)
        return Effect.sync(() => {
          this.timers = this.timers.filter((other) => other !== timer)
        })
      })
  }
}

/** Random choices for generated schedules, the same for the same seed. */
export class Dice {
  private readonly generator: PCGRandom

  constructor(seed: number) {
    this.generator = new PCGRandom(seed)
  }

  /** A whole number from `min` to `max`, both included. */
  int(min: number, max: number): number {
    return min + Math.floor(this.generator.number() * (max - min + 1))
  }

  chance(probability: number): boolean {
    return this.generator.number() < probability
  }

  pick<A>(options: readonly [A, ...ReadonlyArray<A>]): A {
    return options[this.int(0, options.length - 1)] ?? options[0]
  }
}

/**
 * Runs a property for each seed from 1 on, and says which seed broke it: a share of the `most` cases, all of them with
 * `SWITCHYARD_THOROUGH=1`. Errors have no stacks meanwhile: it halves the time.
 */
export const forSeeds = (most: number, property: (dice: Dice, seed: number) => void): void => {
  const { stackTraceLimit } = Error
  Error.stackTraceLimit = 0
  try {
    for (let seed = 1; seed <= cases(most); seed++) {
      try {
        property(new Dice(seed), seed)
      } catch (cause) {
        throw new Error(`seed ${seed}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
      }
    }
  } finally {
    Error.stackTraceLimit = stackTraceLimit
  }
}

/**
 * Runs an effect to its end in a time of its own, in which a sleep lasts no real time: a `TestClock` waits some real
 * milliseconds whenever it moves.
 */
export const simulate = <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<A, E> =>
  Effect.suspend(() => {
    const time = new VirtualTime()
    const fiber = time.fork(effect)
    time.pass(() => fiber.unsafePoll() !== null)
    return fiber.unsafePoll() ?? Effect.dieMessage("it waits for what never comes")
  })
