import { assert, describe, it } from "@effect/vitest"
import * as BaseService from "@switchyard/core/BaseService"
import type { LlmError } from "@switchyard/core/LlmError"
import * as LlmRequest from "@switchyard/core/LlmRequest"
import * as LlmService from "@switchyard/core/LlmService"
import * as Service from "@switchyard/core/Service"
import * as Time from "@switchyard/core/Time"
import { CacheStore } from "@switchyard/router/CacheStore"
import * as Concern from "@switchyard/router/Concern"
import { CooldownState } from "@switchyard/router/CooldownState"
import { DeploymentRegistry } from "@switchyard/router/DeploymentRegistry"
import * as Router from "@switchyard/router/Router"
import * as StubLlm from "@switchyard/testing/StubLlm"
import { Cause, Context, Effect, Logger, Stream } from "effect"
import { simulate } from "../support/schedules.js"

const request = (stream = false) => LlmRequest.chat({ model: "g", messages: [{ role: "user", content: "hi" }], stream })
const deployments = ["a", "b"].map((id, order) => ({ id, group: "g", model: "m", order }))
const fallbacks = { general: { g: ["h"] } }

const setup = (base: Service.AttemptService) =>
  Effect.map(
    Router.make(
      { deployments: [...deployments, { id: "c", group: "h", model: "m" }], fallback: { chains: fallbacks } },
      base
    ),
    ({ service }) => service
  )

/** Who was asked, and how it ended. */
const run = (base: (asked: Array<string>) => Service.AttemptService, stream = false) =>
  Effect.gen(function* () {
    const asked: Array<string> = []
    const logged: Array<string> = []
    const logger = Logger.make(({ cause, message }) => logged.push(`${message} ${cause}`))
    const service = yield* setup(base(asked))
    const call = stream
      ? Effect.asVoid(Stream.runDrain(LlmService.stream(service, request(true))))
      : Effect.asVoid(LlmService.complete(service, request()))
    const end = yield* Effect.either(call).pipe(Effect.provide(Logger.replace(Logger.defaultLogger, logger)))
    return { asked, logged, error: end._tag === "Left" ? end.left : undefined }
  })

