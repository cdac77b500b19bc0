import { assert, describe, it } from "@effect/vitest"
import * as ChatChunk from "@switchyard/core/ChatChunk"
import type { DeploymentConfig } from "@switchyard/core/Deployment"
import type { LlmError } from "@switchyard/core/LlmError"
import * as LlmRequest from "@switchyard/core/LlmRequest"
import * as LlmService from "@switchyard/core/LlmService"
import type { RequestService } from "@switchyard/core/Service"
import { busy, closed, open, type Status } from "@switchyard/core/Status"
import * as Balancer from "@switchyard/router/Balancer"
import * as DeploymentRegistry from "@switchyard/router/DeploymentRegistry"
import * as DeploymentStats from "@switchyard/router/DeploymentStats"
import type { Strategy } from "@switchyard/router/RoutingStrategy"
import * as StubLlm from "@switchyard/testing/StubLlm"
import { Cause, Effect, Either, Exit, Fiber, Stream, TestClock } from "effect"
import { VirtualTime } from "../support/schedules.js"

const firstOpen: Strategy = {
  name: "first-open",
  select: (candidates) => {
    for (let i = 0; i < candidates.size; i++) if (candidates.isOpen(i)) return i
    return -1
  }
}

type Entry = Partial<DeploymentConfig> & { readonly id: string }

const setup = (
  entries: ReadonlyArray<Entry>,
  more: {
    readonly reply?: StubLlm.Reply | ((call: StubLlm.StubCall) => StubLlm.Reply)
    readonly strategy?: Strategy
    readonly options?: Balancer.Options
  } = {}
) => {
  const stub = StubLlm.make(more.reply)
  const statuses = new Map<string, Status>()
  stub.setStatus((slot) => statuses.get(slot.id) ?? open)
  const registry = Effect.runSync(
    DeploymentRegistry.make({ deployments: entries.map((entry) => ({ group: "m", model: "real", ...entry })) })
  )
  const stats = DeploymentStats.make()
  const service = Balancer.make({ registry, strategy: more.strategy ?? firstOpen, stats }, more.options)(stub.attempts)
  const figures = (id: string) => {
    const slot = registry.slot(id)
    return slot === undefined ? assert.fail(id) : stats.of(slot)
  }
  return { stub, statuses, registry, service, figures, used: () => stub.calls.map((call) => call.deployment as string) }
}

const chat = (options: LlmRequest.RequestOptions = {}, body: object = {}) =>
  LlmRequest.chat({ model: "m", messages: [{ role: "user", content: "Hello there" }], ...body }, options)

const failure = (service: RequestService, request: LlmRequest.LlmRequest): Effect.Effect<LlmError> =>
  Effect.flip(LlmService.complete(service, request)).pipe(Effect.orDie)

const blocks = (error: LlmError) => error.blocked?.map(({ deployment, reason }) => `${deployment}:${reason}`)

describe("selection", () => {
  it.effect("a busy or closed deployment is passed over", () =>
    Effect.gen(function* () {
      const { service, statuses, used } = setup([{ id: "a" }, { id: "b" }, { id: "c" }])
      statuses.set("a", busy("rpm", 10)).set("b", closed("cooldown", 20))
      yield* LlmService.complete(service, chat())
      assert.deepStrictEqual(used(), ["c"])
    })
  )
  it.effect("a lower order is tried first, unset last, and the next tier serves when it is closed", () =>
    Effect.gen(function* () {
      const { service, statuses, used } = setup([{ id: "a" }, { id: "b", order: 2 }, { id: "c", order: 1 }])
      yield* LlmService.complete(service, chat())
      statuses.set("c", closed("cooldown", 20))
      yield* LlmService.complete(service, chat())
      statuses.set("b", closed("cooldown", 20))
      yield* LlmService.complete(service, chat())
      assert.deepStrictEqual(used(), ["c", "b", "a"])
    })
  )
  it.effect(
    "a deployment that failed in this request waits until no other remains; an excluded one is never picked",
    () =>
      Effect.gen(function* () {
        const { registry, service, used } = setup([{ id: "a" }, { id: "b" }])
        const a = registry.slot("a")?.id
        const b = registry.slot("b")?.id
        if (a === undefined || b === undefined) return assert.fail("no slot")
        const request = chat()
        yield* service.call({ ...request, route: { ...request.route, avoided: [a] } })
        yield* service.call({ ...request, route: { ...request.route, avoided: [a, b] } })
        yield* service.call({ ...request, route: { ...request.route, avoided: [a], excluded: [b] } })
        assert.deepStrictEqual(used(), ["b", "a", "a"])
        const error = yield* Effect.flip(service.call({ ...request, route: { ...request.route, excluded: [a, b] } }))
        assert.deepStrictEqual(blocks(error), ["a:excluded", "b:excluded"])
      })
  )
  it.effect("a wildcard's capture becomes the provider's model", () =>
    Effect.gen(function* () {
      const { service } = setup([{ id: "w", group: "openai/*", model: "vendor/*" }])
      const answer = yield* LlmService.complete(service, chat({}, { model: "openai/gpt-4o" }))
      assert.strictEqual(answer.journal.report().deployment, "w")
      assert.strictEqual(answer.journal.entries.length, 1)
    })
  )
  it.effect("an unknown model is UnknownModel, not an empty group", () =>
    Effect.gen(function* () {
      const { service } = setup([{ id: "a" }])
      assert.strictEqual((yield* failure(service, chat({}, { model: "nope" }))).reason, "UnknownModel")
    })
  )
})

