/**
 * What clients send at the edge: packed bodies, paths in every spelling, keys in every header, pages of other origins, and
 * sockets that are closed on one side. One gateway serves all of it.
 */
import { brotliCompressSync, constants, deflateRawSync, deflateSync, gzipSync } from "node:zlib"
import { assert, describe, it } from "@effect/vitest"
import type { Gateway } from "@switchyard/gateway/Gateway"
import * as FakeProvider from "@switchyard/testing/FakeProvider"
import { Effect, Exit, Scope } from "effect"
import OpenAI, { AzureOpenAI } from "openai"
import { afterAll, beforeAll } from "vitest"
import {
  assertError,
  authorized,
  deploymentOf,
  errorIn,
  masterKey,
  messages,
  post,
  start
} from "../support/gateways.js"
import { connectTo, head, parseResponses } from "../support/rawHttp.js"

const hot = "/v1/chat/completions"
const good = JSON.stringify({ model: "smart", messages })
const maxBody = 200_000

let scope: Scope.CloseableScope
let upstream: FakeProvider.FakeProvider
let gateway: Gateway

beforeAll(async () => {
  scope = Effect.runSync(Scope.make())
  const make = Effect.gen(function* () {
    upstream = yield* FakeProvider.make({ name: "one" })
    gateway = yield* start([], {
      deployments: [deploymentOf(upstream), deploymentOf(upstream, { id: "slashed", group: "org/smart" })],
      keys: [{ name: "team", key: "sk-team-0123456789", groups: ["smart"] }],
      requests: { forwardHeaders: true },
      server: { maxBodyBytes: maxBody, cors: ["https://app.example", "http://localhost:3000/"] }
    })
  })
  await Effect.runPromise(Scope.extend(make, scope))
})

afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))

/** What the upstream got since `use` began. */
const seen = <A>(use: Effect.Effect<A, never, Scope.Scope>) =>
  Effect.gen(function* () {
    const before = upstream.journal().length
    const value = yield* use
    return { value, sent: upstream.journal().slice(before) }
  })

const raw = (bytes: string | Uint8Array, options: { readonly allowHalfOpen?: boolean } = {}) =>
  Effect.gen(function* () {
    const client = yield* connectTo(gateway, options)
    client.send(bytes)
    return client
  })

const whole = (path: string, headers: Readonly<Record<string, string | number | undefined>> = {}, method = "POST") =>
  head(method, path, { ...authorized, "content-length": good.length, ...headers }) + good

const one = (bytes: string) =>
  Effect.gen(function* () {
    const client = yield* raw(bytes)
    const [answer] = yield* client.answers(1)
    if (answer === undefined) throw new Error("no answer")
    return answer
  })

const mark = Buffer.from([0xef, 0xbb, 0xbf])

const packings: ReadonlyArray<readonly [encoding: string, bytes: Uint8Array]> = [
  ["gzip", gzipSync(good)],
  ["GZIP", gzipSync(good)],
  ["x-gzip", gzipSync(good)],
  ["identity, gzip", gzipSync(good)],
  ["deflate", deflateSync(good)],
  ["deflate", deflateRawSync(good)],
  ["br", brotliCompressSync(good)],
  ["Identity", Buffer.from(good)],
  ["gzip", gzipSync(Buffer.concat([mark, Buffer.from(good)]))],
  ["identity", Buffer.concat([mark, Buffer.from(good)])]
]

