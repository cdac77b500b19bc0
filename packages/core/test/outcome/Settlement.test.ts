import { assert, describe, it } from "@effect/vitest"
import * as Outcome from "@switchyard/core/Outcome"
import { Settlement } from "@switchyard/core/Settlement"
import { zero } from "@switchyard/core/Usage"
import { cases } from "@switchyard/testing/Effort"
import { FastCheck as fc } from "effect"

const completed: Outcome.Completed = { _tag: "Completed", usage: zero, timeToFirstToken: 1, duration: 2 }

describe("Settlement", () => {
  it("tells every listener the first outcome once, in the order in which they registered", () => {
    const settlement = new Settlement()
    const heard: Array<string> = []
    settlement.onSettled((outcome) => heard.push(`a:${outcome._tag}`))
    settlement.onSettled((outcome) => heard.push(`b:${outcome._tag}`))
    assert.isTrue(settlement.settle(completed))
    assert.isFalse(settlement.settle(Outcome.abandoned))
    assert.deepStrictEqual(heard, ["a:Completed", "b:Completed"])
    assert.strictEqual(settlement.outcome, completed)
  })

  it("tells a late listener at once", () => {
    const settlement = new Settlement()
    settlement.settle(Outcome.abandoned)
    const heard: Array<Outcome.Outcome> = []
    settlement.onSettled((outcome) => heard.push(outcome))
    assert.deepStrictEqual(heard, [Outcome.abandoned])
  })

  it("hears a listener that is registered by another listener, once", () => {
    const settlement = new Settlement()
    let heard = 0
    settlement.onSettled(() => settlement.onSettled(() => heard++))
    settlement.settle(completed)
    assert.strictEqual(heard, 1)
  })

  it("announces the first content once, and at once to who comes later", () => {
    const settlement = new Settlement()
    let heard = 0
    settlement.onFirstContent(() => heard++)
    assert.isFalse(settlement.hasContent)
    settlement.firstContent()
    settlement.firstContent()
    assert.isTrue(settlement.hasContent)
    assert.strictEqual(heard, 1)
    settlement.onFirstContent(() => heard++)
    assert.strictEqual(heard, 2)
  })

  it("never announces a first content after the end", () => {
    const settlement = new Settlement()
    let heard = 0
    settlement.onFirstContent(() => heard++)
    settlement.settle(Outcome.abandoned)
    settlement.firstContent()
    settlement.onFirstContent(() => heard++)
    assert.strictEqual(heard, 0)
    assert.isFalse(settlement.hasContent)
  })

  it("keeps its promises under any order of calls", () => {
    const step = fc.constantFrom("listen", "content", "settle", "onContent")
    fc.assert(
      fc.property(fc.array(step, { maxLength: 20 }), (steps) => {
        const settlement = new Settlement()
        let listeners = 0
        let told = 0
        let contentListeners = 0
        let contentTold = 0
        for (const name of steps) {
          if (name === "listen") {
            listeners++
            settlement.onSettled(() => told++)
          } else if (name === "onContent") {
            contentListeners++
            settlement.onFirstContent(() => contentTold++)
          } else if (name === "content") settlement.firstContent()
          else settlement.settle(completed)
        }
        assert.strictEqual(told, settlement.outcome === undefined ? 0 : listeners)
        assert.strictEqual(contentTold, settlement.hasContent ? contentListeners : 0)
      }),
      { seed: 11, numRuns: cases(2000) }
    )
  })
})
