import { arrayOf, isJsonObject, type JsonObject } from "@switchyard/core/Json"
import { Either } from "effect"
import { describe, expect, it } from "vitest"
import { cohere } from "../../src/cohere/Cohere.js"
import type { Answer } from "../../src/conversation/Answer.js"
import { converse } from "../../src/converse/Converse.js"
import type { Target } from "../../src/Translator.js"
import { AnswerFold } from "../../src/words/AnswerFold.js"
import { exchanges, hasRecordings, streams, whySkipped } from "./recordings.js"

const right = <A>(either: Either.Either<A, unknown>): A => {
  if (Either.isLeft(either)) throw new Error(JSON.stringify(either.left))
  return either.right
}
const at = (value: unknown, ...path: ReadonlyArray<string>): unknown =>
  path.reduce<unknown>((inner, name) => (isJsonObject(inner) ? inner[name] : undefined), value)
const fold = (target: Target, events: ReadonlyArray<JsonObject>): Answer => {
  const reader = target.eventReader()
  const answer = new AnswerFold()
  for (const json of events) reader.read(json, (event) => answer.add(event))
  return answer.answer()
}
const textIn = ({ choices }: Answer): string =>
  choices.flatMap(({ parts }) => parts.flatMap((part) => (part.type === "text" ? [part.text] : []))).join("")
const callsIn = ({ choices }: Answer) =>
  choices.flatMap(({ parts }) =>
    parts.flatMap((part) => (part.type === "toolCall" ? [[part.id, part.name, JSON.parse(part.arguments)]] : []))
  )
const texts = (list: unknown): string =>
  arrayOf(list)
    .map((one) => (isJsonObject(one) && typeof one.text === "string" ? one.text : ""))
    .join("")

describe.skipIf(!hasRecordings)(`recorded answers of Bedrock and Cohere${whySkipped}`, () => {
  it("of Converse are read without loss", () => {
    const whole = [
      ...exchanges("bedrock", /converse$/).flatMap(({ json, status }) => (status === 200 && json ? [json] : [])),
      ...streams("amazon-bedrock").flatMap(({ json }) => (json === undefined ? [] : [json]))
    ]
    expect(whole.length).toBeGreaterThan(80)
    for (const json of whole) {
      const answer = right(converse.readAnswer(json))
      const content = arrayOf(at(json, "output", "message", "content"))
      expect(textIn(answer)).toBe(texts(content))
      const calls = content.flatMap((block) => {
        const call = at(block, "toolUse")
        return isJsonObject(call) && call.type !== "server_tool_use" ? [[call.toolUseId, call.name, call.input]] : []
      })
      expect(callsIn(answer)).toEqual(calls)
      expect(answer.usage?.text).toBe(at(json, "usage", "outputTokens"))
      expect(answer.choices[0]?.reason).toBe(json.stopReason)
    }
    for (const { events = [] } of streams("amazon-bedrock").filter((one) => one.events !== undefined)) {
      const answer = fold(converse, events)
      expect(textIn(answer)).toBe(events.map((event) => at(event, "contentBlockDelta", "delta", "text") ?? "").join(""))
      callsIn(answer)
      expect(answer.choices[0]?.finish).toBeDefined()
    }
  })

  it("of Cohere are read without loss", () => {
    const whole = [
      ...exchanges("cohere", /\/v2\/chat/).flatMap(({ json, status }) => (status === 200 && json ? [json] : [])),
      ...streams("cohere").flatMap(({ json }) => (json === undefined ? [] : [json]))
    ]
    expect(whole.length).toBeGreaterThan(5)
    for (const json of whole) {
      const answer = right(cohere.readAnswer(json))
      expect(textIn(answer)).toBe(texts(at(json, "message", "content")))
      expect(callsIn(answer)).toHaveLength(arrayOf(at(json, "message", "tool_calls")).length)
      expect(answer.usage?.text).toBe(at(json, "usage", "tokens", "output_tokens"))
    }
    for (const { events = [] } of streams("cohere").filter((one) => one.events !== undefined)) {
      const answer = fold(cohere, events)
      expect(textIn(answer)).toBe(
        events.map((event) => at(event, "delta", "message", "content", "text") ?? "").join("")
      )
      expect(callsIn(answer)).toHaveLength(events.filter(({ type }) => type === "tool-call-start").length)
      expect(answer.choices[0]?.finish).toBeDefined()
      expect(answer.usage).toBeDefined()
    }
  })
})
