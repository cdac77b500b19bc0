import { assert, describe, it } from "@effect/vitest"
import type { DeploymentConfig } from "@switchyard/core/Deployment"
import type { JsonObject } from "@switchyard/core/Json"
import { LlmError } from "@switchyard/core/LlmError"
import * as LlmRequest from "@switchyard/core/LlmRequest"
import type { LlmResponse } from "@switchyard/core/LlmResponse"
import type { Upload } from "@switchyard/core/Upload"
import { fileOf } from "@switchyard/core/Upload"
import type { Usage } from "@switchyard/core/Usage"
import * as FakeProvider from "@switchyard/testing/FakeProvider"
import { Effect, Fiber } from "effect"
import * as S from "../support/support.js"

const sound = FakeProvider.soundOf(64_000)
const wave = fileOf("file", sound, { filename: 'a "loud"\r\none.wav', contentType: "audio/wav" })
const picture = fileOf("image", sound.subarray(0, 500), { filename: "a.png", contentType: "image/png" })

/** A form of fields and files, and its request. */
const form = (operation: LlmRequest.MediaOperation, body: JsonObject, upload: Upload): LlmRequest.LlmRequest =>
  LlmRequest.mediaOf(operation, { model: "group", ...body }, { upload })

const heard = (body: JsonObject = {}, operation: "transcription" | "translation" = "transcription") =>
  form(operation, body, { parts: [wave] })

const asked = (operation: LlmRequest.MediaOperation, body: JsonObject) =>
  LlmRequest.mediaOf(operation, { model: "group", ...body })

const speech = (body: JsonObject = {}) => asked("speech", { input: "Hello there", voice: "alloy", ...body })

const documents = ["a cup of coffee", "green tea from Japan", "tea"]
const ranking = (body: JsonObject = {}) => asked("rerank", { query: "green tea", documents, ...body })

const bytesOf = (response: LlmResponse): Effect.Effect<Buffer, LlmError> =>
  Effect.map(S.readAll(S.streaming(response).events), (events) =>
    Buffer.concat(events.map(({ bytes = new Uint8Array() }) => bytes))
  )

const usageOf = (response: LlmResponse): Usage | undefined => {
  if (response._tag === "Complete") return response.outcome.usage
  const { outcome } = response.events.settlement
  return outcome?.usage
}

const scene = Effect.all({ up: FakeProvider.make({ name: "up" }), service: S.serviceOver(S.undici) })

interface Whole {
  readonly name: string
  readonly request: LlmRequest.LlmRequest
  readonly config?: Partial<DeploymentConfig>
  readonly base?: string
  readonly path: string
  readonly sent: unknown
  readonly answer: (body: JsonObject) => unknown
  readonly expected: unknown
  readonly units?: Usage["units"]
}

const sha256 = "sha256"
const fileSent = (
  file: { readonly name: string; readonly contentType: string; readonly size: number },
  filename: string
) => ({
  name: file.name,
  filename,
  contentType: file.contentType,
  size: file.size
})

const withoutHash = (body: unknown): unknown =>
  JSON.parse(JSON.stringify(body, (name, value: unknown) => (name === sha256 ? undefined : value)))

