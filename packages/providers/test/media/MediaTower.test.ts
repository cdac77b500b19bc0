/**
 * What is asked beside conversations, through the default tower over real HTTP.
 */
import { assert, describe, it } from "@effect/vitest"
import type { DeploymentConfig } from "@switchyard/core/Deployment"
import type { JsonObject } from "@switchyard/core/Json"
import type { LlmError } from "@switchyard/core/LlmError"
import * as LlmRequest from "@switchyard/core/LlmRequest"
import { LlmService } from "@switchyard/core/LlmService"
import { fileOf } from "@switchyard/core/Upload"
import * as Providers from "@switchyard/providers/Providers"
import * as UndiciTransport from "@switchyard/providers/UndiciTransport"
import * as Router from "@switchyard/router/Router"
import * as FakeProvider from "@switchyard/testing/FakeProvider"
import { Effect, Fiber, Layer } from "effect"

const upstreams = Effect.all([FakeProvider.make({ name: "one" }), FakeProvider.make({ name: "two" })])

const sound = FakeProvider.soundOf(64_000)
const wave = fileOf("file", sound, { filename: "a.wav", contentType: "audio/wav" })
const picture = fileOf("image", sound.subarray(0, 500), { filename: "a.png", contentType: "image/png" })

const asked = (operation: LlmRequest.MediaOperation, body: JsonObject, options: LlmRequest.DialectOptions = {}) =>
  LlmRequest.mediaOf(operation, { model: "m", ...body }, options)

const heard = (body: JsonObject = {}) => asked("transcription", body, { upload: { parts: [wave] } })
const speech = (body: JsonObject = {}) => asked("speech", { input: "Hello there", voice: "alloy", ...body })
const ranking = asked("rerank", { query: "tea", documents: ["coffee", "tea"] })
const pictures = (body: JsonObject = {}, options: LlmRequest.DialectOptions = {}) =>
  asked("image", { prompt: "a cat", ...body }, options)

const tower = (
  providers: ReadonlyArray<FakeProvider.FakeProvider>,
  config: Partial<DeploymentConfig> = {},
  options: Partial<Router.Options> = {}
) =>
  Router.layer({
    deployments: providers.map(({ name, url }, priority) => ({
      id: name,
      group: "m",
      model: `${name}-model`,
      baseUrl: url,
      apiKey: "sk-test",
      priority,
      ...config
    })),
    strategy: "ordered",
    ...options
  }).pipe(Layer.provide(Providers.layer), Layer.provide(UndiciTransport.layer))

/** Sends a request, and reads all of what comes: bytes, or a number of events. */
const answered = (request: LlmRequest.LlmRequest) =>
  Effect.scoped(
    Effect.gen(function* () {
      const response = yield* LlmService.open(request)
      const read: Array<Uint8Array> = []
      let events = 0
      while (response._tag === "Streaming") {
        const batch = yield* response.events.pull
        if (batch.length === 0) break
        events += batch.length
        for (const { bytes } of batch) if (bytes !== undefined) read.push(bytes)
      }
      return { bytes: Buffer.concat(read), events, tag: response._tag, report: response.journal.report() }
    })
  )

interface Case {
  readonly name: string
  readonly request: LlmRequest.LlmRequest
  readonly config: Partial<DeploymentConfig>
  readonly cost: number
  readonly bytes?: number
}