describe("a body", () => {
  it.scopedLive(
    "packed with gzip, deflate or br, or with a byte order mark before it, is read as if it were plain",
    () =>
      Effect.gen(function* () {
        for (const [encoding, bytes] of packings) {
          const { sent, value } = yield* seen(post(gateway, hot, bytes, { "content-encoding": encoding }))
          assert.strictEqual(value.status, 200, `${encoding}: ${value.text}`)
          assert.deepInclude(sent[0]?.body, { model: "one-model", messages })
          assert.isUndefined(sent[0]?.headers["content-encoding"])
        }
      })
  )

  it.scopedLive(
    "that unpacks to more than the bound, or to more than a hundred times what was sent, is refused: 413",
    () =>
      Effect.gen(function* () {
        const filled = (length: number) => JSON.stringify({ model: "smart", messages, x: "y".repeat(length) })
        const noise = Array.from({ length: 60_000 }, (_, i) => String.fromCharCode(48 + ((i * i) % 75))).join("")
        const fits = JSON.stringify({ model: "smart", messages, x: noise })
        for (const [text, status] of [
          [filled(maxBody), 413],
          [filled(50_000_000), 413],
          [filled(150_000), 413],
          [filled(60_000), 200],
          [fits, 200]
        ] as const) {
          for (const [encoding, pack] of [
            ["gzip", gzipSync],
            ["br", (plain: string) => brotliCompressSync(plain, { params: { [constants.BROTLI_PARAM_QUALITY]: 4 } })],
            ["deflate", deflateSync]
          ] as const) {
            const answer = yield* post(gateway, hot, pack(text), { "content-encoding": encoding })
            if (status === 413) assertError(answer, { status, code: "request_too_large" })
            else assert.strictEqual(answer.status, 200, `${encoding} ${text.length}: ${answer.text}`)
          }
        }
      })
  )

  it.scopedLive("that is not packed as it says, or is cut off, is refused: 400; an empty one is empty", () =>
    Effect.gen(function* () {
      const cut = gzipSync(good).subarray(0, -12)
      for (const bytes of [Buffer.from(good), cut, Buffer.from([1])]) {
        const answer = yield* post(gateway, hot, bytes, { "content-encoding": "gzip" })
        assertError(answer, { status: 400, code: "invalid_encoding" })
      }
      const empty = yield* post(gateway, hot, "", { "content-encoding": "gzip" })
      assertError(empty, { status: 400, code: "empty_body" })
    })
  )
})

const spellings: ReadonlyArray<readonly [path: string, model?: string]> = [
  ["/v1/chat/completions"],
  ["/chat/completions?x=1"],
  ["/v1/chat/completions/"],
  ["//v1/chat/completions"],
  ["/v1//chat/completions//?a=b"],
  ["/openai/v1/chat/completions?api-version=preview"],
  ["/openai/chat/completions"],
  ["http://other.example/v1/chat/completions"],
  ["HTTP://localhost:80//v1/chat/completions/"],
  ["/engines/smart/chat/completions", "other"],
  ["/v1/engines/smart/chat/completions/", "other"],
  ["/openai/deployments/smart/chat/completions?api-version=2024-10-21", "other"],
  ["/openai/deployments/org%2Fsmart/chat/completions", "other"],
  ["/openai/deployments/org/smart/chat/completions/", "other"],
  ["/v1/deployments/smart/chat/completions", "other"],
  ["//openai//deployments/smart/chat/completions/?api-version=x", "other"]
]

describe("a path", () => {
  it.scopedLive("means the same in every spelling that clients send, and names the model where it holds one", () =>
    Effect.gen(function* () {
      for (const [path, model = "smart"] of spellings) {
        const body = JSON.stringify({ model, messages })
        const answer = yield* one(head("POST", path, { ...authorized, "content-length": body.length }) + body)
        assert.strictEqual(answer.status, 200, `${path}: ${answer.text}`)
        const group = path.includes("org") ? "org/smart" : "smart"
        assert.strictEqual(answer.headers["x-switchyard-group"], group, path)
      }
    })
  )

  it.scopedLive("of a model needs none in the body, and a key keeps to its groups there too", () =>
    Effect.gen(function* () {
      const path = (model: string, ending: string) => `/openai/deployments/${model}/${ending}`
      const bare = yield* post(gateway, path("smart", "chat/completions"), { messages })
      assert.strictEqual(bare.status, 200)
      const completion = yield* post(gateway, path("smart", "completions"), { prompt: "Hi" })
      assert.strictEqual((JSON.parse(completion.text) as { object: string }).object, "text_completion")
      assert.strictEqual((yield* post(gateway, path("smart", "embeddings"), { input: "Hi" })).status, 200)
      assertError(yield* post(gateway, path("nobody", "completions"), { prompt: "Hi" }), {
        status: 404,
        code: "model_not_found"
      })
      const foreign = yield* post(
        gateway,
        path("org/smart", "chat/completions"),
        { model: "smart", messages },
        { authorization: "Bearer sk-team-0123456789" }
      )
      assertError(foreign, { status: 403, code: "model_not_allowed" })
    })
  )

  it.scopedLive("that nobody knows, and a method that a path does not take, are answered alike wherever they are", () =>
    Effect.gen(function* () {
      const ids = { "x-request-id": "stray" }
      for (const [method, path] of [
        ["POST", "/v1/assistants"],
        ["POST", "/v1/images/videos/"],
        ["GET", "/v1/nothing"],
        ["POST", "/openai/deployments/smart/audio/songs"],
        ["DELETE", "/v2"],
        ["POST", "/v1/models/veo-3:predictLongRunning"]
      ] as const) {
        const answer = yield* one(whole(path, ids, method))
        assertError(answer, { status: 404, code: "unknown_url" })
        assert.include(String(errorIn(answer.text).message), `Unknown request URL: ${method} /`)
        assert.strictEqual(answer.headers["x-request-id"], "stray")
      }
      for (const [method, path, allow] of [
        ["GET", hot, "POST"],
        ["PUT", "/openai/deployments/smart/embeddings", "POST"],
        ["OPTIONS", "/v1/models", "GET, HEAD"],
        ["PATCH", "/engines/smart/completions/", "POST"],
        ["POST", "/v1/models/smart", "GET, HEAD"]
      ] as const) {
        const answer = yield* one(whole(path, { ...ids, authorization: undefined }, method))
        assertError(answer, { status: 405, code: "method_not_allowed" })
        assert.strictEqual(answer.headers["allow"], allow)
        assert.strictEqual(answer.headers["x-request-id"], "stray")
      }
    })
  )

  it.scopedLive("of the list of models has the same spellings", () =>
    Effect.gen(function* () {
      for (const path of [
        "/v1/models",
        "/models/",
        "//v1//models",
        "/openai/v1/models",
        "/openai/models?api-version=x"
      ]) {
        const answer = yield* one(head("GET", path, authorized))
        assert.strictEqual(answer.status, 200, path)
        assert.include(answer.text, "org/smart")
      }
      assert.strictEqual((yield* one(head("GET", "/openai/v1/models/org/smart", authorized))).status, 200)
    })
  )
})

