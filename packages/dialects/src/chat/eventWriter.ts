import type { JsonObject } from "@switchyard/core/Json"
import type { AnswerEvent } from "../conversation/Answer.js"
import type { Citation, Part } from "../conversation/Conversation.js"
import type { Tokens } from "../conversation/Tokens.js"
import { inputOfArguments, isWrapped } from "../parts/customTools.js"
import type { AnswerOptions, EventWriter, Tell, WireEvent } from "../Translator.js"
import { errorEvent } from "./errors.js"
import { writeFinish } from "./finish.js"
import { between, blockOf, detailOf } from "./reasoning.js"
import { writeTokens } from "./usage.js"
import { annotation, answerId, audioOf, callId, imageOf } from "./writeAnswer.js"

/** A call that is written. */
interface Call {
  readonly index: number
  readonly isCustom: boolean
  /** What came of a free text that was asked for as a function: it is told when it is whole. */
  wrapped: string | undefined
}

/** What is known of a choice whose pieces are written. */
interface Draft {
  /** The place of each call in its list, by its part. */
  readonly calls: Map<number, Call>
  /** Characters of text written so far, and before the part that is written now. */
  length: number
  from: number
  textPart: number
  /** Sources of that part that are not told yet. */
  readonly cited: Array<Citation>
  reasoningPart: number
  /** Thoughts of the part that is written now, for the block that its signature closes. */
  thought: string
  hasThought: boolean
  isFinished: boolean
}

const argued = ({ index, isCustom }: Call, text: string): JsonObject =>
  isCustom ? { index, custom: { input: text } } : { index, function: { arguments: text } }

class ChunkWriter implements EventWriter {
  private id: string
  private model: string
  private created: number
  private extra: JsonObject | undefined
  private usage: Tokens | undefined
  private isEnded = false
  private readonly drafts = new Map<number, Draft>()

  constructor(private readonly options: AnswerOptions) {
    this.id = answerId(undefined, options)
    this.model = options.conversation.model
    this.created = options.created
  }

  private chunk(choices: ReadonlyArray<JsonObject>): JsonObject {
    const { created, extra, id, model } = this
    return { id, object: "chat.completion.chunk", created, model, ...extra, choices }
  }

  private piece(choice: number, delta: JsonObject, tell: Tell<WireEvent>, logprobs: JsonObject | null = null): void {
    tell({ json: this.chunk([{ index: choice, delta, logprobs, finish_reason: null }]) })
  }

  private draft(choice: number, tell: Tell<WireEvent>): Draft {
    let draft = this.drafts.get(choice)
    if (draft === undefined) {
      draft = {
        calls: new Map(),
        length: 0,
        from: 0,
        textPart: -1,
        cited: [],
        reasoningPart: -1,
        thought: "",
        hasThought: false,
        isFinished: false
      }
      this.drafts.set(choice, draft)
      this.piece(choice, { role: "assistant", content: "", refusal: null }, tell)
    }
    return draft
  }

  private text(draft: Draft, part: number, text: string): void {
    if (draft.textPart !== part) {
      draft.textPart = part
      draft.from = draft.length
    }
    draft.length += text.length
  }

  private reasoning(draft: Draft, part: number, text: string): string {
    if (draft.reasoningPart !== part) {
      draft.reasoningPart = part
      draft.thought = ""
      if (text !== "" && draft.hasThought) {
        draft.thought = text
        return between + text
      }
    }
    draft.thought += text
    if (text !== "") draft.hasThought = true
    return text
  }

  /** Tells of the sources of the text so far. */
  private cite(choice: number, draft: Draft, tell: Tell<WireEvent>): void {
    if (draft.cited.length === 0) return
    const { from, length } = draft
    const annotations = draft.cited.splice(0).flatMap((citation) => annotation(citation, from, length - from) ?? [])
    if (annotations.length > 0) this.piece(choice, { annotations }, tell)
  }

  private part(choice: number, value: Part, tell: Tell<WireEvent>): void {
    if (value.type === "image") {
      const image = imageOf(value)
      if (image !== undefined) this.piece(choice, { images: [image] }, tell)
    } else if (value.type === "audio") this.piece(choice, { audio: audioOf(value, this.options.id) }, tell)
  }

