import { assert, describe, it } from "@effect/vitest"
import * as ExactJson from "@switchyard/core/ExactJson"
import { JsonReader, type Problem, type ReadJson } from "@switchyard/core/JsonReader"
import * as LlmRequest from "@switchyard/core/LlmRequest"
import * as StandIn from "@switchyard/core/StandIn"
import { FastCheck as fc } from "effect"

/** Any character; fast-check's own unit of this kind takes seconds to make. */
const unit = fc.integer({ min: 0, max: 0x10f7ff }).map((n) => String.fromCodePoint(n < 0xd800 ? n : n + 0x800))

const bounds = {
  maxDepth: 100,
  maxValues: 1000,
  maxNumbers: 5000,
  maxFields: 50,
  maxNames: 700,
  numbersIn: new Set(["input"])
}

/** Reads a text in pieces that end at `cuts`. */
const read = (text: string, cuts: ReadonlyArray<number> = [], most = Number.POSITIVE_INFINITY): ReadJson | Problem => {
  const bytes = Buffer.from(text)
  const reader = new JsonReader(bounds)
  for (const end of [...cuts.map((cut) => Math.min(cut, bytes.length)).sort((a, b) => a - b), bytes.length]) {
    do {
      const problem = reader.read(bytes.subarray(0, end), end, most)
      if (problem !== undefined) return problem
    } while (reader.position < end)
  }
  return reader.end(bytes)
}

const good = (text: string, cuts?: ReadonlyArray<number>): ReadJson => {
  const found = read(text, cuts)
  if ("_tag" in found) throw new Error(`${JSON.stringify(found)} in ${text.slice(0, 200)}`)
  return found
}

const written = ({ json, members }: ReadJson): string => {
  const out = ExactJson.stringify(json, members)
  return typeof out === "string" ? out : Buffer.from(out).toString()
}

const isJson = (text: string): boolean => {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === "object" && value !== null && !Array.isArray(value)
  } catch {
    return false
  }
}

const pieces = fc.array(fc.nat(200), { maxLength: 6 })

