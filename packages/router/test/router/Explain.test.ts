import { assert, describe, it } from "@effect/vitest"
import type { DeploymentConfig } from "@switchyard/core/Deployment"
import * as LlmRequest from "@switchyard/core/LlmRequest"
import * as LlmService from "@switchyard/core/LlmService"
import { closed, open } from "@switchyard/core/Status"
import { CooldownState } from "@switchyard/router/CooldownState"
import * as DeploymentRegistry from "@switchyard/router/DeploymentRegistry"
import * as Explain from "@switchyard/router/Explain"
import * as Router from "@switchyard/router/Router"
import { UsageWindows } from "@switchyard/router/UsageWindows"
import * as StubLlm from "@switchyard/testing/StubLlm"
import { Context, Effect, TestClock } from "effect"

const d = (id: string, more: Partial<DeploymentConfig> = {}): DeploymentConfig => ({
  id,
  group: "m",
  model: "real",
  ...more
})

const chat = (options: LlmRequest.RequestOptions = {}, body: object = {}) =>
  LlmRequest.chat({ model: "m", messages: [{ role: "user", content: "Hi" }], ...body }, options)

const setup = (options: Router.Options) =>
  Effect.gen(function* () {
    const stub = StubLlm.make()
    const tower = yield* Router.make(options, stub.attempts)
    const explain = (request = chat()) =>
      Effect.map(TestClock.currentTimeMillis, (now) => Explain.explain(tower, request, now))
    return { stub, tower, explain }
  })

/** Each deployment as `id tier verdict why`. */
const lines = ({ deployments }: Explain.Explanation) =>
  deployments.map(({ deployment, filter, forced, reason, tier, until, verdict }) =>
    [deployment, tier, verdict, filter, reason, until, forced ? "forced" : undefined]
      .filter((word) => word !== undefined)
      .join(" ")
  )

describe("what a request demands", () => {
  const capabilities = ["tools"]
  const cases: ReadonlyArray<readonly [string, Partial<DeploymentConfig>, LlmRequest.LlmRequest]> = [
    ["pinned", {}, chat({ demands: { deployment: "good" } })],
    ["region", { region: "us" }, chat({ demands: { region: "eu" } })],
    ["tags", { tags: ["cheap"] }, chat({ tags: ["paid"] })],
    ["requiredTags", { tags: ["cheap"] }, chat({ demands: { requiredTags: ["paid"] } })],
    ["excludedTags", { tags: ["slow"] }, chat({ demands: { excludedTags: ["slow"] } })],
    ["capabilities", { capabilities: [] }, chat({ demands: { capabilities } })],
    ["capabilities", { capabilities: [] }, chat({}, { tools: [{ type: "function" }] })],
    ["contextWindow", { contextWindow: 10 }, chat({}, { messages: [{ role: "user", content: "x".repeat(400) }] })]
  ]
  for (const [filter, other, request] of cases) {
    it.scoped(`puts out what does not meet it, and names the filter: ${filter}`, () =>
      Effect.gen(function* () {
        const good = d("good", { region: "eu", tags: ["paid"], capabilities, contextWindow: 1000 })
        const { explain, stub } = yield* setup({ deployments: [d("bad", other), good] })
        assert.deepStrictEqual(lines(yield* explain(request)), [`bad 0 out ${filter}`, "good 0 candidate"])
        assert.strictEqual(stub.calls.length, 0)
      })
    )
  }
})

describe("what the strategy expects", () => {
  it.scoped("is told of each deployment, where it reckons with time and cost", () =>
    Effect.gen(function* () {
      const deployments = [
        d("dear", { inputPrice: 10, outputPrice: 10 }),
        d("cheap", { inputPrice: 1, outputPrice: 1 })
      ]
      const objective = { minimize: "latency", costPerMillion: 5 } as const
      const { explain } = yield* setup({ deployments, strategy: "objective", objective })
      const [dear, cheap] = (yield* explain()).deployments
      assert.strictEqual(dear?.expected?.isWithin, false)
      assert.strictEqual(cheap?.expected?.isWithin, true)
      assert.closeTo((dear?.expected?.usd ?? 0) / (cheap?.expected?.usd ?? 1), 10, 1e-6)
      const plain = yield* setup({ deployments })
      assert.deepStrictEqual(
        (yield* plain.explain()).deployments.map(({ expected }) => expected),
        [undefined, undefined]
      )
    })
  )
})

