import type { JsonObject } from "@switchyard/core/Json"
import type { Signature } from "../../conversation/Conversation.js"
import { seal } from "../seal.js"
import type { Emit, OpenItem } from "./openItem.js"

/** A thought while it comes, shown as summaries or, where a provider gives that, as it is. */
export class OpenThought implements OpenItem {
  private readonly texts: Array<JsonObject> = []
  private text = ""
  private isOpen = false
  private signed: { readonly encrypted_content?: string } = {}

  constructor(
    readonly index: number,
    readonly id: string,
    public part: number,
    /** In summaries. */
    private readonly isSummary: boolean,
    emit: Emit
  ) {
    emit("response.output_item.added", { output_index: index, item: { id, type: "reasoning", summary: [] } })
  }

  /** Goes on with a part. */
  at(part: number, emit: Emit): void {
    if (this.part === part) return
    this.closeText(emit)
    this.part = part
  }

  add(text: string, emit: Emit): void {
    if (text === "") return
    if (!this.isOpen) {
      this.isOpen = true
      const added = this.isSummary ? "response.reasoning_summary_part.added" : "response.content_part.added"
      emit(added, { ...this.place(), part: this.piece() })
    }
    this.text += text
    emit(this.isSummary ? "response.reasoning_summary_text.delta" : "response.reasoning_text.delta", {
      ...this.place(),
      delta: text
    })
  }

  sign(signature: Signature, isRedacted: boolean): void {
    this.signed = { encrypted_content: seal(signature, isRedacted) }
  }

  close(emit: Emit): JsonObject {
    this.closeText(emit)
    const base = { id: this.id, type: "reasoning" }
    if (this.isSummary) return { ...base, summary: this.texts, ...this.signed }
    return { ...base, summary: [], ...(this.texts.length === 0 ? {} : { content: this.texts }), ...this.signed }
  }

  private place(): JsonObject {
    const place = { item_id: this.id, output_index: this.index }
    return this.isSummary
      ? { ...place, summary_index: this.texts.length }
      : { ...place, content_index: this.texts.length }
  }

  private piece(): JsonObject {
    return { type: this.isSummary ? "summary_text" : "reasoning_text", text: this.text }
  }

  private closeText(emit: Emit): void {
    if (!this.isOpen) return
    const place = this.place()
    const kind = this.isSummary ? "reasoning_summary_text" : "reasoning_text"
    emit(`response.${kind}.done`, { ...place, text: this.text })
    const part = this.piece()
    emit(this.isSummary ? "response.reasoning_summary_part.done" : "response.content_part.done", { ...place, part })
    this.texts.push(part)
    this.text = ""
    this.isOpen = false
  }
}
