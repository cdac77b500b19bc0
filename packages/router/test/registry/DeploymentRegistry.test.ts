import { assert, describe, it } from "@effect/vitest"
import * as Slot from "@switchyard/core/Slot"
import * as DeploymentRegistry from "@switchyard/router/DeploymentRegistry"
import { Effect, Either } from "effect"

const d = (id: string, group: string, more: object = {}) => ({ id, group, model: `real-${id}`, ...more })

const issuesOf = (config: DeploymentRegistry.RegistryConfig) =>
  Either.match(DeploymentRegistry.decode(config), {
    onLeft: (error) => error.issues.map(({ path, value, expected }) => `${path} | ${value} | ${expected}`),
    onRight: () => []
  })

describe("resolution", () => {
  const registry = Effect.runSync(
    DeploymentRegistry.make({
      deployments: [
        d("a", "smart"),
        d("b", "smart", { order: 2 }),
        d("c", "smart", { order: 1 }),
        d("w", "openai/*"),
        d("x", "openai/gpt-*"),
        d("u", "模型")
      ],
      aliases: { best: "better", better: "smart" }
    })
  )
  const ids = (name: string) => registry.resolve(name)?.group.tiers.map((tier) => tier.map((slot) => slot.id as string))

  it("a group's deployments are tiers by order, those without one last", () => {
    assert.deepStrictEqual(ids("smart"), [["c"], ["b"], ["a"]])
  })
  it("a deployment id is a group of its own", () => assert.deepStrictEqual(ids("b"), [["b"]]))
  it("aliases are followed over several hops", () => assert.deepStrictEqual(ids("best"), ids("smart")))
  it("the wildcard with most literal characters wins, and its capture is kept", () => {
    const resolved = registry.resolve("openai/gpt-4o")
    assert.strictEqual(resolved?.group.name, "openai/gpt-*")
    assert.deepStrictEqual(resolved?.captures, ["4o"])
    assert.strictEqual(registry.resolve("openai/o3")?.group.name, "openai/*")
  })
  it("several stars each get their share, and a hostile name costs no more than its length", () => {
    const many = Effect.runSync(DeploymentRegistry.make({ deployments: [d("m", "a*b*c"), d("n", "*/*/*/*/end")] }))
    assert.deepStrictEqual(many.resolve("a-1-b-2-c")?.captures, ["-1-", "-2-"])
    assert.deepStrictEqual(many.resolve("abc")?.captures, ["", ""])
    assert.isUndefined(many.resolve("ab"))
    assert.isUndefined(many.resolve(`${"/".repeat(200_000)}x`))
  })
  it("a wildcard matches the whole name only", () => assert.isUndefined(registry.resolve("x/openai/gpt-4o")))
  it("any Unicode name is a name", () => assert.deepStrictEqual(ids("模型"), [["u"]]))
  it("an unknown name is nothing", () => assert.isUndefined(registry.resolve("nope")))
  it("names of object properties are no groups", () => assert.isUndefined(registry.resolve("constructor")))
  it("why a name is not served is known by the name or by a pattern", () => {
    const { whyUnserved } = Effect.runSync(
      DeploymentRegistry.make({
        deployments: [d("a", "m")],
        unserved: { "mistral/*": "no key", old: "gone since May" }
      })
    )
    assert.deepStrictEqual(["mistral/small", "old", "older", "m"].map(whyUnserved), [
      "no key",
      "gone since May",
      undefined,
      undefined
    ])
  })
  it("the default group serves what nothing else matches", () => {
    const withDefault = Effect.runSync(
      DeploymentRegistry.make({ deployments: [d("a", "smart")], defaultGroup: "smart" })
    )
    assert.strictEqual(withDefault.resolve("nope")?.group.name, "smart")
  })
})

