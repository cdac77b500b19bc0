import { assert, describe, it } from "@effect/vitest"
import * as LlmRequest from "@switchyard/core/LlmRequest"
import * as LlmService from "@switchyard/core/LlmService"
import * as Router from "@switchyard/router/Router"
import * as SpendWindows from "@switchyard/router/SpendWindows"
import * as UnpricedBudgets from "@switchyard/router/UnpricedBudgets"
import * as StubLlm from "@switchyard/testing/StubLlm"
import { Context, Effect } from "effect"

const day = "1 day"
const limit = { limit: 1, window: day } as const

const unknown = { id: "a", group: "g", model: "my-model", provider: "mine", tags: ["t"] }
const known = { id: "b", group: "g", model: "gpt-4o" }
const wildcard = { id: "w", group: "*", model: "*", tags: ["team"] }

const find = (settings: Partial<UnpricedBudgets.Settings>) =>
  UnpricedBudgets.find({ deployments: [unknown, known], ...settings }).map(({ message, path }) => `${path}: ${message}`)

describe("a budget that cannot bind", () => {
  it("is told of with its path and the model without a price, in every place where budgets stand", () => {
    const cannot = "this budget cannot bind: no price for my-model (deployment a);"
    const inPart = "this budget cannot bind for all that it covers: no price for my-model (deployment a);"
    const rows: ReadonlyArray<readonly [Partial<UnpricedBudgets.Settings>, string]> = [
      [{ spendLimits: { deployments: { a: limit } } }, `spendLimits.deployments.a: ${cannot}`],
      [{ spendLimits: { providers: { mine: limit } } }, `spendLimits.providers.mine: ${cannot}`],
      [{ spendLimits: { total: limit } }, `spendLimits.total: ${inPart}`],
      [{ spendLimits: { tags: { t: limit } } }, `spendLimits.tags.t: ${cannot}`],
      [{ spendLimits: { requestTags: { team: limit } } }, `spendLimits.requestTags.team: ${inPart}`],
      [{ callerBudget: { callers: { bob: limit } } }, `callerBudget.callers.bob: ${inPart}`],
      [{ callerBudget: { everyCaller: limit } }, `callerBudget.everyCaller: ${inPart}`]
    ]
    for (const [settings, expected] of rows) {
      const found = find(settings)
      assert.strictEqual(found.length, 1, expected)
      assert.isTrue(found[0]?.startsWith(expected), found[0])
    }
    assert.deepStrictEqual(find({ spendLimits: { deployments: { b: limit }, providers: { openai: limit } } }), [])
    assert.deepStrictEqual(find({}), [])
  })

  it("is told of where a wildcard lets in what nobody can price", () => {
    const found = UnpricedBudgets.find({ deployments: [wildcard], callerBudget: { everyCaller: limit } })
    assert.deepStrictEqual(
      found.map(({ isOpen, path }) => [path, isOpen]),
      [["callerBudget.everyCaller", true]]
    )
  })

  it("is refused with `refuse`, and binds with an assumed price", () => {
    const settings = { deployments: [unknown, known], spendLimits: { deployments: { a: limit } } }
    assert.deepStrictEqual(Router.check(settings), [])
    assert.deepStrictEqual(
      Router.check({ ...settings, unknownPrice: "refuse" }).map(({ path }) => path),
      ["spendLimits.deployments.a"]
    )
    const assumed = { ...settings, unknownPrice: { input: 1, output: 2 } }
    assert.deepStrictEqual(Router.check(assumed), [])
    assert.deepStrictEqual(UnpricedBudgets.find(assumed), [])
    assert.deepStrictEqual(
      Router.check({ ...settings, unknownPrice: "ignore" as "warn" }).map(({ path }) => path),
      ["unknownPrice"]
    )
  })
})

describe("half a price", () => {
  it("is told of where no public price fills it, with or without a budget", () => {
    const rows: ReadonlyArray<readonly [object, string | undefined]> = [
      [{ inputPrice: 1 }, "deployments[0].inputPrice: half a price counts as none: outputPrice is not set"],
      [{ outputPrice: 1 }, "deployments[0].outputPrice: half a price counts as none: inputPrice is not set"],
      [{ cachedInputPrice: 1 }, "deployments[0].cachedInputPrice: half a price counts as none: the other prices"],
      [{ inputPrice: 1, outputPrice: 0 }, undefined],
      [{ inputPrice: 1, model: "gpt-4o" }, undefined]
    ]
    for (const [own, expected] of rows) {
      const found = find({ deployments: [{ ...unknown, ...own }] })
      assert.strictEqual(found.length, expected === undefined ? 0 : 1, JSON.stringify(own))
      if (expected !== undefined) assert.isTrue(found[0]?.startsWith(expected), found[0])
    }
  })
})

describe("behind a wildcard", () => {
  const ask = (service: Parameters<typeof LlmService.complete>[0], model: string) =>
    LlmService.complete(
      service,
      LlmRequest.chat(
        { model, max_tokens: 1, messages: [{ role: "user", content: "Hi" }] },
        { caller: "bob", tags: ["team"] }
      )
    ).pipe(
      Effect.match({ onFailure: ({ code, reason }) => `${reason} ${code}`, onSuccess: () => "answered" }),
      Effect.scoped
    )

  it.effect("a budget is charged at the price of the model that was asked for", () =>
    Effect.gen(function* () {
      const options = { deployments: [wildcard], callerBudget: { everyCaller: limit } }
      const tower = yield* Router.make(options, StubLlm.make().attempts)
      const window = Context.get(tower.state, SpendWindows.SpendWindows).window("caller", "bob", 86_400_000, 0)
      yield* ask(tower.service, "my-model")
      assert.strictEqual(window.used(0), 0)
      yield* ask(tower.service, "gpt-4o")
      assert.isAbove(window.used(0), 0)
    }).pipe(Effect.scoped)
  )

  for (const [what, budget] of [
    ["a caller's budget", { callerBudget: { everyCaller: limit } }],
    ["a spending limit", { spendLimits: { requestTags: { team: limit } } }]
  ] as const) {
    it.effect(`${what} refuses what has no price, where that is asked for, and nothing else`, () =>
      Effect.gen(function* () {
        const options = { deployments: [wildcard], ...budget, unknownPrice: "refuse" } as const
        const stub = StubLlm.make()
        const tower = yield* Router.make(options, stub.attempts)
        assert.notStrictEqual(yield* ask(tower.service, "my-model"), "answered")
        assert.strictEqual(stub.calls.length, 0)
        assert.strictEqual(yield* ask(tower.service, "gpt-4o"), "answered")
      }).pipe(Effect.scoped)
    )
  }
})
