/**
 * A streamed body, put into HTTP's chunks here: Node makes four writes of each chunk and holds them for the turn's end, which
 * together is half of what a chunk costs to send (5.9 µs, and 3.0 as one write to the socket).
 */
import type { ServerResponse } from "node:http"
import type { Writable } from "node:stream"

/** Bytes that stand in others. */
interface Stretch {
  readonly source: Uint8Array
  readonly start: number
  readonly end: number
}

/** What is written: texts, and stretches of bytes. */
export type Pieces = string | ReadonlyArray<string | Stretch>

const last = "0\r\n\r\n"

const sizeOf = (pieces: Pieces): number => {
  if (typeof pieces === "string") return Buffer.byteLength(pieces)
  let size = 0
  for (const piece of pieces) size += typeof piece === "string" ? Buffer.byteLength(piece) : piece.end - piece.start
  return size
}

const put = (piece: string | Stretch, into: Buffer, at: number): number => {
  if (typeof piece === "string") return at + into.write(piece, at)
  const { end, source, start } = piece
  // Most chunks of a provider's hold one event: then a view of it more costs as much as the copy.
  into.set(start === 0 && end === source.length ? source : source.subarray(start, end), at)
  return at + end - start
}

/** The pieces in one, between what stands before and after them. */
const joined = (pieces: Pieces, size: number, before: string, after: string): Buffer => {
  const bytes = Buffer.allocUnsafe(before.length + size + after.length)
  let at = bytes.write(before, 0, "latin1")
  if (typeof pieces === "string") at = put(pieces, bytes, at)
  else for (const piece of pieces) at = put(piece, bytes, at)
  bytes.write(after, at, "latin1")
  return bytes
}

/** The body of one response, whose head `begin` comes after. */
export class ChunkedBody {
  /** Whether the chunks are made here; without them the end of the connection is the end of the body. */
  private isFramed = false
  /** The head has gone to the socket, or waits for it in the response. */
  private hasWritten = false
  /** What the last write went to. */
  private to: Writable

  constructor(private readonly response: ServerResponse) {
    this.to = response
  }

  /** The head has been written. */
  begin(): void {
    const { response } = this
    this.isFramed = response.chunkedEncoding
    if (this.isFramed) response.chunkedEncoding = false
  }

  /** Writes something; false when the client should be waited for. */
  write(pieces: Pieces): boolean {
    const size = sizeOf(pieces)
    if (size === 0) return true
    if (!this.isFramed) return this.send(typeof pieces === "string" ? pieces : joined(pieces, size, "", ""))
    return this.send(joined(pieces, size, `${size.toString(16)}\r\n`, "\r\n"))
  }

  /** Writes the last of it, in one with the end. */
  end(pieces: Pieces): void {
    const { response } = this
    const size = sizeOf(pieces)
    if (!this.isFramed) {
      if (size > 0) this.write(pieces)
      response.end()
    } else if (size === 0) response.end(last)
    else response.end(joined(pieces, size, `${size.toString(16)}\r\n`, `\r\n${last}`))
  }

  /** What is written from now on goes out together with the end. */
  hold(): void {
    this.response.socket?.cork()
  }

  /** Calls `f` when the client has room, at once when it has; what is given back takes that back. */
  onRoom(f: () => void): (() => void) | undefined {
    const { to } = this
    if (!to.writableNeedDrain) {
      f()
      return undefined
    }
    to.once("drain", f)
    return () => to.off("drain", f)
  }

  private send(bytes: Buffer | string): boolean {
    const { response } = this
    // The head goes out with the first bytes. A response that waits for its turn has no socket, and keeps what it is given.
    const { socket } = response
    const isDirect = this.hasWritten && this.isFramed && socket !== null
    this.hasWritten = true
    this.to = isDirect ? socket : response
    // A socket that is gone takes nothing, and the server ends the call.
    return isDirect && !socket.writable ? true : this.to.write(bytes)
  }
}
