import { createHash, createHmac } from "node:crypto"
import { assert, describe, it } from "@effect/vitest"
import * as KeyBook from "@switchyard/ledger/KeyBook"
import * as KeyHash from "@switchyard/ledger/KeyHash"
import { type Context, Effect, Redacted, TestClock } from "effect"
import { groupOf, keyOf, MemoryKeyStore } from "./keyStore.js"

const secret = Redacted.make("a secret of thirty-two characters")
const sent = "sk-first-0123456789"
const hash = KeyHash.ofKey(secret, sent)

type Book = Context.Tag.Service<KeyBook.KeyBook>

/** How a key is answered, in a word. */
const word = (book: Book, key = sent): string => {
  const found = book.identify(key)
  return found._tag === "Barred" ? found.why : found._tag
}

const open = (more: Parameters<typeof keyOf>[1] = {}, options: KeyBook.Options = {}) =>
  Effect.gen(function* () {
    const memory = new MemoryKeyStore()
    memory.put(keyOf(hash, { name: "first", ...more }))
    const book = yield* KeyBook.make(memory.store, secret, options)
    // The fiber that follows the store waits for its first poll.
    yield* Effect.yieldNow()
    return { book, memory }
  })

const poll = TestClock.adjust("1500 millis")

describe("KeyBook", () => {
  it.scoped("a start without the store is its error, and lets nobody in", () =>
    Effect.gen(function* () {
      const memory = new MemoryKeyStore()
      memory.state = "away"
      const error = yield* Effect.flip(KeyBook.make(memory.store, secret))
      assert.deepStrictEqual([error.reason, error.message], ["away", "the store does not answer"])
    })
  )
  it.scoped("knows a key by its HMAC under the secret, and one from elsewhere by its SHA-256", () =>
    Effect.gen(function* () {
      const { book, memory } = yield* open()
      assert.strictEqual(hash, createHmac("sha256", Redacted.value(secret)).update(sent).digest("hex"))
      const imported = createHash("sha256").update("sk-imported").digest("hex")
      memory.put(keyOf(`sha256:${imported}`, { name: "imported" }))
      yield* poll
      for (const [key, name] of [
        [sent, "first"],
        [sent, "first"],
        ["sk-imported", "imported"]
      ] as const) {
        const found = book.identify(key)
        assert.strictEqual(found._tag === "Known" ? found.bearer.key.name : found._tag, name)
      }
      for (const no of ["", hash, hash.toUpperCase(), imported, `sha256:${imported}`, `${sent} `, sent.slice(0, -1)]) {
        assert.strictEqual(word(book, no), "Unknown", no)
      }
      assert.strictEqual(book.byHash(hash)?.name, "first")
    })
  )
  it.scoped("what another gateway changes binds within one poll, at once where the store gives notice", () =>
    Effect.gen(function* () {
      const { book, memory } = yield* open()
      const second = "sk-second"
      memory.put(keyOf(KeyHash.ofKey(secret, second), { name: "second" }))
      assert.strictEqual(word(book, second), "Unknown")
      yield* poll
      assert.strictEqual(word(book, second), "Known")
      memory.put(keyOf(hash, { isBlocked: true }))
      yield* poll
      assert.deepStrictEqual([word(book), word(book, second)], ["blocked", "Known"])
      memory.delete(KeyHash.ofKey(secret, second))
      memory.notify()
      yield* TestClock.adjust(0)
      assert.strictEqual(word(book, second), "Unknown")
    })
  )
  it.scoped("a key expires by the clock, whether anybody asks the store or not", () =>
    Effect.gen(function* () {
      const { book, memory } = yield* open({ expiresAt: 5_000 })
      memory.state = "away"
      yield* TestClock.adjust("4999 millis")
      assert.strictEqual(word(book), "Known")
      yield* TestClock.adjust("1 millis")
      assert.strictEqual(word(book), "expired")
    })
  )
  it.scoped("a block of its team or its user is its own, and so are their models", () =>
    Effect.gen(function* () {
      const { book, memory } = yield* open({ team: "t", user: "u", models: ["gpt-*", "claude"] })
      const models = ["gpt-4o", "gpt-5", "claude", "other"]
      const allowed = () => {
        const found = book.identify(sent)
        return found._tag === "Known" ? models.filter((model) => found.bearer.mayUse(model)) : found._tag
      }
      assert.deepStrictEqual(allowed(), ["gpt-4o", "gpt-5", "claude"])
      memory.putGroup(groupOf("team", "t", { models: ["gpt-4o", "claude", "other"] }))
      memory.putGroup(groupOf("user", "u", { models: [] }))
      yield* poll
      assert.deepStrictEqual(allowed(), ["gpt-4o", "claude"])
      memory.put(keyOf(hash, { team: "t", user: "u", models: ["all-team-models"] }))
      memory.putGroup(groupOf("user", "u", { models: ["all-proxy-models"] }))
      yield* poll
      assert.deepStrictEqual(allowed(), ["gpt-4o", "claude", "other"])
      memory.putGroup(groupOf("user", "u", { models: ["no-default-models"] }))
      yield* poll
      assert.deepStrictEqual(allowed(), [])
      memory.putGroup(groupOf("team", "t", { isBlocked: true }))
      yield* poll
      assert.strictEqual(word(book), "teamBlocked")
      memory.putGroup(groupOf("team", "t"))
      memory.putGroup(groupOf("user", "u", { isBlocked: true }))
      yield* poll
      assert.strictEqual(word(book), "userBlocked")
    })
  )
  for (const state of ["away", "frozen"] as const) {
    it.scoped(
      `while the store is ${state} known keys go on for staleFor, blocked ones stay out, unknown ones are told to come back`,
      () =>
        Effect.gen(function* () {
          const { book, memory } = yield* open({}, { staleFor: "1 minute" })
          const blocked = "sk-blocked"
          memory.put(keyOf(KeyHash.ofKey(secret, blocked), { isBlocked: true }))
          yield* poll
          memory.state = state
          yield* TestClock.adjust("2600 millis")
          assert.deepStrictEqual([word(book), word(book, blocked), word(book, "sk-new")], ["Known", "blocked", "Away"])
          assert.isTrue(book.isAway())
          yield* TestClock.adjust("57 seconds")
          assert.strictEqual(word(book), "Known")
          yield* TestClock.adjust("2 seconds")
          assert.deepStrictEqual([word(book), word(book, blocked), word(book, "sk-new")], ["Away", "blocked", "Away"])
        })
    )
  }
  it.scoped("goes on as before when the store is back", () =>
    Effect.gen(function* () {
      const { book, memory } = yield* open({}, { staleFor: "1 second" })
      memory.state = "away"
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual(word(book), "Away")
      memory.state = "up"
      memory.put(keyOf(KeyHash.ofKey(secret, "sk-new")))
      yield* poll
      assert.deepStrictEqual([word(book), word(book, "sk-new"), word(book, "sk-other")], ["Known", "Known", "Unknown"])
    })
  )
  it.scoped("changes of its own bind at once, and not where the store has refused them", () =>
    Effect.gen(function* () {
      const { book, memory } = yield* open()
      const key = keyOf(hash, { name: "first" })
      yield* book.putKey({ ...key, isBlocked: true }, 0)
      assert.strictEqual(word(book), "blocked")
      memory.state = "away"
      yield* Effect.flip(book.putKey(key, 0))
      yield* Effect.flip(book.deleteKeys([hash]))
      assert.strictEqual(word(book), "blocked")
      memory.state = "up"
      yield* book.rehashKey(hash, { ...key, hash: KeyHash.ofKey(secret, "sk-next") })
      assert.deepStrictEqual([word(book), word(book, "sk-next")], ["Unknown", "Known"])
      assert.strictEqual(book.named("first")?.hash, KeyHash.ofKey(secret, "sk-next"))
      yield* book.putGroup(groupOf("team", "t", { isBlocked: true }), undefined)
      yield* book.putKey(keyOf(hash, { team: "t", name: "second" }), undefined)
      assert.strictEqual(word(book), "teamBlocked")
      yield* book.deleteGroups("team", ["t"])
      assert.strictEqual(word(book), "Known")
      yield* book.deleteKeys([hash])
      assert.deepStrictEqual([word(book), book.size(), book.isUsed()], ["Unknown", 1, true])
    })
  )
  it.scoped("asks the store once in a poll, however many requests come, and no more once its scope is closed", () =>
    Effect.gen(function* () {
      const memory = new MemoryKeyStore()
      const book = yield* Effect.scoped(
        Effect.gen(function* () {
          const made = yield* KeyBook.make(memory.store, secret)
          yield* Effect.yieldNow()
          for (let i = 0; i < 100; i++) made.identify(`sk-${i}`)
          assert.strictEqual(memory.asked, 1)
          yield* poll
          assert.strictEqual(memory.asked, 2)
          return made
        })
      )
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual([memory.asked, book.isUsed()], [2, false])
    })
  )
})
