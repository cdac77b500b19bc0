/**
 * Reading OpenAI stream chunks: what is content, what ends the stream, what was used. A base service hands over chunks of
 * this shape, whatever its provider speaks, unless the request is in another dialect; then the events are in that.
 */

import { arrayOf, isJsonObject, type JsonObject } from "../json/Json.js"
import { inBody, type Units, type Usage } from "../outcome/Usage.js"
import { blockedPrompt } from "./AnswerFailure.js"
import { ChoiceStates, choiceIndex } from "./choiceStates.js"
import type { StreamEvent } from "./StreamEvent.js"
import { WrittenChunk } from "./WrittenChunk.js"

export { errorOf } from "./AnswerFailure.js"
export { collect } from "./AnswerView.js"
export type { StreamEvent }
export { choiceIndex }

const nonEmpty = (value: unknown): value is string => typeof value === "string" && value.length > 0

/** Providers that know several spellings send the unused ones as null or as an empty string. */
const firstNonEmpty = (a: unknown, b: unknown, c: unknown): unknown => (nonEmpty(a) ? a : nonEmpty(b) ? b : c)

const length = (value: unknown): number => (typeof value === "string" ? value.length : 0)

/**
 * What a stream has shown so far. `read` takes in a chunk of OpenAI's; the reader of another dialect tells what its events
 * mean, one by one.
 */
export class StreamFacts {
  /** Text, refusal, tool call or audio has arrived. */
  hasContent = false
  /** Reasoning has arrived. It ends the wait for a first token, but a restart after it loses nothing. */
  hasReasoning = false
  /** A tool call has begun: some servers write its arguments in silence. */
  hasTools = false
  /** Content and reasoning seen so far, counted by delta: whoever compares two readings knows whether any came. */
  steps = 0
  /** Characters of output so far, for an estimate when no usage comes. */
  characters = 0
  /** The last finish reason; undefined until one came. */
  finishReason: string | undefined
  usage: Usage | undefined
  /** What the answer told of what it is billed by beside tokens; undefined until it did. */
  units: Units | undefined
  /** The answer is no JSON, and so has no words that end it: a clean end of its bytes is its end. */
  isBytes = false
  /** The answer's id; undefined until one came. */
  id: string | undefined
  /** The model that answers, by the provider's own name; undefined until it came. */
  model: string | undefined
  /** What was kept of the text of the first choice, for `keepText`. */
  keptText = ""
  private room = 0
  private firstIssued: string | undefined
  private othersIssued: Set<string> | undefined
  /** Why the provider blocked the prompt; undefined when it did not say so. */
  blocked: string | undefined
  private readonly choices = new ChoiceStates()

  /** The answer's id and reasoning signatures: state that only the issuing deployment understands. */
  get issued(): ReadonlyArray<string> {
    const { firstIssued, othersIssued } = this
    if (firstIssued === undefined) return []
    return othersIssued === undefined ? [firstIssued] : [firstIssued, ...othersIssued]
  }

  /** Every choice that began has said why it ended, and kept to it: the answer is whole, whatever becomes of the stream. */
  get isWhole(): boolean {
    return this.hasFinished && !this.choices.haveResumed
  }

  /** Every choice that began has said at some time why it ended: the answer is whole once the provider says that it is done. */
  get hasFinished(): boolean {
    return this.finishReason !== undefined && !this.choices.areOpen
  }

  /** Reasoning or a tool call has begun, so a long silence is nothing unusual. */
  get isWorking(): boolean {
    return this.hasReasoning || this.hasTools
  }

  /** As `hasFinished`, and said it last: the answer is whole once its stream ends by itself. */
  get isClosed(): boolean {
    return this.hasFinished && !this.choices.areTrailing
  }

  /** The choices that have begun and not said why they end. */
  get openChoices(): ReadonlyArray<number> {
    return this.choices.openChoices
  }

  /** Takes in one event, in its bytes where it is a `WrittenChunk`. */
  take(event: StreamEvent): void {
    if (event instanceof WrittenChunk) this.readWritten(event)
    else this.read(event.json)
  }

