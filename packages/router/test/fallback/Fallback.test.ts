import { assert, describe, it } from "@effect/vitest"
import type { ConfigError } from "@switchyard/core/ConfigError"
import type { DeploymentConfig } from "@switchyard/core/Deployment"
import { LlmError, type LlmErrorFields, type Reason } from "@switchyard/core/LlmError"
import * as LlmRequest from "@switchyard/core/LlmRequest"
import * as LlmService from "@switchyard/core/LlmService"
import * as Service from "@switchyard/core/Service"
import { closed, open } from "@switchyard/core/Status"
import * as Balancer from "@switchyard/router/Balancer"
import * as DeploymentRegistry from "@switchyard/router/DeploymentRegistry"
import * as DeploymentStats from "@switchyard/router/DeploymentStats"
import * as Fallback from "@switchyard/router/Fallback"
import type { RouterEvent } from "@switchyard/router/RouterEvents"
import type { Strategy } from "@switchyard/router/RoutingStrategy"
import * as Contract from "@switchyard/testing/Contract"
import { cases } from "@switchyard/testing/Effort"
import * as StubLlm from "@switchyard/testing/StubLlm"
import { Cause, Effect, Exit, Fiber, FastCheck as fc, Layer, Stream, TestClock } from "effect"

type Script = Readonly<Record<string, StubLlm.Reply>>

interface Setup extends Fallback.Options {
  /** Replies by the model that is asked; others answer. */
  readonly replies?: Script
  readonly deployments?: ReadonlyArray<DeploymentConfig>
  readonly aliases?: Readonly<Record<string, string>>
}

const down: StubLlm.Reply = { fail: { reason: "Unavailable", description: "down", status: 503 } }

const failing = (reason: Reason, more: Partial<LlmErrorFields> = {}): StubLlm.Reply => ({
  fail: { reason, description: reason, ...more }
})

const one = (group: string, more: Partial<DeploymentConfig> = {}): DeploymentConfig => ({
  id: `${group}-1`,
  group,
  model: `${group}-model`,
  ...more
})

const groups = ["a", "b", "c", "d", "e"].map((group) => one(group))

/** The same, each with its group's name as its id. */
const ids = groups.map((config) => ({ ...config, id: config.group }))

/** The layer over one stub that answers by model name. */
const setup = ({ aliases = {}, deployments = groups, replies = {}, ...options }: Setup) => {
  const stub = StubLlm.make((call) => replies[call.request.model] ?? { text: `from ${call.request.model}` })
  const registry = Effect.runSync(DeploymentRegistry.make({ deployments, aliases }))
  const published: Array<RouterEvent> = []
  const events = {
    publish: (event: RouterEvent) => void published.push(event),
    isActive: () => false,
    stream: Stream.empty
  }
  const service = stub.requests.pipe(Service.mapRequest(Service.primed), Fallback.make({ registry, events }, options))
  return { stub, registry, service, published, asked: () => stub.calls.map((call) => call.request.model) }
}

const firstOpen: Strategy = {
  name: "first-open",
  select: (candidates) => {
    for (let i = 0; i < candidates.size; i++) if (candidates.isOpen(i)) return i
    return -1
  }
}

/** The layer over a real balancer; the script goes by deployment id. */
const balanced = ({ aliases = {}, deployments = groups, replies = {}, ...options }: Setup) => {
  const stub = StubLlm.make((call) => replies[call.deployment] ?? { text: `from ${call.deployment}` })
  const registry = Effect.runSync(DeploymentRegistry.make({ deployments, aliases }))
  const balancer = Balancer.make({ registry, strategy: firstOpen, stats: DeploymentStats.make() })(stub.attempts)
  const service = balancer.pipe(Fallback.make({ registry }, options))
  return { stub, service, asked: () => stub.calls.map((call) => call.deployment as string) }
}

const chat = (model = "a", overrides: LlmRequest.RequestOverrides = {}, body: object = {}) =>
  LlmRequest.chat({ model, messages: [{ role: "user", content: "Hello there" }], ...body }, { overrides })

const text = (service: Service.RequestService, request: LlmRequest.LlmRequest) =>
  Effect.map(LlmService.complete(service, request), (answer) => {
    const choice = (answer.body.choices as ReadonlyArray<{ readonly message: { readonly content: string } }>)[0]
    return choice?.message.content
  })

const failure = (service: Service.RequestService, request: LlmRequest.LlmRequest) =>
  Effect.flip(LlmService.complete(service, request))

const contract = Effect.map(DeploymentRegistry.make({ deployments: groups }), (registry) =>
  Fallback.make({ registry }, { chains: { general: { m: ["m2"] }, contentPolicy: { m: ["m2"] } } })
)

for (const { check, name } of Contract.requestLayer(contract)) it.effect(name, () => check)

