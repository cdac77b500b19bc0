/**
 * Refusals of bodies that are still being sent, on connections that close after them: the answer comes whole, whoever is
 * how fast, and the connection does not stay for long.
 */
import { EventEmitter } from "node:events"
import { connect, type Socket } from "node:net"
import { assert, describe, it } from "@effect/vitest"
import * as FakeProvider from "@switchyard/testing/FakeProvider"
import { Effect } from "effect"
import { LingeringCloses } from "../../src/edge/lingering.js"
import { type Answer, answersWell, assertError, authorized, isSound, messages, start } from "../support/gateways.js"
import { connectTo, head, parseResponses } from "../support/rawHttp.js"

const hot = "/v1/chat/completions"
const MiB = 1024 * 1024
const piece = Buffer.alloc(MiB, "x")
const opening = Buffer.from('{"model":"smart","messages":[{"role":"user","content":"')

/** Sends all of it, and reads nothing before; gives what came, with what went wrong. */
const sendsThenReads = (port: number, pieces: ReadonlyArray<string | Buffer>, waitMs = 0) =>
  Effect.async<{ readonly bytes: Buffer; readonly failure: string | undefined }>((resume) => {
    const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true })
    const parts: Array<Buffer> = []
    let failure: string | undefined
    socket.pause()
    socket.on("error", (error: NodeJS.ErrnoException) => {
      failure = error.code
    })
    socket.on("close", () => resume(Effect.succeed({ bytes: Buffer.concat(parts), failure })))
    const next = (index: number): void => {
      const bytes = pieces[index]
      if (socket.destroyed) return
      if (bytes !== undefined) {
        socket.write(bytes, () => setTimeout(next, waitMs, index + 1))
        return
      }
      socket.on("data", (part: Buffer) => parts.push(part))
      socket.on("end", () => socket.end())
      socket.resume()
    }
    next(0)
  })

const closing = { ...authorized, connection: "close" }

const long = (headers: Readonly<Record<string, string | number>>, path = hot): ReadonlyArray<string | Buffer> => [
  head("POST", path, { ...closing, "content-length": opening.length + 12 * MiB, ...headers }),
  opening,
  ...Array.from({ length: 12 }, () => piece)
]

/** So long that it is allowed. */
const within = (headers: Readonly<Record<string, string | number>>, path = hot): ReadonlyArray<string | Buffer> => [
  head("POST", path, { ...closing, "content-length": 7 * MiB, ...headers }),
  ...Array.from({ length: 7 }, () => piece)
]

const chunked = (bytes: Buffer): Buffer =>
  Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from("\r\n")])

const cases: ReadonlyArray<
  readonly [name: string, pieces: () => ReadonlyArray<string | Buffer>, status: number, code: string]
> = [
  ["longer than allowed, as announced", () => long({}), 413, "request_too_large"],
  [
    "longer than allowed, in chunks",
    () => [
      head("POST", hot, { ...closing, "transfer-encoding": "chunked" }),
      chunked(opening),
      ...Array.from({ length: 12 }, () => chunked(piece)),
      "0\r\n\r\n"
    ],
    413,
    "request_too_large"
  ],
  [
    "too deep",
    () => [
      head("POST", hot, { ...closing, "content-length": opening.length + 7 * MiB }),
      '{"model":"smart","messages":[{"role":"user","content":['.slice(0, opening.length),
      ...Array.from({ length: 7 }, () => Buffer.alloc(MiB, "["))
    ],
    400,
    "too_deep"
  ],
  ["without the go-ahead that was asked for", () => long({ expect: "100-continue" }), 413, "request_too_large"],
  ["with a wrong key", () => within({ authorization: "Bearer sk-wrong" }), 401, "invalid_api_key"],
  [
    "of a kind that nobody reads",
    () => within({ "content-type": "multipart/form-data" }),
    415,
    "unsupported_media_type"
  ],
  ["for a path that is none", () => within({}, "/v1/nothing"), 404, "unknown_url"],
  ["without a host", () => within({ host: "a/b" }), 400, "bad_request"],
  [
    "by HTTP/1.0",
    () => [String(long({})[0]).replace("HTTP/1.1", "HTTP/1.0"), ...long({}).slice(1)],
    413,
    "request_too_large"
  ],
  [
    "that goes on as no chunk",
    () => [
      head("POST", hot, { ...closing, "transfer-encoding": "chunked" }),
      ...Array.from({ length: 12 }, () => piece)
    ],
    400,
    "bad_request"
  ],
  [
    "behind headers without end",
    () => [
      `POST ${hot} HTTP/1.1\r\nhost: localhost\r\n`,
      ...Array.from({ length: 12 }, () => Buffer.alloc(MiB, "x-more: and more\r\n"))
    ],
    431,
    "headers_too_large"
  ]
]

