import { createHash } from "node:crypto"
import { Bearer, type KeyBook, KeyHash } from "@switchyard/ledger"
import { type Context, Redacted } from "effect"
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

type Book = Context.Tag.Service<KeyBook.KeyBook>

const key = {
  hash: KeyHash.ofKey(Redacted.make("secret"), "sk-ledger"),
  name: "shop",
  alias: "shop",
  hint: "sk-...dger",
  team: "core",
  user: undefined,
  models: ["cheap"],
  aliases: { "gpt-4o": "cheap" },
  tags: ["paid"],
  metadata: {},
  allowance: undefined,
  rpm: undefined,
  tpm: undefined,
  maxParallel: undefined,
  isBlocked: false,
  expiresAt: undefined,
  createdAt: 0,
  updatedAt: 0
}

const bearer = Bearer.make(key, () => undefined)

/** A book that knows one key, and says of every other what it is told to. */
const bookOf = (others: KeyBook.Identified = { _tag: "Unknown" }): Pick<Book, "identify" | "isUsed" | "size"> => ({
  identify: (sent) => (sent === "sk-ledger" ? { _tag: "Known", bearer } : others),
  isUsed: () => true,
  size: () => 1
})

const withBook = (
  book: Pick<Book, "identify" | "isUsed" | "size">,
  keys: Parameters<typeof KeyRing.make>[0]["keys"] = []
) => KeyRing.make({ masterKey: undefined, keys }, book as Book)

describe("KeyRing with a ledger's keys", () => {
  it("asks the configuration's keys first, then the ledger's", () => {
    const both = withBook(bookOf(), [{ name: "ours", key: "sk-ledger" }])
    expect(both.identify("sk-ledger")?.name).toBe("ours")
    const ring = withBook(bookOf())
    const caller = ring.identify("sk-ledger")
    expect(caller).toMatchObject({ name: "shop", team: "core", tags: ["paid"], isMaster: false, mayPassThrough: false })
    expect(["cheap", "gpt-4o"].map((model) => caller?.mayUse(model))).toEqual([true, false])
    expect(["gpt-4o", "cheap"].map((model) => caller?.meant?.(model))).toEqual(["cheap", "cheap"])
    expect(ring.identify("sk-ledger")).toBe(caller)
  })

  it("tells what a key, its team and its user may spend, for work that no call is in flight for", () => {
    const allowance = { max: 2_000_000_000, window: 1000, soft: undefined }
    const book = { ...bookOf(), named: () => ({ ...key, allowance }), group: () => undefined }
    const caller = withBook(book as unknown as Book).identify("sk-ledger")
    expect(caller?.budgets?.()).toEqual([{ scope: "caller", key: "shop", limit: 2, window: 1000 }])
  })

  it("is locked by a key of the ledger alone, and shared by two", () => {
    const ring = withBook(bookOf())
    expect([ring.isOpen, ring.isShared, ring.identify(undefined)]).toEqual([false, false, undefined])
    expect(withBook(bookOf(), [{ name: "ours", key: "sk-ours" }]).isShared).toBe(true)
    const unused = withBook({ ...bookOf(), isUsed: () => false, size: () => 0 })
    expect([unused.isOpen, unused.identify("sk-any")?.name]).toEqual([true, undefined])
  })

  it("says why a key lets nobody in", () => {
    const said = (others: KeyBook.Identified, sent: string | undefined = "sk-other") => {
      const ring = withBook(bookOf(others))
      expect(ring.identify(sent)).toBeUndefined()
      const { code, message, retryAfter, status } = ring.refusal(sent)
      return [status, code, message, retryAfter]
    }
    const barred = (why: KeyBook.Barred) => said({ _tag: "Barred", why, key })
    expect([said({ _tag: "Unknown" }), said({ _tag: "Unknown" }, "")].map(([status, code]) => [status, code])).toEqual([
      [401, "invalid_api_key"],
      [401, "invalid_api_key"]
    ])
    expect(barred("expired").slice(0, 3)).toEqual([401, "expired_key", "This API key (sk-...dger) has expired."])
    expect(barred("blocked").slice(0, 3)).toEqual([403, "key_blocked", "This API key (sk-...dger) is blocked."])
    expect(barred("teamBlocked")[1]).toBe("team_blocked")
    expect(barred("userBlocked")[1]).toBe("user_blocked")
    const [status, code, , retryAfter] = said({ _tag: "Away", retryAfter: 1500 })
    expect([status, code, retryAfter]).toEqual([503, "keys_unavailable", 1500])
    expect(JSON.stringify(barred("expired"))).not.toContain(key.hash)
  })
})