describe("the walk", () => {
  it.effect("a group that answers leaves its chain untouched", () =>
    Effect.gen(function* () {
      const { asked, service } = setup({ chains: { general: { a: ["b"] } } })
      const answer = yield* LlmService.complete(service, chat())
      assert.deepStrictEqual(asked(), ["a"])
      assert.isFalse(answer.journal.report().usedFallback)
    })
  )
  it.effect("a group that is down hands over to the first target that answers, and the report says so", () =>
    Effect.gen(function* () {
      const { asked, service } = setup({ chains: { general: { a: ["b", "c", "d"] } }, replies: { a: down, b: down } })
      const answer = yield* LlmService.complete(service, chat())
      assert.deepStrictEqual(asked(), ["a", "b", "c"])
      const report = answer.journal.report()
      assert.isTrue(report.usedFallback)
      assert.strictEqual(report.fallbackKind, "general")
      assert.deepStrictEqual(report.fallbacks, [
        { kind: "general", from: "a", to: "b" },
        { kind: "general", from: "a", to: "c" }
      ])
      assert.deepStrictEqual(
        report.attempts.map((attempt) => attempt.outcome),
        ["failed", "failed", "completed"]
      )
    })
  )
  it.effect("it is depth first: a target's own chain comes before the rest of the chain that led to it", () =>
    Effect.gen(function* () {
      const { asked, service } = setup({
        chains: { general: { a: ["b", "c"], b: ["d"] } },
        replies: { a: down, b: down, c: down, d: down }
      })
      yield* failure(service, chat())
      assert.deepStrictEqual(asked(), ["a", "b", "d", "c"])
    })
  )
  it.effect("chains that point at each other end: each place is asked once, and the primary's error surfaces", () =>
    Effect.gen(function* () {
      const { asked, service } = setup({
        chains: { general: { a: ["b"], b: ["a"] }, default: ["a", "b"] },
        replies: { a: failing("Authentication", { status: 401 }), b: down }
      })
      const error = yield* failure(service, chat())
      assert.deepStrictEqual(asked(), ["a", "b"])
      assert.strictEqual(error.reason, "Authentication")
    })
  )
  it.effect("an alias of a place that was tried is not tried again", () =>
    Effect.gen(function* () {
      const { asked, service } = setup({
        aliases: { other: "a", twin: "b" },
        chains: { general: { a: ["other", "b", "twin", "c"] } },
        replies: { a: down, b: down, c: down }
      })
      yield* failure(service, chat())
      assert.deepStrictEqual(asked(), ["a", "b", "c"])
    })
  )
  it.effect("the error that surfaces is the primary's, with every attempt", () =>
    Effect.gen(function* () {
      const { service } = setup({
        chains: { general: { a: ["b", "c"] } },
        replies: { a: down, b: failing("Timeout"), c: failing("InvalidRequest") }
      })
      const error = yield* failure(service, chat())
      assert.strictEqual(error.reason, "Unavailable")
      assert.deepStrictEqual(
        error.attempts?.map((attempt) => attempt.reason),
        ["Unavailable", "Timeout", "InvalidRequest"]
      )
    })
  )
  it.effect("at a hop any error moves on but an exhausted budget", () =>
    Effect.gen(function* () {
      const moving = setup({
        chains: { general: { a: ["b", "c", "d", "e"] } },
        replies: { a: down, b: failing("InvalidRequest"), c: failing("UnknownModel"), d: failing("StreamInterrupted") }
      })
      assert.strictEqual(yield* text(moving.service, chat()), "from e")
      const stopping = setup({
        chains: { general: { a: ["b", "c"] } },
        replies: { a: down, b: failing("BudgetExceeded") }
      })
      assert.strictEqual((yield* failure(stopping.service, chat())).reason, "Unavailable")
      assert.deepStrictEqual(stopping.asked(), ["a", "b"])
    })
  )
  it.effect("every hop is published with its kind and the reason for it", () =>
    Effect.gen(function* () {
      const { published, service } = setup({
        chains: { rateLimit: { a: ["b"] }, general: { b: ["c"] } },
        replies: { a: failing("RateLimited"), b: down }
      })
      yield* TestClock.adjust(5)
      yield* LlmService.complete(service, chat())
      const deployment = "stub"
      assert.deepStrictEqual(published, [
        { _tag: "FallbackTaken", at: 5, kind: "rateLimit", from: "a", to: "b", deployment, reason: "RateLimited" },
        { _tag: "FallbackTaken", at: 5, kind: "general", from: "b", to: "c", deployment, reason: "Unavailable" }
      ])
    })
  )
  it.effect("a stream that fails before content falls back; one that fails after it is not this layer's", () =>
    Effect.gen(function* () {
      const { asked, service } = setup({
        chains: { general: { a: ["b"], c: ["b"] } },
        replies: { a: down, c: { ...down, chunks: ["x", "y"], failAfter: 1, gap: 1 } }
      })
      yield* Stream.runDrain(LlmService.stream(service, chat()))
      assert.deepStrictEqual(asked(), ["a", "b"])
      const fiber = yield* Effect.fork(Effect.flip(Stream.runDrain(LlmService.stream(service, chat("c")))))
      yield* TestClock.adjust(10)
      assert.strictEqual((yield* Fiber.join(fiber)).reason, "StreamInterrupted")
      assert.deepStrictEqual(asked(), ["a", "b", "c"])
    })
  )
  it.effect("a caller who leaves starts no fallback, and nothing counts as a failure", () =>
    Effect.gen(function* () {
      const { asked, service, stub } = setup({ chains: { general: { a: ["b"] } }, replies: { a: { hang: true } } })
      const fiber = yield* Effect.fork(LlmService.complete(service, chat()))
      yield* Effect.yieldNow()
      const exit = yield* Fiber.interrupt(fiber)
      assert.isTrue(Exit.isFailure(exit) && Cause.isInterruptedOnly(exit.cause))
      assert.deepStrictEqual(asked(), ["a"])
      assert.deepStrictEqual(
        stub.outcomes.map((outcome) => outcome._tag),
        ["Abandoned"]
      )
      assert.strictEqual(stub.inFlight(), 0)
    })
  )
})