const cases: ReadonlyArray<Case> = [
  { name: "a ranking, by searches", request: ranking, config: { perSearch: 0.002 }, cost: 0.002 },
  {
    name: "a moderation, free",
    request: asked("moderation", { input: "x" }),
    config: { inputPrice: 0, outputPrice: 0 },
    cost: 0
  },
  { name: "images", request: pictures({ n: 2 }), config: { perImage: 0.04 }, cost: 0.08 },
  {
    name: "images, by quality and size",
    request: pictures({ quality: "hd", size: "1024x1024" }),
    config: { perImage: 0.04, imagePrices: { hd: 0.06, "hd 1024x1024": 0.08 } },
    cost: 0.08
  },
  {
    name: "images, by tokens",
    request: pictures(),
    config: { model: "gpt-image-1", inputPrice: 5, outputPrice: 40, perImage: 1 },
    cost: (50 * 5 + 272 * 40) / 1e6
  },
  {
    name: "an edited image",
    request: asked("imageEdit", { prompt: "a hat" }, { upload: { parts: [picture] } }),
    config: { perImage: 0.02 },
    cost: 0.02
  },
  {
    name: "variations",
    request: asked("imageVariation", { n: "3" }, { upload: { parts: [picture] } }),
    config: { perImage: 0.02 },
    cost: 0.06
  },
  { name: "speech, by characters", request: speech(), config: { perCharacter: 15e-6 }, cost: 11 * 15e-6, bytes: 4000 },
  {
    name: "speech in events, by tokens",
    request: speech({ stream_format: "sse" }),
    config: { inputPrice: 1, outputPrice: 10 },
    cost: (9 + 900) / 1e6
  },
  { name: "a transcript, by seconds", request: heard(), config: { perSecond: 0.0001 }, cost: 0.0002 },
  {
    name: "a transcript as text, by seconds that its file tells",
    request: heard({ response_format: "text" }),
    config: { perSecond: 0.0001 },
    cost: 0.0002,
    bytes: 13
  },
  {
    name: "a transcript in events, by tokens",
    request: heard({ stream: "true" }),
    config: { model: "gpt-4o-transcribe", inputPrice: 2.5, outputPrice: 10 },
    cost: (30 * 2.5 + 10 * 10) / 1e6
  },
  {
    name: "a translation",
    request: asked("translation", {}, { upload: { parts: [wave] } }),
    config: { perSecond: 0.0001 },
    cost: 0.0002
  }
]

