import { Effect, Fiber } from "effect"
import { describe, expect, it } from "vitest"
import { keepInList } from "../../src/run/rootFibers.js"

const ids = () => Effect.runSync(Fiber.roots).map((fiber) => JSON.stringify(fiber.id()))
const idOf = (fiber: Fiber.RuntimeFiber<unknown, unknown>) => JSON.stringify(fiber.id())

describe("root fibers in a list", () => {
  it("are those that run, whether they began before or after, and in whatever order they end", async () => {
    const before = Effect.runFork(Effect.never)
    keepInList()
    keepInList()
    const after = [1, 2, 3].map(() => Effect.runFork(Effect.never))
    expect(ids()).toEqual(expect.arrayContaining([before, ...after].map(idOf)))
    const [first, second, third] = after as [typeof before, typeof before, typeof before]
    for (const fiber of [second, before, third]) await Effect.runPromise(Fiber.interrupt(fiber))
    expect(ids()).toContain(idOf(first))
    for (const fiber of [second, before, third]) expect(ids()).not.toContain(idOf(fiber))
    await Effect.runPromise(Fiber.interrupt(first))
    expect(ids()).not.toContain(idOf(first))
  })
})