describe("which chain a failure leads to", () => {
  const chains = {
    general: { a: ["b"] },
    contextWindow: { a: ["c"] },
    contentPolicy: { a: ["d"] },
    rateLimit: { a: ["e"] }
  }
  const limits = { blocked: [{ deployment: "x", reason: "rpm", cause: "limit" }] } as const
  const cooling = {
    blocked: [
      { deployment: "x", reason: "rpm", cause: "limit" },
      { deployment: "y", reason: "cooldown", cause: "failure" }
    ]
  } as const
  const table: ReadonlyArray<readonly [Reason, Partial<LlmErrorFields>, string | undefined]> = [
    ["RateLimited", {}, "e"],
    ["QuotaExhausted", {}, "e"],
    ["Timeout", { bound: "deployment" }, "b"],
    ["Unavailable", {}, "b"],
    ["Authentication", { status: 401 }, "b"],
    ["ModelNotFound", {}, "b"],
    ["MalformedResponse", {}, "b"],
    ["InvalidRequest", {}, undefined],
    ["ContextWindowExceeded", {}, "c"],
    ["ContentPolicyViolation", {}, "d"],
    ["StreamInterrupted", {}, undefined],
    ["Rejected", {}, "e"],
    ["NoDeployment", limits, "e"],
    ["NoDeployment", cooling, "b"],
    ["UnknownModel", {}, "b"],
    ["BudgetExceeded", {}, undefined]
  ]
  for (const [reason, more, target] of table) {
    const details = more.blocked === undefined ? "" : more === limits ? ", all limits" : ", not all limits"
    it.effect(`${reason}${details}: ${target === undefined ? "none" : target}`, () =>
      Effect.gen(function* () {
        const { asked, service } = setup({ chains, replies: { a: failing(reason, more) } })
        const exit = yield* Effect.exit(LlmService.complete(service, chat()))
        assert.deepStrictEqual(asked(), target === undefined ? ["a"] : ["a", target])
        assert.strictEqual(Exit.isSuccess(exit), target !== undefined)
      })
    )
  }
  it.effect("a typed map without an entry leaves it to general, one with an empty list does not", () =>
    Effect.gen(function* () {
      const general = { a: ["b"] }
      const replies = { a: failing("RateLimited") }
      const without = setup({ chains: { general, rateLimit: { z: ["c"] } }, replies })
      assert.strictEqual(yield* text(without.service, chat()), "from b")
      const empty = setup({ chains: { general, rateLimit: { a: [] } }, replies })
      yield* failure(empty.service, chat())
      assert.deepStrictEqual(empty.asked(), ["a"])
    })
  )
  it.effect("an invalid request uses general only when the option says so", () =>
    Effect.gen(function* () {
      const { service } = setup({
        chains: { general: { a: ["b"] } },
        invalidRequestUsesGeneral: true,
        replies: { a: failing("InvalidRequest") }
      })
      assert.strictEqual(yield* text(service, chat()), "from b")
    })
  )
  it.effect("a model without an entry uses the default list", () =>
    Effect.gen(function* () {
      const { service } = setup({ chains: { general: { z: ["c"] }, default: ["b"] }, replies: { a: down } })
      assert.strictEqual(yield* text(service, chat()), "from b")
    })
  )
  it.effect("openai/gpt-x finds the entry of gpt-x, before the default", () =>
    Effect.gen(function* () {
      const { service } = setup({
        chains: { general: { "gpt-x": ["b"] }, default: ["c"] },
        replies: { "openai/gpt-x": down }
      })
      assert.strictEqual(yield* text(service, chat("openai/gpt-x")), "from b")
    })
  )
  it.effect("an alias uses the chain of its group", () =>
    Effect.gen(function* () {
      const { service } = setup({
        aliases: { fast: "a" },
        chains: { general: { a: ["b"] } },
        replies: { fast: down }
      })
      assert.strictEqual(yield* text(service, chat("fast")), "from b")
    })
  )
})

