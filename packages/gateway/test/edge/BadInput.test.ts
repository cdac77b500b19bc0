/**
 * What a gateway must put up with from clients and upstreams: each gets a clear answer or a bounded end, and the next
 * request is answered as if nothing had been.
 */
import { assert, describe, it } from "@effect/vitest"
import type { Gateway } from "@switchyard/gateway/Gateway"
import * as FakeProvider from "@switchyard/testing/FakeProvider"
import { Effect, type Scope } from "effect"
import {
  type Answer,
  answersWell,
  assertError,
  authorized,
  chat,
  errorIn,
  eventually,
  isSound,
  messages,
  post,
  start
} from "../support/gateways.js"
import { connectTo, head, parseResponses, type RawClient, rawUpstream } from "../support/rawHttp.js"

interface Running {
  readonly gateway: Gateway
  readonly upstream: FakeProvider.FakeProvider
}

/** Runs a test against a gateway before one fake upstream, and then makes sure that the gateway is sound. */
const against = (
  settings: Parameters<typeof start>[1],
  use: (running: Running) => Effect.Effect<void, never, Scope.Scope>
) =>
  Effect.gen(function* () {
    const upstream = yield* FakeProvider.make({ name: "one" })
    const gateway = yield* start([upstream], settings)
    yield* Effect.scoped(use({ gateway, upstream }))
    yield* isSound(gateway)
  })

const hot = "/v1/chat/completions"

const good = JSON.stringify({ model: "smart", messages })

const wholeRequest = (body: string, headers: Readonly<Record<string, string | number | undefined>> = {}): string =>
  head("POST", hot, { ...authorized, "content-length": Buffer.byteLength(body), ...headers }) + body

const firstAnswer = (client: RawClient): Effect.Effect<Answer> =>
  Effect.map(client.answers(1), ([answer]) => {
    if (answer === undefined) throw new Error("no answer")
    return answer
  })

const bodies: ReadonlyArray<readonly [name: string, body: unknown, status: number, code: string]> = [
  ["malformed JSON", '{"model": "smart", "messages": [', 400, "invalid_json"],
  ["JSON that is no object", "[1,2,3]", 400, "invalid_json"],
  ["JSON that is a bare null", "null", 400, "invalid_json"],
  ["an empty body", "", 400, "empty_body"],
  [
    "invalid UTF-8",
    Buffer.from([...Buffer.from('{"model":"smart","x":"'), 0xc3, 0x28, 0x22, 0x7d]),
    400,
    "invalid_utf8"
  ],
  ["objects nested 100,000 deep", `${'{"a":'.repeat(100_000)}1${"}".repeat(100_000)}`, 400, "too_deep"],
  [
    "lists nested 100,000 deep inside the messages",
    `{"model":"smart","messages":${"[".repeat(100_000)}${"]".repeat(100_000)}}`,
    400,
    "too_deep"
  ],
  [
    "lists nested too deep under a name that stands twice, of which parsing keeps the other",
    `{"model":"smart","messages":[{"role":"user","content":"hi"}],"x":{"a":${"[".repeat(100)}1${"]".repeat(100)},"a":2}}`,
    400,
    "too_deep"
  ],
  [
    "the same in a long body",
    `{"model":"smart","messages":[{"role":"user","content":"${"long ".repeat(2_000)}"}],"x":{"a":${"[".repeat(100)}1${"]".repeat(100)},"a":2}}`,
    400,
    "too_deep"
  ],
  ["no model", { messages }, 400, "invalid_request"],
  ["a model that is a number", { model: 7, messages }, 400, "invalid_request"],
  ["an empty model", { model: "", messages }, 400, "invalid_request"],
  ["no messages", { model: "smart" }, 400, "invalid_request"],
  ["messages that are a text", { model: "smart", messages: "hi" }, 400, "invalid_request"],
  ["an empty list of messages", { model: "smart", messages: [] }, 400, "invalid_request"],
  ["a message that is a number", { model: "smart", messages: [1] }, 400, "invalid_request"],
  ["stream as a text", { model: "smart", messages, stream: "yes" }, 400, "invalid_request"],
  ["an unknown model", { model: "nobody-has-this", messages }, 404, "model_not_found"],
  ["a model named like a member of every object", { model: "__proto__", messages }, 404, "model_not_found"],
  ["a negative timeout", { model: "smart", messages, timeout: -1 }, 400, "invalid_control"],
  ["tags that are an object", { model: "smart", messages, metadata: { tags: { a: 1 } } }, 400, "invalid_control"],
  ["fallbacks that are a number", { model: "smart", messages, fallbacks: 3 }, 400, "invalid_control"]
]

