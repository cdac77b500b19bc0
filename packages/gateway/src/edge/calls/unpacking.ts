import * as zlib from "node:zlib"
import { Either } from "effect"
import type { Refusal } from "../../errors/ErrorBody.js"

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
  options: { readonly maxOutputLength: number; readonly chunkSize: number },
  done: (error: (Error & { readonly code?: string }) | null, bytes: Buffer) => void
) => void

/** What HTTP calls deflate has zlib's header, but some send it bare. */
const hasZlibHeader = (bytes: Buffer): boolean =>
  bytes.length >= 2 && (bytes.readUInt8(0) & 0x0f) === 8 && bytes.readUInt16BE(0) % 31 === 0

const inflate: Unpack = (bytes, options, done) =>
  hasZlibHeader(bytes) ? zlib.inflate(bytes, options, done) : zlib.inflateRaw(bytes, options, done)

const encodings: Readonly<Record<string, Unpack | undefined>> = {
  gzip: zlib.gunzip,
  "x-gzip": zlib.gunzip,
  deflate: inflate,
  br: zlib.brotliDecompress
}

/** Encodings that bodies may have, as `Accept-Encoding` names them. */
const known = "gzip, deflate, br"

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

/**
 * Unpacks a body, and calls `done` once. No more than the bound is ever held: `max` bytes, and a hundred times of what was
 * sent, whichever is less.
 */
export const unpack = (
  unpacker: Unpack,
  packed: Buffer,
  max: number,
  done: (body: Either.Either<Buffer, Refusal>) => void
): void => {
  if (packed.length === 0) return done(Either.right(packed))
  const maxOutputLength = Math.min(max, Math.max(alwaysAllowed, packed.length * maxRatio))
  unpacker(packed, { maxOutputLength, chunkSize: stepFor(packed.length) }, (error, bytes) => {
    if (error === null) return done(Either.right(bytes))
    const isTooLarge = error.code === "ERR_BUFFER_TOO_LARGE"
    done(
      Either.left(
        isTooLarge
          ? {
              status: 413,
              code: "request_too_large",
              message: `the request's body unpacks to more than ${maxOutputLength} bytes`
            }
          : { status: 400, code: "invalid_encoding", message: "the request's body is not packed as it says" }
      )
    )
  })
}
