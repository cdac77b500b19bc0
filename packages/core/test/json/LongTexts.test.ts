import { assert, describe, it } from "@effect/vitest"
import { textOf } from "@switchyard/core/BytesText"
import { longTextsOf } from "@switchyard/core/LongTexts"
import * as UnreadText from "@switchyard/core/UnreadText"
import { FastCheck as fc } from "effect"
import { longTextsIn, mostScanned } from "../../src/json/longTextScan.js"
import { TextScan } from "../../src/json/textScan.js"

const bytesOf = (value: unknown): Buffer => Buffer.from(JSON.stringify(value))
const isAscii = (bytes: Uint8Array): boolean => bytes.every((byte) => byte < 0x80)
const textsIn = (bytes: Buffer, least: number) => longTextsIn(bytes, least, isAscii(bytes))

/** The same, byte by byte, by the scanner that reads streams. */
const slowly = (bytes: Buffer, least: number) => {
  const scan = new TextScan()
  const texts: Array<{ start: number; end: number; characters: number }> = []
  for (let at = 0; at < bytes.length; at++) {
    if (bytes[at] !== 0x22) continue
    const start = at + 1
    let end = start
    while (end < bytes.length && bytes[end] !== 0x22) end += bytes[end] === 0x5c ? 2 : 1
    if (end >= bytes.length) break
    if (end - start >= least && scan.read(bytes, start) === end) texts.push({ start, end, characters: scan.characters })
    at = end
  }
  return texts
}

/** What was parsed of JSON without its long texts, with all of them in their places. */
const put = (text: string): Record<string, unknown> | undefined => {
  const long = longTextsOf(Buffer.from(text))
  if (long === undefined) return undefined
  const value = JSON.parse(long.text) as Record<string, unknown>
  return long.putInto(value) ? value : undefined
}

const firstMessage = (text: string): Record<string, unknown> => {
  const messages = put(JSON.stringify({ messages: [{ role: "user", content: text }] }))?.messages
  assert.isArray(messages)
  return (messages as ReadonlyArray<Record<string, unknown>>)[0] ?? {}
}

const piece = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.string({ unit: "grapheme" }),
  fc.constantFrom('"', "\\", "\n", "é", "世界", "🎈", "\ud83c", "{", "word ".repeat(20), "\u007f", "\u0000")
)
const words = fc.array(piece, { maxLength: 40 }).map((parts) => parts.join(""))

describe("the scanner of long texts", () => {
  it("finds the texts that a scanner finds which looks at every byte, in any JSON and whatever is broken of it", () => {
    const damage = fc.array(fc.tuple(fc.nat(), fc.constantFrom(0x22, 0x5c, 0x0a, 0x75, 0x20, 0x7b)), { maxLength: 3 })
    const value = fc.dictionary(words, fc.oneof(words, fc.jsonValue()), { maxKeys: 5 })
    fc.assert(
      fc.property(value, damage, fc.nat(40), fc.constantFrom(0, 2), (json, spoilt, least, indent) => {
        const bytes = Buffer.from(JSON.stringify(json, null, indent).replaceAll("é", "\\u00e9"))
        // What is no UTF-8 never gets here.
        for (const [at, byte] of spoilt) if ((bytes[at % bytes.length] ?? 0) < 0x80) bytes[at % bytes.length] = byte
        assert.deepStrictEqual(textsIn(bytes, least), slowly(bytes, least).slice(0, 64))
      }),
      { numRuns: 500 }
    )
  })

  it("sees nothing of what it looked at before", () => {
    textsIn(Buffer.from(`"${'x"'.repeat(60_000)}`), 1)
    for (let length = 0; length < 70; length++) {
      assert.deepStrictEqual(textsIn(Buffer.from(`["${"a".repeat(length)}`), 0), [])
      assert.deepStrictEqual(textsIn(Buffer.from(`["${"a".repeat(length)}\\`), 0), [])
      assert.strictEqual(textsIn(Buffer.from(`["${"a".repeat(length)}"]`), 0)[0]?.characters, length)
    }
  })

  it("takes as much as fits, and of more finds nothing", () => {
    const full = Buffer.from(`"${"a".repeat(mostScanned - 2)}"`)
    assert.deepStrictEqual(textsIn(full, 1), [{ start: 1, end: mostScanned - 1, characters: mostScanned - 2 }])
    assert.deepStrictEqual(textsIn(Buffer.concat([full, Buffer.from(" ")]), 1), [])
  })
})

