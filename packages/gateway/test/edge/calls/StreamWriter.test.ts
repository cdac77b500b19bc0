import { EventEmitter } from "node:events"
import type { ServerResponse } from "node:http"
import { describe, expect, it } from "@effect/vitest"
import { openAi } from "@switchyard/core/OpenAi"
import { nowMs } from "@switchyard/core/Time"
import { Effect, Fiber, TestClock } from "effect"
import { encoderFor } from "../../../src/edge/calls/eventEncoder.js"
import { StreamWriter } from "../../../src/edge/calls/StreamWriter.js"
import { Heartbeat } from "../../../src/edge/heartbeat.js"

/** As much of Node's response as a stream's writer uses; `full` stands for a socket that nobody reads. */
class FakeResponse extends EventEmitter {
  headersSent = false
  writableEnded = false
  full = false
  head: Record<string, unknown> = {}
  readonly written: Array<string> = []

  get writableNeedDrain(): boolean {
    return this.full
  }

  writeHead(_: number, head: Record<string, unknown>): void {
    this.headersSent = true
    this.head = head
  }

  flushHeaders(): void {}

  write(text: string): boolean {
    this.written.push(text)
    return !this.full
  }

  end(): void {
    this.writableEnded = true
  }

  drain(): void {
    this.full = false
    this.emit("drain")
  }
}

const times = { headerWait: 15_000, keepAlive: 10_000 }

const manner = encoderFor("chat", openAi.answer)

const make = Effect.gen(function* () {
  const heartbeat = new Heartbeat()
  yield* heartbeat.run
  const now = yield* Effect.clockWith((clock) => Effect.sync(() => nowMs(clock)))
  const response = new FakeResponse()
  const writer = new StreamWriter(
    response as unknown as ServerResponse,
    heartbeat,
    times,
    { "x-request-id": "r" },
    now,
    manner
  )
  return { heartbeat, response, writer }
})

describe("StreamWriter", () => {
  it.scoped("headers wait for the first content, and go out without it after the wait", () =>
    Effect.gen(function* () {
      const { response, writer } = yield* make
      yield* TestClock.adjust("14 seconds")
      expect(writer.hasBegun).toBe(false)
      yield* TestClock.adjust("1250 millis")
      expect(writer.hasBegun).toBe(true)
      expect(response.head).toMatchObject({ "content-type": "text/event-stream; charset=utf-8", "x-request-id": "r" })
      expect(response.written.join("")).toMatch(/^: .*\n\n$/)
    })
  )

  it.scoped("headers of an answer are sent once", () =>
    Effect.gen(function* () {
      const { response, writer } = yield* make
      writer.begin({ "x-switchyard-deployment": "a" })
      writer.begin({ "x-switchyard-deployment": "b" })
      expect(response.head).toMatchObject({ "x-switchyard-deployment": "a" })
    })
  )

  it.scoped("a silent stream gets comments, one that flows gets none", () =>
    Effect.gen(function* () {
      const { response, writer } = yield* make
      writer.begin({})
      for (let i = 0; i < 8; i++) {
        writer.write("data: {}\n\n")
        yield* TestClock.adjust("5 seconds")
      }
      expect(response.written.filter((text) => text.startsWith(":"))).toEqual([])
      yield* TestClock.adjust("21 seconds")
      expect(response.written.filter((text) => text.startsWith(":"))).toEqual([": keep-alive\n\n", ": keep-alive\n\n"])
    })
  )

  it.scoped("waits for a client that reads slowly, and goes on when it has read", () =>
    Effect.gen(function* () {
      const { response, writer } = yield* make
      writer.begin({})
      response.full = true
      expect(writer.write("data: 1\n\n")).toBe(false)
      const waiting = yield* Effect.fork(writer.drained)
      yield* TestClock.adjust("29 seconds")
      expect(waiting.unsafePoll()).toBeNull()
      expect(response.written).toHaveLength(1)
      response.drain()
      yield* Fiber.join(waiting)
    })
  )

  it.scoped("writes nothing after its last words, whoever still has more", () =>
    Effect.gen(function* () {
      const { response, writer } = yield* make
      writer.begin({})
      writer.finish("data: the end\n\n")
      expect(writer.write("data: 1\n\n")).toBe(true)
      yield* TestClock.adjust("31 seconds")
      expect(response.written).toEqual(["data: the end\n\n"])
    })
  )

  it.scoped("an interrupted wait leaves no listener behind", () =>
    Effect.gen(function* () {
      const { response, writer } = yield* make
      writer.begin({})
      response.full = true
      writer.write("data: 1\n\n")
      const waiting = yield* Effect.fork(writer.drained)
      yield* Effect.yieldNow()
      yield* Fiber.interrupt(waiting)
      expect(response.listenerCount("drain")).toBe(0)
    })
  )

  it.scoped("a closed writer is forgotten by the heartbeat", () =>
    Effect.gen(function* () {
      const { heartbeat, response, writer } = yield* make
      expect(heartbeat.size).toBe(1)
      writer.close()
      expect(heartbeat.size).toBe(0)
      yield* TestClock.adjust("20 seconds")
      expect(response.headersSent).toBe(false)
    })
  )
})
