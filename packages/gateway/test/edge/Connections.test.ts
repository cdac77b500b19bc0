/**
 * How many connections clients may have, and for how long they may leave unread what they are sent.
 */
import { EventEmitter } from "node:events"
import type { ServerResponse } from "node:http"
import { type AddressInfo, createServer, type Server, type Socket } from "node:net"
import { assert, describe, it } from "@effect/vitest"
import type { DeploymentView } from "@switchyard/gateway/Admin"
import * as FakeProvider from "@switchyard/testing/FakeProvider"
import { Effect } from "effect"
import { Connections, defaultConnections, type Full } from "../../src/edge/connections.js"
import { assertError, authorized, chat, start } from "../support/gateways.js"
import { connectTo, head, parseResponses } from "../support/rawHttp.js"

/** As much of a socket as is looked at. */
class FakeSocket extends EventEmitter {
  writableLength = 0
  destroyed = false
  readonly _handle: { fd: number; bytesWritten: number; writeQueueSize: number }

  constructor(fd = 20) {
    super()
    this._handle = { fd, bytesWritten: 0, writeQueueSize: 0 }
  }

  /** The system has taken all but `left` bytes of `total`. */
  sent(total: number, left: number): void {
    this.writableLength = left === 0 ? 0 : total
    this._handle.bytesWritten = total
    this._handle.writeQueueSize = left
  }

  destroy(): void {
    this.destroyed = true
    this.emit("close")
  }
}

const setup = (max: number, descriptors?: number) => {
  const told: Array<Full> = []
  const table = new Connections({ max, stall: 1_000, descriptors, onFull: (full) => told.push(full) })
  const add = (fd?: number) => {
    const socket = new FakeSocket(fd)
    return { socket, isTaken: table.add(socket as unknown as Socket) }
  }
  const ask = (socket: FakeSocket) => {
    const response = { writableFinished: false, destroyed: false, req: { complete: true } }
    table.use(socket as unknown as Socket, response as unknown as ServerResponse)
    return response
  }
  return { table, told, add, ask }
}

describe("a client that is sent something", () => {
  it("is let go when it takes nothing of it for the stall time, and not while it reads, however slowly", () => {
    const { add, table } = setup(10)
    const [idle, slow, stuck] = [add().socket, add().socket, add().socket]
    stuck.sent(900, 500)
    for (let beat = 0; beat <= 12; beat++) {
      slow.sent(900, 800 - beat * 10)
      table.beat(beat * 250)
    }
    assert.deepStrictEqual([idle.destroyed, slow.destroyed, stuck.destroyed], [false, false, true])
    slow.sent(900, 0)
    for (let beat = 13; beat <= 30; beat++) table.beat(beat * 250)
    assert.isFalse(slow.destroyed)
  })

  it("is stuck although ever more is written for it", () => {
    const { add, table } = setup(10)
    const { socket } = add()
    for (let beat = 0; beat <= 5; beat++) {
      socket.sent(900 + beat, 500 + beat)
      table.beat(beat * 250)
    }
    assert.isTrue(socket.destroyed)
  })
})