describe("A base service that dies", () => {
  it.scoped("before a byte is sent, of this request: it fails, nobody else is asked, and the cause is logged", () =>
    Effect.gen(function* () {
      const { asked, error, logged } = yield* run((asked) =>
        Service.attempt((attempt) => {
          asked.push(attempt.deployment)
          throw new Error("bug 4711")
        })
      )
      assert.deepInclude(error, { reason: "InvalidRequest", code: "defect", breaker: "neutral" })
      assert.deepStrictEqual(asked, ["a"])
      assert.include(logged.join(), "bug 4711")
    })
  )

  it.scoped("in its effect: every other deployment is asked, then the fallback, and it counts once", () =>
    Effect.gen(function* () {
      const { asked, error, logged } = yield* run((asked) =>
        Service.attempt((attempt) => {
          asked.push(attempt.deployment)
          return Effect.die(new Error("bug 4711"))
        })
      )
      assert.deepInclude(error, { reason: "Unavailable", code: "defect" })
      assert.deepStrictEqual(asked, ["a", "b", "c"])
      assert.include(logged.join(), "bug 4711")
    })
  )

  it.scoped("that was made of functions is told apart alike, whole and streamed", () =>
    Effect.gen(function* () {
      for (const stream of [false, true]) {
        const thrown = yield* run((asked) => {
          const throws = (): never => {
            asked.push("asked")
            throw new Error("bug 4711")
          }
          return BaseService.make({ complete: throws, stream: throws })
        }, stream)
        assert.deepInclude(thrown.error, { reason: "InvalidRequest", code: "defect" })
        assert.strictEqual(thrown.asked.length, 1)
        assert.include(thrown.logged.join(), "bug 4711")
        const died = yield* run((asked) => {
          const dies = () => {
            asked.push("asked")
            return Effect.die(new Error("bug 4711"))
          }
          return BaseService.make({ complete: dies, stream: () => Stream.fromEffect(dies()) })
        }, stream)
        assert.deepInclude(died.error, { reason: "Unavailable", code: "defect" })
        assert.isAtLeast(died.asked.length, 2)
        assert.include(died.logged.join(), "bug 4711")
      }
    })
  )

  it.scoped("at every deployment counts at the first one alone, whole and streamed", () =>
    Effect.gen(function* () {
      const dies = () => Effect.die(new Error("bug 4711"))
      const bases: ReadonlyArray<readonly [what: string, stream: boolean, base: Service.AttemptService]> = [
        ["a whole answer", false, BaseService.make({ complete: dies, stream: () => Stream.empty })],
        ["a stream", true, BaseService.make({ complete: dies, stream: () => Stream.fromEffect(dies()) })],
        ["an effect", true, Service.attempt(dies)],
        [
          "a stream that cannot be written",
          true,
          BaseService.make({
            complete: dies,
            stream: () => Stream.make({ choices: [{ index: 0, delta: { content: "a" } }], big: 1n })
          })
        ]
      ]
      for (const [what, stream, base] of bases) {
        const tower = yield* Router.make(
          { deployments, cooldown: { failures: 1, duration: "1 minute" }, retry: { attempts: 4 } },
          base
        )
        const state = (id: string) =>
          Effect.map(Time.now, (now) => {
            const slot = Context.get(tower.state, DeploymentRegistry).slot(id)
            return slot === undefined ? "none" : Context.get(tower.state, CooldownState).inspect(slot, now).circuit
          })
        const call = stream
          ? Stream.runDrain(LlmService.stream(tower.service, request(true)))
          : Effect.asVoid(LlmService.complete(tower.service, request()))
        const error = yield* Effect.flip(call).pipe(Effect.provide(Logger.remove(Logger.defaultLogger)))
        assert.strictEqual(error.code, "defect", what)
        assert.deepStrictEqual([yield* state("a"), yield* state("b")], ["open", "closed"], what)
        assert.deepStrictEqual(
          error.attempts?.map(({ deployment }) => deployment),
          ["a", "b"],
          what
        )
      }
    })
  )

  it.scoped("tells its cause without the prompt that it quotes", () =>
    Effect.gen(function* () {
      const words = 'my "secret" words'
      const asking = LlmRequest.chat({ model: "g", messages: [{ role: "user", content: words }] })
      const quotes: ReadonlyArray<() => unknown> = [
        () => new Error(`bug 4711 in ${words}`),
        () => new Error(`bug 4711 in ${JSON.stringify(asking.body)}`),
        () => `bug 4711 in ${words}`,
        () => new Error("bug 4711", { cause: new Error(`from ${words}`) }),
        () => new TypeError(`bug 4711: Unexpected token 'm', "my "secret"..." is not valid JSON`)
      ]
      for (const quote of quotes) {
        for (const base of [
          Service.attempt(() => {
            throw quote()
          }),
          Service.attempt(() => Effect.die(quote())),
          BaseService.make({ complete: () => Effect.die(quote()), stream: () => Stream.die(quote()) })
        ]) {
          for (const stream of [false, true]) {
            const { service } = yield* Router.make({ deployments }, base)
            const logged: Array<string> = []
            const logger = Logger.make(({ annotations, cause, message }) =>
              logged.push(`${message} ${Cause.pretty(cause, { renderErrorCause: true })} ${[...annotations]}`)
            )
            const call = stream
              ? Stream.runDrain(LlmService.stream(service, { ...asking, stream }))
              : Effect.asVoid(LlmService.complete(service, asking))
            const error = yield* Effect.flip(call).pipe(Effect.provide(Logger.replace(Logger.defaultLogger, logger)))
            assert.match(logged.join(), /bug 4711[\s\S]*deployment,a/)
            assert.notInclude(logged.join() + error.message, "secret")
          }
        }
      }
    })
  )

  it.scoped("of an error that no type allows is one that died, and the cause is logged", () =>
    Effect.gen(function* () {
      for (const error of ["bug 4711", new Error("bug 4711"), { bug: "bug 4711" }, undefined, null]) {
        for (const stream of [false, true]) {
          const fails = (asked: Array<string>) => () => {
            asked.push("asked")
            return Effect.fail(error) as Effect.Effect<never, never>
          }
          const bases = [
            (asked: Array<string>) => Service.attempt(fails(asked)),
            (asked: Array<string>) =>
              BaseService.make({ complete: fails(asked), stream: () => Stream.fromEffect(fails(asked)()) })
          ]
          for (const base of bases) {
            const end = yield* run(base, stream)
            assert.deepInclude(end.error, { reason: "Unavailable", code: "defect" })
            assert.isAtLeast(end.asked.length, 2)
            if (error) assert.include(end.logged.join(), "bug 4711")
          }
        }
      }
    })
  )
})

