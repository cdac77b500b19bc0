import type { IncomingMessage } from "node:http"
import * as zlib from "node:zlib"
import { Either } from "effect"
import type { Refusal } from "../../errors/ErrorBody.js"

/** Bytes that a step of unpacking makes where nobody knows how many there are. */
const streamStep = 64 * 1024

/** How many times larger than what was sent a body may become. */
const maxRatio = 100

/** Bytes that a body may become however little was sent: a line that repeats itself packs very well. */
const alwaysAllowed = 64 * 1024

/**
 * Bytes that a step of unpacking makes: as many as bodies like this one mostly become. Each step waits for a turn of the
 * event loop, and on a busy machine that is what takes the time.
 */
const stepFor = (packed: number): number => Math.max(16 * 1024, Math.min(8 * packed, 1024 * 1024))

type Unpack = (
  bytes: Buffer,
  options: { readonly chunkSize: number }
) => zlib.Gunzip | zlib.Inflate | zlib.InflateRaw | zlib.BrotliDecompress

/** What HTTP calls deflate has zlib's header, but some send it bare. */
const hasZlibHeader = (bytes: Buffer): boolean =>
  bytes.length >= 2 && (bytes.readUInt8(0) & 0x0f) === 8 && bytes.readUInt16BE(0) % 31 === 0

const gunzip: Unpack = (_, options) => zlib.createGunzip(options)

const inflate: Unpack = (bytes, options) =>
  hasZlibHeader(bytes) ? zlib.createInflate(options) : zlib.createInflateRaw(options)

/** Codex packs its requests so. Node has it from 22.15 on; the types of the oldest Node that is supported do not know it. */
const unzstd = (
  zlib as unknown as { readonly createZstdDecompress?: (options: { readonly chunkSize: number }) => ReturnType<Unpack> }
).createZstdDecompress

const encodings: Readonly<Record<string, Unpack | undefined>> = {
  gzip: gunzip,
  "x-gzip": gunzip,
  deflate: inflate,
  br: (_, options) => zlib.createBrotliDecompress(options),
  zstd: unzstd === undefined ? undefined : (_, options) => unzstd(options)
}

/** Encodings that bodies may have. */
const known = `gzip, deflate, br${unzstd === undefined ? ", and zstd where Node is 22.15 or later" : ", zstd"}`

/** The encodings that a `content-encoding` header names, without those that change nothing. */
const listed = (header: string): ReadonlyArray<string> =>
  header
    .toLowerCase()
    .split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "" && name !== "identity")

/** How a body with this `content-encoding` is unpacked: undefined where it is plain, a refusal where nobody here can. */
export const unpackerOf = (header: string | undefined): Either.Either<Unpack | undefined, Refusal> => {
  if (header === undefined) return Either.right(undefined)
  const [name, ...more] = listed(header)
  if (name === undefined) return Either.right(undefined)
  const unpack = Object.hasOwn(encodings, name) && more.length === 0 ? encodings[name] : undefined
  return unpack === undefined
    ? Either.left({
        status: 415,
        code: "unsupported_encoding",
        message: `the body may be plain, or packed once with one of ${known}`
      })
    : Either.right(unpack)
}

const notPacked: Refusal = {
  status: 400,
  code: "invalid_encoding",
  message: "the request's body is not packed as it says"
}

const unpacksTo = (most: number): Refusal => ({
  status: 413,
  code: "request_too_large",
  message: `the request's body unpacks to more than ${most} bytes`
})

const mostFrom = (packed: number): number => Math.max(alwaysAllowed, packed * maxRatio)

/**
 * Unpacks a body, and calls `done` once, unless what is given back is called before. No more than the bound is ever held:
 * `max` bytes, and a hundred times of what was sent, whichever is less.
 */
export const unpack = (
  unpacker: Unpack,
  packed: Buffer,
  max: number,
  done: (body: Either.Either<Buffer, Refusal>) => void
): (() => void) => {
  if (packed.length === 0) {
    done(Either.right(packed))
    return () => {}
  }
  const most = Math.min(max, mostFrom(packed.length))
  const stream = unpacker(packed, { chunkSize: stepFor(packed.length) })
  const parts: Array<Buffer> = []
  let size = 0
  let isOver = false
  const stop = (): void => {
    isOver = true
    parts.length = 0
    stream.destroy()
  }
  const end = (body: Either.Either<Buffer, Refusal>): void => {
    if (isOver) return
    stop()
    done(body)
  }
  stream.on("data", (part: Buffer) => {
    if (isOver) return
    parts.push(part)
    size += part.length
    if (size > most) end(Either.left(unpacksTo(most)))
  })
  stream.on("end", () => {
    const [only] = parts
    end(Either.right(parts.length === 1 && only !== undefined ? only : Buffer.concat(parts, size)))
  })
  stream.on("error", () => end(Either.left(notPacked)))
  stream.end(packed)
  return stop
}

/** A body that is unpacked while it comes, no faster than it is taken. */
export interface Unpacked {
  readonly pause: () => void
  readonly resume: () => void
  /** Nothing more is told. */
  readonly stop: () => void
}

/** Whom a body is given to that is unpacked while it comes. */
export interface UnpackSink {
  readonly onData: (chunk: Buffer) => void
  readonly onEnd: () => void
  /** Called at most once, and nothing after it. */
  readonly onRefusal: (refusal: Refusal) => void
}

/** Unpacks a request's body of any length while it comes; no more than a hundred times of what was sent. */
export const unpackStream = (unpacker: Unpack, request: IncomingMessage, sink: UnpackSink): Unpacked => {
  let stream: ReturnType<Unpack> | undefined
  let packed = 0
  let size = 0
  let isOver = false
  let isPaused = false
  const stop = (): void => {
    isOver = true
    stream?.destroy()
  }
  const refuse = (refusal: Refusal): void => {
    if (isOver) return
    stop()
    sink.onRefusal(refusal)
  }
  const started = (first: Buffer): ReturnType<Unpack> => {
    const made = unpacker(first, { chunkSize: streamStep })
    made.on("data", (chunk: Buffer) => {
      if (isOver) return
      size += chunk.length
      if (size > mostFrom(packed)) refuse(unpacksTo(mostFrom(packed)))
      else sink.onData(chunk)
    })
    made.on("end", () => {
      if (!isOver) sink.onEnd()
    })
    made.on("error", () => refuse(notPacked))
    made.on("drain", () => request.resume())
    if (isPaused) made.pause()
    return made
  }
  request.on("data", (chunk: Buffer) => {
    if (isOver) return
    packed += chunk.length
    stream ??= started(chunk)
    if (!stream.write(chunk)) request.pause()
  })
  request.on("end", () => {
    if (isOver) return
    if (stream === undefined) sink.onEnd()
    else stream.end()
  })
  return {
    pause: () => {
      isPaused = true
      stream?.pause()
    },
    resume: () => {
      isPaused = false
      stream?.resume()
    },
    stop
  }
}
