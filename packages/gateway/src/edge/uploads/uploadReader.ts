/**
 * Receives a form while it comes: no faster than it can be kept, and no further than the first thing that is wrong with it.
 */
import type { IncomingMessage } from "node:http"
import type { Upload, UploadPart } from "@switchyard/core/Upload"
import { Either } from "effect"
import type { Refusal } from "../../errors/ErrorBody.js"
import type { Hold } from "../calls/bytesInFlight.js"
import { tooLarge } from "../calls/requestBody.js"
import { type Unpacked, unpackerOf, unpackStream } from "../calls/unpacking.js"
import type { Heartbeat, Pulse } from "../heartbeat.js"
import { boundaryIn, type FormPart, FormReader } from "./formReader.js"
import { Spool, type SpoolFailure } from "./spool.js"
import type { TemporaryPlace } from "./temporaryPlace.js"

/** What a form is held to. */
export interface UploadBounds {
  /** Bytes, both as they were sent and unpacked. */
  readonly maxBytes: number
  /** Bytes that are kept in memory; what is larger is kept in a temporary file. */
  readonly memory: number
  readonly place: TemporaryPlace
  /** Counts the bytes in memory. */
  readonly hold: Hold
  readonly heartbeat: Pick<Heartbeat, "add" | "delete">
  /** Ms in which enough of it must come, again and again. */
  readonly patience: number
}

/** Bytes a second that must come: a large form may take its time, but nobody keeps a place by a byte now and then. */
const leastRate = 16 * 1024

/** A form that came whole. */
export interface ReceivedForm {
  readonly form: Upload
}

const isForm = /^\s*multipart\/form-data\s*(;|$)/i

/** Whether a request's body is a form with parts. */
export const isFormRequest = ({ headers }: IncomingMessage): boolean => isForm.test(headers["content-type"] ?? "")

const failed: Refusal = { status: 500, code: "internal_error", message: "the request's body could not be read" }

const withoutBoundary: Refusal = {
  status: 400,
  code: "invalid_form",
  message: "the form's content-type names no boundary, or one that cannot be"
}

const refusalOf = (failure: SpoolFailure, memory: number): Refusal => {
  switch (failure) {
    case "noPlace":
      return {
        status: 413,
        code: "request_too_large",
        message: `the form is larger than ${memory} bytes, and the gateway has no place for a temporary file; put the field model before the file`
      }
    case "noRoom":
      return {
        status: 503,
        code: "overloaded",
        message: "the gateway has no room for a file as large as the form's for the moment",
        retryAfter: 10_000
      }
    case "failed":
      return failed
  }
}

const twoModels: Refusal = {
  status: 400,
  code: "duplicate_field",
  param: "model",
  message: "the field model stands more than once in the form"
}

const late: Refusal = { status: 408, code: "request_timeout", message: "the request took too long to arrive" }

/** One form on its way in. */
class UploadReader implements Pulse {
  private size = 0
  private inMemory = 0
  private isDone = false
  private hasModel = false
  private seen = 0
  private readonly form: FormReader
  private readonly spool: Spool
  private unpacked: Unpacked | undefined
  private isPaused = false
  private hasEnded = false
  /** Since when it is looked how much comes, and how much had come then. */
  private lookedAt: number | undefined
  private sizeThen = 0

  constructor(
    private readonly request: IncomingMessage,
    boundary: string,
    private readonly bounds: UploadBounds,
    private readonly done: (body: Either.Either<ReceivedForm, Refusal>) => void
  ) {
    this.form = new FormReader(boundary)
    this.spool = new Spool({
      memory: bounds.memory,
      place: bounds.place,
      onRoom: () => {
        this.isPaused = false
        this.source.resume()
      },
      onFile: () => {
        this.bounds.hold.shrink(this.inMemory)
        this.inMemory = 0
      },
      onFailure: (failure) => this.refuse(refusalOf(failure, bounds.memory))
    })
  }

  private get source(): { readonly pause: () => void; readonly resume: () => void } {
    return this.unpacked ?? this.request
  }

