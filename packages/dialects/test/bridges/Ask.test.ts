/**
 * Requests of libraries that model conversations themselves.
 */
import { assert, describe, it } from "@effect/vitest"
import { isStrict } from "@switchyard/dialects/Ask"
import * as Turns from "@switchyard/dialects/Turns"
import { vectorsOf } from "@switchyard/dialects/Vectors"
import { Either } from "effect"

const object = (properties: object, required: ReadonlyArray<string>) => ({
  type: "object",
  properties,
  required,
  additionalProperties: false
})

describe("what is asked", () => {
  it.each([
    ["closed, all required", object({ a: { type: "string" } }, ["a"]), true],
    ["a field that may be left out", object({ a: { type: "string" } }, []), false],
    ["open", { ...object({}, []), additionalProperties: true }, false],
    ["anything", object({ a: {} }, ["a"]), false],
    ["a list of open objects", object({ a: { type: "array", items: { type: "object" } } }, ["a"]), false],
    ["one of several", object({ a: { anyOf: [{ type: "string" }, { type: "null" }] } }, ["a"]), true],
    ["a definition that is open", { ...object({}, []), $defs: { x: { type: "object" } } }, false],
    ["no object", { type: "array", items: { type: "string" } }, false]
  ])("strict schemas: %s", (_, schema, expected) => assert.strictEqual(isStrict(schema), expected))

  it("media by their kind: bytes, base64, addresses, texts", () => {
    const media = (mime: string, data: Uint8Array | string | URL, name?: string) => Turns.media({ mime, data, name })
    assert.deepInclude(media("image/*", new Uint8Array([1])), {
      type: "image",
      source: { kind: "bytes", mime: "image/jpeg", data: "AQ==" }
    })
    assert.deepInclude(media("image/png", "data:image/gif;base64,AQ=="), {
      source: { kind: "bytes", mime: "image/gif", data: "AQ==" }
    })
    assert.deepInclude(media("audio/wav", "AQ=="), { type: "audio" })
    assert.deepInclude(media("application/json", "e30=", "a.json"), {
      type: "file",
      source: { kind: "text", mime: "application/json", text: "{}" }
    })
    assert.deepInclude(media("application/pdf", new URL("https://a.example/b.pdf")), {
      type: "file",
      extra: { type: "document_url", document_url: { url: "https://a.example/b.pdf" } }
    })
  })

  it("vectors as numbers or base64, in the order of their inputs; one that is missing is said", () => {
    const base64 = Buffer.from(new Float32Array([0.5, -1]).buffer).toString("base64")
    const data = [
      { index: 1, embedding: [3, 4] },
      { index: 0, embedding: base64 }
    ]
    assert.deepStrictEqual(Either.getOrThrow(vectorsOf({ data }, 2)), [
      [0.5, -1],
      [3, 4]
    ])
    assert.deepStrictEqual(vectorsOf({ data }, 3), Either.left("holds 2 embeddings of 3"))
    assert.deepStrictEqual(vectorsOf({}, 1), Either.left("holds 0 embeddings of 1"))
  })
})
