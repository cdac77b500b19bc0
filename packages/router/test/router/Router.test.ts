import { assert, describe, it } from "@effect/vitest"
import * as BaseService from "@switchyard/core/BaseService"
import * as LlmRequest from "@switchyard/core/LlmRequest"
import * as LlmService from "@switchyard/core/LlmService"
import type { RequestService } from "@switchyard/core/Service"
import { CooldownState } from "@switchyard/router/CooldownState"
import { DeploymentRegistry } from "@switchyard/router/DeploymentRegistry"
import * as Router from "@switchyard/router/Router"
import { RoutingStrategy } from "@switchyard/router/RoutingStrategy"
import * as StubLlm from "@switchyard/testing/StubLlm"
import { Context, Effect, Either, Layer, Logger, Stream } from "effect"

const request = (model = "m") => LlmRequest.chat({ model, messages: [{ role: "user", content: "Hi" }] })

const deployment = (id: string, more: object = {}) => ({ id, group: "m", model: "m", ...more })

const problems = (options: unknown) =>
  Router.check(options as Router.Options).map(({ path, value, expected }) => `${path} | ${value} | ${expected}`)

describe("Router.check", () => {
  it("good options have no problems", () => {
    assert.deepStrictEqual(
      problems({
        deployments: [deployment("a", { weight: 0, tags: ["x"] }), deployment("b")],
        strategy: "LatencyBased",
        retry: { attempts: 2 },
        cooldown: { failures: 3, duration: "10 seconds" },
        fallback: { chains: { general: { m: ["b"] } } },
        metrics: false
      }),
      []
    )
  })
  it("every problem of every concern is reported at once, each with its path and value", () => {
    assert.deepStrictEqual(
      problems({
        deployments: [deployment("a", { weight: -1, rpm: -3 }), deployment("a", { wieght: 2 })],
        strategy: "fastest",
        retry: { attempts: 0 },
        cooldown: { failures: -1, duration: "soon" },
        timeouts: { idle: 0 },
        deadline: { dedline: "1 second" }
      }).map((line) => line.split(" | ").slice(0, 2).join(" | ")),
      [
        "deployments[0].weight | -1",
        "deployments[0].rpm | -3",
        "deployments[1].wieght | 2",
        'deployments[1].id | "a"',
        'strategy | "fastest"',
        'deadline.dedline | "1 second"',
        "retry.attempts | 0",
        "cooldown.failures | -1",
        'cooldown.duration | "soon"',
        "timeouts.idle | 0"
      ]
    )
  })
  it("an unknown strategy lists the known ones", () => {
    assert.include(problems({ deployments: [deployment("a")], strategy: "fastest" })[0] ?? "", "latency-based")
  })
  it("what types forbid and JavaScript gives is told in words: a strategy, a stack", () => {
    const untyped = { strategy: 5, groupStrategies: { m: {} } } as unknown as Partial<Router.Options>
    assert.deepStrictEqual(
      Router.check({ deployments: [{ id: "a", group: "m", model: "m" }], ...untyped }).map(({ path }) => path),
      ["strategy", "groupStrategies.m"]
    )
    const unstacked = { stack: {} } as unknown as Partial<Router.Options>
    assert.deepStrictEqual(
      Router.check({ deployments: [{ id: "a", group: "m", model: "m" }], ...unstacked }).map(({ path }) => path),
      ["stack"]
    )
  })
  it("an unknown fallback target is named with its path in the configuration", () => {
    const options = { deployments: [deployment("a")], fallback: { chains: { general: { m: ["nowhere"] } } } }
    assert.match(problems(options)[0] ?? "", /^fallback\.chains\.general.* \| "nowhere" \|/)
  })
  it("a secret in a broken deployment is not shown", () => {
    assert.notInclude(problems({ deployments: [{ id: "a", group: "m", apiKey: "sk-secret" }] }).join("\n"), "sk-secret")
  })
})

