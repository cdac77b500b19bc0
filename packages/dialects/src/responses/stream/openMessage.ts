import type { JsonObject } from "@switchyard/core/Json"
import { arrayOf } from "@switchyard/core/Json"
import type { Citation } from "../../conversation/Conversation.js"
import { annotationsOf } from "../request/writeContent.js"
import type { Emit, OpenItem } from "./openItem.js"

/** A message while its words come. */
export class OpenMessage implements OpenItem {
  /** The part of the answer that the open piece of content is; -1 for none. */
  part = -1
  private readonly content: Array<JsonObject> = []
  private isRefusal = false
  private text = ""
  private annotations: Array<JsonObject> = []
  private logprobs: Array<unknown> = []
  private readonly cited: Array<Citation> = []

  constructor(
    readonly index: number,
    readonly id: string,
    emit: Emit
  ) {
    emit("response.output_item.added", {
      output_index: index,
      item: { id, type: "message", status: "in_progress", content: [], role: "assistant" }
    })
  }

  /** Goes on with a part: the open piece of content is closed when it is another one. */
  at(part: number, isRefusal: boolean, emit: Emit): void {
    if (this.part === part && this.isRefusal === isRefusal) return
    this.closePiece(emit)
    this.part = part
    this.isRefusal = isRefusal
    emit("response.content_part.added", { ...this.place(), part: this.piece() })
  }

  add(text: string, logprobs: JsonObject | undefined, emit: Emit): void {
    this.text += text
    if (text === "" && logprobs === undefined) return
    if (this.isRefusal) {
      emit("response.refusal.delta", { ...this.place(), delta: text })
      return
    }
    const chosen = logprobs === undefined ? [] : arrayOf(logprobs.content)
    if (chosen.length > 0) this.logprobs.push(...chosen)
    emit("response.output_text.delta", {
      item_id: this.id,
      output_index: this.index,
      content_index: this.content.length,
      delta: text,
      logprobs: chosen
    })
  }

  cite(citation: Citation, emit: Emit): void {
    // Of how much text it is, is known when that is whole.
    if (citation.dialect === "responses" || citation.end !== undefined) this.annotate([citation], emit)
    else this.cited.push(citation)
  }

  private annotate(citations: ReadonlyArray<Citation>, emit: Emit): void {
    for (const annotation of annotationsOf(citations, this.text.length)) {
      emit("response.output_text.annotation.added", {
        ...this.place(),
        annotation_index: this.annotations.length,
        annotation
      })
      this.annotations.push(annotation)
    }
  }

  close(emit: Emit, isCut: boolean): JsonObject {
    this.closePiece(emit)
    const status = isCut ? "incomplete" : "completed"
    return { id: this.id, type: "message", status, role: "assistant", content: this.content }
  }

  private place(): JsonObject {
    return { item_id: this.id, output_index: this.index, content_index: this.content.length }
  }

  private piece(): JsonObject {
    if (this.isRefusal) return { type: "refusal", refusal: this.text }
    const logprobs = this.logprobs.length === 0 ? {} : { logprobs: this.logprobs }
    return { type: "output_text", text: this.text, annotations: this.annotations, ...logprobs }
  }

  private closePiece(emit: Emit): void {
    if (this.part === -1) return
    const place = this.place()
    this.annotate(this.cited.splice(0), emit)
    if (this.isRefusal) emit("response.refusal.done", { ...place, refusal: this.text })
    else emit("response.output_text.done", { ...place, text: this.text, logprobs: this.logprobs })
    const piece = this.piece()
    emit("response.content_part.done", { ...place, part: piece })
    this.content.push(piece)
    this.part = -1
    this.text = ""
    this.annotations = []
    this.logprobs = []
  }
}
