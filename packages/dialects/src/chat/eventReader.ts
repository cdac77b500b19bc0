import { choiceIndex } from "@switchyard/core/ChatChunk"
import { arrayOf, isJsonObject, type JsonObject } from "@switchyard/core/Json"
import type { AnswerEvent } from "../conversation/Answer.js"
import type { Part } from "../conversation/Conversation.js"
import { asNumber, asObject, asString, asText, isGiven, others } from "../parts/values.js"
import type { EventReader, Tell } from "../Translator.js"
import { readError } from "./errors.js"
import { finishWith } from "./finish.js"
import { readImages } from "./readAnswer.js"
import { argumentsText, readCall } from "./readMessages.js"
import { readCitations, readContent } from "./readParts.js"
import { ofBlock, ofDetail } from "./reasoning.js"
import { tokensIn } from "./usage.js"

/** A call whose pieces come. It is told once its name is known: an id may come in a piece of its own, before or behind that. */
interface Call {
  readonly index: unknown
  id: string | undefined
  name: string | undefined
  readonly isCustom: boolean
  readonly part: number
  /** Its pieces so far, laid over each other; undefined once it is told. */
  head: JsonObject | undefined
  /** Arguments that came before it was told. */
  held: string
}

/** Some say of every answer that it has a sound, which is empty. */
const isGivenSound = (audio: Record<string, unknown> | undefined): audio is Record<string, unknown> =>
  audio !== undefined && (asText(audio.data) ?? asText(audio.id)) !== undefined

const isPieceOf = (call: Call, index: unknown, id: string | undefined, hasName: boolean): boolean => {
  // Some number all of their calls 0: a name under another id begins another call.
  if (hasName && id !== undefined && call.id !== undefined && id !== call.id) return false
  return isGiven(index) ? call.index === index : id !== undefined && call.id === id
}

/** Reads the pieces of one choice. */
class Choice {
  private parts = 0
  private open: "text" | "reasoning" | "refusal" | undefined
  private openPart = 0
  /** What was thought in the open part: blocks may say it once more. */
  private thought = ""
  private audio: Record<string, unknown> | undefined
  private readonly calls: Array<Call> = []
  isFinished = false

  constructor(private readonly choice: number) {}

  private place(type: "text" | "reasoning" | "refusal"): { readonly choice: number; readonly part: number } {
    if (this.open !== type) {
      this.open = type
      this.openPart = this.parts++
      this.thought = ""
    }
    return { choice: this.choice, part: this.openPart }
  }

  private text(text: string, tell: Tell<AnswerEvent>, logprobs?: JsonObject): void {
    if (text === "" && (logprobs === undefined || this.open !== "text")) return
    tell({ type: "text", text, ...(logprobs === undefined ? {} : { logprobs }), ...this.place("text") })
  }

  private reasoning(text: string, tell: Tell<AnswerEvent>, isSummary?: boolean): void {
    if (text === "") return
    const place = this.place("reasoning")
    this.thought += text
    tell({ type: "reasoning", text, ...(isSummary === true ? { isSummary } : {}), ...place })
  }

  /** Thoughts in the fields of a piece: one text, in however many spellings it came. */
  private thoughts(delta: JsonObject, tell: Tell<AnswerEvent>): void {
    const parts = [
      ...arrayOf(delta.thinking_blocks).flatMap((block) => ofBlock(block) ?? []),
      ...arrayOf(delta.reasoning_details).flatMap((detail) => ofDetail(detail) ?? [])
    ]
    let isTold = false
    const plain = asText(delta.reasoning_content) ?? asText(delta.reasoning) ?? ""
    if (plain !== "") {
      const isSummary = parts.length > 0 && parts.every((part) => part.isSummary === true)
      this.reasoning(plain, tell, isSummary)
      isTold = true
    }
    for (const { isRedacted, isSummary, signature, text } of parts) {
      if (!isTold && !(signature !== undefined && this.open === "reasoning" && text === this.thought)) {
        this.reasoning(text, tell, isSummary)
      }
      if (signature === undefined) continue
      tell({ type: "signature", signature, ...this.place("reasoning"), ...(isRedacted === true ? { isRedacted } : {}) })
      this.open = undefined
    }
  }

  private whole(value: Part, tell: Tell<AnswerEvent>): void {
    this.open = undefined
    tell({ type: "part", value, choice: this.choice, part: this.parts++ })
  }

  private content(content: unknown, tell: Tell<AnswerEvent>, logprobs: JsonObject | undefined): void {
    if (typeof content === "string") this.text(content, tell, logprobs)
    else if (Array.isArray(content)) {
      for (const part of readContent(content) ?? []) {
        if (part.type === "text") this.text(part.text, tell)
        else if (part.type === "reasoning") this.reasoning(part.text, tell)
        else this.whole(part, tell)
      }
    }
  }

