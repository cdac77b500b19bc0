import { completionText } from "@switchyard/core/ChatChunk"
import { arrayOf, isJsonObject, type JsonObject } from "@switchyard/core/Json"
import type { LlmRequest } from "@switchyard/core/LlmRequest"
import type { LlmResponse } from "@switchyard/core/LlmResponse"
import * as StandIn from "@switchyard/core/StandIn"
import type { Attributes } from "./spanAttributes.js"

type Part = Readonly<Record<string, unknown>>

/** Writes parts while there is room for their text; the rest is left out, and a part that is cut says so by an ellipsis. */
class Writer {
  constructor(private room: number) {}

  get isFull(): boolean {
    return this.room <= 0
  }

  text(written: string): string {
    const value = StandIn.shown(written)
    const taken = value.slice(0, this.room)
    this.room -= value.length
    return taken.length < value.length ? `${taken}…` : taken
  }
}

/** Images and sounds are named, never held. */
const partOf = (part: unknown, writer: Writer): Part => {
  if (typeof part === "string") return { type: "text", content: writer.text(part) }
  if (!isJsonObject(part)) return { type: "unknown" }
  return typeof part.text === "string"
    ? { type: "text", content: writer.text(part.text) }
    : { type: typeof part.type === "string" ? part.type.slice(0, 50) : "unknown" }
}

const callOf = (call: unknown, writer: Writer): Part => {
  const called = isJsonObject(call) && isJsonObject(call.function) ? call.function : {}
  const { arguments: given, name } = called as JsonObject
  return {
    type: "tool_call",
    name: typeof name === "string" ? writer.text(name) : "",
    arguments: typeof given === "string" ? writer.text(given) : ""
  }
}

const messageOf = (message: unknown, writer: Writer): Part => {
  if (!isJsonObject(message)) return { role: "unknown", parts: [] }
  const { content, role, tool_calls } = message
  const parts: Array<Part> = []
  for (const part of typeof content === "string" ? [content] : arrayOf(content)) {
    if (writer.isFull) break
    parts.push(partOf(part, writer))
  }
  for (const call of arrayOf(tool_calls)) {
    if (writer.isFull) break
    parts.push(callOf(call, writer))
  }
  return { role: typeof role === "string" ? role.slice(0, 50) : "unknown", parts }
}

const promptOf = ({ body, operation }: LlmRequest): ReadonlyArray<unknown> => {
  if (operation === "chat") return arrayOf(body.messages)
  const texts = operation === "completion" ? body.prompt : body.input
  return (typeof texts === "string" ? [texts] : arrayOf(texts)).map((content) => ({ role: "user", content }))
}

/** The prompt, as OpenTelemetry's messages; at most `length` characters of text. */
export const prompt = (request: LlmRequest, length: number): Attributes => {
  const writer = new Writer(length)
  const messages: Array<Part> = []
  for (const message of promptOf(request)) {
    if (writer.isFull) break
    messages.push(messageOf(message, writer))
  }
  return { "gen_ai.input.messages": JSON.stringify(messages) }
}

/** The answer, as OpenTelemetry's messages; at most `length` characters of text. A stream's is what `keepText` kept. */
export const answer = (response: LlmResponse, length: number): Attributes => {
  const writer = new Writer(length)
  if (response._tag === "Streaming") {
    const { facts } = response.events
    const parts = [{ type: "text", content: writer.text(facts.keptText) }]
    return { "gen_ai.output.messages": JSON.stringify([{ role: "assistant", parts }]) }
  }
  const { body } = response
  const first = arrayOf(body.choices)[0]
  if (!isJsonObject(first)) return {}
  const message = isJsonObject(first.message) ? first.message : { content: completionText(body) }
  return { "gen_ai.output.messages": JSON.stringify([{ ...messageOf(message, writer), role: "assistant" }]) }
}
