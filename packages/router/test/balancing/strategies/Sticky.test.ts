import { assert, describe, it } from "@effect/vitest"
import type { Message } from "@switchyard/core/Chat"
import * as LlmRequest from "@switchyard/core/LlmRequest"
import type { Slot } from "@switchyard/core/Slot"
import * as Sticky from "@switchyard/router/RoutingStrategy/Sticky"
import { chiSquare, chiSquareLimit, choose, plainSlots, request, seeded, slotsOf, tally } from "./support.js"

const strategy = Sticky.make({ random: seeded("sticky") })

const sessions = Array.from({ length: 3000 }, (_, i) => request({ sessionKey: `session-${i}` }))

/** Where each session goes. */
const homes = (slots: ReadonlyArray<Slot>, isClosed?: (slot: Slot) => boolean): ReadonlyArray<string | undefined> =>
  sessions.map((session) =>
    choose(strategy, slots, { request: session, ...(isClosed === undefined ? {} : { isClosed }) })
  )

const countsOf = (homesOfAll: ReadonlyArray<string | undefined>, slots: ReadonlyArray<Slot>) =>
  slots.map((slot) => homesOfAll.filter((home) => home === slot.id).length)

const chat = (...messages: ReadonlyArray<Message>) => LlmRequest.chat({ model: "m", messages })

