import { assert, describe, it } from "@effect/vitest"
import { FastCheck as fc } from "effect"
import { LineEnds } from "../../src/exchange/eventText.js"

describe("the line ends of a stream", () => {
  it("are all one, however the text is cut, and none waits for what follows it", () => {
    const text = fc.array(fc.constantFrom("\r", "\n", "\r\n", "a", "data: b", ""), { maxLength: 30 })
    fc.assert(
      fc.property(text, fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 40 }), (parts, lengths) => {
        const all = parts.join("")
        const ends = new LineEnds()
        let read = ""
        for (let at = 0, piece = 0; at < all.length; piece++) {
          const end = at + (lengths[piece % lengths.length] ?? 1)
          read += ends.read(all.slice(at, end))
          at = end
          const seen = all.slice(0, at)
          assert.strictEqual(read, seen.replace(/\r\n?/g, "\n"), JSON.stringify(seen))
        }
      }),
      { numRuns: 300 }
    )
  })

  it("cost nothing where they are line feeds: the text is handed on as it is", () => {
    const text = "data: 1\n\n"
    assert.strictEqual(new LineEnds().read(text), text)
  })
})
