/** The tower as a value: changed by name, checked as a whole, and nothing of it lost on the way. */
import { assert, describe, it } from "@effect/vitest"
import { ConfigError } from "@switchyard/core/ConfigError"
import { DeploymentService } from "@switchyard/core/DeploymentService"
import * as LlmRequest from "@switchyard/core/LlmRequest"
import * as LlmService from "@switchyard/core/LlmService"
import * as Service from "@switchyard/core/Service"
import * as Concern from "@switchyard/router/Concern"
import { Breakers, CooldownState } from "@switchyard/router/CooldownState"
import { DeploymentRegistry } from "@switchyard/router/DeploymentRegistry"
import { LatencyTracker } from "@switchyard/router/LatencyTracker"
import { PriceBook } from "@switchyard/router/PriceBook"
import * as Router from "@switchyard/router/Router"
import * as Stack from "@switchyard/router/Stack"
import * as State from "@switchyard/router/State"
import { TowerStrategies } from "@switchyard/router/TowerStrategies"
import { UsageWindows } from "@switchyard/router/UsageWindows"
import * as StubLlm from "@switchyard/testing/StubLlm"
import { Context, Effect, Exit, JSONSchema, Layer, Schema, Scope } from "effect"

const deployments = [{ id: "a", group: "m", model: "m" }]
const chat = LlmRequest.chat({ model: "m", messages: [{ role: "user", content: "Hi" }] })

const log: Array<string> = []
const noting = (word: string): Service.AttemptLayer =>
  Service.mapAttempt((call) =>
    Effect.suspend(() => {
      log.push(word)
      return call
    })
  )
class AttemptLog extends Concern.attempt({ name: "attemptLog", make: () => noting("attempt") }) {}
class Redaction extends Concern.request({
  name: "redaction",
  options: Schema.Struct({ words: Schema.optional(Schema.Array(Schema.String)) }),
  make: () =>
    Service.mapRequest((call) =>
      Effect.suspend(() => {
        log.push("request")
        return call
      })
    )
}) {}

class Ledger extends Context.Tag("test/Ledger")<Ledger, { readonly id: number }>() {}
let ledgers = 0
const closed: Array<number> = []
class Ledgers extends State.make({
  name: "ledger",
  tag: Ledger,
  options: Schema.Struct({ size: Schema.optional(Schema.Number) }),
  layer: () =>
    Layer.scoped(
      Ledger,
      Effect.acquireRelease(
        Effect.sync(() => ({ id: ++ledgers })),
        ({ id }) => Effect.sync(() => closed.push(id))
      )
    )
}) {}
class Report extends Context.Tag("test/Report")<Report, { readonly over: number }>() {}
class Reports extends State.make({
  name: "report",
  tag: Report,
  needs: [Ledgers],
  layer: () =>
    Layer.effect(
      Report,
      Effect.map(Ledger, ({ id }) => ({ over: id }))
    )
}) {}
class Audit extends Concern.beside({
  name: "audit",
  state: [Ledgers, Reports],
  make: () => Effect.void
}) {}

const names = (stack: { readonly concerns: ReadonlyArray<{ readonly id: string }> }) =>
  stack.concerns.map(({ id }) => id)
const problems = (effect: Effect.Effect<unknown, ConfigError, Scope.Scope>) =>
  Effect.map(Effect.flip(effect), ({ issues }) => issues.map(({ expected, path }) => `${path}: ${expected}`))
const get = <I, S>({ state }: { readonly state: Context.Context<never> }, tag: Context.Tag<I, S>): S =>
  Context.unsafeGet(state as Context.Context<I>, tag as never)
const audited = Router.standard.append(Audit)
const base = () => StubLlm.make().attempts
const inScope = <A, E>(scope: Scope.Scope, effect: Effect.Effect<A, E, Scope.Scope>) => Scope.extend(effect, scope)