  private call(piece: JsonObject, tell: Tell<AnswerEvent>): void {
    const said = asObject(piece.function) ?? asObject(piece.custom)
    const id = asText(piece.id)
    const name = asText(said?.name)
    const known = [...this.calls].reverse().find((call) => isPieceOf(call, piece.index, id, name !== undefined))
    const isNameless = !isGiven(piece.index) && id === undefined && name === undefined
    let call = known ?? (isNameless ? this.calls[this.calls.length - 1] : undefined)
    if (call === undefined) {
      const isCustom = piece.type === "custom"
      call = { index: piece.index, id, name, isCustom, part: this.parts++, head: piece, held: "" }
      this.calls.push(call)
      this.open = undefined
    } else if (call.head !== undefined) {
      call.head = { ...call.head, ...piece }
      call.id ??= id
      call.name ??= name
    }
    const text = call.isCustom ? (asString(said?.input) ?? "") : argumentsText(said?.arguments)
    if (call.head === undefined) this.arguments(call, text, tell)
    else {
      call.held += text
      if (call.name !== undefined && (call.id !== undefined || call.held !== "")) this.begin(call, tell)
    }
  }

  private begin(call: Call, tell: Tell<AnswerEvent>): void {
    const { head, held, id = "", isCustom, name = "" } = call
    if (head === undefined) return
    const read = readCall({ ...head, id, function: { name }, ...(isCustom ? { custom: { name } } : {}) })
    call.head = undefined
    tell({
      type: "toolCall",
      id: read?.id,
      name,
      kind: isCustom ? "custom" : "function",
      ...(read?.signature === undefined ? {} : { signature: read.signature }),
      choice: this.choice,
      part: call.part
    })
    this.arguments(call, held, tell)
  }

  private arguments({ part }: Call, text: string, tell: Tell<AnswerEvent>): void {
    if (text !== "") tell({ type: "arguments", text, choice: this.choice, part })
  }

  /** Sounds come in pieces, and are told whole. */
  private sound(audio: JsonObject): void {
    const draft: Record<string, unknown> = this.audio ?? { data: "", transcript: "" }
    this.audio = draft
    for (const name in audio) {
      const value = audio[name]
      const isPiece = typeof value === "string" && (name === "data" || name === "transcript")
      draft[name] = isPiece ? `${draft[name]}${value}` : value
    }
  }

  read(choice: JsonObject, tell: Tell<AnswerEvent>): void {
    const delta = asObject(choice.delta) ?? asObject(choice.message)
    const logprobs = asObject(choice.logprobs)
    if (delta === undefined) this.text(asString(choice.text) ?? "", tell, logprobs)
    else if (!this.isFinished) {
      this.thoughts(delta, tell)
      this.content(delta.content, tell, logprobs)
      const refusal = asText(delta.refusal)
      if (refusal !== undefined) tell({ type: "refusal", text: refusal, ...this.place("refusal") })
      for (const citation of readCitations(delta.annotations) ?? []) {
        tell({ type: "citation", citation, ...this.place("text") })
      }
      for (const image of readImages(delta.images)) this.whole(image, tell)
      for (const piece of arrayOf(delta.tool_calls)) if (isJsonObject(piece)) this.call(piece, tell)
      if (
        isJsonObject(delta.function_call) &&
        (this.calls.length > 0 || asText(delta.function_call.name) !== undefined)
      )
        this.call({ index: "legacy", function: delta.function_call }, tell)
      if (isJsonObject(delta.audio)) this.sound(delta.audio)
    }
    const reason = asText(choice.finish_reason)
    if (reason !== undefined && !this.isFinished) this.finish(reason, asText(choice.stop_reason), tell)
  }

  private finish(reason: string, stopSequence: string | undefined, tell: Tell<AnswerEvent>): void {
    this.isFinished = true
    for (const call of this.calls) this.begin(call, tell)
    if (isGivenSound(this.audio)) {
      const data = asString(this.audio.data) ?? ""
      this.whole({ type: "audio", source: { kind: "bytes", mime: "audio/pcm", data }, extra: this.audio }, tell)
    }
    const finish = finishWith(reason, this.calls.length > 0)
    tell({
      type: "finish",
      choice: this.choice,
      finish,
      reason,
      ...(stopSequence === undefined ? {} : { stopSequence })
    })
  }
}

const ofChunk: ReadonlySet<string> = new Set([
  "id",
  "object",
  "created",
  "model",
  "choices",
  "usage",
  "obfuscation",
  "x_groq"
])

/** Reads the chunks of one stream, chat's and legacy completions'. */
class ChunkReader implements EventReader {
  private isStarted = false
  private readonly choices = new Map<number, Choice>()

  read(json: JsonObject, tell: Tell<AnswerEvent>): void {
    const error = readError(json)
    if (error !== undefined) return tell({ type: "error", error })
    const choices = arrayOf(json.choices)
    // Azure's first chunk tells of filters alone.
    if (!this.isStarted && (choices.length > 0 || asText(json.id) !== undefined)) {
      this.isStarted = true
      const extra = others(json, ofChunk)
      tell({
        type: "start",
        id: asText(json.id),
        model: asText(json.model),
        created: asNumber(json.created),
        ...(extra === undefined ? {} : { extra })
      })
    }
    for (const choice of choices) {
      if (!isJsonObject(choice)) continue
      const index = choiceIndex(choice)
      let reader = this.choices.get(index)
      if (reader === undefined) {
        reader = new Choice(index)
        this.choices.set(index, reader)
      }
      reader.read(choice, tell)
    }
    const usage = tokensIn(json)
    if (usage !== undefined) tell({ type: "usage", usage })
  }
}

/** Reads one stream. */
export const eventReader = (): EventReader => new ChunkReader()