describe("a body that is refused while it is still being sent, on a connection that closes", () => {
  it.scopedLive.each(cases)("%s: the client gets the whole answer, however late it reads", ([, pieces, status, code]) =>
    Effect.gen(function* () {
      const upstream = yield* FakeProvider.make({ name: "one" })
      const gateway = yield* start([upstream], { server: { maxBodyBytes: 8 * MiB } })
      // A race is what is tested.
      for (let times = 0; times < 4; times++) {
        const { bytes, failure } = yield* sendsThenReads(gateway.port, pieces(), times)
        assert.isUndefined(failure)
        const { answers, rest } = parseResponses(bytes)
        assert.lengthOf(answers, 1)
        assert.lengthOf(rest, 0)
        const [answer] = answers
        if (answer !== undefined) assertError(answer, { status, code })
      }
      assert.strictEqual(upstream.stats().requests, 0)
      yield* isSound(gateway)
    })
  )

  it.scopedLive("gives its place back at once, and what follows it is not served", () =>
    Effect.gen(function* () {
      const upstream = yield* FakeProvider.make({ name: "one" })
      const gateway = yield* start([upstream], { server: { maxBodyBytes: 1000, maxConcurrent: 1, maxConnections: 2 } })
      const first = yield* connectTo(gateway, { allowHalfOpen: true })
      first.send(head("POST", hot, { ...closing, "transfer-encoding": "chunked" }))
      first.send(Buffer.concat([chunked(Buffer.alloc(2000, "x")), chunked(Buffer.alloc(2000, "x"))]))
      assertError((yield* first.answers(1))[0] as Answer, { status: 413, code: "request_too_large" })
      yield* answersWell(gateway)
      const good = JSON.stringify({ model: "smart", messages })
      const next = head("POST", hot, { ...authorized, "content-length": good.length }) + good
      const before = upstream.stats().requests
      first.send(`0\r\n\r\n${next}${next}`)
      first.socket.end()
      yield* first.closed
      assert.lengthOf(parseResponses(first.received()).answers, 1)
      assert.strictEqual(upstream.stats().requests, before)
      yield* isSound(gateway)
    })
  )
})

describe("a body", () => {
  it.scopedLive("that does not come in time is counted as a refusal, not as a success", () =>
    Effect.gen(function* () {
      const upstream = yield* FakeProvider.make({ name: "one" })
      const gateway = yield* start([upstream], { server: { requestTimeout: "1 second" } })
      const client = yield* connectTo(gateway)
      client.send(`${head("POST", hot, { ...authorized, "transfer-encoding": "chunked" })}5\r\n{"mod\r\n`)
      assertError((yield* client.answers(1))[0] as Answer, { status: 408, code: "request_timeout" })
      yield* client.closed
      const metrics = Effect.promise(async () =>
        (await fetch(`${gateway.url}/metrics`, { headers: authorized })).text()
      )
      const count = /refusals_total\{code="request_timeout"\} [1-9]/
      yield* Effect.repeat(metrics, { until: (text) => count.test(text) })
    })
  )
})

class FakeSocket extends EventEmitter {
  bytesRead = 0
  destroyed = false
  hasEnded = false

  resume(): void {}
  _read(): void {}
  end(): void {
    this.hasEnded = true
  }
  destroy(): void {
    this.destroyed = true
    this.emit("close")
  }
}

describe("a client that goes on sending after its last answer", () => {
  const beats = (bounds: { silence: number; most: number; bytes: number }, perBeat: number, silence?: number) => {
    const lingering = new LingeringCloses(bounds)
    const socket = new FakeSocket()
    lingering.beat(1_000_000)
    lingering.begin(socket as unknown as Socket, silence)
    assert.isTrue(socket.hasEnded)
    let count = 0
    while (!socket.destroyed && count < 1_000) {
      socket.bytesRead += perBeat
      lingering.beat(1_000_000 + ++count * 250)
    }
    assert.isFalse(lingering.has(socket as unknown as Socket))
    return count
  }

  it("is cut after so much time, or so many bytes, and at once when it falls silent", () => {
    const bounds = { silence: 5_000, most: 30_000, bytes: 1_000 }
    assert.strictEqual(beats(bounds, 1), 120)
    assert.strictEqual(beats(bounds, 100), 11)
    assert.strictEqual(beats(bounds, 0), 20)
    assert.strictEqual(beats(bounds, 0, 1_000), 4)
  })

  it("is not taken for silent because the process stood still", () => {
    const lingering = new LingeringCloses({ silence: 2_000, most: 30_000, bytes: 1_000 })
    const socket = new FakeSocket()
    lingering.begin(socket as unknown as Socket)
    lingering.beat(60_000)
    assert.isFalse(socket.destroyed)
  })
})
