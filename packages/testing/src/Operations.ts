/**
 * Counts what Effect's runtime does: each operation of a fiber costs about the same, so their number says what a call costs on
 * any machine, however busy it is.
 */
import { Effect, type Fiber, Scheduler } from "effect"

/** Effect's own scheduler, asked before each operation of a fiber whether it should yield. */
class Counting implements Scheduler.Scheduler {
  operations = 0

  shouldYield(fiber: Fiber.RuntimeFiber<unknown, unknown>): number | false {
    this.operations++
    return Scheduler.defaultScheduler.shouldYield(fiber)
  }

  scheduleTask(task: Scheduler.Task, priority: number, fiber?: Fiber.RuntimeFiber<unknown, unknown>): void {
    Scheduler.defaultScheduler.scheduleTask(task, priority, fiber)
  }
}

/** A scheduler that counts, and what it has counted so far: set it where fibers begin. */
export interface OperationCounter {
  readonly scheduler: Scheduler.Scheduler
  readonly operations: () => number
}

/** A counter that begins at 0. */
export const counter = (): OperationCounter => {
  const scheduler = new Counting()
  return { scheduler, operations: () => scheduler.operations }
}

/** How many operations an effect takes, those of the fibers that it starts included. */
export const countOperations = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<number, E, R> =>
  Effect.suspend(() => {
    const { operations, scheduler } = counter()
    let before = 0
    const counted = Effect.suspend(() => {
      before = operations()
      return effect
    })
    return Effect.withScheduler(
      Effect.map(counted, () => operations() - before),
      scheduler
    )
  })
