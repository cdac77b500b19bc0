import { assert, describe, it } from "@effect/vitest"
import type { StreamEvent } from "@switchyard/core/ChatChunk"
import { LlmError } from "@switchyard/core/LlmError"
import { WrittenChunk } from "@switchyard/core/WrittenChunk"
import { FastCheck as fc } from "effect"
import { EventFeed } from "../../src/exchange/eventFeed.js"

const failed = (description: string) => new LlmError({ reason: "Unavailable", description })

/** What comes of a stream whose bytes arrive in pieces of these lengths, the last one again and again. */
const heard = (bytes: Buffer, lengths: ReadonlyArray<number>) => {
  const told: Array<unknown> = []
  let written = 0
  let isOver = false
  const push = (event: StreamEvent): void => {
    if (event instanceof WrittenChunk) {
      written++
      assert.strictEqual(
        `data: ${event.data}\n\n`,
        Buffer.from(event.source.subarray(event.start, event.end)).toString()
      )
    }
    told.push({ data: event.data, json: event.json })
  }
  const feed = new EventFeed({
    sink: {
      get isOver() {
        return isOver
      },
      push,
      malformed: (data) => void told.push(`malformed ${data}`),
      end: (saidDone) => {
        isOver = true
        told.push(`end ${String(saidDone)}`)
      },
      fail: (error) => {
        isOver = true
        told.push(`fail ${error.description}`)
      }
    },
    maxEvent: 2000,
    classify: (data) => failed(data),
    tooLarge: () => failed("too large"),
    broken: failed,
    onDone: () => {}
  })
  for (let at = 0, piece = 0; at < bytes.length; piece++) {
    const length = lengths[Math.min(piece, lengths.length - 1)] ?? bytes.length
    feed.data(Buffer.from(bytes.subarray(at, at + length)))
    at += length
  }
  feed.end()
  return { told, written }
}

const word = (content: string): string =>
  `data: ${JSON.stringify({ id: "c", model: "m", choices: [{ index: 0, delta: { content }, finish_reason: null }] })}\n\n`

describe("the events of a stream", () => {
  it("are read in their bytes from the third on, when each comes whole", () => {
    const text = [...Array(50).keys()].map((n) => word(` word ${n} 世界`)).join("")
    const { told, written } = heard(Buffer.from(text), [Buffer.byteLength(word(" word 0 世界")), 2 * text.length])
    assert.lengthOf(told, 51)
    assert.strictEqual(written, 48)
  })

  it("are told as soon as their empty line is there, whichever way lines end", () => {
    for (const end of ["\n", "\r\n", "\r"]) {
      for (const lengths of [[1], [1_000_000]]) {
        const text = `${word("one")}data: nonsense\n\nda`.replaceAll("\n", end)
        const { told } = heard(Buffer.from(text), lengths)
        assert.deepStrictEqual(told.slice(1), ["malformed nonsense", "end undefined"], JSON.stringify(end))
      }
    }
  })

  it("are the same however their bytes are cut", () => {
    const event = fc.oneof(
      { weight: 8, arbitrary: fc.string({ unit: "grapheme", maxLength: 10 }).map(word) },
      fc.constantFrom(
        ": ping\n\n",
        "\n",
        "event: ping\ndata: {}\n\n",
        "id: 7\ndata: {}\n\n",
        `event: named\n${word("named")}`,
        word("crlf").replaceAll("\n", "\r\n"),
        word("cr").replaceAll("\n", "\r"),
        `${word("two lines").slice(0, -3)}\ndata: }\n\n`,
        `${word("spaced").slice(0, -3)} }\n\n`,
        word("no space").replace("data: ", "data:"),
        'data: {"choices":[],"usage":{"prompt_tokens":3}}\n\n',
        'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n',
        "data: nonsense\n\n",
        'data: {"error":{"message":"broken"}}\n\n',
        "data: [DONE]\n\n"
      )
    )
    const damage = fc.option(fc.tuple(fc.nat(), fc.nat(255)), { nil: undefined, freq: 3 })
    let found = 0
    fc.assert(
      fc.property(
        fc.array(event, { minLength: 3, maxLength: 20 }),
        fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1, maxLength: 40 }),
        damage,
        (events, lengths, spoilt) => {
          const bytes = Buffer.from(events.join(""))
          if (spoilt !== undefined) bytes[spoilt[0] % bytes.length] = spoilt[1]
          // Of single bytes no event is ever whole: all are decoded and parsed.
          const parsed = heard(bytes, [1])
          assert.strictEqual(parsed.written, 0)
          for (const cut of [lengths, [bytes.length], [events[0]?.length ?? 1, bytes.length]]) {
            const { told, written } = heard(bytes, cut)
            assert.deepStrictEqual(told, parsed.told)
            found += written
          }
        }
      ),
      { numRuns: 150 }
    )
    assert.isAbove(found, 100)
  })
})
