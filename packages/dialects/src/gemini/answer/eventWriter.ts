import { isJsonObject, type JsonObject } from "@switchyard/core/Json"
import type { AnswerEvent, Finish } from "../../conversation/Answer.js"
import type { Signature, ToolCallPart } from "../../conversation/Conversation.js"
import type { Tokens } from "../../conversation/Tokens.js"
import { objectOf } from "../../parts/values.js"
import type { AnswerOptions, EventWriter, Tell, WireEvent } from "../../Translator.js"
import { writeSignature } from "../parts/signatures.js"
import { given, listOf } from "../parts/spelling.js"
import { writePart } from "../parts/writeParts.js"
import { errorEvent } from "./errors.js"
import { reasonFor } from "./finish.js"
import { type Cited, writeGrounding, writeLogprobs } from "./grounding.js"
import { writeTokens } from "./tokens.js"
import { answerParts, isWhole, malformed } from "./writeAnswer.js"

/** A call whose arguments still come: Gemini's calls are whole. */
interface OpenCall {
  readonly id: string | undefined
  readonly name: string
  readonly kind: "function" | "custom"
  readonly namespace?: string
  readonly texts: Array<string>
  signature?: Signature
}

interface Ending {
  readonly finish: Finish
  readonly reason: string | undefined
}

/** One of the answers that were asked for. */
class CandidateWriter {
  readonly calls = new Map<number, OpenCall>()
  readonly texts: Array<{ part: number; text: string }> = []
  readonly cited: Array<Cited> = []
  readonly kinds = new Map<number, "text" | "reasoning">()
  ending: Ending | undefined
  broken: string | undefined

  text(part: number, text: string): void {
    const said = this.texts[this.texts.length - 1]
    if (said?.part === part) said.text += text
    else this.texts.push({ part, text })
  }

  /** The calls that are open, in order, as Gemini's parts. */
  closed(): ReadonlyArray<JsonObject> {
    if (this.calls.size === 0) return []
    const parts: Array<JsonObject> = []
    for (const [, { texts, ...call }] of [...this.calls].sort(([a], [b]) => a - b)) {
      const part: ToolCallPart = { type: "toolCall", ...call, arguments: texts.join("") }
      if (isWhole(part)) parts.push(...writePart(part, answerParts, parts))
      else this.broken ??= malformed(part)
    }
    this.calls.clear()
    return parts
  }
}

class GeminiWriter implements EventWriter {
  private id: string
  private model: string
  private usage: Tokens | undefined
  private isOver = false
  /** What a whole answer of Gemini's said beside, when it is told as a stream. */
  private own: JsonObject | undefined
  private readonly candidates = new Map<number, CandidateWriter>()

  constructor(options: AnswerOptions) {
    this.id = options.id
    this.model = options.conversation.model
  }

  write(event: AnswerEvent, tell: Tell<WireEvent>): void {
    switch (event.type) {
      case "start":
        this.id = event.id ?? this.id
        this.model = event.model ?? this.model
        this.own = isJsonObject(event.extra?.gemini) ? event.extra.gemini : undefined
        return
      case "text":
      case "refusal": {
        const candidate = this.open(event.choice, tell)
        candidate.kinds.set(event.part, "text")
        candidate.text(event.part, event.text)
        if (event.text === "") return
        if (event.type === "text" && event.logprobs !== undefined) {
          const logprobsResult = writeLogprobs(event.logprobs)
          const content = { parts: [{ text: event.text }], role: "model" }
          return tell(this.event({ candidates: [{ content, index: event.choice, logprobsResult }] }))
        }
        return this.tell(event.choice, [{ text: event.text }], tell)
      }
      case "reasoning":
        this.open(event.choice, tell).kinds.set(event.part, "reasoning")
        if (event.text === "") return
        return this.tell(event.choice, [{ text: event.text, thought: true }], tell)
      case "signature":
        return this.sign(event, tell)
      case "toolCall": {
        const { id, kind, name, namespace, signature } = event
        const more = { ...given("namespace", namespace), ...given("signature", signature) }
        this.candidate(event.choice).calls.set(event.part, { id, kind, name, texts: [], ...more })
        return
      }
      case "arguments":
        this.candidate(event.choice).calls.get(event.part)?.texts.push(event.text)
        return
      case "citation":
        this.candidate(event.choice).cited.push({ part: event.part, citation: event.citation })
        return
      case "part": {
        this.open(event.choice, tell)
        const parts = writePart(event.value, answerParts, [])
        return parts.length === 0 ? undefined : this.tell(event.choice, parts, tell)
      }
      case "finish":
        this.candidate(event.choice).ending = { finish: event.finish, reason: event.reason }
        return
      case "usage":
        this.usage = event.usage
        return
      case "error":
        this.isOver = true
        return tell(errorEvent(event.error))
      case "end":
        return this.end(tell)
    }
  }

