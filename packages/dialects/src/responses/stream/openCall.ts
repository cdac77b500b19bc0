import type { JsonObject } from "@switchyard/core/Json"
import type { AnswerEvent } from "../../conversation/Answer.js"
import { inputOfArguments } from "../../parts/customTools.js"
import { parsedObject } from "../../parts/values.js"
import { answerCallId, type CallShape } from "../answer/calls.js"
import { itemOf } from "../own.js"
import { nameFields } from "../request/writeItems.js"
import type { Emit, OpenItem } from "./openItem.js"

type Call = Extract<AnswerEvent, { readonly type: "toolCall" }>

/** A call while its arguments come. */
export class OpenCall implements OpenItem {
  isClosed = false
  private text = ""
  private readonly fields: JsonObject

  constructor(
    readonly index: number,
    readonly id: string,
    call: Call,
    private readonly shape: CallShape,
    fallback: string,
    emit: Emit
  ) {
    const type = shape.kind === "custom" ? "custom_tool_call" : "function_call"
    const own = itemOf(call)
    this.fields = own ?? {
      id,
      type,
      status: "in_progress",
      call_id: answerCallId(call, fallback),
      ...nameFields(call.name, shape.namespace)
    }
    emit("response.output_item.added", { output_index: index, item: this.item("in_progress", "") })
  }

  /** Whether nothing can follow: its arguments are an object. Free text has no such end. */
  get isWhole(): boolean {
    if (this.shape.kind === "custom" && !this.shape.isWrapped) return false
    return this.text.endsWith("}") && parsedObject(this.text) !== undefined
  }

  add(text: string, emit: Emit): void {
    if (this.isClosed || text === "") return
    this.text += text
    if (!this.shape.isWrapped) this.delta(text, emit)
  }

  close(emit: Emit, isCut: boolean): JsonObject {
    let { text } = this
    if (this.shape.isWrapped) {
      text = inputOfArguments(text)
      if (text !== "") this.delta(text, emit)
    }
    const place = { item_id: this.id, output_index: this.index }
    if (this.shape.kind === "custom") emit("response.custom_tool_call_input.done", { ...place, input: text })
    else emit("response.function_call_arguments.done", { ...place, name: this.fields.name, arguments: text })
    return this.item(isCut ? "incomplete" : "completed", text)
  }

  private delta(delta: string, emit: Emit): void {
    const type = this.shape.kind === "custom" ? "custom_tool_call_input" : "function_call_arguments"
    emit(`response.${type}.delta`, { item_id: this.id, output_index: this.index, delta })
  }

  private item(status: string, text: string): JsonObject {
    const written = this.shape.kind === "custom" ? { input: text } : { arguments: text }
    return this.fields.status === undefined ? { ...this.fields, ...written } : { ...this.fields, status, ...written }
  }
}
