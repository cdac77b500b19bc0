/**
 * What is asked beside conversations, at its endpoints: whole, in bytes and as events; over two deployments of which one fails; with
 * limits, errors and callers who leave. What the upstreams got is the witness.
 */
import { createHash } from "node:crypto"
import { gzipSync } from "node:zlib"
import { assert, describe, it } from "@effect/vitest"
import { type Gateway, make as makeGateway } from "@switchyard/gateway/Gateway"
import * as RequestLog from "@switchyard/gateway/RequestLog"
import * as FakeProvider from "@switchyard/testing/FakeProvider"
import { Effect, Exit, Scope } from "effect"
import { afterAll, beforeAll, beforeEach } from "vitest"
import * as G from "../../support/gateways.js"
import { connectTo, head, rawUpstream } from "../../support/rawHttp.js"

let scope: Scope.CloseableScope
let east: FakeProvider.FakeProvider
let west: FakeProvider.FakeProvider
let gateway: Gateway

const teamKey = "sk-team-7a3f5d21"
/** Groups, with the model that each stands for. */
const groups = {
  whisper: "whisper-1",
  scribe: "gpt-4o-transcribe",
  painter: "gpt-image-1",
  dalle: "dall-e-2",
  tts: "gpt-4o-mini-tts",
  ranker: "rerank-v3.5",
  judge: "omni-moderation-latest"
}

beforeAll(async () => {
  scope = Effect.runSync(Scope.make())
  const make = Effect.gen(function* () {
    east = yield* FakeProvider.make({ name: "east" })
    west = yield* FakeProvider.make({ name: "west" })
    const deployments = Object.entries(groups).flatMap(([group, model]) =>
      [east, west].map((up, order) =>
        G.deploymentOf(up, {
          id: `${group}-${up.name}`,
          group,
          model,
          order,
          ...(group === "judge" ? { operations: ["moderation"] as const } : {})
        })
      )
    )
    gateway = yield* G.start([], {
      deployments,
      keys: [{ key: teamKey, name: "team", groups: ["whisper"], maxBodyBytes: 100_000 }],
      retry: { attempts: 2, baseDelay: 1 },
      cooldown: false,
      server: { replayBytes: 2_000 }
    })
  })
  await Effect.runPromise(Scope.extend(make, scope))
})

afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))

beforeEach(() => Effect.runPromise(Effect.zipRight(east.reset, west.reset)))

const sound = Buffer.from(Uint8Array.from({ length: 40_000 }, (_, at) => (at * 31) & 0xff))
const digest = createHash("sha256").update(sound).digest("hex")

/** A form in the order in which it is sent. */
const form = (
  fields: Readonly<Record<string, string>>,
  file: readonly [name: string, filename: string, type: string]
) => {
  const data = new FormData()
  data.append(file[0], new Blob([sound], { type: file[2] }), file[1])
  for (const [name, value] of Object.entries(fields)) data.append(name, value)
  return data
}

const mp3 = ["file", "日本.mp3", "audio/mpeg"] as const
const png = ["image", "a.png", "image/png"] as const

interface Asked {
  readonly path: string
  readonly body: object | FormData
  /** What is in the answer. */
  readonly says: RegExp
  readonly type: RegExp
  /** The public list has a price for it. */
  readonly isPriced?: boolean
}

