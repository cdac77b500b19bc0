import { isJsonObject, type JsonObject } from "@switchyard/core/Json"
import type { Answer } from "@switchyard/dialects/Answer"
import { gemini } from "@switchyard/dialects/Gemini"
import { Either } from "effect"
import { AnswerFold } from "../../src/words/AnswerFold.js"

const camel = (name: string): string => name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())

const lists: ReadonlySet<string> = new Set(["tools", "contents", "parts"])

/** One spelling for what may be spelt in two. */
export const canonical = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(canonical)
  if (!isJsonObject(value)) return value
  return Object.fromEntries(
    Object.entries(value).flatMap(([name, inner]) => {
      const one = canonical(inner)
      // An empty configuration says nothing.
      if (name === "generationConfig" && JSON.stringify(one) === "{}") return []
      return [[camel(name), lists.has(name) && isJsonObject(one) ? [one] : one]]
    })
  )
}

interface Said {
  readonly text: string
  readonly thought: string
  readonly calls: ReadonlyArray<unknown>
  readonly reason: unknown
  readonly prompt: unknown
  readonly candidates: unknown
  readonly thoughts: unknown
}

/** What an answer says, by its fields alone. */
export const said = (body: JsonObject): Said => {
  const candidate = ((body.candidates ?? []) as ReadonlyArray<JsonObject>)[0] ?? {}
  const parts = ((candidate.content as JsonObject | undefined)?.parts ?? []) as ReadonlyArray<JsonObject>
  const usage = (body.usageMetadata ?? {}) as Record<string, number | undefined>
  const feedback = body.promptFeedback as JsonObject | undefined
  return {
    text: parts.map(({ text, thought }) => (thought === true ? "" : (text ?? ""))).join(""),
    thought: parts.map(({ text, thought }) => (thought === true ? text : "")).join(""),
    calls: parts.flatMap(({ functionCall }) =>
      isJsonObject(functionCall) ? [{ name: functionCall.name, args: functionCall.args ?? {} }] : []
    ),
    reason: candidate.finishReason ?? feedback?.blockReason,
    prompt: (usage.promptTokenCount ?? 0) + (usage.toolUsePromptTokenCount ?? 0),
    candidates: usage.candidatesTokenCount ?? 0,
    thoughts: usage.thoughtsTokenCount ?? 0
  }
}

/** The same, as it was read. */
export const reread = (body: JsonObject): Said => {
  const { choices, usage } = Either.getOrThrow(gemini.readAnswer(body))
  const parts = choices[0]?.parts ?? []
  return {
    text: parts.map((part) => (part.type === "text" ? part.text : "")).join(""),
    thought: parts.map((part) => (part.type === "reasoning" ? part.text : "")).join(""),
    calls: parts.flatMap((part) =>
      part.type === "toolCall" ? [{ name: part.name, args: JSON.parse(part.arguments) as unknown }] : []
    ),
    reason: choices[0]?.reason,
    prompt: (usage?.uncached ?? 0) + (usage?.cacheRead ?? 0),
    candidates: usage?.text ?? 0,
    thoughts: usage?.reasoning ?? 0
  }
}

/** The events of a stream, read and put together. */
export const folded = (
  events: ReadonlyArray<JsonObject>
): { readonly answer: Answer; readonly ended: boolean; readonly text: string } => {
  const reader = gemini.eventReader()
  const fold = new AnswerFold()
  let ended = false
  for (const event of events) {
    reader.read(event, (step) => {
      fold.add(step)
      if (step.type === "end") ended = true
    })
  }
  const answer = fold.answer()
  const text = (answer.choices[0]?.parts ?? []).map((part) => (part.type === "text" ? part.text : "")).join("")
  return { answer, ended, text }
}
