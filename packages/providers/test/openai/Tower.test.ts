/**
 * The default tower over real HTTP: the provider's journal is the witness of what reached it.
 */
import { assert, describe, it } from "@effect/vitest"
import * as ChatChunk from "@switchyard/core/ChatChunk"
import type { DeploymentId } from "@switchyard/core/Deployment"
import * as LlmRequest from "@switchyard/core/LlmRequest"
import { LlmService } from "@switchyard/core/LlmService"
import * as Providers from "@switchyard/providers/Providers"
import * as UndiciTransport from "@switchyard/providers/UndiciTransport"
import { DeploymentRegistry } from "@switchyard/router/DeploymentRegistry"
import { DeploymentStats } from "@switchyard/router/DeploymentStats"
import * as Router from "@switchyard/router/Router"
import * as FakeProvider from "@switchyard/testing/FakeProvider"
import { Chunk, Context, Deferred, Effect, Fiber, Layer, Stream } from "effect"

const upstreams = Effect.all([FakeProvider.make({ name: "one" }), FakeProvider.make({ name: "two" })])

const deployments = (providers: ReadonlyArray<FakeProvider.FakeProvider>) =>
  providers.map(({ name, url }) => ({ id: name, group: "m", model: `${name}-model`, baseUrl: url, apiKey: "sk-test" }))

/** The default tower; `ordered`, so that the first deployment is asked first. */
const tower = (providers: ReadonlyArray<FakeProvider.FakeProvider>, options: Partial<Router.Options> = {}) =>
  Router.layer({ deployments: deployments(providers), strategy: "ordered", ...options }).pipe(
    Layer.provide(Providers.layer),
    Layer.provide(UndiciTransport.layer)
  )

const inOrder = (providers: ReadonlyArray<FakeProvider.FakeProvider>) => ({
  deployments: deployments(providers).map((deployment, index) => ({ ...deployment, priority: index }))
})

const chat = (content = "Hi") => LlmRequest.chat({ model: "m", messages: [{ role: "user", content }] })

const textOf = (chunks: Chunk.Chunk<ChatChunk.StreamEvent>): string =>
  Chunk.toReadonlyArray(chunks)
    .map(({ json }) => ChatChunk.text(json))
    .join("")

const requestsTo = (provider: FakeProvider.FakeProvider) => provider.journal().length

