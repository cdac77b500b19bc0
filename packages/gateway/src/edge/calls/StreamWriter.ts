/**
 * Writes server-sent events to a client: headers with the first content or after a wait, signs of life while nothing comes,
 * errors in-band once a status can't tell them, and never faster than the client reads.
 */
import type { ServerResponse } from "node:http"
import { Effect } from "effect"
import type { Heartbeat, Pulse } from "../heartbeat.js"
import { ChunkedBody, type Pieces } from "./chunkedBody.js"

/** Bounds of a stream's connection, in ms. */
export interface StreamTimes {
  /** Longest wait of the headers for the first content. */
  readonly headerWait: number
  /** Silence after which a sign of life is sent. */
  readonly keepAlive: number
}

/** What no proxy between may hold back or change. */
export const streamHeaders = {
  "cache-control": "no-cache, no-transform",
  "x-accel-buffering": "no"
} as const

/** How the caller's language has it: the type of the stream, and what may stand in it while nothing comes. */
export interface Manner {
  readonly contentType: string
  /** What goes out with the headers when they have waited long enough for the first content. */
  readonly waiting: string
  /** What is sent after a silence. */
  readonly alive: string
}

/** One stream to one client. It lives until `close`, which whoever made it calls once. */
export class StreamWriter implements Pulse {
  seat = -1
  private wrote = true
  private lastWriteAt: number
  private isBlocked = false
  private readonly body: ChunkedBody

  constructor(
    private readonly response: ServerResponse,
    private readonly heartbeat: Heartbeat,
    private readonly times: StreamTimes,
    /** Headers of an answer whose way is not known yet. */
    private readonly early: Record<string, string | number>,
    /** Monotonic ms when the request came in. */
    private readonly startedAt: number,
    private readonly manner: Manner
  ) {
    this.lastWriteAt = startedAt
    this.body = new ChunkedBody(response)
    heartbeat.add(this)
  }

  /** Whether the status is out: from then on errors go in-band. */
  get hasBegun(): boolean {
    return this.response.headersSent
  }

  /** Sends status 200 and the headers, unless they are out. Adds those of a stream to what it is given. */
  begin(headers: Record<string, string | number>): void {
    if (this.response.headersSent) return
    const all: Record<string, string | number> = headers
    all["content-type"] = this.manner.contentType
    for (const name in streamHeaders) all[name] = streamHeaders[name as keyof typeof streamHeaders]
    this.response.writeHead(200, all)
    this.body.begin()
  }

  /** Writes whole events; false when the client should be waited for. After `finish` they are dropped. */
  write(events: Pieces): boolean {
    if (this.response.writableEnded) return true
    this.wrote = true
    this.isBlocked = !this.body.write(events)
    return !this.isBlocked
  }

  /** The client has room again, or is gone; then the server interrupts the fiber. */
  readonly drained: Effect.Effect<void> = Effect.async<void>((resume) => {
    const cancel = this.body.onRoom(() => {
      this.isBlocked = false
      resume(Effect.void)
    })
    return cancel === undefined ? undefined : Effect.sync(cancel)
  })

  /** Writes the last events, and ends the stream, whoever still has more. */
  finish(events: string): void {
    if (!this.response.writableEnded) this.body.end(events)
  }

  /** What is written from now on is the last, and goes out together with the end. */
  hold(): void {
    this.body.hold()
  }

  /** Writes what keeps a connection alive now, where the headers are out and nothing waits for the client. */
  keepAlive(): void {
    if (this.hasBegun && !this.isBlocked) this.write(this.manner.alive)
  }

  beat(now: number): void {
    if (this.isBlocked) return
    const { keepAlive, headerWait } = this.times
    if (this.wrote) {
      this.wrote = false
      this.lastWriteAt = Math.max(this.lastWriteAt, now)
    }
    if (this.response.writableEnded) return
    if (!this.hasBegun) {
      if (now - this.startedAt < headerWait) return
      this.begin(this.early)
      this.response.flushHeaders()
      this.write(this.manner.waiting)
    } else if (now - this.lastWriteAt >= keepAlive) this.write(this.manner.alive)
  }

  /** Stops the beats; the response is not touched. */
  close(): void {
    this.heartbeat.delete(this)
  }
}
