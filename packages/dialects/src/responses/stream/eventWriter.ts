import type { JsonObject } from "@switchyard/core/Json"
import type { AnswerEvent, Finish, SaidError } from "../../conversation/Answer.js"
import type { Part } from "../../conversation/Conversation.js"
import type { Tokens } from "../../conversation/Tokens.js"
import { lengthOfStep } from "../../parts/lengths.js"
import type { AnswerOptions, EventWriter, Tell, WireEvent } from "../../Translator.js"
import { type CallShape, shapesOf } from "../answer/calls.js"
import { echoOf, itemIds, responseId } from "../answer/echo.js"
import { failedFields } from "../errors.js"
import { statusFields } from "../finish.js"
import { imageItem } from "../request/writeContent.js"
import { guessed, tokensOver } from "../tokens.js"
import { OpenCall } from "./openCall.js"
import type { Emit, OpenItem } from "./openItem.js"
import { OpenMessage } from "./openMessage.js"
import { OpenThought } from "./openThought.js"

type Start = Extract<AnswerEvent, { readonly type: "start" }>
type Placed = Extract<AnswerEvent, { readonly part: number }>
type Words = Extract<Placed, { readonly type: "text" | "refusal" }>

/** Writes the events of one stream, and keeps the answer that they are, since the last event holds it whole. */
class ResponsesWriter implements EventWriter {
  private number = 0
  private id = ""
  private base: JsonObject | undefined
  private readonly output: Array<JsonObject | undefined> = []
  private message: OpenMessage | undefined
  private thought: OpenThought | undefined
  /** The part whose words came last. */
  private textPart = -1
  private readonly calls = new Map<number, OpenCall>()
  private finish: Finish | undefined
  private reason: string | undefined
  private final: JsonObject | undefined
  private usage: Tokens | undefined
  /** Characters said so far. */
  private length = 0
  private hasEnded = false
  private readonly shapeOf: ReturnType<typeof shapesOf>
  private tell: Tell<WireEvent> = () => undefined

  constructor(private readonly options: AnswerOptions) {
    this.shapeOf = shapesOf(options.conversation.tools)
  }

  write(event: AnswerEvent, tell: Tell<WireEvent>): void {
    if (this.hasEnded) return
    this.tell = tell
    switch (event.type) {
      case "start":
        return this.start(event)
      case "usage":
        this.usage = event.usage
        return
      case "error":
        return this.fail(event.error)
      case "end":
        return this.end(tell)
      case "finish":
        if (event.choice !== 0) return
        this.finish = event.finish
        this.reason = event.reason
        this.final = event.extra
        return
      default:
        // Responses knows one answer only.
        if (event.choice !== 0) return
        this.length += lengthOfStep(event)
        this.placed(event)
    }
  }

  end(tell: Tell<WireEvent>): void {
    if (this.hasEnded) return
    this.tell = tell
    const base = this.started()
    const status = statusFields(this.finish, this.reason)
    const isCut = status.status === "incomplete"
    this.closeAll(isCut)
    this.hasEnded = true
    const told =
      this.usage === undefined
        ? (this.final?.usage ?? guessed(this.options, this.length) ?? null)
        : tokensOver(this.final?.usage, this.usage)
    const response = {
      ...base,
      ...status,
      ...this.final,
      output: this.items(),
      usage: told
    }
    this.emit(`response.${status.status}`, { response })
  }

  private readonly emit: Emit = (type, fields) => {
    this.tell({ event: type, json: { type, sequence_number: this.number++, ...fields } })
  }

  private items(): ReadonlyArray<JsonObject> {
    return this.output.filter((item) => item !== undefined)
  }

  private start(event: Start): void {
    if (this.base !== undefined) return
    const { created, extra, id, model } = event
    this.id = extra !== undefined && id !== undefined ? id : responseId(id, this.options)
    this.base = {
      id: this.id,
      object: "response",
      created_at: created ?? this.options.created,
      status: "in_progress",
      error: null,
      incomplete_details: null,
      model: model ?? this.options.conversation.model,
      ...(extra ?? { ...echoOf(this.options.conversation), service_tier: "default" }),
      output: [],
      usage: null
    }
    this.emit("response.created", { response: this.base })
    this.emit("response.in_progress", { response: this.base })
  }

  private started(): JsonObject {
    if (this.base === undefined) this.start({ type: "start" })
    return this.base as JsonObject
  }