describe("a stack", () => {
  it("is changed by name, and the one before stays as it was", () => {
    const before = names(Router.standard)
    const changed = Router.standard
      .insertAfter("cooldown", AttemptLog)
      .insertBefore("retry", Redaction)
      .remove("pinning")
      .replace("hedge", class extends Concern.request({ name: "hedge", make: () => undefined }) {})
    const after = names(changed)
    assert.strictEqual(after[after.indexOf("cooldown") + 1], "attemptLog")
    assert.strictEqual(after[after.indexOf("retry") - 1], "redaction")
    assert.notInclude(after, "pinning")
    assert.strictEqual(after.length, before.length + 1)
    assert.deepStrictEqual(names(Router.standard), before)
  })
  it("takes what is appended as the outermost of its tier", () => {
    const all = names(Router.standard.append(Redaction).append(AttemptLog).append(Audit))
    assert.strictEqual(all[0], "redaction")
    assert.strictEqual(all[all.indexOf("balancer") + 1], "attemptLog")
    assert.strictEqual(all[all.indexOf("faultInjection") + 1], "audit")
  })
  it.scoped("has what another concern implies, with the options that are implied, unless it is told otherwise", () =>
    Effect.gen(function* () {
      const told: Array<unknown> = []
      class Line extends Concern.request({
        name: "line",
        on: false,
        options: Schema.Struct({ length: Schema.optional(Schema.Number) }),
        impliedBy: { redaction: { length: 7 } },
        make: (options) => {
          told.push(options)
          return undefined
        }
      }) {}
      const stack = Router.standard.append(Line).append(
        class extends Concern.request({
          name: "redaction",
          on: false,
          options: Schema.Struct({ words: Schema.optional(Schema.Array(Schema.String)) }),
          make: () => undefined
        }) {}
      )
      for (const options of [{}, { redaction: {} }, { redaction: {}, line: { length: 1 } }]) {
        yield* Router.make({ deployments, stack, ...options }, base())
      }
      for (const options of [{ redaction: false as const }, { redaction: {}, line: false as const }]) {
        const { present } = yield* Router.make({ deployments, stack, ...options }, base())
        assert.notInclude(names({ concerns: present }), "line")
      }
      assert.deepStrictEqual(told, [{ length: 7 }, { length: 1 }])
    })
  )
  it("says at run time too what does not fit", () => {
    const unknown = Router.standard as unknown as Stack.AnyStack
    assert.throws(() => unknown.remove("cooldwn"), /no concern "cooldwn" in the stack: tracing, /)
    assert.throws(() => unknown.append(AttemptLog).append(AttemptLog), /"attemptLog" is in the stack already/)
    assert.throws(() => unknown.insertBefore("retry", AttemptLog), /"attemptLog" is a concern of the attempt tier/)
    assert.throws(() => unknown.remove("balancer"), /is the turn/)
  })
  it("is known by its brand, whatever copy of the package made it", () => {
    assert.deepStrictEqual([Router.standard, { concerns: [] }, null, "x"].map(Stack.isStack), [
      true,
      false,
      false,
      false
    ])
  })
  it("speaks in its rules of order of concerns that there are: a misspelt name is a rule without force", () => {
    for (const { inside, outside } of Router.standard.concerns) {
      for (const name of [...Object.keys(inside), ...Object.keys(outside)]) assert.include(names(Router.standard), name)
    }
  })
  it("says of every concern and state what it is called, once", () => {
    const ids = Router.standard.concerns.map(({ id }) => id)
    assert.strictEqual(new Set(ids).size, ids.length)
    const states = Stack.statesOf(Router.standard.concerns).map(({ id }) => id)
    assert.strictEqual(new Set(states).size, states.length)
    for (const { about, id } of Router.standard.concerns) assert.isAbove((about ?? "").length, 10, id)
  })
})

