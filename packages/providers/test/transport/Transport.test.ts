import { createServer as createTcpServer, type Socket } from "node:net"
import { assert, describe, it } from "@effect/vitest"
import * as OpenAiCompatible from "@switchyard/providers/OpenAiCompatible"
import type * as Transport from "@switchyard/providers/Transport"
import * as UndiciTransport from "@switchyard/providers/UndiciTransport"
import * as FakeProvider from "@switchyard/testing/FakeProvider"
import { Effect, Exit, Fiber, Scope } from "effect"
import { MockAgent } from "undici"
import * as S from "../support/support.js"

type Told =
  | { readonly _tag: "headers"; readonly status: number; readonly headers: Readonly<Record<string, string>> }
  | { readonly _tag: "data"; readonly bytes: Uint8Array }
  | { readonly _tag: "end" }
  | { readonly _tag: "error"; readonly error: Transport.TransportError }

const request = (origin: string, more: Partial<Transport.TransportRequest> = {}): Transport.TransportRequest => ({
  method: "POST",
  origin,
  path: "/v1/chat/completions",
  headers: { "content-type": "application/json" },
  body: JSON.stringify({ model: "m", messages: S.messages }),
  connectTimeout: 5000,
  ...more
})

/** Sends a request and writes down what the handlers are told. */
const send = (transport: { readonly send: OpenAiTransport["send"] }, to: Transport.TransportRequest) => {
  const told: Array<Told> = []
  const handle = transport.send(to, {
    onHeaders: (status, headers) => void told.push({ _tag: "headers", status, headers }),
    onData: (bytes) => void told.push({ _tag: "data", bytes }),
    onEnd: () => void told.push({ _tag: "end" }),
    onError: (error) => void told.push({ _tag: "error", error })
  })
  const isOver = () => told.some(({ _tag }) => _tag === "end" || _tag === "error")
  return {
    told,
    handle,
    tags: () => told.map(({ _tag }) => _tag),
    over: S.eventually(isOver),
    text: () => Buffer.concat(told.flatMap((one) => (one._tag === "data" ? [one.bytes] : []))).toString(),
    error: () => told.flatMap((one) => (one._tag === "error" ? [one.error] : []))[0]
  }
}

type OpenAiTransport = Parameters<typeof OpenAiCompatible.make>[0]

/** A port on which nobody says anything: it takes connections, and that is all. */
const silentPort = Effect.acquireRelease(
  Effect.async<{ readonly port: number; readonly sockets: Set<Socket>; readonly close: () => Promise<void> }>(
    (resume) => {
      const sockets = new Set<Socket>()
      const server = createTcpServer((socket) => {
        sockets.add(socket)
        socket.on("error", () => {})
        socket.on("close", () => sockets.delete(socket))
        socket.resume()
      })
      server.listen(0, "127.0.0.1", () => {
        const address = server.address()
        resume(
          Effect.succeed({
            port: typeof address === "object" && address !== null ? address.port : 0,
            sockets,
            close: () =>
              new Promise<void>((done) => {
                server.close(() => done())
                for (const socket of sockets) socket.destroy()
              })
          })
        )
      })
    }
  ),
  (server) => Effect.promise(() => server.close())
)

