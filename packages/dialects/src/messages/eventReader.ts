import { arrayOf, isJsonObject, type JsonObject } from "@switchyard/core/Json"
import type { AnswerEvent } from "../conversation/Answer.js"
import type { Signature } from "../conversation/Conversation.js"
import { asString, asText } from "../parts/values.js"
import type { EventReader, Tell } from "../Translator.js"
import { readError } from "./errors.js"
import { answerExtra, readAnswerBlock } from "./readAnswer.js"
import { argumentsOf, readCitations, readSignature } from "./readParts.js"
import { readFinish, readTokens } from "./tokens.js"

/** A block that is open. */
interface Open {
  readonly part: number
  readonly kind: "text" | "reasoning" | "toolCall" | "whole"
  readonly block: JsonObject
  /** A signature, or the input of a block that is told whole, while it grows. */
  texts: Array<string>
  hasArguments: boolean
}

const isEmptyInput = (input: unknown): boolean => {
  if (!isJsonObject(input)) return true
  for (const _ in input) return false
  return true
}

const kindOf = (type: unknown): Open["kind"] => {
  switch (type) {
    case "text":
      return "text"
    case "thinking":
      return "reasoning"
    case "tool_use":
      return "toolCall"
    default:
      return "whole"
  }
}

const choice = 0

/** Merges the later figures into the ones before: those of a stream's last event are the whole, and null says nothing. */
const mergedUsage = (before: JsonObject, later: unknown): JsonObject => {
  if (!isJsonObject(later)) return before
  const merged: Record<string, unknown> = { ...before }
  for (const name in later) if (later[name] !== null && later[name] !== undefined) merged[name] = later[name]
  return merged
}

class MessageReader implements EventReader {
  private readonly open = new Map<unknown, Open>()
  private parts = 0
  private usage: JsonObject = {}
  private hasEnded = false

  read(json: JsonObject, tell: Tell<AnswerEvent>): void {
    switch (json.type) {
      case "content_block_delta":
        if (isJsonObject(json.delta)) this.delta(json.index, json.delta, tell)
        return
      case "content_block_start":
        if (isJsonObject(json.content_block)) this.start(json.index, json.content_block, tell)
        return
      case "content_block_stop":
        return this.stop(json.index, tell)
      case "message_start":
        if (isJsonObject(json.message)) this.begin(json.message, tell)
        return
      case "message_delta":
        return this.finish(json, tell)
      case "message_stop":
        this.close(tell)
        this.hasEnded = true
        return tell({ type: "end" })
      case "ping":
        return
    }
    const error = readError(json)
    if (error !== undefined) tell({ type: "error", error })
  }

  private begin(message: JsonObject, tell: Tell<AnswerEvent>): void {
    // Gateways in between begin anew in the middle of a call, which then is none.
    const isCut = !this.hasEnded && [...this.open.values()].some(({ kind }) => kind === "toolCall")
    if (isCut) {
      return tell({
        type: "error",
        error: { message: "the answer began anew in the middle of a tool call", status: 502 }
      })
    }
    this.close(tell)
    this.hasEnded = false
    const { content, usage } = message
    this.usage = isJsonObject(usage) ? usage : {}
    const extra = answerExtra(message, usage)
    const kept = extra === undefined ? undefined : withoutNulls(extra)
    tell({
      type: "start",
      id: asText(message.id),
      model: asText(message.model),
      ...(kept === undefined ? {} : { extra: kept })
    })
    const tokens = readTokens(this.usage)
    if (tokens !== undefined) tell({ type: "usage", usage: tokens })
    // What a caller gave as the answer's beginning stands there whole.
    for (const [index, block] of arrayOf(content).entries()) {
      if (!isJsonObject(block)) continue
      this.start(`held ${index}`, block, tell)
      this.stop(`held ${index}`, tell)
    }
    const reason = asText(message.stop_reason)
    if (reason !== undefined) this.ended({}, message, reason, tell)
  }

  private start(index: unknown, block: JsonObject, tell: Tell<AnswerEvent>): void {
    if (this.open.has(index)) this.stop(index, tell)
    const part = this.parts++
    const open: Open = { part, kind: kindOf(block.type), block, texts: [], hasArguments: false }
    this.open.set(index, open)
    switch (open.kind) {
      case "text":
        tell({ type: "text", text: asString(block.text) ?? "", choice, part })
        return this.cite(block.citations, part, tell)
      case "reasoning":
        if (typeof block.signature === "string") open.texts.push(block.signature)
        return tell({ type: "reasoning", text: asString(block.thinking) ?? "", choice, part })
      case "toolCall":
        return this.call(block, part, tell)
    }
  }

  private call(block: JsonObject, part: number, tell: Tell<AnswerEvent>): void {
    const read = readAnswerBlock(block)
    if (read.type !== "toolCall") return
    const { extra, id, kind, name, signature } = read
    tell({
      type: "toolCall",
      id,
      name,
      kind,
      ...(signature === undefined ? {} : { signature }),
      ...(extra === undefined ? {} : { extra }),
      choice,
      part
    })
  }

