/**
 * Receives a request's body. A small one is handed on as its bytes; a large one is read while it arrives, in pieces that
 * take turns with all other work, and stops at the first thing that is wrong with it.
 */
import { isUtf8 } from "node:buffer"
import type { IncomingMessage } from "node:http"
import { JsonReader, type Problem } from "@switchyard/core/JsonReader"
import * as Turns from "@switchyard/core/Turns"
import { Either } from "effect"
import type { Refusal } from "../../errors/ErrorBody.js"
import {
  declaredLength,
  type JsonBounds,
  maxFields,
  maxNames,
  type ParsedBody,
  repeated,
  tooDeep,
  tooLarge,
  tooManyFields,
  tooManyNames,
  withoutMark
} from "./requestBody.js"
import { unpack, unpackerOf } from "./unpacking.js"

/** What came: the bytes of a small body, or what a large one holds. */
export type Received = Buffer | ParsedBody

/** What a body is held to. */
export interface BodyBounds extends JsonBounds {
  /** Bytes, both as they were sent and unpacked. */
  readonly maxBytes: number
  /** Counts bytes that are held from now on; a refusal where there is no room for them. */
  readonly hold: (bytes: number) => Refusal | undefined
}

/** Bytes up to which a body is parsed in one go. */
const smallBody = 128 * 1024
/** What is read of a large one in one turn. */
const pieceBytes = 256 * 1024
const pieceValues = 2000
/** Bytes that wait to be read before no more are taken from the socket. */
const mostWaiting = 1024 * 1024

/** Fields whose long rows of numbers are token ids. */
const numbersIn: ReadonlySet<string> = new Set(["input", "prompt"])

const invalid = (message: string): Refusal => ({ status: 400, code: "invalid_json", message })

/** There was no memory for it, or its reader has a fault. */
const failed: Refusal = { status: 500, code: "internal_error", message: "the request's body could not be read" }

const refusalOf = (problem: Problem, bounds: BodyBounds): Refusal => {
  switch (problem._tag) {
    case "syntax":
      return invalid(`the request's body is not valid JSON (at byte ${problem.at})`)
    case "notObject":
      return invalid("the request's body is JSON, but not an object")
    case "tooDeep":
      return tooDeep(bounds.maxDepth)
    case "tooManyFields":
      return tooManyFields
    case "tooManyNames":
      return tooManyNames
    case "tooManyValues":
      return {
        status: 413,
        code: "too_many_values",
        message: `the request's body holds more than ${bounds.maxValues} values`
      }
    case "tooManyNumbers":
      return {
        status: 413,
        code: "too_many_values",
        message: `the request's body holds more than ${bounds.maxNumbers} numbers`
      }
    case "duplicate":
      return repeated(problem.name)
    case "infinite":
      return {
        status: 400,
        code: "invalid_number",
        message: `${problem.name.slice(0, 100)}: expected numbers that fit, one is too large`
      }
  }
}

/** One body on its way in. */
class BodyReader {
  private chunks: Array<Buffer> = []
  private bytes: Buffer = Buffer.alloc(0)
  private size = 0
  private reader: JsonReader | undefined
  private hasEnded = false
  private isWorking = false
  private isPaused = false
  private isDone = false
  private stopUnpacking: (() => void) | undefined

  constructor(
    private readonly request: IncomingMessage,
    private readonly bounds: BodyBounds,
    private readonly done: (body: Either.Either<Received, Refusal>) => void
  ) {}

  /** Up to here all of a body may hold no more values than it may. */
  private get small(): number {
    return Math.min(smallBody, 2 * this.bounds.maxValues, 2 * this.bounds.maxNumbers)
  }

  /** Who calls is a socket or a turn: what is thrown at them would end the process. */
  safely<A>(f: () => A): A | undefined {
    try {
      return f()
    } catch {
      if (!this.isDone) this.refuse(failed)
      return undefined
    }
  }

  stop(): void {
    this.isDone = true
    this.stopUnpacking?.()
    this.drop()
  }

  take(chunk: Buffer, isPacked: boolean): void {
    if (this.isDone) return
    const size = this.size + chunk.length
    if (size > this.bounds.maxBytes) return this.refuse(tooLarge(this.bounds.maxBytes))
    const refusal = this.bounds.hold(chunk.length)
    if (refusal !== undefined) return this.refuse(refusal)
    if (this.reader !== undefined) this.append(chunk)
    else {
      this.chunks.push(chunk)
      this.size = size
      if (!isPacked && size > this.small) this.readOn()
    }
  }