describe("a request whose body makes no sense", () => {
  for (const [name, body, status, code] of bodies) {
    it.scopedLive(`${name}: ${status} ${code}, and no upstream hears of it`, () =>
      against({}, ({ gateway, upstream }) =>
        Effect.gen(function* () {
          assertError(yield* post(gateway, hot, body), { status, code })
          assert.strictEqual(upstream.stats().requests, 0)
        })
      )
    )
  }

  it.scopedLive("the refusal of a wrong value does not repeat megabytes of it", () =>
    against({}, ({ gateway }) =>
      Effect.gen(function* () {
        const long = "x".repeat(2_000_000)
        for (const body of [
          { model: "smart", messages: long },
          { model: "smart", messages: [long] },
          { model: long, messages },
          { model: "smart", messages: Array.from({ length: 20_000 }, () => 1) },
          { model: "smart", messages, timeout: long }
        ]) {
          const answer = yield* post(gateway, hot, body)
          assert.isTrue(answer.status === 400 || answer.status === 404)
          errorIn(answer.text)
          assert.isBelow(answer.text.length, 10_000)
        }
      })
    )
  )

  it.scopedLive("a form, and an encoding that nobody knows, are not read: 415", () =>
    against({}, ({ gateway, upstream }) =>
      Effect.gen(function* () {
        for (const encoding of ["compress", "gzip, br", "__proto__"]) {
          assertError(yield* post(gateway, hot, good, { "content-encoding": encoding }), {
            status: 415,
            code: "unsupported_encoding"
          })
        }
        for (const type of ["Multipart/form-data; boundary=x", "application/X-WWW-form-urlencoded"]) {
          assertError(yield* post(gateway, hot, good, { "content-type": type }), {
            status: 415,
            code: "unsupported_media_type"
          })
        }
        assert.strictEqual(upstream.stats().requests, 0)
      })
    )
  )
})

describe("a key", () => {
  it.scopedLive("a missing one and a wrong one: 401, before the body is looked at", () =>
    against({}, ({ gateway, upstream }) =>
      Effect.gen(function* () {
        for (const authorization of ["", "Bearer sk-wrong", "Basic abc", "Bearer"]) {
          const answer = yield* post(gateway, hot, "{no json", { authorization })
          assertError(answer, { status: 401, code: "invalid_api_key" })
          assert.strictEqual(answer.headers["www-authenticate"], "Bearer")
          assert.notInclude(answer.text, "sk-wrong")
        }
        assert.strictEqual(upstream.stats().requests, 0)
      })
    )
  )

  it.scopedLive("none configured: a foreign Host or Origin gets 403, this machine's own are served", () =>
    Effect.gen(function* () {
      const upstream = yield* FakeProvider.make({ name: "one" })
      const gateway = yield* start([upstream], { masterKey: undefined })
      assert.isTrue(gateway.isOpen)
      const refused = [
        { host: "evil.example" },
        { host: `evil.example:${gateway.port}` },
        { host: "127.0.0.1.evil.example" },
        { host: "localhost", origin: "https://evil.example" },
        { host: "localhost", origin: "null" }
      ]
      for (const headers of refused) {
        const client = yield* connectTo(gateway)
        client.send(wholeRequest(good, { authorization: undefined, ...headers }))
        assertError(yield* firstAnswer(client), { status: 403, code: "loopback_only" })
      }
      for (const host of ["127.0.0.1@evil.example", ""]) {
        const client = yield* connectTo(gateway)
        client.send(wholeRequest(good, { authorization: undefined, host }))
        assert.include([400, 403], (yield* firstAnswer(client)).status)
      }
      assert.strictEqual(upstream.stats().requests, 0)
      for (const headers of [{}, { origin: "http://localhost:3000" }, { host: `[::1]:${gateway.port}` }]) {
        const client = yield* connectTo(gateway)
        client.send(wholeRequest(good, { authorization: undefined, ...headers }))
        assert.strictEqual((yield* firstAnswer(client)).status, 200)
      }
      yield* isSound(gateway)
    })
  )
})

