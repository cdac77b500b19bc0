/**
 * The events of a stream: each is a whole answer that holds the next piece.
 */
import { choiceIndex } from "@switchyard/core/ChatChunk"
import { isJsonObject, type JsonObject } from "@switchyard/core/Json"
import type { AnswerEvent } from "../../conversation/Answer.js"
import { asString, asText } from "../../parts/values.js"
import type { EventReader, Tell } from "../../Translator.js"
import { argumentsOf, readPart } from "../parts/readParts.js"
import { readSignature } from "../parts/signatures.js"
import { field, given, objectsOf } from "../parts/spelling.js"
import { readError } from "./errors.js"
import { finishOf } from "./finish.js"
import { citationsIn, readLogprobs, type Said } from "./grounding.js"
import { PartialArguments } from "./partialArguments.js"
import { blockReason, callId, createdAt } from "./readAnswer.js"
import { readTokens } from "./tokens.js"

type Kind = "text" | "reasoning" | "call" | "whole"

/** One of the answers that were asked for, as far as it has come. */
class CandidateReader {
  isFinished = false
  private part = -1
  private kind: Kind | undefined
  private isSigned = false
  private calls = 0
  private open: PartialArguments | undefined
  private readonly texts: Array<{ part: number; text: string }> = []
  private logprobs: JsonObject | undefined

  constructor(private readonly choice: number) {}

  read(candidate: JsonObject, id: string | undefined, tell: Tell<AnswerEvent>): void {
    const { content } = candidate
    this.logprobs = readLogprobs(field(candidate, "logprobsResult"))
    if (isJsonObject(content)) for (const part of objectsOf(content.parts)) this.take(part, id, tell)
    const reason = asText(field(candidate, "finishReason"))
    if (reason !== undefined) this.close(tell)
    this.cite(candidate, tell)
    if (reason === undefined || this.isFinished) return
    this.isFinished = true
    tell({ type: "finish", choice: this.choice, finish: finishOf(reason, this.calls > 0), reason })
  }

  private take(part: JsonObject, id: string | undefined, tell: Tell<AnswerEvent>): void {
    const { text } = part
    const signature = asText(field(part, "thoughtSignature"))
    if (typeof text === "string") return this.say(text, part.thought === true ? "reasoning" : "text", signature, tell)
    const call = field(part, "functionCall")
    if (isJsonObject(call)) return this.call(call, signature, id, tell)
    this.begin("whole", tell)
    tell({ type: "part", value: readPart(part), choice: this.choice, part: this.part })
  }

  private begin(kind: Kind, tell: Tell<AnswerEvent>): void {
    this.close(tell)
    this.part++
    this.kind = kind
    this.isSigned = false
  }

  private say(text: string, kind: "text" | "reasoning", signature: string | undefined, tell: Tell<AnswerEvent>): void {
    if (text === "" && signature === undefined) return
    const isNew = this.kind !== kind || this.isSigned
    if (isNew) this.begin(kind, tell)
    const { choice, part } = this
    const isRedacted = signature !== undefined && readSignature(signature).isRedacted
    if ((text !== "" || isNew) && !isRedacted) {
      if (kind === "reasoning") tell({ type: "reasoning", text, choice, part })
      else {
        const { logprobs } = this
        tell(
          logprobs === undefined ? { type: "text", text, choice, part } : { type: "text", text, logprobs, choice, part }
        )
        this.logprobs = undefined
        const said = this.texts[this.texts.length - 1]
        if (said?.part === part) said.text += text
        else this.texts.push({ part, text })
      }
    }
    this.sign(signature, tell)
  }

  private sign(value: string | undefined, tell: Tell<AnswerEvent>): void {
    if (value === undefined) return
    const { isRedacted, signature } = readSignature(value)
    this.isSigned = true
    tell({ type: "signature", signature, ...(isRedacted ? { isRedacted } : {}), choice: this.choice, part: this.part })
  }

  private call(call: JsonObject, signature: string | undefined, id: string | undefined, tell: Tell<AnswerEvent>): void {
    const name = asString(call.name)
    const goesOn = field(call, "willContinue") === true
    const pieces = field(call, "partialArgs")
    if (this.open === undefined || name !== undefined) {
      this.begin("call", tell)
      const { choice, part } = this
      const own = asText(call.id) ?? callId(id, name ?? "", this.calls)
      this.calls++
      const signed = signature === undefined ? {} : { signature: readSignature(signature).signature }
      tell({ type: "toolCall", id: own, name: name ?? "", kind: "function", ...signed, choice, part })
      if (!goesOn && pieces === undefined) return tell({ type: "arguments", text: argumentsOf(call), choice, part })
      this.open = new PartialArguments()
    } else this.sign(signature, tell)
    const args = field(call, "args")
    if (isJsonObject(args)) this.open.merge(args)
    for (const piece of objectsOf(pieces)) this.open.add(piece)
    if (!goesOn) this.close(tell)
  }

  /** The arguments of a call that came in pieces are whole. */
  private close(tell: Tell<AnswerEvent>): void {
    if (this.open === undefined) return
    tell({ type: "arguments", text: this.open.json(), choice: this.choice, part: this.part })
    this.open = undefined
  }

  private cite(candidate: JsonObject, tell: Tell<AnswerEvent>): void {
    if (field(candidate, "groundingMetadata") === undefined && field(candidate, "citationMetadata") === undefined)
      return
    const texts: ReadonlyArray<Said> = this.texts
    for (const { citation, part } of citationsIn(candidate, texts)) {
      tell({ type: "citation", citation, choice: this.choice, part })
    }
  }
}

class GeminiReader implements EventReader {
  private hasBegun = false
  private hasEnded = false
  private id: string | undefined
  private readonly candidates = new Map<number, CandidateReader>()

  read(json: JsonObject, tell: Tell<AnswerEvent>): void {
    const error = readError(json)
    if (error !== undefined) return tell({ type: "error", error })
    const candidates = objectsOf(json.candidates)
    const reason = candidates.length === 0 ? blockReason(json) : undefined
    this.begin(json, tell)
    for (let at = 0; at < candidates.length; at++) this.candidate(candidates[at] as JsonObject, at, tell)
    if (reason !== undefined && this.candidates.size === 0 && !this.hasEnded) {
      tell({ type: "finish", choice: 0, finish: "filter", reason })
    }
    const usage = readTokens(field(json, "usageMetadata"))
    if (usage !== undefined) tell({ type: "usage", usage })
    if (this.hasEnded || !(reason !== undefined || this.areFinished())) return
    this.hasEnded = true
    tell({ type: "end" })
  }

  private begin(json: JsonObject, tell: Tell<AnswerEvent>): void {
    if (this.hasBegun) return
    this.hasBegun = true
    this.id = asText(field(json, "responseId"))
    const model = asText(field(json, "modelVersion"))
    tell({ type: "start", ...given("id", this.id), ...given("model", model), ...given("created", createdAt(json)) })
  }

  private candidate(candidate: JsonObject, at: number, tell: Tell<AnswerEvent>): void {
    const index = typeof candidate.index === "number" ? choiceIndex(candidate) : at
    let reader = this.candidates.get(index)
    if (reader === undefined) {
      reader = new CandidateReader(index)
      this.candidates.set(index, reader)
    }
    reader.read(candidate, this.id, tell)
  }

  private areFinished(): boolean {
    if (this.candidates.size === 0) return false
    for (const candidate of this.candidates.values()) if (!candidate.isFinished) return false
    return true
  }
}

/** Reads one stream. */
export const eventReader = (): EventReader => new GeminiReader()