const asked: Readonly<Record<string, Asked>> = {
  rerank: {
    path: "/v1/rerank",
    body: { model: "ranker", query: "tea", documents: ["coffee", "green tea"], top_n: 1 },
    says: /"relevance_score"/,
    type: /^application\/json/
  },
  "Cohere's rerank": {
    path: "/v2/rerank",
    body: { model: "ranker", query: "tea", documents: ["coffee", "green tea"] },
    says: /"relevance_score"/,
    type: /^application\/json/
  },
  moderation: {
    path: "/v1/moderations",
    body: { model: "judge", input: "I will kill it" },
    says: /"flagged":true/,
    type: /^application\/json/
  },
  "moderation without a model": {
    path: "/moderations",
    body: { input: "Hello" },
    says: /"flagged":false/,
    type: /^application\/json/
  },
  images: {
    path: "/v1/images/generations",
    body: { model: "dalle", prompt: "a cat", n: 2 },
    says: /"url":"https:/,
    type: /^application\/json/
  },
  edits: {
    path: "/v1/images/edits",
    body: form({ model: "painter", prompt: "a hat" }, png),
    says: /"b64_json"/,
    isPriced: true,
    type: /^application\/json/
  },
  variations: {
    path: "/v1/images/variations",
    body: form({ model: "dalle" }, png),
    says: /"url":"https:/,
    type: /^application\/json/
  },
  speech: {
    path: "/v1/audio/speech",
    body: { model: "tts", input: "Hello", voice: "alloy", response_format: "wav" },
    says: /./s,
    type: /^audio\/wav/
  },
  transcription: {
    path: "/v1/audio/transcriptions",
    body: form({ model: "whisper" }, mp3),
    says: /"text":"Heard by (east|west)"/,
    isPriced: true,
    type: /^application\/json/
  },
  "plain transcription": {
    path: "/v1/audio/transcriptions",
    body: form({ model: "whisper", response_format: "text" }, mp3),
    says: /^Heard by (east|west)\n$/,
    type: /^text\/plain; charset=utf-8/
  },
  subtitles: {
    path: "/openai/deployments/whisper/audio/transcriptions?api-version=2024-06-01",
    body: form({ response_format: "vtt" }, mp3),
    says: /^WEBVTT/,
    type: /^text\/vtt/
  },
  translation: {
    path: "/v1/audio/translations",
    body: form({ model: "whisper", response_format: "verbose_json" }, mp3),
    says: /"segments"/,
    isPriced: true,
    type: /^application\/json/
  }
}

const everything = Object.entries(asked).map(([what, ask]) => ({ what, ...ask }))

interface Got extends G.Answer {
  readonly bytes: Buffer
}

const post = (
  path: string,
  body: object | FormData,
  headers: Readonly<Record<string, string>> = G.authorized
): Effect.Effect<Got> =>
  Effect.promise(async (signal) => {
    const isForm = body instanceof FormData
    const answer = await fetch(gateway.url + path, {
      method: "POST",
      headers: { ...headers, ...(isForm ? {} : { "content-type": "application/json" }) },
      body: isForm ? body : JSON.stringify(body),
      signal
    })
    const bytes = Buffer.from(await answer.arrayBuffer())
    return { status: answer.status, headers: Object.fromEntries(answer.headers), text: bytes.toString(), bytes }
  })

interface Form {
  readonly fields: Readonly<Record<string, ReadonlyArray<string>>>
  readonly files: ReadonlyArray<{ readonly filename: string; readonly size: number; readonly sha256: string }>
}

/** The first form that an upstream got. */
const formOf = (up: FakeProvider.FakeProvider): Form => {
  const [entry] = up.journal()
  if (entry === undefined) throw new Error("it was asked nothing")
  return entry.body as Form
}

const modelOf = (body: unknown): unknown => (body as { model?: string }).model ?? (body as Form).fields.model?.[0]