describe("filters", () => {
  it.effect("tags: any match by default, all on demand, required and excluded on top", () =>
    Effect.gen(function* () {
      const { service, used } = setup([
        { id: "free", tags: ["free"] },
        { id: "paid", tags: ["paid", "eu"] },
        { id: "both", tags: ["free", "paid"] }
      ])
      yield* LlmService.complete(service, chat({ tags: ["paid"] }))
      yield* LlmService.complete(service, chat({ tags: ["free", "paid"], demands: { tagMatch: "all" } }))
      yield* LlmService.complete(service, chat({ tags: ["free", "paid"], demands: { requiredTags: ["eu"] } }))
      yield* LlmService.complete(service, chat({ tags: ["free"], demands: { excludedTags: ["free"] } })).pipe(
        Effect.ignore
      )
      yield* LlmService.complete(service, chat({ demands: { excludedTags: ["free"] } }))
      assert.deepStrictEqual(used(), ["paid", "both", "paid", "paid"])
    })
  )
  it.effect("required tags alone, and excluding the default ones, match what they say", () =>
    Effect.gen(function* () {
      const group = [
        { id: "a", tags: ["x", "eu"] },
        { id: "b", tags: ["y"] },
        { id: "c", tags: ["default"] },
        { id: "n" }
      ]
      const reached = (demands: NonNullable<LlmRequest.RequestOptions["demands"]>) =>
        Effect.gen(function* () {
          const { service, statuses, used } = setup(group)
          for (let i = 0; i < group.length; i++) {
            yield* Effect.ignore(LlmService.complete(service, chat({ demands })))
            for (const id of used()) statuses.set(id, busy("rpm"))
          }
          return used().join("")
        })
      assert.strictEqual(yield* reached({ requiredTags: ["y"] }), "b")
      assert.strictEqual(yield* reached({ requiredTags: ["x", "eu"] }), "a")
      assert.strictEqual(yield* reached({ requiredTags: ["default"] }), "c")
      assert.strictEqual(yield* reached({ requiredTags: ["nobody"] }), "")
      assert.strictEqual(yield* reached({ excludedTags: ["default"] }), "abn")
      assert.strictEqual(yield* reached({ excludedTags: ["default", "x"] }), "bn")
      assert.strictEqual(yield* reached({ excludedTags: ["x"] }), "c", "still without tags: the default ones")
      assert.strictEqual(yield* reached({ requiredTags: ["x"], excludedTags: ["eu"] }), "")
      assert.strictEqual(yield* reached({}), "c")
    })
  )
  it.effect("untagged requests and unknown tags go to the deployments tagged default", () =>
    Effect.gen(function* () {
      const { service, used } = setup([
        { id: "paid", tags: ["paid"] },
        { id: "std", tags: ["default"] }
      ])
      yield* LlmService.complete(service, chat())
      yield* LlmService.complete(service, chat({ tags: ["platinum"] }))
      assert.deepStrictEqual(used(), ["std", "std"])
    })
  )
  it.effect("an unknown tag without a default is an error that names the filter, not a cooldown", () =>
    Effect.gen(function* () {
      const { service } = setup([
        { id: "a", tags: ["paid"] },
        { id: "b", tags: ["free"] }
      ])
      const error = yield* failure(service, chat({ tags: ["gold"] }))
      assert.strictEqual(error.reason, "NoDeployment")
      assert.deepStrictEqual(blocks(error), ["a:tags", "b:tags"])
    })
  )
  it.effect("a match that is cooling is not a tag error, and no other deployment takes its place", () =>
    Effect.gen(function* () {
      const { service, statuses, used } = setup([
        { id: "a", tags: ["paid"] },
        { id: "b", tags: ["default"] }
      ])
      statuses.set("a", closed("isolated", undefined, "operator"))
      const error = yield* failure(service, chat({ tags: ["paid"] }))
      assert.deepStrictEqual(blocks(error), ["a:isolated"])
      assert.deepStrictEqual(used(), [])
    })
  )
  it.effect("region is a hard filter: a deployment without one is out", () =>
    Effect.gen(function* () {
      const { service, used } = setup([{ id: "any" }, { id: "us", region: "us" }, { id: "eu", region: "eu" }])
      yield* LlmService.complete(service, chat({ demands: { region: "eu" } }))
      assert.deepStrictEqual(used(), ["eu"])
      const error = yield* failure(service, chat({ demands: { region: "jp" } }))
      assert.deepStrictEqual(blocks(error), ["any:region", "us:region", "eu:region"])
    })
  )
  it.effect("capabilities: those the payload shows are needed; a deployment that declares none is given a chance", () =>
    Effect.gen(function* () {
      const { service, used } = setup([
        { id: "plain", capabilities: [] },
        { id: "tools", capabilities: ["tools"] },
        { id: "vision", capabilities: ["vision", "tools"] },
        { id: "unknown" }
      ])
      yield* LlmService.complete(service, chat({}, { tools: [{ type: "function", function: { name: "f" } }] }))
      yield* LlmService.complete(
        service,
        chat({}, { messages: [{ role: "user", content: [{ type: "image_url", image_url: { url: "x" } }] }] })
      )
      yield* LlmService.complete(service, chat({}, { response_format: { type: "json_schema" } }))
      yield* LlmService.complete(service, chat({ demands: { capabilities: ["audio"] } }))
      assert.deepStrictEqual(used(), ["tools", "vision", "unknown", "unknown"])
    })
  )
  it.effect(
    "where a deployment says nothing, what its model is listed with counts, at its provider's own address",
    () =>
      Effect.gen(function* () {
        const baseUrl = "https://api.openai.com/v1"
        const { service, used } = setup([
          { id: "embeds", model: "text-embedding-3-small", baseUrl },
          { id: "blind", model: "gpt-3.5-turbo", baseUrl },
          { id: "sees", model: "gpt-4o", baseUrl }
        ])
        const picture = { messages: [{ role: "user", content: [{ type: "image_url", image_url: { url: "x" } }] }] }
        yield* LlmService.complete(service, chat({}, picture))
        yield* LlmService.complete(service, chat({ demands: { deployment: "blind" } }))
        assert.deepStrictEqual(used(), ["sees", "blind"])
        const blind = yield* failure(service, chat({ demands: { deployment: "blind" } }, picture))
        assert.include(blocks(blind) ?? [], "blind:capabilities")
        const embeds = yield* failure(service, chat({ demands: { deployment: "embeds" } }))
        assert.include(blocks(embeds) ?? [], "embeds:operations")
      })
  )
  it.effect("operations: a deployment is asked for nothing but those that it declares", () =>
    Effect.gen(function* () {
      const { service, used } = setup([{ id: "texts", operations: ["completion"] }, { id: "all" }])
      yield* LlmService.complete(service, chat())
      yield* LlmService.complete(service, chat())
      yield* LlmService.complete(service, chat({ demands: { deployment: "all" } }))
      assert.deepStrictEqual(used(), ["all", "all", "all"])
      const error = yield* failure(service, chat({ demands: { deployment: "texts" } }))
      assert.deepStrictEqual(blocks(error), ["texts:operations"])
    })
  )
  it.effect("a prompt longer than a known window goes elsewhere; longer than all is ContextWindowExceeded", () =>
    Effect.gen(function* () {
      const { service, used } = setup([
        { id: "small", contextWindow: 10 },
        { id: "large", contextWindow: 100 }
      ])
      const long = (n: number) => chat({}, { messages: [{ role: "user", content: "x".repeat(n) }] })
      yield* LlmService.complete(service, long(200))
      assert.deepStrictEqual(used(), ["large"])
      assert.strictEqual((yield* failure(service, long(2000))).reason, "ContextWindowExceeded")
    })
  )
  it.effect("a pinned request reaches its deployment or none", () =>
    Effect.gen(function* () {
      const { service, statuses, used } = setup([{ id: "a" }, { id: "b" }])
      yield* LlmService.complete(service, chat({ demands: { deployment: "b" } }))
      statuses.set("b", closed("isolated", undefined, "operator"))
      const error = yield* failure(service, chat({ demands: { deployment: "b" } }))
      assert.deepStrictEqual(used(), ["b"])
      assert.deepStrictEqual(blocks(error), ["b:isolated"])
    })
  )
})