describe("long texts", () => {
  const long = 'Grüße, 世界 🎈 " \\ \n'.repeat(300)

  it("read as they were written wherever they stand, and all else does, too", () => {
    const value = fc.oneof(
      fc.constantFrom(long, "a".repeat(9000), `${long}1`, "short"),
      words,
      fc.double(),
      fc.boolean()
    )
    const { tree } = fc.letrec<{ tree: unknown }>((tie) => ({
      tree: fc.oneof(
        { maxDepth: 4 },
        value,
        fc.array(tie("tree"), { maxLength: 4 }),
        fc.dictionary(fc.constantFrom("content", "text", "__proto__", "toString", "1", long, "é"), tie("tree"))
      )
    }))
    fc.assert(
      fc.property(fc.dictionary(words, tree, { maxKeys: 5 }), fc.constantFrom(0, 1), (object, indent) => {
        const text = JSON.stringify(object, null, indent)
        const read = put(text)
        if (read !== undefined) assert.strictEqual(JSON.stringify(read, null, indent), text)
      }),
      { numRuns: 200 }
    )
  })

  it("are told by length and beginning without being read, and are read once", () => {
    const message = firstMessage(long)
    const beginning = UnreadText.glimpse(message, "content") as string
    assert.isTrue(long.startsWith(beginning) && beginning.length > 1024 && beginning.length < long.length)
    assert.deepStrictEqual(UnreadText.listIn(message, "content"), [])
    assert.strictEqual(UnreadText.within(message)?.get("content")?.characters, long.length)
    assert.deepStrictEqual({ ...message }, { role: "user", content: long })
    assert.isUndefined(UnreadText.within(message)?.get("content"))
    assert.strictEqual(UnreadText.glimpse(message, "content"), long)
    assert.deepStrictEqual(Object.keys(message), ["role", "content"])
  })

  it("give way to what is written in their place", () => {
    const message = firstMessage(long)
    message.content = "other"
    assert.strictEqual(JSON.stringify(message), '{"role":"user","content":"other"}')
    assert.isUndefined(UnreadText.within(message)?.get("content"))
  })

  it("have no place where they are a name, or the value of a name that stands twice", () => {
    const text = "a".repeat(9000)
    assert.isUndefined(put(`{"${text}":1}`))
    assert.isUndefined(put(`{"x":{"a":"${text}","a":1}}`))
    assert.isDefined(put(`{"x":{"a":1,"a":"${text}"}}`))
  })

  it("a place of what is left is the place in the bytes", () => {
    const object = { ä: "é", a: long, b: { c: "a".repeat(9000), 世: 1 }, d: [long] }
    const bytes = bytesOf(object)
    const texts = longTextsOf(bytes)
    const left = texts?.text ?? ""
    for (const name of ['"ä"', '"b"', '"世"', '"d"']) {
      assert.strictEqual(texts?.byteAt(left.indexOf(name)), bytes.indexOf(name))
    }
    assert.strictEqual(texts?.byteAt(left.length), bytes.length)
  })
})

describe("the text of bytes", () => {
  it("is the one that a decoder makes", () => {
    fc.assert(
      fc.property(words, fc.nat(3), (some, times) => {
        const bytes = Buffer.from(some.repeat(times * 50))
        assert.strictEqual(textOf(bytes), bytes.toString())
      })
    )
  })
})