describe("JsonReader", () => {
  it("reads what JSON.parse reads, in whatever pieces it comes", () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.string({ unit }), fc.jsonValue({ maxDepth: 4, stringUnit: unit }), {
          maxKeys: 8
        }),
        pieces,
        fc.constantFrom(0, 1, "\t"),
        fc.constantFrom(1, 3, Number.POSITIVE_INFINITY),
        (object, cuts, indent, most) => {
          const text = JSON.stringify(object, null, indent)
          const found = read(text, cuts, most)
          if ("_tag" in found) throw new Error(JSON.stringify(found))
          assert.deepStrictEqual(found.json, JSON.parse(text))
          assert.deepStrictEqual(JSON.parse(written(found)), JSON.parse(text))
        }
      ),
      { numRuns: 50 }
    )
  })

  it("refuses what JSON.parse refuses, and nothing else: texts with a character changed, left out or added", () => {
    const sound = [
      '{"a":[1,-0.5e+10,2E3,0],"b":{"c":"x\\u00e9\\n\\"\\\\","d":null},"e":true,"f":false,"":[]}',
      '{ "a" : [ { } , [ ] , "" , 0.0 ] }',
      '{"long":[1,2,3,4,5,6,7,8,9,10],"x":"漢字 🎉"}'
    ]
    const characters = [...'{}[]:,"\\0123456789.eE+-truefalsn u\n\t\u0001x']
    fc.assert(
      fc.property(
        fc.constantFrom(...sound),
        fc.array(fc.tuple(fc.nat(90), fc.nat(2), fc.constantFrom(...characters)), { minLength: 1, maxLength: 3 }),
        pieces,
        (text, changes, cuts) => {
          // A change may break a character in two.
          let changed = text
          for (const [at, removed, added] of changes) {
            changed = changed.slice(0, at) + (removed === 2 ? "" : added) + changed.slice(at + (removed === 0 ? 0 : 1))
          }
          changed = Buffer.from(changed).toString()
          const found = read(changed, cuts)
          const isRead = !("_tag" in found)
          const isOurs = "_tag" in found && (found._tag === "duplicate" || found._tag === "infinite")
          if (!isOurs) assert.strictEqual(isRead, isJson(changed), changed)
          if (isRead) assert.deepStrictEqual(found.json, JSON.parse(changed))
        }
      ),
      { numRuns: 700 }
    )
  })

  it.each([
    ["", "syntax"],
    ["{", "syntax"],
    ['{"a":1', "syntax"],
    ['{"a":"x', "syntax"],
    ["1", "notObject"],
    ["[1]", "notObject"],
    ["null", "notObject"],
    ['{"a":1}x', "syntax"],
    ['{"a":[[[', "syntax"],
    ['{"a":1e999}', "infinite"],
    ['{"a":[1,-1e999]}', "infinite"],
    [`{"a":${"9".repeat(400)}}`, "infinite"],
    [`{"a":[${"9".repeat(400)}]}`, "infinite"],
    ['{"a":1,"b":2,"\\u0061":3}', "duplicate"],
    ['{"__proto__":1,"__proto__":2}', "duplicate"],
    [`{"a":${"[".repeat(100)}`, "tooDeep"],
    [`{"a":${'{"b":'.repeat(100)}`, "tooDeep"],
    [`{"a":[${"{},".repeat(1000)}`, "tooManyValues"],
    [`{"a":[${"1,".repeat(1000)}`, "tooManyValues"],
    [`{"a":[${'"",'.repeat(1000)}`, "tooManyValues"],
    [`{"a":[${"null,".repeat(1000)}`, "tooManyValues"],
    [`{"input":[${"[1,2,3,4,5,6,7,8,9],".repeat(1000)}`, "tooManyValues"],
    [`{"input":[${"1,".repeat(5001)}`, "tooManyNumbers"],
    [`{"a":[${Array.from({ length: 800 }, (_, at) => `{"k${at}":1}`).join(",")}`, "tooManyValues"],
    [`{"a":{"a":{${Array.from({ length: 800 }, (_, at) => `"k${at}":1`).join(",")}`, "tooManyNames"],
    [`{${Array.from({ length: 51 }, (_, at) => `"${at}":1,`).join("")}`, "tooManyFields"]
  ])("ends as it should: case %#", (text, tag) => {
    for (const cuts of [[], [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]]) {
      const found = read(text, cuts)
      assert.strictEqual("_tag" in found ? found._tag : "read", tag)
    }
  })

  it("a bound is met as soon as the bytes that break it have come, and no sooner", () => {
    assert.isFalse("_tag" in read(`{"a":${"[".repeat(99)}${"]".repeat(99)}}`))
    assert.isFalse("_tag" in read(`{"a":[${"1,".repeat(997)}1]}`))
    assert.isFalse("_tag" in read(`{"input":[${"1,".repeat(4999)}1]}`))
    const reader = new JsonReader(bounds)
    const bytes = Buffer.from(`{"a":${"[".repeat(1000)}`)
    assert.deepStrictEqual(reader.read(bytes, bytes.length), { _tag: "tooDeep" })
    assert.isBelow(reader.position, 120)
  })

  const long = `é漢🎉\\n\\u00e9"`.replace('"', '\\"').repeat(2000)
  const parsed = JSON.parse(`"${long}"`) as string

  it("a long text stays in the bytes; its stand-in has its beginning and knows its length", () => {
    const text = `{"messages":[{"role":"user","content":"${long}"}],"n":1.0}`
    const found = good(text, [100, 5000, 20_001])
    const { content } = (found.json.messages as ReadonlyArray<{ readonly content: string }>)[0] ?? { content: "" }
    assert.isBelow(content.length, 6000)
    assert.strictEqual(content.slice(0, 1024), parsed.slice(0, 1024))
    assert.strictEqual(StandIn.factsOf(content)?.characters, parsed.length)
    assert.isTrue(parsed.startsWith(StandIn.shown(content).slice(0, -1)))
    assert.isTrue(found.members.get("messages")?.hasStandIn)
    assert.strictEqual(written(found), text)
  })

  it("where what stands around it was changed, the text goes on as it was written", () => {
    const text = `{"messages":[{"role":"user","content":"${long}"},{"x":[${"1.0,".repeat(99)}2]}],"n":1.0}`
    const { json, members } = good(text)
    const messages = [...(json.messages as ReadonlyArray<unknown>), { role: "assistant", content: '"' }]
    const out = Buffer.from(ExactJson.stringify({ ...json, messages, n: 2 }, members) as Uint8Array).toString()
    assert.strictEqual(out, text.replace('}],"n":1.0', '},{"role":"assistant","content":"\\""}],"n":2'))
  })

  it("nobody can write a stand-in: a text that quotes one is a text", () => {
    const content = `${"x".repeat(5000)}<0123456789abcdef0123456789abcdef>1,5,9,9,x<0123456789abcdef0123456789abcdef>`
    assert.isUndefined(StandIn.factsOf(content))
    assert.isFalse(StandIn.isIn(JSON.stringify(content)))
  })

  it("equal texts have equal stand-ins, others have others", () => {
    const contentOf = (text: string) =>
      (good(`{"messages":[{"content":"${text}"}]}`).json.messages as Array<unknown>)[0]
    const text = "a".repeat(20_000)
    assert.deepStrictEqual(contentOf(text), contentOf(text))
    assert.notDeepEqual(contentOf(text), contentOf(`${text.slice(1)}b`))
  })

  it("an object of very many fields stays in the bytes", () => {
    const wide = JSON.stringify(Object.fromEntries(Array.from({ length: 1500 }, (_, at) => [`k${at}`, { at }])))
    const text = `{"a":{"b":${wide.replaceAll(/\{"at":\d+\}/g, '"v"')}},"c":1}`
    const reader = new JsonReader({ ...bounds, maxValues: 10_000, maxNames: 2000 })
    const bytes = Buffer.from(text)
    assert.isUndefined(reader.read(bytes, bytes.length))
    const found = reader.end(bytes)
    if ("_tag" in found) throw new Error(found._tag)
    assert.isString((found.json.a as { readonly b: unknown }).b)
    assert.strictEqual(written(found), text)
  })

  it("an estimate of the prompt is the same whether it was parsed or read", () => {
    const picture = `data:image/png;base64,${"A".repeat(50_000)}`
    const bodies = [
      { model: "m", messages: [{ role: "user", content: "word ".repeat(10_000) }] },
      { model: "m", messages: [{ role: "user", content: [{ type: "image_url", image_url: { url: picture } }] }] },
      { model: "m", messages: [{ role: "user", content: `${picture}${"x".repeat(9)}` }], tools: [{ x: parsed }] },
      { model: "m", messages: [{ role: "user", content: [{ type: "text", text: parsed }, parsed] }] }
    ]
    for (const body of bodies) {
      const request = good(JSON.stringify(body)).json as typeof body
      assert.strictEqual(
        LlmRequest.estimateInputTokens(LlmRequest.chat(request)),
        LlmRequest.estimateInputTokens(LlmRequest.chat(body))
      )
    }
    const row = Array.from({ length: 100 }, (_, at) => at)
    for (const input of [row, [row, row.slice(0, 70), row.slice(0, 3)], [parsed, "x"], parsed]) {
      const body = { model: "m", input }
      const whole = LlmRequest.embeddings(body)
      const read = LlmRequest.embeddings(good(JSON.stringify(body)).json as typeof body)
      assert.strictEqual(LlmRequest.estimateInputTokens(read), LlmRequest.estimateInputTokens(whole))
      assert.strictEqual(LlmRequest.longestInputTokens(read), LlmRequest.longestInputTokens(whole))
    }
  })
})