describe("what the request's own filters ruled out is not among the blocks", () => {
  const used = busy("rpm", 60_000)
  const long = { messages: [{ role: "user", content: "word ".repeat(10_000) }] }
  const cases: ReadonlyArray<
    readonly [
      title: string,
      entries: ReadonlyArray<Entry>,
      options: LlmRequest.RequestOptions,
      body: object,
      status: Status,
      expected: string
    ]
  > = [
    [
      "tags",
      [
        { id: "a", tags: ["x"] },
        { id: "b", tags: ["y"] }
      ],
      { tags: ["x"] },
      {},
      used,
      "429 rateLimit a:rpm"
    ],
    [
      "region",
      [
        { id: "a", region: "eu" },
        { id: "b", region: "us" }
      ],
      { demands: { region: "eu" } },
      {},
      used,
      "429 rateLimit a:rpm"
    ],
    [
      "the context window",
      [
        { id: "a", contextWindow: 100_000 },
        { id: "b", contextWindow: 100 }
      ],
      {},
      long,
      used,
      "429 rateLimit a:rpm"
    ],
    [
      "capabilities",
      [
        { id: "a", capabilities: ["vision"] },
        { id: "b", capabilities: [] }
      ],
      { demands: { capabilities: ["vision"] } },
      {},
      used,
      "429 rateLimit a:rpm"
    ],
    [
      "excluded tags",
      [{ id: "a" }, { id: "b", tags: ["y"] }],
      { demands: { excludedTags: ["y"] } },
      {},
      closed("retryAfter", 5_000, "limit"),
      "429 rateLimit a:retryAfter"
    ],
    ["a pin", [{ id: "a" }, { id: "b" }], { demands: { deployment: "a" as never } }, {}, used, "429 rateLimit a:rpm"],
    [
      "tags, before a window that is too small for the one that is left",
      [
        { id: "a", tags: ["x"], contextWindow: 1_000 },
        { id: "b", tags: ["y"], contextWindow: 100_000 }
      ],
      { tags: ["x"] },
      long,
      open,
      "400 contextWindow a:contextWindow"
    ],
    [
      "a window, and what is left is out: no limit",
      [
        { id: "a", contextWindow: 100_000 },
        { id: "b", contextWindow: 100 }
      ],
      {},
      long,
      closed("outage", 5_000, "operator"),
      "503 general a:outage"
    ],
    [
      "everybody: the filter that left nobody says so",
      [
        { id: "a", tags: ["x"], region: "us" },
        { id: "b", tags: ["x"], region: "eu" }
      ],
      { tags: ["x"], demands: { region: "asia" } },
      {},
      open,
      "503 general a:region,b:region"
    ]
  ]
  for (const [title, entries, options, body, status, expected] of cases) {
    it.effect(`${title}: ${expected}`, () =>
      Effect.gen(function* () {
        const { service, statuses } = setup(entries)
        statuses.set("a", status)
        const error = yield* failure(service, chat(options, body))
        assert.strictEqual(`${error.httpStatus} ${error.fallback} ${blocks(error)}`, expected)
      })
    )
  }
})

