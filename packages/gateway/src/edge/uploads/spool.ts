/**
 * Keeps the bytes of one upload, to be read from anywhere in it as often as is asked: in memory up to a bound, from then on in a
 * temporary file without a name. The system deletes that when it is closed, or when the process is killed.
 */
import * as fs from "node:fs"
import type { TemporaryPlace } from "./temporaryPlace.js"

/** Bytes that are kept, and written, in one piece. */
const blockBytes = 64 * 1024
/** Blocks that wait to be written before no more should come. */
const mostWaiting = 16

/** Why an upload cannot be kept: there is nowhere to keep it, no room, or no temporary file can be written any more. */
export type SpoolFailure = "noPlace" | "noRoom" | "failed"

/** What a spool is held to, and whom it tells. */
export interface SpoolOptions {
  /** Bytes that are kept in memory. */
  readonly memory: number
  readonly place: TemporaryPlace
  /** There is room again after `write` said that there is none. */
  readonly onRoom: () => void
  /** From now on its bytes are in a file. */
  readonly onFile: () => void
  /** There can be no file: true where they are wanted all the same, once, by one reader. */
  readonly onNoPlace: () => boolean
  readonly onFailure: (failure: SpoolFailure) => void
}

/** What is said to a reader for whom nothing is left. */
class SpoolClosed extends Error {
  override readonly name = "SpoolClosed"
}

const failureOf = ({ code }: NodeJS.ErrnoException): SpoolFailure =>
  code === "ENOSPC" || code === "EDQUOT" ? "noRoom" : "failed"

/** The bytes of one upload. */
export class Spool {
  /** Bytes that were written to it. */
  size = 0
  private readonly blocks: Array<Buffer> = []
  private readonly free: Array<Buffer> = []
  /** Bytes of the last block that are taken. */
  private used = 0
  private isOnDisk = false
  private fd: number | undefined
  /** Bytes that are in the file. */
  private flushed = 0
  private isWriting = false
  private isFull = false
  private isEnded = false
  private isClosed = false
  /** Reads and writes of the file that are under way: its number may be another one's once it is closed. */
  private busy = 0
  private onEnd: (() => void) | undefined
  /** They pass: what its one reader has read makes room for more. */
  private isPassing = false
  /** Bytes that are gone, from the beginning. */
  private gone = 0
  private error: Error | undefined
  private wake: (() => void) | undefined

  constructor(private readonly options: SpoolOptions) {}

  /** Adds bytes; false where no more should come until there is room. */
  write(bytes: Uint8Array): boolean {
    if (this.isClosed) return true
    for (let at = 0; at < bytes.length; ) {
      const block = this.blockForMore()
      const length = Math.min(bytes.length - at, block.length - this.used)
      block.set(bytes.subarray(at, at + length), this.used)
      this.used += length
      at += length
    }
    this.size += bytes.length
    if (!this.isOnDisk && !this.isPassing && this.size > this.options.memory) this.moveToDisk()
    if (this.isOnDisk) this.flush()
    this.wake?.()
    this.isFull = this.isPassing
      ? this.size - this.gone > this.options.memory + mostWaiting * blockBytes
      : this.isOnDisk && this.blocks.length > mostWaiting
    return !this.isFull
  }

  /** No more comes; `done` is called once all of it can be read. */
  end(done: () => void): void {
    this.isEnded = true
    this.onEnd = done
    this.wake?.()
    this.flush()
  }

  /** The bytes from `start` up to `end`. */
  async *open(start: number, end: number): AsyncGenerator<Uint8Array> {
    for (let at = start; at < end; ) {
      if (this.isClosed) throw this.error ?? new SpoolClosed("the upload has ended")
      // The last byte waits for the end: until then nobody knows that it is one.
      const known = this.isPassing && !this.isEnded ? Math.min(end - 1, this.size) : end
      if (at >= known) {
        await new Promise<void>((resume) => {
          this.wake = resume
        })
        continue
      }
      const bytes = this.isOnDisk ? await this.read(at, Math.min(blockBytes, end - at)) : this.held(at, known)
      if (bytes.length === 0) throw new SpoolClosed("the upload is shorter than it was")
      yield bytes
      at += bytes.length
      if (this.isFull && this.isPassing) this.forget(at)
    }
  }

