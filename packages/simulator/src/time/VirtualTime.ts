/**
 * Time that passes only when nobody has anything left to do: a clock and a scheduler in one. A sleep of an hour lasts no longer
 * than one of a millisecond, and what happens at one instant happens in the same order every time.
 */
import { Clock, Duration, Effect, type Fiber, type Scheduler } from "effect"

/** Something that happens at a moment; only `VirtualTime` writes it. */
export interface Event {
  /** ms */
  due: number
  /** Of events of one moment, those that were asked for first come first. */
  order: number
  /** Place in the heap, -1 outside. */
  index: number
  fire: () => void
}

const isBefore = (a: Event, b: Event): boolean => a.due < b.due || (a.due === b.due && a.order < b.order)

const nothing = (): void => {}

/** Operations after which a fiber lets others go first, as Effect's own scheduler has it. */
const opsBeforeYield = 2048

/** A time of its own, in ms since its beginning. */
export class VirtualTime implements Scheduler.Scheduler {
  private heap: Array<Event> = []
  /** Those from `nextTask` to `lastTask` are to run; the array itself stays as long as it got, since V8 shortens one slowly. */
  private readonly tasks: Array<() => void> = []
  private nextTask = 0
  private lastTask = 0
  private moment = 0
  private inNanos = 0n
  private readAt = 0
  private asked = 0
  /** Events that have fired so far. */
  fired = 0

  /** `wallStart` is the wall time at the beginning, ms since 1970. */
  constructor(private readonly wallStart = Date.UTC(2026, 0, 5)) {}

  /** ms since the beginning. */
  get now(): number {
    return this.moment
  }

  /** How many events are to come. */
  get pending(): number {
    return this.heap.length
  }

  /** Lets something happen at a moment; one that is past is now. */
  at(due: number, fire: () => void): Event {
    const { heap } = this
    const event: Event = { due: Math.max(due, this.moment), order: this.asked++, index: heap.length, fire }
    heap.push(event)
    this.up(event)
    return event
  }

  /** It does not happen; harmless when it has already. */
  cancel(event: Event): void {
    const { heap } = this
    const { index } = event
    if (index === -1) return
    event.index = -1
    const last = heap.pop() as Event
    if (last === event) return
    heap[index] = last
    last.index = index
    this.up(last)
    this.down(last)
  }

  private up(event: Event): void {
    const { heap } = this
    let at = event.index
    while (at > 0) {
      const parent = heap[(at - 1) >> 1] as Event
      if (!isBefore(event, parent)) break
      heap[at] = parent
      parent.index = at
      at = (at - 1) >> 1
    }
    heap[at] = event
    event.index = at
  }

  private down(event: Event): void {
    const { heap } = this
    let at = event.index
    for (;;) {
      const left = 2 * at + 1
      if (left >= heap.length) break
      let child = heap[left] as Event
      const right = heap[left + 1]
      if (right !== undefined && isBefore(right, child)) child = right
      if (!isBefore(child, event)) break
      heap[at] = child
      const below = child.index
      child.index = at
      at = below
    }
    heap[at] = event
    event.index = at
  }

  /** Lets all fibers run that have something to do at this moment. */
  private settle(): void {
    const { tasks } = this
    while (this.nextTask < this.lastTask) {
      const at = this.nextTask++
      const task = tasks[at] as () => void
      tasks[at] = nothing
      // A moment may have any number of tasks, of which few wait at once.
      if (this.nextTask === this.lastTask) this.nextTask = this.lastTask = 0
      task()
    }
  }

  /** Takes the first event out. */
  private take(first: Event): void {
    const last = this.heap.pop() as Event
    first.index = -1
    if (last === first) return
    last.index = 0
    this.down(last)
  }

  /** Lets up to `most` events happen, one after the other; false when nothing is left that could. */
  run(most: number, isOver: () => boolean): boolean {
    this.settle()
    for (let i = 0; i < most; i++) {
      if (isOver()) return false
      const event = this.heap[0]
      if (event === undefined) return false
      this.take(event)
      this.moment = event.due
      this.fired++
      event.fire()
      this.settle()
    }
    return true
  }

  shouldYield(fiber: Fiber.RuntimeFiber<unknown, unknown>): number | false {
    const { currentOpCount } = fiber as unknown as { readonly currentOpCount: number }
    return currentOpCount > opsBeforeYield ? 0 : false
  }

  scheduleTask(task: () => void): void {
    this.tasks[this.lastTask++] = task
  }

  /** Runs a task at this moment, after what runs already. */
  readonly soon = (task: () => void): void => this.scheduleTask(task)

  private nanos(): bigint {
    if (this.readAt !== this.moment) {
      this.readAt = this.moment
      this.inNanos = BigInt(Math.round(this.moment * 1e6))
    }
    return this.inNanos
  }

  private millis(): number {
    return this.wallStart + Math.floor(this.moment)
  }

  /** The clock of the fibers in it. */
  readonly clock: Clock.Clock = {
    [Clock.ClockTypeId]: Clock.ClockTypeId,
    unsafeCurrentTimeMillis: () => this.millis(),
    unsafeCurrentTimeNanos: () => this.nanos(),
    currentTimeMillis: Effect.sync(() => this.millis()),
    currentTimeNanos: Effect.sync(() => this.nanos()),
    sleep: (duration) =>
      Effect.async<void>((resume) => {
        const ms = Duration.toMillis(duration)
        // Who sleeps for ever is woken by nobody, and time has no last moment.
        if (ms === Number.POSITIVE_INFINITY) return
        const event = this.at(this.moment + ms, () => resume(Effect.void))
        return Effect.sync(() => this.cancel(event))
      })
  }
}
