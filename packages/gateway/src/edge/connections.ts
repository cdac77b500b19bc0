import { readFileSync } from "node:fs"
import type { ServerResponse } from "node:http"
import type { Socket } from "node:net"
import type { Pulse } from "./heartbeat.js"

/** What a table of connections is told and tells. */
export interface ConnectionOptions {
  /** Connections at once. */
  readonly max: number
  /** Ms for which a client may leave what it is sent unread. */
  readonly stall: number
  /** File descriptors that this process may have; undefined where nobody knows. */
  readonly descriptors?: number | undefined
  /** There is no room for a new one, or not for long. Told once for each burst. */
  readonly onFull: (full: Full) => void
}

/** Why connections are closed or turned away. */
export interface Full {
  readonly why: "connections" | "descriptors"
  readonly connections: number
  /** Idle ones that were closed since the last word. */
  readonly closed: number
  /** New ones that were turned away since the last word. */
  readonly refused: number
}

/** A client's connection. */
interface Connection {
  /** The answer to the request that came last, while it is under way; answers before it go out first. */
  latest: ServerResponse | undefined
  /** About when the last request came, or the connection itself; monotonic ms. */
  usedAt: number
  /** Bytes that the system had taken at the last look, and since when it takes no more; undefined while all is taken. */
  taken: number
  stuckSince: number | undefined
}

/** Ms that a connection is left alone before it counts as idle. */
const youth = 1_000

/** Share of the connections that is closed in one go, so that a flood does not cost a pass for each. */
const share = 0.01

/** Ms of peace after which what follows is another burst; also the time between two words about one. */
const burst = 60_000

/** Descriptors that are kept for all but connections: files, timers, and those that are just closing. */
const reserve = 8

/** Node's own view of a socket. */
interface Inside {
  readonly _handle?: { readonly fd?: number; readonly bytesWritten?: number; readonly writeQueueSize?: number } | null
}

const insideOf = (socket: Socket) => (socket as unknown as Inside)._handle

/** Bytes that the system has taken; how far it has got with a large piece is known to the handle alone. */
const takenOf = (socket: Socket): number => {
  const { bytesWritten, writeQueueSize } = insideOf(socket) ?? {}
  return bytesWritten === undefined || writeQueueSize === undefined
    ? socket.bytesWritten - socket.writableLength
    : bytesWritten - writeQueueSize
}

const isIdle = ({ latest }: Connection): boolean =>
  latest === undefined || ((latest.writableFinished || latest.destroyed) && latest.req.complete)

/** How many file descriptors this process may have, where the system says. */
export const descriptorLimit = (): number | undefined => {
  try {
    const [, soft] = /^Max open files\s+(\d+)/m.exec(readFileSync("/proc/self/limits", "utf8")) ?? []
    return soft === undefined ? undefined : Number(soft)
  } catch {
    return undefined
  }
}

/** Connections at once where nobody says: room for idle ones beside the busy, in half of the descriptors at most. */
export const defaultConnections = (maxConcurrent: number, descriptors: number | undefined): number =>
  Math.min(
    Math.max(256, 4 * maxConcurrent),
    descriptors === undefined ? Number.POSITIVE_INFINITY : Math.max(16, Math.floor((descriptors - 64) / 2))
  )

/**
 * The connections of a server. Their number has a bound: a new one takes the place of the one that has been idle longest.
 * Who does not read what he is sent, whatever it is, is let go after a while.
 */
export class Connections implements Pulse {
  seat = -1
  private readonly all = new Map<Socket, Connection>()
  private now = 0
  private closed = 0
  private refused = 0
  private toldAt = Number.NEGATIVE_INFINITY

  constructor(private readonly options: ConnectionOptions) {}

  get size(): number {
    return this.all.size
  }

  /** Takes a new connection; false when there is no room. */
  add(socket: Socket): boolean {
    const { descriptors = Number.POSITIVE_INFINITY, max } = this.options
    // The system gives out the lowest number that is free.
    if ((insideOf(socket)?.fd ?? 0) >= descriptors - reserve) this.makeRoom("descriptors")
    if (this.all.size >= max && !this.makeRoom("connections")) {
      this.refused++
      this.tell("connections")
      return false
    }
    this.all.set(socket, { latest: undefined, usedAt: this.now, taken: 0, stuckSince: undefined })
    socket.once("close", () => this.all.delete(socket))
    return true
  }

  /** Notes a request; false for one on a connection that was turned away. */
  use(socket: Socket, response: ServerResponse): boolean {
    const connection = this.all.get(socket)
    if (connection === undefined) return false
    connection.latest = response
    connection.usedAt = this.now
    return true
  }

  /** The answer to the last request on a connection. */
  latest(socket: Socket): ServerResponse | undefined {
    return this.all.get(socket)?.latest
  }

  /** A connection whose last answer is out: what its client still sends keeps no new one away. */
  release(socket: Socket): void {
    const connection = this.all.get(socket)
    if (connection !== undefined) connection.latest = undefined
  }

  beat(now: number): void {
    this.now = now
    for (const [socket, connection] of this.all) {
      // An answer holds all that made it, and a connection may be idle for long.
      if (connection.latest !== undefined && isIdle(connection)) connection.latest = undefined
      if (socket.writableLength === 0) connection.stuckSince = undefined
      else this.watch(socket, connection)
    }
  }

  private watch(socket: Socket, connection: Connection): void {
    const taken = takenOf(socket)
    if (connection.stuckSince === undefined || taken !== connection.taken) {
      connection.taken = taken
      connection.stuckSince = this.now
    } else if (this.now - connection.stuckSince >= this.options.stall) socket.destroy()
  }

  /** Closes those that have been idle longest; false when none is. */
  private makeRoom(why: Full["why"]): boolean {
    const idle = [...this.all].filter(([, one]) => isIdle(one) && this.now - one.usedAt >= youth)
    idle.sort(([, a], [, b]) => a.usedAt - b.usedAt)
    for (const [socket] of idle.slice(0, Math.ceil(this.all.size * share))) {
      this.all.delete(socket)
      socket.destroy()
      this.closed++
    }
    if (idle.length > 0) this.tell(why)
    return idle.length > 0
  }

  private tell(why: Full["why"]): void {
    if (this.now - this.toldAt < burst) return
    this.toldAt = this.now
    this.options.onFull({ why, connections: this.all.size, closed: this.closed, refused: this.refused })
    this.closed = this.refused = 0
  }
}