describe("Router.make", () => {
  it.scoped("bad options fail with all problems and build nothing", () =>
    Effect.gen(function* () {
      const made = yield* Effect.either(Router.make({ deployments: [], strategy: "?" }, StubLlm.make().attempts))
      assert.isTrue(Either.isLeft(made) && made.left.issues.length === 2)
    })
  )
  it.scoped("by default a failed attempt is retried elsewhere, and the report tells the story", () =>
    Effect.gen(function* () {
      const stub = StubLlm.make(({ deployment }) =>
        deployment === "a" ? { fail: { reason: "Unavailable", description: "down" } } : {}
      )
      const options = { deployments: [deployment("a", { priority: 0 }), deployment("b", { priority: 1 })] }
      const { service } = yield* Router.make({ ...options, strategy: "ordered" }, stub.attempts)
      const { journal } = yield* LlmService.complete(service, request())
      const report = journal.report()
      assert.deepStrictEqual([report.deployment, report.usedFallback, report.attempts.length], ["b", false, 2])
    })
  )
  it.scoped("a final error carries every attempt", () =>
    Effect.gen(function* () {
      const stub = StubLlm.make({ fail: { reason: "Unavailable", description: "down" } })
      const { service } = yield* Router.make(
        { deployments: [deployment("a"), deployment("b"), deployment("c")] },
        stub.attempts
      )
      const error = yield* Effect.flip(LlmService.complete(service, request()))
      assert.strictEqual(error.attempts?.length, 3)
      assert.deepStrictEqual(new Set(error.attempts?.map(({ deployment }) => deployment)), new Set(["a", "b", "c"]))
    })
  )
  it.scoped("a strategy of one's own takes the place of a name", () =>
    Effect.gen(function* () {
      const last = Layer.succeed(RoutingStrategy, { name: "last", select: (candidates) => candidates.size - 1 })
      const stub = StubLlm.make()
      const { service } = yield* Router.make(
        { deployments: [deployment("a"), deployment("b")], strategy: last },
        stub.attempts
      )
      yield* LlmService.complete(service, request())
      assert.strictEqual(stub.calls[0]?.deployment, "b")
    })
  )
  it.scoped("a cache is off by default; on, the same request is answered once", () =>
    Effect.gen(function* () {
      const stub = StubLlm.make()
      const options = { deployments: [deployment("a")] }
      const { service: plain } = yield* Router.make(options, stub.attempts)
      const { service: caching } = yield* Router.make({ ...options, cache: { ttl: "1 minute" } }, stub.attempts)
      for (let i = 0; i < 3; i++) yield* LlmService.complete(plain, request())
      assert.strictEqual(stub.calls.length, 3)
      for (let i = 0; i < 3; i++) yield* LlmService.complete(caching, request())
      assert.strictEqual(stub.calls.length, 4)
    })
  )
  it.scoped("a group may have a strategy of its own", () =>
    Effect.gen(function* () {
      const last = Layer.succeed(RoutingStrategy, { name: "last", select: (candidates) => candidates.size - 1 })
      const stub = StubLlm.make()
      const deployments = ["a", "b"].flatMap((id) => [deployment(id), { id: `${id}2`, group: "other", model: "m" }])
      const { service } = yield* Router.make(
        { deployments, strategy: "ordered", groupStrategies: { other: last } },
        stub.attempts
      )
      yield* LlmService.complete(service, request())
      yield* LlmService.complete(service, request("other"))
      assert.deepStrictEqual(
        stub.calls.map((call) => call.deployment as string),
        ["a", "b2"]
      )
      const wrong = { deployments, groupStrategies: { other: "fastest" } }
      assert.strictEqual(Router.check(wrong)[0]?.path, "groupStrategies.other")
    })
  )
  it.scoped("two towers over one base share no state", () =>
    Effect.gen(function* () {
      const stub = StubLlm.make({ fail: { reason: "Authentication", description: "bad key", status: 401 } })
      const options = { deployments: [deployment("a"), deployment("b")] }
      const first = yield* Router.make(options, stub.attempts)
      const second = yield* Router.make(options, stub.attempts)
      yield* Effect.ignore(LlmService.complete(first.service, request()))
      stub.reply({})
      const blocked = yield* Effect.flip(LlmService.complete(first.service, request()))
      assert.strictEqual(blocked.reason, "NoDeployment")
      yield* LlmService.complete(second.service, request())
    })
  )
})

