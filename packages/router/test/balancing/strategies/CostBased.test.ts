import { assert, describe, it } from "@effect/vitest"
import type { DeploymentConfig } from "@switchyard/core/Deployment"
import * as LlmRequest from "@switchyard/core/LlmRequest"
import * as PriceBook from "@switchyard/router/PriceBook"
import { RoutingStrategy } from "@switchyard/router/RoutingStrategy"
import * as CostBased from "@switchyard/router/RoutingStrategy/CostBased"
import { Effect, Layer } from "effect"
import { chiSquare, chiSquareLimit, choose, request, seeded, slotsOf, tally } from "./support.js"

const book = { "public-model": { input: 1, cachedInput: 0.5, output: 1 } }

const strategy = (options?: CostBased.Options) =>
  CostBased.make({ prices: PriceBook.make(book), random: seeded("cost") }, options)

const prices = (inputPrice: number, outputPrice: number, more: Partial<DeploymentConfig> = {}) => ({
  inputPrice,
  outputPrice,
  ...more
})

/** 4,000 characters: 1,000 tokens. */
const long = (body: Record<string, unknown> = {}) =>
  request({ body: { messages: [{ role: "user", content: "word".repeat(1000) }], ...body } })

describe("CostBased", () => {
  it("goes by what this request costs on each deployment: input weighs for long prompts, output for long answers", () => {
    const slots = slotsOf(prices(1, 20), prices(5, 4))
    assert.strictEqual(choose(strategy(), slots, { request: long({ max_tokens: 10 }) }), "a")
    assert.strictEqual(choose(strategy(), slots, { request: request({ body: { max_tokens: 4000 } }) }), "b")
  })

  it("reckons with every answer that the request asks for", () => {
    const slots = slotsOf(prices(1, 20), prices(5, 4))
    assert.strictEqual(choose(strategy(), slots, { request: long({ max_tokens: 100 }) }), "a")
    assert.strictEqual(choose(strategy(), slots, { request: long({ max_tokens: 100, n: 5 }) }), "b")
  })

  it("assumes a number of output tokens where the request sets no limit", () => {
    const slots = slotsOf(prices(1, 20), prices(5, 4))
    assert.strictEqual(choose(strategy({ outputTokens: 10 }), slots, { request: long() }), "a")
    assert.strictEqual(choose(strategy({ outputTokens: 1000 }), slots, { request: long() }), "b")
  })

  it("reckons with the provider's prompt cache, as far as it is told to", () => {
    const slots = slotsOf(prices(3, 1, { cachedInputPrice: 0.3 }), prices(2, 1))
    assert.strictEqual(choose(strategy(), slots, { request: long() }), "b")
    assert.strictEqual(choose(strategy({ cachedShare: 0.9 }), slots, { request: long() }), "a")
  })

  it("counts no output for embeddings", () => {
    const embeddings = LlmRequest.embeddings({ model: "m", input: "text" })
    assert.strictEqual(choose(strategy(), slotsOf(prices(2, 0), prices(1, 900)), { request: embeddings }), "b")
  })

  it("lets a deployment that is free win: 0 is a price", () => {
    assert.strictEqual(choose(strategy(), slotsOf(prices(0.01, 0.01), prices(0, 0), {})), "b")
  })

  it("takes an unknown price last, however dear the others are", () => {
    const slots = slotsOf({}, prices(10_000, 10_000))
    assert.strictEqual(choose(strategy(), slots), "b")
    assert.strictEqual(choose(strategy(), slots, { isClosed: (slot) => slot.id === "b" }), "a")
  })

  it("knows public prices, below a deployment's own", () => {
    const slots = slotsOf(prices(2, 2), { model: "public-model" }, prices(0.5, 0.5, { model: "public-model" }))
    assert.strictEqual(choose(strategy(), slots), "c")
    assert.strictEqual(choose(strategy(), slots, { isClosed: (slot) => slot.id === "c" }), "b")
  })

  it("sees a new price after a reload", () => {
    const made = strategy()
    const slots = slotsOf(prices(1, 1), prices(2, 2))
    assert.strictEqual(choose(made, slots), "a")
    const dearer = slots.map((slot) =>
      slot.id === "a" ? slot.withDeployment({ ...slot.deployment, inputPrice: 9, outputPrice: 9 }) : slot
    )
    assert.strictEqual(choose(made, dearer), "b")
  })

  it("breaks ties evenly, also among unknown prices", () => {
    for (const slots of [slotsOf(prices(1, 1), prices(1, 1), prices(2, 1)), slotsOf({}, {})]) {
      const shares = slots.map((slot) => (slot.id === "c" ? 0 : 1))
      assert.isBelow(chiSquare(tally(strategy(), slots, 6000), shares), chiSquareLimit(2))
    }
  })

  it("chooses nothing among none and among closed ones", () => {
    assert.strictEqual(choose(strategy(), []), undefined)
    assert.strictEqual(choose(strategy(), slotsOf({}, {}), { isClosed: () => true }), undefined)
  })

  it.effect("refuses options that make no sense, with their path", () =>
    Effect.gen(function* () {
      const layer = CostBased.layerWith({ cachedShare: 2 }).pipe(Layer.provide(PriceBook.layerWith(book)))
      const error = yield* Effect.flip(Effect.provide(RoutingStrategy, layer))
      assert.deepStrictEqual(
        error.issues.map((issue) => issue.path),
        ["costBased.cachedShare"]
      )
    })
  )
})