describe("an endpoint beside conversations", () => {
  it.live.each(everything)(
    "$what is answered as its provider answers, with its way and cost",
    ({ body, isPriced, path, says, type }) =>
      Effect.gen(function* () {
        const { headers, status, text } = yield* post(path, body)
        assert.strictEqual(status, 200, text.slice(0, 500))
        assert.match(text, says)
        assert.match(String(headers["content-type"]), type)
        assert.strictEqual(headers["x-switchyard-attempts"], "1")
        assert.match(String(headers["x-request-id"]), /./)
        const [entry] = east.journal()
        assert.include(Object.values(groups), modelOf(entry?.body))
        assert.notInclude(Object.keys(groups), modelOf(entry?.body))
        if (isPriced) assert.isAbove(Number(headers["x-litellm-response-cost"]), 0)
        if (!(body instanceof FormData)) return
        const { files } = formOf(east)
        assert.deepStrictEqual(
          files.map(({ sha256, size }) => [size, sha256]),
          [[sound.length, digest]]
        )
      })
  )

  it.live.each(everything)(
    "$what goes to the second deployment where the first fails, file and all",
    ({ body, path, says }) =>
      Effect.gen(function* () {
        yield* east.behave({ status: 500, error: "it broke" })
        const { headers, status, text } = yield* post(path, body)
        assert.strictEqual(status, 200, text.slice(0, 500))
        assert.match(text, says)
        assert.strictEqual(headers["x-switchyard-attempts"], "2")
        const [first] = east.journal()
        const [second] = west.journal()
        assert.strictEqual(first?.status, 500)
        assert.deepStrictEqual(second?.body, first?.body)
        yield* G.holdsNothing(gateway)
      })
  )

  it.live.each(everything)(
    "$what: what the provider says of a bad request is told in OpenAI's shape, once",
    ({ body, path }) =>
      Effect.gen(function* () {
        yield* east.behave({ status: 400, error: { message: "no such voice", code: "invalid_value", param: "voice" } })
        const answer = yield* post(path, body)
        assert.strictEqual(answer.status, 400)
        const error = G.errorIn(answer.text)
        assert.include(String(error.message), "no such voice")
        assert.strictEqual(error.param, "voice")
        assert.strictEqual(west.stats().requests, 0)
      })
  )

  it.live.each(everything)("$what: a caller who leaves is left", ({ body, path }) =>
    Effect.gen(function* () {
      yield* east.behave({ hang: true })
      const fiber = yield* Effect.fork(post(path, body))
      yield* east.awaitEntry(() => true)
      fiber.unsafeInterruptAsFork(fiber.id())
      yield* east.awaitEntry(({ end }) => end === "clientAborted")
      assert.strictEqual(west.stats().requests, 0)
    })
  )

  it.live.each(everything)("$what: a key that may not use the model is told so", ({ body, path }) =>
    Effect.gen(function* () {
      const answer = yield* post(path, body, { authorization: `Bearer ${teamKey}` })
      const model = body instanceof FormData ? (body.get("model") ?? "whisper") : (body as { model?: string }).model
      if (model === "whisper") return assert.strictEqual(answer.status, 200)
      G.assertError(answer, { status: 403, code: "model_not_allowed" })
      assert.strictEqual(east.stats().requests, 0)
    })
  )
})

describe("a form", () => {
  it.live("steers its request like a body of JSON, and what steered goes no further", () =>
    Effect.gen(function* () {
      yield* east.behave({ status: 500, error: "it broke" })
      const steered = form(
        { model: "whisper", num_retries: "0", "metadata[session_id]": "x", session_id: "y", language: "en" },
        mp3
      )
      const answer = yield* post("/v1/audio/transcriptions", steered)
      assert.strictEqual(answer.status, 502, answer.text)
      assert.strictEqual(west.stats().requests, 0)
      const { fields } = formOf(east)
      assert.deepStrictEqual(fields, { model: ["whisper-1"], language: ["en"] })
    })
  )

  it.live("that is packed is unpacked as it comes", () =>
    Effect.gen(function* () {
      const packed = new Response(form({ model: "whisper" }, mp3))
      const bytes = yield* Effect.promise(async () => gzipSync(Buffer.from(await packed.arrayBuffer())))
      const headers = { "content-type": String(packed.headers.get("content-type")), "content-encoding": "gzip" }
      const answer = yield* G.post(gateway, "/v1/audio/transcriptions", bytes, headers)
      assert.strictEqual(answer.status, 200, answer.text)
      assert.strictEqual(formOf(east).files[0]?.sha256, digest)
    })
  )

  it.live("of a key with a bound of its own is held to that", () =>
    Effect.gen(function* () {
      const large = new FormData()
      large.append("file", new Blob([Buffer.alloc(150_000)]), "a.mp3")
      const answer = yield* post("/v1/audio/transcriptions", large, { authorization: `Bearer ${teamKey}` })
      G.assertError(answer, { status: 413, code: "request_too_large" })
    })
  )

  it.live("may be JSON where the provider takes that", () =>
    Effect.gen(function* () {
      yield* east.when(() => undefined)
      const answer = yield* post("/v1/images/edits", {
        model: "painter",
        prompt: "x",
        images: [{ image_url: "https://x" }]
      })
      assert.match(String(east.journal()[0]?.headers["content-type"]), /^application\/json/)
      assert.include([200, 400], answer.status)
    })
  )
})