describe("a new connection where there is no room", () => {
  it("takes the place of the one that has been idle longest; the busy and the young stay", () => {
    const { add, ask, table, told } = setup(3)
    table.beat(0)
    const [busy, used, idle] = [add().socket, add().socket, add().socket]
    ask(busy)
    table.beat(500)
    ask(used).writableFinished = true
    table.beat(2_000)
    assert.isTrue(add().isTaken)
    assert.deepStrictEqual([busy.destroyed, used.destroyed, idle.destroyed], [false, false, true])
    assert.isTrue(add().isTaken)
    assert.deepStrictEqual([busy.destroyed, used.destroyed], [false, true])
    assert.isFalse(add().isTaken, "two are young")
    assert.strictEqual(table.size, 3)
    assert.lengthOf(told, 1)
    table.beat(70_000)
    add()
    assert.deepStrictEqual(told[1], { why: "connections", connections: 2, closed: 2, refused: 1 })
  })

  it("so it is when the process is about to run out of descriptors", () => {
    const { add, table, told } = setup(100, 64)
    table.beat(0)
    const { socket } = add(50)
    table.beat(5_000)
    assert.isTrue(add(60).isTaken)
    assert.isTrue(socket.destroyed)
    assert.strictEqual(told[0]?.why, "descriptors")
  })

  it.scopedLive("is told so where all are busy, and counted; a place that is free again is given away", () =>
    Effect.gen(function* () {
      const upstream = yield* FakeProvider.make({ name: "one" })
      const gateway = yield* start([upstream], { server: { maxConnections: 1 } })
      yield* upstream.next({ hang: true })
      const first = yield* connectTo(gateway)
      const body = JSON.stringify({ model: "smart", messages: [{ role: "user", content: "Hi" }] })
      first.send(head("POST", "/v1/chat/completions", { ...authorized, "content-length": body.length }) + body)
      yield* upstream.awaitEntry(() => true)
      const second = yield* connectTo(gateway)
      second.send("GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n")
      yield* second.closed
      const [refused] = parseResponses(second.received()).answers
      if (refused === undefined) return assert.fail("no answer")
      assertError(refused, { status: 503, code: "too_many_connections", passes: true })
      first.destroy()
      yield* Effect.repeat(chat(gateway), { until: ({ status }) => status === 200 })
      const metrics = Effect.promise(async () => (await fetch(`${gateway.url}/metrics`)).text())
      const count = /refusals_total\{code="too_many_connections"\} [1-9]/
      yield* Effect.repeat(metrics, { until: (text) => count.test(text) })
    })
  )
})

describe("a provider's connection that dies of age", () => {
  it.scopedLive(
    "counts against nobody: every call is answered, and no breaker hears of it, not even one of no patience",
    () =>
      Effect.gen(function* () {
        const connected = new Set<Socket>()
        const server = yield* Effect.acquireRelease(
          Effect.async<Server>((resume) => {
            const made = createServer((socket) => {
              let served = 0
              connected.add(socket)
              socket.on("error", () => {})
              socket.on("data", (bytes) => {
                if (!String(bytes).includes('"messages"')) return
                if (served++ > 0) return void socket.resetAndDestroy()
                const body = `data: {"choices":[{"index":0,"delta":{"content":"Hi"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n`
                socket.write(
                  `HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: ${body.length}\r\n\r\n${body}`
                )
              })
            }).listen(0, "127.0.0.1", () => resume(Effect.succeed(made)))
          }),
          (made) =>
            Effect.sync(() => {
              for (const socket of connected) socket.destroy()
              made.close()
            })
        )
        const { port } = server.address() as AddressInfo
        const gateway = yield* start([{ name: "aging", url: `http://127.0.0.1:${port}/v1` }], {
          retry: { attempts: 1 },
          cooldown: { failures: 1 }
        })
        for (const stream of [false, true, true, false, true, false]) {
          assert.strictEqual((yield* chat(gateway, { stream })).status, 200)
        }
        assert.isAbove(connected.size, 3)
        const { deployments } = yield* Effect.promise(async () => {
          const response = await fetch(`${gateway.url}/admin/deployments`, { headers: authorized })
          return (await response.json()) as { readonly deployments: ReadonlyArray<DeploymentView> }
        })
        assert.deepInclude(deployments[0], { requests: 6, successes: 6, failures: 0, blameless: 0, cooldown: null })
      })
  )
})

describe("how many connections there may be by default", () => {
  it("goes by the requests in progress, and by the descriptors of the process", () => {
    assert.deepStrictEqual(
      [
        defaultConnections(4096, undefined),
        defaultConnections(4096, 1_048_576),
        defaultConnections(4, undefined),
        defaultConnections(4096, 1024),
        defaultConnections(4096, 64)
      ],
      [16_384, 16_384, 256, 480, 16]
    )
  })
})
