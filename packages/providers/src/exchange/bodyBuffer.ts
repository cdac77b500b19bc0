/**
 * Collects a body that is wanted whole, up to a bound.
 */

const decoder = new TextDecoder()

/** Chunks in one. */
const joined = (chunks: ReadonlyArray<Uint8Array>, size: number): Uint8Array => {
  const all = new Uint8Array(size)
  let at = 0
  for (const chunk of chunks) {
    all.set(chunk, at)
    at += chunk.length
  }
  return all
}

/** The chunks of one body. */
export class BodyBuffer {
  private readonly chunks: Array<Uint8Array> = []
  /** Bytes so far. */
  size = 0

  constructor(private readonly limit: number) {}

  /** Takes a chunk; false when the body has become larger than its bound. What came up to the bound is kept. */
  add(chunk: Uint8Array): boolean {
    const room = this.limit - this.size
    if (chunk.length <= room) {
      this.chunks.push(chunk)
      this.size += chunk.length
      return true
    }
    this.chunks.push(chunk.subarray(0, room))
    this.size = this.limit
    return false
  }

  /** What came so far, and `more` after it. */
  bytes(more?: Uint8Array): Uint8Array {
    if (more !== undefined) return joined([...this.chunks, more], this.size + more.length)
    return joined(this.chunks, this.size)
  }

  /** The body as text; bytes that are no UTF-8 become U+FFFD, a byte order mark is dropped. */
  text(): string {
    const [only] = this.chunks
    if (only === undefined) return ""
    return decoder.decode(this.chunks.length === 1 ? only : joined(this.chunks, this.size))
  }
}
