/** The metrics of a whole tower, as a scrape sees them. */
import { assert, describe, it } from "@effect/vitest"
import * as LlmRequest from "@switchyard/core/LlmRequest"
import * as LlmService from "@switchyard/core/LlmService"
import * as Service from "@switchyard/core/Service"
import * as CooldownState from "@switchyard/router/CooldownState"
import * as DeploymentRegistry from "@switchyard/router/DeploymentRegistry"
import * as Metrics from "@switchyard/router/Metrics"
import * as Prometheus from "@switchyard/router/Prometheus"
import * as RequestMetrics from "@switchyard/router/RequestMetrics"
import * as Router from "@switchyard/router/Router"
import * as RouterEvents from "@switchyard/router/RouterEvents"
import * as StubLlm from "@switchyard/testing/StubLlm"
import { Context, Effect, Either, Fiber, Layer, Schema, Stream, TestClock } from "effect"
import { complaints, hasPromtool } from "../support/promtool.js"

const chat = (body: object = {}, options: LlmRequest.RequestOptions = {}): LlmRequest.LlmRequest =>
  LlmRequest.chat({ model: "m", messages: [{ role: "user", content: "Hi" }], ...body }, options)

const usage = { inputTokens: 100, outputTokens: 10, cachedInputTokens: 0, reasoningTokens: 0, estimated: false }

const deployments: Router.Options["deployments"] = [
  { id: "a", group: "m", model: "x", provider: "pa", inputPrice: 1, outputPrice: 10, rpm: 100, tpm: 100_000 },
  { id: "b", group: "spare", model: "x", provider: "pb", inputPrice: 1, outputPrice: 10 }
]

/** A base that cannot say one field of any request. */
const leaving = (next: Service.AttemptService): Service.AttemptService =>
  Service.attempt((attempt) => {
    const left = { path: "cache_control", field: "cache_control", reason: "advisory" }
    attempt.leftOut = { from: "messages", to: "chat", fields: [left] }
    return next.call(attempt)
  }, next.status)

/** Of no call that the tower has seen. */
const batch: RouterEvents.RouterEvent = {
  _tag: "BatchSettled",
  at: 0,
  group: "m",
  deployment: "a",
  provider: "pa",
  caller: undefined,
  tags: [],
  usage,
  cost: 0.5,
  isEstimate: false
}

/** A tower over a stub, and what a scrape of it shows: `name{labels}` to its number. */
const setup = (prefix: string, options: Partial<Router.Options> = {}) =>
  Effect.gen(function* () {
    const stub = StubLlm.make({ usage })
    const metrics = { ...(options.metrics === false ? {} : options.metrics), prefix }
    const tower = yield* Router.make({ deployments, ...options, metrics }, leaving(stub.attempts))
    const text = Metrics.scrape(tower.state, metrics)
    const scrape = Effect.map(text, (shown) =>
      Object.fromEntries(
        shown
          .split("\n")
          .filter((line) => line !== "" && !line.startsWith("#"))
          .map((line) => {
            const at = line.lastIndexOf(" ")
            return [line.slice(prefix.length + 1, at), Number(line.slice(at + 1))] as const
          })
      )
    )
    return { ...tower, stub, text, scrape }
  })

const call = (service: Router.Built["service"], request: LlmRequest.LlmRequest) =>
  Effect.either(LlmService.complete(service, request))

