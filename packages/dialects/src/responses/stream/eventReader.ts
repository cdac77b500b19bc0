import { arrayOf, isJsonObject, type JsonObject } from "@switchyard/core/Json"
import type { AnswerEvent } from "../../conversation/Answer.js"
import type { ReasoningPart } from "../../conversation/Conversation.js"
import { asNumber, asString, asText, others } from "../../parts/values.js"
import type { EventReader, Tell } from "../../Translator.js"
import { outputParts } from "../answer/readAnswer.js"
import { readError } from "../errors.js"
import { finishOf, reasonOf } from "../finish.js"
import { keep } from "../own.js"
import { citationOf } from "../request/readContent.js"
import { callItem } from "../request/readItems.js"
import { readTokens } from "../tokens.js"

/** A part that has begun, what of its text came, and how many of its citations. */
interface Begun {
  readonly part: number
  text: string
  citations: number
}

interface Item {
  readonly id: string | undefined
  readonly parts: Map<number, Begun>
  call: number | undefined
  length: number
  isDone: boolean
}

/** Summaries are counted apart from contents. */
const summaries = 100_000

const known: ReadonlySet<string> = new Set(["id", "model", "created_at", "output", "service_tier"])

const isCall = (item: JsonObject): boolean => item.type === "function_call" || item.type === "custom_tool_call"

/** Reads the events of one stream. Items go by their index: some servers change the ids on the way. */
class ResponsesReader implements EventReader {
  private readonly items = new Map<number, Item>()
  private readonly indexes = new Map<string, number>()
  private parts = 0
  private hasStarted = false
  private hasFailed = false
  private hasEnded = false
  private waits = false
  private refuses = false

  read(json: JsonObject, tell: Tell<AnswerEvent>): void {
    switch (json.type) {
      case "response.output_text.delta":
        return this.said("text", json, asNumber(json.content_index) ?? 0, asString(json.delta), tell)
      case "response.output_text.done":
        return this.rest("text", json, asNumber(json.content_index) ?? 0, asString(json.text), tell)
      case "response.function_call_arguments.delta":
      case "response.custom_tool_call_input.delta":
        return this.argued(json, asString(json.delta), tell)
      case "response.function_call_arguments.done":
        return this.arguedAll(this.itemOf(json), asString(json.arguments), tell)
      case "response.custom_tool_call_input.done":
        return this.arguedAll(this.itemOf(json), asString(json.input), tell)
      case "response.reasoning_summary_text.delta":
        return this.said("reasoning", json, summaries + (asNumber(json.summary_index) ?? 0), asString(json.delta), tell)
      case "response.reasoning_summary_text.done":
        return this.rest("reasoning", json, summaries + (asNumber(json.summary_index) ?? 0), asString(json.text), tell)
      case "response.reasoning_text.delta":
        return this.said("reasoning", json, asNumber(json.content_index) ?? 0, asString(json.delta), tell)
      case "response.reasoning_text.done":
        return this.rest("reasoning", json, asNumber(json.content_index) ?? 0, asString(json.text), tell)
      case "response.refusal.delta":
        return this.said("refusal", json, asNumber(json.content_index) ?? 0, asString(json.delta), tell)
      case "response.refusal.done":
        return this.rest("refusal", json, asNumber(json.content_index) ?? 0, asString(json.refusal), tell)
      case "response.output_text.annotation.added":
        return this.cited(json, tell)
      case "response.output_item.added":
        return this.added(json, tell)
      case "response.output_item.done":
        return isJsonObject(json.item) ? this.done(this.itemOf(json, json.item), json.item, tell) : undefined
      case "response.created":
      case "response.in_progress":
      case "response.queued":
        return this.start(json, tell)
      case "response.completed":
      case "response.incomplete":
      case "response.cancelled":
        return this.ended(json, tell)
      case "response.failed":
        this.start(json, tell)
        if (isJsonObject(json.response)) this.usage(json.response, tell)
        return this.failed(json, tell)
      case "error":
        return this.failed(json, tell)
      default:
        // What comes without a type is an error or nothing.
        if (json.type === undefined && json.error !== undefined) this.failed(json, tell)
    }
  }

  private failed(json: JsonObject, tell: Tell<AnswerEvent>): void {
    const error = this.hasFailed || this.hasEnded ? undefined : readError(json)
    if (error === undefined) return
    this.hasFailed = true
    tell({ type: "error", error })
  }

