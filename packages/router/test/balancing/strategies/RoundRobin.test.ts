import { assert, describe, it } from "@effect/vitest"
import type { Slot } from "@switchyard/core/Slot"
import type { Uniform } from "@switchyard/router/RoutingStrategy"
import * as RoundRobin from "@switchyard/router/RoutingStrategy/RoundRobin"
import { cases } from "@switchyard/testing/Effort"
import * as StubLlm from "@switchyard/testing/StubLlm"
import { choose, plainSlots, seeded } from "./support.js"

const below = (random: Uniform, n: number): number => Math.floor(random() * n)

const shuffled = <A>(random: Uniform, items: ReadonlyArray<A>): ReadonlyArray<A> => {
  const copy = [...items]
  for (let i = copy.length - 1; i > 0; i--) {
    const j = below(random, i + 1)
    const [a, b] = [copy[i] as A, copy[j] as A]
    copy[i] = b
    copy[j] = a
  }
  return copy
}

/** What a reload does: new slots over the same cells, in another order. */
const reloaded = (random: Uniform, slots: ReadonlyArray<Slot>): ReadonlyArray<Slot> =>
  shuffled(random, slots).map((slot) => slot.withDeployment(slot.deployment))

const spread = (counts: ReadonlyMap<string, number>, ids: ReadonlyArray<string>): number => {
  const served = ids.map((id) => counts.get(id) ?? 0)
  return Math.max(...served) - Math.min(...served)
}

describe("RoundRobin", () => {
  it("serves the deployments in the order of the configuration, again and again", () => {
    const strategy = RoundRobin.make()
    const slots = plainSlots(3)
    const served = Array.from({ length: 7 }, () => choose(strategy, slots))
    assert.deepStrictEqual(served, ["d0", "d1", "d2", "d0", "d1", "d2", "d0"])
  })

  it("leaves out what is closed, serves it at once when it opens, and then goes on evenly", () => {
    const strategy = RoundRobin.make()
    const slots = plainSlots(3)
    const isClosed = (slot: Slot) => slot.id === "d1"
    assert.deepStrictEqual(
      Array.from({ length: 4 }, () => choose(strategy, slots, { isClosed })),
      ["d0", "d2", "d0", "d2"]
    )
    assert.deepStrictEqual(
      Array.from({ length: 6 }, () => choose(strategy, slots)),
      ["d1", "d0", "d2", "d1", "d0", "d2"]
    )
  })

  it("keeps the turn of a deployment that one request may not use", () => {
    const strategy = RoundRobin.make()
    const slots = plainSlots(4)
    const onlyFirstHalf = { isClosed: (slot: Slot) => slot.id > "d1" }
    const onlySecondHalf = { isClosed: (slot: Slot) => slot.id <= "d1" }
    const served = Array.from({ length: 8 }, (_, i) =>
      choose(strategy, slots, i % 2 === 0 ? onlySecondHalf : onlyFirstHalf)
    )
    assert.deepStrictEqual(served, ["d2", "d0", "d3", "d1", "d2", "d0", "d3", "d1"])
  })

  it("keeps a cycle per group", () => {
    const strategy = RoundRobin.make()
    const one = plainSlots(2)
    const other = [StubLlm.slot("x", { group: "o" }), StubLlm.slot("y", { group: "o" })]
    const served = [one, other, one, other].map((slots) => choose(strategy, slots))
    assert.deepStrictEqual(served, ["d0", "x", "d1", "y"])
  })

  it("chooses nothing among none and among closed ones", () => {
    const strategy = RoundRobin.make()
    assert.strictEqual(choose(strategy, []), undefined)
    assert.strictEqual(choose(strategy, plainSlots(1), { isClosed: () => true }), undefined)
    assert.strictEqual(choose(strategy, plainSlots(3), { isClosed: () => true }), undefined)
  })

  it("is not moved by a reload in another order", () => {
    const strategy = RoundRobin.make()
    const slots = plainSlots(4)
    for (let i = 0; i < 6; i++) choose(strategy, slots)
    const after = reloaded(() => 0, slots)
    const served = Array.from({ length: 4 }, () => choose(strategy, after))
    assert.deepStrictEqual(served, ["d2", "d3", "d0", "d1"])
  })

  it("notices that another deployment stands in the place of one", () => {
    const strategy = RoundRobin.make()
    const slots = plainSlots(4)
    const [d0, d1, d2, d3] = slots as [Slot, Slot, Slot, Slot]
    const served = [
      [d0, d1, d2],
      [d0, d1, d2],
      [d0, d2, d1],
      [d0, d3, d1],
      [d0, d3, d1],
      [d0, d3, d1]
    ].map((list) => choose(strategy, list))
    assert.deepStrictEqual(served, ["d0", "d1", "d2", "d0", "d1", "d3"])
  })

  it("looks at no more candidates than it must: one, when all are open", () => {
    const strategy = RoundRobin.make()
    const slots = plainSlots(10_000)
    choose(strategy, slots)
    let asked = 0
    for (let i = 0; i < 100; i++) choose(strategy, slots, { onStatus: () => asked++ })
    assert.strictEqual(asked, 100)
  })

  it("is even among all that stay open, whatever opens, closes, joins, leaves and moves around them", () => {
    for (let seed = 0; seed < cases(400); seed++) {
      const random = seeded(`round robin ${seed}`)
      const strategy = RoundRobin.make()
      let slots = plainSlots(2 + below(random, 8))
      let made = slots.length
      const steady = slots.filter(() => random() < 0.6).map((slot) => slot.id as string)
      const closed = new Set<string>()
      const counts = new Map<string, number>()
      for (let step = 0; step < 200; step++) {
        const chance = random()
        const victim = slots[below(random, slots.length)] as Slot
        if (chance < 0.3 && !steady.includes(victim.id)) {
          if (!closed.delete(victim.id)) closed.add(victim.id)
        } else if (chance < 0.34) {
          slots = reloaded(random, slots)
        } else if (chance < 0.37) {
          slots = reloaded(random, [...slots, StubLlm.slot(`d${made++}`)])
        } else if (chance < 0.4 && !steady.includes(victim.id) && slots.length > 1) {
          slots = reloaded(
            random,
            slots.filter((slot) => slot !== victim)
          )
        }
        const id = choose(strategy, slots, { isClosed: (slot) => closed.has(slot.id) })
        if (id === undefined) {
          assert.isTrue(
            slots.every((slot) => closed.has(slot.id)),
            `seed ${seed}, step ${step}: nothing chosen`
          )
          continue
        }
        assert.isFalse(closed.has(id), `seed ${seed}, step ${step}: ${id} is closed`)
        counts.set(id, (counts.get(id) ?? 0) + 1)
        assert.isAtMost(steady.length === 0 ? 0 : spread(counts, steady), 1, `seed ${seed}, step ${step}`)
      }
    }
  })

  it("is even while the list itself shrinks and grows", () => {
    for (let seed = 0; seed < cases(200); seed++) {
      const random = seeded(`shrinking ${seed}`)
      const strategy = RoundRobin.make()
      const slots = plainSlots(6)
      const counts = new Map<string, number>()
      for (let step = 0; step < 120; step++) {
        const some = slots.filter((_, i) => i < 3 || random() < 0.5)
        const id = choose(strategy, some) ?? "none"
        counts.set(id, (counts.get(id) ?? 0) + 1)
        assert.isAtMost(spread(counts, ["d0", "d1", "d2"]), 1, `seed ${seed}, step ${step}`)
      }
    }
  })
})
