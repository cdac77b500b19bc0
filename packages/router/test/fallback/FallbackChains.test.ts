import { assert, describe, it } from "@effect/vitest"
import * as Field from "@switchyard/core/Field"
import * as DeploymentRegistry from "@switchyard/router/DeploymentRegistry"
import * as Chains from "@switchyard/router/FallbackChains"
import { FallbackChains } from "@switchyard/router/FallbackChains"
import { cases } from "@switchyard/testing/Effort"
import { Effect, Either, FastCheck as fc } from "effect"

/** Any character; fast-check's own unit of this kind takes seconds to make. */
const unit = fc.integer({ min: 0, max: 0x10f7ff }).map((n) => String.fromCodePoint(n < 0xd800 ? n : n + 0x800))

const models = (chain: Chains.Chain | undefined) => chain?.targets.map((target) => target.model)

const registry = (groups: ReadonlyArray<string>, aliases: Record<string, string> = {}) =>
  Effect.runSync(
    DeploymentRegistry.make({ deployments: groups.map((group) => ({ id: `${group}-1`, group, model: "m" })), aliases })
  )

const knownIn =
  (...names: ReadonlyArray<string>) =>
  (model: string) =>
    names.includes(model)

describe("lookup by kind", () => {
  const chains = FallbackChains.make({
    general: { m: ["g"], only: ["g"] },
    contextWindow: { m: ["cw"] },
    contentPolicy: { m: ["cp"] },
    rateLimit: { m: ["rl"] }
  })
  it("each kind has its own map", () => {
    assert.deepStrictEqual(chains.lookup("general", "m"), { kind: "general", targets: [{ model: "g" }] })
    assert.deepStrictEqual(chains.lookup("contextWindow", "m"), { kind: "contextWindow", targets: [{ model: "cw" }] })
    assert.deepStrictEqual(chains.lookup("contentPolicy", "m"), { kind: "contentPolicy", targets: [{ model: "cp" }] })
    assert.deepStrictEqual(chains.lookup("rateLimit", "m"), { kind: "rateLimit", targets: [{ model: "rl" }] })
  })
  it("context window and rate limit fall back on general, and say so; content policy never does", () => {
    assert.deepStrictEqual(chains.lookup("contextWindow", "only"), { kind: "general", targets: [{ model: "g" }] })
    assert.deepStrictEqual(chains.lookup("rateLimit", "only"), { kind: "general", targets: [{ model: "g" }] })
    assert.isUndefined(chains.lookup("contentPolicy", "only"))
  })
  it("an error without a chain leads nowhere, and a model without an entry has none", () => {
    assert.isUndefined(chains.lookup("none", "m"))
    assert.isUndefined(chains.lookup("general", "other"))
  })
  it("an explicit empty list means none, and hides general", () => {
    const empty = FallbackChains.make({ general: { m: ["g"] }, rateLimit: { m: [] } })
    assert.deepStrictEqual(empty.lookup("rateLimit", "m"), { kind: "rateLimit", targets: [] })
  })
  it("a target keeps its overrides", () => {
    const target = { model: "g", overrides: { temperature: 0 } }
    assert.deepStrictEqual(FallbackChains.make({ general: { m: [target] } }).lookup("general", "m")?.targets, [target])
  })
  it("a hundred targets keep their order", () => {
    const many = Array.from({ length: 100 }, (_, i) => `model_${i}`)
    assert.deepStrictEqual(models(FallbackChains.make({ general: { m: many } }).lookup("general", "m")), many)
  })
})