describe.each([S.undici, S.httpClient])("Transport over $name", (wire) => {
  it.scopedLive("tells the headers, the data and the end, in this order", () =>
    Effect.gen(function* () {
      const server = yield* S.rawServer((_, response) => {
        response.setHeader("X-Mixed", "Case")
        response.setHeader("x-twice", ["a", "b"])
        response.writeEarlyHints?.({ link: "</x>; rel=preload" })
        response.end("body")
      })
      const sent = send(yield* S.transportOf(wire), request(server.origin))
      yield* sent.over
      assert.deepStrictEqual(sent.tags(), ["headers", "data", "end"])
      const [first] = sent.told
      assert.strictEqual(first?._tag === "headers" ? first.status : 0, 200)
      assert.deepInclude(first?._tag === "headers" ? first.headers : {}, { "x-mixed": "Case", "x-twice": "a, b" })
      assert.strictEqual(sent.text(), "body")
    })
  )

  it.scopedLive("sends the method, the path, the headers and the body as they are", () =>
    Effect.gen(function* () {
      const up = yield* FakeProvider.make()
      const transport = yield* S.transportOf(wire)
      const bytes = new TextEncoder().encode(JSON.stringify({ model: "ä", messages: S.messages }))
      for (const body of [new TextDecoder().decode(bytes), bytes]) {
        yield* send(transport, request(`http://127.0.0.1:${up.port}`, { body, headers: { "x-a": "1" } })).over
      }
      yield* send(
        transport,
        request(`http://127.0.0.1:${up.port}`, { method: "GET", path: "/v1/models?x=1", body: "" })
      ).over
      const [one, two, three] = up.journal()
      assert.deepStrictEqual(one?.body, { model: "ä", messages: S.messages })
      assert.deepStrictEqual(two?.body, one?.body)
      assert.strictEqual(one?.headers["x-a"], "1")
      assert.strictEqual(`${three?.method} ${three?.path}`, "GET /v1/models")
    })
  )

  it.scopedLive("tells an answer without a body", () =>
    Effect.gen(function* () {
      const server = yield* S.rawServer((_, response) => response.writeHead(204).end())
      const sent = send(yield* S.transportOf(wire), request(server.origin))
      yield* sent.over
      assert.deepStrictEqual(sent.tags(), ["headers", "end"])
    })
  )

  describe("names what broke", () => {
    const failed = (to: Transport.TransportRequest) =>
      Effect.gen(function* () {
        const sent = send(yield* S.transportOf(wire), to)
        yield* sent.over
        assert.strictEqual(sent.tags().filter((tag) => tag === "error").length, 1)
        const error = sent.error()
        if (error === undefined) throw new Error("expected an error")
        return error
      })

    it.scopedLive("connect: nobody listens", () =>
      Effect.gen(function* () {
        const up = yield* FakeProvider.make()
        yield* up.kill
        const error = yield* failed(request(`http://127.0.0.1:${up.port}`))
        assert.strictEqual(error.kind, "connect")
        assert.strictEqual(error.code, "ECONNREFUSED")
        assert.strictEqual(error.message, "connect (ECONNREFUSED)")
      })
    )

    it.scopedLive("dns: the name does not resolve", () =>
      Effect.map(failed(request("http://no-such-host.invalid")), (error) => assert.strictEqual(error.kind, "dns"))
    )

    it.scopedLive("tls: the other side speaks no TLS", () =>
      Effect.gen(function* () {
        const server = yield* S.rawServer((_, response) => response.end())
        assert.strictEqual((yield* failed(request(`https://127.0.0.1:${server.port}`))).kind, "tls")
      })
    )

    it.scopedLive("reset: the socket goes before the headers", () =>
      Effect.gen(function* () {
        const server = yield* S.rawServer((incoming) => incoming.socket.destroy())
        assert.strictEqual((yield* failed(request(server.origin))).kind, "reset")
      })
    )

    it.scopedLive("protocol: the answer is no HTTP", () =>
      Effect.gen(function* () {
        const server = yield* S.rawServer((incoming) => incoming.socket.end("SSH-2.0-OpenSSH_9.2\r\n\r\n"))
        assert.strictEqual((yield* failed(request(server.origin))).kind, "protocol")
      })
    )

    it.scopedLive("after the headers, too, and once", () =>
      Effect.gen(function* () {
        const server = yield* S.rawServer((_, response) => {
          response.writeHead(200, { "content-length": "10" })
          response.write("half", () => response.socket?.destroySoon())
        })
        const sent = send(yield* S.transportOf(wire), request(server.origin))
        yield* sent.over
        assert.deepStrictEqual(sent.tags(), ["headers", "data", "error"])
      })
    )

    it.scopedLive("a header that cannot be sent is an error, and its value is not shown", () =>
      Effect.gen(function* () {
        const server = yield* S.rawServer((_, response) => response.end())
        const error = yield* failed(request(server.origin, { headers: { authorization: `Bearer ${S.key}\n x` } }))
        assert.notInclude(JSON.stringify(error) + String(error) + error.stack, S.key)
      })
    )
  })

  describe("abort", () => {
    it.scopedLive("closes the socket, and no handler is called any more", () =>
      Effect.gen(function* () {
        const up = yield* FakeProvider.make({ behaviour: { stallAfterChunks: 2 } })
        const transport = yield* S.transportOf(wire)
        const body = JSON.stringify({ model: "m", messages: S.messages, stream: true })
        const sent = send(transport, request(`http://127.0.0.1:${up.port}`, { body }))
        yield* S.eventually(() => sent.tags().includes("data"))
        sent.handle.abort()
        const before = sent.told.length
        assert.strictEqual((yield* up.awaitEntry((entry) => entry.end !== undefined)).end, "clientAborted")
        yield* S.tick
        assert.lengthOf(sent.told, before)
        sent.handle.abort()
        sent.handle.pause()
        sent.handle.resume()
      })
    )

    it.scopedLive("before the connection stands sends nothing", () =>
      Effect.gen(function* () {
        const up = yield* FakeProvider.make()
        const transport = yield* S.transportOf(wire)
        const sent = send(transport, request(`http://127.0.0.1:${up.port}`))
        sent.handle.abort()
        const other = send(transport, request(`http://127.0.0.1:${up.port}`))
        yield* other.over
        yield* Effect.repeatN(S.tick, 20)
        assert.deepStrictEqual(sent.told, [])
        assert.strictEqual(up.stats().requests, 1)
      })
    )

    it.scopedLive("from inside a handler works as well", () =>
      Effect.gen(function* () {
        const up = yield* FakeProvider.make({ behaviour: { chunks: 100, chunkGapMs: 1, reply: "x".repeat(100) } })
        const transport = yield* S.transportOf(wire)
        const tags: Array<string> = []
        const body = JSON.stringify({ model: "m", messages: S.messages, stream: true })
        const handle = transport.send(request(`http://127.0.0.1:${up.port}`, { body }), {
          onHeaders: () => {
            tags.push("headers")
            handle.abort()
          },
          onData: () => void tags.push("data"),
          onEnd: () => void tags.push("end"),
          onError: () => void tags.push("error")
        })
        assert.strictEqual((yield* up.awaitEntry((entry) => entry.end !== undefined)).end, "clientAborted")
        assert.deepStrictEqual(tags, ["headers"])
      })
    )
  })

  it.scopedLive("pause holds the data back, resume lets all of it come", () =>
    Effect.gen(function* () {
      const size = 16 * 1024 * 1024
      const server = yield* S.rawServer((_, response) => response.end(Buffer.alloc(size, 65)))
      const transport = yield* S.transportOf(wire)
      let bytes = 0
      let ended = false
      const handle = transport.send(request(server.origin), {
        onHeaders: () => {},
        onData: (chunk) => {
          bytes += chunk.length
          handle.pause()
        },
        onEnd: () => {
          ended = true
        },
        onError: () => {}
      })
      yield* S.eventually(() => bytes > 0)
      yield* Effect.repeatN(S.tick, 300)
      assert.isBelow(bytes, size)
      let before = bytes
      yield* Effect.repeatN(S.tick, 300)
      assert.strictEqual(bytes, before)
      while (!ended) {
        before = bytes
        handle.resume()
        yield* S.eventually(() => ended || bytes > before)
      }
      assert.strictEqual(bytes, size)
    })
  )

  it.live("the end of the scope fails what is in flight", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const up = yield* FakeProvider.make({ behaviour: { hang: true } })
        const scope = yield* Scope.make()
        const transport = yield* Scope.extend(S.transportOf(wire), scope)
        const waiting = send(transport, request(`http://127.0.0.1:${up.port}`))
        yield* up.awaitEntry((entry) => entry.seq === 1)
        yield* Scope.close(scope, Exit.void)
        yield* waiting.over
        assert.deepStrictEqual(waiting.tags(), ["error"])
        assert.strictEqual(waiting.error()?.kind, "aborted")
        assert.strictEqual((yield* up.awaitEntry((entry) => entry.end !== undefined)).end, "clientAborted")
      })
    )
  )
})

