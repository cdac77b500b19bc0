import { readdirSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import * as ConfigFile from "@switchyard/gateway/ConfigFile"
import { Effect } from "effect"

const folder = fileURLToPath(new URL("../../../../examples/configs/", import.meta.url))
const examples = readdirSync(folder).filter((name) => name.endsWith(".yaml"))

const env = Object.fromEntries(
  ["OPENAI", "ANTHROPIC", "GEMINI", "GROQ"]
    .map((name) => [`${name}_API_KEY`, "k"])
    .concat([
      ["AZURE_API_KEY_EU", "k"],
      ["AZURE_API_KEY_US", "k"],
      ["LITELLM_MASTER_KEY", "sk-master"]
    ])
)

describe("the sample files", () => {
  it("are three", () => {
    assert.deepStrictEqual(examples.sort(), ["load-balancing.yaml", "typed-fallbacks.yaml", "wildcard-tags.yaml"])
  })

  it.effect.each(examples)("%s is read without a warning, with its variables and without", (name) =>
    Effect.gen(function* () {
      const set = yield* ConfigFile.load(folder + name, { env })
      const unset = yield* ConfigFile.load(folder + name, { env: {}, unsetVariables: "note" })
      for (const { config, problems } of [set, unset]) {
        assert.deepStrictEqual(
          problems.filter(({ severity }) => severity !== "note"),
          []
        )
        assert.isAbove(config.router.deployments.length, 3)
        assert.isDefined(config.masterKey)
      }
      assert.notInclude(set.problems.map(({ message }) => message).join("\n"), "not set")
    })
  )
})
