import { assert, describe, it } from "@effect/vitest"
import type { Provider } from "./answers.js"
import { type Caller, callers, carryOut, features, providers } from "./cells.js"

/** What cannot be said, and the caller's field that is refused for it. All other cells work. */
const cannot: ReadonlyArray<readonly [caller: Caller, provider: Provider, feature: string, ...fields: Array<string>]> =
  [
    ["chat", "ollama", "tools", "tool_choice"],
    ["messages", "ollama", "tools", "tool_choice"],
    ["responses", "ollama", "tools", "tool_choice"],
    ["gemini", "ollama", "tools", "toolConfig.functionCallingConfig"]
  ]

describe("conformance", () => {
  for (const caller of Object.keys(callers) as Array<Caller>) {
    for (const provider of Object.keys(providers) as Array<Provider>) {
      for (const feature of features) {
        const refused = cannot.find(([by, of, what]) => by === caller && of === provider && what === feature)
        it(`${caller} over ${provider}: ${feature}${refused === undefined ? "" : " cannot be said"}`, () => {
          const verdict = carryOut(caller, provider, feature)
          assert.deepStrictEqual(
            verdict,
            refused === undefined ? { _tag: "works" } : { _tag: "cannot", fields: refused.slice(3) }
          )
        })
      }
    }
  }
})