  private cite(citations: unknown, part: number, tell: Tell<AnswerEvent>): void {
    if (!Array.isArray(citations)) return
    for (const citation of readCitations(citations)) tell({ type: "citation", citation, choice, part })
  }

  private delta(index: unknown, delta: JsonObject, tell: Tell<AnswerEvent>): void {
    const open = this.open.get(index) ?? this.unannounced(index, delta, tell)
    if (open === undefined) return
    const { part } = open
    switch (delta.type) {
      case "text_delta":
        if (typeof delta.text === "string") tell({ type: "text", text: delta.text, choice, part })
        return
      case "thinking_delta":
        if (typeof delta.thinking === "string") tell({ type: "reasoning", text: delta.thinking, choice, part })
        return
      case "input_json_delta":
        return this.input(open, delta.partial_json, tell)
      case "signature_delta":
        if (typeof delta.signature === "string") open.texts.push(delta.signature)
        return
      case "citations_delta":
        return this.cite([delta.citation], part, tell)
      case "compaction_delta":
        if (typeof delta.content === "string") open.texts.push(delta.content)
    }
  }

  /** A delta of a block whose beginning did not come: a text or a thought needs none. */
  private unannounced(index: unknown, { type }: JsonObject, tell: Tell<AnswerEvent>): Open | undefined {
    if (type !== "text_delta" && type !== "thinking_delta") return undefined
    this.start(index, { type: type === "text_delta" ? "text" : "thinking" }, tell)
    return this.open.get(index)
  }

  private input(open: Open, json: unknown, tell: Tell<AnswerEvent>): void {
    if (typeof json !== "string" || json === "") return
    if (open.kind !== "toolCall") {
      open.texts.push(json)
      return
    }
    open.hasArguments = true
    tell({ type: "arguments", text: json, choice, part: open.part })
  }

  private stop(index: unknown, tell: Tell<AnswerEvent>): void {
    const open = this.open.get(index)
    if (open === undefined) return
    this.open.delete(index)
    const { block, kind, part, texts } = open
    if (kind === "toolCall") {
      if (!open.hasArguments) tell({ type: "arguments", text: argumentsOf(block.input), choice, part })
    } else if (kind === "reasoning") {
      const { signature } = readSignature(texts.join(""))
      if (signature !== undefined) tell({ type: "signature", signature, choice, part })
    } else if (kind === "whole") this.whole(block, texts.join(""), part, tell)
  }

  private whole(block: JsonObject, text: string, part: number, tell: Tell<AnswerEvent>): void {
    if (block.type === "redacted_thinking") {
      const signature: Signature = { dialect: "messages", value: asString(block.data) ?? "" }
      return tell({ type: "signature", signature, isRedacted: true, choice, part })
    }
    tell({ type: "part", value: readAnswerBlock(grown(block, text)), choice, part })
  }

  /** Blocks that nobody closed. */
  private close(tell: Tell<AnswerEvent>): void {
    for (const index of [...this.open.keys()]) this.stop(index, tell)
  }

  private finish(json: JsonObject, tell: Tell<AnswerEvent>): void {
    const delta = isJsonObject(json.delta) ? json.delta : {}
    this.usage = mergedUsage(this.usage, json.usage)
    const reason = asText(delta.stop_reason)
    if (reason !== undefined) this.ended(json, delta, reason, tell)
    const tokens = readTokens(this.usage)
    if (tokens !== undefined && isJsonObject(json.usage)) tell({ type: "usage", usage: tokens })
  }

  private ended(json: JsonObject, delta: JsonObject, reason: string, tell: Tell<AnswerEvent>): void {
    this.close(tell)
    const stopSequence = asText(delta.stop_sequence)
    const { context_management } = json
    const extra = answerExtra(context_management === undefined ? delta : { ...delta, context_management }, this.usage)
    tell({
      type: "finish",
      choice,
      finish: readFinish(reason),
      reason,
      ...(stopSequence === undefined ? {} : { stopSequence }),
      ...(extra === undefined ? {} : { extra })
    })
  }
}

/** A block with the text that its deltas brought. */
const grown = (block: JsonObject, text: string): JsonObject => {
  if (text === "") return block
  if (block.type === "compaction") return { ...block, content: text }
  if (block.input !== undefined && !isEmptyInput(block.input)) return block
  try {
    return { ...block, input: JSON.parse(text) as unknown }
  } catch {
    return { ...block, input: { INVALID_JSON: text } }
  }
}

const withoutNulls = (extra: JsonObject): JsonObject | undefined => {
  let kept: Record<string, unknown> | undefined
  for (const name in extra) {
    if (extra[name] === null) continue
    kept ??= {}
    kept[name] = extra[name]
  }
  return kept
}

/** Reads the events of one stream. */
export const eventReader = (): EventReader => new MessageReader()