  private start({ response }: JsonObject, tell: Tell<AnswerEvent>): void {
    if (this.hasStarted || !isJsonObject(response)) return
    this.hasStarted = true
    const extra = others(response, known)
    tell({
      type: "start",
      id: asText(response.id),
      model: asText(response.model),
      created: asNumber(response.created_at),
      ...(extra === undefined ? {} : { extra })
    })
  }

  private itemOf(json: JsonObject, said?: JsonObject): Item {
    const id = asText(json.item_id) ?? asText(said?.id)
    const index =
      asNumber(json.output_index) ?? (id === undefined ? undefined : this.indexes.get(id)) ?? this.freshIndex(id)
    let item = this.items.get(index)
    if (item === undefined) {
      item = { id, parts: new Map(), call: undefined, length: 0, isDone: false }
      this.items.set(index, item)
      if (id !== undefined) this.indexes.set(id, index)
    }
    return item
  }

  /** Without an index and with an unknown id it is a new item, without both the last one. */
  private freshIndex(id: string | undefined): number {
    return id === undefined ? Math.max(0, this.items.size - 1) : this.items.size
  }

  private begun(item: Item, key: number): Begun {
    let begun = item.parts.get(key)
    if (begun === undefined) {
      begun = { part: this.parts++, text: "", citations: 0 }
      item.parts.set(key, begun)
    }
    return begun
  }

  private said(
    type: "text" | "reasoning" | "refusal",
    json: JsonObject,
    key: number,
    text: string | undefined,
    tell: Tell<AnswerEvent>
  ): void {
    if (text === undefined) return
    const item = this.itemOf(json)
    if (!item.isDone) this.tellText(type, item, key, text, tell, json.logprobs)
  }

  private tellText(
    type: "text" | "reasoning" | "refusal",
    item: Item,
    key: number,
    text: string,
    tell: Tell<AnswerEvent>,
    logprobs?: unknown
  ): void {
    const begun = this.begun(item, key)
    begun.text += text
    const place = { choice: 0, part: begun.part, item: item.id }
    if (type === "reasoning") {
      tell(key >= summaries ? { type, text, isSummary: true, ...place } : { type, text, ...place })
    } else if (type === "refusal") {
      this.refuses = true
      tell({ type, text, ...place })
    } else if (Array.isArray(logprobs) && logprobs.length > 0) {
      tell({ type, text, logprobs: { content: logprobs }, ...place })
    } else tell({ type, text, ...place })
  }

  /** The whole text of a part: what of it did not come yet. */
  private rest(
    type: "text" | "reasoning" | "refusal",
    json: JsonObject,
    key: number,
    text: string | undefined,
    tell: Tell<AnswerEvent>
  ): void {
    const item = this.itemOf(json)
    if (!item.isDone) this.restOf(type, item, key, text, tell)
  }

  private restOf(
    type: "text" | "reasoning" | "refusal",
    item: Item,
    key: number,
    text: string | undefined,
    tell: Tell<AnswerEvent>
  ): void {
    if (text === undefined) return
    const begun = item.parts.get(key)
    if (begun === undefined) this.tellText(type, item, key, text, tell)
    else if (text.length > begun.text.length && text.startsWith(begun.text)) {
      this.tellText(type, item, key, text.slice(begun.text.length), tell)
    }
  }

  private begin(item: Item, said: JsonObject, tell: Tell<AnswerEvent>): number {
    if (item.call !== undefined) return item.call
    const { id, kind, name, namespace, signature } = callItem(said)
    item.call = this.parts++
    this.waits = true
    tell({
      type: "toolCall",
      id,
      name,
      kind,
      ...(namespace === undefined ? {} : { namespace }),
      ...(signature === undefined ? {} : { signature }),
      extra: keep(said.status === undefined ? said : { ...said, status: "completed" }),
      choice: 0,
      part: item.call,
      item: item.id
    })
    return item.call
  }

  private argued(json: JsonObject, text: string | undefined, tell: Tell<AnswerEvent>): void {
    const item = this.itemOf(json)
    // Before its call has begun nobody knows whose they are; the call comes whole at its end.
    if (text === undefined || item.call === undefined || item.isDone) return
    item.length += text.length
    if (text !== "") tell({ type: "arguments", text, choice: 0, part: item.call })
  }

  private arguedAll(item: Item, text: string | undefined, tell: Tell<AnswerEvent>): void {
    if (text === undefined || item.call === undefined || text.length <= item.length) return
    const rest = text.slice(item.length)
    item.length = text.length
    tell({ type: "arguments", text: rest, choice: 0, part: item.call })
  }

