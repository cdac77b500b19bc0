/**
 * What holds of every request holds of each endpoint beside conversations: limits and budgets of keys, metrics, traces; and what
 * units a request is told from its files and answers.
 */
import { assert, describe, it } from "@effect/vitest"
import type { DeploymentConfig } from "@switchyard/core/Deployment"
import type { Gateway } from "@switchyard/gateway/Gateway"
import * as FakeProvider from "@switchyard/testing/FakeProvider"
import { Effect, Exit, Scope } from "effect"
import { afterAll, beforeAll } from "vitest"
import * as G from "../../support/gateways.js"
import { rawUpstream } from "../../support/rawHttp.js"

interface Endpoint {
  readonly operation: string
  readonly path: string
  readonly model: string
  readonly prices: Partial<DeploymentConfig>
  readonly body: () => object | FormData
}

/** 8 kHz in 16 bits: a second is half as many bytes as files of its type are taken to have. */
const wave = (seconds: number): Buffer => {
  const head = Buffer.alloc(44)
  head.write("RIFF\0\0\0\0WAVEfmt ", 0, "latin1")
  head.writeUInt32LE(16, 16)
  head.writeUInt32LE(16_000, 28)
  head.write("data", 36, "latin1")
  return Buffer.concat([head, Buffer.alloc(16_000 * seconds)])
}

const form = (fields: Readonly<Record<string, string>>, file: string, bytes: Buffer, name: string, type: string) => {
  const data = new FormData()
  data.append(file, new Blob([new Uint8Array(bytes)], { type }), name)
  for (const [field, value] of Object.entries(fields)) data.append(field, value)
  return data
}

const heard = (more = {}) => form({ model: "heard", ...more }, "file", wave(2), "a.wav", "audio/wav")
const seen = (more = {}) => form({ model: "painted", ...more }, "image", wave(1), "a.png", "image/png")

const endpoints: ReadonlyArray<Endpoint> = [
  {
    operation: "rerank",
    path: "/v1/rerank",
    model: "ranked",
    prices: { perSearch: 0.01 },
    body: () => ({ model: "ranked", query: "tea", documents: ["coffee", "tea"] })
  },
  {
    operation: "moderation",
    path: "/v1/moderations",
    model: "judged",
    prices: { inputPrice: 5_000, outputPrice: 0 },
    body: () => ({ model: "judged", input: "I will kill it" })
  },
  {
    operation: "image",
    path: "/v1/images/generations",
    model: "painted",
    prices: { perImage: 0.01 },
    body: () => ({ model: "painted", prompt: "a cat" })
  },
  { operation: "imageEdit", path: "/v1/images/edits", model: "painted", prices: {}, body: () => seen({ prompt: "x" }) },
  { operation: "imageVariation", path: "/v1/images/variations", model: "painted", prices: {}, body: () => seen() },
  {
    operation: "speech",
    path: "/v1/audio/speech",
    model: "spoken",
    prices: { perCharacter: 0.001 },
    body: () => ({ model: "spoken", input: "Hello there", voice: "alloy" })
  },
  {
    operation: "transcription",
    path: "/v1/audio/transcriptions",
    model: "heard",
    prices: { perSecond: 0.005 },
    body: () => heard()
  },
  { operation: "translation", path: "/v1/audio/translations", model: "heard", prices: {}, body: () => heard() }
]

const secret = (kind: string, operation: string): string => `sk-${kind}-${operation}-0123456789`

let scope: Scope.CloseableScope
let up: FakeProvider.FakeProvider
let gateway: Gateway

beforeAll(async () => {
  scope = Effect.runSync(Scope.make())
  const make = Effect.gen(function* () {
    up = yield* FakeProvider.make({ name: "up" })
    const plain = yield* rawUpstream("plain", (request, response) => {
      const isImage = request.url?.includes("/images/") === true
      response.writeHead(200, { "content-type": isImage ? "image/png" : "text/plain" })
      response.end(isImage ? Buffer.from([0x89, 0x50, 0x4e, 0x47, 0xff, 0xfe]) : "words")
    })
    gateway = yield* G.start([], {
      deployments: [
        ...endpoints
          .filter(({ prices }) => Object.keys(prices).length > 0)
          .map(({ model, prices }) => G.deploymentOf(up, { id: model, group: model, model: "dall-e-2", ...prices })),
        G.deploymentOf(plain, { group: "plain", perImage: 0.02, perSecond: 0.005 })
      ],
      keys: endpoints.flatMap(({ operation }) => [
        { name: `limited-${operation}`, key: secret("limited", operation), rpm: 1 },
        { name: `poor-${operation}`, key: secret("poor", operation), budget: { limit: 0.000_1, window: "1 day" } }
      ]),
      tracing: {},
      server: { replayBytes: 2_000 }
    })
  })
  await Effect.runPromise(Scope.extend(make, scope))
})

afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))

const post = async (
  path: string,
  body: object | FormData,
  key: string = G.masterKey,
  headers: Readonly<Record<string, string>> = {}
) => {
  const isForm = body instanceof FormData
  const response = await fetch(gateway.url + path, {
    method: "POST",
    headers: { authorization: `Bearer ${key}`, ...(isForm ? {} : { "content-type": "application/json" }), ...headers },
    body: isForm ? body : JSON.stringify(body)
  })
  return { status: response.status, text: await response.text() }
}

/** The sum of a metric's series whose labels say all of it. */
const metric = async (name: string, ...labels: ReadonlyArray<string>): Promise<number> => {
  const response = await fetch(`${gateway.url}/metrics`, { headers: G.authorized })
  const lines = (await response.text()).split("\n").filter((line) => line.startsWith(`switchyard_${name}{`))
  return lines
    .filter((line) => labels.every((label) => line.includes(label)))
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(" "))), 0)
}

describe.each(endpoints)("$operation", ({ body, model, operation, path }) => {
  it("is held to the limits of its key", async () => {
    assert.strictEqual((await post(path, body(), secret("limited", operation))).status, 200)
    const { status, text } = await post(path, body(), secret("limited", operation))
    assert.strictEqual(status, 429, text)
    assert.strictEqual(JSON.parse(text).error.code, "rate_limit_exceeded")
  })

  it("is paid from its key's budget, and refused once that is used up", async () => {
    assert.strictEqual((await post(path, body(), secret("poor", operation))).status, 200)
    const { status, text } = await post(path, body(), secret("poor", operation))
    assert.strictEqual(status, 429, text)
    assert.strictEqual(JSON.parse(text).error.code, "insufficient_quota")
  })

  it("counts in the metrics of its operation and of money, and goes on in its trace", async () => {
    const counted = () => metric("operation_requests_total", `operation="${operation}"`, `model="${model}"`)
    const before = [await counted(), await metric("cost_usd_total", `model="${model}"`)]
    const trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    const { status } = await post(path, body(), G.masterKey, { traceparent: `00-${trace}-00f067aa0ba902b7-01` })
    assert.strictEqual(status, 200)
    assert.strictEqual((await counted()) - (before[0] ?? 0), 1)
    assert.isAbove((await metric("cost_usd_total", `model="${model}"`)) - (before[1] ?? 0), 0)
    assert.include(up.journal().at(-1)?.headers.traceparent ?? "", trace)
  })
})

describe("units", () => {
  it("of sound are seconds that its file's head says, where the answer tells none", async () => {
    const seconds = () => metric("units_total", 'unit="seconds"', 'model="plain"')
    const before = await seconds()
    const { text } = await post("/v1/audio/transcriptions", heard({ model: "plain", response_format: "text" }))
    assert.strictEqual(text, "words")
    assert.closeTo((await seconds()) - before, 2, 1e-9)
  })

  it("of an image that comes as it is are one, and its caller gets it in the shape that was asked for", async () => {
    const images = () => metric("units_total", 'unit="images"', 'model="plain"')
    const before = await images()
    const { status, text } = await post("/v1/images/generations", { model: "plain", prompt: "a cat" })
    assert.strictEqual(status, 200, text)
    const { data, output_format } = JSON.parse(text) as {
      readonly data: ReadonlyArray<{ readonly b64_json: string }>
      readonly output_format: string
    }
    assert.strictEqual(output_format, "png")
    assert.deepStrictEqual([...Buffer.from(data[0]?.b64_json ?? "", "base64")], [0x89, 0x50, 0x4e, 0x47, 0xff, 0xfe])
    assert.strictEqual((await images()) - before, 1)
    await Effect.runPromise(G.holdsNothing(gateway))
  })
})
