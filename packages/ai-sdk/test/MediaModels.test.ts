/**
 * What the AI SDK asks beside conversations, over a router in process: images, speech, transcripts, rankings. The upstream reads what it
 * gets as strictly as the providers do, and the first deployment of each group is down.
 */
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { APICallError } from "@ai-sdk/provider"
import { assert, describe, it } from "@effect/vitest"
import { createSwitchyard, type SwitchyardProvider } from "@switchyard/ai-sdk/Switchyard"
import * as FakeProvider from "@switchyard/testing/FakeProvider"
import { experimental_generateSpeech, experimental_transcribe, generateImage, rerank } from "ai"
import { Effect, Exit, Scope } from "effect"
import { afterAll, beforeAll, beforeEach } from "vitest"

// What nobody can be told is looked at, and not printed.
Object.assign(globalThis, { AI_SDK_LOG_WARNINGS: false })

let scope: Scope.CloseableScope
let down: FakeProvider.FakeProvider
let up: FakeProvider.FakeProvider
let switchyard: SwitchyardProvider

const models = { painted: "gpt-image-1", spoken: "gpt-4o-mini-tts", heard: "whisper-1", ranked: "rerank-v3.5" }
const image = Buffer.from("image bytes")

beforeAll(async () => {
  scope = Effect.runSync(Scope.make())
  const make = Effect.gen(function* () {
    down = yield* FakeProvider.make({ name: "down" })
    up = yield* FakeProvider.make({ name: "up" })
    const linking = yield* Effect.acquireRelease(
      Effect.promise(
        () =>
          new Promise<ReturnType<typeof createServer>>((resolve) => {
            const server = createServer((request, response) => {
              if (request.url === "/a.png") return response.end(image)
              const { port } = server.address() as AddressInfo
              const url = `http://127.0.0.1:${port}/${request.url === "/v1/images/generations" ? "a.png" : "nothing"}`
              response.writeHead(200, { "content-type": "application/json" })
              return response.end(JSON.stringify({ created: 1, data: [{ url, revised_prompt: "a big cat" }] }))
            })
            server.listen(0, "127.0.0.1", () => resolve(server))
          })
      ),
      (server) => Effect.sync(() => server.close())
    )
    const { port } = linking.address() as AddressInfo
    switchyard = yield* Effect.acquireRelease(
      Effect.sync(() =>
        createSwitchyard({
          deployments: [
            ...Object.entries(models).flatMap(([group, model]) =>
              [down, up].map((at, order) => ({
                id: `${group}-${at.name}`,
                group,
                model,
                order,
                baseUrl: at.url,
                apiKey: "sk"
              }))
            ),
            { id: "linked", group: "linked", model: "dall-e-3", baseUrl: `http://127.0.0.1:${port}/v1`, perImage: 0.04 }
          ],
          retry: { attempts: 2, baseDelay: "1 millis" },
          cooldown: false
        })
      ),
      (provider) => Effect.promise(provider.close)
    )
  })
  await Effect.runPromise(Scope.extend(make, scope))
})

afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))

beforeEach(() =>
  Effect.runPromise(Effect.all([up.reset, down.reset, down.behave({ status: 503, error: "busy" })], { discard: true }))
)

const failure = async (run: () => PromiseLike<unknown>): Promise<APICallError> => {
  try {
    await run()
  } catch (error) {
    if (APICallError.isInstance(error)) return error
    throw error
  }
  return assert.fail("it did not reject")
}

const lastBody = (): unknown => up.journal().at(-1)?.body