describe("nothing open", () => {
  it.effect("fails fast with every block and the time to the soonest", () =>
    Effect.gen(function* () {
      const { service, statuses } = setup([{ id: "a" }, { id: "b" }])
      yield* TestClock.setTime(1000)
      statuses.set("a", closed("cooldown", 5000)).set("b", closed("retryAfter", 3000, "limit"))
      const error = yield* failure(service, chat())
      assert.strictEqual(error.reason, "NoDeployment")
      assert.strictEqual(error.retryAfter, 2000)
      assert.deepStrictEqual(error.blocked, [
        { deployment: "a", reason: "cooldown", cause: "failure", retryAfter: 4000 },
        { deployment: "b", reason: "retryAfter", cause: "limit", retryAfter: 2000 }
      ])
      assert.strictEqual(error.httpStatus, 503)
    })
  )
  it.effect("all blocked by limits answers 429 and leads to the rate limit chain", () =>
    Effect.gen(function* () {
      const { service, statuses } = setup([{ id: "a" }, { id: "b" }])
      statuses.set("a", busy("rpm", 5000)).set("b", busy("maxParallel"))
      const error = yield* failure(service, chat())
      assert.strictEqual(error.httpStatus, 429)
      assert.strictEqual(error.fallback, "rateLimit")
    })
  )
  it.effect("the only deployment in the last place to go is asked although failures closed it", () =>
    Effect.gen(function* () {
      const { service, statuses, used } = setup([{ id: "a" }])
      statuses.set("a", closed("cooldown", 5000))
      yield* LlmService.complete(service, chat())
      assert.deepStrictEqual(used(), ["a"])
    })
  )
  it.effect(
    "a layer's own words mean what their cause says: a limit, failures, or an order that nobody overrides",
    () =>
      Effect.gen(function* () {
        const { service, statuses, used } = setup([{ id: "a" }])
        statuses.set("a", busy("gpu", 5000))
        const full = yield* failure(service, chat())
        statuses.set("a", closed("maintenance", undefined, "operator"))
        const ordered = yield* failure(service, chat())
        statuses.set("a", closed("crashes", 5000))
        const { journal } = yield* LlmService.complete(service, chat())
        const told = [full, ordered].map((error) => `${error.httpStatus} ${error.fallback} ${blocks(error)}`)
        assert.deepStrictEqual(told, ["429 rateLimit a:gpu", "503 general a:maintenance"])
        assert.deepStrictEqual([used(), journal.cooldownsMet], [["a"], 1])
      })
  )
  it.effect("but not while a fallback is left, and never one that asked to be left alone", () =>
    Effect.gen(function* () {
      const { service, statuses, used } = setup([{ id: "a" }])
      const request = chat()
      statuses.set("a", closed("cooldown", 5000))
      const early = yield* Effect.flip(service.call({ ...request, route: { ...request.route, lastResort: false } }))
      statuses.set("a", closed("retryAfter", 5000, "limit"))
      const pressed = yield* failure(service, chat())
      assert.deepStrictEqual([early.reason, pressed.reason], ["NoDeployment", "NoDeployment"])
      assert.deepStrictEqual(used(), [])
    })
  )
  it.effect("wait: sleeps until the soonest opens, within the deadline", () =>
    Effect.gen(function* () {
      const { service, statuses, used } = setup([{ id: "a" }, { id: "b" }], { options: { whenAllClosed: "wait" } })
      statuses.set("a", closed("cooldown", 4000)).set("b", closed("cooldown", 9000))
      const fiber = yield* Effect.fork(LlmService.complete(service, chat()))
      yield* TestClock.adjust(3999)
      assert.deepStrictEqual(used(), [])
      statuses.delete("a")
      yield* TestClock.adjust(1)
      yield* Fiber.join(fiber)
      assert.deepStrictEqual(used(), ["a"])
      statuses.set("a", closed("cooldown", 90_000))
      const request = chat()
      const error = yield* Effect.flip(service.call({ ...request, route: { ...request.route, deadline: 8000 } }))
      assert.strictEqual(error.reason, "NoDeployment")
    })
  )
  it.effect("leastBad: asks the one that opens soonest", () =>
    Effect.gen(function* () {
      const { service, statuses, used } = setup([{ id: "a" }, { id: "b" }], { options: { whenAllClosed: "leastBad" } })
      statuses.set("a", closed("cooldown", 9000)).set("b", closed("cooldown", 4000))
      yield* LlmService.complete(service, chat())
      assert.deepStrictEqual(used(), ["b"])
    })
  )
})

