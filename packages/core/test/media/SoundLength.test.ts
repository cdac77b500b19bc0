import { assert, describe, it } from "@effect/vitest"
import { headBytes, secondsIn } from "@switchyard/core/SoundLength"
import { fileOf } from "@switchyard/core/Upload"

const wave = (rate: number, before = 0, length = 0xffffffff): Buffer => {
  const odd = Buffer.alloc(before === 0 ? 0 : 8 + before)
  if (before > 0) {
    odd.write("LIST", 0, "latin1")
    odd.writeUInt32LE(before, 4)
  }
  const format = Buffer.alloc(24)
  format.write("fmt ", 0, "latin1")
  format.writeUInt32LE(16, 4)
  format.writeUInt32LE(rate, 16)
  const data = Buffer.alloc(8)
  data.write("data", 0, "latin1")
  data.writeUInt32LE(length, 4)
  return Buffer.concat([Buffer.from("RIFF\0\0\0\0WAVE", "latin1"), odd, format, data])
}

const flac = (rate: number, samples: number): Buffer => {
  const head = Buffer.alloc(42)
  head.write("fLaC", 0, "latin1")
  head.writeUInt32BE(rate * 4096 + 0x1f0, 18)
  head.writeUInt8(0xf0 + Math.floor(samples / 2 ** 32), 21)
  head.writeUInt32BE(samples % 2 ** 32, 22)
  return head
}

describe("how long sound lasts", () => {
  it.each([
    ["a wave", wave(32_000), 44 + 64_000, 2],
    ["a wave whose length was not known when it began", wave(32_000, 0, 0), 44 + 96_000, 3],
    ["a wave with other chunks first", wave(16_000, 26), 44 + 34 + 16_000, 1],
    ["a wave whose data begins behind its head", wave(16_000).subarray(0, 36), 16_000, 1],
    ["FLAC", flac(44_100, 88_200), 1_000, 2],
    ["FLAC of more than a day", flac(48_000, 2 ** 32 + 48_000), 1_000, (2 ** 32 + 48_000) / 48_000]
  ])("%s says it", (_, head, size, expected) => {
    assert.closeTo(secondsIn(head, size) ?? -1, expected, 1e-9)
  })
  it.each([
    ["an empty file", Buffer.alloc(0)],
    ["a cut head", Buffer.from("RIFF")],
    ["a wave without a format", Buffer.concat([wave(1).subarray(0, 12), wave(1).subarray(36)])],
    ["a wave of no bytes a second", wave(0)],
    ["a wave of too many", wave(4_000_000_000)],
    ["FLAC that does not know", flac(44_100, 0)],
    ["another sound", Buffer.from("ID3\x04 and so on")],
    ["chunks that go on for ever", Buffer.from(`RIFF....WAVE${"xxxx\0\0\0\0".repeat(20)}`, "latin1")]
  ])("%s does not", (_, head) => {
    assert.isUndefined(secondsIn(head, 10_000))
  })
  it("is known of files in memory", () => {
    const bytes = Buffer.concat([wave(32_000), Buffer.alloc(64_000)])
    assert.strictEqual(fileOf("file", bytes).seconds, 2)
    assert.strictEqual(fileOf("file", bytes, { seconds: 7 }).seconds, 7)
    assert.isUndefined(fileOf("file", Buffer.alloc(headBytes)).seconds)
  })
})
