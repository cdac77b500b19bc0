import type { JsonObject } from "@switchyard/core/Json"
import type { AnswerEvent } from "../conversation/Answer.js"
import type { Part } from "../conversation/Conversation.js"
import type { Tokens } from "../conversation/Tokens.js"
import { lengthOfStep } from "../parts/lengths.js"
import { parsedObject } from "../parts/values.js"
import type { AnswerOptions, EventWriter, Tell, WireEvent } from "../Translator.js"
import { errorEvent } from "./errors.js"
import { writeTokens } from "./tokens.js"
import {
  guessed,
  messageId,
  reasonOf,
  restOf,
  signatureOf,
  toolUseId,
  usageOf,
  writeAnswerBlock,
  writeCitation
} from "./writeAnswer.js"

type PartEvent = Extract<AnswerEvent, { readonly part: number }>
type CallEvent = Extract<AnswerEvent, { readonly type: "toolCall" }>
type FinishEvent = Extract<AnswerEvent, { readonly type: "finish" }>

const isGrowing = (part: Part): part is Extract<Part, { readonly type: "opaque" }> => part.type === "opaque"

const noInput: JsonObject = {}

class MessageWriter implements EventWriter {
  private begun: Extract<AnswerEvent, { readonly type: "start" }> | undefined
  private hasStarted = false
  private hasEnded = false
  private hasCalls = false
  /** Characters said so far. */
  private length = 0
  private usage: Tokens | undefined
  private finish: FinishEvent | undefined
  /** The block that is open, by the number of its part, and where it stands among the blocks. */
  private openPart = -1
  private openType: "text" | "thinking" | "tool_use" | undefined
  private index = -1
  /** What the open call has of its arguments: only a whole call may be closed for the next one. */
  private readonly arguments: Array<string> = []
  /** Events of calls that began while another was not whole, in order. */
  private readonly waiting: Array<PartEvent> = []

  constructor(private readonly options: AnswerOptions) {}

  write(event: AnswerEvent, tell: Tell<WireEvent>): void {
    if (this.hasEnded) return
    switch (event.type) {
      case "start":
        this.begun ??= event
        return
      case "usage":
        this.usage = event.usage
        return
      case "finish":
        if (event.choice === 0) this.finish = event
        return
      case "error":
        this.hasEnded = true
        return tell(errorEvent(event.error))
      case "end":
        return this.end(tell)
      default:
        // Anthropic gives one answer.
        if (event.choice !== 0) return
        this.length += lengthOfStep(event)
        this.part(event, tell)
    }
  }

  end(tell: Tell<WireEvent>): void {
    if (this.hasEnded) return
    this.start(tell)
    this.close(tell)
    this.flush(tell)
    this.close(tell)
    this.hasEnded = true
    const { finish } = this
    const extra = { ...this.begun?.extra, ...finish?.extra }
    const { context_management, ...rest } = restOf(extra) ?? {}
    const usage = usageOf(writeTokens(this.usage ?? guessed(this.options, this.length)), extra)
    const delta = {
      stop_reason: reasonOf(
        { finish: finish?.finish, reason: finish?.reason, stopSequence: finish?.stopSequence },
        this.hasCalls
      ),
      stop_sequence: finish?.stopSequence ?? null,
      ...rest
    }
    const managed = context_management === undefined ? {} : { context_management }
    tell({ event: "message_delta", json: { type: "message_delta", delta, usage, ...managed } })
    tell({ event: "message_stop", json: { type: "message_stop" } })
  }

  private start(tell: Tell<WireEvent>): void {
    if (this.hasStarted) return
    this.hasStarted = true
    const message = {
      id: messageId(this.begun?.id, this.options.id),
      type: "message",
      role: "assistant",
      model: this.begun?.model ?? this.options.conversation.model,
      content: [],
      stop_reason: null,
      stop_sequence: null,
      usage: writeTokens(this.usage ?? guessed(this.options, 0))
    }
    tell({ event: "message_start", json: { type: "message_start", message } })
  }

  private part(event: PartEvent, tell: Tell<WireEvent>): void {
    this.start(tell)
    const isCall = event.type === "toolCall" || event.type === "arguments"
    if (event.part !== this.openPart && this.openType === "tool_use") {
      // Anthropic's blocks come one behind the other; calls of others may come side by side.
      if (isCall && !this.isWhole()) {
        this.waiting.push(event)
        return
      }
      if (event.part < this.openPart) return
      this.close(tell)
      this.flush(tell)
    }
    this.put(event, tell)
  }