  private placed(event: Placed): void {
    this.started()
    switch (event.type) {
      case "text":
      case "refusal":
        return this.words(event)
      case "reasoning":
        return this.thoughtOf(event.part, event.item, event.isSummary === true).add(event.text, this.emit)
      case "signature":
        if (this.message?.part !== event.part && !this.calls.has(event.part)) {
          this.thoughtOf(event.part, event.item, true).sign(event.signature, event.isRedacted === true)
        }
        return
      case "citation":
        // Some tell where a text comes from before the text.
        if (event.part > this.textPart) this.words({ ...event, type: "text", text: "" })
        if (this.message?.part === event.part) this.message.cite(event.citation, this.emit)
        return
      case "toolCall":
        return this.call(event)
      case "arguments":
        return this.calls.get(event.part)?.add(event.text, this.emit)
      case "part":
        return this.whole(event.value)
    }
  }

  private words(event: Words): void {
    const open = this.message
    if (open === undefined || (event.item !== undefined && event.item !== open.id)) {
      this.closeWords()
      this.closeCalls(false, true)
      this.message = new OpenMessage(this.nextIndex(), this.idOf("message", event.item), this.emit)
    }
    const message = this.message as OpenMessage
    this.textPart = event.part
    message.at(event.part, event.type === "refusal", this.emit)
    if (event.type === "text") message.add(event.text, event.logprobs, this.emit)
    else message.add(event.text, undefined, this.emit)
  }

  /** The thought that a part is of: the open one, if it is the same part or of the same item. */
  private thoughtOf(part: number, item: string | undefined, isSummary: boolean): OpenThought {
    const open = this.thought
    if (open !== undefined && (open.part === part || (item !== undefined && item === open.id))) {
      open.at(part, this.emit)
      return open
    }
    this.closeWords()
    this.closeCalls(false, true)
    const shows = isSummary || item === undefined
    const thought = new OpenThought(this.nextIndex(), this.idOf("reasoning", item), part, shows, this.emit)
    this.thought = thought
    return thought
  }

  private call(event: Extract<Placed, { readonly type: "toolCall" }>): void {
    this.closeWords()
    this.closeCalls(false, true)
    const shape: CallShape = this.shapeOf(event)
    const type = shape.kind === "custom" ? "custom_tool_call" : "function_call"
    const index = this.nextIndex()
    const fallback = `call_${this.id.slice(-24)}_${this.calls.size}`
    this.calls.set(
      event.part,
      new OpenCall(index, this.idOf(type, event.item, index), event, shape, fallback, this.emit)
    )
  }

  private whole(value: Part): void {
    const image = value.type === "image" ? imageItem(value.source) : undefined
    const own = value.type === "opaque" && value.dialect === "responses" ? value.value : undefined
    if (image === undefined && own === undefined) return
    this.closeWords()
    this.closeCalls(false, true)
    const index = this.nextIndex()
    const item = own ?? { id: this.idOf("image_generation_call", undefined, index), ...image }
    this.emit("response.output_item.added", { output_index: index, item })
    this.emit("response.output_item.done", { output_index: index, item })
    this.output[index] = item
  }

  private nextIndex(): number {
    return this.output.push(undefined) - 1
  }

  private idOf(type: string, item: string | undefined, index = this.output.length - 1): string {
    return item ?? itemIds(this.id)(type, index)
  }

  private close(open: OpenItem, isCut: boolean): void {
    const isLast = open.index === this.output.length - 1
    const item = open.close(this.emit, isCut && isLast)
    this.emit("response.output_item.done", { output_index: open.index, item })
    this.output[open.index] = item
  }

  private closeWords(isCut = false): void {
    const { message, thought } = this
    this.message = undefined
    this.thought = undefined
    if (message !== undefined) this.close(message, isCut)
    if (thought !== undefined) this.close(thought, isCut)
  }

  /** Calls may come in turns, piece by piece: one ends before the others only when it is surely whole. */
  private closeCalls(isCut: boolean, onlyWhole: boolean): void {
    for (const [part, call] of this.calls) {
      if (call.isClosed || (onlyWhole && !call.isWhole)) continue
      call.isClosed = true
      this.close(call, isCut)
      if (!onlyWhole) this.calls.delete(part)
    }
  }

  private closeAll(isCut: boolean): void {
    this.closeWords(isCut)
    this.closeCalls(isCut, false)
  }

  private fail(error: SaidError): void {
    const base = this.started()
    this.hasEnded = true
    const { message } = error
    const failed = failedFields(error)
    const said = { type: error.type ?? failed.code, code: failed.code, message, param: error.param ?? null }
    this.emit("error", { code: failed.code, message, param: said.param, error: said })
    const usage = this.usage === undefined ? null : tokensOver(undefined, this.usage)
    this.emit("response.failed", {
      response: { ...base, status: "failed", error: failed, output: this.items(), usage }
    })
  }
}

/** A writer for one stream. */
export const eventWriter = (options: AnswerOptions): EventWriter => new ResponsesWriter(options)
