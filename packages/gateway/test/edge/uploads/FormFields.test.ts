/** What a form says in fields, in brackets and in texts of JSON is found like the same of a body, and leaves the form with it. */
import { describe, expect, it } from "@effect/vitest"
import * as LlmRequest from "@switchyard/core/LlmRequest"
import { fileOf, isFile, type UploadPart } from "@switchyard/core/Upload"
import { bodyOfForm, withForm } from "../../../src/edge/uploads/formFields.js"

const own = new Set(["metadata", "litellm_metadata", "extra_body", "tags", "fallbacks", "cache", "api_base"])
const isOwn = (field: string): boolean => own.has(field)

const fields = (...said: ReadonlyArray<readonly [name: string, value: string]>): ReadonlyArray<UploadPart> =>
  said.map(([name, value]) => ({ name, value }))

describe("the fields of a form as a body", () => {
  it.each([
    [
      "texts, and lists of what stands there twice",
      [
        ["n", "2"],
        ["include[]", "logprobs"],
        ["g", "a"],
        ["g", "b"]
      ],
      { n: "2", include: ["logprobs"], g: ["a", "b"] }
    ],
    [
      "objects in brackets",
      [
        ["metadata[tags][]", "a"],
        ["metadata[tags][]", "b"],
        ["metadata[x][y]", "1"]
      ],
      { metadata: { tags: ["a", "b"], x: { y: "1" } } }
    ],
    [
      "lists in brackets",
      [
        ["fallbacks[0][model]", "m"],
        ["fallbacks[1]", "n"],
        ["tags[]", "a"]
      ],
      { fallbacks: [{ model: "m" }, "n"], tags: ["a"] }
    ],
    [
      "objects as texts",
      [
        ["metadata", '{"tags":["a"]}'],
        ["prompt", '{"a":1}']
      ],
      { metadata: { tags: ["a"] }, prompt: '{"a":1}' }
    ],
    ["what is no JSON", [["metadata", "{x"]], { metadata: "{x" }],
    ["brackets that are the provider's own", [["size[w]", "1"]], { "size[w]": "1" }],
    [
      "names of prototypes",
      [
        ["metadata[__proto__][x]", "1"],
        ["extra_body[constructor]", "1"]
      ],
      { metadata: { ["__proto__"]: { x: "1" } }, extra_body: { constructor: "1" } }
    ]
  ] as ReadonlyArray<readonly [string, ReadonlyArray<readonly [string, string]>, object]>)("%s", (_, said, body) => {
    expect(bodyOfForm({ parts: fields(...said) }, isOwn)).toEqual(body)
    expect(({} as { x?: string }).x).toBeUndefined()
  })
})

describe("the form that is left", () => {
  const file = fileOf("file", Buffer.from("ID3"), { filename: "a.mp3" })
  const left = (
    parts: ReadonlyArray<UploadPart>,
    change: (body: Record<string, unknown>) => Record<string, unknown>
  ) => {
    const before = bodyOfForm({ parts }, isOwn)
    const body = change({ ...before })
    const request = withForm(LlmRequest.mediaOf("transcription", body), { parts }, before)
    return {
      body: request.body,
      parts: request.upload?.parts.map((part) => (isFile(part) ? part.name : [part.name, part.value]))
    }
  }

  it("keeps the order and the spelling of what nobody touched", () => {
    const parts = [
      ...fields(["language", "en"]),
      file,
      ...fields(["model", "m"], ["timestamp_granularities[]", "word"])
    ]
    expect(left(parts, (body) => body)).toEqual({
      body: { language: "en", model: "m", timestamp_granularities: ["word"] },
      parts: [["language", "en"], "file", ["model", "m"], ["timestamp_granularities[]", "word"]]
    })
  })

  it("is without what was taken out, in whatever spelling it was there", () => {
    const parts = [file, ...fields(["model", "m"], ["tags[]", "a"], ["cache[no-cache]", "true"], ["metadata[x]", "1"])]
    expect(left(parts, ({ cache: _, metadata: _m, tags: _t, ...body }) => body)).toEqual({
      body: { model: "m" },
      parts: ["file", ["model", "m"]]
    })
  })

  it("has what is left of an object, in the spelling in which it came", () => {
    const change = (body: Record<string, unknown>) => ({ ...body, metadata: { team: "t", more: ["a", "b"] } })
    expect(left([file, ...fields(["metadata[tags][]", "a"], ["metadata[team]", "t"])], change).parts).toEqual([
      ["metadata[team]", "t"],
      ["metadata[more][]", "a"],
      ["metadata[more][]", "b"],
      "file"
    ])
    expect(left([...fields(["metadata", '{"tags":["a"]}']), file], change).parts).toEqual([
      ["metadata", '{"team":"t","more":["a","b"]}'],
      "file"
    ])
  })

  it("has the model that stands in the path", () => {
    expect(left([file], (body) => ({ ...body, model: "whisper" }))).toEqual({
      body: { model: "whisper" },
      parts: [["model", "whisper"], "file"]
    })
  })
})