describe("an image model", () => {
  it("makes images, over the second deployment where the first is down", async () => {
    const { images, providerMetadata, usage, warnings } = await generateImage({
      model: switchyard.imageModel("painted"),
      prompt: "a cat",
      n: 2,
      size: "1024x1024",
      seed: 7,
      providerOptions: { openai: { outputFormat: "png", quality: "low" } }
    })
    assert.strictEqual(images.length, 2)
    assert.isAbove(images[0]?.uint8Array.length ?? 0, 10)
    assert.deepInclude(lastBody(), { prompt: "a cat", n: 2, size: "1024x1024", output_format: "png", quality: "low" })
    assert.deepInclude(providerMetadata.switchyard?.images[0], { deployment: "painted-up" })
    assert.isAbove(usage.totalTokens ?? 0, 0)
    assert.deepStrictEqual(
      warnings.map((warning) => ("feature" in warning ? warning.feature : "")),
      ["seed"]
    )
    assert.strictEqual(down.stats().requests, 1)
  })

  it("changes images, and fetches those that come by their address", async () => {
    await generateImage({
      model: switchyard.imageModel("painted"),
      prompt: { text: "a hat", images: [image, image], mask: image }
    })
    const { fields, files } = lastBody() as FakeProvider.FakeForm
    assert.deepStrictEqual(fields.prompt, ["a hat"])
    assert.deepStrictEqual(
      files.map(({ name, size }) => [name, size]),
      [
        ["image[]", image.length],
        ["image[]", image.length],
        ["mask", image.length]
      ]
    )
    const linked = await generateImage({ model: switchyard.imageModel("linked"), prompt: "a cat" })
    assert.deepStrictEqual(Buffer.from(linked.image.uint8Array), image)
    assert.deepInclude(linked.providerMetadata.switchyard?.images[0], { cost: 0.04, revisedPrompt: "a big cat" })
  })
})

describe("a speech model", () => {
  it("speaks", async () => {
    const { audio } = await experimental_generateSpeech({
      model: switchyard.speechModel("spoken"),
      text: "Hello",
      outputFormat: "wav",
      providerOptions: { openai: { instructions: "slowly" } }
    })
    assert.strictEqual(audio.uint8Array.length, 4000)
    const body = { input: "Hello", voice: "alloy", response_format: "wav", instructions: "slowly" }
    assert.deepInclude(lastBody(), body)
  })

  it("fails as calls of a language model do", async () => {
    const model = switchyard.speechModel("spoken")
    const error = await failure(() =>
      experimental_generateSpeech({ model, text: "Hello", voice: "nobody", maxRetries: 0 })
    )
    assert.deepStrictEqual([error.statusCode, error.isRetryable], [400, false])
    const unknown = switchyard.speechModel("nobody")
    assert.strictEqual((await failure(() => unknown.doGenerate({ text: "Hello" }))).statusCode, 404)
  })

  it("ends with its signal", async () => {
    await Effect.runPromise(up.behave({ stallAfterChunks: 1 }))
    const leaving = new AbortController()
    const left = switchyard.speechModel("spoken").doGenerate({ text: "Hello", abortSignal: leaving.signal })
    await Effect.runPromise(up.awaitEntry(({ path }) => path === "/v1/audio/speech"))
    leaving.abort(new Error("left"))
    const why = await Promise.resolve(left).then(
      () => "whole",
      (error: unknown) => (error as Error).message
    )
    assert.strictEqual(why, "left")
  })
})

describe("a transcription model", () => {
  const audio = FakeProvider.soundOf(64_000)

  it("hears, with times where they are asked for", async () => {
    const model = switchyard.transcriptionModel("heard")
    const plain = await experimental_transcribe({ model, audio })
    assert.deepStrictEqual([plain.text, plain.segments.length, plain.durationInSeconds], ["Heard by up", 0, 2])
    const detailed = await experimental_transcribe({
      model,
      audio,
      providerOptions: { openai: { timestampGranularities: ["segment"], language: "en" } }
    })
    assert.deepStrictEqual(detailed.segments, [{ text: "Heard by up", startSecond: 0, endSecond: 2 }])
    assert.strictEqual(detailed.language, "english")
    const { fields, files } = lastBody() as FakeProvider.FakeForm
    assert.deepStrictEqual(fields["timestamp_granularities[]"] ?? fields.timestamp_granularities, ["segment"])
    assert.strictEqual(files[0]?.size, audio.length)
  })
})

describe("a reranking model", () => {
  it("ranks texts and objects", async () => {
    const model = switchyard.rerankingModel("ranked")
    const documents = ["coffee", "green tea"]
    const { rerankedDocuments, ranking } = await rerank({ model, query: "green tea", documents, topN: 1 })
    assert.deepStrictEqual(rerankedDocuments, ["green tea"])
    assert.deepInclude(ranking[0], { originalIndex: 1, score: 1 })
    const objects = await rerank({ model, query: "tea", documents: [{ name: "coffee" }, { name: "tea" }] })
    assert.deepStrictEqual(objects.rerankedDocuments[0], { name: "tea" })
  })
})
