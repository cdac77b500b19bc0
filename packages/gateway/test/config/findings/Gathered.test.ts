import { assert, describe, it } from "@effect/vitest"
import type { Problem } from "@switchyard/gateway/Problem"
import { inTheirUnits } from "@switchyard/litellm/TheirUnits"
import { gathered } from "../../../src/config/findings/gathered.js"

const problem = (line: number, more: Partial<Problem> = {}): Problem => ({
  severity: "note",
  path: `model_list[${line}].litellm_params.model`,
  message: "no key",
  file: "a.yaml",
  line,
  column: 3,
  ...more
})

const said = (problems: ReadonlyArray<Problem>) =>
  gathered(problems).map(({ line, message, severity }) => `${line} ${severity} ${message}`)

describe("findings without repetition", () => {
  it("what is said of many places is said once for all", () => {
    assert.deepStrictEqual(said([1, 2, 3].map((line) => problem(line))), [
      "1 note no key",
      "2 note no key",
      "3 note no key"
    ])
    assert.deepStrictEqual(said([1, 2, 3, 4].map((line) => problem(line))), [
      "1 note no key; the same at lines 2, 3, 4"
    ])
    const hundred = Array.from({ length: 100 }, (_, index) => problem(index + 1))
    assert.deepStrictEqual(said(hundred), ["1 note no key; the same at lines 2, 3, 4 and 96 more"])
  })

  it("errors, other keys and other files keep lines of their own", () => {
    const errors = [1, 2, 3, 4].map((line) => problem(line, { severity: "error" }))
    assert.lengthOf(said(errors), 4)
    assert.lengthOf(said([1, 2, 3, 4].map((line) => problem(line, { path: `a.k${line}` }))), 4)
    assert.lengthOf(said([1, 2, 3, 4].map((line) => problem(line, { file: `${line}.yaml` }))), 4)
  })

  it("the same mistake is told once", () => {
    const twice = problem(1, { severity: "error" })
    assert.lengthOf(said([twice, { ...twice }, problem(1, { severity: "error", message: "other" })]), 2)
  })
})

describe("units", () => {
  it("are those of LiteLLM's key", () => {
    const ms = 'a duration above 0, in ms or like "30 seconds"'
    const cases = [
      [ms, "router_settings.timeout", "a number of seconds above 0"],
      ['a duration of 0 or more, in ms or like "30 seconds"', "a.cooldown_time", "a number of seconds of at least 0"],
      [ms, "model_list[0].litellm_params.budget_duration", 'a length of time such as "30s", "24h" or "30d"'],
      ["a whole number of at least 1", "router_settings.num_retries", "a whole number of at least 0"],
      ["a whole number from 0 to 100", "m[0].litellm_params.num_retries", "a whole number of at least 0"],
      ["a whole number of at least 1, or false", "router_settings.allowed_fails", "a whole number of at least 0"],
      ["a whole number from 0 to 100", "r.retry_policy.TimeoutErrorRetries", "a whole number of at least 0"],
      ["USD per million tokens, at least 0", "p.input_cost_per_token", "USD per token, at least 0"],
      ["a whole number of at least 0", "p.rpm", "a whole number of at least 0"]
    ] as const
    for (const [ours, path, theirs] of cases) assert.strictEqual(inTheirUnits(ours, path), theirs, path)
  })
})