describe("what a deployment's status says", () => {
  it.scoped("in cooldown, on trial, isolated, full: each is out, with the time when that passes", () =>
    Effect.gen(function* () {
      const { explain, stub, tower } = yield* setup({
        deployments: [d("a"), d("b"), d("c", { rpm: 1 }), d("e", { maxParallel: 1 }), d("f")],
        cooldown: { jitter: 0 },
        groupStrategies: { m: "ordered" }
      })
      const state = Context.get(tower.state, CooldownState)
      const registry = Context.get(tower.state, DeploymentRegistry.DeploymentRegistry)
      const slot = (id: string) => registry.slot(id) ?? assert.fail(id)
      yield* state.cool(slot("a"), "30 seconds")
      yield* state.isolate("b")
      yield* LlmService.complete(tower.service, chat({ demands: { deployment: "c" } }))
      yield* Context.get(tower.state, UsageWindows).reserve(slot("e"), 1, 0)
      const explained = yield* explain()
      assert.deepStrictEqual(lines(explained), [
        "a 0 out cooldown 30000",
        "b 0 out isolated",
        "c 0 out rpm 60000",
        "e 0 out maxParallel",
        "f 0 candidate"
      ])
      assert.strictEqual(explained.strategy, "Ordered")
      assert.deepStrictEqual(yield* explain(), explained)
      assert.strictEqual(stub.calls.length, 1)
    })
  )
  it.scoped("the only one left in the last place to go is asked in spite of its breaker, and no other", () =>
    Effect.gen(function* () {
      const options: Router.Options = { deployments: [d("a"), d("s", { group: "spare" })], cooldown: { jitter: 0 } }
      for (const [fallback, expected, request] of [
        [{}, "a 0 candidate cooldown 30000 forced", chat()],
        [{ chains: { general: { m: ["spare"] } } }, "a 0 out cooldown 30000", chat()],
        [
          { chains: { general: { m: ["spare"] } } },
          "a 0 candidate cooldown 30000 forced",
          chat({ overrides: { disableFallbacks: true } })
        ]
      ] as const) {
        const { explain, stub, tower } = yield* setup({ ...options, fallback })
        const registry = Context.get(tower.state, DeploymentRegistry.DeploymentRegistry)
        yield* Context.get(tower.state, CooldownState).cool(registry.slot("a") ?? assert.fail("a"), "30 seconds")
        assert.deepStrictEqual(lines(yield* explain(request)), [expected])
        // The tower does as it was explained.
        yield* LlmService.complete(tower.service, request)
        assert.strictEqual(stub.calls[0]?.deployment === "a", expected.endsWith("forced"))
      }
    })
  )
  it.scoped("a filter is named before a status, and both are told", () =>
    Effect.gen(function* () {
      const { explain, tower } = yield* setup({ deployments: [d("a", { region: "us" }), d("b", { region: "eu" })] })
      yield* Context.get(tower.state, CooldownState).isolate("a")
      assert.deepStrictEqual(lines(yield* explain(chat({ demands: { region: "eu" } }))), [
        "a 0 out region isolated",
        "b 0 candidate"
      ])
    })
  )
  it("it needs no tower: a registry and a status are enough", () => {
    const registry = Effect.runSync(DeploymentRegistry.make({ deployments: [d("a"), d("b")] }))
    const explained = Explain.explain(
      {
        registry,
        status: (slot) => (slot.id === "a" ? closed("maintenance", 9) : open),
        strategyOf: () => "mine",
        settings: {}
      },
      chat(),
      0
    )
    assert.deepStrictEqual(lines(explained), ["a 0 out maintenance 9", "b 0 candidate"])
  })
})

