import { assert, describe, it } from "@effect/vitest"
import * as fc from "effect/FastCheck"
import { Roster } from "../../src/shared/Roster.js"

const member = (name: number) => ({ name, seat: -1 })

describe("a roster of what is in progress", () => {
  it("holds who a set would hold, however they enter and leave, once or twice", () => {
    const step = fc.tuple(fc.boolean(), fc.nat({ max: 7 }))
    fc.assert(
      fc.property(fc.array(step), (steps) => {
        const all = Array.from({ length: 8 }, (_, name) => member(name))
        const roster = new Roster<(typeof all)[number]>()
        const model = new Set<number>()
        for (const [enters, name] of steps) {
          const one = all[name]
          assert(one !== undefined)
          if (enters) roster.enter(one)
          else roster.leave(one)
          if (enters) model.add(name)
          else model.delete(name)
          assert.strictEqual(roster.size, model.size)
          assert.deepStrictEqual(
            roster
              .members()
              .map((one) => one.name)
              .sort(),
            [...model].sort()
          )
        }
      })
    )
  })

  it("may be left while it is walked through: each who was in is met once", () => {
    const roster = new Roster<ReturnType<typeof member>>()
    const all = [0, 1, 2, 3].map(member)
    for (const one of all) roster.enter(one)
    const met: Array<number> = []
    for (const one of roster.members()) {
      met.push(one.name)
      for (const other of all) roster.leave(other)
    }
    assert.deepStrictEqual(met, [0, 1, 2, 3])
    assert.strictEqual(roster.size, 0)
  })
})
