/**
 * Where an answer of OpenAI's chat broke off, and how a second one goes on from there.
 */
import { arrayOf, isJsonObject, type JsonObject } from "../json/Json.js"
import { KeptWords } from "../json/keptWords.js"
import type { StreamEvent } from "./ChatChunk.js"
import type { Delivered, Joint } from "./Dialect.js"
import { longestRepeated, Splice } from "./Splice.js"
import { WrittenChunk } from "./WrittenChunk.js"

const nonEmpty = (value: unknown): value is string => typeof value === "string" && value.length > 0

const isSet = (value: unknown): boolean =>
  value !== undefined && value !== null && value !== "" && !(Array.isArray(value) && value.length === 0)

const reasoningFields = ["reasoning_content", "reasoning", "thinking", "reasoning_details"]

const nothing: ReadonlyArray<StreamEvent> = []

/** Content that no comparison of texts can repeat. */
const hasOtherContent = (delta: JsonObject): boolean =>
  isSet(delta.tool_calls) ||
  isSet(delta.function_call) ||
  isSet(delta.refusal) ||
  isSet(delta.audio) ||
  (Array.isArray(delta.content) && delta.content.length > 0)

/** What the caller has been given of an answer. */
export class DeliveredChat implements Delivered {
  hasText = false
  /** Something was given that a restart cannot repeat, or more text than may be held. */
  isFixed = false
  /** Any event at all was given. */
  private hasBegun = false
  /** The `id` and `created` of the first event that had an id. */
  identity: { readonly id: string; readonly created: unknown } | undefined
  private readonly words = new KeptWords()

  /** The joined text of the first choice; empty once there was more than may be held. */
  get text(): string {
    return this.words.text
  }

  read(event: StreamEvent): void {
    this.hasBegun = true
    if (event instanceof WrittenChunk) return this.readWritten(event)
    const { json } = event
    if (this.identity === undefined && nonEmpty(json.id)) this.identity = { id: json.id, created: json.created }
    const choices = json.choices
    if (!Array.isArray(choices)) return
    for (const choice of choices) if (isJsonObject(choice)) this.readChoice(choice)
  }

  joint(repeated: string): Joint | undefined {
    return this.hasBegun ? new ChatJoint(this, repeated) : undefined
  }

  private readChoice(choice: JsonObject): void {
    const delta = choice.delta
    const chat = isJsonObject(delta)
    const text = chat ? delta.content : choice.text
    if (chat && hasOtherContent(delta)) this.isFixed = true
    if (isSet(choice.logprobs)) this.isFixed = true
    if (nonEmpty(text)) this.readText(text, choice.index === undefined ? 0 : choice.index)
  }

  private readWritten(chunk: WrittenChunk): void {
    const { created, id } = chunk.like
    if (this.identity === undefined && nonEmpty(id)) this.identity = { id, created }
    const { characters, choice, isReasoning } = chunk
    if (!isReasoning && characters > 0 && this.mayKeep(characters, choice)) chunk.keepIn(this.words)
  }

  private readText(text: string, choice: unknown): void {
    if (this.mayKeep(text.length, choice)) this.words.add(text)
  }

  /** Takes notice of so many characters; whether they are to be kept. */
  private mayKeep(characters: number, choice: unknown): boolean {
    this.hasText = true
    if (choice === 0 && !this.isFixed && this.words.length + characters <= longestRepeated) return true
    this.isFixed = true
    this.words.clear()
    return false
  }
}

/** The second stream gives another answer than the first one did. */
const differs = Symbol("differs")

/** Cuts the events of a second stream in where the first one ended. */
class ChatJoint implements Joint {
  private readonly splice: Splice
  private hasContinued = false

  constructor(
    private readonly delivered: DeliveredChat,
    /** The text that the second stream repeats: all of the delivered text, or nothing when it continues. */
    repeated: string
  ) {
    this.splice = new Splice(repeated)
  }

  /** Whatever comes from now on is new. */
  get isDone(): boolean {
    return this.splice.isDone
  }

  take(event: StreamEvent): ReadonlyArray<StreamEvent> | undefined {
    const choices: Array<unknown> = []
    for (const choice of arrayOf(event.json.choices)) {
      if (!isJsonObject(choice)) continue
      const kept = this.takeChoice(choice)
      if (kept === differs) return undefined
      if (kept !== undefined) choices.push(kept)
    }
    if (choices.length === 0 && !isSet(event.json.usage)) return nothing
    const json: JsonObject = { ...event.json, ...this.delivered.identity, choices }
    return [{ data: JSON.stringify(json), json }]
  }

  private takeChoice(choice: JsonObject): JsonObject | typeof differs | undefined {
    const ends = isSet(choice.finish_reason)
    const { delta } = choice
    const chat = isJsonObject(delta)
    const text = chat ? delta.content : choice.text
    const rest = nonEmpty(text) ? this.splice.take(text) : ""
    const hasOther = chat && hasOtherContent(delta)
    if (rest === undefined || ((hasOther || ends) && !this.isDone)) return differs
    const isNew = rest !== "" || hasOther
    if (!isNew && !ends && !this.hasContinued) return undefined
    const kept = { ...choice, ...(chat ? { delta: this.strip(delta, rest) } : { text: rest }) }
    if (isNew) this.hasContinued = true
    return kept
  }

  /** Without the role, which was given before, and without reasoning that only leads up to what was given before. */
  private strip(delta: JsonObject, rest: string): JsonObject {
    const kept: Record<string, unknown> = { ...delta }
    delete kept.role
    if (!this.hasContinued) for (const field of reasoningFields) delete kept[field]
    if (typeof delta.content === "string") {
      if (rest === "") delete kept.content
      else kept.content = rest
    }
    return kept
  }
}