const team = "sk-team-0123456789"

describe("a key", () => {
  it.scopedLive("is found in every header that clients put it into, and no such header reaches a provider", () =>
    Effect.gen(function* () {
      const carriers: ReadonlyArray<Readonly<Record<string, string>>> = [
        { authorization: `Bearer ${team}` },
        { "x-litellm-api-key": team },
        { "x-litellm-api-key": `Bearer ${team}`, authorization: "Bearer of-another-program" },
        { "x-goog-api-key": team },
        { "ocp-apim-subscription-key": team },
        { "Ocp-Apim-Subscription-Key": team, authorization: "Basic eDp5" },
        { "api-key": team },
        { "x-api-key": team }
      ]
      for (const headers of carriers) {
        const { sent, value } = yield* seen(one(whole(hot, { authorization: undefined, ...headers })))
        assert.strictEqual(value.status, 200, JSON.stringify(headers))
        const reached = Object.entries(sent[0]?.headers ?? {})
        assert.isFalse(
          reached.some(([, text]) => String(text).includes(team)),
          JSON.stringify(reached)
        )
        assert.isEmpty(reached.filter(([name]) => /api-key|subscription|litellm/.test(name)))
      }
    })
  )

  it.scopedLive("that is missing, and one that is unknown: one code each, on every endpoint", () =>
    Effect.gen(function* () {
      const endpoints: ReadonlyArray<readonly [string, string]> = [
        ["POST", hot],
        ["POST", "/openai/deployments/smart/embeddings"],
        ["GET", "/v1/models"],
        ["GET", "/admin/config"]
      ]
      for (const headers of [{}, { "x-api-key": "wrong" }]) {
        const errors: Array<unknown> = []
        for (const [method, path] of endpoints) {
          const answer = yield* one(whole(path, { authorization: undefined, ...headers }, method))
          assertError(answer, { status: 401, code: "invalid_api_key" })
          assert.isDefined(answer.headers["x-request-id"])
          errors.push(errorIn(answer.text))
        }
        for (const error of errors) assert.deepStrictEqual(error, errors[0])
      }
    })
  )
})

const promise = <A>(run: () => PromiseLike<A>): Effect.Effect<A> => Effect.promise(run)

const text = async (chunks: AsyncIterable<OpenAI.Chat.Completions.ChatCompletionChunk>): Promise<string> => {
  let joined = ""
  for await (const { choices } of chunks) joined += choices[0]?.delta.content ?? ""
  return joined
}