/** Everything that can be counted happens at least once. */
const everything = (prefix: string) =>
  Effect.gen(function* () {
    const made = yield* setup(prefix, {
      deployments: [
        ...deployments,
        { id: "a2", group: "m", model: "x", provider: "pa", priority: 2, inputPrice: 1, outputPrice: 1 }
      ],
      strategy: "priority-based",
      fallback: { chains: { general: { m: ["spare"] } } },
      retry: { attempts: 4, baseDelay: 1 },
      hedge: { delay: 1000 },
      adaptiveConcurrency: {},
      cache: {},
      cooldown: { failures: 3, duration: 1000 },
      callerBudget: { callers: { poor: { limit: 0.000_001, window: "1 day" } } },
      healthProbes: { interval: "1 hour", unhealthyThreshold: 1, healthyThreshold: 1, deployments: ["b"] }
    })
    const { service, stub } = made
    stub.reply({ fail: { reason: "Unavailable", description: "down" } })
    yield* TestClock.adjust(1)
    stub.reply({ usage })
    yield* TestClock.adjust("1 hour")
    yield* call(service, chat())
    yield* call(service, chat())
    yield* call(service, LlmRequest.embeddings({ model: "m", input: "text" }))
    stub.reply({ usage: { ...usage, units: { searches: 1 } } })
    yield* call(service, LlmRequest.mediaOf("rerank", { model: "m", query: "tea", documents: ["tea"] }))
    stub.reply(({ deployment }) =>
      deployment === "b" ? { usage } : { fail: { reason: "Unavailable", description: "down" } }
    )
    const fallen = yield* Effect.fork(call(service, chat({ seed: 1 })))
    yield* TestClock.adjust(1000)
    yield* Fiber.join(fallen)
    stub.reply({ fail: { reason: "Authentication", description: "wrong" } })
    yield* call(service, chat({ seed: 2, model: "spare" }))
    yield* TestClock.adjust("1 hour")
    stub.reply(({ deployment }) => ({ delay: deployment === "a2" ? 5000 : 500, usage }))
    const hedged = yield* Effect.fork(call(service, chat({ seed: 3 })))
    yield* TestClock.adjust("1 minute")
    yield* Fiber.join(hedged)
    stub.reply({
      chunks: ["a", "b"],
      firstToken: 10,
      gap: 10,
      failAfter: 1,
      fail: { reason: "Unavailable", description: "cut" }
    })
    const broken = yield* Effect.fork(Effect.ignore(Stream.runDrain(LlmService.stream(service, chat({ seed: 4 })))))
    yield* TestClock.adjust("1 minute")
    yield* Fiber.join(broken)
    stub.reply({ hang: true })
    const left = yield* Effect.fork(call(service, chat({ seed: 5 })))
    yield* TestClock.adjust(1)
    yield* Fiber.interrupt(left)
    stub.reply({ usage })
    yield* call(service, chat({ seed: 6, model: "m" }, { caller: "poor" }))
    yield* call(service, chat({ seed: 7, model: "m" }, { caller: "poor" }))
    stub.reply({ chunks: ["a"], usage })
    yield* Effect.ignore(Stream.runDrain(LlmService.stream(service, chat({ seed: 8, model: "spare" }))))
    const { publish } = Context.get(made.state as Context.Context<never>, RouterEvents.RouterEvents)
    publish(batch)
    // Only what is told of keys, teams and users has a soft limit.
    publish({ _tag: "BudgetNearlySpent", at: 0, scope: "team", key: "t", soft: 1 })
    // Who turns away does it by chance.
    publish({ _tag: "RequestThrottled", at: 0, group: "m", share: 0.5 })
    return made
  })