describe("a body that is too large, too slow or never whole", () => {
  const small = { server: { maxBodyBytes: 1000 } }

  it.scopedLive("a length that is announced above the bound: 413 before a byte of it is read", () =>
    against(small, ({ gateway }) =>
      Effect.gen(function* () {
        const client = yield* connectTo(gateway)
        client.send(head("POST", hot, { ...authorized, "content-length": 1001 }))
        assertError(yield* firstAnswer(client), { status: 413, code: "request_too_large" })
      })
    )
  )

  it.scopedLive(
    "a body that grows beyond the bound chunk by chunk: 413 as soon as it does, and the rest is dropped",
    () =>
      against(small, ({ gateway, upstream }) =>
        Effect.gen(function* () {
          const client = yield* connectTo(gateway)
          client.send(head("POST", hot, { ...authorized, "transfer-encoding": "chunked" }))
          const chunk = `1f4\r\n${"x".repeat(500)}\r\n`
          client.send(chunk + chunk + chunk)
          assertError(yield* firstAnswer(client), { status: 413, code: "request_too_large" })
          client.send(`${chunk}0\r\n\r\n${wholeRequest(good)}`)
          assert.strictEqual((yield* client.answers(2))[1]?.status, 200)
          assert.strictEqual(upstream.stats().requests, 1)
        })
      )
  )

  it.scopedLive("a body exactly as large as the bound is served", () =>
    against(small, ({ gateway }) =>
      Effect.gen(function* () {
        const answer = yield* post(gateway, hot, good.padEnd(1000, " "))
        assert.strictEqual(answer.status, 200)
      })
    )
  )

  it.scopedLive(
    "Expect: 100-continue with a length above the bound: 413 and no go-ahead; below it the go-ahead comes",
    () =>
      against(small, ({ gateway }) =>
        Effect.gen(function* () {
          const large = yield* connectTo(gateway)
          large.send(head("POST", hot, { ...authorized, expect: "100-continue", "content-length": 5000 }))
          assertError(yield* firstAnswer(large), { status: 413, code: "request_too_large" })
          assert.notInclude(large.received().toString(), "100 Continue")
          yield* large.closed
          const fine = yield* connectTo(gateway)
          fine.send(
            head("POST", hot, { ...authorized, expect: "100-continue", "content-length": Buffer.byteLength(good) })
          )
          yield* fine.until((text) => text.includes("100 Continue"))
          fine.send(good)
          assert.strictEqual((yield* fine.answers(2))[1]?.status, 200)
        })
      )
  )

  it.scopedLive("Expect: 100-continue with a length above the default bound gets no go-ahead either", () =>
    against({}, ({ gateway }) =>
      Effect.gen(function* () {
        const client = yield* connectTo(gateway)
        client.send(head("POST", hot, { ...authorized, expect: "100-continue", "content-length": 33 * 1024 * 1024 }))
        assertError(yield* firstAnswer(client), { status: 413, code: "request_too_large" })
      })
    )
  )

  const hasty = { server: { requestTimeout: "300 millis", headersTimeout: "200 millis" } } as const

  it.scopedLive("a chunked body that never ends: 408, and the socket closes", () =>
    against(hasty, ({ gateway, upstream }) =>
      Effect.gen(function* () {
        const client = yield* connectTo(gateway)
        client.send(`${head("POST", hot, { ...authorized, "transfer-encoding": "chunked" })}5\r\n{"mod\r\n`)
        assertError(yield* firstAnswer(client), { status: 408, code: "request_timeout" })
        yield* client.closed
        assert.strictEqual(upstream.stats().requests, 0)
      })
    )
  )

  it.scopedLive("a body that goes on for ever after its refusal is given up, and the client gets one answer only", () =>
    against({ server: { ...hasty.server, maxBodyBytes: 1000 } }, ({ gateway }) =>
      Effect.gen(function* () {
        const client = yield* connectTo(gateway)
        client.send(head("POST", hot, { ...authorized, "transfer-encoding": "chunked" }))
        client.send(`7d0\r\n${"x".repeat(2000)}\r\n`)
        assertError(yield* firstAnswer(client), { status: 413, code: "request_too_large" })
        yield* client.closed
        const { answers, rest } = parseResponses(client.received())
        assert.strictEqual(answers.length, 1)
        assert.strictEqual(rest.length, 0)
      })
    )
  )

  it.scopedLive("a client that opens and never sends, and one that stops inside its headers, are let go", () =>
    against(hasty, ({ gateway }) =>
      Effect.gen(function* () {
        const silent = yield* connectTo(gateway)
        const half = yield* connectTo(gateway)
        half.send(`POST ${hot} HTTP/1.1\r\nhost: loc`)
        yield* half.closed
        yield* silent.closed
        assertError(yield* firstAnswer(half).pipe(Effect.orDie), { status: 408, code: "request_timeout" })
      })
    )
  )

  it.scopedLive("a client that is told so, stays silent and does not close its side is closed all the same", () =>
    against(hasty, ({ gateway }) =>
      Effect.gen(function* () {
        const sockets = () => process.getActiveResourcesInfo().filter((name) => name === "TCPSocketWrap").length
        const before = sockets()
        const client = yield* connectTo(gateway, { allowHalfOpen: true })
        client.send(`POST ${hot} HTTP/1.1\r\nhost: loc`)
        assertError(yield* firstAnswer(client), { status: 408, code: "request_timeout" })
        // Both ends live in this process; the client's own stays.
        yield* eventually(
          () => `the gateway's end is closed; ${sockets() - before} of two are open`,
          () => sockets() <= before + 1
        )
        assert.isFalse(client.socket.destroyed)
      })
    )
  )

  it.scopedLive("a client that leaves in the middle of its body is forgotten", () =>
    against({}, ({ gateway, upstream }) =>
      Effect.gen(function* () {
        const client = yield* connectTo(gateway)
        client.send(head("POST", hot, { ...authorized, "content-length": 1000 }) + good)
        yield* eventually(
          () => "the request is held",
          () => gateway.generations.alive() === 1 && client.socket.bytesWritten > 0
        )
        client.destroy()
        yield* client.closed
        assert.strictEqual(upstream.stats().requests, 0)
      })
    )
  )
})