  private cited(json: JsonObject, tell: Tell<AnswerEvent>): void {
    if (!isJsonObject(json.annotation)) return
    const begun = this.begun(this.itemOf(json), asNumber(json.content_index) ?? 0)
    begun.citations++
    tell({ type: "citation", citation: citationOf(json.annotation), choice: 0, part: begun.part })
  }

  private added(json: JsonObject, tell: Tell<AnswerEvent>): void {
    if (!isJsonObject(json.item)) return
    const item = this.itemOf(json, json.item)
    if (isCall(json.item)) this.begin(item, json.item, tell)
    // What comes whole has its place where it began: several of the provider's own tools may be at work at once.
    else if (json.item.type !== "message" && json.item.type !== "reasoning") this.begun(item, 0)
  }

  /** An item is whole: tells what of it did not come in pieces. */
  private done(item: Item, said: JsonObject, tell: Tell<AnswerEvent>): void {
    if (item.isDone) return
    if (isCall(said)) {
      this.begin(item, said, tell)
      this.arguedAll(item, callItem(said).arguments, tell)
    } else if (said.type === "reasoning") this.thought(item, said, tell)
    else if (said.type === "message" && (said.role === undefined || said.role === "assistant")) {
      this.message(item, said, tell)
    } else {
      for (const value of outputParts(said)) tell({ type: "part", value, choice: 0, part: this.begun(item, 0).part })
    }
    item.isDone = true
  }

  private message(item: Item, said: JsonObject, tell: Tell<AnswerEvent>): void {
    const pieces = typeof said.content === "string" ? [{ type: "output_text", text: said.content }] : said.content
    arrayOf(pieces).forEach((piece, key) => {
      if (!isJsonObject(piece)) return
      if (piece.type === "refusal") this.restOf("refusal", item, key, asString(piece.refusal), tell)
      else {
        this.restOf("text", item, key, asString(piece.text), tell)
        const begun = item.parts.get(key)
        const annotations = arrayOf(piece.annotations)
        for (let at = begun?.citations ?? 0; begun !== undefined && at < annotations.length; at++) {
          const annotation = annotations[at]
          if (!isJsonObject(annotation)) continue
          begun.citations++
          tell({ type: "citation", citation: citationOf(annotation), choice: 0, part: begun.part })
        }
      }
    })
  }

  private thought(item: Item, said: JsonObject, tell: Tell<AnswerEvent>): void {
    const textAt = (list: unknown, at: number): string | undefined => {
      const one = arrayOf(list)[at]
      return isJsonObject(one) ? asString(one.text) : undefined
    }
    for (let at = 0; at < arrayOf(said.summary).length; at++) {
      this.restOf("reasoning", item, summaries + at, textAt(said.summary, at), tell)
    }
    for (let at = 0; at < arrayOf(said.content).length; at++) {
      this.restOf("reasoning", item, at, textAt(said.content, at), tell)
    }
    const last = outputParts(said).at(-1) as ReasoningPart | undefined
    if (last?.signature === undefined) return
    let part = -1
    for (const begun of item.parts.values()) part = Math.max(part, begun.part)
    if (part === -1) part = this.begun(item, summaries).part
    const isRedacted = last.isRedacted === true ? { isRedacted: true } : {}
    tell({ type: "signature", signature: last.signature, ...isRedacted, choice: 0, part, item: item.id })
  }

  private usage(response: JsonObject, tell: Tell<AnswerEvent>): void {
    const usage = readTokens(response.usage)
    if (usage !== undefined) tell({ type: "usage", usage })
  }

  private ended(json: JsonObject, tell: Tell<AnswerEvent>): void {
    if (this.hasEnded || this.hasFailed) return
    this.start(json, tell)
    const response = isJsonObject(json.response) ? json.response : {}
    arrayOf(response.output).forEach((item, index) => {
      if (!isJsonObject(item)) return
      // Some leave items out of it, so an id that is known goes before the place.
      const known = typeof item.id === "string" ? this.indexes.get(item.id) : undefined
      this.done(this.itemOf({ output_index: known ?? index }, item), item, tell)
    })
    this.hasEnded = true
    const word = json.type === "response.incomplete" ? "incomplete" : "completed"
    const told = reasonOf(response) === undefined ? { ...response, status: word } : response
    const reason = reasonOf(told)
    const extra = others(response, known)
    tell({
      type: "finish",
      choice: 0,
      finish: finishOf(told, this.waits, this.refuses) ?? "stop",
      ...(reason === undefined ? {} : { reason }),
      ...(extra === undefined ? {} : { extra })
    })
    this.usage(response, tell)
    tell({ type: "end" })
  }
}

/** A reader for one stream. */
export const eventReader = (): EventReader => new ResponsesReader()