describe("the options of a stack", () => {
  it("are one schema of all concerns and states, with a JSON schema", () => {
    const fields = Object.keys(Router.fields(Router.standard.append(Redaction) as never))
    assert.includeMembers(fields, ["redaction", "cooldown", "metrics", "retryBudget", "prices", "unknownPrice"])
    const json = JSONSchema.make(Schema.Struct(Router.fields(Router.standard.append(Redaction) as never)))
    assert.include(JSON.stringify(json), '"words"')
  })
  it.scoped("reports all that is wrong at once, of own concerns too", () =>
    Effect.gen(function* () {
      const options = {
        deployments,
        stack: Router.standard.append(Redaction),
        redaction: { words: 5 },
        cooldown: { failures: -1 },
        coldown: {}
      }
      const found = yield* problems(Router.make(options as never, base()))
      assert.deepStrictEqual(
        found.map((line) => line.replace(/:.*/, "")),
        ["coldown", "redaction.words", "cooldown.failures"].sort(
          (a, b) => found.findIndex((l) => l.startsWith(a)) - found.findIndex((l) => l.startsWith(b))
        )
      )
      assert.lengthOf(found, 3)
    })
  )
  it.scoped("false leaves a concern out, and all of those that share its key", () =>
    Effect.gen(function* () {
      const off = Object.fromEntries(
        Router.standard.concerns.flatMap(({ key, tier }) => (tier === "turn" ? [] : [[key, false]]))
      )
      const tower = yield* Router.make({ deployments, ...off }, base())
      assert.deepStrictEqual(
        tower.present.map(({ id }) => id),
        ["balancer"]
      )
      yield* LlmService.complete(tower.service, chat)
    })
  )
  it.scoped("one key has one schema: another one under it is refused", () =>
    Effect.gen(function* () {
      class Own extends Concern.request({
        name: "own",
        key: "metrics",
        options: Schema.Struct({}),
        make: () => undefined
      }) {}
      const stack = Router.standard.append(Own)
      assert.match((yield* problems(Router.make({ deployments, stack }, base()))).join("\n"), /under the key "metrics"/)
    })
  )
})

describe("the order of a stack", () => {
  const moved = Router.standard
    .remove("cooldown")
    .insertAfter("limits", Router.standard.concerns.find(({ id }) => id === "cooldown") as never)
  it.scoped("is reported with the reason where a concern says otherwise", () =>
    Effect.gen(function* () {
      const found = yield* problems(Router.make({ deployments, stack: moved as never }, base()))
      assert.deepStrictEqual(found, ["stack: cooldown outside limits: a closed breaker takes no permit"])
    })
  )
  it.scoped("may be asked for, and does not matter of what is left out", () =>
    Effect.gen(function* () {
      const asked = (moved as Stack.AnyStack).allow("limits", "cooldown")
      yield* Router.make({ deployments, stack: asked as never }, base())
      yield* Router.make({ deployments, stack: moved as never, limits: false }, base())
    })
  )
})

describe("own layers in a stack", () => {
  it.scoped("stand where they were put, and a reload keeps them", () =>
    Effect.gen(function* () {
      log.length = 0
      const stack = Router.standard.insertBefore("fallback", Redaction).insertAfter("cooldown", AttemptLog)
      const failing = StubLlm.make(
        ["fail", "ok"].map((word) =>
          word === "fail" ? { fail: { reason: "Unavailable", description: "down" } } : {}
        ) as never
      )
      const options = {
        deployments: [...deployments, { id: "b", group: "m", model: "m" }],
        stack,
        retry: { baseDelay: 1 }
      }
      const first = yield* Router.make(options, failing.attempts)
      const second = yield* Router.make(options, failing.attempts, first)
      yield* LlmService.complete(second.service, chat)
      assert.deepStrictEqual(log, ["request", "attempt", ...(log.length > 2 ? ["attempt"] : [])])
    })
  )
  it.scoped("tell what they need of the app, and a tower without it does not come to be", () =>
    Effect.gen(function* () {
      class Needy extends Concern.request({
        name: "needy",
        needs: [Ledger],
        make: () => Effect.map(Ledger, () => (next: Service.RequestService) => next)
      }) {}
      const stack = Router.standard.append(Needy)
      const found = yield* problems(
        Router.make({ deployments, stack }, base()) as Effect.Effect<unknown, ConfigError, Scope.Scope>
      )
      assert.deepStrictEqual(found, ["stack: the service test/Ledger, which the app has to provide"])
      yield* Effect.provideService(Router.make({ deployments, stack }, base()), Ledger, { id: 7 })
    })
  )
  it.scoped("fail the build with all their problems, and change nothing", () =>
    Effect.gen(function* () {
      const issues = [{ path: "bad", value: "", expected: "something else" }]
      class Bad extends Concern.attempt({ name: "bad", make: () => Effect.fail(new ConfigError({ issues })) }) {}
      class Worse extends Concern.request({
        name: "worse",
        make: () => Effect.fail(new ConfigError({ issues: [{ path: "worse", value: "", expected: "nothing" }] }))
      }) {}
      const first = yield* Router.make({ deployments, stack: audited }, base())
      const before = closed.length
      const stack = audited.append(Bad).append(Worse)
      const next = { deployments: [{ id: "z", group: "m", model: "m" }], stack, ledger: { size: 2 } }
      assert.deepStrictEqual(yield* problems(Router.make(next, base(), first)), [
        "worse: nothing",
        "bad: something else"
      ])
      assert.deepStrictEqual(
        get(first, DeploymentRegistry)
          .slots()
          .map(({ id }) => id as string),
        ["a"]
      )
      assert.deepStrictEqual(
        [...first.handover.cells.values()].map(({ users }) => users),
        [...first.handover.cells.values()].map(() => 1)
      )
      assert.strictEqual(closed.length, before + 1)
    })
  )
})

