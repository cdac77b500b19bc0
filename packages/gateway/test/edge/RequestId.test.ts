import { describe, expect, it } from "@effect/vitest"
import { newRequestId, requestIdOf } from "../../src/edge/requestId.js"

describe("the id of a request", () => {
  it("is the caller's own where that is plain text, else a new one", () => {
    expect(requestIdOf({ "x-request-id": "order-17" })).toBe("order-17")
    for (const given of [undefined, "", "two words", "é", "x".repeat(129)]) {
      expect(requestIdOf(given === undefined ? {} : { "x-request-id": given })).toMatch(/^[0-9a-f-]{36}$/)
    }
  })

  it("is a UUID that no other request has, and the next one lies beside it", () => {
    const ids = Array.from({ length: 1_000 }, newRequestId)
    expect(new Set(ids).size).toBe(ids.length)
    for (const id of ids) expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
    const first = ids.map((id) => Number.parseInt(id.slice(0, 8), 16))
    expect(first.slice(1).every((count, at) => count === ((first[at] ?? 0) + 1) % 0x1_0000_0000)).toBe(true)
  })
})
