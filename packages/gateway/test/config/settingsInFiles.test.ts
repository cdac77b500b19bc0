import { assert, describe, it } from "@effect/vitest"
import { closest } from "@switchyard/core/Closest"
import { merge, trace } from "../../src/config/mergedSettings.js"
import { locate } from "../../src/config/yaml/location.js"
import { parse } from "../../src/config/yaml/yamlTree.js"

describe("the name that was meant", () => {
  const known = ["num_retries", "timeout", "rpm", "tpm", "fallbacks"]

  it("is the nearest known one, whatever its case and hyphens", () => {
    assert.strictEqual(closest("numRetries", known), "num_retries")
    assert.strictEqual(closest("num-retris", known), "num_retries")
    assert.strictEqual(closest("rmp", known), "rpm")
    assert.strictEqual(closest("rpmm", known), "rpm")
  })

  it("is nobody's when none is near", () => {
    assert.strictEqual(closest("temperature", known), undefined)
    assert.strictEqual(closest("x", known), undefined)
    assert.strictEqual(closest("timeout", []), undefined)
  })
})

describe("a place in a file", () => {
  const { root } = parse("a:\n  gpt-4:\n    x: 1\n  gpt-4.1:\n    - y\n    - [z]\n", "f")
  const at = (path: string) => {
    assert.isDefined(root)
    if (root === undefined) return []
    const { exact, place } = locate(root, path)
    return [place.line, place.column, exact]
  }

  it("is found through keys with dots, the longest first", () => {
    assert.deepStrictEqual(at("a.gpt-4.x"), [3, 5, true])
    assert.deepStrictEqual(at("a.gpt-4.1[1][0]"), [6, 8, true])
  })

  it("is the nearest one above for what is not there", () => {
    assert.deepStrictEqual(at("a.gpt-4.y.z"), [2, 3, false])
    assert.deepStrictEqual(at("a.gpt-4.1[7]"), [4, 3, false])
    assert.deepStrictEqual(at("b"), [1, 1, false])
  })
})

describe("settings of two formats", () => {
  const merged = merge(
    {
      settings: { deployments: [{ id: "a" }], retry: { attempts: 3, factor: 2 }, strategy: "x", aliases: { q: "a" } },
      origins: new Map([
        ["deployments[0]", "model_list[0]"],
        ["retry.attempts", "router_settings.num_retries"]
      ])
    },
    { deployments: [{ id: "b" }], retry: { attempts: 4 }, strategy: "y", aliases: null }
  )

  it("are one: objects by key, deployments one after the other, the rest replaced", () => {
    assert.deepStrictEqual(merged.settings, {
      deployments: [{ id: "a" }, { id: "b" }],
      retry: { attempts: 4, factor: 2 },
      strategy: "y",
      aliases: null
    })
  })

  it("lead back to where each stands in the file", () => {
    assert.deepStrictEqual(trace(merged, "deployments[0].rpm").path, "model_list[0].rpm")
    assert.deepStrictEqual(trace(merged, "deployments[1].rpm").path, "deployments[0].rpm")
    assert.deepStrictEqual(trace(merged, "retry.attempts").path, "retry.attempts")
    assert.deepStrictEqual(trace(merged, "server.port"), { path: "server.port", origin: "server.port", own: true })
  })
})