describe("the state of a tower", () => {
  it.scoped("is handed over, and renewed where its own options or what it is made of changed", () =>
    Effect.gen(function* () {
      const first = yield* Router.make({ deployments, stack: audited }, base())
      const same = yield* Router.make({ deployments, stack: audited, cooldown: { failures: 9 } }, base(), first)
      assert.strictEqual(get(same, Ledger), get(first, Ledger))
      assert.strictEqual(get(same, Report), get(first, Report))
      assert.strictEqual(get(same, CooldownState), get(first, CooldownState))
      const other = yield* Router.make(
        { deployments, stack: audited, ledger: { size: 2 }, unknownPrice: "refuse" },
        base(),
        same
      )
      assert.notStrictEqual(get(other, Ledger), get(first, Ledger))
      assert.strictEqual(get(other, Report).over, get(other, Ledger).id)
      assert.notStrictEqual(get(other, PriceBook), get(first, PriceBook))
      assert.strictEqual(get(other, LatencyTracker), get(first, LatencyTracker))
      assert.deepStrictEqual([other.owners.get("ledger"), other.owners.get("breakers")], ["tower", "handed over"])
    })
  )
  it.scoped("survives a reload with another stack", () =>
    Effect.gen(function* () {
      const first = yield* Router.make({ deployments }, base())
      const second = yield* Router.make(
        { deployments, stack: Router.standard.insertAfter("cooldown", AttemptLog).remove("retry") },
        base(),
        first
      )
      assert.strictEqual(get(second, CooldownState), get(first, CooldownState))
      assert.strictEqual(get(second, TowerStrategies).strategy, get(first, TowerStrategies).strategy)
    })
  )
  it.scoped("outlives the tower that made it, and ends with the last one that uses it", () =>
    Effect.gen(function* () {
      const [one, two] = [yield* Scope.make(), yield* Scope.make()]
      const first = yield* inScope(one, Router.make({ deployments, stack: audited }, base()))
      const { id } = get(first, Ledger)
      yield* inScope(two, Router.make({ deployments, stack: audited }, base(), first))
      yield* Scope.close(one, Exit.void)
      assert.notInclude(closed, id)
      yield* Scope.close(two, Exit.void)
      assert.strictEqual(closed.filter((one) => one === id).length, 1)
    })
  )
  it.scoped("is begun anew where the tower before has ended already", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const first = yield* inScope(scope, Router.make({ deployments, stack: audited }, base()))
      yield* Scope.close(scope, Exit.void)
      const second = yield* Router.make({ deployments, stack: audited }, base(), first)
      assert.notStrictEqual(get(second, Ledger), get(first, Ledger))
    })
  )
  it.scoped("is the app's where the app brings it, also at a reload where it is not at hand, and is never closed", () =>
    Effect.gen(function* () {
      const mine = { id: -1 }
      const first = yield* Effect.provideService(Router.make({ deployments, stack: audited }, base()), Ledger, mine)
      const second = yield* Router.make({ deployments, stack: audited, ledger: { size: 9 } }, base(), first)
      assert.deepStrictEqual([get(first, Ledger), get(second, Ledger)], [mine, mine])
      assert.deepStrictEqual([second.owners.get("ledger"), get(second, Report).over], ["app", -1])
      assert.notInclude(closed, -1)
    })
  )
  it.scoped("stays inside `Tower`: two routers in one app share nothing that the app did not bring", () =>
    Effect.gen(function* () {
      class Second extends Context.Tag("test/Second")<
        Second,
        { readonly ledger: unknown; readonly breakers: unknown }
      >() {}
      const router = () => Router.layer({ deployments, stack: audited })
      const second = Layer.effect(
        Second,
        Effect.map(Router.Tower, (tower) => ({ ledger: get(tower, Ledger), breakers: get(tower, CooldownState) }))
      ).pipe(Layer.provide(router()))
      const app = second.pipe(Layer.provideMerge(router()), Layer.provide(Layer.sync(DeploymentService, base)))
      const built = yield* Layer.build(app)
      const tower = Context.get(built, Router.Tower)
      assert.notStrictEqual(Context.get(built, Second).ledger, get(tower, Ledger))
      assert.notStrictEqual(Context.get(built, Second).breakers, get(tower, CooldownState))
      assert.isFalse(built.unsafeMap.has(CooldownState.key))
    })
  )
  it.scoped("gives way to a windows service of the app's: it is used, and no call goes past it", () =>
    Effect.gen(function* () {
      const own = yield* Effect.map(
        Layer.build(Router.layer({ deployments }).pipe(Layer.provide(Layer.sync(DeploymentService, base)))),
        (context) => get(Context.get(context, Router.Tower), UsageWindows)
      )
      let reserved = 0
      const counting: typeof own = {
        ...own,
        reserve: (...given: Parameters<typeof own.reserve>) => {
          reserved++
          return own.reserve(...given)
        }
      }
      const live = Router.layer({ deployments: [{ ...deployments[0], id: "a", group: "m", model: "m", rpm: 9 }] }).pipe(
        Layer.provide(Layer.sync(DeploymentService, base)),
        Layer.provide(Layer.succeed(UsageWindows, counting))
      )
      yield* Effect.provide(
        LlmService.LlmService.pipe(Effect.flatMap((service) => LlmService.complete(service, chat))),
        live
      )
      assert.strictEqual(reserved, 1)
    })
  )
  it.scoped("that only the app can bring is asked for by name", () =>
    Effect.gen(function* () {
      class Vault extends State.required("vault", Ledger) {}
      class Guard extends Concern.request({
        name: "guard",
        state: [Vault],
        make: () => Effect.map(Ledger, () => (next: Service.RequestService) => next)
      }) {}
      const stack = Router.standard.append(Guard)
      const found = yield* problems(
        Router.make({ deployments, stack }, base()) as Effect.Effect<unknown, ConfigError, Scope.Scope>
      )
      assert.deepStrictEqual(found, ["stack: the state test/Ledger, which the app has to provide"])
    })
  )
  it.scoped("two states under one tag are refused", () =>
    Effect.gen(function* () {
      class Again extends State.make({
        name: "again",
        tag: CooldownState,
        layer: () => Layer.sync(CooldownState, () => assert.fail("built"))
      }) {}
      class Twice extends Concern.beside({ name: "twice", state: [Breakers, Again], make: () => Effect.void }) {}
      const found = yield* problems(Router.make({ deployments, stack: Router.standard.append(Twice) }, base()))
      assert.match(found.join("\n"), /another state stands under @switchyard\/router\/CooldownState/)
    })
  )
})