describe("headers", () => {
  it.scopedLive("more of them than the bound: 431", () =>
    against({ server: { maxHeaderBytes: 2000 } }, ({ gateway }) =>
      Effect.gen(function* () {
        const client = yield* connectTo(gateway)
        client.send(wholeRequest(good, { "x-long": "x".repeat(3000) }))
        assertError(yield* firstAnswer(client), { status: 431, code: "headers_too_large" })
        yield* client.closed
      })
    )
  )

  it.scopedLive("a request line that is no HTTP: 400 in OpenAI's shape, and the socket closes", () =>
    against({}, ({ gateway }) =>
      Effect.gen(function* () {
        const broken = [
          "GARBAGE\r\n\r\n",
          `POST ${hot} HTTP/1.1\r\nhost: localhost\r\nbad header\r\n\r\n`,
          `${head("POST", hot, { ...authorized, "content-length": "-5" })}`,
          `${head("POST", hot, { ...authorized, "content-length": 5, "transfer-encoding": "chunked" })}`,
          `${head("POST", hot, { ...authorized, "transfer-encoding": "chunked" })}zz\r\n`,
          "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"
        ]
        for (const bytes of broken) {
          const client = yield* connectTo(gateway)
          client.send(bytes)
          assertError(yield* firstAnswer(client), { status: 400, code: "bad_request" })
          yield* client.closed
        }
      })
    )
  )

  it.scopedLive("no Host, and an expectation that nobody knows: answers in OpenAI's shape too", () =>
    against({}, ({ gateway, upstream }) =>
      Effect.gen(function* () {
        for (const [headers, status, code] of [
          [{ host: undefined }, 400, "bad_request"],
          [{ expect: "a miracle" }, 417, "unknown_expectation"]
        ] as const) {
          const client = yield* connectTo(gateway)
          client.send(wholeRequest(good, headers))
          assertError(yield* firstAnswer(client), { status, code })
          yield* client.closed
        }
        assert.strictEqual(upstream.stats().requests, 0)
      })
    )
  )

  const injected = "a\r\nx-injected: yes\r\n\r\n{}"

  it.scopedLive(
    "line breaks in tags, session, ids and fallbacks of the body never become headers, on either side",
    () =>
      against({}, ({ gateway, upstream }) =>
        Effect.gen(function* () {
          const answers = [
            yield* chat(gateway, { metadata: { tags: [injected], session_id: injected } }),
            yield* chat(gateway, { tags: [injected], session_id: injected, fallbacks: [injected] }),
            yield* chat(gateway, { model: injected }),
            yield* chat(gateway, { specific_deployment: injected }),
            yield* chat(gateway, { user: injected })
          ]
          for (const { headers, text } of answers) {
            assert.isUndefined(headers["x-injected"])
            if (!text.startsWith('{"id"')) errorIn(text)
          }
          for (const entry of upstream.journal()) assert.isUndefined(entry.headers["x-injected"])
        })
      )
  )

  it.scopedLive("an x-request-id comes back as it was when it is plain, and is replaced when it is not", () =>
    against({}, ({ gateway }) =>
      Effect.gen(function* () {
        assert.strictEqual((yield* chat(gateway, {}, { "x-request-id": "abc-123" })).headers["x-request-id"], "abc-123")
        for (const id of ["with space", "caf\xe9", "tab\there", "x".repeat(129)]) {
          const client = yield* connectTo(gateway)
          client.socket.write(wholeRequest(good, { "x-request-id": id, connection: "close" }), "latin1")
          const answer = yield* firstAnswer(client)
          assert.strictEqual(answer.status, 200)
          assert.match(answer.headers["x-request-id"] ?? "", /^[0-9a-f-]{36}$/)
        }
      })
    )
  )

  it.scopedLive("line breaks smuggled into a header's value do not come out again as a header", () =>
    against({}, ({ gateway }) =>
      Effect.gen(function* () {
        for (const lineBreak of ["\r", "\n", "\n ", "\r\n ", "\r\n\t", "\u010d\u010a"]) {
          for (const name of ["x-request-id", "x-switchyard-tags", "x-switchyard-session"]) {
            const client = yield* connectTo(gateway)
            const value = `a${lineBreak}x-injected: yes`
            client.socket.write(wholeRequest(good, { [name]: value, connection: "close" }), "latin1")
            const answer = yield* firstAnswer(client)
            assert.isUndefined(answer.headers["x-injected"])
            if (answer.status === 400) errorIn(answer.text)
            else if (name === "x-request-id") assert.match(answer.headers[name] ?? "", /^(a|[0-9a-f-]{36})$/)
          }
        }
      })
    )
  )

  it.scopedLive("control characters in a header are refused, and bytes beyond ASCII do no harm", () =>
    against({ requests: { forwardHeaders: true } }, ({ gateway }) =>
      Effect.gen(function* () {
        const wrong = yield* connectTo(gateway)
        wrong.send(wholeRequest(good, { "x-switchyard-tags": "a\x00b" }))
        assertError(yield* firstAnswer(wrong), { status: 400, code: "bad_request" })
        for (const header of ["x-switchyard-session", "idempotency-key", "user-agent", "x-litellm-unknown", "x-mine"]) {
          const client = yield* connectTo(gateway)
          client.socket.write(wholeRequest(good, { [header]: "\xe9\xff\x80" }), "latin1")
          const answer = yield* firstAnswer(client)
          if (answer.status !== 200) {
            assert.strictEqual(answer.status, 400)
            errorIn(answer.text)
          }
        }
      })
    )
  )

  it.scopedLive("a header of ours that does not exist, or with a wrong value, is told by name", () =>
    against({}, ({ gateway }) =>
      Effect.gen(function* () {
        for (const headers of [{ "x-switchyard-tagz": "a" }, { "x-switchyard-timeout": "soon" }]) {
          const answer = yield* chat(gateway, {}, headers)
          assertError(answer, { status: 400, code: "invalid_control" })
          assert.include(answer.text, Object.keys(headers)[0] ?? "")
        }
      })
    )
  )
})