const wholes: ReadonlyArray<Whole> = [
  {
    name: "a ranking of Jina's",
    request: ranking({ top_n: 2 }),
    config: { provider: "jina_ai" },
    path: "/v1/rerank",
    sent: { model: "up-model", query: "green tea", documents, top_n: 2 },
    answer: (body) => body.results,
    expected: [
      { index: 1, relevance_score: 1 },
      { index: 2, relevance_score: 0.5 }
    ],
    units: { searches: 1 }
  },
  {
    name: "a ranking of Voyage's, with documents",
    request: ranking({ top_n: 1, return_documents: true, max_tokens_per_doc: 9 }),
    config: { provider: "voyage" },
    base: "/voyage/v1",
    path: "/voyage/v1/rerank",
    sent: { model: "up-model", query: "green tea", documents, top_k: 1, return_documents: true },
    answer: (body) => body.results,
    expected: [{ index: 1, relevance_score: 1, document: { text: "green tea from Japan" } }],
    units: { searches: 1 }
  },
  {
    name: "a ranking of Cohere's, of documents that are objects",
    request: ranking({ documents: [{ text: "tea" }, { title: "green tea" }], return_documents: true, top_n: 1 }),
    config: { protocol: "cohere", provider: "cohere" },
    base: "",
    path: "/v2/rerank",
    sent: { model: "up-model", query: "green tea", documents: ["tea", '{"title":"green tea"}'], top_n: 1 },
    answer: ({ meta, results }) => [(results as ReadonlyArray<unknown>)[0], (meta as JsonObject).billed_units],
    expected: [{ index: 1, relevance_score: 1, document: { title: "green tea" } }, { search_units: 1 }],
    units: { searches: 1 }
  },
  {
    name: "a ranking of Fireworks', of texts alone",
    request: ranking({ documents: ["coffee", { text: "green tea" }], top_n: 1, max_tokens_per_doc: 9 }),
    config: { provider: "fireworks_ai" },
    base: "/inference/v1",
    path: "/inference/v1/rerank",
    sent: { model: "up-model", query: "green tea", documents: ["coffee", "green tea"], top_n: 1 },
    answer: (body) => body.results,
    expected: [{ index: 1, relevance_score: 1 }],
    units: { searches: 1 }
  },
  {
    name: "a ranking of Text Embeddings Inference, which answers a list of all of them",
    request: ranking({ top_n: 2, return_documents: true }),
    config: { provider: "tei" },
    path: "/rerank",
    sent: { truncate: true, query: "green tea", texts: documents },
    answer: (body) => body.results,
    expected: [
      { index: 1, relevance_score: 1, document: { text: "green tea from Japan" } },
      { index: 2, relevance_score: 0.5, document: { text: "tea" } }
    ],
    units: { searches: 1 }
  },
  {
    name: "a ranking of a NIM, whose odds become shares",
    request: ranking({ top_n: 1 }),
    config: { provider: "nvidia_nim" },
    path: "/v1/ranking",
    sent: {
      truncate: "END",
      model: "up-model",
      query: { text: "green tea" },
      passages: documents.map((text) => ({ text }))
    },
    answer: (body) => (body.results as ReadonlyArray<JsonObject>).map(({ index }) => index),
    expected: [1],
    units: { searches: 1 }
  },
  {
    name: "a ranking of Bedrock's",
    request: ranking({ documents: ["coffee", { text: "green tea" }, { title: "tea" }], top_n: 9 }),
    config: { provider: "bedrock", protocol: "bedrock", location: "eu-central-1", model: "cohere.rerank-v3-5:0" },
    base: "/bedrock",
    path: "/bedrock/rerank",
    sent: {
      queries: [{ type: "TEXT", textQuery: { text: "green tea" } }],
      sources: [
        { type: "INLINE", inlineDocumentSource: { type: "TEXT", textDocument: { text: "coffee" } } },
        { type: "INLINE", inlineDocumentSource: { type: "TEXT", textDocument: { text: "green tea" } } },
        { type: "INLINE", inlineDocumentSource: { type: "JSON", jsonDocument: { title: "tea" } } }
      ],
      rerankingConfiguration: {
        type: "BEDROCK_RERANKING_MODEL",
        bedrockRerankingConfiguration: {
          numberOfResults: 3,
          modelConfiguration: {
            modelArn: "arn:aws:bedrock:eu-central-1::foundation-model/cohere.rerank-v3-5:0"
          }
        }
      }
    },
    answer: (body) => (body.results as ReadonlyArray<JsonObject>)[0]?.index,
    expected: 1,
    units: { searches: 1 }
  },
  {
    name: "a moderation",
    request: asked("moderation", { input: ["I love you", "I kill you"] }),
    path: "/v1/moderations",
    sent: { model: "up-model", input: ["I love you", "I kill you"] },
    answer: (body) => (body.results as ReadonlyArray<JsonObject>).map(({ flagged }) => flagged),
    expected: [false, true],
    units: {}
  },
  {
    name: "images",
    request: asked("image", { prompt: "a cat", n: 2, size: "1024x1024", quality: "hd" }),
    path: "/v1/images/generations",
    sent: { model: "up-model", prompt: "a cat", n: 2, size: "1024x1024", quality: "hd" },
    answer: (body) => (body.data as ReadonlyArray<JsonObject>).map(({ url }) => url),
    expected: ["https://images.invalid/1.png", "https://images.invalid/1.png"],
    units: { images: 2, imageSize: "1024x1024", imageQuality: "hd" }
  },
  {
    name: "an edited image",
    request: form("imageEdit", { prompt: "a hat", n: "1" }, { parts: [picture, { ...picture, name: "mask" }] }),
    path: "/v1/images/edits",
    sent: {
      fields: { model: ["up-model"], prompt: ["a hat"], n: ["1"] },
      files: [fileSent(picture, "a.png"), fileSent({ ...picture, name: "mask" }, "a.png")]
    },
    answer: (body) => (body.data as ReadonlyArray<JsonObject>).length,
    expected: 1,
    units: { images: 1 }
  },
  {
    name: "variations of an image",
    request: form("imageVariation", { n: "3", size: "256x256" }, { parts: [picture] }),
    path: "/v1/images/variations",
    sent: {
      fields: { model: ["up-model"], n: ["3"], size: ["256x256"] },
      files: [fileSent(picture, "a.png")]
    },
    answer: (body) => (body.data as ReadonlyArray<JsonObject>).length,
    expected: 3,
    units: { images: 3, imageSize: "256x256" }
  },
  {
    name: "a transcription",
    request: heard({ language: "en", timestamp_granularities: ["word", "segment"], response_format: "verbose_json" }),
    config: { defaults: { temperature: 0.2, language: "de" } },
    path: "/v1/audio/transcriptions",
    sent: {
      fields: {
        temperature: ["0.2"],
        language: ["en"],
        model: ["up-model"],
        "timestamp_granularities[]": ["word", "segment"],
        response_format: ["verbose_json"]
      },
      files: [fileSent(wave, "a %22loud%22%0D%0Aone.wav")]
    },
    answer: ({ duration, text }) => [text, duration],
    expected: ["Heard by up", 2],
    units: { seconds: 2 }
  },
  {
    name: "a translation",
    request: heard({}, "translation"),
    path: "/v1/audio/translations",
    sent: { fields: { model: ["up-model"] }, files: [fileSent(wave, "a %22loud%22%0D%0Aone.wav")] },
    answer: ({ text }) => text,
    expected: "Heard by up",
    units: { seconds: 2 }
  },
  {
    name: "images at Azure",
    request: asked("image", { prompt: "a cat" }),
    config: { protocol: "azure", provider: "azure", apiVersion: "2025-04-01-preview" },
    base: "",
    path: "/openai/deployments/up-model/images/generations",
    sent: { model: "up-model", prompt: "a cat" },
    answer: (body) => (body.data as ReadonlyArray<JsonObject>).length,
    expected: 1,
    units: { images: 1 }
  }
]