describe("the count of closed deployments that a request met", () => {
  const met = (service: RequestService, asked = request()) =>
    Effect.map(LlmService.complete(service, asked), ({ journal }) => [
      journal.cooldownsMet,
      journal.report().cooldownsMet
    ])

  it.scoped("counts each once, breakers and isolation alike, over retries and fallbacks, but no limit", () =>
    Effect.gen(function* () {
      const down = { fail: { reason: "Unavailable", description: "down" } } as const
      const stub = StubLlm.make(({ deployment }) => (deployment === "d" || deployment === "e" ? down : {}))
      const { service, state } = yield* Router.make(
        {
          deployments: [
            deployment("a"),
            deployment("b"),
            deployment("c", { rpm: 0 }),
            deployment("d"),
            deployment("e"),
            deployment("f", { group: "other" }),
            deployment("g", { group: "other" })
          ],
          strategy: "ordered",
          retry: { attempts: 2 },
          cooldown: { failures: 100, failureRate: false },
          fallback: { chains: { general: { m: ["other"] } } }
        },
        stub.attempts
      )
      const cooldowns = Context.get(state, CooldownState)
      const registry = Context.get(state, DeploymentRegistry)
      assert.deepStrictEqual(yield* met(service, request("other")), [0, 0])
      for (const id of ["a", "f"]) yield* cooldowns.cool(registry.slot(id) ?? assert.fail(id), "1 minute")
      yield* cooldowns.isolate("b")
      assert.deepStrictEqual(yield* met(service), [3, 3])
      assert.deepStrictEqual(
        stub.calls.map((call) => call.deployment as string),
        ["f", "d", "e", "g"]
      )
    })
  )
  it.scoped("counts only those that the strategy looked at, and of them only those that the request could use", () =>
    Effect.gen(function* () {
      let asked = 0
      const lastOnly = Layer.succeed(RoutingStrategy, {
        name: "last only",
        select: (candidates) => {
          asked++
          return candidates.isOpen(2) ? 2 : -1
        }
      })
      const deployments = [deployment("a"), deployment("b", { region: "us" }), deployment("c", { region: "eu" })]
      const { service, state } = yield* Router.make({ deployments, strategy: lastOnly }, StubLlm.make().attempts)
      for (const id of ["a", "b"]) yield* Context.get(state, CooldownState).isolate(id)
      assert.deepStrictEqual(yield* met(service), [0, 0])
      assert.strictEqual(asked, 1)
      const all = yield* Router.make({ deployments, strategy: "ordered" }, StubLlm.make().attempts)
      for (const id of ["a", "b"]) yield* Context.get(all.state, CooldownState).isolate(id)
      assert.deepStrictEqual(yield* met(all.service), [2, 2])
      const local = LlmRequest.chat(
        { model: "m", messages: [{ role: "user", content: "Hi" }] },
        { demands: { region: "eu" } }
      )
      assert.deepStrictEqual(yield* met(all.service, local), [0, 0])
    })
  )
  it.scoped("a request that bears a shared call is told what that call met", () =>
    Effect.gen(function* () {
      const { service, state } = yield* Router.make(
        { deployments: [deployment("a"), deployment("b")], strategy: "ordered", cache: {} },
        StubLlm.make().attempts
      )
      yield* Context.get(state, CooldownState).isolate("a")
      assert.deepStrictEqual(yield* met(service), [1, 1])
      assert.deepStrictEqual(yield* met(service), [0, 0])
    })
  )
})