describe("looks, where failures closed most of a group", () => {
  const cooling = (...ids: ReadonlyArray<string>) => new Map(ids.map((id, i) => [id, closed("cooldown", 30_000 + i)]))

  it.effect("one request a second is sent to see whether one is back, and the others fail at once", () =>
    Effect.gen(function* () {
      const { service, statuses, used } = setup([{ id: "a" }, { id: "b" }])
      for (const [id, status] of cooling("b", "a")) statuses.set(id, status)
      const reasons: Array<string> = []
      for (let tenth = 0; tenth < 30; tenth++) {
        const answer = yield* Effect.either(service.call(chat()))
        reasons.push(Either.isRight(answer) ? "answered" : answer.left.reason)
        yield* TestClock.adjust(100)
      }
      assert.deepStrictEqual(used(), ["b", "b"])
      assert.strictEqual(reasons.filter((reason) => reason === "NoDeployment").length, 28)
    })
  )
  it.effect("also while one of three is open, but not while two are", () =>
    Effect.gen(function* () {
      const { service, statuses, used } = setup([{ id: "a" }, { id: "b" }, { id: "c" }])
      for (const [id, status] of cooling("b", "c")) statuses.set(id, status)
      yield* LlmService.complete(service, chat())
      yield* TestClock.adjust(1000)
      yield* LlmService.complete(service, chat())
      statuses.delete("c")
      yield* TestClock.adjust(1000)
      yield* LlmService.complete(service, chat())
      assert.deepStrictEqual(used(), ["a", "b", "a"])
    })
  )
  it.effect("not while a fallback is left, nor at who is asked already, nor at who is closed for long", () =>
    Effect.gen(function* () {
      const { figures, service, statuses, used } = setup([{ id: "a" }, { id: "b" }])
      for (const [id, status] of cooling("a", "b")) statuses.set(id, status)
      const request = chat()
      yield* Effect.flip(service.call(request))
      yield* TestClock.adjust(1000)
      yield* Effect.flip(service.call({ ...request, route: { ...request.route, lastResort: false } }))
      yield* TestClock.adjust(1000)
      figures("a").inFlight = 1
      statuses.set("b", closed("cooldown", 300_000))
      yield* Effect.flip(service.call(chat()))
      assert.deepStrictEqual(used(), [])
    })
  )
  it.effect("not for half a minute after one met a limit: that is no outage", () =>
    Effect.gen(function* () {
      const { service, statuses, used } = setup([{ id: "a" }, { id: "b" }], {
        reply: { fail: { reason: "RateLimited", description: "slow down" } }
      })
      for (const id of ["a", "b"]) statuses.set(id, closed("cooldown", 60_000))
      for (let second = 0; second < 20; second++) {
        yield* Effect.flip(service.call(chat()))
        yield* TestClock.adjust(1000)
      }
      assert.strictEqual(used().length, 1)
    })
  )
  it.effect("never with `fail`", () =>
    Effect.gen(function* () {
      const { service, statuses, used } = setup([{ id: "a" }, { id: "b" }], { options: { whenAllClosed: "fail" } })
      for (const [id, status] of cooling("a", "b")) statuses.set(id, status)
      for (let second = 0; second < 5; second++) {
        yield* Effect.flip(service.call(chat()))
        yield* TestClock.adjust(1000)
      }
      assert.deepStrictEqual(used(), [])
    })
  )
})