  /** Its readers fail with this, and all of it is let go. */
  abort(error: Error): void {
    this.error ??= error
    this.close()
  }

  /** Lets all of it go. */
  close(): void {
    if (this.isClosed) return
    this.isClosed = true
    this.blocks.length = 0
    this.free.length = 0
    this.wake?.()
    this.closeFile()
  }

  private blockForMore(): Buffer {
    const last = this.blocks.at(-1)
    if (last !== undefined && this.used < last.length) return last
    const next = this.free.pop() ?? Buffer.allocUnsafeSlow(blockBytes)
    this.blocks.push(next)
    this.used = 0
    return next
  }

  private held(at: number, end: number): Uint8Array {
    if (at < this.gone) throw new SpoolClosed("the upload has passed")
    const block = this.blocks[Math.floor((at - this.gone) / blockBytes)] ?? Buffer.alloc(0)
    const from = at % blockBytes
    return block.subarray(from, Math.min(blockBytes, from + Math.min(end, this.size) - at))
  }

  /** What is before an offset makes room. */
  private forget(at: number): void {
    while (this.gone + blockBytes <= at) {
      this.blocks.shift()
      this.gone += blockBytes
    }
    this.isFull = false
    this.options.onRoom()
  }

  private pass(): void {
    if (this.isClosed) return
    if (!this.options.onNoPlace()) return this.fail("noPlace")
    this.isPassing = true
    this.isOnDisk = false
    if (this.isFull) {
      this.isFull = false
      this.options.onRoom()
    }
    this.tellEnd()
  }

  private moveToDisk(): void {
    this.isOnDisk = true
    this.options.place.open((fd) => {
      if (fd === undefined) return this.pass()
      this.fd = fd
      if (this.isClosed) return this.closeFile()
      this.options.onFile()
      this.flush()
    })
  }

  /** Writes what is full, and at the end all that is left. */
  private flush(): void {
    const { fd } = this
    if (this.isClosed || this.isWriting) return
    const [block] = this.blocks
    if (this.isOnDisk && fd === undefined) return
    const isLast = this.blocks.length === 1
    if (!this.isOnDisk || block === undefined) return this.tellEnd()
    if (isLast && this.used < block.length && !this.isEnded) return
    const length = isLast ? this.used : block.length
    if (length === 0) return this.tellEnd()
    this.isWriting = true
    this.writeAll(fd as number, block, 0, length)
  }

  private writeAll(fd: number, block: Buffer, from: number, length: number): void {
    this.busy++
    fs.write(fd, block, from, length - from, this.flushed, (error, written) => {
      this.busy--
      if (this.isClosed) return this.closeFile()
      if (error !== null) return this.fail(failureOf(error))
      this.flushed += written
      if (from + written < length) return this.writeAll(fd, block, from + written, length)
      this.isWriting = false
      this.blocks.shift()
      if (this.free.length < mostWaiting) this.free.push(block)
      this.flush()
      if (!this.isFull || this.blocks.length > mostWaiting / 2) return
      this.isFull = false
      this.options.onRoom()
    })
  }

  private tellEnd(): void {
    if (!this.isEnded) return
    const done = this.onEnd
    this.onEnd = undefined
    if (this.isOnDisk) this.free.length = 0
    done?.()
  }

  private read(at: number, length: number): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      const bytes = Buffer.allocUnsafeSlow(length)
      this.busy++
      fs.read(this.fd as number, bytes, 0, length, at, (error, read) => {
        this.busy--
        if (this.isClosed) this.closeFile()
        if (error === null) resolve(bytes.subarray(0, read))
        else reject(error)
      })
    })
  }

  private fail(failure: SpoolFailure): void {
    if (this.isClosed) return
    this.close()
    this.options.onFailure(failure)
  }

  private closeFile(): void {
    const { fd } = this
    if (fd === undefined || this.busy > 0) return
    this.fd = undefined
    fs.close(fd, () => {})
  }
}