describe("lookup by name", () => {
  it("the default list serves names without an entry, and a specific entry beats it", () => {
    const chains = FallbackChains.make({ general: { m: ["a"] }, default: ["z"] })
    assert.deepStrictEqual(models(chains.lookup("general", "m")), ["a"])
    assert.deepStrictEqual(models(chains.lookup("general", "other")), ["z"])
    assert.deepStrictEqual(models(chains.lookup("rateLimit", "other")), ["z"])
    assert.isUndefined(chains.lookup("contentPolicy", "other"))
  })
  it("every map may have a default of its own", () => {
    const chains = FallbackChains.make({ contentPolicy: { "*": ["safe"] }, general: { "*": ["z"] } })
    assert.deepStrictEqual(models(chains.lookup("contentPolicy", "m")), ["safe"])
    assert.deepStrictEqual(models(chains.lookup("general", "m")), ["z"])
  })
  it("a name that nobody knows uses the default chain, under its own kind", () => {
    const chains = FallbackChains.make({ default: ["z"] })
    assert.deepStrictEqual(chains.lookup("unknownModel", "what"), { kind: "unknownModel", targets: [{ model: "z" }] })
  })
  it("openai/gpt-x finds the entry of gpt-x, and its own entry beats that", () => {
    const chains = FallbackChains.make({ general: { "gpt-x": ["a"], "openai/gpt-y": ["b"], "gpt-y": ["c"] } })
    assert.deepStrictEqual(models(chains.lookup("general", "openai/gpt-x")), ["a"])
    assert.deepStrictEqual(models(chains.lookup("general", "eu/openai/gpt-x")), ["a"])
    assert.deepStrictEqual(models(chains.lookup("general", "openai/gpt-y")), ["b"])
    assert.deepStrictEqual(models(chains.lookup("general", "eu/openai/gpt-y")), ["b"])
  })
  it("patterns match whole names, the most literal one first, and hand on what their stars stood for", () => {
    const chains = FallbackChains.make({
      general: { "*": ["z"], "openai/*": ["azure/*"], "openai/gpt-*-mini": ["small-*"], "gpt-x": ["a"] }
    })
    assert.deepStrictEqual(models(chains.lookup("general", "openai/o3")), ["azure/o3"])
    assert.deepStrictEqual(models(chains.lookup("general", "openai/gpt-5-mini")), ["small-5"])
    assert.deepStrictEqual(models(chains.lookup("general", "openai/gpt-x")), ["a"])
    assert.deepStrictEqual(models(chains.lookup("general", "my-openai/o3")), ["z"])
  })
  it("a star matches even nothing, but literals never overlap", () => {
    const chains = FallbackChains.make({ general: { "a*a": ["x"], "b*c*d": ["*-*"] } })
    assert.deepStrictEqual(models(chains.lookup("general", "aa")), ["x"])
    assert.isUndefined(chains.lookup("general", "a"))
    assert.deepStrictEqual(models(chains.lookup("general", "b1c2d")), ["1-2"])
    assert.isUndefined(chains.lookup("general", "bcx"))
  })
  it("an alias finds its group's entry, a deployment id too, and an own entry beats it", () => {
    const { resolve } = registry(["g", "h"], { fast: "g", quick: "g" })
    const chains = FallbackChains.make({ general: { g: ["h"], quick: ["fast"] } }, resolve)
    assert.deepStrictEqual(models(chains.lookup("general", "fast")), ["h"])
    assert.deepStrictEqual(models(chains.lookup("general", "g-1")), ["h"])
    assert.deepStrictEqual(models(chains.lookup("general", "quick")), ["fast"])
  })
  it("an alias of a wildcard's name finds the wildcard group's entry with its captures", () => {
    const { resolve } = registry(["openai/*"], { fast: "openai/gpt-5" })
    const chains = FallbackChains.make({ general: { "openai/*": ["azure/*"] } }, resolve)
    assert.deepStrictEqual(models(chains.lookup("general", "fast")), ["azure/gpt-5"])
  })
  it("any Unicode name is found, the empty one too, and never a member of Object", () => {
    fc.assert(
      fc.property(fc.string({ unit }), fc.string({ unit }), (name, other) => {
        const key = name.replaceAll("*", "")
        const chains = FallbackChains.make({ general: Object.fromEntries([[key, ["备份"]]]) })
        assert.deepStrictEqual(models(chains.lookup("general", key)), ["备份"])
        if (other !== key && !other.endsWith(`/${key}`)) assert.isUndefined(chains.lookup("general", other))
      }),
      { numRuns: cases(2000), seed: 20260201 }
    )
    const chains = FallbackChains.make({ general: { 模型: ["备份"] } })
    assert.isUndefined(chains.lookup("general", "constructor"))
    assert.isUndefined(chains.lookup("general", "__proto__"))
  })
})

