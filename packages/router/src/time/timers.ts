import { nowMs } from "@switchyard/core/Time"
import {
  type Clock,
  Duration,
  Effect,
  type Fiber,
  FiberId,
  FiberRef,
  FiberRefs,
  type Runtime,
  type Scheduler
} from "effect"

/** A clock's reading is exact to about a microsecond only (a double of nanoseconds since 1970): no due time is finer. */
const slack = 0.001

/** `Clock.sleep` takes what `setTimeout` cannot hold for endless. */
const longestSleep = 86_400_000

/** How long the fiber sleeps on when no timer is left. */
const lingerMs = 100

/** Whether a due time (monotonic ms) has come. */
export const isDue = (due: number, now: number): boolean => due <= now + slack

/** Something that is told when its time has come. A call's own state extends it: one object, one place in the heap. */
export abstract class Timer {
  /** Monotonic ms; only `Timers` writes it. */
  due = Number.POSITIVE_INFINITY
  /** Place in the heap, -1 outside; only `Timers` writes it. */
  index = -1

  /** Called once for each `set`, outside any fiber; synchronous, must not throw, and may set timers again. */
  abstract fire(now: number): void
}

/**
 * Many timers, one sleeping fiber: an indexed binary heap by due time. A timer that is removed leaves nothing behind, and
 * a call that ends in time costs two heap operations in place of a fiber that sleeps and is interrupted.
 */
export class Timers {
  private readonly heap: Array<Timer> = []
  private sleeper: Fiber.RuntimeFiber<void> | undefined
  private wakesAt = Number.POSITIVE_INFINITY
  private firing = false
  private lingers = false

  constructor(
    private readonly clock: Clock.Clock,
    private readonly scheduler?: Scheduler.Scheduler
  ) {}

  /** How many timers wait. */
  get size(): number {
    return this.heap.length
  }

  /** When the sleeping fiber wakes, in monotonic ms; infinite while there is none. */
  get armedFor(): number {
    return this.sleeper === undefined ? Number.POSITIVE_INFINITY : this.wakesAt
  }

  /** Lets a timer fire at `due` (monotonic ms) in place of any earlier appointment; an infinite one removes it. */
  set(timer: Timer, due: number): void {
    if (due === Number.POSITIVE_INFINITY) return this.remove(timer)
    timer.due = due
    if (timer.index === -1) {
      timer.index = this.heap.length
      this.heap.push(timer)
    }
    this.settle(timer)
    if (!this.firing) this.arm()
  }

  /** Forgets a timer; harmless when it is not waiting. */
  remove(timer: Timer): void {
    if (timer.index === -1) return
    this.take(timer)
    if (this.heap.length === 0 && this.sleeper !== undefined && !this.lingers) this.linger()
  }

  private take(timer: Timer): void {
    const { index } = timer
    const last = this.heap.pop()
    timer.index = -1
    if (last === undefined || last === timer) return
    last.index = index
    this.heap[index] = last
    this.settle(last)
  }

  /** Moves a timer up or down to where its due time belongs. */
  private settle(timer: Timer): void {
    const { heap } = this
    let at = timer.index
    while (at > 0) {
      const parent = heap[(at - 1) >> 1] as Timer
      if (parent.due <= timer.due) break
      heap[at] = parent
      parent.index = at
      at = (at - 1) >> 1
    }
    for (;;) {
      const left = 2 * at + 1
      if (left >= heap.length) break
      let child = heap[left] as Timer
      const right = heap[left + 1]
      if (right !== undefined && right.due < child.due) child = right
      if (child.due >= timer.due) break
      const below = child.index
      heap[at] = child
      child.index = at
      at = below
    }
    heap[at] = timer
    timer.index = at
  }

  /** Sees to it that the fiber wakes for the earliest timer. One that sleeps too short a time is left alone. */
  private arm(): void {
    const first = this.heap[0]
    if (first === undefined || (this.sleeper !== undefined && this.wakesAt <= first.due)) return
    const now = nowMs(this.clock)
    this.lingers = false
    if (isDue(first.due, now)) this.sleep(Effect.yieldNow(), now)
    else this.sleepFor(Math.min(first.due - now, longestSleep), now)
  }

  /**
   * With no timer left, a fiber that sleeps on would keep the process alive. A short sleep takes its place: under load the
   * next timer comes before its end, and needs no new one.
   */
  private linger(): void {
    this.lingers = true
    this.sleepFor(lingerMs, nowMs(this.clock))
  }

  private sleepFor(ms: number, now: number): void {
    this.sleep(this.clock.sleep(Duration.millis(ms)), now + ms)
  }

  private sleep(effect: Effect.Effect<void>, wakesAt: number): void {
    const before = this.sleeper
    this.sleeper = undefined
    before?.unsafeInterruptAsFork(FiberId.none)
    const sleeper = Effect.runFork(effect, this.scheduler === undefined ? {} : { scheduler: this.scheduler })
    this.wakesAt = wakesAt
    this.sleeper = sleeper
    sleeper.addObserver(() => {
      if (this.sleeper !== sleeper) return
      this.sleeper = undefined
      this.fireDue()
    })
  }

  private fireDue(): void {
    this.firing = true
    try {
      const now = nowMs(this.clock)
      for (let first = this.heap[0]; first !== undefined && isDue(first.due, now); first = this.heap[0]) {
        this.take(first)
        first.fire(now)
      }
    } finally {
      this.firing = false
      this.arm()
    }
  }
}

const shared = new WeakMap<Clock.Clock, Timers>()

const timersWith = (clock: Clock.Clock, scheduler: () => Scheduler.Scheduler): Timers => {
  const known = shared.get(clock)
  if (known !== undefined) return known
  const made = new Timers(clock, scheduler())
  shared.set(clock, made)
  return made
}

/**
 * The timers of a clock: one heap and one sleeping fiber for all layers that run on it. The fiber runs where the first
 * call ran that asked, so that a simulation's own scheduler sees it.
 */
export const timersOf = (clock: Clock.Clock, runtime: Runtime.Runtime<never>): Timers =>
  timersWith(clock, () => FiberRefs.getOrDefault(runtime.fiberRefs, FiberRef.currentScheduler))

/** The same, for a caller that knows its fiber: to make a runtime copies what is local to it. */
export const timersFor = (clock: Clock.Clock, fiber: Fiber.RuntimeFiber<unknown, unknown>): Timers =>
  timersWith(clock, () => fiber.getFiberRef(FiberRef.currentScheduler))