  private put(event: PartEvent, tell: Tell<WireEvent>): void {
    switch (event.type) {
      case "text":
      case "refusal":
        this.open(event.part, "text", { type: "text", text: "" }, tell)
        if (event.text !== "") this.delta({ type: "text_delta", text: event.text }, tell)
        return
      case "reasoning":
        this.open(event.part, "thinking", { type: "thinking", thinking: "", signature: "" }, tell)
        if (event.text !== "") this.delta({ type: "thinking_delta", thinking: event.text }, tell)
        return
      case "signature":
        return this.sign(event, tell)
      case "toolCall":
        return this.call(event, tell)
      case "arguments":
        if (event.part !== this.openPart || event.text === "") return
        this.arguments.push(event.text)
        return this.delta({ type: "input_json_delta", partial_json: event.text }, tell)
      case "citation": {
        const citation = writeCitation(event.citation)
        if (citation === undefined) return
        this.open(event.part, "text", { type: "text", text: "" }, tell)
        return this.delta({ type: "citations_delta", citation }, tell)
      }
      case "part":
        return this.whole(event.value, event.part, tell)
    }
  }

  private sign(event: Extract<AnswerEvent, { readonly type: "signature" }>, tell: Tell<WireEvent>): void {
    const { isRedacted, part, signature } = event
    // A signed text has no place here.
    if (part === this.openPart && this.openType !== "thinking") return
    if (isRedacted === true && signature.dialect === "messages") {
      return this.block({ type: "redacted_thinking", data: signature.value }, part, tell)
    }
    this.open(part, "thinking", { type: "thinking", thinking: "", signature: "" }, tell)
    this.delta({ type: "signature_delta", signature: signatureOf(signature) }, tell)
  }

  private call(event: CallEvent, tell: Tell<WireEvent>): void {
    this.hasCalls = true
    const id = toolUseId(event, this.options.id, event.part)
    this.arguments.length = 0
    this.open(event.part, "tool_use", { type: "tool_use", id, name: event.name, input: noInput, ...event.extra }, tell)
  }

  private whole(value: Part, part: number, tell: Tell<WireEvent>): void {
    const block = writeAnswerBlock(value, this.options.id, part)
    if (block === undefined) return
    if (value.type === "toolCall") this.hasCalls = true
    if (!isGrowing(value)) return this.block(block, part, tell)
    if (block.type === "compaction" && typeof block.content === "string") {
      this.block({ ...block, content: null }, part, tell, { type: "compaction_delta", content: block.content })
    } else if (block.input !== undefined) {
      const json = JSON.stringify(block.input)
      this.block({ ...block, input: noInput }, part, tell, { type: "input_json_delta", partial_json: json })
    } else this.block(block, part, tell)
  }

  /** A block that comes whole. */
  private block(block: JsonObject, part: number, tell: Tell<WireEvent>, delta?: JsonObject): void {
    this.open(part, undefined, block, tell)
    if (delta !== undefined) this.delta(delta, tell)
    this.close(tell)
  }

  private open(part: number, type: MessageWriter["openType"], block: JsonObject, tell: Tell<WireEvent>): void {
    if (part === this.openPart) return
    this.close(tell)
    this.openPart = part
    this.openType = type
    this.index++
    tell({
      event: "content_block_start",
      json: { type: "content_block_start", index: this.index, content_block: block }
    })
  }

  private delta(delta: JsonObject, tell: Tell<WireEvent>): void {
    tell({ event: "content_block_delta", json: { type: "content_block_delta", index: this.index, delta } })
  }

  private close(tell: Tell<WireEvent>): void {
    if (this.openPart === -1) return
    this.openPart = -1
    this.openType = undefined
    tell({ event: "content_block_stop", json: { type: "content_block_stop", index: this.index } })
  }

  private isWhole(): boolean {
    return this.arguments.length === 0 ? false : parsedObject(this.arguments.join("")) !== undefined
  }

  /** What waited for the call before, part by part. */
  private flush(tell: Tell<WireEvent>): void {
    if (this.waiting.length === 0) return
    const waiting = this.waiting.splice(0)
    for (const part of new Set(waiting.map((event) => event.part))) {
      for (const event of waiting) if (event.part === part) this.put(event, tell)
    }
  }
}

/** Writes the events of one stream. */
export const eventWriter = (options: AnswerOptions): EventWriter => new MessageWriter(options)