  /** Takes in one chunk. */
  read(chunk: JsonObject): void {
    this.named(chunk.id, chunk.model)
    if (this.room > 0) this.keep(text(chunk))
    const usage = inBody(chunk)
    if (usage !== undefined) this.usage = usage
    const choices = chunk.choices
    if (!Array.isArray(choices) || choices.length === 0) {
      if (this.blocked === undefined) this.blocked = blockedPrompt(chunk)
      return
    }
    for (const choice of choices) {
      if (isJsonObject(choice)) this.readChoice(choice)
    }
  }

  /** Keeps the text of the first choice from now on, at most `length` characters; `before` came already. Later calls do nothing. */
  keepText(length: number, before: ReadonlyArray<StreamEvent>, textOf = textOfEvent): void {
    if (this.room > 0 || this.keptText !== "") return
    this.room = length
    for (const event of before) if (this.room > 0) this.keep(textOf(event))
  }

  /** Whether text is still to be kept. */
  get keeps(): boolean {
    return this.room > 0
  }

  /** Keeps a text, while there is room. */
  keep(written: string): void {
    const added = written.slice(0, this.room)
    this.keptText += added
    this.room -= added.length
  }

  /** The answer's id, which is state of its provider too, and the model that answers. The first ones stand. */
  named(id: unknown, model: unknown): void {
    if (this.id === undefined && nonEmpty(id)) {
      this.id = id
      this.firstIssued ??= id
    }
    if (this.model === undefined && nonEmpty(model)) this.model = model
  }

  /** State of the provider that came: a signature, an id. */
  issue(value: string): void {
    if (value === "" || value === this.firstIssued) return
    if (this.firstIssued === undefined) this.firstIssued = value
    else {
      this.othersIssued ??= new Set()
      this.othersIssued.add(value)
    }
  }

  /** What was used so far; the last one stands. */
  used(usage: Usage): void {
    this.usage = usage
  }

  /** The provider blocked the prompt; the first reason stands. */
  block(why: string): void {
    this.blocked ??= why
  }

  /** A choice has begun, and is to say why it ends. */
  began(choice = 0): void {
    this.choices.began(choice)
  }

  /** A choice says why it ends, in OpenAI's words where they have one: `stop`, `length`, `tool_calls`, `content_filter`. */
  ended(reason: string, choice = 0): void {
    this.finishReason = reason
    this.choices.ended(choice)
  }

  /** Text, a refusal, or a piece of a tool's call came, of so many characters. */
  content(characters: number, choice = 0): void {
    this.addContent(characters)
    this.choices.content(choice)
  }

  /** Bytes of an answer that is no JSON came. */
  bytesCame(): void {
    this.isBytes = true
    this.addContent(0)
  }

  /** A tool's call, or a piece of it, came. */
  toolCall(characters: number, choice = 0): void {
    this.hasTools = true
    this.content(characters, choice)
  }

  /** Reasoning came; of what is encrypted 0 characters. */
  reasoned(characters: number): void {
    this.hasReasoning = true
    this.steps++
    this.characters += characters
  }

  private readWritten(chunk: WrittenChunk): void {
    const { characters, choice, isReasoning, like } = chunk
    this.named(like.id, like.model)
    if (this.room > 0) this.keep(textOfEvent(chunk))
    if (characters > 0) {
      if (isReasoning) this.reasoned(characters)
      else this.addContent(characters)
      this.choices.wentOn(choice)
    }
    this.began(choice)
  }

  private readChoice(choice: JsonObject): void {
    const index = choiceIndex(choice)
    const delta = choice.delta
    const { steps } = this
    if (isJsonObject(delta)) this.readDelta(delta)
    else if (nonEmpty(choice.text)) this.addContent(choice.text.length)
    if (this.steps !== steps) this.choices.wentOn(index)
    if (nonEmpty(choice.finish_reason)) this.ended(choice.finish_reason, index)
    else this.began(index)
  }