describe("bad configurations", () => {
  it("an empty list, with the path", () => {
    assert.deepStrictEqual(issuesOf({ deployments: [] }), ["deployments | [] | a list of at least one deployment"])
  })
  it("all problems at once: values, duplicates, aliases, default", () => {
    const issues = issuesOf({
      deployments: [d("a", "m", { weight: -1, rpm: -5 }), d("a", "m", { weight: Number.NaN })],
      aliases: { x: "y", y: "x" },
      defaultGroup: "gone"
    })
    assert.deepStrictEqual(issues, [
      "deployments[0].weight | -1 | a finite number of at least 0",
      "deployments[0].rpm | -5 | a whole number of at least 0",
      "deployments[1].weight | NaN | a finite number of at least 0",
      'deployments[1].id | "a" | an id of its own (deployments[0] has this one)'
    ])
  })
  it("alias cycles (self, direct, transitive), dead aliases and a dead default", () => {
    const issues = issuesOf({
      deployments: [d("a", "m")],
      aliases: { self: "self", one: "two", two: "one", dead: "gone" },
      defaultGroup: "nowhere"
    })
    assert.deepStrictEqual(
      issues.map((line) => line.split(" | ")[0]),
      ["aliases.self", "aliases.one", "aliases.two", "aliases.dead", "defaultGroup"]
    )
  })
})

describe("replacement", () => {
  it("state is kept by id through re-ordering, a new configuration, removal and return", () => {
    const key = Slot.key("test", () => ({ count: 0 }))
    const registry = Effect.runSync(DeploymentRegistry.make({ deployments: [d("a", "m"), d("b", "m")] }))
    const before = registry.slot("a")
    if (before === undefined) return assert.fail("no slot")
    before.get(key).count = 7
    Effect.runSync(registry.replace({ deployments: [d("b", "m"), d("a", "m", { weight: 3 })] }))
    const after = registry.slot("a")
    assert.strictEqual(after?.get(key).count, 7)
    assert.strictEqual(after?.deployment.weight, 3)
    assert.isUndefined(before.deployment.weight, "a call in flight still sees the deployment it began on")
    Effect.runSync(registry.replace({ deployments: [d("b", "m")] }))
    assert.isUndefined(registry.slot("a"))
    Effect.runSync(registry.replace({ deployments: [d("a", "m")] }))
    assert.strictEqual(registry.slot("a")?.get(key).count, 7)
  })
  it("a bad configuration leaves the old one in force", () => {
    const registry = Effect.runSync(DeploymentRegistry.make({ deployments: [d("a", "m")] }))
    const version = registry.version()
    const result = Effect.runSync(Effect.either(registry.replace({ deployments: [] })))
    assert.isTrue(Either.isLeft(result))
    assert.strictEqual(registry.version(), version)
    assert.isDefined(registry.slot("a"))
  })
})

describe("precedence of names", () => {
  const resolved = (name: string) => {
    const registry = Effect.runSync(
      DeploymentRegistry.make({
        deployments: [d("gpt-a", "one"), d("b", "gpt-b"), d("w", "gpt-*"), d("z", "rest")],
        aliases: { "gpt-c": "one" },
        defaultGroup: "rest"
      })
    )
    return registry
      .resolve(name)
      ?.group.tiers.flat()
      .map((slot) => slot.id as string)
  }
  it("an id, an alias or a group comes before a wildcard, a wildcard before the default", () => {
    assert.deepStrictEqual(["gpt-a", "gpt-b", "gpt-c", "gpt-d", "o3"].map(resolved), [
      ["gpt-a"],
      ["b"],
      ["gpt-a"],
      ["w"],
      ["z"]
    ])
  })
  it("sixteen hops of aliases are followed, seventeen are a configuration error", () => {
    const chain = (hops: number) =>
      Object.fromEntries(Array.from({ length: hops }, (_, i) => [`n${i}`, i === hops - 1 ? "m" : `n${i + 1}`]))
    const config = (hops: number) => ({ deployments: [d("a", "m")], aliases: chain(hops) })
    assert.strictEqual(Effect.runSync(DeploymentRegistry.make(config(16))).resolve("n0")?.group.name, "m")
    assert.match(issuesOf(config(17)).join("\n"), /^aliases\.n0 .*at most 16 hops/)
  })
})