describe("what is asked beside conversations: whole answers", () => {
  it.scopedLive.each(wholes)("$name", ({ answer, base = "/v1", config, expected, path, request, sent, units }) =>
    Effect.gen(function* () {
      const { service, up } = yield* scene
      const baseUrl = `http://127.0.0.1:${up.port}${base}`
      const response = S.complete(yield* S.call(service, request, { ...config, baseUrl }))
      const [entry] = up.journal()
      assert.deepStrictEqual(withoutHash(entry?.body), sent)
      assert.strictEqual(entry?.path, path)
      assert.deepStrictEqual(answer(response.body), expected)
      assert.deepStrictEqual(JSON.parse(response.raw), response.body)
      assert.deepStrictEqual(usageOf(response)?.units, units)
    })
  )

  it.scopedLive("a file goes out byte by byte, and the length of its form is said", () =>
    Effect.gen(function* () {
      const { service, up } = yield* scene
      for (const wire of [S.undici, S.httpClient]) {
        const over = wire === S.undici ? service : yield* S.serviceOver(wire)
        yield* S.call(over, heard({ prompt: "Grüße\r\n--x--" }), { baseUrl: up.url })
        const entry = up.journal().at(-1)
        const { fields, files } = (entry as FakeProvider.JournalEntry).body as FakeProvider.FakeForm
        const hash = yield* Effect.promise(() => crypto.subtle.digest("SHA-256", sound))
        assert.strictEqual(files[0]?.sha256, Buffer.from(hash).toString("hex"))
        assert.deepStrictEqual(fields.prompt, ["Grüße\r\n--x--"])
        assert.match(entry?.headers["content-type"] ?? "", /^multipart\/form-data; boundary=switchyard-[\w-]{36}$/)
        assert.isAbove(Number(entry?.headers["content-length"]), sound.length)
        assert.isUndefined(entry?.headers["transfer-encoding"])
      }
    })
  )
})

