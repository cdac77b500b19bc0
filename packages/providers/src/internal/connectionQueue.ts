import type { Headers } from "@switchyard/core/LlmResponse"
import { type Clock, Duration, Effect, type Fiber, FiberId } from "effect"
import { TransportError, type TransportHandle, type TransportHandlers } from "./transport.js"
import { closedError } from "./transportErrors.js"

/** Sends a request at last, and tells these handlers. */
export type Send = (handlers: TransportHandlers) => TransportHandle

/**
 * The connections of one origin, and who waits for one: first come, first served. An agent has a queue of its own, but one
 * that nobody can look into: a request in it has no bound, and to whoever watches the call it looks like a silent provider.
 */
export class ConnectionQueue {
  private readonly waiters = new Set<QueuedRequest>()
  private inUse = 0

  constructor(
    private readonly limit: number,
    private readonly clock: Clock.Clock
  ) {}

  /** How many requests wait. */
  get waiting(): number {
    return this.waiters.size
  }

  /** Sends a request as soon as there is a connection for it. */
  send(handlers: TransportHandlers, send: Send): TransportHandle {
    const request = new QueuedRequest(this, handlers, send)
    if (this.inUse < this.limit) {
      this.inUse++
      request.start()
    } else {
      this.waiters.add(request)
      request.wait(this.clock, handlers.mayWait?.() ?? Number.POSITIVE_INFINITY)
    }
    return request
  }

  /** Forgets one that waits; false when it did not. */
  leave(request: QueuedRequest): boolean {
    return this.waiters.delete(request)
  }

  /** Takes a connection back, for whoever has waited longest. */
  release(): void {
    for (const next of this.waiters) {
      this.waiters.delete(next)
      return next.goOn()
    }
    this.inUse--
  }

  /** Nobody gets a connection any more. */
  close(): void {
    for (const request of [...this.waiters]) request.giveUp(closedError())
  }
}

/** One request: it waits, holds a connection, gives it back. */
class QueuedRequest implements TransportHandlers, TransportHandle {
  private handle: TransportHandle | undefined
  private timer: Fiber.RuntimeFiber<void> | undefined
  private isPaused = false
  private isOver = false

  constructor(
    private readonly queue: ConnectionQueue,
    private readonly handlers: TransportHandlers,
    private readonly send: Send
  ) {}

  wait(clock: Clock.Clock, ms: number): void {
    if (ms === Number.POSITIVE_INFINITY) return
    const expire = Effect.sync(() => this.giveUp(new TransportError({ kind: "noConnection", code: "no_connection" })))
    this.timer = Effect.runFork(Effect.zipRight(clock.sleep(Duration.millis(ms)), expire))
  }

  goOn(): void {
    this.timer?.unsafeInterruptAsFork(FiberId.none)
    this.handlers.onConnection?.()
    this.start()
  }

  start(): void {
    const handle = this.send(this)
    this.handle = handle
    if (this.isOver) handle.abort()
    else if (this.isPaused) handle.pause()
  }

  giveUp(error: TransportError): void {
    if (!this.queue.leave(this)) return
    this.isOver = true
    this.timer?.unsafeInterruptAsFork(FiberId.none)
    this.handlers.onError(error)
  }

  onHeaders(status: number, headers: Headers): void {
    this.handlers.onHeaders(status, headers)
  }

  onData(chunk: Uint8Array): void {
    this.handlers.onData(chunk)
  }

  onEnd(): void {
    this.over()
    this.handlers.onEnd()
  }

  onError(error: TransportError): void {
    this.over()
    this.handlers.onError(error)
  }

  pause(): void {
    this.isPaused = true
    this.handle?.pause()
  }

  resume(): void {
    this.isPaused = false
    this.handle?.resume()
  }

  abort(): void {
    if (this.isOver) return
    this.handle?.abort()
    if (this.queue.leave(this)) {
      this.isOver = true
      this.timer?.unsafeInterruptAsFork(FiberId.none)
    } else this.over()
  }

  private over(): void {
    if (this.isOver) return
    this.isOver = true
    this.queue.release()
  }
}
