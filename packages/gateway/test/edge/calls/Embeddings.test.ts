import { describe, expect, it } from "vitest"
import * as Embeddings from "../../../src/edge/calls/Embeddings.js"

const floats = [0.5, -1, 1024.25]
const base64 = Buffer.from(new Float32Array(floats).buffer).toString("base64")
const body = (embedding: unknown) => ({ object: "list", data: [{ index: 0, embedding }], model: "m" })

describe("Embeddings", () => {
  it("turns floats into base64 where the caller asked for it", () => {
    expect(Embeddings.encodeAs({ encoding_format: "base64" }, body(floats))).toEqual(body(base64))
  })

  it("turns base64 into floats where the caller asked for floats, or for nothing", () => {
    expect(Embeddings.encodeAs({ encoding_format: "float" }, body(base64))).toEqual(body(floats))
    expect(Embeddings.encodeAs({}, body(base64))).toEqual(body(floats))
  })

  it("leaves alone what is right already, the same object", () => {
    const right = body(base64)
    expect(Embeddings.encodeAs({ encoding_format: "base64" }, right)).toBe(right)
    const plain = body(floats)
    expect(Embeddings.encodeAs({}, plain)).toBe(plain)
  })

  it("leaves alone what it does not know", () => {
    const odd = { data: [null, 3, { embedding: { binary: true } }] }
    expect(Embeddings.encodeAs({ encoding_format: "base64" }, odd)).toBe(odd)
  })
})
