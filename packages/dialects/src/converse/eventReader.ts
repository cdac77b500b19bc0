import { isJsonObject, type JsonObject } from "@switchyard/core/Json"
import type { AnswerEvent } from "../conversation/Answer.js"
import { asNumber, asObject, asString, asText } from "../parts/values.js"
import type { EventReader, Tell } from "../Translator.js"
import { exception, readCitation, readFinish, readTokens } from "./readAnswer.js"

const kinds: ReadonlySet<string> = new Set([
  "messageStart",
  "contentBlockStart",
  "contentBlockDelta",
  "contentBlockStop",
  "messageStop",
  "metadata"
])

/** Reads one stream: events by their names, or each in a field of its name. */
class Reader implements EventReader {
  private parts = 0
  private isFinished = false
  /** The part that each block is told as. */
  private readonly blocks = new Map<number, number>()

  read(json: JsonObject, tell: Tell<AnswerEvent>, event?: string): void {
    if (event !== undefined && !isJsonObject(json[event])) return this.take(event, json, tell)
    for (const name in json) {
      const said = json[name]
      if (isJsonObject(said) && (kinds.has(name) || name.endsWith("Exception"))) return this.take(name, said, tell)
    }
  }

  private place(said: JsonObject): { readonly choice: 0; readonly part: number } {
    const index = asNumber(said.contentBlockIndex) ?? 0
    const known = this.blocks.get(index)
    if (known !== undefined) return { choice: 0, part: known }
    const part = this.parts++
    this.blocks.set(index, part)
    return { choice: 0, part }
  }

  private take(kind: string, said: JsonObject, tell: Tell<AnswerEvent>): void {
    if (kind.endsWith("Exception") || kind === "exception" || kind === "error") {
      return tell({ type: "error", error: exception(kind, said) })
    }
    switch (kind) {
      case "messageStart":
        return tell({ type: "start" })
      case "contentBlockStart":
        return this.start(said, asObject(said.start), tell)
      case "contentBlockDelta":
        return this.delta(said, asObject(said.delta), tell)
      case "messageStop": {
        if (this.isFinished) return
        this.isFinished = true
        const reason = asText(said.stopReason) ?? "end_turn"
        return tell({ type: "finish", choice: 0, finish: readFinish(reason), reason })
      }
      case "metadata": {
        const usage = readTokens(said.usage)
        if (usage !== undefined) tell({ type: "usage", usage })
        // It is the last event, and comes behind the stop.
        if (this.isFinished) tell({ type: "end" })
        return
      }
      default:
    }
  }

  private start(said: JsonObject, start: JsonObject | undefined, tell: Tell<AnswerEvent>): void {
    const call = asObject(start?.toolUse)
    if (call === undefined || call.type === "server_tool_use") return
    tell({
      type: "toolCall",
      id: asText(call.toolUseId),
      name: asString(call.name) ?? "",
      kind: "function",
      ...this.place(said)
    })
  }

  private delta(said: JsonObject, delta: JsonObject | undefined, tell: Tell<AnswerEvent>): void {
    if (delta === undefined) return
    const text = asText(delta.text)
    if (text !== undefined) return tell({ type: "text", text, ...this.place(said) })
    const input = asText(asObject(delta.toolUse)?.input)
    if (input !== undefined) {
      // Of a server tool's call no beginning was told.
      if (this.blocks.has(asNumber(said.contentBlockIndex) ?? 0)) {
        tell({ type: "arguments", text: input, ...this.place(said) })
      }
      return
    }
    const citation = asObject(delta.citation)
    if (citation !== undefined) return tell({ type: "citation", citation: readCitation(citation), ...this.place(said) })
    const thought = asObject(delta.reasoningContent)
    if (thought === undefined) return
    const words = asText(thought.text)
    if (words !== undefined) tell({ type: "reasoning", text: words, ...this.place(said) })
    const redacted = asText(thought.redactedContent)
    const value = redacted ?? asText(thought.signature)
    if (value === undefined) return
    const isRedacted = redacted === undefined ? {} : { isRedacted: true }
    tell({ type: "signature", signature: { dialect: "converse", value }, ...isRedacted, ...this.place(said) })
  }
}

/** Reads one stream. */
export const eventReader = (): EventReader => new Reader()
