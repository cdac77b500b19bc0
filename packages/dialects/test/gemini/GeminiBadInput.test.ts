import { isJsonObject, type JsonObject } from "@switchyard/core/Json"
import { gemini } from "@switchyard/dialects/Gemini"
import * as GeminiCounts from "@switchyard/dialects/GeminiCounts"
import * as GeminiEmbeddings from "@switchyard/dialects/GeminiEmbeddings"
import { Dice } from "@switchyard/testing/Dice"
import { Either } from "effect"
import { describe, expect, it } from "vitest"
import { answers, requests } from "./fixtures.js"

const oddities: readonly [unknown, ...ReadonlyArray<unknown>] = [
  null,
  undefined,
  0,
  -1,
  1.5,
  Number.MAX_SAFE_INTEGER,
  "",
  "x",
  "\ud800",
  true,
  [],
  {},
  [null],
  [[]],
  { parts: null },
  { text: 7 },
  { functionCall: { args: [] } },
  { index: 1e9 }
]

/** The same with one value, somewhere, in place of another. */
const spoilt = (value: unknown, dice: Dice): unknown => {
  if (Array.isArray(value) && value.length > 0 && dice.roll() < 0.9) {
    const at = dice.below(value.length)
    return value.map((one: unknown, index) => (index === at ? spoilt(one, dice) : one))
  }
  if (isJsonObject(value) && dice.roll() < 0.9) {
    const names = Object.keys(value)
    const name = names[dice.below(names.length)]
    return name === undefined ? dice.pick(oddities) : { ...value, [name]: spoilt(value[name], dice) }
  }
  return dice.pick(oddities)
}

const asBody = (value: unknown): JsonObject => (isJsonObject(value) ? value : {})

const options = {
  id: "i",
  created: 0,
  conversation: { origin: "gemini", model: "g", stream: false, turns: [], tools: [], settings: {}, extra: {} }
} as const

const seeds = Array.from({ length: 60 }, (_, seed) => seed)

describe("spoilt input", () => {
  it("makes of no request more than problems", () => {
    for (const seed of seeds) {
      const dice = new Dice(seed)
      for (const [name, body] of Object.entries(requests)) {
        const once = spoilt(body, dice)
        const bad = asBody(dice.roll() < 0.5 ? once : spoilt(once, dice))
        const label = `${name} ${seed}`
        expect(() => {
          const read = gemini.readRequest(bad, { model: "g" })
          if (Either.isRight(read)) {
            const foreign = { ...read.right, origin: "chat" as const }
            for (const one of [read.right, foreign]) gemini.writeRequest(one, { model: "gemini-2.5-pro" })
          }
          const { request } = gemini
          request.problems("chat", bad)
          request.size("chat", bad)
          request.states(bad)
          request.hasImages(bad)
          request.asksForReasoning(bad)
          request.beginning("chat", bad)
          request.overlay(bad, asBody(body))
          for (const turn of request.turns("chat", bad)) for (const _ of turn.parts);
          gemini.edit(bad, { model: "g", stream: true, defaults: gemini.defaults(bad) })
          GeminiEmbeddings.readRequest(bad)
          GeminiCounts.readRequest(bad)
        }, label).not.toThrow()
      }
    }
  })

  it("makes of no answer and of no event more than a failure", () => {
    for (const seed of seeds) {
      const dice = new Dice(seed)
      const reader = gemini.eventReader()
      const writer = gemini.eventWriter(options)
      for (const [name, body] of Object.entries(answers)) {
        const bad = asBody(spoilt(dice.roll() < 0.5 ? body : spoilt(body, dice), dice))
        expect(() => {
          const read = gemini.readAnswer(bad)
          if (Either.isRight(read)) gemini.writeAnswer(read.right, options)
          gemini.readError(bad)
          reader.read(bad, (step) => writer.write(step, () => {}))
          const { answer } = gemini
          answer.failure("chat", bad)
          answer.view(bad)
          answer.issued(bad)
          answer.usage(bad)
          for (const event of answer.events(bad)) answer.reader().text(event)
          GeminiEmbeddings.readAnswer(bad, "g")
        }, `${name} ${seed}`).not.toThrow()
      }
      writer.end(() => {})
    }
  })

  it("is read however deep it is", () => {
    let deep: JsonObject = { type: "STRING" }
    for (let level = 0; level < 5_000; level++) deep = { type: "ARRAY", items: deep }
    const body = {
      contents: [{ parts: [{ text: "x" }] }],
      tools: [{ functionDeclarations: [{ name: "f", parameters: deep }] }]
    }
    expect(Either.isRight(gemini.readRequest(body))).toBe(true)
    expect(gemini.request.size("chat", body).total).toBeGreaterThan(0)
  })
})
