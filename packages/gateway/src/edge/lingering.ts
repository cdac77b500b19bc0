import type { Socket } from "node:net"
import type { Connections } from "./connections.js"
import type { Pulse } from "./heartbeat.js"

/** How long, and for how much, a client that is still sending is listened to after its last answer. */
export interface LingerBounds {
  /** Ms without a byte. */
  readonly silence: number
  /** Ms in all. */
  readonly most: number
  /** Bytes in all. */
  readonly bytes: number
}

/** Bytes that are read however small bodies have to be. */
const leastBytes = 128 * 1024 * 1024

/** The bounds where bodies may have `maxBody` bytes: what is twice as large is still read to its end. */
export const boundsFor = (maxBody: number): LingerBounds => ({
  silence: 5_000,
  most: 30_000,
  bytes: Math.max(leastBytes, 2 * maxBody)
})

interface Leaving {
  readonly silence: number
  readonly from: number
  readonly bytesFrom: number
  heardAt: number
  bytes: number
}

/** Ms that count of the time between two beats: while the process stands still, nobody is heard. */
const longestStep = 500

/** Node's parser lets go of a socket whose bytes are asked for, so nothing on it is taken for a request any more. */
const discard = (socket: Socket): void => {
  socket.removeAllListeners("data")
  socket.on("data", () => {})
  socket.resume()
  // Where the parser held the socket back, the stream believes that it is reading.
  socket._read(0)
}

/**
 * Closes connections whose clients may still be sending. A socket that is closed with unread bytes in it is reset, and the
 * reset may overtake the answer. So our side is closed first, and what comes is read and dropped until the client closes
 * its own side or has had its time.
 */
export class LingeringCloses implements Pulse {
  seat = -1
  private readonly all = new Map<Socket, Leaving>()
  private beatAt = 0
  private now = 0

  constructor(private readonly bounds: LingerBounds) {}

  has(socket: Socket): boolean {
    return this.all.has(socket)
  }

  /** From now on nothing is written, and nothing that comes is heard. */
  begin(socket: Socket, silence = this.bounds.silence): void {
    if (socket.destroyed || this.all.has(socket)) return
    const { now } = this
    const bytes = socket.bytesRead
    this.all.set(socket, { silence, from: now, bytesFrom: bytes, heardAt: now, bytes })
    socket.once("close", () => this.all.delete(socket))
    discard(socket)
    socket.end()
  }

  beat(now: number): void {
    this.now += Math.min(now - this.beatAt, longestStep)
    this.beatAt = now
    for (const [socket, leaving] of this.all) this.look(socket, leaving)
  }

  private look(socket: Socket, leaving: Leaving): void {
    const { bounds, now } = this
    const bytes = socket.bytesRead
    if (bytes !== leaving.bytes) {
      leaving.bytes = bytes
      leaving.heardAt = now
    }
    const isOver =
      now - leaving.heardAt >= leaving.silence ||
      now - leaving.from >= bounds.most ||
      bytes - leaving.bytesFrom > bounds.bytes
    if (isOver) socket.destroy()
  }
}

/** Node closes the socket after a last answer at once; where the request's body is still on its way, it has to linger. */
export const lingerWithBody = (socket: Socket, connections: Connections, lingering: LingeringCloses): void => {
  const destroySoon = socket.destroySoon.bind(socket)
  socket.destroySoon = () => {
    const latest = connections.latest(socket)
    if (latest === undefined || latest.req.complete || !latest.writableFinished) return destroySoon()
    connections.release(socket)
    lingering.begin(socket)
  }
}