describe("what is asked beside conversations: bytes", () => {
  it.scopedLive.each([
    ["mp3", "audio/mpeg"],
    ["wav", "audio/wav"],
    ["pcm", "audio/pcm"]
  ])("speech as %s comes as the bytes that it is", ([format, type]) =>
    Effect.gen(function* () {
      const { service, up } = yield* scene
      yield* up.next({ audioBytes: 300_000, chunks: 40 })
      const response = S.streaming(yield* S.call(service, speech({ response_format: format }), { baseUrl: up.url }))
      assert.strictEqual(response.headers["content-type"], type)
      assert.deepStrictEqual(yield* bytesOf(response), FakeProvider.soundOf(300_000))
      assert.strictEqual(response.events.settlement.outcome?._tag, "Completed")
      assert.deepStrictEqual(usageOf(response)?.units, { characters: 11, seconds: 11 / 15 })
      assert.strictEqual(up.journal()[0]?.headers.accept, "*/*")
    })
  )

  it.scopedLive.each([
    ["text", "Heard by up\n"],
    ["srt", "1\n00:00:00,000 --> 00:00:02,000\nHeard by up\n\n"],
    ["vtt", "WEBVTT\n\n00:00:00.000 --> 00:00:02.000\nHeard by up\n\n"]
  ])("a transcript as %s comes as it is", ([format, text]) =>
    Effect.gen(function* () {
      const { service, up } = yield* scene
      const response = yield* S.call(service, heard({ response_format: format }), { baseUrl: up.url })
      assert.strictEqual((yield* bytesOf(response)).toString(), text)
      assert.deepStrictEqual(usageOf(response)?.units, { seconds: 2 })
    })
  )

  it.scopedLive("a reader that stops holds the provider up, and one that leaves breaks the connection off", () =>
    Effect.gen(function* () {
      const { service, up } = yield* scene
      yield* up.next({ audioBytes: 32 * 1024 * 1024, chunks: 512 })
      const { events } = S.streaming(yield* S.call(service, speech(), { baseUrl: up.url }))
      yield* events.awaitContent
      yield* up.awaitEntry(({ paused }) => paused)
      assert.isBelow(up.journal()[0]?.bytesSent ?? 0, 24 * 1024 * 1024)
      events.close()
      yield* up.awaitEntry(({ end }) => end === "clientAborted")
      assert.strictEqual(events.settlement.outcome?._tag, "Abandoned")
    })
  )

  it.scopedLive("sound that ends early is interrupted, and none at all is no answer", () =>
    Effect.gen(function* () {
      const { service, up } = yield* scene
      yield* up.next({ cutAfterChunks: 3, chunkGapMs: 5 })
      const response = yield* S.call(service, speech(), { baseUrl: up.url })
      const cut = yield* Effect.flip(bytesOf(response))
      assert.deepStrictEqual([cut.reason, cut.interruptedBy], ["StreamInterrupted", "Unavailable"])
      yield* up.next({ audioBytes: 0, chunks: 0 })
      const nothing = yield* Effect.flip(bytesOf(yield* S.call(service, speech(), { baseUrl: up.url })))
      assert.strictEqual(nothing.reason, "MalformedResponse")
    })
  )

  it.scopedLive("an empty transcript is that of silence", () =>
    Effect.gen(function* () {
      const server = yield* S.rawServer((_, response) => {
        response.writeHead(200, { "content-type": "text/plain" })
        response.end()
      })
      const { service } = yield* scene
      const response = yield* S.call(service, heard({ response_format: "text" }), { baseUrl: `${server.origin}/v1` })
      assert.strictEqual((yield* bytesOf(response)).length, 0)
      assert.strictEqual(S.streaming(response).events.settlement.outcome?._tag, "Completed")
    })
  )
})