describe("the default tower over real HTTP", () => {
  it.scopedLive("a killed upstream: the request is answered by the other one, and only by it", () =>
    Effect.gen(function* () {
      const [one, two] = yield* upstreams
      yield* one.kill
      const program = Effect.gen(function* () {
        const answer = yield* LlmService.complete(chat())
        const { attempts, deployment } = answer.journal.report()
        assert.strictEqual(deployment, "two")
        assert.deepStrictEqual(
          attempts.map(({ deployment, outcome, reason }) => [deployment, outcome, reason]),
          [
            ["one", "failed", "Unavailable"],
            ["two", "completed", undefined]
          ]
        )
        assert.strictEqual(requestsTo(one), 0)
        const entry = yield* two.awaitEntry(({ end }) => end === "answered")
        assert.strictEqual(entry.path, "/v1/chat/completions")
        assert.strictEqual((entry.body as { readonly model: string }).model, "two-model")
      })
      yield* Effect.provide(program, tower([one, two], inOrder([one, two])))
    })
  )

  it.scopedLive(
    "a silent upstream: the other one is asked beside it, and its own connection is closed before the answer",
    () =>
      Effect.gen(function* () {
        const [one, two] = yield* upstreams
        for (const silence of [{ hang: true }, { stallAfterHeaders: true }]) {
          yield* one.behave(silence)
          const program = Effect.gen(function* () {
            const answer = yield* LlmService.complete(chat())
            const { attempts, deployment } = answer.journal.report()
            assert.strictEqual(deployment, "two")
            assert.deepStrictEqual(
              attempts.map(({ deployment, outcome }) => `${deployment} ${outcome}`),
              ["one abandoned", "two completed"]
            )
            yield* one.awaitEntry(({ end }) => end === "clientAborted")
          })
          const options = { ...inOrder([one, two]), patience: { slow: 20 } }
          yield* Effect.provide(program, tower([one, two], options))
        }
      })
  )

  it.scopedLive("without a free connection the other deployment is asked, and nobody is blamed", () =>
    Effect.gen(function* () {
      const [one, two] = yield* upstreams
      yield* one.behave({ hang: true })
      const few = (options: Partial<Router.Options>) =>
        Router.layer({ deployments: deployments([one, two]), strategy: "ordered", ...options }).pipe(
          Layer.provide(Providers.layer),
          Layer.provide(UndiciTransport.layerWith({ connections: 1 }))
        )
      for (const stream of [false, true]) {
        const request = LlmRequest.chat({ model: "m", messages: [{ role: "user", content: "Hi" }], stream })
        const program = Effect.gen(function* () {
          const seen = one.journal().length
          const holding = yield* Effect.fork(LlmService.complete(chat()))
          yield* one.awaitEntry(({ seq }) => seq === seen + 1)
          const before = requestsTo(two)
          if (stream) yield* Stream.runDrain(LlmService.stream(request))
          else yield* LlmService.complete(request)
          assert.strictEqual(requestsTo(two), before + 1)
          const slot = Context.get((yield* Router.Tower).state, DeploymentRegistry).slot("one" as DeploymentId)
          const stats =
            slot === undefined ? undefined : Context.get((yield* Router.Tower).state, DeploymentStats).of(slot)
          assert.strictEqual(stats?.failures, 0)
          assert.strictEqual(requestsTo(one), seen + 1)
          yield* Fiber.interrupt(holding)
        })
        yield* Effect.provide(program, few({ ...inOrder([one, two]), timeouts: { connect: 400 } }))
      }
    })
  )

  it.scopedLive("without a free connection and with nowhere to go the caller is told so", () =>
    Effect.gen(function* () {
      const [one] = yield* upstreams
      yield* one.behave({ hang: true })
      const program = Effect.gen(function* () {
        const holding = yield* Effect.fork(LlmService.complete(chat()))
        yield* one.awaitEntry(({ seq }) => seq === 1)
        const short = LlmRequest.chat(
          { model: "m", messages: [{ role: "user", content: "Hi" }] },
          { overrides: { timeout: 50 } }
        )
        const error = yield* Effect.flip(LlmService.complete(short))
        assert.strictEqual(
          `${error.reason} ${error.code} ${error.httpStatus} ${error.breaker}`,
          "Rejected no_connection 429 neutral"
        )
        yield* Fiber.interrupt(holding)
      })
      const lone = Router.layer({ deployments: deployments([one]) }).pipe(
        Layer.provide(Providers.layer),
        Layer.provide(UndiciTransport.layerWith({ connections: 1 }))
      )
      yield* Effect.provide(program, lone)
    })
  )

  it.scopedLive("an upstream killed in mid-flight: a call that it had taken is answered by the other one", () =>
    Effect.gen(function* () {
      const [one, two] = yield* upstreams
      yield* one.behave({ hang: true })
      const program = Effect.gen(function* () {
        const fiber = yield* Effect.fork(LlmService.complete(chat()))
        yield* one.awaitEntry(({ end }) => end === undefined)
        yield* one.kill
        const answer = yield* Fiber.join(fiber)
        assert.strictEqual(answer.journal.report().deployment, "two")
        assert.strictEqual(requestsTo(one), 1)
      })
      yield* Effect.provide(program, tower([one, two], inOrder([one, two])))
    })
  )

  it.scopedLive("a stream that is cut before its first content is answered whole by the other one", () =>
    Effect.gen(function* () {
      const [one, two] = yield* upstreams
      yield* one.behave({ cutAfterChunks: 0 })
      yield* two.behave({ reply: "The whole answer of the second one", chunks: 6 })
      const program = Effect.gen(function* () {
        const chunks = yield* Stream.runCollect(LlmService.stream(chat()))
        assert.strictEqual(textOf(chunks), "The whole answer of the second one")
        const cut = yield* one.awaitEntry(({ end }) => end === "cut")
        assert.strictEqual(cut.chunksSent, 0)
        assert.strictEqual(requestsTo(two), 1)
      })
      yield* Effect.provide(program, tower([one, two], inOrder([one, two])))
    })
  )

  it.scopedLive("a stream that is cut after content is spliced with the same text of the other one", () =>
    Effect.gen(function* () {
      const [one, two] = yield* upstreams
      const reply = "Both upstreams say exactly this, word for word"
      yield* one.behave({ reply, chunks: 8, cutAfterChunks: 3 })
      yield* two.behave({ reply, chunks: 5 })
      const program = Effect.gen(function* () {
        const chunks = yield* Stream.runCollect(LlmService.stream(chat()))
        assert.strictEqual(textOf(chunks), reply)
        assert.strictEqual(requestsTo(one), 1)
        assert.strictEqual(requestsTo(two), 1)
      })
      yield* Effect.provide(program, tower([one, two], inOrder([one, two])))
    })
  )

  it.scopedLive("an interrupted caller: the upstream request is aborted, nobody else is asked, nothing is held", () =>
    Effect.gen(function* () {
      const [one, two] = yield* upstreams
      yield* one.behave({ hang: true })
      const program = Effect.gen(function* () {
        const fiber = yield* Effect.fork(LlmService.complete(chat()))
        yield* one.awaitEntry(({ end }) => end === undefined)
        yield* Fiber.interrupt(fiber)
        yield* one.awaitEntry(({ end }) => end === "clientAborted")
        assert.strictEqual(requestsTo(two), 0)
        const slot = Context.get((yield* Router.Tower).state, DeploymentRegistry).slot("one")
        if (slot === undefined) return assert.fail("no slot")
        const figures = Context.get((yield* Router.Tower).state, DeploymentStats).of(slot)
        assert.deepStrictEqual([figures.inFlight, figures.abandoned, figures.failures], [0, 1, 0])
      })
      yield* Effect.provide(program, tower([one, two], inOrder([one, two])))
    })
  )

  it.scopedLive("a caller that leaves in mid-stream aborts the upstream", () =>
    Effect.gen(function* () {
      const [one] = yield* upstreams
      yield* one.behave({ chunks: 1000, stallAfterChunks: 3 })
      const program = Effect.gen(function* () {
        const seen = yield* Deferred.make<void>()
        const fiber = yield* LlmService.stream(chat()).pipe(
          Stream.runForEach(({ json }) =>
            ChatChunk.text(json) === "" ? Effect.void : Effect.asVoid(Deferred.succeed(seen, undefined))
          ),
          Effect.fork
        )
        yield* Deferred.await(seen)
        yield* Fiber.interrupt(fiber)
        const entry = yield* one.awaitEntry(({ end }) => end === "clientAborted")
        assert.isBelow(entry.chunksSent, 1000)
      })
      yield* Effect.provide(program, tower([one]))
    })
  )

  it.scopedLive(
    "an outage: at most the breaker's threshold of attempts reaches the dead upstream while a fallback serves",
    () =>
      Effect.gen(function* () {
        const [one, two] = yield* upstreams
        yield* one.behave({ status: 503 })
        const options = {
          deployments: deployments([one, two]).map((deployment) => ({ ...deployment, group: deployment.id })),
          aliases: { m: "one" },
          retry: false as const,
          fallback: { chains: { general: { one: ["two"] } } }
        }
        const program = Effect.gen(function* () {
          for (let i = 0; i < 30; i++) {
            const { journal } = yield* LlmService.complete(chat())
            assert.strictEqual(journal.report().deployment, "two")
          }
          assert.strictEqual(requestsTo(one), 5)
          assert.strictEqual(requestsTo(two), 30)
        })
        yield* Effect.provide(program, tower([one, two], options))
      })
  )

  it.scopedLive("embeddings and legacy completions take the same way", () =>
    Effect.gen(function* () {
      const [one] = yield* upstreams
      const program = Effect.gen(function* () {
        yield* LlmService.complete(LlmRequest.embeddings({ model: "m", input: ["a", "b"] }))
        yield* LlmService.complete(LlmRequest.completion({ model: "m", prompt: "Once" }))
        assert.deepStrictEqual(
          one.journal().map(({ path }) => path),
          ["/v1/embeddings", "/v1/completions"]
        )
      })
      yield* Effect.provide(program, tower([one]))
    })
  )
})