describe("content policy", () => {
  const refused = failing("ContentPolicyViolation")
  const filtered: StubLlm.Reply = { finishReason: "content_filter", text: "I" }
  const outage = { general: { a: ["b"] }, contextWindow: { a: ["c"] } }
  for (const [how, reply] of [
    ["an error", refused],
    ["a finish reason", filtered]
  ] as const) {
    for (const [where, contentPolicy] of [
      ["its own chain", { a: ["d"] }],
      ["the default of its map", { "*": ["d"] }]
    ] as const) {
      it.effect(`${how} leads to ${where}, and never to general or context window`, () =>
        Effect.gen(function* () {
          const { asked, service } = setup({ chains: { ...outage, contentPolicy }, replies: { a: reply } })
          const answer = yield* LlmService.complete(service, chat())
          assert.deepStrictEqual(asked(), ["a", "d"])
          assert.strictEqual(answer.journal.report().fallbackKind, "contentPolicy")
        })
      )
    }
  }
  it.effect("without a chain of its own, a refusal surfaces, and a filtered answer is the answer", () =>
    Effect.gen(function* () {
      const { asked, service } = setup({ chains: { ...outage, default: ["e"] }, replies: { a: refused, c: filtered } })
      assert.strictEqual((yield* failure(service, chat())).reason, "ContentPolicyViolation")
      assert.strictEqual(yield* text(service, chat("c")), "I")
      assert.deepStrictEqual(asked(), ["a", "c"])
    })
  )
  it.effect("general serves it only by the explicit option", () =>
    Effect.gen(function* () {
      const { service } = setup({ chains: outage, contentPolicyUsesGeneral: true, replies: { a: refused } })
      assert.strictEqual(yield* text(service, chat()), "from b")
    })
  )
  it.effect("when every target is filtered too, the first answer is better than an error", () =>
    Effect.gen(function* () {
      const { asked, service } = setup({
        chains: { contentPolicy: { a: ["b", "c"] } },
        replies: { a: { ...filtered, text: "first" }, b: filtered, c: down }
      })
      assert.strictEqual(yield* text(service, chat()), "first")
      assert.deepStrictEqual(asked(), ["a", "b", "c"])
    })
  )
  it.effect("a filtered answer that is kept is reported as the answer of who gave it, not as a fallback's", () =>
    Effect.gen(function* () {
      const told = (setup: Setup) =>
        Effect.map(LlmService.complete(balanced({ ...setup, deployments: ids }).service, chat()), ({ journal }) => {
          const { deployment, fallbackKind, group, usedFallback } = journal.report()
          return `${deployment} of ${group}, ${usedFallback} ${fallbackKind}`
        })
      const contentPolicy = { a: ["b", "c"], b: ["c"] }
      const first = { ...filtered, text: "first" }
      for (const replies of [
        { a: first, b: filtered, c: down },
        { a: first, b: down, c: down },
        { a: first, b: filtered, c: filtered }
      ]) {
        assert.strictEqual(yield* told({ chains: { contentPolicy }, replies }), "a of a, false undefined")
      }
      const chains = { general: { a: ["b"] }, contentPolicy: { b: ["c"] } }
      assert.strictEqual(yield* told({ chains, replies: { a: down, b: first, c: down } }), "b of b, true general")
      assert.strictEqual(yield* told({ chains, replies: { a: down, b: first } }), "c of c, true contentPolicy")
    })
  )
  it.effect("where nobody answered, the report says that no fallback did", () =>
    Effect.gen(function* () {
      const { service } = balanced({
        deployments: ids,
        chains: { general: { a: ["b"] } },
        replies: { a: down, b: down }
      })
      const request = chat()
      yield* Effect.flip(service.call(request))
      const { fallbacks, usedFallback } = request.route.journal.report()
      assert.deepStrictEqual([usedFallback, fallbacks.length], [false, 1])
    })
  )
  it.effect("a filtered answer at a hop moves on along its own chain", () =>
    Effect.gen(function* () {
      const { asked, service } = setup({
        chains: { general: { a: ["b", "c"] }, contentPolicy: { b: ["d"] } },
        replies: { a: down, b: filtered }
      })
      assert.strictEqual(yield* text(service, chat()), "from d")
      assert.deepStrictEqual(asked(), ["a", "b", "d"])
    })
  )
  it.effect("a stream that the filter ends before content leads on; after content it is the answer", () =>
    Effect.gen(function* () {
      const chains = { contentPolicy: { a: ["b"], c: ["b"] } }
      const { asked, service } = setup({
        chains,
        replies: { a: { finishReason: "content_filter", chunks: [] }, c: filtered }
      })
      yield* Stream.runDrain(LlmService.stream(service, chat()))
      assert.deepStrictEqual(asked(), ["a", "b"])
      yield* Stream.runDrain(LlmService.stream(service, chat("c")))
      assert.deepStrictEqual(asked(), ["a", "b", "c"])
    })
  )
  it.effect("a filtered stream that is handed back after all can still be read", () =>
    Effect.gen(function* () {
      const { service } = setup({
        chains: { contentPolicy: { a: ["b"] } },
        replies: { a: { finishReason: "content_filter", chunks: [] }, b: down }
      })
      const events = yield* Stream.runCollect(LlmService.stream(service, chat()))
      assert.include(JSON.stringify([...events].map((event) => event.json)), "content_filter")
    })
  )
})