describe("the metrics of a tower", () => {
  it.scoped("are those of the list, with its types, help texts and labels, and all of them", () =>
    Effect.gen(function* () {
      const { text } = yield* everything("list")
      const shown = yield* text
      const found = new Map<string, Set<string>>()
      for (const line of shown.split("\n").filter((one) => one !== "" && !one.startsWith("#"))) {
        const [, whole = "", labels = ""] = /^list_([a-z_]+)(?:\{(.*)\})? /.exec(line) ?? []
        const name = Metrics.definitions.some((one) => one.name === whole)
          ? whole
          : whole.replace(/_(bucket|sum|count)$/, "")
        const names = [...labels.matchAll(/([a-z]+)="/g)]
          .map(([, label = ""]) => label)
          .filter((label) => label !== "le")
        found.set(name, new Set([...(found.get(name) ?? []), ...names]))
      }
      assert.deepStrictEqual([...found.keys()].sort(), Metrics.definitions.map(({ name }) => name).sort())
      for (const { help, labels, name, type } of Metrics.definitions) {
        assert.include(shown, `# HELP list_${name} ${help}\n# TYPE list_${name} ${type}\n`)
        assert.deepStrictEqual([...(found.get(name) ?? [])].sort(), [...labels].sort(), name)
      }
    })
  )
  it.scoped("gauges are at zero when everything has ended", () =>
    Effect.gen(function* () {
      const found = yield* (yield* everything("zero")).scrape
      const gauges = Object.entries(found).filter(([name]) => /^(active_requests|deployment_in_flight)/.test(name))
      assert.isAtLeast(gauges.length, 4)
      for (const [name, value] of gauges) assert.strictEqual(value, 0, name)
    })
  )
  it.scoped.skipIf(!hasPromtool)("promtool finds nothing to complain about", () =>
    Effect.gen(function* () {
      assert.strictEqual(complaints(yield* (yield* everything("lint")).text), "")
    })
  )
  it.scoped("latency, first token, tokens and cost of one request", () =>
    Effect.gen(function* () {
      const { scrape, service, stub } = yield* setup("figures", { metrics: { latencyBuckets: [0.25, 1, 120] } })
      stub.reply({ chunks: ["a", "b"], delay: 100, firstToken: 100, gap: 300, usage })
      const fiber = yield* Effect.fork(Stream.runDrain(LlmService.stream(service, chat({ stream: true }))))
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(fiber)
      const found = yield* scrape
      const labels = 'model="m",provider="pa"'
      const latency = 'model="m",outcome="success",provider="pa"'
      assert.strictEqual(found[`ttft_seconds_sum{${labels}}`], 0.2)
      assert.strictEqual(found[`ttft_seconds_bucket{${labels},le="0.2"}`], 1)
      assert.strictEqual(found[`request_latency_seconds_bucket{${latency},le="0.25"}`], 0)
      assert.strictEqual(found[`request_latency_seconds_bucket{${latency},le="1"}`], 1)
      assert.strictEqual(found[`request_latency_seconds_bucket{${latency},le="+Inf"}`], 1)
      assert.strictEqual(found[`attempt_latency_seconds_count{deployment="a",${latency}}`], 1)
      assert.strictEqual(found[`request_input_tokens_sum{${labels}}`], 100)
      assert.strictEqual(found[`output_tokens_total{${labels}}`], 10)
      assert.closeTo(found[`cost_usd_total{${labels}}`] ?? 0, 0.0002, 1e-12)
    })
  )
  it.scoped("a cache's answer is a hit of the provider cache, and uses no tokens", () =>
    Effect.gen(function* () {
      const { scrape, service } = yield* setup("cached", { cache: {} })
      yield* call(service, chat())
      yield* call(service, chat())
      const found = yield* scrape
      assert.strictEqual(found['cache_misses_total{model="m",provider="pa"}'], 1)
      assert.strictEqual(found['cache_hits_total{model="m",provider="cache"}'], 1)
      assert.strictEqual(found['requests_success_total{model="m",provider="cache"}'], 1)
      assert.strictEqual(found['input_tokens_total{model="m",provider="cache"}'], undefined)
      assert.strictEqual(found['input_tokens_total{model="m",provider="pa"}'], 100)
    })
  )
  it.scoped("names that callers make up are one model, and an alias is its group", () =>
    Effect.gen(function* () {
      const { scrape, service } = yield* setup("names", { aliases: { other_name: "m" } })
      for (const model of ["other_name", "m", "made", "up"]) yield* call(service, chat({ model }))
      const found = yield* scrape
      assert.strictEqual(found['requests_total{model="m",provider="pa"}'], 2)
      assert.strictEqual(found['requests_total{model="other",provider="none"}'], 2)
      assert.strictEqual(found['requests_error_total{model="other",provider="none",reason="UnknownModel"}'], 2)
      assert.strictEqual(Object.keys(found).filter((name) => name.startsWith("requests_total")).length, 2)
    })
  )
  it.scoped("without models and providers their labels are nowhere, and static labels everywhere", () =>
    Effect.gen(function* () {
      const metrics = { perModel: false, perProvider: false, labels: { region: 'e"u' } }
      const { service, text } = yield* setup("plain", { metrics })
      yield* call(service, chat())
      yield* call(service, chat({ model: "spare" }))
      const shown = yield* text
      assert.notMatch(shown, /(model|provider)="/)
      assert.include(shown, 'plain_requests_total{region="e\\"u"} 2\n')
      assert.include(shown, 'plain_deployment_available{deployment="b",region="e\\"u"} 1\n')
      for (const line of shown.split("\n")) {
        if (line !== "" && !line.startsWith("#")) assert.include(line, 'region="e\\"u"')
      }
    })
  )
  it.scoped("the state of deployments is read at the scrape", () =>
    Effect.gen(function* () {
      const { scrape, service, state, stub } = yield* setup("state", { cooldown: { jitter: 0 } })
      const ids = 'deployment="a",model="m",provider="pa"'
      stub.reply({ delay: 2000, usage })
      const fiber = yield* Effect.fork(call(service, chat()))
      yield* TestClock.adjust(1)
      assert.strictEqual((yield* scrape)[`deployment_in_flight{${ids}}`], 1)
      assert.strictEqual((yield* scrape)[`deployment_latency_ema_seconds{${ids}}`], undefined)
      yield* TestClock.adjust(2000)
      yield* Fiber.join(fiber)
      const before = yield* scrape
      assert.strictEqual(before[`deployment_in_flight{${ids}}`], 0)
      assert.closeTo(before[`deployment_latency_ema_seconds{${ids}}`] ?? 0, 2, 0.01)
      assert.strictEqual(before[`deployment_rpm_headroom{${ids}}`], 99)
      assert.strictEqual(before[`deployment_tpm_headroom{${ids}}`], 99_890)
      assert.strictEqual(before[`deployment_headroom_ratio{${ids}}`], 0.99)
      assert.strictEqual(before['deployment_headroom_ratio{deployment="b",model="spare",provider="pb"}'], undefined)
      const other = 'deployment="b",model="spare",provider="pb"'
      const seen = ["requests", "tokens", "failures"].map((name) => `deployment_last_minute_${name}`)
      assert.deepStrictEqual(
        [...seen.map((name) => before[`${name}{${ids}}`]), ...seen.map((name) => before[`${name}{${other}}`])],
        [1, 110, 0, 0, 0, 0]
      )
      const health = (found: Readonly<Record<string, number>>) =>
        ["unknown", "healthy", "degraded", "unhealthy", "cooldown"].filter(
          (name) => found[`deployment_health{${ids},state="${name}"}`] === 1
        )
      assert.deepStrictEqual(health(before), ["healthy"])
      const circuit = (found: Readonly<Record<string, number>>) =>
        ["closed", "open", "half_open"].map((name) => found[`deployment_state{${ids},state="${name}"}`])
      assert.deepStrictEqual(circuit(before), [1, 0, 0])
      const cooldowns = Context.get(state, CooldownState.CooldownState)
      const registry = Context.get(state, DeploymentRegistry.DeploymentRegistry)
      const slot = registry.slot("a")
      if (slot === undefined) return assert.fail("no slot")
      yield* cooldowns.cool(slot, "10 seconds")
      const cooling = yield* scrape
      assert.deepStrictEqual(circuit(cooling), [0, 1, 0])
      assert.deepStrictEqual(health(cooling), ["cooldown"])
      assert.strictEqual(cooling[`deployment_available{${ids}}`], 0)
      assert.strictEqual(cooling[`cooldowns_total{${ids},reason="manual"}`], 1)
      yield* TestClock.adjust("10 seconds")
      const onTrial = yield* scrape
      assert.deepStrictEqual(circuit(onTrial), [0, 0, 1])
      assert.strictEqual(onTrial[`deployment_available{${ids}}`], 1)
      yield* cooldowns.isolate(slot)
      assert.strictEqual((yield* scrape)[`deployment_available{${ids}}`], 0)
    })
  )
  it.scoped("two towers of one process add up, and neither undoes what the other runs", () =>
    Effect.gen(function* () {
      const first = yield* setup("two_towers")
      const second = yield* setup("two_towers")
      first.stub.reply({ delay: 100, usage })
      second.stub.reply({ delay: 200, usage })
      const fibers = [yield* Effect.fork(call(first.service, chat())), yield* Effect.fork(call(second.service, chat()))]
      yield* TestClock.adjust(50)
      assert.strictEqual((yield* first.scrape)['active_requests{model="m"}'], 2)
      yield* TestClock.adjust(100)
      assert.strictEqual((yield* first.scrape)['active_requests{model="m"}'], 1)
      assert.strictEqual((yield* first.scrape)['deployment_in_flight{deployment="a",model="m",provider="pa"}'], 1)
      yield* TestClock.adjust(100)
      yield* Fiber.joinAll(fibers)
      assert.strictEqual((yield* first.scrape)['active_requests{model="m"}'], 0)
    })
  )
  it.scoped("a tower that takes another's place counts what the kept breakers tell, under its own options", () =>
    Effect.gen(function* () {
      const stub = StubLlm.make({ usage })
      const one = yield* Router.make({ deployments, metrics: false }, stub.attempts)
      const two = yield* Router.make({ deployments, metrics: { prefix: "gen_two" } }, stub.attempts, one)
      stub.reply({ fail: { reason: "Authentication", description: "no" } })
      yield* call(two.service, chat())
      assert.include(
        Prometheus.render({ prefix: "gen_two" }),
        'gen_two_cooldowns_total{deployment="a",model="m",provider="pa",reason="Authentication"} 1\n'
      )
    })
  )
  it.scoped("without metrics a tower makes no series", () =>
    Effect.gen(function* () {
      const stub = StubLlm.make({ usage })
      const before = Prometheus.render({ prefix: "switchyard" })
      const { service } = yield* Router.make({ deployments, metrics: false }, stub.attempts)
      yield* call(service, chat())
      stub.reply({ fail: { reason: "Authentication", description: "no" } })
      yield* call(service, chat())
      assert.strictEqual(Prometheus.render({ prefix: "switchyard" }), before)
    })
  )
  it.scoped("the layer counts what is published, and hands it on", () =>
    Effect.gen(function* () {
      const told: Array<string> = []
      const inner = RouterEvents.RouterEvents.of({
        publish: ({ _tag }) => void told.push(_tag),
        isActive: () => true,
        stream: Stream.empty
      })
      const counting = Metrics.layerWith({ prefix: "by_hand" }).pipe(
        Layer.provide(DeploymentRegistry.layer({ deployments })),
        Layer.provide(Layer.succeed(RouterEvents.RouterEvents, inner))
      )
      const events = yield* Effect.provide(RouterEvents.RouterEvents, counting)
      events.publish({ _tag: "HedgeWon", at: 0, group: "m", deployment: "a" })
      events.publish({ _tag: "HedgeWon", at: 0, group: "m", deployment: "gone" })
      events.publish({ _tag: "CooldownClosed", at: 0, deployment: "a" })
      assert.isTrue(events.isActive())
      assert.deepStrictEqual(told, ["HedgeWon", "HedgeWon", "CooldownClosed"])
      const text = Prometheus.render({ prefix: "by_hand" })
      assert.include(text, 'by_hand_hedges_won_total{deployment="a",model="m",provider="pa"} 1\n')
      assert.include(text, 'by_hand_hedges_won_total{deployment="gone",model="other",provider="none"} 1\n')
    })
  )
  it.effect("layerNoop gives back the very service", () =>
    Effect.gen(function* () {
      const { requests } = StubLlm.make()
      const service = yield* Effect.provide(
        LlmService.LlmService,
        Layer.provide(RequestMetrics.layerNoop, Layer.succeed(LlmService.LlmService, requests))
      )
      assert.strictEqual(service, requests)
    })
  )
})

describe("Metrics.Options", () => {
  const issues = (metrics: unknown) =>
    Router.check({ deployments, metrics: metrics as Metrics.Options }).map(
      ({ expected, path }) => `${path}: ${expected}`
    )
  it("buckets must be finite, sorted, unique and at least one", () => {
    const expected = "finite numbers, each greater than the one before, and at least one"
    for (const buckets of [[], [1, 1], [2, 1], [1, Number.POSITIVE_INFINITY], [Number.NaN]]) {
      assert.deepStrictEqual(issues({ latencyBuckets: buckets }), [`metrics.latencyBuckets: ${expected}`])
    }
    assert.deepStrictEqual(issues({ latencyBuckets: [0.5, 1], ttftBuckets: [1], tokenBuckets: [0, 10] }), [])
  })
  it("the default buckets pass, and those of latencies reach minutes", () => {
    assert.isTrue(Schema.is(Metrics.Options)(Metrics.defaults))
    assert.isAtLeast(Metrics.defaults.latencyBuckets.at(-1) ?? 0, 300)
  })
  it("static labels have names that the format allows and no metric has", () => {
    const name = "a name of letters, digits and underscores, no digit first, not two underscores first"
    assert.deepStrictEqual(issues({ labels: { "a-b": "", __x: "", model: "", le: "", region: "eu" } }), [
      `metrics.labels.a-b: ${name}`,
      `metrics.labels.__x: ${name}`,
      "metrics.labels.model: a label that no metric has already",
      "metrics.labels.le: a label that no metric has already"
    ])
  })
  it("a value of another kind is named with its path", () => {
    assert.deepStrictEqual(issues({ perModel: "yes", prefix: "1a" }).sort(), [
      "metrics.perModel: true or false",
      "metrics.prefix: letters, digits and underscores, no digit first"
    ])
    assert.isTrue(Either.isRight(Schema.decodeUnknownEither(Metrics.Options)({ perModel: false, perProvider: false })))
  })
})