describe("what is asked beside conversations, through the tower", () => {
  it.scopedLive.each(cases)("$name: another deployment answers for one that fails, and the cost is known", (one) =>
    Effect.gen(function* () {
      const [first, second] = yield* upstreams
      yield* first.behave({ status: 500 })
      const program = Effect.gen(function* () {
        const { bytes, report } = yield* answered(one.request)
        assert.strictEqual(report.deployment, "two")
        assert.closeTo(report.cost ?? Number.NaN, one.cost, 1e-12)
        if (one.bytes !== undefined) assert.strictEqual(bytes.length, one.bytes)
        const [a, b] = [first.journal()[0], second.journal()[0]]
        assert.deepStrictEqual([a?.path, a?.status, b?.status], [b?.path, 500, 200])
        // A file is read again, and is the same.
        const hashOf = (entry: typeof a) => ((entry?.body ?? {}) as Partial<FakeProvider.FakeForm>).files?.[0]?.sha256
        assert.strictEqual(hashOf(a), hashOf(b))
      })
      yield* Effect.provide(program, tower([first, second], { operations: [one.request.operation], ...one.config }))
    })
  )

  it.scopedLive(
    "before its first byte sound begins anew elsewhere, after it the caller is told that it is cut off",
    () =>
      Effect.gen(function* () {
        const [first, second] = yield* upstreams
        const program = Effect.gen(function* () {
          yield* first.next({ cutAfterHeaders: true })
          const { bytes, report } = yield* answered(speech())
          assert.strictEqual(report.deployment, "two")
          assert.isTrue(bytes.equals(FakeProvider.soundOf(4000)))
          yield* second.reset
          yield* first.next({ cutAfterChunks: 2, chunkGapMs: 20 })
          const error: LlmError = yield* Effect.flip(answered(speech()))
          assert.strictEqual(error.reason, "StreamInterrupted")
          assert.strictEqual(second.stats().requests, 0)
        })
        yield* Effect.provide(program, tower([first, second], {}, { cooldown: false }))
      })
  )

  it.scopedLive("who does not serve an operation is not asked for it, and a group that has nobody else says so", () =>
    Effect.gen(function* () {
      const [first, second] = yield* upstreams
      const deployments = (one: Partial<DeploymentConfig>, two: Partial<DeploymentConfig>) => [
        { id: "one", group: "m", model: "a", baseUrl: first.url, apiKey: "k", priority: 0, ...one },
        { id: "two", group: "m", model: "b", baseUrl: second.url, apiKey: "k", priority: 1, ...two }
      ]
      const asks = (
        request: LlmRequest.LlmRequest,
        one: Partial<DeploymentConfig>,
        two: Partial<DeploymentConfig> = {}
      ) => Effect.provide(Effect.either(answered(request)), tower([], {}, { deployments: deployments(one, two) }))
      for (const one of [
        { protocol: "anthropic" },
        { operations: ["chat"] },
        { provider: "openai", baseUrl: undefined, model: "gpt-4o" }
      ] as ReadonlyArray<Partial<DeploymentConfig>>) {
        const answer = yield* asks(speech(), one)
        assert.strictEqual(answer._tag === "Right" ? answer.right.report.deployment : answer.left.message, "two")
      }
      const none = yield* asks(ranking, { protocol: "gemini" }, { protocol: "azure" })
      const error = none._tag === "Left" ? none.left : undefined
      assert.deepStrictEqual(
        [error?.reason, error?.httpStatus, error?.httpCode, error?.description],
        ["NoDeployment", 400, "unsupported_operation", "no deployment of m serves rerank"]
      )
      assert.strictEqual(first.stats().requests, 0)
    })
  )

  it.scopedLive("rankings and moderations are kept, what may be another one each time is not", () =>
    Effect.gen(function* () {
      const [first] = yield* upstreams
      const program = Effect.gen(function* () {
        for (const request of [ranking, asked("moderation", { input: "x" }), speech(), heard(), pictures()]) {
          const before = first.stats().requests
          yield* answered(request)
          yield* answered(request)
          const isKept = request === ranking || request.operation === "moderation"
          assert.strictEqual(first.stats().requests - before, isKept ? 1 : 2, request.operation)
        }
      })
      yield* Effect.provide(program, tower([first], {}, { cache: {} }))
    })
  )

  it.scopedLive("money is set aside for units before, and settled after", () =>
    Effect.gen(function* () {
      const [first] = yield* upstreams
      const by = { caller: "ann" }
      const program = Effect.gen(function* () {
        const gate = FakeProvider.gate()
        yield* first.next({ gate })
        const running = yield* Effect.fork(answered(pictures({ n: 3 }, by)))
        yield* first.awaitEntry(({ seq }) => seq === 1)
        const held = yield* Effect.flip(answered(pictures({}, by)))
        assert.deepStrictEqual([held.reason, held.code], ["Rejected", "caller_budget"])
        gate.open()
        assert.closeTo((yield* Fiber.join(running)).report.cost ?? Number.NaN, 0.12, 1e-12)
        const spent = yield* Effect.flip(answered(pictures({}, by)))
        assert.deepStrictEqual([spent.reason, spent.code], ["BudgetExceeded", "caller_budget"])
        assert.strictEqual(first.stats().requests, 1)
      })
      const callerBudget = { everyCaller: { limit: 0.1, window: "1 day" as const } }
      yield* Effect.provide(program, tower([first], { perImage: 0.04 }, { callerBudget }))
    })
  )

  it.scopedLive("limits count these requests", () =>
    Effect.gen(function* () {
      const [first] = yield* upstreams
      const program = Effect.gen(function* () {
        yield* answered(heard())
        const error = yield* Effect.flip(answered(ranking))
        assert.deepStrictEqual([error.reason, error.httpStatus], ["NoDeployment", 429])
      })
      yield* Effect.provide(program, tower([first], { rpm: 1 }))
    })
  )
})