describe("what a target is given", () => {
  it.effect("overrides reach that target only, messages in them replace the caller's", () =>
    Effect.gen(function* () {
      const messages = [{ role: "user", content: "short" }]
      const { service, stub } = setup({
        chains: { general: { a: [{ model: "b", overrides: { messages, temperature: 0 } }, "c"] } },
        replies: { a: down, b: down }
      })
      const request = chat("a", {}, { temperature: 1, seed: 7 })
      yield* LlmService.complete(service, request)
      assert.deepStrictEqual(
        stub.calls.map((call) => call.request.body),
        [request.body, { ...request.body, messages, temperature: 0 }, request.body]
      )
    })
  )
  it.effect("the tags and everything else of the request stay the caller's at every hop", () =>
    Effect.gen(function* () {
      const { service, stub } = setup({ chains: { general: { a: ["b"] } }, replies: { a: down } })
      const request = LlmRequest.chat(
        { model: "a", messages: [{ role: "user", content: "x" }] },
        { tags: ["eu", "paid"], sessionKey: "s", caller: "me", overrides: { maxRetries: 0, timeout: 9 } }
      )
      yield* LlmService.complete(service, request)
      const { model: _, route: __, ...expected } = request
      for (const call of stub.calls) {
        const { model: ___, route: ____, ...given } = call.request
        assert.deepStrictEqual(given, expected)
      }
    })
  )
  it.effect("tags hold in the fallback group: a target without them is passed over", () =>
    Effect.gen(function* () {
      const { asked, service } = balanced({
        deployments: [one("a", { tags: ["eu"] }), one("b", { tags: ["us"] }), one("c", { tags: ["eu"] })],
        chains: { general: { a: ["b", "c"] } },
        replies: { "a-1": down }
      })
      const request = LlmRequest.chat({ model: "a", messages: [{ role: "user", content: "x" }] }, { tags: ["eu"] })
      yield* LlmService.complete(service, request)
      assert.deepStrictEqual(asked(), ["a-1", "c-1"])
    })
  )
  it.effect("a target may be a deployment id, and its breaker counts", () =>
    Effect.gen(function* () {
      const deployments = [one("a"), one("b"), one("b", { id: "b-2" })]
      const { asked, service, stub } = balanced({
        deployments,
        chains: { general: { a: ["b-2", "b-1"] } },
        replies: { "a-1": down }
      })
      yield* LlmService.complete(service, chat())
      assert.deepStrictEqual(asked(), ["a-1", "b-2"])
      stub.setStatus((slot) => (slot.id === "b-2" ? closed("cooldown", 1000) : open))
      yield* LlmService.complete(service, chat())
      assert.deepStrictEqual(asked(), ["a-1", "b-2", "a-1", "b-1"])
    })
  )
  it.effect(
    "an unknown model is served by the default list; without one, or with an unknown target, its error surfaces",
    () =>
      Effect.gen(function* () {
        const served = balanced({ chains: { default: ["b"] } })
        yield* LlmService.complete(served.service, chat("what"))
        assert.deepStrictEqual(served.asked(), ["b-1"])
        const without = balanced({ chains: { general: { a: ["b"] } } })
        assert.strictEqual((yield* failure(without.service, chat("what"))).reason, "UnknownModel")
        const lost = balanced({ chains: { default: ["nowhere"] }, replies: { "a-1": down } })
        assert.strictEqual((yield* failure(lost.service, chat())).reason, "Unavailable")
        assert.strictEqual((yield* failure(lost.service, chat("what"))).reason, "UnknownModel")
      })
  )
  it.effect("a default target that a wildcard group serves answers", () =>
    Effect.gen(function* () {
      const { asked, service } = balanced({
        deployments: [one("a"), one("openai/*", { id: "wild", model: "*" })],
        chains: { default: ["openai/gpt-5"] },
        replies: { "a-1": down }
      })
      yield* LlmService.complete(service, chat())
      assert.deepStrictEqual(asked(), ["a-1", "wild"])
    })
  )
})