describe("Router.fromServices", () => {
  const entries = (stubs: ReadonlyArray<StubLlm.StubLlm>) =>
    stubs.map((stub, index) => ({ deployment: { id: `s${index}` }, service: stub.requests }))

  it.scoped("routes over services that the caller built, and fails over between them", () =>
    Effect.gen(function* () {
      const broken = StubLlm.make({ fail: { reason: "Unavailable", description: "down" } })
      const fine = StubLlm.make({ text: "fine" })
      const { service } = yield* Router.fromServices(entries([broken, fine]))
      for (let i = 0; i < 10; i++) yield* LlmService.complete(service, request("default"))
      assert.strictEqual(fine.calls.length, 10)
      assert.isAtMost(broken.calls.length, 5)
    })
  )
  const recording = () => {
    const seen: Array<LlmRequest.LlmRequest> = []
    const service = BaseService.forRequests({
      complete: (request) =>
        Effect.sync(() => {
          seen.push(request)
          return { choices: [{ message: { content: "Hi" }, finish_reason: "stop" }] }
        }),
      stream: (request) => {
        seen.push(request)
        return Stream.make({ choices: [{ index: 0, delta: { content: "Hi" }, finish_reason: "stop" }] })
      }
    })
    return { seen, service }
  }
  const deployment = { id: "a", group: "smart", model: "gpt-4o-2024", defaults: { temperature: 0.3, top_p: 1 } }

  it.scoped("each service gets the payload that the HTTP base would send", () =>
    Effect.gen(function* () {
      const { seen, service } = recording()
      const router = yield* Router.fromServices([{ deployment, service }])
      const asked = { model: "smart", messages: [], top_p: 0.5 }
      yield* LlmService.complete(router.service, LlmRequest.chat({ ...asked, stream: true }))
      yield* Stream.runDrain(LlmService.stream(router.service, LlmRequest.chat(asked)))
      const body = { messages: [], temperature: 0.3, top_p: 0.5, model: "gpt-4o-2024" }
      assert.deepStrictEqual(
        seen.map((request) => request.body),
        [
          { ...body, stream: false },
          { ...body, stream: true, stream_options: { include_usage: true } }
        ]
      )
      assert.deepStrictEqual(
        seen.map(({ model }) => model),
        ["gpt-4o-2024", "gpt-4o-2024"]
      )
    })
  )
  it.effect("as a layer it needs no base; two of them in one app are two towers", () =>
    Effect.gen(function* () {
      const [one, other] = [recording(), recording()]
      class Other extends Context.Tag("test/Other")<Other, Context.Tag.Service<LlmService.LlmService>>() {}
      const router = ({ service }: typeof one) => Router.layerFromServices([{ deployment, service }])
      const both = Layer.merge(
        router(one),
        Layer.effect(Other, LlmService.LlmService).pipe(Layer.provide(router(other)))
      )
      yield* Effect.gen(function* () {
        yield* LlmService.LlmService.complete(request("smart"))
        yield* LlmService.complete(yield* Other, request("smart"))
      }).pipe(Effect.provide(both))
      assert.deepStrictEqual([one.seen.length, other.seen.length], [1, 1])
      const wrong = Router.layerFromServices([{ deployment, service: one.service }], { weights: [] })
      const failed = yield* Effect.flip(Effect.scoped(Layer.build(wrong)))
      assert.deepStrictEqual(
        failed.issues.map(({ path }) => path),
        ["weights"]
      )
    })
  )
  it.scoped(
    "a client that throws fails its request at once; one that dies in its effect leaves the rest to the others",
    () =>
      Effect.gen(function* () {
        const ends = (complete: BaseService.Handlers["complete"]) =>
          Effect.gen(function* () {
            const fine = recording()
            const service = BaseService.forRequests({ complete, stream: () => Stream.empty })
            const router = yield* Router.fromServices(
              [
                { deployment: { id: "dies", order: 0 }, service },
                { deployment: { id: "fine", order: 1 }, service: fine.service }
              ],
              { strategy: "ordered" }
            )
            const end = yield* Effect.either(LlmService.complete(router.service, request("default")))
            return [end._tag, fine.seen.length]
          }).pipe(Effect.provide(Logger.remove(Logger.defaultLogger)))
        const thrown = yield* ends(() => {
          throw new Error("bug")
        })
        assert.deepStrictEqual(thrown, ["Left", 0])
        assert.deepStrictEqual(yield* ends(() => Effect.die(new Error("bug"))), ["Right", 1])
      })
  )
  it.scoped("weights share the traffic: a service of weight 0 gets none", () =>
    Effect.gen(function* () {
      const stubs = [StubLlm.make(), StubLlm.make()]
      const { service } = yield* Router.fromServices(entries(stubs), { strategy: "weighted-random", weights: [0, 1] })
      for (let i = 0; i < 20; i++) yield* LlmService.complete(service, request("default"))
      assert.deepStrictEqual(
        stubs.map(({ calls }) => calls.length),
        [0, 20]
      )
    })
  )
  it.scoped(
    "an empty list, and weights that are negative, NaN or of the wrong length, are errors with their path",
    () =>
      Effect.gen(function* () {
        const stubs = [StubLlm.make(), StubLlm.make()]
        const pathsOf = (made: Effect.Effect.AsEffect<ReturnType<typeof Router.fromServices>>) =>
          Effect.map(Effect.flip(made), ({ issues }) => issues.map(({ path }) => path))
        assert.deepStrictEqual(yield* pathsOf(Router.fromServices([])), ["deployments"])
        assert.deepStrictEqual(yield* pathsOf(Router.fromServices(entries(stubs), { weights: [1] })), ["weights"])
        assert.deepStrictEqual(yield* pathsOf(Router.fromServices(entries(stubs), { weights: [-1, Number.NaN] })), [
          "deployments[0].weight",
          "deployments[1].weight"
        ])
      })
  )
})