describe("Sticky", () => {
  it("keeps a session on one deployment, whatever it says and wherever the deployment stands in the list", () => {
    const slots = plainSlots(9)
    const home = choose(strategy, slots, { request: request({ sessionKey: "s" }) })
    for (const content of ["one", "two", "three"]) {
      const again = request({ sessionKey: "s", body: { messages: [{ role: "user", content }] } })
      assert.strictEqual(choose(strategy, [...slots].reverse(), { request: again }), home)
    }
  })

  it("chooses the same deployments in every process", () => {
    const other = Sticky.make({ random: seeded("another process") })
    const slots = plainSlots(9)
    sessions.slice(0, 100).forEach((session) => {
      assert.strictEqual(choose(other, slots, { request: session }), choose(strategy, slots, { request: session }))
    })
  })

  it("spreads sessions evenly", () => {
    const slots = plainSlots(7)
    assert.isBelow(
      chiSquare(
        countsOf(homes(slots), slots),
        slots.map(() => 1)
      ),
      chiSquareLimit(7)
    )
  })

  it("spreads sessions in proportion to the weights, and gives none to a weight of 0", () => {
    const slots = slotsOf({ weight: 1 }, { weight: 2 }, { weight: 0.5 }, { weight: 0 })
    assert.isBelow(chiSquare(countsOf(homes(slots), slots), [1, 2, 0.5, 0]), chiSquareLimit(4))
  })

  it("spreads sessions evenly when all weights are 0", () => {
    const slots = slotsOf({ weight: 0 }, { weight: 0 }, { weight: 0 })
    assert.isBelow(chiSquare(countsOf(homes(slots), slots), [1, 1, 1]), chiSquareLimit(3))
  })

  it("moves only the sessions of a deployment that leaves, spreads them, and brings them back when it returns", () => {
    const slots = plainSlots(6)
    const before = homes(slots)
    for (const gone of slots) {
      const after = homes(slots, (slot) => slot === gone)
      const moved = after.filter((home, i) => home !== before[i])
      assert.strictEqual(moved.length, before.filter((home) => home === gone.id).length)
      assert.isTrue(after.every((home, i) => home === before[i] || before[i] === gone.id))
      const others = slots.filter((slot) => slot !== gone)
      assert.isBelow(
        chiSquare(
          countsOf(moved, others),
          others.map(() => 1)
        ),
        chiSquareLimit(5)
      )
    }
    assert.deepStrictEqual(homes(slots), before)
  })

  it("moves sessions only to a deployment that joins, or whose weight grows", () => {
    const slots = plainSlots(7)
    const before = homes(slots.slice(0, 6))
    const joined = homes(slots)
    assert.isTrue(joined.every((home, i) => home === before[i] || home === "d6"))
    const heavier = slots.map((slot) =>
      slot.id === "d2" ? slot.withDeployment({ ...slot.deployment, weight: 3 }) : slot
    )
    const grown = homes(heavier)
    assert.isTrue(grown.every((home, i) => home === joined[i] || home === "d2"))
    assert.isAbove(grown.filter((home) => home === "d2").length, joined.filter((home) => home === "d2").length)
  })

  it("keeps the turns of a conversation together without a session key", () => {
    const slots = plainSlots(9)
    const system = { role: "system", content: "Be brief." }
    for (let i = 0; i < 50; i++) {
      const question = { role: "user", content: `Question ${i}` }
      const home = choose(strategy, slots, { request: chat(system, question) })
      const later = chat(system, question, { role: "assistant", content: "?" }, { role: "user", content: "More" })
      assert.strictEqual(choose(strategy, slots, { request: later }), home)
      const parts = chat(system, { role: "user", content: [{ type: "text", text: `Question ${i}` }] })
      assert.strictEqual(choose(strategy, slots, { request: parts }), home)
    }
  })

  it("spreads conversations that share a system prompt", () => {
    const slots = plainSlots(5)
    const prompt = "You are helpful. ".repeat(500)
    const counts = countsOf(
      Array.from({ length: 2000 }, (_, i) =>
        choose(strategy, slots, {
          request: chat({ role: "system", content: prompt }, { role: "user", content: `Question ${i}` })
        })
      ),
      slots
    )
    assert.isBelow(
      chiSquare(
        counts,
        slots.map(() => 1)
      ),
      chiSquareLimit(5)
    )
  })

  it("tells conversations apart that begin alike but for the system prompt", () => {
    const slots = plainSlots(5)
    const question = { role: "user", content: "Hello" }
    const found = new Set(
      Array.from({ length: 50 }, (_, i) =>
        choose(strategy, slots, { request: chat({ role: "developer", content: `You are bot ${i}` }, question) })
      )
    )
    assert.strictEqual(found.size, 5)
  })

  it("looks at the beginning of a prompt alone, as long as it is told", () => {
    const slots = plainSlots(50)
    const short = Sticky.make({ random: seeded("short") }, { prefixLength: 8 })
    const ask = (content: Message["content"]) => choose(short, slots, { request: chat({ role: "user", content }) })
    const parts = (...texts: ReadonlyArray<string>) => ask(texts.map((text) => ({ type: "text", text })))
    assert.strictEqual(parts("1234", "56789", "0"), ask("12345678"))
    assert.strictEqual(ask("12345678 and so on"), ask("12345678 or else"))
    assert.notStrictEqual(ask("1234567a"), ask("1234567b"))
  })

  it("hashes legacy prompts too", () => {
    const slots = plainSlots(9)
    const ask = (prompt: unknown) => choose(strategy, slots, { request: LlmRequest.completion({ model: "m", prompt }) })
    assert.strictEqual(ask("Once upon a time"), ask("Once upon a time"))
    assert.strictEqual(ask(["Once upon a time"]), ask("Once upon a time"))
  })

  it("spreads requests at random that have no session and no text", () => {
    const slots = slotsOf({ weight: 1 }, { weight: 3 })
    const silent = chat({ role: "user", content: [{ type: "image_url", image_url: { url: "data:," } }] })
    assert.isBelow(chiSquare(tally(strategy, slots, 4000, { request: silent }), [1, 3]), chiSquareLimit(2))
  })

  it("chooses nothing among none and among closed ones", () => {
    assert.strictEqual(choose(strategy, [], { request: request({ sessionKey: "s" }) }), undefined)
    assert.strictEqual(
      choose(strategy, plainSlots(3), { request: request({ sessionKey: "s" }), isClosed: () => true }),
      undefined
    )
  })
})