  /** Who calls is a socket: what is thrown at it would end the process. */
  safely(f: () => void): void {
    try {
      f()
    } catch {
      this.refuse(failed)
    }
  }

  begin(): void {
    const { request } = this
    this.bounds.heartbeat.add(this)
    const unpacker = unpackerOf(request.headers["content-encoding"])
    if (Either.isLeft(unpacker)) return this.refuse(unpacker.left)
    if (unpacker.right !== undefined) {
      this.unpacked = unpackStream(unpacker.right, request, {
        onData: (chunk) => this.safely(() => this.take(chunk)),
        onEnd: () => this.safely(() => this.end()),
        onRefusal: (refusal) => this.refuse(refusal)
      })
      return
    }
    request.on("data", (chunk: Buffer) => this.safely(() => this.take(chunk)))
    request.on("end", () => this.safely(() => this.end()))
  }

  beat(now: number): void {
    const { lookedAt, size, sizeThen } = this
    const since = lookedAt === undefined || this.isPaused || this.hasEnded ? undefined : now - lookedAt
    if (since !== undefined && since < this.bounds.patience) return
    if (since !== undefined && size - sizeThen < (leastRate * since) / 1000) return this.refuse(late)
    this.lookedAt = now
    this.sizeThen = size
  }

  /** Its request is over: all of it is let go. */
  stop(): void {
    this.isDone = true
    this.bounds.heartbeat.delete(this)
    this.unpacked?.stop()
    this.spool.close()
  }

  private take(chunk: Buffer): void {
    if (this.isDone) return
    const { bounds, form, spool } = this
    this.size += chunk.length
    if (this.size > bounds.maxBytes) return this.refuse(tooLarge(bounds.maxBytes))
    const problem = (this.size <= bounds.memory ? this.holdMore(chunk.length) : undefined) ?? form.take(chunk)
    if (problem !== undefined) return this.refuse(problem)
    for (; this.seen < form.parts.length; this.seen++) {
      if (form.parts[this.seen]?.name !== "model") continue
      if (this.hasModel) return this.refuse(twoModels)
      this.hasModel = true
    }
    if (spool.write(chunk)) return
    this.isPaused = true
    this.source.pause()
  }

  private holdMore(bytes: number): Refusal | undefined {
    this.inMemory += bytes
    return this.bounds.hold.grow(bytes)
  }

  private end(): void {
    if (this.isDone) return
    this.hasEnded = true
    const problem = this.form.end()
    if (problem !== undefined) return this.refuse(problem)
    this.spool.end(() =>
      this.safely(() => {
        if (!this.isDone)
          this.finish(Either.right({ form: { parts: this.form.parts.map((part) => this.partOf(part)) } }))
      })
    )
  }

  private partOf({ contentType, end, filename, name, start, value }: FormPart): UploadPart {
    if (value !== undefined) return { name, value }
    return {
      name,
      filename: filename ?? "file",
      contentType: contentType ?? "application/octet-stream",
      size: end - start,
      open: () => this.spool.open(start, end)
    }
  }

  private refuse(refusal: Refusal): void {
    if (this.isDone) return
    this.finish(Either.left(refusal))
    this.unpacked?.stop()
    this.spool.close()
    // What still comes is read and dropped, so that the client gets to read why.
    this.request.resume()
  }

  private finish(body: Either.Either<ReceivedForm, Refusal>): void {
    this.isDone = true
    this.bounds.heartbeat.delete(this)
    this.done(body)
  }
}

/**
 * Gives a request's form to `done`, once. Its files can be read until what is given back is called, which lets all of it go;
 * whoever reads one then is told so.
 */
export const readUpload = (
  request: IncomingMessage,
  bounds: UploadBounds,
  done: (body: Either.Either<ReceivedForm, Refusal>) => void
): (() => void) => {
  const boundary = boundaryIn(request.headers["content-type"] ?? "")
  if (boundary === undefined) {
    request.resume()
    done(Either.left(withoutBoundary))
    return () => {}
  }
  const reader = new UploadReader(request, boundary, bounds, done)
  reader.begin()
  return () => reader.stop()
}