describe("methods and paths", () => {
  it.scopedLive("HEAD, PUT, DELETE and PATCH on the hot paths are turned away, and unknown paths are none", () =>
    against({}, ({ gateway, upstream }) =>
      Effect.gen(function* () {
        for (const path of [hot, "/completions", "/v1/embeddings"]) {
          for (const method of ["PUT", "DELETE", "PATCH"]) {
            const client = yield* connectTo(gateway)
            client.send(head(method, path, { ...authorized, "content-length": good.length }) + good)
            const answer = yield* firstAnswer(client)
            assert.isTrue(answer.status === 404 || answer.status === 405, `${method} ${path}: ${answer.status}`)
            errorIn(answer.text)
          }
          const client = yield* connectTo(gateway)
          client.send(head("HEAD", path, { ...authorized, connection: "close" }))
          yield* client.closed
          const text = client.received().toString("latin1")
          assert.match(text, /^HTTP\/1\.1 40[45] /)
          assert.isTrue(text.endsWith("\r\n\r\n"), "an answer to HEAD has no body")
        }
        for (const path of [
          "/v1/nothing",
          "/v1/v1/chat/completions",
          "/openai/deployments/smart/images/other",
          "/openai/deployments/chat/completions/x",
          "/engines/%ff/chat/completions",
          "//",
          "/%ff",
          "/v1/../x"
        ]) {
          const client = yield* connectTo(gateway)
          client.send(head("POST", path, { ...authorized, "content-length": good.length }) + good)
          const answer = yield* firstAnswer(client)
          assert.isTrue(answer.status === 404 || answer.status === 405, `${path}: ${answer.status}`)
          errorIn(answer.text)
        }
        assert.strictEqual(upstream.stats().requests, 0)
      })
    )
  )
})

