import { assert, describe, it } from "@effect/vitest"
import * as BaseService from "@switchyard/core/BaseService"
import * as LlmRequest from "@switchyard/core/LlmRequest"
import * as LlmService from "@switchyard/core/LlmService"
import * as Service from "@switchyard/core/Service"
import * as Time from "@switchyard/core/Time"
import { CooldownState } from "@switchyard/router/CooldownState"
import { DeploymentRegistry } from "@switchyard/router/DeploymentRegistry"
import * as Router from "@switchyard/router/Router"
import { Cause, Context, Effect, Logger, Stream } from "effect"

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
})
