import { assert, describe, it } from "@effect/vitest"
import type { Chunk } from "@switchyard/core/Chat"
import { errorOf, type StreamEvent, StreamFacts, textOfEvent } from "@switchyard/core/ChatChunk"
import { openAi } from "@switchyard/core/OpenAi"
import { type WrittenChunk, WrittenChunks } from "@switchyard/core/WrittenChunk"
import { FastCheck as fc } from "effect"

const framed = (json: string): Buffer => Buffer.from(`data: ${json}\n\n`)

const chunk = (delta: object, more: object = {}, choice: object = {}): string =>
  JSON.stringify({
    id: "c1",
    object: "chat.completion.chunk",
    created: 5,
    model: "m",
    choices: [{ index: 0, delta, logprobs: null, finish_reason: null, ...choice }],
    ...more
  })

/** The second event, after the first one was parsed. */
const second = (first: string, then: string | Buffer): WrittenChunk | undefined => {
  const chunks = new WrittenChunks()
  chunks.learn(framed(first), JSON.parse(first))
  return chunks.match(typeof then === "string" ? framed(then) : then, 0)
}

/** All that a reader may ask of an event. */
const readingOf = (events: ReadonlyArray<StreamEvent>) => {
  const facts = new StreamFacts()
  facts.keepText(1000, [])
  const delivered = openAi.answer.delivered?.()
  for (const event of events) {
    facts.take(event)
    delivered?.read(event)
  }
  const { text, hasText, isFixed } = delivered ?? {}
  return {
    facts,
    delivered: { text, hasText, isFixed },
    texts: events.map(textOfEvent),
    joint: delivered?.joint("")?.take({ data: "", json: { choices: [{ delta: { content: "!" } }] } })
  }
}