describe("context windows", () => {
  const long = { messages: [{ role: "user", content: "x".repeat(4 * 9000) }] }
  const sized = (group: string, contextWindow: number) => one(group, { contextWindow })
  it.effect("targets whose known window is not larger than needed are skipped, unknown ones are tried", () =>
    Effect.gen(function* () {
      const { asked, service } = setup({
        deployments: [sized("a", 8000), sized("b", 4000), sized("c", 9001), one("d"), sized("e", 9002)],
        chains: { contextWindow: { a: ["b", "c", "d", "e"] } },
        replies: { a: failing("ContextWindowExceeded"), d: failing("ContextWindowExceeded") }
      })
      const answer = yield* LlmService.complete(service, chat("a", {}, long))
      assert.deepStrictEqual(asked(), ["a", "d", "e"])
      assert.strictEqual(answer.journal.report().fallbackKind, "contextWindow")
    })
  )
  it.effect("the window that refused is too small, whatever the estimate says", () =>
    Effect.gen(function* () {
      const { asked, service } = setup({
        deployments: [sized("a", 8000), sized("b", 8000), sized("c", 8001)],
        chains: { general: { a: ["b", "c"] } },
        replies: { a: failing("ContextWindowExceeded") }
      })
      yield* LlmService.complete(service, chat())
      assert.deepStrictEqual(asked(), ["a", "c"])
    })
  )
  it.effect("a target with messages of its own is judged by those", () =>
    Effect.gen(function* () {
      const messages = [{ role: "user", content: "short" }]
      const { asked, service } = setup({
        deployments: [sized("a", 8000), sized("b", 1000)],
        chains: { contextWindow: { a: [{ model: "b", overrides: { messages } }] } },
        replies: { a: failing("ContextWindowExceeded") }
      })
      yield* LlmService.complete(service, chat("a", {}, long))
      assert.deepStrictEqual(asked(), ["a", "b"])
    })
  )
  it.effect("after other failures the window does not matter", () =>
    Effect.gen(function* () {
      const { asked, service } = setup({
        deployments: [sized("a", 8000), sized("b", 10)],
        chains: { general: { a: ["b"] } },
        replies: { a: down }
      })
      yield* LlmService.complete(service, chat())
      assert.deepStrictEqual(asked(), ["a", "b"])
    })
  )
})

describe("what a request decides for itself", () => {
  const replies = { a: down, b: down }
  it.effect("its own list works with none configured, stands in for the chains, and may carry overrides", () =>
    Effect.gen(function* () {
      const bare = setup({ replies })
      assert.strictEqual(yield* text(bare.service, chat("a", { fallbacks: ["b", "c"] })), "from c")
      const configured = setup({ chains: { general: { a: ["e"], b: ["e"] }, rateLimit: { a: ["e"] } }, replies })
      const fallbacks = ["b", { model: "d", overrides: { seed: 1 } }]
      assert.strictEqual(yield* text(configured.service, chat("a", { fallbacks })), "from d")
      assert.deepStrictEqual(configured.asked(), ["a", "b", "d"])
      assert.strictEqual(configured.stub.calls[2]?.request.body.seed, 1)
    })
  )
  it.effect("its own empty list means none", () =>
    Effect.gen(function* () {
      const { asked, service } = setup({
        chains: { general: { a: ["c"] }, contentPolicy: { d: ["c"] } },
        replies: { ...replies, d: failing("ContentPolicyViolation") }
      })
      yield* failure(service, chat("a", { fallbacks: [] }))
      yield* failure(service, chat("d", { fallbacks: [] }))
      assert.deepStrictEqual(asked(), ["a", "d"])
    })
  )
  it.effect("its own list is no way around a refusal: that keeps to the content policy chain", () =>
    Effect.gen(function* () {
      const refused = { a: failing("ContentPolicyViolation") }
      const own = { fallbacks: ["b"] }
      const without = setup({ replies: refused })
      yield* failure(without.service, chat("a", own))
      assert.deepStrictEqual(without.asked(), ["a"])
      const typed = setup({ chains: { contentPolicy: { a: ["d"] } }, replies: refused })
      assert.strictEqual(yield* text(typed.service, chat("a", own)), "from d")
      const opted = setup({ contentPolicyUsesGeneral: true, replies: refused })
      assert.strictEqual(yield* text(opted.service, chat("a", own)), "from b")
    })
  )
  it.effect("disableFallbacks holds, for streams and against default lists too", () =>
    Effect.gen(function* () {
      const { asked, service } = setup({ chains: { general: { a: ["c"] }, default: ["d"] }, replies })
      yield* failure(service, chat("a", { disableFallbacks: true }))
      yield* failure(service, chat("b", { disableFallbacks: true, fallbacks: ["c"] }))
      yield* Effect.flip(Stream.runDrain(LlmService.stream(service, chat("a", { disableFallbacks: true }))))
      assert.deepStrictEqual(asked(), ["a", "b", "a"])
    })
  )
  it.effect("maxFallbacks caps hops exactly, 0 disables, and the request beats the layer", () =>
    Effect.gen(function* () {
      const all = { a: down, b: down, c: down, d: down, e: down }
      const chains = { general: { a: ["b", "c", "d", "e"] } }
      const hops = (options: Fallback.Options, overrides: LlmRequest.RequestOverrides) =>
        Effect.gen(function* () {
          const { asked, service } = setup({ chains, replies: all, ...options })
          yield* failure(service, chat("a", overrides))
          return asked().length - 1
        })
      assert.strictEqual(yield* hops({ maxFallbacks: 1 }, {}), 1)
      assert.strictEqual(yield* hops({ maxFallbacks: 3 }, {}), 3)
      assert.strictEqual(yield* hops({ maxFallbacks: 0 }, {}), 0)
      assert.strictEqual(yield* hops({ maxFallbacks: 0 }, { maxFallbacks: 2 }), 2)
      assert.strictEqual(yield* hops({}, { maxFallbacks: 0 }), 0)
    })
  )
  it.effect("five hops are the default", () =>
    Effect.gen(function* () {
      const names = ["a", "b", "c", "d", "e", "f", "g", "h"]
      const { asked, service } = setup({
        deployments: names.map((name) => one(name)),
        chains: { general: { a: names.slice(1) } },
        replies: Object.fromEntries(names.map((name) => [name, down]))
      })
      yield* failure(service, chat())
      assert.deepStrictEqual(asked(), names.slice(0, 6))
    })
  )
})