  end(): void {
    if (this.isDone) return
    this.hasEnded = true
    if (this.reader !== undefined) return this.work()
    const bytes = this.whole()
    const encoding = this.request.headers["content-encoding"]
    const unpacker = encoding === undefined ? Either.right(undefined) : unpackerOf(encoding)
    if (Either.isLeft(unpacker)) return this.refuse(unpacker.left)
    if (unpacker.right === undefined) return this.settle(bytes)
    this.stopUnpacking = unpack(unpacker.right, bytes, this.bounds.maxBytes, (unpacked) => {
      if (this.isDone) return
      if (Either.isLeft(unpacked)) return this.refuse(unpacked.left)
      const refusal = this.bounds.hold(Math.max(0, unpacked.right.length - bytes.length))
      if (refusal === undefined) this.settle(unpacked.right)
      else this.refuse(refusal)
    })
  }

  private settle(bytes: Buffer): void {
    if (bytes.length <= this.small) return this.finish(Either.right(bytes))
    this.chunks = []
    this.bytes = withoutMark(bytes)
    this.size = this.bytes.length
    this.reader = new JsonReader({ ...this.bounds, maxFields, maxNames, numbersIn })
    this.work()
  }

  private whole(): Buffer {
    const [only] = this.chunks
    const bytes = this.chunks.length === 1 && only !== undefined ? only : Buffer.concat(this.chunks, this.size)
    this.chunks = []
    return bytes
  }

  /** The body is large: what has come is read, and then all that comes. */
  private readOn(): void {
    const early = withoutMark(this.whole())
    this.size = 0
    this.reader = new JsonReader({ ...this.bounds, maxFields, maxNames, numbersIn })
    this.append(early)
  }

  private append(chunk: Buffer): void {
    const size = this.size + chunk.length
    if (size > this.bytes.length) {
      const most = Math.min(this.bounds.maxBytes, declaredLength(this.request) ?? this.bounds.maxBytes)
      const grown = Buffer.allocUnsafeSlow(Math.max(size, Math.min(most, 2 * size)))
      this.bytes.copy(grown, 0, 0, this.size)
      this.bytes = grown
    }
    chunk.copy(this.bytes, this.size)
    this.size = size
    this.work()
  }

  private work(): void {
    if (this.isWorking) {
      this.breathe()
      return
    }
    this.isWorking = true
    Turns.take(() => this.safely(() => this.piece()) === true)
  }

  /** The socket waits while reading does not keep up with it. */
  private breathe(): void {
    const waiting = this.size - (this.reader?.position ?? this.size)
    if (waiting > mostWaiting === this.isPaused || this.hasEnded) return
    this.isPaused = !this.isPaused
    if (this.isPaused) this.request.pause()
    else this.request.resume()
  }

  private piece(): boolean {
    const { bytes, reader, size } = this
    if (this.isDone || reader === undefined) return false
    const problem = reader.read(bytes, Math.min(size, reader.position + pieceBytes), pieceValues)
    if (problem !== undefined) {
      this.refuse(refusalOf(problem, this.bounds))
      return false
    }
    this.breathe()
    if (reader.position < size) return true
    this.isWorking = false
    if (this.hasEnded) this.complete(reader)
    return false
  }

  private complete(reader: JsonReader): void {
    const bytes = this.bytes.subarray(0, this.size)
    if (!isUtf8(bytes)) {
      return this.refuse({ status: 400, code: "invalid_utf8", message: "the request's body is not valid UTF-8" })
    }
    const read = reader.end(bytes)
    if ("_tag" in read) return this.refuse(refusalOf(read, this.bounds))
    const { json, members } = read
    if (members.get("model")?.hasStandIn === true) {
      return this.refuse({ status: 400, code: "invalid_request", param: "model", message: "model: expected a name" })
    }
    // What is made of it is the work of another turn.
    Turns.take(() => {
      this.safely(() => {
        if (!this.isDone) this.finish(Either.right({ json, exact: members }))
      })
      return false
    })
  }

  private refuse(refusal: Refusal): void {
    this.finish(Either.left(refusal))
  }

  private finish(body: Either.Either<Received, Refusal>): void {
    this.isDone = true
    this.drop()
    this.done(body)
  }

  private drop(): void {
    this.chunks = []
    this.bytes = Buffer.alloc(0)
    this.reader = undefined
    if (!this.isPaused) return
    this.isPaused = false
    this.request.resume()
  }
}

/**
 * Gives a request's body to `done`, once: a small one in the turn in which the last of it came, or was unpacked; no fiber
 * waits for it. What comes after a refusal is read and dropped, so that the client gets to read it; how long that may take
 * is bounded by the server's `requestTimeout`. A client that goes away is the server's to notice, which then calls what is
 * given back.
 */
export const readBody = (
  request: IncomingMessage,
  bounds: BodyBounds,
  done: (body: Either.Either<Received, Refusal>) => void
): (() => void) => {
  const reader = new BodyReader(request, bounds, done)
  const unpacker = unpackerOf(request.headers["content-encoding"])
  const isPacked = Either.isRight(unpacker) && unpacker.right !== undefined
  request.on("data", (chunk: Buffer) => reader.safely(() => reader.take(chunk, isPacked)))
  request.on("end", () => reader.safely(() => reader.end()))
  return () => reader.stop()
}
