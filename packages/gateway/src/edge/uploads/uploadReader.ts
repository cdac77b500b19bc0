/**
 * Receives a form while it comes: no faster than it can be kept, and no further than the first thing that is wrong with it.
 */
import type { IncomingMessage } from "node:http"
import { LlmError } from "@switchyard/core/LlmError"
import { secondsIn } from "@switchyard/core/SoundLength"
import type { Upload, UploadPart } from "@switchyard/core/Upload"
import { Either } from "effect"
import type { Refusal } from "../../errors/ErrorBody.js"
import type { Hold } from "../calls/bytesInFlight.js"
import { declaredLength, tooLarge } from "../calls/requestBody.js"
import { type Unpacked, unpackerOf, unpackStream } from "../calls/unpacking.js"
import type { Heartbeat, Pulse } from "../heartbeat.js"
import { FileHeads } from "./fileHeads.js"
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
  /** The model stands elsewhere. */
  readonly hasModel: boolean
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

const notLast: Refusal = {
  status: 400,
  code: "invalid_form",
  message: "the gateway has no place for a temporary file, so a file as large as the form's has to be its last part"
}

/** What is read of a file that is not kept: from its beginning again only where nothing of it had to go. */
async function* onceOnly(spool: Spool, start: number, end: number): AsyncGenerator<Uint8Array> {
  try {
    yield* spool.open(start, end)
  } catch (error) {
    if (error instanceof LlmError) throw error
    const description =
      "the file cannot be sent a second time, since the gateway has no place to keep it; send it again"
    throw new LlmError({ reason: "InvalidRequest", code: "upload_not_kept", description })
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
  seat = -1
  private size = 0
  private inMemory = 0
  private isDone = false
  private hasModel = false
  private seen = 0
  private readonly form: FormReader
  private readonly heads = new FileHeads()
  private readonly spool: Spool
  private unpacked: Unpacked | undefined
  private isPaused = false
  private hasEnded = false
  /** The file that is given on while it comes, since there is no place to keep it. */
  private passing: { readonly start: number; readonly size: number } | undefined
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
      onNoPlace: () => this.passes(),
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
    this.heads.take(chunk, this.size - chunk.length, form)
    if (this.passing !== undefined && !this.isAsSaid(this.passing)) return this.refuse(notLast)
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
    this.bounds.heartbeat.delete(this)
    this.spool.end(() =>
      this.safely(() => {
        if (!this.isDone && this.passing === undefined)
          this.finish(Either.right({ form: { parts: this.form.parts.map((part) => this.partOf(part)) } }))
      })
    )
  }

  private partOf({ contentType, end, filename, name, start, value }: FormPart): UploadPart {
    if (value !== undefined) return { name, value }
    const seconds = secondsIn(this.heads.of(start), end - start)
    return {
      name,
      filename: filename ?? "file",
      contentType: contentType ?? "application/octet-stream",
      size: end - start,
      ...(seconds === undefined ? {} : { seconds }),
      open: () => (this.passing === undefined ? this.spool.open(start, end) : onceOnly(this.spool, start, end))
    }
  }

  /** Whether the form can be given on while its last part comes: everything before that is known, and how long that is. */
  private passes(): boolean {
    const { bounds, form, isDone, request, unpacked } = this
    const { open, openStart: start } = form
    const length = declaredLength(request)
    if (isDone || unpacked !== undefined || length === undefined || open === undefined) return false
    const size = length - start - form.endBytes
    if (size < 0 || !open.isFile || !(bounds.hasModel || this.hasModel)) return false
    this.passing = { start, size }
    const last = this.partOf({ ...open, start, end: start + size, value: undefined })
    this.done(Either.right({ form: { parts: [...form.parts.map((part) => this.partOf(part)), last] } }))
    return true
  }

  /** Whether nothing follows the file that is on its way to a provider already, and it is as long as was said. */
  private isAsSaid({ size, start }: { readonly start: number; readonly size: number }): boolean {
    const { form } = this
    const last = form.parts.at(-1)
    return form.openStart === start && (form.open !== undefined || last === undefined || last.end - start === size)
  }

  private refuse(refusal: Refusal): void {
    if (this.isDone) return
    if (this.passing === undefined) this.finish(Either.left(refusal))
    else {
      this.isDone = true
      const { code, message } = refusal
      this.spool.abort(new LlmError({ reason: "InvalidRequest", code, description: message }))
    }
    this.unpacked?.stop()
    this.spool.close()
    // What still comes is read and dropped, so that the client gets to read why.
    this.request.resume()
  }

  /** Whether it has still to come, in its own time. */
  get isReceiving(): boolean {
    return !this.isDone && !this.hasEnded
  }

  private finish(body: Either.Either<ReceivedForm, Refusal>): void {
    this.isDone = true
    this.bounds.heartbeat.delete(this)
    this.done(body)
  }
}

/** A form that is being received. */
export interface Receiving {
  /** Whether it has still to come, in its own time. */
  readonly isReceiving: boolean
  /** Its request is over: all of it is let go. */
  readonly stop: () => void
}

/**
 * Gives a request's form to `done`, once. Its files can be read until what is given back is stopped, which lets all of it go; whoever
 * reads one then is told so.
 */
export const readUpload = (
  request: IncomingMessage,
  bounds: UploadBounds,
  done: (body: Either.Either<ReceivedForm, Refusal>) => void
): Receiving => {
  const boundary = boundaryIn(request.headers["content-type"] ?? "")
  if (boundary === undefined) {
    request.resume()
    done(Either.left(withoutBoundary))
    return { isReceiving: false, stop: () => {} }
  }
  const reader = new UploadReader(request, boundary, bounds, done)
  reader.begin()
  return reader
}
