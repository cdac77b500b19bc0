import type { Turn, TurnPart } from "@switchyard/core/Dialect"
import { type LlmRequest, wordsOf } from "@switchyard/core/LlmRequest"
import type { LlmResponse } from "@switchyard/core/LlmResponse"
import { openAi } from "@switchyard/core/OpenAi"
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
const partOf = (part: TurnPart, writer: Writer): Part => {
  switch (part.type) {
    case "text":
      return { type: "text", content: writer.text(part.text) }
    case "tool_call":
      return { type: "tool_call", name: writer.text(part.name), arguments: writer.text(part.arguments) }
    case "other":
      return { type: part.name.slice(0, 50) }
  }
}

const turnOf = (turn: Turn, writer: Writer): Part => {
  const parts: Array<Part> = []
  for (const part of turn.parts) {
    if (writer.isFull) break
    parts.push(partOf(part, writer))
  }
  return { role: turn.role.slice(0, 50), parts }
}

/** The prompt, as OpenTelemetry's messages; at most `length` characters of text. */
export const prompt = (request: LlmRequest, length: number): Attributes => {
  const writer = new Writer(length)
  const messages: Array<Part> = []
  for (const turn of wordsOf(request).turns(request.operation, request.body)) {
    if (writer.isFull) break
    messages.push(turnOf(turn, writer))
  }
  return { "gen_ai.input.messages": JSON.stringify(messages) }
}

/** The answer, as OpenTelemetry's messages; at most `length` characters of text. A stream's is what `keepText` kept. */
export const answer = ({ dialect }: LlmRequest, response: LlmResponse, length: number): Attributes => {
  const writer = new Writer(length)
  if (response._tag === "Streaming") {
    const { facts } = response.events
    const parts = [{ type: "text", content: writer.text(facts.keptText) }]
    return { "gen_ai.output.messages": JSON.stringify([{ role: "assistant", parts }]) }
  }
  const turn = (dialect ?? openAi).answer.turn(response.body)
  if (turn === undefined) return {}
  return { "gen_ai.output.messages": JSON.stringify([{ ...turnOf(turn, writer), role: "assistant" }]) }
}
