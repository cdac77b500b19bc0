/**
 * Forms that a gateway cannot take: each is refused in OpenAI's shape before anything is asked of a provider, and nothing of it
 * is left.
 */
import { gzipSync } from "node:zlib"
import { assert, describe, it } from "@effect/vitest"
import type { Gateway } from "@switchyard/gateway/Gateway"
import * as FakeProvider from "@switchyard/testing/FakeProvider"
import { Effect, Exit, Scope } from "effect"
import { afterAll, beforeAll } from "vitest"
import * as G from "../../support/gateways.js"
import * as Raw from "../../support/rawHttp.js"

const transcriptions = "/v1/audio/transcriptions"
const type = "multipart/form-data; boundary=b"

const field = (name: string, value: string): string =>
  `--b\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`
const file = (content: string): string =>
  `--b\r\nContent-Disposition: form-data; name="file"; filename="a.mp3"\r\nContent-Type: audio/mpeg\r\n\r\n${content}\r\n`
const end = "--b--\r\n"
const chunked = (text: string): string => `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`
const whole = file("ID3") + field("model", "smart") + end

interface Bad {
  readonly what: string
  readonly body: string | Uint8Array
  readonly headers?: Readonly<Record<string, string>>
  readonly path?: string
  readonly status?: number
  readonly code: string
  readonly param?: string
  readonly says: RegExp
}

const bad: ReadonlyArray<Bad> = [
  { what: "no model", body: file("ID3") + end, code: "invalid_request", says: /model: expected a string/ },
  { what: "an empty model", body: field("model", "") + end, code: "invalid_request", says: /model: expected a string/ },
  {
    what: "a file as model",
    body: whole.replace('name="file"', 'name="model"'),
    code: "duplicate_field",
    param: "model",
    says: /more than once/
  },
  {
    what: "two models",
    body: field("model", "smart") + whole,
    code: "duplicate_field",
    param: "model",
    says: /more than once/
  },
  {
    what: "two spellings of model",
    body: field("model[]", "other") + whole,
    code: "invalid_request",
    says: /model: expected/
  },
  {
    what: "an unknown model",
    body: field("model", "nobody") + end,
    status: 404,
    code: "model_not_found",
    says: /nobody/
  },
  {
    what: "no last boundary",
    body: file("ID3") + field("model", "smart"),
    code: "invalid_form",
    says: /last boundary/
  },
  {
    what: "no boundary",
    body: whole,
    headers: { "content-type": "multipart/form-data" },
    code: "invalid_form",
    says: /no boundary/
  },
  {
    what: "another boundary",
    body: whole,
    headers: { "content-type": "multipart/form-data; boundary=c" },
    code: "invalid_form",
    says: /before its first/
  },
  { what: "no body", body: "", code: "empty_body", says: /no body/ },
  { what: "JSON that says it is a form", body: '{"model":"smart"}', code: "invalid_form", says: /before its first/ },
  {
    what: "very many fields",
    body: field("a", "1").repeat(10_000) + end,
    code: "too_many_fields",
    says: /more than 1000/
  },
  {
    what: "a huge field",
    body: field("prompt", "x".repeat(2_000_000)) + end,
    code: "field_too_large",
    says: /"prompt"/
  },
  {
    what: "a form that is too large",
    body: file("x".repeat(3_000_000)) + end,
    status: 413,
    code: "request_too_large",
    says: /2500000/
  },
  {
    what: "no known packing",
    body: whole,
    headers: { "content-encoding": "compress" },
    status: 415,
    code: "unsupported_encoding",
    says: /gzip/
  },
  {
    what: "what is not packed as it says",
    body: whole,
    headers: { "content-encoding": "gzip" },
    code: "invalid_encoding",
    says: /not packed/
  },
  {
    what: "a form packed to nothing",
    body: gzipSync(file("\0".repeat(2_400_000)) + end),
    headers: { "content-encoding": "gzip" },
    status: 413,
    code: "request_too_large",
    says: /unpacks to more than/
  },
  {
    what: "a stream that is neither on nor off",
    body: field("stream", "maybe") + whole,
    code: "invalid_request",
    says: /stream: expected true or false/
  },
  {
    what: "where to send it",
    body: field("api_base", "http://evil") + whole,
    code: "field_not_allowed",
    param: "api_base",
    says: /leave out api_base/
  },
  {
    what: "where to send it, in brackets",
    body: field("extra_body[api_base]", "http://evil") + whole,
    code: "field_not_allowed",
    param: "extra_body.api_base",
    says: /extra_body.api_base/
  },
  {
    what: "where to send it, in a text",
    body: field("metadata", '{"api_base":"http://evil"}') + whole,
    code: "field_not_allowed",
    param: "metadata.api_base",
    says: /metadata.api_base/
  },
  {
    what: "a control that makes no sense",
    body: field("num_retries", "many") + whole,
    code: "invalid_control",
    says: /num_retries/
  },
  {
    what: "a form for a chat",
    body: whole,
    path: "/v1/chat/completions",
    status: 415,
    code: "unsupported_media_type",
    says: /application\/json\)$/
  },
  {
    what: "a form for new images",
    body: whole,
    path: "/v1/images/generations",
    status: 415,
    code: "unsupported_media_type",
    says: /application\/json\)$/
  },
  {
    what: "a form of another kind",
    body: "model=smart",
    headers: { "content-type": "application/x-www-form-urlencoded" },
    status: 415,
    code: "unsupported_media_type",
    says: /multipart\/form-data/
  },
  {
    what: "mixed parts",
    body: whole,
    headers: { "content-type": "multipart/mixed; boundary=b" },
    status: 415,
    code: "unsupported_media_type",
    says: /multipart\/form-data/
  }
]

