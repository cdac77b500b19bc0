/**
 * Forms as clients write them, and as nobody should: what is read does not depend on how the bytes are cut, and what cannot be
 * understood is refused in words.
 */
import { assert, describe, expect, it } from "@effect/vitest"
import { FastCheck } from "effect"
import { boundaryIn, FormReader, maxFieldBytes, maxParts } from "../../../src/edge/uploads/formReader.js"

const part = (heading: string, content: string): string => `--b\r\n${heading}\r\n\r\n${content}\r\n`
const field = (name: string, value: string): string => part(`Content-Disposition: form-data; name="${name}"`, value)
const file = (filename: string, content: string, more = ""): string =>
  part(`Content-Disposition: form-data; name="file"; filename=${filename}${more}\r\nContent-Type: audio/mpeg`, content)
const end = "--b--\r\n"

interface Read {
  readonly problem: string | undefined
  readonly code: string | undefined
  readonly parts: ReadonlyArray<readonly [name: string, said: string, filename: string | undefined]>
}

/** Reads a form in pieces that end at `cuts`. */
const read = (text: string, cuts: ReadonlyArray<number> = []): Read => {
  const bytes = Buffer.from(text)
  const reader = new FormReader("b")
  const edges = [0, ...cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length]
  let problem = edges
    .slice(1)
    .reduce<ReturnType<FormReader["take"]>>(
      (found, edge, index) => found ?? reader.take(bytes.subarray(edges[index], edge)),
      undefined
    )
  problem ??= reader.end()
  return {
    problem: problem?.message,
    code: problem?.code,
    parts: reader.parts.map(({ end: until, filename, name, start, value }) => [
      name,
      value ?? bytes.toString("utf8", start, until),
      filename
    ])
  }
}

const good: ReadonlyArray<readonly [what: string, form: string, parts: Read["parts"]]> = [
  [
    "a file before the model",
    file('"a.mp3"', "ID3\u0000\r\n--bytes\r\n") + field("model", "smart") + end,
    [
      ["file", "ID3\u0000\r\n--bytes\r\n", "a.mp3"],
      ["model", "smart", undefined]
    ]
  ],
  ["an empty form", end, []],
  [
    "empty parts",
    file('""', "") + field("prompt", "") + end,
    [
      ["file", "", ""],
      ["prompt", "", undefined]
    ]
  ],
  [
    "what only begins like a boundary",
    field("a", "x\r\n--bb\r\n--b-\r\n--b x\r\n") + end,
    [["a", "x\r\n--bb\r\n--b-\r\n--b x\r\n", undefined]]
  ],
  ["white space after boundaries", `--b \t\r\n${field("a", "1").slice(5)}--b-- \r\n\r\n`, [["a", "1", undefined]]],
  ["a line end before the first boundary", `\r\n${field("a", "1")}${end}`, [["a", "1", undefined]]],
  ["no line end after the last boundary", `${field("a", "1")}--b--`, [["a", "1", undefined]]],
  ["names in other letters", file('"日本 \\"x\\".mp3"', "1") + end, [["file", "1", '日本 "x".mp3']]],
  ["a path of Windows", file('"C:\\new\\a.mp3"', "1") + end, [["file", "1", "C:\\new\\a.mp3"]]],
  ["an extended name", file("x.mp3", "1", "; filename*=UTF-8''na%C3%AFve.mp3") + end, [["file", "1", "naïve.mp3"]]],
  ["bare words", part("content-disposition:form-data;name=a", "1") + end, [["a", "1", undefined]]],
  [
    "text with its type",
    part('Content-Disposition: form-data; name="a"\r\nContent-Type: application/json', "{}") + end,
    [["a", "{}", undefined]]
  ],
  [
    "bytes without a file's name",
    part('Content-Disposition: form-data; name="a"\r\nContent-Type: audio/wav', "x") + end,
    [["a", "x", undefined]]
  ]
]