describe("a chunk in its bytes", () => {
  it("is known by one like it, and says its own words", () => {
    const found = second(chunk({ content: "Hello" }), chunk({ content: 'Grüße, 世界 🎈 \\ "\n' }))
    assert.strictEqual(found?.text, 'Grüße, 世界 🎈 \\ "\n')
    assert.strictEqual(found?.characters, found?.text.length)
    assert.deepStrictEqual(found?.json, JSON.parse(chunk({ content: 'Grüße, 世界 🎈 \\ "\n' })))
    assert.isTrue(second(chunk({ reasoning_content: "Hm" }), chunk({ reasoning_content: " so" }))?.isReasoning)
  })

  it("is known beside a text that only hides its length", () => {
    const like = (content: string, obfuscation: string) => chunk({ content }, { usage: null, obfuscation })
    assert.strictEqual(second(like("a", "x1y2"), like("bcd", "q"))?.text, "bcd")
    assert.isUndefined(second(like("a", "x1y2"), chunk({ content: "bcd" }, { usage: null })))
  })

  it("is parsed where it says anything else, or is no JSON or no UTF-8", () => {
    const first = chunk({ content: "a" })
    const good = framed(chunk({ content: "word" }))
    const at = good.indexOf("word")
    assert.isDefined(second(first, good))
    for (const other of [
      chunk({ content: "b" }, { usage: { prompt_tokens: 1 } }),
      chunk({ content: "b" }, {}, { finish_reason: "stop" }),
      chunk({ content: "b" }, {}, { index: 1 }),
      chunk({ content: "b", refusal: "no" }),
      chunk({ content: "b" }, { error: { message: "broken" } }),
      chunk({ content: null }),
      `${chunk({ content: "b" })} `,
      chunk({ content: "b" }).slice(0, -1)
    ]) {
      assert.isUndefined(second(first, other), other)
    }
    for (const bad of [
      [0x0a],
      [0x01],
      [0x5c, 0x78],
      [0x5c, 0x75, 0x64],
      [0xc0, 0xaf],
      [0xed, 0xa0, 0x80],
      [0xff],
      [0xe2, 0x82]
    ]) {
      const bytes = Buffer.concat([good.subarray(0, at), Buffer.from(bad), good.subarray(at + 4)])
      assert.isUndefined(second(first, bytes), String(bad))
    }
  })

  it("is no pattern where the name that was found is not the one that is read", () => {
    const twice = '{"choices":[{"index":0,"delta":{"content":"a","content":"b"}}]}'
    assert.isUndefined(second(twice, twice.replace('"a"', '"c"')))
    const elsewhere = '{"note":{"content":"a"},"choices":[{"index":0,"delta":{"content":"a"}}]}'
    assert.isUndefined(second(elsewhere, elsewhere.replace('"a"', '"c"')))
    const escaped = '{"content":"a","choices":[{"index":0,"delta":{"c\\u006fntent":"a"}}]}'
    assert.isUndefined(second(escaped, escaped.replace('"a"', '"c"')))
  })

  it("is not taken for a pattern for ever where none is like another", () => {
    const chunks = new WrittenChunks()
    const different = (n: number) => chunk({ content: "a" }, { created: n })
    for (let n = 0; n < 10; n++) chunks.learn(framed(different(n)), JSON.parse(different(n)))
    assert.isDefined(chunks.match(framed(different(3)), 0))
    assert.isUndefined(chunks.match(framed(different(9)), 0))
  })

  it("means what a parser reads of it, whatever came before it and however it was damaged", () => {
    const text = fc.oneof(
      fc.string({ unit: "grapheme", maxLength: 12 }),
      fc.string({ unit: "binary", maxLength: 12 }),
      fc.constantFrom("", " word", '"', "\\", "x".repeat(100))
    )
    const delta = fc.oneof(
      { weight: 6, arbitrary: fc.record({ content: text }) },
      { weight: 2, arbitrary: fc.record({ reasoning_content: text }) },
      fc.record({ role: fc.constant("assistant"), content: text }),
      fc.record({ content: text, refusal: fc.constantFrom(null, "", "no") }),
      fc.record({ content: text, reasoning: text }),
      fc.record({ content: fc.jsonValue(), tool_calls: fc.constantFrom([], null, [{ function: { arguments: "{" } }]) })
    )
    const shape = fc.record({
      field: fc.constantFrom("content", "content", "reasoning_content", "reasoning"),
      index: fc.constantFrom(0, 0, 0, 1, undefined),
      reason: fc.constantFrom(null, null, null, "stop"),
      more: fc.constantFrom({}, {}, { usage: null }, { usage: { completion_tokens: 3 } }, { error: { message: "no" } }),
      hasFiller: fc.boolean(),
      indent: fc.constantFrom(0, 0, 0, 1)
    })
    const event = fc.record({
      text,
      /** What differs from the other chunks of the stream. */
      odd: fc.option(fc.record({ shape, delta }), { nil: undefined, freq: 1 }),
      filler: fc.string({ maxLength: 5 }),
      damage: fc.option(fc.tuple(fc.nat(), fc.nat(255)), { nil: undefined, freq: 1 })
    })
    let found = 0
    fc.assert(
      fc.property(
        shape,
        fc.array(
          fc.oneof(
            {
              weight: 3,
              arbitrary: text.map((said) => ({
                text: said,
                filler: said.slice(0, 3),
                odd: undefined,
                damage: undefined
              }))
            },
            event
          ),
          { minLength: 2, maxLength: 30 }
        ),
        (usual, events) => {
          const chunks = new WrittenChunks()
          const fast: Array<StreamEvent> = []
          const slow: Array<StreamEvent> = []
          for (const { damage, filler, odd, text: words } of events) {
            const { field, hasFiller, indent, index, more, reason } = odd?.shape ?? usual
            const delta = odd?.delta ?? { [field]: words }
            const said = chunk(
              delta,
              { ...more, ...(hasFiller ? { obfuscation: filler } : {}) },
              { index, finish_reason: reason }
            )
            const bytes = framed(
              indent === 0 ? said : JSON.stringify(JSON.parse(said), null, indent).replaceAll("\n", " ")
            )
            if (damage !== undefined) bytes[damage[0] % bytes.length] = damage[1]
            const written = chunks.match(bytes, 0)
            const data = new TextDecoder().decode(bytes).slice("data: ".length, -2)
            let json: Chunk
            try {
              json = JSON.parse(data)
            } catch {
              assert.isUndefined(written, data)
              continue
            }
            if (written === undefined) chunks.learn(bytes, json)
            else {
              found++
              assert.strictEqual(written.end, bytes.length)
              assert.strictEqual(written.data, data)
              assert.deepStrictEqual(written.json, json)
              assert.isUndefined(errorOf(json))
            }
            slow.push({ data, json })
            fast.push(written ?? { data, json })
          }
          assert.deepStrictEqual(readingOf(fast), readingOf(slow))
        }
      ),
      { numRuns: 150 }
    )
    assert.isAbove(found, 100)
  })
})