describe("A layer that dies where no fiber runs it", () => {
  /** Says that it knows nobody, by a bug. */
  const ignorant: Service.RequestLayer = (next) =>
    Service.request(next.call, () => {
      throw new Error("bug 4711")
    })
  class Ignorant extends Concern.request({ name: "ignorant", make: () => ignorant }) {}
  const stack = Router.standard.insertAfter("hedge", Ignorant)

  for (const [what, options] of [
    ["a hedge", { hedge: { delay: 100 }, retry: false as const }],
    ["a slow call", { patience: { slow: 100, slowPerThousand: 0 } }]
  ] as const) {
    for (const answers of [true, false]) {
      it.effect(`leaves ${what} alone that ${answers ? "answers" : "fails"}, and the bug is logged`, () =>
        simulate(
          Effect.scoped(
            Effect.gen(function* () {
              for (const stream of what === "a hedge" ? [false, true] : [false]) {
                const logged: Array<string> = []
                const logger = Logger.make(({ cause, message }) => logged.push(`${message} ${cause}`))
                const reply: StubLlm.Reply = answers
                  ? { delay: 1_000 }
                  : { delay: 1_000, fail: { reason: "InvalidRequest", description: "scripted" } }
                const base = StubLlm.make(reply).attempts
                const { service } = yield* Router.make({ deployments, stack, ...options }, base)
                const call: Effect.Effect<unknown, LlmError> = stream
                  ? Stream.runDrain(LlmService.stream(service, request(true)))
                  : LlmService.complete(service, request())
                const end = yield* Effect.either(call).pipe(
                  Effect.provide(Logger.replace(Logger.defaultLogger, logger))
                )
                assert.strictEqual(end._tag === "Left" ? end.left.reason : "ok", answers ? "ok" : "InvalidRequest")
                assert.include(logged.join(), "bug 4711")
              }
            })
          )
        )
      )
    }
  }

  it.effect("leaves a hedge whose attempt fails, and the bug is logged", () =>
    simulate(
      Effect.scoped(
        Effect.gen(function* () {
          const logged: Array<string> = []
          const logger = Logger.make(({ cause, message }) => logged.push(`${message} ${cause}`))
          const base = StubLlm.make({ fail: { reason: "Unavailable", description: "scripted" } }).attempts
          const options = { deployments, stack, hedge: { delay: "1 minute" }, retry: false } as const
          const { service } = yield* Router.make(options, base)
          const error = yield* Effect.flip(service.call(LlmRequest.begin(request(true), 0))).pipe(
            Effect.provide(Logger.replace(Logger.defaultLogger, logger))
          )
          assert.strictEqual(error.reason, "Unavailable")
          assert.include(logged.join(), "bug 4711")
        })
      )
    )
  )
})

describe("A cache's store that dies", () => {
  const dies = Effect.die(new Error("bug 4711"))
  const throws = (): never => {
    throw new Error("bug 4711")
  }
  const nothing = Effect.succeed(undefined)
  const stores: Readonly<Record<string, Context.Tag.Service<CacheStore>>> = {
    "when it is asked": { get: () => dies, set: () => Effect.void },
    "where it is asked": { get: throws, set: () => Effect.void },
    "when it is told": { get: () => nothing, set: () => dies },
    "where it is told": { get: () => nothing, set: throws }
  }
  for (const [when, store] of Object.entries(stores)) {
    it.scoped(`${when} costs no answer, and the bug is logged`, () =>
      Effect.gen(function* () {
        const logged: Array<string> = []
        const logger = Logger.make(({ cause, message }) => logged.push(`${message} ${cause}`))
        const make = Router.make({ deployments, cache: {} }, StubLlm.make().attempts)
        const { service } = yield* Effect.provideService(make, CacheStore, store)
        for (const stream of [false, true]) {
          const call: Effect.Effect<unknown, LlmError> = stream
            ? Stream.runDrain(LlmService.stream(service, request(true)))
            : LlmService.complete(service, request())
          yield* Effect.provide(call, Logger.replace(Logger.defaultLogger, logger))
        }
        yield* Effect.yieldNow()
        assert.include(logged.join(), "bug 4711")
      })
    )
  }
})