describe("the log", () => {
  it.scopedLive("tells of a form and of sound what it tells of a chat", () =>
    Effect.gen(function* () {
      const config = G.decode({
        deployments: [
          G.deploymentOf(east, { group: "whisper", model: "whisper-1" }),
          G.deploymentOf(east, { id: "tts", group: "tts", model: "gpt-4o-mini-tts" })
        ],
        masterKey: G.masterKey,
        server: { port: 0, drainTimeout: "1 second" }
      })
      let text = ""
      const log = yield* RequestLog.make(config, {
        isTerminal: false,
        hasColours: false,
        write: (piece, done) => {
          text += piece
          done()
        }
      })
      const logged = yield* Effect.orDie(makeGateway({ config }, {}, log))
      yield* Effect.promise(async () => {
        const headers = { ...G.authorized }
        await fetch(`${logged.url}/v1/audio/transcriptions`, {
          method: "POST",
          headers,
          body: form({ model: "whisper" }, mp3)
        })
        const body = JSON.stringify({ model: "tts", input: "Hello", voice: "alloy" })
        const json = { ...headers, "content-type": "application/json" }
        await (await fetch(`${logged.url}/v1/audio/speech`, { method: "POST", headers: json, body })).arrayBuffer()
      })
      yield* G.eventually(
        () => text,
        () => text.includes('"operation":"speech"')
      )
      const lines = text
        .split("\n")
        .filter((line) => line.includes('"event":"request"'))
        .map((line) => JSON.parse(line) as Readonly<Record<string, unknown>>)
      const told = { caller: "(master)", attempts: 1, outcome: "success", status: 200 }
      assert.include(lines[0], {
        ...told,
        operation: "transcription",
        stream: false,
        model: "whisper",
        deployment: "east"
      })
      assert.isAbove(Number(lines[0]?.["cost_usd"]), 0)
      assert.include(lines[1], { ...told, operation: "speech", stream: true, model: "tts", deployment: "tts" })
    })
  )
})

describe("an answer in bytes", () => {
  const speech = { model: "tts", input: "Hello", voice: "alloy" }

  it.live("comes as it is sent, byte for byte, under its provider's type and name", () =>
    Effect.gen(function* () {
      yield* east.behave({
        audioBytes: 700_000,
        chunks: 40,
        headers: { "content-disposition": 'attachment; filename="a.mp3"' }
      })
      const direct = yield* Effect.promise(async () => {
        const body = JSON.stringify({ ...speech, model: "gpt-4o-mini-tts" })
        const headers = { "content-type": "application/json", authorization: "Bearer x" }
        return Buffer.from(
          await (await fetch(`${east.url}/audio/speech`, { method: "POST", headers, body })).arrayBuffer()
        )
      })
      const { bytes, headers } = yield* post("/v1/audio/speech", speech)
      assert.isTrue(bytes.equals(direct))
      assert.strictEqual(bytes.length, 700_000)
      assert.strictEqual(headers["content-type"], "audio/mpeg")
      assert.strictEqual(headers["content-disposition"], 'attachment; filename="a.mp3"')
      assert.strictEqual(headers["transfer-encoding"], "chunked")
    })
  )

  it.live("that breaks off breaks off: nobody takes it for whole", () =>
    Effect.gen(function* () {
      yield* east.behave({ chunks: 10, cutAfterChunks: 5 })
      const outcome = yield* Effect.promise(async () => {
        const headers = { ...G.authorized, "content-type": "application/json" }
        const answer = await fetch(`${gateway.url}/v1/audio/speech`, {
          method: "POST",
          headers,
          body: JSON.stringify(speech)
        })
        assert.strictEqual(answer.status, 200)
        return answer.arrayBuffer().then(
          () => "whole",
          () => "broken off"
        )
      })
      assert.strictEqual(outcome, "broken off")
      yield* G.holdsNothing(gateway)
    })
  )

  it.live("whose caller leaves in the middle is left", () =>
    Effect.gen(function* () {
      yield* east.behave({ chunks: 10, stallAfterChunks: 5 })
      yield* Effect.promise(async () => {
        const abort = new AbortController()
        const headers = { ...G.authorized, "content-type": "application/json" }
        const { signal } = abort
        const answer = await fetch(`${gateway.url}/v1/audio/speech`, {
          method: "POST",
          headers,
          body: JSON.stringify(speech),
          signal
        })
        await answer.body?.getReader().read()
        abort.abort()
      })
      yield* east.awaitEntry(({ end }) => end === "clientAborted")
      yield* G.holdsNothing(gateway)
    })
  )

  it.scopedLive("waits for a caller who does not read", () =>
    Effect.gen(function* () {
      const piece = Buffer.alloc(65_536)
      let sent = 0
      let hasLeft = false
      const up = yield* rawUpstream("raw", (_, response) => {
        response.writeHead(200, { "content-type": "audio/mpeg" })
        response.once("close", () => {
          hasLeft = true
        })
        const more = (): void => {
          for (let hasRoom = true; hasRoom && sent < 100_000_000; sent += piece.length) hasRoom = response.write(piece)
          response.once("drain", more)
        }
        more()
      })
      const patient = yield* G.start([up])
      const client = yield* connectTo(patient)
      const body = JSON.stringify({ ...speech, model: "smart" })
      client.send(head("POST", "/v1/audio/speech", { ...G.authorized, "content-length": body.length }) + body)
      client.socket.pause()
      let before = -1
      // What the system holds for both connections is all that goes out.
      while (before !== sent || sent === 0) {
        before = sent
        yield* Effect.promise(() => new Promise((resume) => setTimeout(resume, 300)))
      }
      assert.isBelow(sent, 50_000_000)
      client.destroy()
      yield* G.eventually(
        () => "the upstream is left",
        () => hasLeft
      )
      yield* G.holdsNothing(patient)
    })
  )
})