const bad: ReadonlyArray<readonly [what: string, form: string, says: RegExp, code?: string]> = [
  ["nothing", "", /no body/, "empty_body"],
  ["bytes before it", `x${field("a", "1")}${end}`, /before its first boundary/],
  ["another boundary", "--c\r\n", /before its first boundary/],
  ["bytes after it", `${field("a", "1")}${end}more`, /after its last boundary/],
  ["no last boundary", field("a", "1"), /without its last boundary/],
  ["an end within a file", file('"a.mp3"', "ID3").slice(0, -2), /without its last boundary/],
  ["an end within headers", `--b\r\nContent-Dispo`, /without its last boundary/],
  ["a part without a name", part("Content-Disposition: form-data", "1") + end, /no name/],
  ["an empty name", field("", "1") + end, /no name/],
  ["a name too long", field("n".repeat(201), "1") + end, /longer than 200/],
  ["no content-disposition", part("Content-Type: text/plain", "1") + end, /no content-disposition/],
  ["no headers", "--b\r\n\r\n1\r\n--b--", /no content-disposition/],
  ["another disposition", part('Content-Disposition: attachment; name="a"', "1") + end, /none of a form/],
  ["a name twice", part('Content-Disposition: form-data; name="a"; name="model"', "1") + end, /none of a form/],
  ["a header that is none", part("nonsense", "1") + end, /headers that are none/],
  ["a header on two lines", part('Content-Disposition: form-data;\r\n name="a"', "1") + end, /headers that are none/],
  [
    "a header twice",
    part('Content-Disposition: form-data; name="a"\r\ncontent-disposition: form-data; name="b"', "1") + end,
    /content-disposition twice/
  ],
  [
    "headers too large",
    part(`Content-Disposition: form-data; name="a"\r\nX: ${"y".repeat(20_000)}`, "1") + end,
    /larger than 16384/
  ],
  ["headers without an end", `--b\r\nX: ${"y".repeat(20_000)}`, /larger than 16384/],
  [
    "a form in it",
    part('Content-Disposition: form-data; name="files"\r\nContent-Type: multipart/mixed; boundary=c', "--c--") + end,
    /a form itself/
  ],
  [
    "a part in base64",
    part('Content-Disposition: form-data; name="a"\r\nContent-Transfer-Encoding: base64', "eA==") + end,
    /is encoded/
  ],
  ["no UTF-8", `${part('Content-Disposition: form-data; name="a"', "\u0001")}${end}`, /valid UTF-8/, "invalid_utf8"],
  ["a huge field", field("prompt", "x".repeat(maxFieldBytes + 1)) + end, /"prompt" is larger/, "field_too_large"],
  [
    "fields too large together",
    Array.from({ length: 5 }, (_, at) => field(`f${at}`, "x".repeat(maxFieldBytes))).join("") + end,
    /its part of/,
    "field_too_large"
  ],
  [
    "very many fields",
    field("a", "1").repeat(10_000) + end,
    new RegExp(`more than ${maxParts} parts`),
    "too_many_fields"
  ]
]

/** Stands for a byte that is no UTF-8. */
const bytesOf = (text: string): Buffer => Buffer.from(Buffer.from(text).map((byte) => (byte === 1 ? 0xff : byte)))

describe("a form", () => {
  it.each(good)("%s", (_, form, parts) => {
    expect(read(form)).toEqual({ problem: undefined, code: undefined, parts })
  })

  it.each(bad.map(([what, form, says, code = "invalid_form"]) => ({ what, form, says, code })))(
    "refused: $what",
    ({ code, form, says }) => {
      const reader = new FormReader("b")
      const problem = reader.take(bytesOf(form)) ?? reader.end()
      assert.match(String(problem?.message), says)
      assert.strictEqual(problem?.code, code)
      assert.strictEqual(problem?.status, 400)
    }
  )

  it("is read the same however its bytes are cut", () => {
    const forms = [...good, ...bad].map(([, form]) => form).filter((form) => form.length < 1000)
    const whole = new Map(forms.map((form) => [form, read(form)]))
    for (const form of forms) {
      const every = Array.from({ length: Buffer.byteLength(form) }, (_, at) => at)
      expect(read(form, every)).toEqual(whole.get(form))
    }
    FastCheck.assert(
      FastCheck.property(
        FastCheck.constantFrom(...forms),
        FastCheck.array(FastCheck.nat(1000), { maxLength: 6 }),
        (form, cuts) => {
          expect(read(form, cuts)).toEqual(whole.get(form))
        }
      ),
      { numRuns: 300 }
    )
  })

  it("gives files back byte for byte, whatever is in them", () => {
    const piece = FastCheck.constantFrom("\r", "\n", "-", "--b", "\r\n--", "x", "\r\n--b", "b")
    FastCheck.assert(
      FastCheck.property(
        FastCheck.array(piece, { maxLength: 12 }),
        FastCheck.array(FastCheck.nat(300), { maxLength: 4 }),
        (pieces, cuts) => {
          // What stands before it keeps it from being a boundary's line.
          const content = `${pieces.join("").replaceAll(/\r\n--b(?=--|[ \t]*\r\n|$|[ \t]*\r?$)/g, "")}.`
          FastCheck.pre(!/\r\n--b(--|[ \t]*\r\n)/.test(`${content}\r\n--b`))
          expect(read(file("x", content) + end, cuts).parts).toEqual([["file", content, "x"]])
        }
      ),
      { numRuns: 500 }
    )
  })
})

describe("the boundary of a content type", () => {
  it.each([
    ["multipart/form-data; boundary=----WebKitFormBoundary7MA4YWxk", "----WebKitFormBoundary7MA4YWxk"],
    ['multipart/form-data; charset=utf-8; boundary="a b"', "a b"],
    ["multipart/form-data", undefined],
    ["multipart/form-data; boundary=", undefined],
    ['multipart/form-data; boundary="a "', undefined],
    [`multipart/form-data; boundary=${"b".repeat(101)}`, undefined],
    ["multipart/form-data; boundary=a; boundary=b", undefined]
  ])("%s", (contentType, boundary) => {
    expect(boundaryIn(contentType)).toBe(boundary)
  })
})