  end(tell: Tell<WireEvent>): void {
    if (this.isOver) return
    this.isOver = true
    const { candidates: kept, usageMetadata: _, ...rest } = this.own ?? {}
    const isBlocked = Array.isArray(kept) && kept.length === 0
    if (this.candidates.size === 0) this.candidate(0)
    const candidates: Array<JsonObject> = []
    for (const [index, candidate] of [...this.candidates].sort(([a], [b]) => a - b)) {
      const calls = candidate.closed()
      const { broken, cited, texts } = candidate
      const { finish, reason } = candidate.ending ?? { finish: "stop", reason: undefined }
      candidates.push({
        content: { parts: calls.length > 0 ? calls : [{ text: "" }], role: "model" },
        finishReason: broken === undefined ? reasonFor(finish, reason) : "MALFORMED_FUNCTION_CALL",
        ...given("finishMessage", broken),
        index,
        ...given("groundingMetadata", writeGrounding(cited, texts)),
        ...withoutContent(listOf(kept)[index])
      })
    }
    const usage = this.usage === undefined ? {} : { usageMetadata: writeTokens(this.usage) }
    tell(isBlocked ? this.event({ ...usage, ...rest }) : this.event({ candidates, ...usage, ...rest }))
  }

  private candidate(index: number): CandidateWriter {
    let candidate = this.candidates.get(index)
    if (candidate === undefined) {
      candidate = new CandidateWriter()
      this.candidates.set(index, candidate)
    }
    return candidate
  }

  /** A part that is no call begins or goes on: calls before it are whole. */
  private open(index: number, tell: Tell<WireEvent>): CandidateWriter {
    const candidate = this.candidate(index)
    if (candidate.calls.size > 0) {
      const parts = candidate.closed()
      if (parts.length > 0) this.tell(index, parts, tell)
    }
    return candidate
  }

  private sign(event: Extract<AnswerEvent, { readonly type: "signature" }>, tell: Tell<WireEvent>): void {
    const candidate = this.candidate(event.choice)
    const call = candidate.calls.get(event.part)
    if (call !== undefined) {
      call.signature = event.signature
      return
    }
    const thoughtSignature = writeSignature(event.signature, event.isRedacted === true)
    const isText = candidate.kinds.get(event.part) === "text"
    this.open(event.choice, tell)
    this.tell(event.choice, [{ text: "", ...(isText ? {} : { thought: true }), thoughtSignature }], tell)
  }

  private tell(index: number, parts: ReadonlyArray<JsonObject>, tell: Tell<WireEvent>): void {
    const candidates = [{ content: { parts, role: "model" }, index }]
    tell({ json: { candidates, modelVersion: this.model, responseId: this.id } })
  }

  private event(said: JsonObject): WireEvent {
    return { json: { ...said, modelVersion: this.model, responseId: this.id } }
  }
}

const withoutContent = (candidate: unknown): JsonObject => {
  const { content: _, ...rest } = objectOf(candidate)
  return rest
}

/**
 * Writes one stream: an event for each piece of text or thought, each call in one piece, and at the end why it ended and what it
 * used. As server-sent events (`alt=sse`) each is a `data:` line without a name, and nothing comes behind the last; without
 * `alt=sse` the same events are the items of one JSON array.
 */
export const eventWriter = (options: AnswerOptions): EventWriter => new GeminiWriter(options)