describe("AzureOpenAI", () => {
  const user = [{ role: "user" as const, content: "Hi" }]

  it.scopedLive("chat, a stream and embeddings, by an endpoint with deployments in its paths and by a base URL", () =>
    Effect.gen(function* () {
      const settings = { apiKey: masterKey, apiVersion: "2024-10-21" }
      const clients = [
        new AzureOpenAI({ ...settings, endpoint: gateway.url }),
        new AzureOpenAI({ ...settings, endpoint: `${gateway.url}/`, deployment: "smart" }),
        new AzureOpenAI({ ...settings, baseURL: `${gateway.url}/openai` }),
        new OpenAI({ apiKey: masterKey, baseURL: `${gateway.url}/openai/v1/` })
      ]
      for (const client of clients) {
        const answer = yield* promise(() => client.chat.completions.create({ model: "smart", messages: user }))
        assert.strictEqual(answer.choices[0]?.message.content, "Hello from one")
        const streamed = yield* promise(async () =>
          text(await client.chat.completions.create({ model: "smart", messages: user, stream: true }))
        )
        assert.strictEqual(streamed, "Hello from one")
        const vectors = yield* promise(() => client.embeddings.create({ model: "smart", input: ["a", "b"] }))
        assert.strictEqual(vectors.data.length, 2)
      }
    })
  )
})

describe("a page of another origin", () => {
  const preflight = (path: string, origin: string, more: Readonly<Record<string, string>> = {}) =>
    head("OPTIONS", path, {
      origin,
      "access-control-request-method": "POST",
      "access-control-request-headers": "authorization,content-type,x-stainless-os,x-stainless-retry-count",
      ...more
    })

  it.scopedLive("that is listed may ask, with the headers that SDKs send, and read the answer and its headers", () =>
    Effect.gen(function* () {
      for (const origin of ["https://app.example", "http://localhost:3000"]) {
        for (const path of [hot, "/v1/models", "/openai/deployments/smart/chat/completions?api-version=1"]) {
          const asked = yield* one(preflight(path, origin, { "access-control-request-private-network": "true" }))
          assert.strictEqual(asked.status, 204)
          assert.include(asked.headers, {
            "access-control-allow-origin": origin,
            "access-control-allow-headers": "authorization,content-type,x-stainless-os,x-stainless-retry-count",
            "access-control-allow-private-network": "true",
            vary: "origin"
          })
          assert.include(String(asked.headers["access-control-allow-methods"]), "POST")
        }
        for (const bytes of [whole(hot, { origin }), whole(hot, { origin, authorization: undefined })]) {
          const answer = yield* one(bytes)
          assert.strictEqual(answer.headers["access-control-allow-origin"], origin)
          assert.include(String(answer.headers["access-control-expose-headers"]), "x-request-id")
          assert.isUndefined(answer.headers["access-control-allow-credentials"])
        }
        const models = yield* one(head("GET", "/v1/models", { ...authorized, origin }))
        assert.strictEqual(models.headers["access-control-allow-origin"], origin)
        const stream = yield* post(gateway, hot, { model: "smart", messages, stream: true }, { origin })
        assert.strictEqual(stream.headers["access-control-allow-origin"], origin)
      }
    })
  )

  it.scopedLive("that is not, gets no leave; nor does anybody for the admin endpoints", () =>
    Effect.gen(function* () {
      for (const origin of ["https://app.example.evil", "http://app.example", "https://app.example:444", "null"]) {
        const asked = yield* one(preflight(hot, origin))
        assert.strictEqual(asked.status, 405)
        for (const answer of [asked, yield* one(whole(hot, { origin }))]) {
          assert.isUndefined(answer.headers["access-control-allow-origin"])
        }
      }
      const admin = yield* one(preflight("/admin/config", "https://app.example"))
      assert.isUndefined(admin.headers["access-control-allow-origin"])
    })
  )

  it.scopedLive(
    "may be any with `*`, and is none by default; without keys `*` opens the gateway to no other site",
    () =>
      Effect.gen(function* () {
        const any = yield* start([upstream], { server: { cors: "*" } })
        const none = yield* start([upstream])
        const open = yield* start([upstream], { masterKey: undefined, server: { cors: ["*", "https://app.example"] } })
        const ask = (to: Gateway, bytes: string) =>
          Effect.gen(function* () {
            const client = yield* connectTo(to)
            client.send(bytes)
            return (yield* client.answers(1))[0]
          })
        const origin = "https://app.example"
        const foreign = "https://evil.example"
        assert.include((yield* ask(any, preflight(hot, origin)))?.headers, { "access-control-allow-origin": "*" })
        assert.isUndefined((yield* ask(none, preflight(hot, origin)))?.headers["access-control-allow-origin"])
        const json = { authorization: undefined, "content-length": good.length }
        const send = (more: Readonly<Record<string, string>>) => head("POST", hot, { ...json, ...more }) + good
        assert.strictEqual((yield* ask(open, send({ origin: foreign })))?.status, 403)
        assert.strictEqual((yield* ask(open, send({ origin })))?.status, 200)
        // A page of another local port, which browsers let send such bodies without asking.
        for (const type of ["text/plain", "Text/Plain;charset=UTF-8", "application/x-www-form-urlencoded", ""]) {
          const simple = yield* ask(open, send({ origin: "http://127.0.0.1:3000", "content-type": type }))
          assert.strictEqual(simple?.status, 403, type)
        }
        const own = { host: `127.0.0.1:${open.port}`, origin: open.url, "content-type": "text/plain" }
        assert.strictEqual((yield* ask(open, send(own)))?.status, 200)
        const act = head("POST", "/admin/deployments/one/reset", {
          origin: "http://localhost:3000",
          "content-type": ""
        })
        assert.strictEqual((yield* ask(open, act))?.status, 403)
      })
  )
})

