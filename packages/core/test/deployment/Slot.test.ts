import { assert, describe, it } from "@effect/vitest"
import { key, Slot } from "@switchyard/core/Slot"
import { deployment } from "@switchyard/testing/StubLlm"

describe("Slot", () => {
  it("makes a cell at its first use and keeps it", () => {
    let made = 0
    const counter = key("counter", () => ({ number: ++made }))
    const slot = Slot.make(deployment("a"))
    assert.strictEqual(made, 0)
    const cell = slot.get(counter)
    assert.strictEqual(slot.get(counter), cell)
    assert.strictEqual(made, 1)
    assert.notStrictEqual(Slot.make(deployment("a")).get(counter), cell, "another slot has its own")
  })

  it("two keys of one name share nothing", () => {
    const slot = Slot.make(deployment("a"))
    const first = key("same", () => ({}))
    const second = key("same", () => ({}))
    assert.notStrictEqual(slot.get(first), slot.get(second))
  })

  it("a changed configuration keeps the cells: both slots see one state, also what is made later", () => {
    const early = key("early", () => ({ calls: 0 }))
    const late = key("late", (of) => ({ weight: of.weight }))
    const old = Slot.make(deployment("a", { weight: 1 }))
    old.get(early).calls = 3
    const next = old.withDeployment(deployment("a", { weight: 2 }))
    assert.strictEqual(next.get(early).calls, 3)
    assert.strictEqual(next.get(late).weight, 2)
    assert.strictEqual(old.get(late), next.get(late))
    assert.strictEqual(old.deployment.weight, 1)
    assert.strictEqual(next.id, old.id)
  })
})
