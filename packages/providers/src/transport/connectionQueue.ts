import { type CallerName, FairShares } from "@switchyard/core/FairShares"
import type { Headers } from "@switchyard/core/LlmResponse"
import { type Clock, Duration, Effect, type Fiber, FiberId } from "effect"
import { closedError } from "./transportErrors.js"
import { TransportError, type TransportHandle, type TransportHandlers } from "./wire.js"

/** Sends a request at last, and tells these handlers. */
export type Send = (handlers: TransportHandlers) => TransportHandle

/**
 * The connections of one origin, and who waits for one: the caller who holds the fewest is served first, and each of its
 * requests in their order. An agent has a queue of its own, but one that nobody can look into: a request in it has no bound,
 * and to whoever watches the call it looks like a silent provider.
 */
export class ConnectionQueue {
  /** By caller, in the order in which their first one came. */
  private readonly waiters = new Map<CallerName, Set<QueuedRequest>>()
  private readonly shares: FairShares
  private size = 0

  constructor(
    limit: number,
    private readonly clock: Clock.Clock,
    isShared?: () => boolean
  ) {
    this.shares = new FairShares(limit, isShared)
  }

  /** How many requests wait. */
  get waiting(): number {
    return this.size
  }

  /** Sends a request as soon as there is a connection for it. */
  send(handlers: TransportHandlers, send: Send, caller?: string): TransportHandle {
    const request = new QueuedRequest(this, handlers, send, caller)
    if (this.shares.mayTake(caller)) {
      this.shares.take(caller)
      request.start()
    } else {
      this.line(caller).add(request)
      this.size++
      request.wait(this.clock, handlers.mayWait?.() ?? Number.POSITIVE_INFINITY)
    }
    return request
  }

  /** Forgets one that waits; false when it did not. */
  leave(request: QueuedRequest): boolean {
    const line = this.waiters.get(request.caller)
    if (line?.delete(request) !== true) return false
    if (line.size === 0) this.waiters.delete(request.caller)
    this.size--
    return true
  }

  /** Takes a connection back, for the next in line. */
  release(caller: CallerName): void {
    this.shares.giveBack(caller)
    for (let next = this.next(); next !== undefined; next = this.next()) {
      this.leave(next)
      this.shares.take(next.caller)
      next.goOn()
    }
  }

  /** Nobody gets a connection any more. */
  close(): void {
    for (const line of [...this.waiters.values()]) for (const request of [...line]) request.giveUp(closedError())
  }

  private next(): QueuedRequest | undefined {
    let fewest = Number.POSITIVE_INFINITY
    let found: Set<QueuedRequest> | undefined
    for (const [caller, line] of this.waiters) {
      const held = this.shares.heldBy(caller)
      if (held >= fewest || !this.shares.mayTake(caller)) continue
      fewest = held
      found = line
    }
    for (const request of found ?? []) return request
    return undefined
  }

  private line(caller: CallerName): Set<QueuedRequest> {
    const known = this.waiters.get(caller)
    if (known !== undefined) return known
    const made = new Set<QueuedRequest>()
    this.waiters.set(caller, made)
    return made
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
    private readonly send: Send,
    readonly caller: CallerName
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
    this.queue.release(this.caller)
  }
}
