/**
 * What benches ask and are answered: requests of a length in every caller's dialect, and streams as long as real ones.
 */
import type { JsonObject } from "@switchyard/core/Json"
import { answers, type Provider, type Said } from "../test/conformance/answers.js"
import type { Caller } from "../test/conformance/cells.js"
import { samples } from "../test/conformance/samples.js"

const paragraph =
  "The quick brown fox jumps over the lazy dog, and nobody in the yard looks up from what they do. ".repeat(5)

/** A list that is as long as it takes for a body of so many bytes. */
export const filled = (bytes: number, body: (turns: number) => JsonObject): JsonObject => {
  let turns = 1
  while (JSON.stringify(body(turns)).length < bytes) turns++
  return body(turns)
}

const history = (turns: number, user: (text: string) => JsonObject, assistant: (text: string) => JsonObject) =>
  Array.from({ length: turns * 2 - 1 }, (_, at) => (at % 2 === 0 ? user(paragraph) : assistant(paragraph)))

const role = (name: string) => (content: string) => ({ role: name, content })
const repeated = (tools: unknown, count: number): ReadonlyArray<unknown> =>
  Array.from({ length: count }, (_, at) => ({ ...(tools as ReadonlyArray<JsonObject>)[0], name: `tool_${at}` }))

/** Bodies of so many turns. */
export const bodies: Readonly<Record<Caller, (turns: number) => JsonObject>> = {
  chat: (turns) => ({
    ...samples.chat.tools,
    tool_choice: "auto",
    messages: history(turns, role("user"), role("assistant"))
  }),
  messages: (turns) => ({
    ...samples.messages.tools,
    tool_choice: { type: "auto" },
    tools: repeated(samples.messages.tools.tools, 24),
    messages: history(turns, role("user"), (text) => ({ role: "assistant", content: [{ type: "text", text }] }))
  }),
  responses: (turns) => ({
    ...samples.responses.tools,
    tool_choice: "auto",
    tools: repeated(samples.responses.tools.tools, 24),
    input: history(turns, role("user"), role("assistant"))
  }),
  gemini: (turns) => ({
    ...samples.gemini.chat,
    contents: history(
      turns,
      (text) => ({ role: "user", parts: [{ text }] }),
      (text) => ({ role: "model", parts: [{ text }] })
    )
  })
}

/** The events of a text that comes in so many pieces. */
export const pieces = (provider: Provider, count: number): Said["events"] =>
  answers[provider].text.events.flatMap((event) =>
    JSON.stringify(event.json).includes('"Hello "') ? Array.from({ length: count }, () => event) : [event]
  )