describe("validate", () => {
  it("unknown targets are errors with their path", () => {
    const chains = FallbackChains.make({
      general: { m: ["a", { model: "gone", overrides: {} }] },
      rateLimit: { m: ["lost"] },
      default: ["away"]
    })
    assert.deepStrictEqual(chains.validate(knownIn("m", "a"), "fallback.chains").errors, [
      { path: "fallback.chains.general.m[1].model", value: '"gone"', expected: "a group, an alias or a deployment id" },
      { path: "fallback.chains.rateLimit.m[0]", value: '"lost"', expected: "a group, an alias or a deployment id" },
      { path: "fallback.chains.default[0]", value: '"away"', expected: "a group, an alias or a deployment id" }
    ])
  })
  it("a target with a star under a key with one is not judged, since it depends on the name", () => {
    const chains = FallbackChains.make({ general: { "openai/*": ["azure/*"], m: ["azure/*"] } })
    assert.deepStrictEqual(
      chains.validate(knownIn()).errors.map((error) => error.path),
      ["chains.general.m[0]"]
    )
  })
  it("two default lists are an error", () => {
    const { errors } = FallbackChains.make({ general: { "*": ["m"] }, default: ["m"] }).validate(knownIn("m"))
    assert.deepStrictEqual(
      errors.map((error) => error.path),
      ["chains.default"]
    )
  })
  it("cycles are warnings, one per knot, each map by itself, in order", () => {
    const chains = FallbackChains.make({
      rateLimit: { b: ["a"], a: ["b"] },
      general: { x: ["y"], y: ["z"], z: ["x", "y"], self: ["self"] },
      contextWindow: { a: ["b"] },
      contentPolicy: { b: ["a"] }
    })
    const { errors, warnings } = chains.validate(() => true)
    assert.deepStrictEqual(errors, [])
    assert.deepStrictEqual(warnings, [
      { kind: "general", path: ["self", "self"] },
      { kind: "general", path: ["y", "z", "y"] },
      { kind: "rateLimit", path: ["a", "b", "a"] }
    ])
  })
  it("diamonds, duplicates and default lists are no cycles", () => {
    const chains = FallbackChains.make({
      general: { a: ["b", "c"], b: ["d", "d"], c: ["d"], "*": ["a", "d"] }
    })
    assert.deepStrictEqual(chains.validate(() => true).warnings, [])
  })
  it("a cycle through an alias, or through a name with its provider, is found", () => {
    const { resolve } = registry(["a", "b"], { other: "a" })
    assert.deepStrictEqual(
      FallbackChains.make({ general: { a: ["b"], b: ["other"] } }, resolve).validate(() => true).warnings,
      [{ kind: "general", path: ["a", "b", "a"] }]
    )
    assert.deepStrictEqual(FallbackChains.make({ general: { a: ["b"], b: ["x/a"] } }).validate(() => true).warnings, [
      { kind: "general", path: ["a", "b", "a"] }
    ])
  })
  it("a configuration of the wrong shape is refused with paths", () => {
    const decoded = Field.decode(Chains.Config, { general: { m: "x" }, rateLimit: { m: [1] }, fallback: {} }, "chains")
    const issues = Either.isLeft(decoded) ? decoded.left.issues : []
    assert.deepStrictEqual(issues.map((found) => found.path).sort(), [
      "chains.fallback",
      "chains.general.m",
      "chains.rateLimit.m[0]"
    ])
  })
})