describe("attempts", () => {
  it.effect("one whose limit turned the request away is blocked by that limit, though it reads as open by now", () =>
    Effect.gen(function* () {
      const { service, statuses } = setup([{ id: "a" }, { id: "b" }], {
        reply: ({ deployment }) => ({
          fail: { reason: "Rejected", description: "full", deployment, code: "rpm", retryAfter: 5_000 }
        })
      })
      const error = yield* failure(service, chat())
      assert.deepStrictEqual(blocks(error), ["a:rpm", "b:rpm"])
      assert.deepStrictEqual([error.httpStatus, error.fallback, error.retryAfter], [429, "rateLimit", 5_000])
      statuses.set("b", closed("cooldown", 20))
      const other = yield* failure(service, chat())
      assert.deepStrictEqual(blocks(other), ["a:rpm", "b:cooldown"])
      assert.strictEqual(other.httpStatus, 503)
    })
  )
  it.effect("a lost race for a limit picks again at once, and costs no attempt", () =>
    Effect.gen(function* () {
      const { figures, service, used } = setup([{ id: "a" }, { id: "b" }], {
        reply: ({ deployment }) =>
          deployment === "a" ? { fail: { reason: "Rejected", description: "full", deployment: "a" } } : {}
      })
      const answer = yield* LlmService.complete(service, chat())
      assert.deepStrictEqual(used(), ["a", "b"])
      assert.strictEqual(answer.journal.spent, 1)
      assert.deepStrictEqual(
        answer.journal.report().attempts.map(({ outcome }) => outcome),
        ["rejected", "completed"]
      )
      assert.strictEqual(figures("a").requests, 0)
      assert.strictEqual(figures("a").inFlight, 0)
    })
  )
  it.effect("figures: in flight until the stream ends, then success, failure or abandonment", () =>
    Effect.gen(function* () {
      const { figures, service, stub } = setup([{ id: "a" }], { reply: { chunks: ["x", "y"], gap: 100 } })
      const fiber = yield* Effect.fork(Stream.runDrain(LlmService.stream(service, chat())))
      yield* TestClock.adjust(50)
      assert.strictEqual(figures("a").inFlight, 1)
      yield* TestClock.adjust(1000)
      yield* Fiber.join(fiber)
      const leaver = yield* Effect.fork(Stream.runDrain(LlmService.stream(service, chat())))
      yield* TestClock.adjust(50)
      yield* Fiber.interrupt(leaver)
      stub.reply({ fail: { reason: "Unavailable", description: "down" } })
      yield* failure(service, chat())
      const { abandoned, failures, inFlight, lastError, requests, successes } = figures("a")
      assert.deepStrictEqual(
        { abandoned, failures, inFlight, lastError, requests, successes },
        { abandoned: 1, failures: 1, inFlight: 0, lastError: "Unavailable", requests: 3, successes: 1 }
      )
      assert.strictEqual(stub.inFlight(), 0)
    })
  )
  it.effect("a stream that fails before its first content fails the call", () =>
    Effect.gen(function* () {
      const { service } = setup([{ id: "a" }], {
        reply: { fail: { reason: "Unavailable", description: "cut" }, failAfter: 0 }
      })
      const error = yield* Effect.flip(service.call(chat({}, { stream: true })))
      assert.strictEqual(error.reason, "Unavailable")
    })
  )
  it.effect("text that arrived together with the cut is delivered before the error", () =>
    Effect.gen(function* () {
      const { service } = setup([{ id: "a" }], {
        reply: { chunks: ["one ", "two "], fail: { reason: "Unavailable", description: "cut" }, failAfter: 2 }
      })
      const seen: Array<string> = []
      const error = yield* LlmService.stream(service, chat()).pipe(
        Stream.runForEach(({ json }) => Effect.sync(() => seen.push(ChatChunk.text(json)))),
        Effect.flip
      )
      assert.strictEqual(seen.join(""), "one two ")
      assert.strictEqual(error.reason, "StreamInterrupted")
    })
  )
  it.effect("a strategy that throws or chooses a stranger is a defect of that call alone", () =>
    Effect.gen(function* () {
      let next: () => number = () => 0
      const { service } = setup([{ id: "a" }, { id: "b" }], {
        strategy: { name: "odd", select: () => next() }
      })
      for (const bad of [
        () => 7,
        () => 0.5,
        () => -2,
        () => Number.NaN,
        () => {
          throw new Error("boom")
        }
      ]) {
        next = bad
        const exit = yield* Effect.exit(LlmService.complete(service, chat()))
        assert.isTrue(Exit.isFailure(exit) && Cause.isDie(exit.cause))
        assert.include(String(Exit.isFailure(exit) && Cause.squash(exit.cause)), "strategy odd")
      }
      next = () => 1
      yield* LlmService.complete(service, chat())
    })
  )
})

describe("streams under any scheduling", () => {
  it("content that comes between looking for it and waiting for it is not missed", () => {
    for (let ops = 13; ops < 200; ops++) {
      // The fiber yields after `ops` operations, so that over the loop a yield falls between any two of them.
      const time = new VirtualTime(ops)
      const { service, stub } = setup([{ id: "a" }], { reply: { chunks: ["one ", "two ", "three"] } })
      const fiber = time.fork(
        Stream.runFold(LlmService.stream(service, chat()), "", (text, { json }) => text + ChatChunk.text(json))
      )
      time.flush()
      const exit = fiber.unsafePoll()
      assert.deepStrictEqual(exit, Exit.succeed("one two three"), `a yield after every ${ops} operations`)
      assert.strictEqual(stub.inFlight(), 0)
    }
  })
})
