/**
 * OpenAI's own clients and LiteLLM's through the gateway: images, sound, moderations and rankings. The upstream reads what it gets as
 * strictly as the providers do, and what it got is the witness.
 */
import { createHash } from "node:crypto"
import { assert, describe, it } from "@effect/vitest"
import type { Gateway } from "@switchyard/gateway/Gateway"
import * as FakeProvider from "@switchyard/testing/FakeProvider"
import { Effect, Exit, Scope } from "effect"
import OpenAI, { toFile } from "openai"
import { afterAll, beforeAll, beforeEach } from "vitest"
import * as G from "../support/gateways.js"
import * as Python from "../support/python.js"

let scope: Scope.CloseableScope
let broken: FakeProvider.FakeProvider
let up: FakeProvider.FakeProvider
let gateway: Gateway

const models = [
  "whisper-1",
  "gpt-4o-transcribe",
  "gpt-image-1",
  "dall-e-2",
  "gpt-4o-mini-tts",
  "rerank-v3.5",
  "omni-moderation-latest"
]

beforeAll(async () => {
  scope = Effect.runSync(Scope.make())
  const make = Effect.gen(function* () {
    // Every call is tried there first, so that every upload is read twice.
    broken = yield* FakeProvider.make({ name: "broken" })
    up = yield* FakeProvider.make({ name: "up" })
    gateway = yield* G.start([], {
      deployments: models.flatMap((model) =>
        [broken, up].map((one, order) =>
          G.deploymentOf(one, { id: `${model}-${one.name}`, group: model, model, order })
        )
      ),
      retry: { attempts: 2, baseDelay: 1 },
      cooldown: false,
      server: { replayBytes: 10_000 }
    })
  })
  await Effect.runPromise(Scope.extend(make, scope))
})

afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))

beforeEach(() =>
  Effect.runPromise(
    Effect.all([up.reset, broken.reset, broken.behave({ status: 503, error: "busy" })], { discard: true })
  )
)

const sound = Buffer.from(Uint8Array.from({ length: 40_000 }, (_, at) => (at * 31) & 0xff))
const digest = createHash("sha256").update(sound).digest("hex")

interface Form {
  readonly fields: Readonly<Record<string, ReadonlyArray<string>>>
  readonly files: ReadonlyArray<{ readonly name: string; readonly filename: string; readonly sha256: string }>
}

const lastForm = (): Form => up.journal().at(-1)?.body as Form

const assertFiles = (...names: ReadonlyArray<string>): void => {
  const { files } = lastForm()
  assert.deepStrictEqual(
    files.map(({ filename, name, sha256 }) => [name, filename, sha256]),
    names.map((name) => [name, "a.mp3", digest])
  )
}

describe("openai for Node", () => {
  const client = (): OpenAI => new OpenAI({ baseURL: `${gateway.url}/v1`, apiKey: G.masterKey, maxRetries: 0 })
  const mp3 = () => toFile(sound, "a.mp3", { type: "audio/mpeg" })
  const png = () => toFile(sound, "a.mp3", { type: "image/png" })
  const ask = <A>(call: (openai: OpenAI) => PromiseLike<A>): Effect.Effect<A> =>
    Effect.promise(async () => call(client()))

  it.live("transcribes, plainly and with details, and word by word", () =>
    Effect.gen(function* () {
      const plain = yield* ask(async ({ audio }) =>
        audio.transcriptions.create({ model: "whisper-1", file: await mp3() })
      )
      assert.strictEqual(plain.text, "Heard by up")
      assertFiles("file")
      const detailed = yield* ask(async ({ audio }) =>
        audio.transcriptions.create({
          model: "whisper-1",
          file: await mp3(),
          response_format: "verbose_json",
          timestamp_granularities: ["word", "segment"],
          language: "en"
        })
      )
      assert.strictEqual(detailed.segments?.length, 1)
      assert.deepStrictEqual(lastForm().fields["timestamp_granularities[]"], ["word", "segment"])
      const text = yield* ask(async ({ audio }) =>
        audio.transcriptions.create({ model: "whisper-1", file: await mp3(), response_format: "text" })
      )
      assert.strictEqual(String(text), "Heard by up\n")
      const types = yield* ask(async ({ audio }) => {
        const events = await audio.transcriptions.create({
          model: "gpt-4o-transcribe",
          file: await mp3(),
          stream: true
        })
        const found: Array<string> = []
        for await (const event of events) found.push(event.type)
        return found
      })
      assert.strictEqual(types[0], "transcript.text.delta")
      assert.strictEqual(types.at(-1), "transcript.text.done")
      const english = yield* ask(async ({ audio }) =>
        audio.translations.create({ model: "whisper-1", file: await mp3() })
      )
      assert.strictEqual(english.text, "Heard by up")
    })
  )

  it.live("speaks", () =>
    Effect.gen(function* () {
      const spoken = yield* ask(async ({ audio }) => {
        const answer = await audio.speech.create({
          model: "gpt-4o-mini-tts",
          input: "Hello",
          voice: "alloy",
          response_format: "wav"
        })
        return { type: answer.headers.get("content-type"), bytes: (await answer.arrayBuffer()).byteLength }
      })
      assert.deepStrictEqual(spoken, { type: "audio/wav", bytes: 4000 })
      const error = yield* Effect.promise(() =>
        client()
          .audio.speech.create({ model: "gpt-4o-mini-tts", input: "Hello", voice: "nobody" })
          .then(
            () => undefined,
            (cause: unknown) => cause
          )
      )
      assert.instanceOf(error, OpenAI.BadRequestError)
    })
  )

  it.live("makes images, changes them and varies them", () =>
    Effect.gen(function* () {
      const made = yield* ask(({ images }) => images.generate({ model: "gpt-image-1", prompt: "a cat", n: 2 }))
      assert.strictEqual(made.data?.length, 2)
      const edited = yield* ask(async ({ images }) =>
        images.edit({ model: "gpt-image-1", image: [await png(), await png()], prompt: "a hat", mask: await png() })
      )
      assert.isString(edited.data?.[0]?.b64_json)
      assertFiles("image[]", "image[]", "mask")
      const varied = yield* ask(async ({ images }) =>
        images.createVariation({ model: "dall-e-2", image: await png(), n: 2 })
      )
      assert.strictEqual(varied.data?.length, 2)
      const types = yield* ask(async ({ images }) => {
        const events = await images.generate({ model: "gpt-image-1", prompt: "a cat", stream: true, partial_images: 2 })
        const found: Array<string> = []
        for await (const event of events) found.push(event.type)
        return found
      })
      assert.strictEqual(types.at(-1), "image_generation.completed")
    })
  )

  it.live("moderates, with a model and without", () =>
    Effect.gen(function* () {
      const judged = yield* ask(({ moderations }) => moderations.create({ input: "I will kill it" }))
      assert.isTrue(judged.results[0]?.flagged)
      const both = yield* ask(({ moderations }) =>
        moderations.create({ model: "omni-moderation-latest", input: ["Hello", "kill"] })
      )
      assert.deepStrictEqual(
        both.results.map(({ flagged }) => flagged),
        [false, true]
      )
    })
  )
})