describe("a socket", () => {
  const broken = "GARBAGE\r\n\r\n"

  it.scopedLive(
    "that brings nonsense after a good request: the good one has its own answer, then the socket closes",
    () =>
      Effect.gen(function* () {
        for (const requests of [1, 2]) {
          yield* upstream.next({ latencyMs: 40 })
          const client = yield* raw(whole(hot).repeat(requests) + broken)
          yield* client.closed
          const { answers } = parseResponses(client.received())
          assert.deepStrictEqual(
            answers.map(({ status }) => status),
            Array.from({ length: requests }, () => 200)
          )
        }
        const after = yield* raw(whole(hot))
        yield* after.answers(1)
        after.send(broken)
        assertError((yield* after.answers(2))[1] ?? { headers: {}, status: 0, text: "" }, {
          status: 400,
          code: "bad_request"
        })
      })
  )

  it.scopedLive("with two Host headers, or a transfer encoding that is not chunked, is turned away and closed", () =>
    Effect.gen(function* () {
      const lines = (more: string, host = "a") =>
        `POST ${hot} HTTP/1.1\r\nhost: ${host}\r\n${more}authorization: Bearer ${masterKey}\r\ncontent-type: application/json\r\n`
      const sized = `content-length: ${good.length}\r\n\r\n${good}`
      const chunked = `\r\n${good.length.toString(16)}\r\n${good}\r\n0\r\n\r\n`
      for (const [bytes, status] of [
        [lines("Host: a\r\n") + sized, 400],
        [lines("HOST: b\r\n") + sized, 400],
        [lines("", "a, b") + sized, 400],
        [lines("", "a/b") + sized, 400],
        [lines("", "user@a") + sized, 400],
        [lines("", "[::1]:4000") + sized, 200],
        [lines("", "a.example:4000") + sized, 200],
        [`${lines("transfer-encoding: gzip, chunked\r\n")}${chunked}`, 501],
        [`${lines("transfer-encoding: Chunked\r\n")}${chunked}`, 200]
      ] as const) {
        const client = yield* raw(bytes)
        const [answer] = yield* client.answers(1)
        assert.strictEqual(answer?.status, status, bytes)
        assert.isDefined(answer?.headers["x-request-id"])
        if (status === 200) continue
        errorIn(answer?.text ?? "")
        yield* client.closed
      }
    })
  )

  it.scopedLive("whose client has closed its side after the request still brings the answer, also to a slow one", () =>
    Effect.gen(function* () {
      for (const latencyMs of [0, 80]) {
        for (const stream of [false, true]) {
          yield* upstream.next({ latencyMs })
          const body = JSON.stringify({ model: "smart", messages, stream })
          const client = yield* raw(head("POST", hot, { ...authorized, "content-length": body.length }) + body, {
            allowHalfOpen: true
          })
          client.socket.end()
          yield* client.closed
          const answers = parseResponses(client.received()).answers.filter(({ status }) => status >= 200)
          assert.deepStrictEqual(
            answers.map(({ status }) => status),
            [200]
          )
          assert.include(answers[0]?.text, stream ? "[DONE]" : "Hello from one")
        }
      }
    })
  )
})