describe("what is asked beside conversations: events", () => {
  it.scopedLive.each([
    {
      name: "a transcript",
      request: heard({ stream: "true" }),
      config: { model: "gpt-4o-transcribe" },
      types: [...Array.from({ length: 5 }, () => "transcript.text.delta"), "transcript.text.done"],
      tokens: [30, 10, 20]
    },
    {
      name: "speech",
      request: speech({ stream_format: "sse" }),
      config: {},
      types: [...Array.from({ length: 5 }, () => "speech.audio.delta"), "speech.audio.done"],
      tokens: [9, 90, undefined]
    },
    {
      name: "an image",
      request: asked("image", { prompt: "a cat", stream: true, partial_images: 2 }),
      config: { model: "gpt-image-1" },
      types: ["image_generation.partial_image", "image_generation.partial_image", "image_generation.completed"],
      tokens: [50, 272, undefined]
    }
  ])("$name", ({ config, request, tokens, types }) =>
    Effect.gen(function* () {
      const { service, up } = yield* scene
      const { events } = S.streaming(yield* S.call(service, request, { ...config, baseUrl: up.url }))
      const all = yield* S.readAll(events)
      assert.deepStrictEqual(
        all.map(({ event }) => event),
        types
      )
      const { outcome } = events.settlement
      assert.strictEqual(outcome?._tag, "Completed")
      const usage = outcome?.usage
      assert.deepStrictEqual([usage?.inputTokens, usage?.outputTokens, usage?.audioInputTokens], tokens)
      yield* up.next({ cutAfterChunks: 1, chunkGapMs: 2 })
      const cut = S.streaming(yield* S.call(service, request, { ...config, baseUrl: up.url }))
      assert.strictEqual((yield* Effect.flip(S.readAll(cut.events))).reason, "StreamInterrupted")
      yield* up.next({ errorEventAfterChunks: 0 })
      const broken = S.streaming(yield* S.call(service, request, { ...config, baseUrl: up.url }))
      assert.strictEqual((yield* Effect.flip(broken.events.awaitContent)).providerMessage, "it broke")
    })
  )
})