describe("what the layers below are told", () => {
  const routes = (stub: StubLlm.StubLlm) => stub.calls.map((call) => call.request.route)
  const all = { a: down, b: down, c: down, d: down, e: down }
  it.effect("only the group after which nothing is left is the last resort", () =>
    Effect.gen(function* () {
      const { service, stub } = setup({ chains: { general: { a: ["b", "c"], b: ["d"], c: ["a"] } }, replies: all })
      yield* failure(service, chat())
      assert.deepStrictEqual(
        stub.calls.map((call) => [call.request.model, call.request.route.lastResort]),
        [
          ["a", false],
          ["b", false],
          ["d", false],
          ["c", true]
        ]
      )
    })
  )
  it.effect("without a place to go, the primary is the last resort", () =>
    Effect.gen(function* () {
      const lastResort = (options: Fallback.Options, overrides: LlmRequest.RequestOverrides = {}) =>
        Effect.gen(function* () {
          const { service, stub } = setup({ ...options, aliases: { other: "a" } })
          yield* LlmService.complete(service, chat("a", overrides))
          return routes(stub)[0]?.lastResort
        })
      const chains = { general: { a: ["b"] } }
      assert.isFalse(yield* lastResort({ chains }))
      assert.isFalse(yield* lastResort({ chains: { rateLimit: { a: ["b"] } } }))
      assert.isFalse(yield* lastResort({}, { fallbacks: ["b"] }))
      assert.isTrue(yield* lastResort({}))
      assert.isTrue(yield* lastResort({ chains: { general: { a: [] } } }))
      assert.isTrue(yield* lastResort({ chains: { general: { a: ["other"] } } }))
      assert.isTrue(yield* lastResort({ chains: { contentPolicy: { a: ["b"] }, contextWindow: { a: ["b"] } } }))
      assert.isTrue(yield* lastResort({ chains, maxFallbacks: 0 }))
      assert.isTrue(yield* lastResort({ chains }, { disableFallbacks: true }))
      assert.isTrue(yield* lastResort({ chains }, { fallbacks: [] }))
    })
  )
  it.effect("the hop that uses up the cap is the last resort", () =>
    Effect.gen(function* () {
      const { service, stub } = setup({ chains: { general: { a: ["b", "c"] } }, maxFallbacks: 1, replies: all })
      yield* failure(service, chat())
      assert.deepStrictEqual(
        routes(stub).map((route) => route.lastResort),
        [false, true]
      )
    })
  )
  it.effect("one attempt is kept back for each hop that may come, and none of the present group's last", () =>
    Effect.gen(function* () {
      const { service, stub } = setup({ chains: { general: { a: ["b", "c", "d"] } }, replies: all })
      yield* failure(service, chat())
      assert.deepStrictEqual(
        routes(stub).map((route) => route.reserved),
        [3, 2, 1, 0]
      )
      const many = setup({
        chains: { general: { a: ["b", "c", "d", "e"] } },
        maxFallbacks: 2
      })
      yield* LlmService.complete(many.service, chat())
      assert.strictEqual(routes(many.stub)[0]?.reserved, 2)
    })
  )
  it.effect("the budget of attempts caps the reserve, and ends the walk", () =>
    Effect.gen(function* () {
      const { asked, service, stub } = setup({ chains: { general: { a: ["b", "c", "d", "e"] } }, replies: all })
      const tight = Service.request((request) =>
        service.call({ ...request, route: { ...request.route, attemptBudget: 3 } })
      )
      const error = yield* failure(tight, chat())
      assert.deepStrictEqual(asked(), ["a", "b", "c"])
      assert.deepStrictEqual(
        routes(stub).map((route) => route.reserved),
        [2, 1, 0]
      )
      assert.strictEqual(error.attempts?.length, 3)
    })
  )
  it.effect("after the deadline nothing else is asked", () =>
    Effect.gen(function* () {
      const { asked, service } = setup({ chains: { general: { a: ["b"] } }, replies: { a: { ...down, delay: 100 } } })
      const bounded = Service.request((request) =>
        service.call({ ...request, route: { ...request.route, deadline: request.route.startedAt + 100 } })
      )
      const fiber = yield* Effect.fork(failure(bounded, chat()))
      yield* TestClock.adjust(100)
      assert.strictEqual((yield* Fiber.join(fiber)).reason, "Unavailable")
      assert.deepStrictEqual(asked(), ["a"])
    })
  )
  it.effect("targets that an outer layer has visited are not tried again", () =>
    Effect.gen(function* () {
      const { asked, service } = setup({ chains: { general: { a: ["b", "c"] } }, replies: all })
      const outer = Service.request((request) =>
        service.call({ ...request, route: { ...request.route, visited: ["b"] } })
      )
      yield* failure(outer, chat())
      assert.deepStrictEqual(asked(), ["a", "c"])
    })
  )
  it.effect("a change of the registry takes effect at once", () =>
    Effect.gen(function* () {
      const { registry, service, stub } = setup({ aliases: { other: "a" }, chains: { general: { a: ["other"] } } })
      yield* LlmService.complete(service, chat())
      yield* registry.replace({ deployments: groups, aliases: { other: "b" } })
      yield* LlmService.complete(service, chat())
      assert.deepStrictEqual(
        routes(stub).map((route) => route.lastResort),
        [true, false]
      )
    })
  )
})