describe("sockets", () => {
  it.scopedLive("pipelined requests are answered in their order, each with its own id", () =>
    against({}, ({ gateway, upstream }) =>
      Effect.gen(function* () {
        yield* upstream.next({ latencyMs: 50 })
        const ids = Array.from({ length: 20 }, (_, index) => `pipelined-${index}`)
        const client = yield* connectTo(gateway)
        client.send(ids.map((id) => wholeRequest(good, { "x-request-id": id })).join(""))
        const answers = yield* client.answers(ids.length)
        assert.deepStrictEqual(
          answers.map(({ headers, status }) => [headers["x-request-id"], status]),
          ids.map((id) => [id, 200])
        )
      })
    )
  )

  it.scopedLive("a socket that closes under pipelined requests takes all of them along, the waiting ones too", () =>
    against({ server: { maxConcurrent: 8 } }, ({ gateway, upstream }) =>
      Effect.gen(function* () {
        yield* upstream.behave({ hang: true })
        const client = yield* connectTo(gateway)
        client.send(wholeRequest(good).repeat(8))
        yield* eventually(
          () => `8 requests arrive; ${upstream.inFlight()} did`,
          () => upstream.inFlight() === 8
        )
        assertError(yield* chat(gateway), { status: 503, code: "overloaded", passes: true })
        client.destroy()
        yield* eventually(
          () => `all are aborted; ${upstream.inFlight()} are left`,
          () => upstream.inFlight() === 0
        )
        assert.strictEqual(upstream.stats().clientAborted, 8)
        yield* upstream.behave({})
        yield* Effect.all(
          Array.from({ length: 8 }, () => answersWell(gateway)),
          { concurrency: 8 }
        )
      })
    )
  )

  it.scopedLive("a request that is no HTTP behind a stream on the same socket does not get into that stream", () =>
    against({}, ({ gateway, upstream }) =>
      Effect.gen(function* () {
        yield* upstream.next({ stallAfterChunks: 2 })
        const client = yield* connectTo(gateway)
        client.send(wholeRequest(JSON.stringify({ model: "smart", messages, stream: true })))
        yield* upstream.awaitEntry(({ chunksSent }) => chunksSent === 2)
        yield* client.until((text) => text.includes('"content":"'))
        client.send("GARBAGE\r\n\r\n")
        yield* client.closed
        const text = client.received().toString("latin1")
        assert.strictEqual(text.split("HTTP/1.1 ").length - 1, 1, text)
        yield* upstream.awaitEntry(({ end }) => end === "clientAborted")
      })
    )
  )

  it.scopedLive("a reader that stops reading a stream is given up, and its upstream let go", () =>
    against({ server: { stallTimeout: "300 millis" } }, ({ gateway, upstream }) =>
      Effect.gen(function* () {
        yield* upstream.next({ reply: "x".repeat(64 * 1024 * 1024), chunks: 4096 })
        const client = yield* connectTo(gateway)
        client.socket.pause()
        client.send(wholeRequest(JSON.stringify({ model: "smart", messages, stream: true })))
        const entry = yield* upstream.awaitEntry(({ end }) => end !== undefined, "20 seconds")
        assert.strictEqual(entry.end, "clientAborted")
        assert.isBelow(entry.bytesSent, 48 * 1024 * 1024, "a slow reader must slow the upstream")
      })
    )
  )

  it.scopedLive("a reader that never reads a whole answer is given up, and its place is free again", () =>
    against({ server: { stallTimeout: "300 millis", maxConcurrent: 1 } }, ({ gateway, upstream }) =>
      Effect.gen(function* () {
        yield* upstream.next({ reply: "x".repeat(12 * 1024 * 1024) })
        const client = yield* connectTo(gateway)
        client.socket.pause()
        client.send(wholeRequest(good))
        yield* upstream.awaitEntry(({ end }) => end !== undefined, "20 seconds")
        const answered = yield* Effect.repeat(chat(gateway), { until: ({ status }) => status === 200 }).pipe(
          Effect.timeout("20 seconds"),
          Effect.orDie
        )
        assert.strictEqual(answered.status, 200)
      })
    )
  )

  it.scopedLive("a reader that is slow but reads gets all of a long stream", () =>
    against({ server: { stallTimeout: "5 seconds" } }, ({ gateway, upstream }) =>
      Effect.gen(function* () {
        const reply = "0123456789abcdef".repeat(512 * 1024)
        yield* upstream.next({ reply, chunks: 256 })
        const client = yield* connectTo(gateway)
        client.socket.pause()
        client.send(wholeRequest(JSON.stringify({ model: "smart", messages, stream: true }), { connection: "close" }))
        yield* upstream.awaitEntry(({ paused }) => paused, "20 seconds")
        client.socket.resume()
        yield* client.closed
        const answer = yield* firstAnswer(client)
        const text = answer.text
          .split("\n\n")
          .filter((event) => event.startsWith("data: {"))
          .map((event) => (JSON.parse(event.slice(6)) as StreamChunk).choices[0]?.delta?.content ?? "")
          .join("")
        assert.isTrue(text === reply, `${text.length} of ${reply.length} characters`)
        assert.isTrue(answer.text.endsWith("data: [DONE]\n\n"))
      })
    )
  )
})

