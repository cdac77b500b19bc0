import { assert, describe, it } from "@effect/vitest"
import * as LiteLlmConfig from "@switchyard/litellm/LiteLlmConfig"

/** A map that YAML can write, and that throws where a program makes a text of it. */
const poison = { toString: "s", valueOf: 1 }

const sections = ["router_settings", "litellm_settings", "general_settings"] as const

const file = (change: (tree: Record<string, Record<string, unknown>>, params: Record<string, unknown>) => void) => {
  const params: Record<string, unknown> = { model: "openai/gpt-4o", api_key: "k" }
  const info: Record<string, unknown> = {}
  const tree: Record<string, Record<string, unknown>> = {
    router_settings: {},
    litellm_settings: {},
    general_settings: {},
    model_info: info
  }
  change(tree, params)
  const { model_info, ...rest } = tree
  return { model_list: [{ model_name: "m", litellm_params: params, model_info }], ...rest }
}

describe("a LiteLLM file with a map where a text should be", () => {
  it("is read, or refused in words, wherever it stands and whatever the map holds", () => {
    for (const { key, section } of LiteLlmConfig.keys) {
      for (const value of [poison, [poison], [[poison]], { a: poison }]) {
        const tree = file((all, params) => {
          if (section === "litellm_params") params[key] = value
          else if (section === "model_info" || sections.some((name) => name === section)) {
            const at = all[section]
            if (at !== undefined) at[key] = value
          }
        })
        const read = () => LiteLlmConfig.translate(tree, {})
        assert.doesNotThrow(read, `${section}.${key}`)
      }
    }
  })
})