  private readDelta(delta: JsonObject): void {
    const content = delta.content
    if (nonEmpty(content)) this.addContent(content.length)
    else if (Array.isArray(content) && content.length > 0) this.addContent(JSON.stringify(content).length)
    if (nonEmpty(delta.refusal)) this.addContent(delta.refusal.length)
    if (Array.isArray(delta.tool_calls) && delta.tool_calls.length > 0) {
      this.hasTools = true
      this.addContent(toolCharacters(delta.tool_calls))
    }
    if (isJsonObject(delta.function_call)) {
      this.hasTools = true
      this.addContent(length(delta.function_call.arguments))
    }
    if (isJsonObject(delta.audio)) this.addContent(0)
    const reasoning = firstNonEmpty(delta.reasoning_content, delta.reasoning, delta.thinking)
    if (delta.thinking_blocks !== undefined || delta.reasoning_details !== undefined) {
      for (const signature of signatures(delta)) this.issue(signature)
      if (arrayOf(delta.thinking_blocks).length > 0 || arrayOf(delta.reasoning_details).length > 0) this.reasoned(0)
    }
    if (nonEmpty(reasoning)) this.reasoned(reasoning.length)
  }

  private addContent(characters: number): void {
    this.hasContent = true
    this.steps++
    this.characters += characters
  }
}

/** Signatures of reasoning in a message or a delta; they are opaque to every deployment but the one that issued them. */
export const signatures = (message: JsonObject): ReadonlyArray<string> => {
  const found: Array<string> = []
  for (const blocks of [message.thinking_blocks, message.reasoning_details, message.reasoning_items]) {
    for (const block of arrayOf(blocks)) {
      if (!isJsonObject(block)) continue
      for (const value of [block.signature, block.data, block.encrypted_content]) if (nonEmpty(value)) found.push(value)
    }
  }
  return found
}

const toolCharacters = (calls: ReadonlyArray<unknown>): number => {
  let sum = 0
  for (const call of calls) {
    if (!isJsonObject(call) || !isJsonObject(call.function)) continue
    sum += length(call.function.name) + length(call.function.arguments)
  }
  return sum
}

/** The text that a chunk adds to the first choice; empty for roles, tools and usage. */
export const text = (chunk: JsonObject): string => {
  for (const choice of arrayOf(chunk.choices)) {
    if (!isJsonObject(choice) || (choice.index !== undefined && choice.index !== 0)) continue
    const delta = choice.delta
    if (isJsonObject(delta) && typeof delta.content === "string") return delta.content
    if (typeof choice.text === "string") return choice.text
  }
  return ""
}

/** The text that an event adds to the first choice; empty for roles, tools and usage. */
export const textOfEvent = (event: StreamEvent): string => {
  if (!(event instanceof WrittenChunk)) return text(event.json)
  return event.isReasoning || event.choice !== 0 ? "" : event.text
}

/** The text of a whole chat or legacy completion: that of the first choice; empty when there is none. */
export const completionText = (body: JsonObject): string => {
  const first = arrayOf(body.choices)[0]
  if (!isJsonObject(first)) return ""
  if (typeof first.text === "string") return first.text
  const message = first.message
  return isJsonObject(message) && typeof message.content === "string" ? message.content : ""
}

/** A member of a list with its place as its index, where it says none. */
const placed = (given: JsonObject, place: number): JsonObject => ({
  index: place,
  ...given,
  ...(typeof given.index === "number" ? {} : { index: place })
})

/** A whole answer as the one chunk that says the same, for callers that asked for a stream. */
export const fromCompletion = (body: JsonObject): JsonObject => ({
  ...body,
  object: body.object === "text_completion" ? "text_completion" : "chat.completion.chunk",
  choices: arrayOf(body.choices).map((given, place) => {
    if (!isJsonObject(given)) return given
    const choice = placed(given, place)
    if (!isJsonObject(choice.message)) return choice
    const { message, ...rest } = choice
    if (!Array.isArray(message.tool_calls)) return { ...rest, delta: message }
    const calls = message.tool_calls.map((call: unknown, index) => (isJsonObject(call) ? placed(call, index) : call))
    return { ...rest, delta: { ...message, tool_calls: calls } }
  })
})
