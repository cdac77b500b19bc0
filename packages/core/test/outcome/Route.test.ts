import { assert, describe, it } from "@effect/vitest"
import { Attempt } from "@switchyard/core/Attempt"
import { DeploymentId } from "@switchyard/core/Deployment"
import * as LlmRequest from "@switchyard/core/LlmRequest"
import * as Route from "@switchyard/core/Route"
import { slot } from "@switchyard/testing/StubLlm"

const a = DeploymentId("a")
const b = DeploymentId("b")

describe("Route", () => {
  it("begins with nothing excluded, no deadline and eight attempts", () => {
    const route = Route.make("m", 7)
    assert.deepInclude(route, {
      startedAt: 7,
      deadline: Number.POSITIVE_INFINITY,
      attemptBudget: 8,
      reserved: 0,
      lastResort: true
    })
    assert.deepStrictEqual([route.excluded, route.avoided, route.visited], [[], [], []])
    assert.strictEqual(route.journal.requestedGroup, "m")
    assert.strictEqual(route.journal.startedAt, 7)
  })

  it("changed copies leave the first one as it was, and share its journal", () => {
    const route = Route.make("m", 0)
    const excluded = Route.exclude(route, a)
    const avoided = Route.avoid(excluded, b)
    assert.deepStrictEqual(route.excluded, [])
    assert.deepStrictEqual(avoided.excluded, [a])
    assert.deepStrictEqual(avoided.avoided, [b])
    assert.strictEqual(avoided.journal, route.journal)
  })

  it("names a deployment once", () => {
    const route = Route.avoid(Route.exclude(Route.make("m", 0), a), b)
    assert.strictEqual(Route.exclude(route, a), route)
    assert.strictEqual(Route.avoid(route, b), route)
    assert.deepStrictEqual(Route.exclude(route, b).excluded, [a, b])
  })

  it("attempts left are the budget less what is kept back and what was spent; a rejection spends nothing", () => {
    const request = LlmRequest.chat({ model: "m", messages: [] })
    const route = { ...request.route, reserved: 2 }
    assert.strictEqual(Route.attemptsLeft(route), 6)
    route.journal.append(new Attempt(1, request, slot("a"), 0, false, false))
    route.journal.append(new Attempt(2, request, slot("b"), 0, false, false))
    assert.strictEqual(Route.attemptsLeft(route), 4)
    route.journal.noteRejected()
    assert.strictEqual(Route.attemptsLeft(route), 5)
  })
})