describe("Transport over undici alone", () => {
  it.scopedLive("connectTimeout: the connection does not stand in time", () =>
    Effect.gen(function* () {
      const silent = yield* silentPort
      const transport = yield* S.transportOf(S.undici)
      const sent = send(transport, request(`https://127.0.0.1:${silent.port}`, { connectTimeout: 20 }))
      yield* sent.over
      assert.strictEqual(sent.error()?.kind, "connectTimeout")
      const service = OpenAiCompatible.make(transport, { connectTimeout: "20 millis" })
      const config = { baseUrl: `https://127.0.0.1:${silent.port}/v1` }
      const error = yield* Effect.flip(S.call(service, S.chat(), config))
      const { bound, isSilence, phase, reason } = error
      assert.deepStrictEqual(
        { bound, isSilence, phase, reason },
        { bound: "deployment", isSilence: true, phase: "connect", reason: "Timeout" }
      )
    })
  )

  it.scopedLive("a connection serves one call after the other", () =>
    Effect.gen(function* () {
      const up = yield* FakeProvider.make()
      const service = yield* S.serviceOver(S.undici)
      for (let i = 0; i < 10; i++) {
        yield* S.call(service, S.chat(), { baseUrl: up.url })
        yield* Effect.repeatN(S.tick, 2)
      }
      assert.strictEqual(up.stats().answered, 10)
      assert.strictEqual(up.stats().connections, 1)
    })
  )

  it.scopedLive("no more connections than allowed are opened, and no call is lost", () =>
    Effect.gen(function* () {
      const up = yield* FakeProvider.make({ behaviour: { latencyMs: 1 } })
      const service = yield* S.serviceOver({ name: "undici", layer: UndiciTransport.layerWith({ connections: 3 }) })
      yield* Effect.forEach(Array.from({ length: 30 }), () => S.call(service, S.chat(), { baseUrl: up.url }), {
        concurrency: "unbounded"
      })
      assert.strictEqual(up.stats().answered, 30)
      assert.isAtMost(up.stats().peakInFlight, 3)
      assert.isAtMost(up.stats().connections, 3)
    })
  )

  it.scopedLive(
    "a request that waits too long for a connection fails as that, and those behind it still get theirs",
    () =>
      Effect.gen(function* () {
        const up = yield* FakeProvider.make()
        const transport = yield* UndiciTransport.make({ connections: 1 })
        const told: Array<string> = []
        const ask = (name: string, mayWait?: () => number) =>
          transport.send(request(up.url.replace(/\/v1$/, "")), {
            onHeaders: () => {},
            onData: () => {},
            onEnd: () => void told.push(`${name} answered`),
            onError: ({ kind }) => void told.push(`${name} ${kind}`),
            ...(mayWait === undefined ? {} : { mayWait })
          })
        yield* up.next({ hang: true })
        const first = ask("first", () => assert.fail("a free connection is not waited for"))
        yield* up.awaitEntry((entry) => entry.seq === 1)
        ask("second", () => 20)
        ask("third")
        ask("fourth", () => 60_000)
        assert.strictEqual(transport.waiting, 3)
        yield* S.eventually(() => told.length === 1)
        first.abort()
        yield* S.eventually(() => told.length === 3)
        assert.deepStrictEqual(told, ["second noConnection", "third answered", "fourth answered"])
        assert.strictEqual(transport.waiting, 0)
        assert.strictEqual(up.stats().requests, 3)
      })
  )

  it.scopedLive("requests that wait for a connection when the transport is closed fail as aborted", () =>
    Effect.gen(function* () {
      const up = yield* FakeProvider.make({ behaviour: { hang: true } })
      const scope = yield* Scope.make()
      const transport = yield* Scope.extend(UndiciTransport.make({ connections: 1 }), scope)
      const origin = up.url.replace(/\/v1$/, "")
      const both = [send(transport, request(origin)), send(transport, request(origin))]
      yield* Scope.close(scope, Exit.void)
      assert.deepStrictEqual(
        both.map((one) => one.error()?.kind),
        ["aborted", "aborted"]
      )
    })
  )

  it.scopedLive("a call that left while it waited for a connection costs none", () =>
    Effect.gen(function* () {
      const up = yield* FakeProvider.make()
      const service = yield* S.serviceOver({ name: "undici", layer: UndiciTransport.layerWith({ connections: 1 }) })
      const gate = FakeProvider.gate()
      yield* up.next({ gate })
      const first = yield* Effect.fork(S.call(service, S.chat(), { baseUrl: up.url }))
      yield* up.awaitEntry((entry) => entry.seq === 1)
      const second = yield* Effect.fork(S.call(service, S.chat(), { baseUrl: up.url }))
      yield* S.tick
      const third = yield* Effect.fork(S.call(service, S.chat(), { baseUrl: up.url }))
      yield* S.tick
      yield* Fiber.interrupt(second)
      gate.open()
      yield* Fiber.join(first)
      yield* Fiber.join(third)
      assert.strictEqual(up.stats().requests, 2)
      assert.strictEqual(up.stats().connections, 1)
    })
  )

  it.live("the end of the scope leaves no socket: idle, busy or still connecting", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const up = yield* FakeProvider.make()
        const silent = yield* silentPort
        const scope = yield* Scope.make()
        const transport = yield* Scope.extend(S.transportOf(S.undici), scope)
        const service = OpenAiCompatible.make(transport)
        yield* S.call(service, S.chat(), { baseUrl: up.url })
        yield* up.behave({ stallAfterChunks: 1 })
        const { events } = S.streaming(yield* S.call(service, S.streamed(), { baseUrl: up.url }))
        const connecting = send(transport, request(`https://127.0.0.1:${silent.port}`, { connectTimeout: 600_000 }))
        yield* S.eventually(() => silent.sockets.size === 1)
        yield* Scope.close(scope, Exit.void)
        yield* S.eventually(() => up.openSockets() === 0 && silent.sockets.size === 0)
        yield* connecting.over
        assert.strictEqual(connecting.error()?.kind, "aborted")
        assert.strictEqual((yield* Effect.flip(S.readAll(events))).reason, "StreamInterrupted")
        const late = send(transport, request(`http://127.0.0.1:${up.port}`))
        assert.deepStrictEqual(late.tags(), ["error"])
        assert.strictEqual(late.error()?.kind, "aborted")
      })
    )
  )

  it.scopedLive("many connect timeouts do not make many pools", () =>
    Effect.gen(function* () {
      const up = yield* FakeProvider.make()
      const transport = yield* S.transportOf(S.undici)
      for (let i = 0; i < 40; i++) {
        yield* send(transport, request(`http://127.0.0.1:${up.port}`, { connectTimeout: 1000 + i })).over
      }
      assert.strictEqual(up.stats().answered, 40)
      yield* S.eventually(() => up.openSockets() <= 8)
    })
  )

  it.scopedLive("a pool that makes room for another finishes what it has begun", () =>
    Effect.gen(function* () {
      const up = yield* FakeProvider.make()
      const transport = yield* S.transportOf(S.undici)
      const gate = FakeProvider.gate()
      yield* up.next({ gate })
      const slow = send(transport, request(`http://127.0.0.1:${up.port}`, { connectTimeout: 999 }))
      yield* up.awaitEntry((entry) => entry.seq === 1)
      for (let i = 0; i < 20; i++) {
        yield* send(transport, request(`http://127.0.0.1:${up.port}`, { connectTimeout: 1000 + i })).over
      }
      gate.open()
      yield* slow.over
      assert.deepStrictEqual(slow.tags(), ["headers", "data", "end"])
    })
  )

  it.scopedLive("a dispatcher of the caller's serves as well", () =>
    Effect.gen(function* () {
      const mock = new MockAgent()
      mock.disableNetConnect()
      mock
        .get("http://mocked.example")
        .intercept({ path: "/v1/chat/completions", method: "POST" })
        .reply(200, { choices: [{ text: "" }] })
      const service = OpenAiCompatible.make(UndiciTransport.fromDispatcher(mock))
      S.complete(yield* S.call(service, S.chat(), { baseUrl: "http://mocked.example/v1" }))
      yield* Effect.promise(() => mock.close())
    })
  )

  it.live("options that are wrong are named", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(Effect.scoped(UndiciTransport.make({ connections: 0, keepAlive: -1 })))
      assert.include(error.message, "transport.connections")
      assert.include(error.message, "transport.keepAlive")
    })
  )

  it.scopedLive("a server that closes idle connections at once loses no call", () =>
    Effect.gen(function* () {
      const server = yield* S.rawServer((_, response) => {
        response.setHeader("connection", "close")
        response.end(JSON.stringify({ choices: [{ text: "" }] }))
      })
      const service = yield* S.serviceOver(S.undici)
      for (let i = 0; i < 10; i++) yield* S.call(service, S.chat(), { baseUrl: server.origin })
      assert.strictEqual(server.accepted(), 10)
    })
  )
})
