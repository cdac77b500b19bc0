import { assert, describe, it } from "@effect/vitest"
import * as StubLlm from "@switchyard/testing/StubLlm"
import { limitsCapabilities, limitsOperations, mayBeAsked, mayDo } from "../../src/catalogue/abilities.js"

const at = (model: string, baseUrl: string | undefined, more: Parameters<typeof StubLlm.deployment>[1] = {}) =>
  StubLlm.deployment("a", { model, ...(baseUrl === undefined ? {} : { baseUrl }), ...more })

const openAi = "https://api.openai.com/v1"

describe("what a deployment may do", () => {
  it("is what its model is listed with, at its provider's own address, where it says nothing itself", () => {
    const cases: ReadonlyArray<readonly [ReturnType<typeof at>, "tools" | "vision" | "json_schema", boolean]> = [
      [at("gpt-4o", openAi), "tools", true],
      [at("gpt-3.5-turbo", openAi), "vision", false],
      [at("gpt-3.5-turbo", openAi, { capabilities: ["vision"] }), "vision", true],
      [at("gpt-4o", openAi, { capabilities: [] }), "tools", false],
      [at("gpt-3.5-turbo", "http://127.0.0.1:8000/v1"), "vision", true],
      [at("gpt-3.5-turbo", undefined), "vision", true],
      [at("nobody-knows", openAi), "vision", true],
      [at("*", openAi), "vision", true]
    ]
    for (const [deployment, capability, expected] of cases) {
      assert.strictEqual(mayDo(deployment, capability), expected, `${deployment.model} ${capability}`)
    }
  })

  it("and be asked for is what its model is for, unless it declares operations", () => {
    const embedding = at("text-embedding-3-small", openAi)
    assert.deepStrictEqual(
      ["chat", "embeddings", "completion"].map((operation) => mayBeAsked(embedding, operation)),
      [false, true, false]
    )
    assert.isTrue(mayBeAsked(at("text-embedding-3-small", openAi, { operations: ["chat"] }), "chat"))
    assert.isTrue(mayBeAsked(at("text-embedding-3-small", "http://127.0.0.1:1/v1"), "chat"))
    assert.isTrue(mayBeAsked(at("nobody-knows", openAi), "speech"))
    assert.deepStrictEqual([limitsOperations(embedding), limitsCapabilities(at("nobody-knows", openAi))], [true, false])
  })
})