const bytes = `bytes((at * 31) & 0xff for at in range(40000))`

const openaiProgram = `
import io, json, sys
from openai import OpenAI
client = OpenAI(base_url=sys.argv[1], api_key=sys.argv[2], max_retries=0)
sound = ${bytes}
mp3 = lambda: ("a.mp3", io.BytesIO(sound), "audio/mpeg")
png = lambda: ("a.mp3", io.BytesIO(sound), "image/png")
spoken = client.audio.speech.create(model="gpt-4o-mini-tts", input="Hello", voice="alloy")
with client.audio.speech.with_streaming_response.create(model="gpt-4o-mini-tts", input="Hello", voice="alloy") as answer:
    streamed = sum(len(part) for part in answer.iter_bytes())
events = client.audio.transcriptions.create(model="gpt-4o-transcribe", file=mp3(), stream=True)
print(json.dumps({
    "text": client.audio.transcriptions.create(model="whisper-1", file=mp3()).text,
    "plain": client.audio.transcriptions.create(model="whisper-1", file=mp3(), response_format="text"),
    "words": client.audio.transcriptions.create(model="whisper-1", file=mp3(), response_format="verbose_json", timestamp_granularities=["word"]).text,
    "last": [event.type for event in events][-1],
    "english": client.audio.translations.create(model="whisper-1", file=mp3()).text,
    "spoken": len(spoken.content),
    "streamed": streamed,
    "images": len(client.images.generate(model="gpt-image-1", prompt="a cat", n=2).data),
    "edited": len(client.images.edit(model="gpt-image-1", image=[png(), png()], prompt="a hat").data),
    "varied": len(client.images.create_variation(model="dall-e-2", image=png(), n=2).data),
    "flagged": client.moderations.create(input="I will kill it").results[0].flagged,
}))
`

const litellmProgram = `
import io, json, sys
import litellm
at = dict(api_base=sys.argv[1], api_key=sys.argv[2])
sound = io.BytesIO(${bytes})
sound.name = "a.mp3"
heard = litellm.transcription(model="openai/whisper-1", file=sound, language="en", **at)
ranked = litellm.rerank(model="cohere/rerank-v3.5", query="tea", documents=["coffee", "green tea"], top_n=1,
    api_base=sys.argv[1].removesuffix("/v1"), api_key=sys.argv[2])
jina = litellm.rerank(model="jina_ai/rerank-v3.5", query="tea", documents=["coffee", "green tea"], **at)
print(json.dumps({"text": heard.text, "ranked": len(ranked.results), "jina": len(jina.results)}))
`

describe("clients in Python", () => {
  it.live("openai: images, sound, moderations", (context) =>
    Effect.gen(function* () {
      const found = yield* Python.run("openai", openaiProgram, [`${gateway.url}/v1`, G.masterKey])
      if (found === undefined) return context.skip()
      assert.deepStrictEqual(found, {
        text: "Heard by up",
        plain: "Heard by up\n",
        words: "Heard by up",
        last: "transcript.text.done",
        english: "Heard by up",
        spoken: 4000,
        streamed: 4000,
        images: 2,
        edited: 1,
        varied: 2,
        flagged: true
      })
      const forms = up.journal().map(({ body }) => body as Partial<Form>)
      assert.isTrue(forms.every(({ files = [] }) => files.every(({ sha256 }) => sha256 === digest)))
      assert.strictEqual(broken.stats().requests, up.stats().requests)
    })
  )

  it.live("litellm: rerank and transcription", (context) =>
    Effect.gen(function* () {
      const found = yield* Python.run("litellm", litellmProgram, [`${gateway.url}/v1`, G.masterKey])
      if (found === undefined) return context.skip()
      assert.deepStrictEqual(found, { text: "Heard by up", ranked: 1, jina: 2 })
    })
  )
})