describe("an answer in events", () => {
  const ask = (body: object | FormData, path: string) =>
    Effect.map(post(path, body), (answer) => ({
      ...answer,
      events: answer.text
        .split("\n\n")
        .map((event) => /^data: (.*)$/m.exec(event)?.[1])
        .filter((data) => data !== undefined)
        .map((data): { readonly type?: string; readonly error?: { readonly code: string } } => JSON.parse(data))
    }))

  it.live.each([
    {
      what: "a transcript",
      path: "/v1/audio/transcriptions",
      body: form({ model: "scribe", stream: "true" }, mp3),
      last: "transcript.text.done"
    },
    {
      what: "an image",
      path: "/v1/images/generations",
      body: { model: "painter", prompt: "a cat", stream: true, partial_images: 2 },
      last: "image_generation.completed"
    },
    {
      what: "an edited image",
      path: "/v1/images/edits",
      body: form({ model: "painter", prompt: "x", stream: "true" }, png),
      last: undefined
    },
    {
      what: "speech",
      path: "/v1/audio/speech",
      body: { model: "tts", input: "Hello", voice: "alloy", stream_format: "sse" },
      last: "speech.audio.done"
    }
  ])("$what comes event by event", ({ body, last, path }) =>
    Effect.gen(function* () {
      const { events, headers, status, text } = yield* ask(body, path)
      assert.strictEqual(status, 200, text.slice(0, 300))
      assert.match(String(headers["content-type"]), /^text\/event-stream/)
      assert.isAbove(events.length, 1)
      if (last !== undefined) assert.strictEqual(events.at(-1)?.type, last)
      yield* G.holdsNothing(gateway)
    })
  )

  it.live("that breaks off says so at its end", () =>
    Effect.gen(function* () {
      yield* east.behave({ cutAfterChunks: 2 })
      const { events } = yield* ask(form({ model: "scribe", stream: "true" }, mp3), "/v1/audio/transcriptions")
      assert.isDefined(events.at(-1)?.error?.code)
    })
  )

  it.live("goes to the second deployment where the first fails before it", () =>
    Effect.gen(function* () {
      yield* east.behave({ status: 503, error: "busy" })
      const { events } = yield* ask(form({ model: "scribe", stream: "true" }, mp3), "/v1/audio/transcriptions")
      assert.strictEqual(events.at(-1)?.type, "transcript.text.done")
      assert.strictEqual(formOf(west).files[0]?.sha256, digest)
    })
  )
})
