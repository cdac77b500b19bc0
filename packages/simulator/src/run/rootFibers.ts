/**
 * Effect notes each fiber that has no parent in a `Set`. What comes and goes with each call makes a `Set` keep it: its old tables,
 * once V8 has them among old objects, point to the new ones (see `Line`). In a list that is an array collections of the young
 * find a sixth to a quarter less alive in a simulation.
 */
import type { Fiber } from "effect"
import { globalValue } from "effect/GlobalValue"

const seat: unique symbol = Symbol("@switchyard/simulator/rootFibers")

interface Root extends Fiber.RuntimeFiber<unknown, unknown> {
  [seat]?: number | undefined
}

/** What Effect asks of the set of its root fibers, in no order. */
class RootFibers {
  private readonly fibers: Array<Root> = []

  get size(): number {
    return this.fibers.length
  }

  has(fiber: Root): boolean {
    const at = fiber[seat]
    return at !== undefined && this.fibers[at] === fiber
  }

  add(fiber: Root): this {
    if (this.has(fiber)) return this
    fiber[seat] = this.fibers.length
    this.fibers.push(fiber)
    return this
  }

  delete(fiber: Root): boolean {
    if (!this.has(fiber)) return false
    const at = fiber[seat] as number
    const last = this.fibers.pop() as Root
    if (last !== fiber) {
      this.fibers[at] = last
      last[seat] = at
    }
    fiber[seat] = undefined
    return true
  }

  [Symbol.iterator](): Iterator<Root> {
    return [...this.fibers][Symbol.iterator]()
  }
}

/**
 * Lets the set of root fibers be such a list from now on; those that are in it stay. To be called while a fiber runs: Effect has
 * made its set by then. Another version of Effect's may keep it elsewhere, and then nothing is done.
 */
export const keepInList = (): void => {
  const scope = globalValue<{ roots?: unknown } | undefined>(Symbol.for("effect/FiberScope/Global"), () => undefined)
  if (scope === undefined || !(scope.roots instanceof Set)) return
  const list = new RootFibers()
  for (const fiber of scope.roots as Set<Root>) list.add(fiber)
  scope.roots = list
}