let scope: Scope.CloseableScope
let up: FakeProvider.FakeProvider
let gateway: Gateway

beforeAll(async () => {
  scope = Effect.runSync(Scope.make())
  const make = Effect.gen(function* () {
    up = yield* FakeProvider.make({ name: "up" })
    gateway = yield* G.start([up], { server: { maxUpload: 2_500_000, replayBytes: 1000 } })
  })
  await Effect.runPromise(Scope.extend(make, scope))
})

afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))

describe("a form that is refused", () => {
  it.live.each(bad)("$what", ({ body, code, headers = {}, param, path = transcriptions, says, status = 400 }) =>
    Effect.gen(function* () {
      const answer = yield* G.post(gateway, path, body, { "content-type": type, ...headers })
      G.assertError(answer, { status, code })
      const error = G.errorIn(answer.text)
      assert.match(String(error.message), says)
      if (param !== undefined) assert.strictEqual(error.param, param)
    })
  )

  it.scopedLive("two gigabytes are refused before they are sent", () =>
    Effect.gen(function* () {
      const client = yield* Raw.connectTo(gateway)
      const head = [
        `POST ${transcriptions} HTTP/1.1`,
        "host: x",
        `authorization: Bearer ${G.masterKey}`,
        `content-type: ${type}`,
        "content-length: 2147483648",
        "",
        ""
      ]
      client.send(head.join("\r\n") + file("ID3").slice(0, -2))
      const [answer] = yield* client.answers(1)
      assert.strictEqual(answer?.status, 413)
      assert.strictEqual(G.errorIn(String(answer?.text)).code, "request_too_large")
    })
  )

  it.scopedLive("a client that asks first is told to send a form, and not to send one that is too large", () =>
    Effect.gen(function* () {
      for (const [length, status] of [
        [2_400_000, 100],
        [2_600_000, 413]
      ]) {
        const client = yield* Raw.connectTo(gateway)
        const head = [
          `POST ${transcriptions} HTTP/1.1`,
          "host: x",
          `authorization: Bearer ${G.masterKey}`,
          `content-type: ${type}`,
          `content-length: ${length}`,
          "expect: 100-continue",
          "",
          ""
        ]
        client.send(head.join("\r\n"))
        assert.strictEqual((yield* client.answers(1))[0]?.status, status)
      }
    })
  )

  it.scopedLive(
    "a form that all but stops is late, and one that comes slowly is not, whatever time other bodies have",
    () =>
      Effect.gen(function* () {
        const hasty = yield* G.start([up], { server: { requestTimeout: "300 millis", headersTimeout: "200 millis" } })
        const headers = { authorization: `Bearer ${G.masterKey}`, "content-type": type, "transfer-encoding": "chunked" }
        const clients = [yield* Raw.connectTo(hasty), yield* Raw.connectTo(hasty)] as const
        const [silent, slow] = clients
        for (const client of clients)
          client.send(Raw.head("POST", transcriptions, headers) + chunked(file("ID3").slice(0, -2)))
        for (let sent = 0; sent < 12; sent++) {
          slow.send(chunked("x".repeat(20_000)))
          yield* Effect.promise(() => new Promise((resume) => setTimeout(resume, 100)))
        }
        slow.send(`${chunked(`\r\n${field("model", "nobody")}${end}`)}0\r\n\r\n`)
        assert.strictEqual((yield* slow.answers(1))[0]?.status, 404)
        assert.strictEqual((yield* silent.answers(1))[0]?.status, 408)
        yield* silent.closed
        yield* G.holdsNothing(hasty)
      })
  )

  it.live("nothing of them was asked of a provider, and nothing is held", () =>
    Effect.gen(function* () {
      assert.strictEqual(up.stats().requests, 0)
      yield* G.holdsNothing(gateway)
    })
  )
})
