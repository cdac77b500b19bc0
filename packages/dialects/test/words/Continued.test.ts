import { assert, describe, it } from "@effect/vitest"
import type { StreamEvent } from "@switchyard/core/Dialect"
import { AnswerFold } from "@switchyard/dialects/AnswerFold"
import * as AnswerWords from "@switchyard/dialects/AnswerWords"
import { gemini } from "@switchyard/dialects/Gemini"
import { messages } from "@switchyard/dialects/Messages"
import type { Translator } from "@switchyard/dialects/Translator"
import { answers, type Said } from "../conformance/answers.js"

const eventsOf = ({ events }: Said): ReadonlyArray<StreamEvent> =>
  events.map(({ event, json }) => ({ ...(event === undefined ? {} : { event }), data: JSON.stringify(json), json }))

const folded = (translator: Translator, events: ReadonlyArray<StreamEvent>) => {
  const reader = translator.eventReader()
  const fold = new AnswerFold()
  for (const { event, json } of events) reader.read(json, (said) => fold.add(said), event)
  const { choices } = fold.answer()
  const parts = choices[0]?.parts ?? []
  return {
    text: parts.map((part) => (part.type === "text" ? part.text : "")).join(""),
    calls: parts.filter(({ type }) => type === "toolCall").length,
    finish: choices[0]?.finish
  }
}

const whole = { text: "Hello there", calls: 0, finish: "stop" as const }

for (const translator of [messages, gemini] as const) {
  const name = translator.name as "messages" | "gemini"
  const words = AnswerWords.ofTranslator(translator, { text: () => "" })
  const delivered = () => {
    const made = words.delivered?.()
    assert.isDefined(made)
    return made
  }
  describe(name, () => {
    for (const saying of ["text", "thoughts"] as const) {
      it(`an answer (${saying}) that is cut anywhere goes on where it broke off, once and whole`, () => {
        const events = eventsOf(answers[name][saying])
        for (let cut = 1; cut < events.length; cut++) {
          const given = events.slice(0, cut)
          const before = delivered()
          for (const event of given) before.read(event)
          if (before.text === whole.text && folded(translator, given).finish !== undefined) continue
          const joint = before.joint(before.text)
          assert.isDefined(joint)
          const rest = events.flatMap((event) => {
            const taken = joint.take(event)
            assert.isDefined(taken)
            return taken
          })
          assert.deepStrictEqual(folded(translator, [...given, ...rest]), whole, `cut after ${cut}`)
          assert.strictEqual(rest.filter(({ event }) => event === "message_start").length, 0)
        }
      })
    }
    it("another answer than the one that was begun is not taken for it", () => {
      const before = delivered()
      const events = eventsOf(answers[name].text)
      for (const event of events.slice(0, name === "gemini" ? 1 : 3)) before.read(event)
      assert.strictEqual(before.text, "Hello ")
      const joint = before.joint("Hello world")
      assert.isTrue(events.some((event) => joint?.take(event) === undefined))
    })
    it("a call that was given in part is not spliced: the answer is fixed", () => {
      const before = delivered()
      for (const event of eventsOf(answers[name].calls).slice(0, 3)) before.read(event)
      assert.isTrue(before.isFixed)
    })
    it("a whole answer as events says the same", () => {
      for (const saying of ["text", "calls", "thoughts"] as const) {
        const said = answers[name][saying]
        assert.deepStrictEqual(
          folded(translator, words.events(said.whole)),
          folded(translator, eventsOf(said)),
          `${saying}`
        )
      }
    })
    it("events folded are the whole answer", () => {
      for (const saying of ["text", "calls", "thoughts"] as const) {
        const said = answers[name][saying]
        const fold = words.fold()
        for (const event of eventsOf(said)) fold.add(event)
        const view = words.view(fold.answer())
        const expected = words.view(said.whole)
        assert.deepStrictEqual({ ...view, body: undefined }, { ...expected, body: undefined })
      }
    })
  })
}
