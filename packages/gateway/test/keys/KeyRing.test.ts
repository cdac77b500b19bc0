import { createHash } from "node:crypto"
import { Redacted } from "effect"
import { describe, expect, it } from "vitest"
import * as KeyRing from "../../src/keys/KeyRing.js"

const ring = KeyRing.make({
  masterKey: Redacted.make("sk-master"),
  keys: [
    { name: "plain", key: "sk-plain", groups: ["smart", "gpt-*"], tags: ["free"] },
    { name: "hashed", hash: `sha256:${createHash("sha256").update("sk-hashed").digest("hex")}` },
    { name: "upper", hash: createHash("sha256").update("sk-upper").digest("hex").toUpperCase() }
  ]
})

describe("KeyRing", () => {
  it("knows keys by themselves and by their hash", () => {
    expect(ring.identify("sk-plain")).toMatchObject({ name: "plain", isMaster: false, tags: ["free"] })
    expect(ring.identify("sk-hashed")?.name).toBe("hashed")
    expect(ring.identify("sk-upper")?.name).toBe("upper")
    expect(ring.identify("sk-master")?.isMaster).toBe(true)
  })

  it("turns every other key away, also one that is nearly right", () => {
    for (const key of [undefined, "", "sk-plai", "sk-plain ", "SK-PLAIN", "sk-master\0"]) {
      expect(ring.identify(key)).toBeUndefined()
    }
  })

  it("a hash is no key", () => {
    expect(ring.identify(createHash("sha256").update("sk-hashed").digest("hex"))).toBeUndefined()
  })

  it("keeps a key to its groups, with * for any text", () => {
    const caller = ring.identify("sk-plain")
    expect(["smart", "gpt-4o", "gpt-", "smarter", "a-gpt-4o"].map((model) => caller?.mayUse(model))).toEqual([
      true,
      true,
      true,
      false,
      false
    ])
  })

  it("holds no key in a form that can be read back", () => {
    const seen = JSON.stringify(ring, (_, value: unknown) => (value instanceof Map ? [...value] : value))
    expect(seen).not.toContain("sk-plain")
  })

  it("without any key everybody is the same caller, who is not the master", () => {
    const open = KeyRing.make({ masterKey: undefined, keys: [] })
    expect(open.isOpen).toBe(true)
    expect(open.identify(undefined)).toMatchObject({ isMaster: false, name: undefined })
    expect(open.identify("whatever")?.mayUse("x")).toBe(true)
  })

  it("finds the key where OpenAI's, Anthropic's and Azure's clients put it", () => {
    expect(KeyRing.keyOf({ authorization: "Bearer sk-1" })).toBe("sk-1")
    expect(KeyRing.keyOf({ authorization: "bearer   sk-1 " })).toBe("sk-1")
    expect(KeyRing.keyOf({ "x-api-key": "sk-2" })).toBe("sk-2")
    expect(KeyRing.keyOf({ "api-key": "sk-3" })).toBe("sk-3")
    expect(KeyRing.keyOf({ authorization: "Basic eDp5" })).toBeUndefined()
    expect(KeyRing.keyOf({})).toBeUndefined()
  })
})
