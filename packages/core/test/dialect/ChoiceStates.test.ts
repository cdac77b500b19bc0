import { assert, describe, it } from "@effect/vitest"
import * as fc from "effect/FastCheck"
import { ChoiceStates } from "../../src/dialect/choiceStates.js"

/** What is said of choices, in sets. */
class Sets {
  readonly open = new Set<number>()
  readonly finished = new Set<number>()
  readonly resumed = new Set<number>()
  readonly trailing = new Set<number>()

  began(choice: number): void {
    if (!this.finished.has(choice)) this.open.add(choice)
  }

  ended(choice: number): void {
    this.trailing.delete(choice)
    this.open.delete(choice)
    this.finished.add(choice)
  }

  content(choice: number): void {
    if (this.finished.has(choice)) this.wentOn(choice)
    else this.open.add(choice)
  }

  wentOn(choice: number): void {
    if (!this.finished.has(choice)) return
    this.resumed.add(choice)
    this.trailing.add(choice)
  }
}

describe("the choices of an answer", () => {
  it("begin, end and go on as told, in any order and number", () => {
    const step = fc.tuple(
      fc.constantFrom("began" as const, "ended" as const, "content" as const, "wentOn" as const),
      fc.nat({ max: 3 })
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const states = new ChoiceStates()
        const sets = new Sets()
        for (const [what, choice] of steps) {
          states[what](choice)
          sets[what](choice)
          assert.deepStrictEqual([...states.openChoices].sort(), [...sets.open].sort())
          assert.strictEqual(states.areOpen, sets.open.size > 0)
          assert.strictEqual(states.haveResumed, sets.resumed.size > 0)
          assert.strictEqual(states.areTrailing, sets.trailing.size > 0)
        }
      })
    )
  })
})
