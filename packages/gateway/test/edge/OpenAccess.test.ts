import { describe, expect, it } from "vitest"
import * as OpenAccess from "../../src/edge/OpenAccess.js"

describe("OpenAccess", () => {
  it("knows this machine's own addresses", () => {
    expect(["localhost", "127.0.0.1", "127.8.9.1", "::1", "[::1]", "api.localhost"].every(OpenAccess.isLoopback)).toBe(
      true
    )
    expect(
      ["0.0.0.0", "::", "10.0.0.1", "example.com", "localhost.example.com", "127.0.0.1.nip.io"].some(
        OpenAccess.isLoopback
      )
    ).toBe(false)
  })

  it("serves programs of this machine", () => {
    expect(OpenAccess.check({ host: "localhost:4000" })).toBeUndefined()
    expect(OpenAccess.check({ host: "[::1]:4000", origin: "http://127.0.0.1:3000" })).toBeUndefined()
  })

  it("turns away a page that was bound to a local address, and pages of other sites", () => {
    expect(OpenAccess.check({ host: "evil.example:4000" })?.status).toBe(403)
    expect(OpenAccess.check({ host: "localhost:4000", origin: "https://evil.example" })?.status).toBe(403)
    expect(OpenAccess.check({ host: "localhost:4000", origin: "null" })?.status).toBe(403)
    expect(OpenAccess.check({})?.status).toBe(403)
    expect(OpenAccess.check({ host: "a b" })?.status).toBe(403)
  })
})