  write(event: AnswerEvent, tell: Tell<WireEvent>): void {
    switch (event.type) {
      case "start":
        this.id = answerId(event.id, this.options)
        this.model = event.model ?? this.model
        this.created = event.created ?? this.created
        this.extra = event.extra
        return
      case "usage":
        this.usage = event.usage
        return
      case "error":
        this.isEnded = true
        return tell(errorEvent(event.error))
      case "end":
        return
      case "finish":
        return this.finish(event.choice, writeFinish(event.finish), tell)
      default:
        return this.say(event, this.draft(event.choice, tell), tell)
    }
  }

  private say(event: Extract<AnswerEvent, { readonly part: number }>, draft: Draft, tell: Tell<WireEvent>): void {
    const { choice, part } = event
    if (part !== draft.textPart) this.cite(choice, draft, tell)
    switch (event.type) {
      case "text":
        this.text(draft, part, event.text)
        return this.piece(choice, { content: event.text }, tell, event.logprobs)
      case "refusal":
        return this.piece(choice, { refusal: event.text }, tell)
      case "reasoning":
        return this.piece(choice, { reasoning_content: this.reasoning(draft, part, event.text) }, tell)
      case "signature": {
        if (draft.textPart === part || draft.calls.has(part)) return
        this.reasoning(draft, part, "")
        const { isRedacted = false, signature } = event
        if (signature.dialect === "messages") {
          return this.piece(choice, { thinking_blocks: [blockOf(draft.thought, signature, isRedacted)] }, tell)
        }
        return this.piece(choice, { reasoning_details: [detailOf(signature, undefined)] }, tell)
      }
      case "toolCall": {
        const index = draft.calls.size
        const wrapped = isWrapped(this.options.conversation.tools, event) ? "" : undefined
        const isCustom = event.kind === "custom" || wrapped !== undefined
        draft.calls.set(part, { index, isCustom, wrapped })
        const id = callId(event.id, event.signature, this.options.id, index)
        const call = isCustom
          ? { index, id, type: "custom", custom: { name: event.name, input: "" } }
          : { index, id, type: "function", function: { name: event.name, arguments: "" } }
        return this.piece(
          choice,
          { tool_calls: [event.extra === undefined ? call : { ...call, ...event.extra }] },
          tell
        )
      }
      case "arguments": {
        const call = draft.calls.get(part)
        if (call === undefined) return
        if (call.wrapped === undefined) return this.piece(choice, { tool_calls: [argued(call, event.text)] }, tell)
        call.wrapped += event.text
        return
      }
      case "citation": {
        if (draft.textPart !== part) this.text(draft, part, "")
        draft.cited.push(event.citation)
        // Of how much text it is, is known when that is whole.
        if (event.citation.dialect === "chat" || event.citation.end !== undefined) this.cite(choice, draft, tell)
        return
      }
      case "part":
        return this.part(choice, event.value, tell)
    }
  }

  private finish(choice: number, reason: string, tell: Tell<WireEvent>): void {
    const draft = this.draft(choice, tell)
    if (draft.isFinished) return
    draft.isFinished = true
    this.cite(choice, draft, tell)
    for (const call of draft.calls.values()) {
      if (call.wrapped === undefined) continue
      this.piece(choice, { tool_calls: [argued(call, inputOfArguments(call.wrapped))] }, tell)
    }
    tell({ json: this.chunk([{ index: choice, delta: {}, logprobs: null, finish_reason: reason }]) })
  }

  end(tell: Tell<WireEvent>): void {
    if (this.isEnded) return
    this.isEnded = true
    if (this.drafts.size === 0) this.draft(0, tell)
    for (const [choice, { calls }] of this.drafts) this.finish(choice, calls.size > 0 ? "tool_calls" : "stop", tell)
    if (this.options.wantsUsage === true && this.usage !== undefined) {
      tell({ json: { ...this.chunk([]), usage: writeTokens(this.usage) } })
    }
  }
}

/** Writes one stream as chunks; `[DONE]` is the framing's. */
export const eventWriter = (options: AnswerOptions): EventWriter => new ChunkWriter(options)