describe("what is asked beside conversations: errors", () => {
  it.scopedLive.each([
    ["an unknown voice", speech({ voice: "darth" }), 400, "voice"],
    ["a file that is no sound", form("transcription", {}, { parts: [{ ...wave, filename: "a.exe" }] }), 400, undefined],
    ["a picture that is none", form("imageVariation", {}, { parts: [{ ...wave, name: "image" }] }), 400, "image"]
  ] as const)("%s: the provider's own answer", ([_, request, status, param]) =>
    Effect.gen(function* () {
      const { service, up } = yield* scene
      const error = yield* Effect.flip(S.call(service, request, { baseUrl: up.url }))
      assert.deepStrictEqual([error.reason, error.status, error.param], ["InvalidRequest", status, param])
    })
  )

  it.scopedLive.each([
    ["a page in place of sound", "text/html", "<html>", speech()],
    ["JSON in place of sound", "application/json", "{}", speech()],
    ["sound in place of a ranking", "audio/mpeg", "ID3", ranking()],
    ["a page in place of a transcript", "text/html", "<html>", heard({ response_format: "text" })],
    ["a ranking of no document", "application/json", '{"results":[{"index":7,"relevance_score":1}]}', ranking()],
    ["a transcript without a text", "application/json", '{"words":[]}', heard()],
    ["no image", "application/json", '{"created":1,"data":[]}', asked("image", { prompt: "a cat" })]
  ] as const)("%s is no answer", ([_, type, body, request]) =>
    Effect.gen(function* () {
      const server = yield* S.rawServer((__, response) => {
        response.writeHead(200, { "content-type": type })
        response.end(body)
      })
      const { service } = yield* scene
      const error = yield* Effect.flip(S.call(service, request, { baseUrl: `${server.origin}/v1` }))
      assert.strictEqual(error.reason, "MalformedResponse")
    })
  )

  it.scopedLive(
    "a file that cannot be read, or is shorter than it says, is the request's fault and not the provider's",
    () =>
      Effect.gen(function* () {
        const { service, up } = yield* scene
        const own = new LlmError({ reason: "InvalidRequest", description: "gone", code: "upload_gone" })
        async function* failing() {
          yield sound.subarray(0, 1000)
          throw own
        }
        async function* dying() {
          yield sound.subarray(0, 1000)
          throw new Error("EIO")
        }
        async function* short() {
          yield sound.subarray(0, 1000)
        }
        async function* long() {
          yield sound
          yield sound
        }
        for (const [open, code] of [
          [failing, "upload_gone"],
          [dying, "invalid_file"],
          [short, "invalid_file"],
          [long, "invalid_file"]
        ] as const) {
          const request = form("transcription", {}, { parts: [{ ...wave, open }] })
          const error = yield* Effect.flip(S.call(service, request, { baseUrl: up.url }))
          assert.deepStrictEqual([error.reason, error.code], ["InvalidRequest", code])
        }
      })
  )

  it.scopedLive("a caller who leaves while a file goes out ends the reading of it", () =>
    Effect.gen(function* () {
      const { service, up } = yield* scene
      let closed = false
      async function* endless() {
        try {
          for (;;) {
            yield sound.subarray(0, 1000)
            await new Promise((resolve) => setImmediate(resolve))
          }
        } finally {
          closed = true
        }
      }
      const request = form("transcription", {}, { parts: [{ ...wave, size: 1e9, open: endless }] })
      const fiber = yield* Effect.fork(S.call(service, request, { baseUrl: up.url }))
      yield* S.eventually(() => up.openSockets() > 0)
      yield* Fiber.interrupt(fiber)
      yield* S.eventually(() => closed)
    })
  )

  it.scopedLive("what an API does not have is asked of nobody", () =>
    Effect.gen(function* () {
      const { service, up } = yield* scene
      for (const [protocol, request] of [
        ["anthropic", speech()],
        ["gemini", ranking()],
        ["cohere", heard()],
        ["azure", asked("moderation", { input: "x" })]
      ] as const) {
        const error = yield* Effect.flip(S.call(service, request, { protocol, baseUrl: up.url }))
        assert.strictEqual(error.code, "no_operation", protocol)
      }
      assert.strictEqual(up.stats().requests, 0)
    })
  )
})
