import { assert, describe, it } from "@effect/vitest"
import * as LlmRequest from "@switchyard/core/LlmRequest"
import * as Service from "@switchyard/core/Service"
import { estimate } from "@switchyard/core/Usage"
import * as Cost from "@switchyard/router/Cost"
import * as PriceBook from "@switchyard/router/PriceBook"
import * as Contract from "@switchyard/testing/Contract"
import * as StubLlm from "@switchyard/testing/StubLlm"
import { Effect } from "effect"

const request = () => LlmRequest.chat({ model: "m", messages: [{ role: "user", content: "Hi" }] })
const usage = { ...estimate(1000, 500), cachedInputTokens: 400 }

for (const { check, name } of Contract.attemptLayer(Effect.succeed(Cost.make(PriceBook.make())))) {
  it.effect(name, () => check)
}

describe("PriceBook", () => {
  const book = PriceBook.make()
  it("cached input has its own price, reasoning is output", () => {
    assert.closeTo(PriceBook.cost(usage, { input: 2, cachedInput: 1, output: 10 }), (600 * 2 + 400 + 5000) / 1e6, 1e-12)
  })
  it("pictures and sound in the input have their own prices where the table names them, else text's", () => {
    const table = { input: 2, cachedInput: 1, output: 10 }
    const mixed = { ...estimate(1000, 0), estimated: false, imageInputTokens: 300, audioInputTokens: 200 }
    const priced = PriceBook.make({ heard: { ...table, imageInput: 4, audioInput: 20 }, plain: table })
    const price = (model: string) => {
      const found = priced.price(StubLlm.deployment(model, { model }))
      return found === undefined ? assert.fail("no price") : PriceBook.cost(mixed, found)
    }
    assert.closeTo(price("heard"), (500 * 2 + 300 * 4 + 200 * 20) / 1e6, 1e-12)
    assert.closeTo(price("plain"), (1000 * 2) / 1e6, 1e-12)
  })
  it("sound in the output has its own price, and the public list knows what pictures and sound cost", () => {
    const spoken = { ...estimate(1000, 500), estimated: false, audioInputTokens: 200, audioOutputTokens: 400 }
    const price = book.price(StubLlm.deployment("a", { model: "gpt-audio" }))
    assert.deepInclude(price, { input: 2.5, output: 10, audioInput: 32, audioOutput: 64 })
    const cost = price === undefined ? Number.NaN : PriceBook.cost(spoken, price)
    assert.closeTo(cost, (800 * 2.5 + 200 * 32 + 100 * 10 + 400 * 64) / 1e6, 1e-12)
    assert.strictEqual(book.price(StubLlm.deployment("b", { model: "gpt-image-1" }))?.imageInput, 10)
    const own = book.price(StubLlm.deployment("c", { model: "gpt-audio", inputPrice: 1, outputPrice: 2 }))
    assert.strictEqual(own === undefined ? Number.NaN : PriceBook.cost(spoken, own), (1000 + 500 * 2) / 1e6)
  })
  it("a deployment's own prices win, and those of one deployment don't leak to another of the same model", () => {
    const own = StubLlm.deployment("a", { model: "gpt-4o", inputPrice: 1, outputPrice: 2 })
    const other = StubLlm.deployment("b", { model: "gpt-4o" })
    assert.deepStrictEqual(book.price(own), { input: 1, cachedInput: 1, output: 2 })
    assert.strictEqual(book.price(other)?.output, 10)
  })
  it("provider prefixes and dates don't hide a model; an explicit 0 is free, an unknown model has no price", () => {
    assert.strictEqual(book.price(StubLlm.deployment("a", { model: "openai/gpt-4o-2024-08-06" }))?.input, 2.5)
    assert.strictEqual(
      book.price(StubLlm.deployment("a", { model: "gpt-4o", inputPrice: 0, outputPrice: 0 }))?.input,
      0
    )
    assert.isUndefined(book.price(StubLlm.deployment("a", { model: "my-model" })))
  })
})

describe("Cost", () => {
  /** Notes the end, as the Balancer does. */
  const noting = Service.bracketAttempt<void>({
    begin: () => {},
    end: (_, outcome, at, attempt) => attempt.settle(outcome, at)
  })
  const own: Service.AttemptLayer = (next) => Service.attempt((attempt) => next.call(attempt), next.status)
  const service = (stub: StubLlm.StubLlm) => stub.attempts.pipe(Cost.make(PriceBook.make()), own, noting)
  const priced = () => StubLlm.slot("a", { inputPrice: 2, cachedInputPrice: 1, outputPrice: 10 })

  it.effect("every answer's cost is in the report", () =>
    Effect.gen(function* () {
      const made = request()
      yield* service(StubLlm.make({ usage })).call(StubLlm.attempt(made, priced()))
      assert.closeTo(made.route.journal.report().cost ?? Number.NaN, 0.0066, 1e-9)
    })
  )
  it.effect("a stream that its caller leaves is charged for what it used", () =>
    Effect.gen(function* () {
      const made = { ...request(), stream: true }
      const response = yield* service(StubLlm.make({ chunks: ["four"], stallAfter: 1 })).call(
        StubLlm.attempt(made, priced())
      )
      if (response._tag !== "Streaming") return assert.fail("no stream")
      yield* response.events.pull
      yield* response.events.pull.pipe(Effect.timeout(0), Effect.ignore)
      response.events.close()
      assert.isAbove(made.route.journal.report().cost ?? 0, 0)
    })
  )
  it.effect("without a price there is no cost, rather than a cost of 0", () =>
    Effect.gen(function* () {
      const made = request()
      yield* service(StubLlm.make({ usage })).call(StubLlm.attempt(made, StubLlm.slot("a")))
      assert.isUndefined(made.route.journal.report().cost)
    })
  )
})