describe("random chains", () => {
  const names = ["a", "b", "c", "d", "e", "f"]
  const targets = fc.array(fc.constantFrom(...names), { maxLength: 4 })
  const map = fc.dictionary(fc.constantFrom(...names), targets, { maxKeys: 6 })
  const reasons = fc.constantFrom<Reason | undefined>("Unavailable", "RateLimited", "InvalidRequest", undefined)
  const samples = fc.record({
    general: map,
    rateLimit: map,
    max: fc.integer({ min: 0, max: 8 }),
    outcomes: fc.tuple(...names.map(() => reasons))
  })
  type Case = typeof samples extends fc.Arbitrary<infer A> ? A : never

  /** The walk as one would write it down, without bounds but the two that count. */
  const expected = ({ general, max, outcomes, rateLimit }: Case): ReadonlyArray<string> => {
    const asked: Array<string> = []
    const ask = (model: string): boolean => {
      asked.push(model)
      const reason = outcomes[names.indexOf(model)]
      if (reason === undefined) return true
      const chain =
        reason === "RateLimited"
          ? (rateLimit[model] ?? general[model] ?? [])
          : reason === "Unavailable"
            ? (general[model] ?? [])
            : []
      return chain.some((target) => !asked.includes(target) && asked.length <= max && ask(target))
    }
    ask("a")
    return asked
  }

  it.effect("each target at most once, never more hops than allowed, depth first, and always an end", () =>
    Effect.forEach(
      fc.sample(samples, { numRuns: cases(3000), seed: 20260301 }),
      (sample) =>
        Effect.gen(function* () {
          const replies = Object.fromEntries(
            names.map((name, i) => {
              const reason = sample.outcomes[i]
              return [name, reason === undefined ? {} : failing(reason)]
            })
          )
          const { asked, service } = setup({
            deployments: names.map((name) => one(name)),
            chains: { general: sample.general, rateLimit: sample.rateLimit },
            maxFallbacks: sample.max,
            replies
          })
          const exit = yield* Effect.exit(LlmService.complete(service, chat()))
          const message = JSON.stringify(sample)
          assert.strictEqual(new Set(asked()).size, asked().length, message)
          assert.isAtMost(asked().length, sample.max + 1, message)
          assert.deepStrictEqual(asked(), expected(sample), message)
          const answers = asked().some((name) => sample.outcomes[names.indexOf(name)] === undefined)
          assert.strictEqual(Exit.isSuccess(exit), answers, message)
        }),
      { discard: true }
    )
  )
})

describe("the layer", () => {
  const build = (options: Fallback.Options) =>
    Layer.build(
      Fallback.layerWith(options).pipe(
        Layer.provide(Layer.succeed(LlmService.LlmService, StubLlm.make().requests)),
        Layer.provide(DeploymentRegistry.layer({ deployments: groups, aliases: { fast: "a" } }))
      )
    ).pipe(Effect.scoped)
  const paths = (error: ConfigError) => error.issues.map((found) => found.path)

  it.effect("unknown targets and options of the wrong kind fail to build, with their paths", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(
        paths(yield* Effect.flip(build({ chains: { general: { a: ["fast", "a-1", "gone"] } } }))),
        ["fallback.chains.general.a[2]"]
      )
      assert.deepStrictEqual(paths(yield* Effect.flip(build({ maxFallbacks: -1 }))), ["fallback.maxFallbacks"])
    })
  )
  it.effect("a cycle is a warning, not an error", () =>
    Effect.gen(function* () {
      yield* build({ chains: { general: { a: ["b"], b: ["a"] } } })
    })
  )
})

describe("the surfaced error", () => {
  it.effect("is the very error of the primary when there was nowhere to go", () =>
    Effect.gen(function* () {
      const error = new LlmError({ reason: "InvalidRequest", description: "no" })
      const registry = yield* DeploymentRegistry.make({ deployments: groups })
      const service = Service.request(() => Effect.fail(error)).pipe(
        Fallback.make({ registry }, { chains: { general: { a: ["b"] } } })
      )
      assert.strictEqual(yield* Effect.flip(service.call(chat())), error)
    })
  )
})
