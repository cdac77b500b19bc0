import { VirtualTime } from "@switchyard/simulator/VirtualTime"
import { Effect, Fiber } from "effect"
import { describe, expect, it } from "vitest"

const all = () => false

describe("VirtualTime", () => {
  it("lets events happen in the order of their moments, and those of one moment in the order of their asking", () => {
    const time = new VirtualTime()
    const seen: Array<string> = []
    for (const [name, due] of [
      ["c", 5],
      ["a", 1],
      ["d", 5],
      ["b", 2],
      ["e", 9]
    ] as const)
      time.at(due, () => seen.push(`${name}@${time.now}`))
    time.run(100, all)
    expect(seen).toEqual(["a@1", "b@2", "c@5", "d@5", "e@9"])
  })

  it("forgets what was cancelled, whatever its place", () => {
    const time = new VirtualTime()
    const seen: Array<number> = []
    const events = Array.from({ length: 50 }, (_, i) => time.at((i * 37) % 50, () => seen.push((i * 37) % 50)))
    for (const [i, event] of events.entries()) if (i % 3 === 0) time.cancel(event)
    time.run(100, all)
    expect(seen).toEqual([...seen].sort((a, b) => a - b))
    expect(seen).toHaveLength(33)
    expect(time.pending).toBe(0)
  })

  it("passes a sleep of a day at once, and wakes nobody whose sleep was interrupted", () => {
    const time = new VirtualTime()
    const sleeper = Effect.runFork(Effect.withClock(Effect.sleep("1 day"), time.clock), { scheduler: time })
    const other = Effect.runFork(Effect.withClock(Effect.sleep("2 days"), time.clock), { scheduler: time })
    time.at(10, () => other.unsafeInterruptAsFork(other.id()))
    time.run(100, all)
    expect(Effect.runSync(Fiber.join(sleeper))).toBeUndefined()
    expect(time.now).toBe(86_400_000)
    expect(other.unsafePoll()?._tag).toBe("Failure")
  })

  it("tells the same moment in ms and ns", () => {
    const time = new VirtualTime(1000)
    time.at(1.5, () => {})
    time.run(1, all)
    expect(time.clock.unsafeCurrentTimeNanos()).toBe(1_500_000n)
    expect(time.clock.unsafeCurrentTimeMillis()).toBe(1001)
  })
})