describe("what a name resolves to", () => {
  it.scoped("tiers stand by their order, those without one last", () =>
    Effect.gen(function* () {
      const deployments = [d("late"), d("second", { order: 2 }), d("first", { order: 1 }), d("also", { order: 1 })]
      const { explain } = yield* setup({ deployments })
      assert.deepStrictEqual(lines(yield* explain()), [
        "first 0 candidate",
        "also 0 candidate",
        "second 1 candidate",
        "late 2 candidate"
      ])
    })
  )
  it.scoped("an alias is followed, name by name", () =>
    Effect.gen(function* () {
      const { explain } = yield* setup({
        deployments: [d("a"), d("b")],
        aliases: { chat: "smart", smart: "m", one: "b" }
      })
      const { because, group, path, via } = yield* explain(chat({}, { model: "chat" }))
      assert.deepStrictEqual([path, via, group, because], [["chat", "smart", "m"], "group", "m", '"m" is a group'])
      const single = yield* explain(chat({}, { model: "one" }))
      assert.deepStrictEqual([single.path, single.via, single.group], [["one", "b"], "deployment", "m"])
      assert.deepStrictEqual(lines(single), ["b 0 candidate"])
    })
  )
  it.scoped("a wildcard fills in the model", () =>
    Effect.gen(function* () {
      const { explain } = yield* setup({
        deployments: [d("w", { group: "openai/*", model: "azure-*" }), d("x", { group: "openai/*", model: "fixed" })]
      })
      const explained = yield* explain(chat({}, { model: "openai/gpt-5" }))
      assert.deepStrictEqual([explained.via, explained.captures], ["wildcard", ["gpt-5"]])
      assert.strictEqual(explained.because, '"openai/gpt-5" matches the wildcard "openai/*"')
      assert.deepStrictEqual(
        explained.deployments.map(({ model }) => model),
        ["azure-gpt-5", "fixed"]
      )
    })
  )
  it.scoped("an unknown name has no group, and the reason says what was looked for", () =>
    Effect.gen(function* () {
      const { explain } = yield* setup({
        deployments: [d("a"), d("w", { group: "openai/*" })],
        fallback: { chains: { default: ["m"] } }
      })
      const explained = yield* explain(chat({}, { model: "nowhere" }))
      assert.deepInclude(explained, { via: "unknown", group: undefined, strategy: undefined, deployments: [] })
      assert.strictEqual(
        explained.because,
        'no group, alias, wildcard or deployment is named "nowhere", and no default group stands in'
      )
      assert.deepStrictEqual(explained.fallbacks, [
        { failure: "unknownModel", from: "unknownModel", targets: [{ model: "m" }] }
      ])
    })
  )
  it.scoped("the default group stands in for what nobody knows", () =>
    Effect.gen(function* () {
      const { explain } = yield* setup({ deployments: [d("a")], aliases: { any: "m" }, defaultGroup: "any" })
      const { because, group, isDefault, path } = yield* explain(chat({}, { model: "nowhere" }))
      assert.deepStrictEqual([group, isDefault, path], ["m", true, ["any", "m"]])
      assert.strictEqual(because, 'nothing is named "nowhere", so the default group stands in: "m" is a group')
      assert.isFalse((yield* explain()).isDefault)
    })
  )
})

describe("what would follow", () => {
  const deployments = [d("a"), d("s", { group: "spare" }), d("l", { group: "long" })]
  const chains = { general: { m: ["spare"] }, contextWindow: { m: [{ model: "long", overrides: { top_p: 1 } }] } }
  const told = ({ fallbacks }: Explain.Explanation) =>
    fallbacks.map(({ failure, from, targets }) => `${failure} ${from} ${targets.map(({ model }) => model).join(" ")}`)

  it.scoped("each kind of failure has its chain, or that of general where it may use it", () =>
    Effect.gen(function* () {
      const { explain } = yield* setup({ deployments, fallback: { chains } })
      assert.deepStrictEqual(told(yield* explain()), [
        "general general spare",
        "rateLimit general spare",
        "contextWindow contextWindow long"
      ])
      const all = yield* setup({
        deployments,
        fallback: { chains, contentPolicyUsesGeneral: true, invalidRequestUsesGeneral: true }
      })
      assert.deepStrictEqual(told(yield* all.explain()).slice(3), [
        "contentPolicy general spare",
        "invalidRequest general spare"
      ])
    })
  )
  it.scoped("a request's own word counts: its list, and its wish for none", () =>
    Effect.gen(function* () {
      const { explain } = yield* setup({ deployments, fallback: { chains } })
      const own = yield* explain(chat({ overrides: { fallbacks: ["long"] } }))
      assert.include(told(own), "general general long")
      for (const overrides of [{ disableFallbacks: true }, { maxFallbacks: 0 }, { fallbacks: [] }]) {
        assert.notInclude(told(yield* explain(chat({ overrides }))).join(), "general")
      }
      assert.deepStrictEqual(told(yield* explain(chat({ overrides: { maxFallbacks: 0 } }))), [])
    })
  )
})

describe("an explanation", () => {
  it.scoped("is plain data, and neither it nor the tower's settings hold a secret", () =>
    Effect.gen(function* () {
      const { explain, tower } = yield* setup({ deployments: [d("a", { apiKey: "sk-secret" })] })
      const explained = yield* explain()
      assert.deepStrictEqual(JSON.parse(JSON.stringify(explained)), explained)
      assert.notInclude(JSON.stringify([explained, tower.settings]), "sk-secret")
    })
  )
})