interface StreamChunk {
  readonly choices: ReadonlyArray<{ readonly delta?: { readonly content?: string } }>
}

describe("an upstream that does not keep to the rules", () => {
  const choiceOf = { index: 0, message: { role: "assistant", content: "Hello from one" }, finish_reason: "stop" }
  /** One attempt only, so that what the upstream does is what the client is told. */
  const once = { retry: { attempts: 1 }, recovery: {} }

  it.scopedLive("one event of 10 MB on a single line gets through whole", () =>
    Effect.gen(function* () {
      const content = "y".repeat(10 * 1024 * 1024)
      const event = (choice: object) =>
        `data: ${JSON.stringify({ id: "c1", object: "chat.completion.chunk", created: 1, model: "m", choices: [choice] })}\n\n`
      const upstream = yield* rawUpstream("wide", (_, response) => {
        response.writeHead(200, { "content-type": "text/event-stream" })
        response.write(event({ index: 0, delta: { role: "assistant", content }, finish_reason: null }))
        response.end(`${event({ index: 0, delta: {}, finish_reason: "stop" })}data: [DONE]\n\n`)
      })
      const plain = yield* FakeProvider.make({ name: "one" })
      const gateway = yield* start([plain], {
        deployments: [
          { id: "wide", group: "wide", model: "m", baseUrl: upstream.url },
          { id: "one", group: "smart", model: "m", baseUrl: plain.url }
        ]
      })
      const answer = yield* chat(gateway, { model: "wide", stream: true })
      assert.strictEqual(answer.status, 200)
      assert.isTrue(answer.text.includes(content), "the content came whole")
      assert.isTrue(answer.text.endsWith("data: [DONE]\n\n"))
      yield* isSound(gateway)
    })
  )

  it.scopedLive("one event without an end is cut at the bound, and answered as a malformed response", () =>
    Effect.gen(function* () {
      const upstream = yield* rawUpstream("endless", (_, response) => {
        response.writeHead(200, { "content-type": "text/event-stream" })
        const more = (): void => {
          while (!response.destroyed && response.write("z".repeat(65_536)));
        }
        response.on("drain", more)
        response.write('data: {"a":"')
        more()
      })
      const plain = yield* FakeProvider.make({ name: "one" })
      const gateway = yield* start([plain], {
        ...once,
        deployments: [
          { id: "endless", group: "endless", model: "m", baseUrl: upstream.url },
          { id: "one", group: "smart", model: "m", baseUrl: plain.url }
        ]
      })
      assertError(yield* chat(gateway, { model: "endless", stream: true }), {
        status: 502,
        code: "upstream_malformed_response"
      })
      yield* eventually(
        () => "the upstream's socket closes",
        () => upstream.openSockets() === 0
      )
      yield* isSound(gateway)
    })
  )

  const lies: ReadonlyArray<readonly [name: string, behaviour: FakeProvider.Behaviour]> = [
    ["announces more bytes than it sends", { wrongContentLength: true }],
    ["announces only half of its JSON", { truncateJson: true }],
    ["closes after its headers", { cutAfterHeaders: true }],
    ["closes before any answer", { refuse: true }]
  ]

  for (const [name, behaviour] of lies) {
    it.scopedLive(`one that ${name}: a typed error, never half an answer`, () =>
      against({ ...once, cooldown: false }, ({ gateway, upstream }) =>
        Effect.gen(function* () {
          yield* upstream.next(behaviour)
          const answer = yield* chat(gateway)
          assert.include([502, 503], answer.status, answer.text)
          assert.include(["upstream_malformed_response", "upstream_unavailable"], errorIn(answer.text).code)
          assert.notInclude(answer.text, "Hello from")
          assert.strictEqual(upstream.stats().requests, 1)
        })
      )
    )
  }

  it.scopedLive(
    "one that sends more than it announced: what is too much never becomes the answer to another request",
    () =>
      Effect.gen(function* () {
        const bodyWith = (content: string) =>
          JSON.stringify({
            id: "c",
            object: "chat.completion",
            created: 1,
            model: "m",
            choices: [{ ...choiceOf, message: { role: "assistant", content } }]
          })
        const evil = bodyWith("Hello from evil")
        const smuggled = `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${evil.length}\r\n\r\n${evil}`
        const upstream = yield* rawUpstream("one", (_, response) => {
          const body = bodyWith("Hello from one")
          response.writeHead(200, { "content-type": "application/json", "content-length": body.length })
          response.end(body + smuggled)
        })
        const gateway = yield* start([upstream])
        for (let count = 0; count < 5; count++) {
          const { text } = yield* chat(gateway)
          assert.notInclude(text, "evil")
        }
        yield* isSound(gateway)
      })
  )

  it.scopedLive("one that answers with a page in place of JSON: a typed error", () =>
    Effect.gen(function* () {
      let calls = 0
      const upstream = yield* rawUpstream("one", (_, response) => {
        calls++
        if (calls === 1) response.writeHead(200, { "content-type": "text/html" }).end("<html>Hello from a proxy</html>")
        else
          response
            .writeHead(200, { "content-type": "application/json" })
            .end(JSON.stringify({ id: "c", object: "chat.completion", created: 1, model: "m", choices: [choiceOf] }))
      })
      const gateway = yield* start([upstream], { ...once, cooldown: false })
      assertError(yield* chat(gateway), { status: 502, code: "upstream_malformed_response" })
      yield* isSound(gateway)
    })
  )

  it.scopedLive("a stream that is cut in the middle ends in an error event and without [DONE]", () =>
    against({ ...once, cooldown: false, recovery: undefined }, ({ gateway, upstream }) =>
      Effect.gen(function* () {
        for (const behaviour of [
          { cutAfterChunks: 2 },
          { malformedAfterChunks: 2 },
          { errorEventAfterChunks: 2 },
          { finishReason: null, done: false }
        ]) {
          yield* upstream.next(behaviour)
          const answer = yield* chat(gateway, { stream: true })
          assert.strictEqual(answer.status, 200)
          const events = answer.text.split("\n\n").filter((event) => event !== "")
          const last = events[events.length - 1] ?? ""
          assert.strictEqual(errorIn(last.slice("data: ".length)).reason, "StreamInterrupted", last)
          assert.notInclude(answer.text, "[DONE]")
        }
      })
    )
  )

  it.scopedLive("headers of an upstream with an odd value do not reach the client's own", () =>
    against({}, ({ gateway, upstream }) =>
      Effect.gen(function* () {
        yield* upstream.next({
          headers: { "set-cookie": "a=b", "transfer-encoding": "identity", "x-request-id": "theirs", "x-evil": "1" }
        })
        const answer = yield* chat(gateway)
        assert.strictEqual(answer.status, 200)
        for (const name of ["set-cookie", "x-evil"]) assert.isUndefined(answer.headers[name])
        assert.notStrictEqual(answer.headers["x-request-id"], "theirs")
      })
    )
  )
})
