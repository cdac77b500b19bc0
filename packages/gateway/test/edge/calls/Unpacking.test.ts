import * as zlib from "node:zlib"
import { brotliCompressSync, deflateSync, gzipSync } from "node:zlib"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Either } from "effect"
import { unpack, unpackerOf } from "../../../src/edge/calls/unpacking.js"
import type { Refusal } from "../../../src/errors/ErrorBody.js"

const unpacked = (coding: string, packed: Buffer, max: number) =>
  Effect.async<Either.Either<Buffer, Refusal>>((resume) => {
    const unpacker = Either.getOrThrow(unpackerOf(coding))
    if (unpacker === undefined) throw new Error("no coding")
    unpack(unpacker, packed, max, (body) => resume(Effect.succeed(body)))
  })

/** Turns of the event loop, each far longer than on a busy machine, until something is done. */
const turnsOf = <A>(what: Effect.Effect<A>) =>
  Effect.suspend(() => {
    let turns = 0
    let isOver = false
    const turn = (): void => {
      if (isOver) return
      turns++
      const until = performance.now() + 40
      while (performance.now() < until);
      setImmediate(turn)
    }
    setImmediate(turn)
    return Effect.map(what, (value) => {
      isOver = true
      return { turns, value }
    })
  })

const MiB = 1024 * 1024

describe("a packed body", () => {
  // At its best brotli takes ten seconds for it.
  const fast = { params: { [zlib.constants.BROTLI_PARAM_QUALITY]: 4 } }
  const text = Buffer.from(JSON.stringify({ words: Array.from({ length: 400_000 }, (_, index) => `word ${index}`) }))

  it.live.each([
    ["gzip", gzipSync(Buffer.alloc(64 * MiB, " ")), true],
    ["deflate", deflateSync(Buffer.alloc(64 * MiB, " ")), true],
    ["br", brotliCompressSync(text, fast), false],
    ["gzip", gzipSync(text), false]
  ] as const)(
    "is unpacked, or refused, within a few turns of the event loop, however long those are: %s",
    ([coding, packed, isBomb]) =>
      Effect.gen(function* () {
        const { turns, value } = yield* turnsOf(unpacked(coding, packed, 32 * MiB))
        if (Either.isRight(value)) assert.isTrue(value.right.equals(text))
        else assert.strictEqual(value.left.code, "request_too_large")
        assert.strictEqual(Either.isLeft(value), isBomb)
        assert.isBelow(turns, 100)
      })
  )

  it.live("may be zstd, as Codex packs it, where Node can do that; elsewhere the refusal says from which Node on", () =>
    Effect.gen(function* () {
      const { zstdCompressSync: pack } = zlib as unknown as { readonly zstdCompressSync?: (bytes: Buffer) => Buffer }
      if (pack === undefined) {
        const refused = unpackerOf("zstd")
        return assert.match(Either.isLeft(refused) ? refused.left.message : "", /zstd where Node is 22\.15 or later/)
      }
      const plain = yield* unpacked("zstd", pack(text), 32 * MiB)
      assert.isTrue(Either.getOrThrow(plain).equals(text))
      const bomb = yield* unpacked("zstd", pack(Buffer.alloc(64 * MiB, " ")), 32 * MiB)
      assert.strictEqual(Either.isLeft(bomb) && bomb.left.code, "request_too_large")
      const broken = yield* unpacked("zstd", Buffer.from("no such thing"), 32 * MiB)
      assert.strictEqual(Either.isLeft(broken) && broken.left.code, "invalid_encoding")
    })
  )

  it.live("of a client that has left is not unpacked any further", () =>
    Effect.gen(function* () {
      const unpacker = Either.getOrThrow(unpackerOf("gzip"))
      if (unpacker === undefined) return assert.fail("no coding")
      let isDone = false
      const packed = gzipSync(text)
      const stop = unpack(unpacker, packed, 32 * MiB, () => {
        isDone = true
      })
      stop()
      yield* unpacked("gzip", packed, 32 * MiB)
      assert.isFalse(isDone)
    })
  )
})
