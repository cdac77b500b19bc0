import { PassThrough, Writable } from "node:stream"
import { assert, describe, it } from "@effect/vitest"
import { passOn } from "../../src/serve/lines.js"

const tick = () => new Promise((resolve) => setImmediate(resolve))

describe("what processes print", () => {
  it("comes out in whole lines, however it comes in; what is left at an end is a line", async () => {
    const pieces: Array<string> = []
    const target = new Writable({
      write: (piece: Buffer, _encoding, done) => {
        pieces.push(piece.toString())
        done()
      }
    })
    const [one, other] = [new PassThrough(), new PassThrough()]
    passOn(one, target)
    passOn(other, target)
    for (const [source, text] of [
      [one, "a1\na2"],
      [other, "b1"],
      [one, " goes on\na3"],
      [other, "\nb2\n"]
    ] as const) {
      source.write(text)
      await tick()
    }
    one.end()
    other.end()
    await tick()
    await tick()
    assert.deepStrictEqual(pieces, ["a1\n", "a2 goes on\n", "b1\nb2\n", "a3\n"])
  })
  it("a target that stands still makes its source wait, and nothing is lost", async () => {
    const pieces: Array<string> = []
    const going: Array<() => void> = []
    const target = new Writable({
      highWaterMark: 4,
      write: (piece: Buffer, _encoding, done) => {
        pieces.push(piece.toString())
        going.push(done)
      }
    })
    const source = new PassThrough()
    passOn(source, target)
    source.write("line one\n")
    await tick()
    assert.isTrue(source.isPaused())
    source.write("line two\n")
    await tick()
    assert.deepStrictEqual(pieces, ["line one\n"])
    going.shift()?.()
    await tick()
    await tick()
    assert.deepStrictEqual(pieces, ["line one\n", "line two\n"])
  })
})
