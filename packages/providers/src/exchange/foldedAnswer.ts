/**
 * The chunks of a stream put together to the whole answer that they are: for providers that stream although they were asked
 * for a whole answer.
 */
import { type StreamEvent, StreamFacts } from "@switchyard/core/ChatChunk"
import { arrayOf, isJsonObject, type JsonObject } from "@switchyard/core/Json"
import type { LlmError } from "@switchyard/core/LlmError"
import type { EventSink } from "./eventFeed.js"

type Draft = Record<string, unknown>

/** Texts that come in pieces; of every other text the last one stands. */
const pieces: ReadonlySet<string> = new Set([
  "content",
  "text",
  "refusal",
  "reasoning_content",
  "reasoning",
  "thinking",
  "arguments",
  "transcript",
  "data"
])

const isEmpty = (value: unknown): boolean => value === undefined || value === null || value === ""

/** Content as a list of parts: some servers send their reasoning in parts, and the words after it as text. */
const partsOf = (content: unknown): ReadonlyArray<unknown> =>
  Array.isArray(content) ? content : isEmpty(content) ? [] : [{ type: "text", text: content }]

/** Adds what a later piece says to what earlier ones have said. */
const merge = (draft: Draft, later: JsonObject): Draft => {
  for (const name in later) {
    const value = later[name]
    const known = draft[name]
    if (name === "tool_calls") draft[name] = mergeCalls(known, value)
    else if (isEmpty(value)) draft[name] = known ?? value
    else if (typeof value === "string" && pieces.has(name) && typeof known === "string") draft[name] = known + value
    else if (name === "content" && Array.isArray(value) !== Array.isArray(known ?? value))
      draft[name] = [...partsOf(known), ...partsOf(value)]
    else if (Array.isArray(value)) draft[name] = [...arrayOf(known), ...value]
    else if (isJsonObject(value)) draft[name] = merge(isJsonObject(known) ? { ...known } : {}, value)
    // The name of a function comes whole, from some providers with every piece of its arguments.
    else if (name === "name" && !isEmpty(known)) continue
    else draft[name] = value
  }
  return draft
}

/** Calls go by their index, without one by their id, and without that they go on with the last. */
const mergeCalls = (known: unknown, later: unknown): ReadonlyArray<unknown> => {
  const calls: Array<unknown> = [...arrayOf(known)]
  for (const piece of arrayOf(later)) {
    if (!isJsonObject(piece)) continue
    const at = calls.findIndex((call) => isJsonObject(call) && isSameCall(call, piece))
    const last = calls.length - 1
    const place = at !== -1 ? at : piece.index === undefined && isEmpty(piece.id) && last >= 0 ? last : calls.length
    const call = calls[place]
    calls[place] = merge(isJsonObject(call) ? { ...call } : {}, piece)
  }
  return calls
}

const isSameCall = (call: JsonObject, piece: JsonObject): boolean =>
  piece.index !== undefined ? call.index === piece.index : !isEmpty(piece.id) && call.id === piece.id

const withoutIndex = (call: unknown): unknown => {
  if (!isJsonObject(call)) return call
  const { index: _, ...rest } = call
  return rest
}

const byIndex = (a: unknown, b: unknown): number =>
  isJsonObject(a) && isJsonObject(b) && typeof a.index === "number" && typeof b.index === "number"
    ? a.index - b.index
    : 0

/** A choice as it stands in a whole answer. */
const finished = (draft: Draft): JsonObject => {
  const { delta, ...rest } = draft
  // Where that is accepted, a choice may have come without one.
  if (isEmpty(rest.finish_reason)) {
    rest.finish_reason = isJsonObject(delta) && Array.isArray(delta.tool_calls) ? "tool_calls" : "stop"
  }
  if (!isJsonObject(delta)) return rest
  const message: Draft = { role: "assistant", content: null, ...delta }
  if (message.role === null || message.role === "") message.role = "assistant"
  if (Array.isArray(message.tool_calls)) message.tool_calls = [...message.tool_calls].sort(byIndex).map(withoutIndex)
  return { ...rest, message }
}

/** Takes the events of one answer; `settled` is told once. */
export class FoldedAnswer implements EventSink {
  isOver = false
  private readonly top: Draft = {}
  private readonly choices = new Map<number, Draft>()
  private readonly facts = new StreamFacts()

  constructor(
    private readonly onMissingFinish: "cut" | "accept",
    private readonly settled: {
      /** The whole answer, as it would have come whole. */
      readonly answered: (body: JsonObject) => void
      /** The stream ended before its answer did. */
      readonly cut: () => void
      /** The provider blocked the prompt, and said nothing else. */
      readonly blocked: (why: string) => void
      readonly malformed: (data: string, why?: string) => void
      readonly failed: (error: LlmError) => void
    }
  ) {}

  push({ json }: StreamEvent): void {
    if (this.isOver) return
    this.facts.read(json)
    const { choices, ...rest } = json
    for (const name in rest) if (!isEmpty(rest[name])) this.top[name] = rest[name]
    for (const choice of arrayOf(choices)) if (isJsonObject(choice)) this.add(choice)
  }

  malformed(data: string, why?: string): void {
    this.settle(() => this.settled.malformed(data, why))
  }

  end(saidDone = false): void {
    this.settle(() => {
      const { blocked, finishReason, hasContent, hasFinished, hasReasoning, isClosed } = this.facts
      const isAccepted = this.onMissingFinish === "accept" && (hasContent || hasReasoning)
      if (saidDone ? hasFinished || isAccepted : isClosed) this.settled.answered(this.body())
      else if (blocked !== undefined && finishReason === undefined && !hasContent) this.settled.blocked(blocked)
      else this.settled.cut()
    })
  }

  fail(error: LlmError): void {
    // Only the goodbye is missing, as in a stream.
    if (this.facts.isWhole) this.end()
    else this.settle(() => this.settled.failed(error))
  }

  private settle(tell: () => void): void {
    if (this.isOver) return
    this.isOver = true
    tell()
  }

  private add(choice: JsonObject): void {
    const index = typeof choice.index === "number" ? choice.index : 0
    const { message, ...rest } = choice
    const known = this.choices.get(index)
    // A last chunk may hold the message once more, whole.
    const piece =
      isJsonObject(message) && rest.delta === undefined && known === undefined ? { ...rest, delta: message } : rest
    this.choices.set(index, merge(known ?? { index }, piece))
  }

  private body(): JsonObject {
    const choices = [...this.choices].sort(([a], [b]) => a - b).map(([, draft]) => finished(draft))
    const isText = choices.every((choice) => choice.message === undefined)
    return { ...this.top, object: isText ? "text_completion" : "chat.completion", choices }
  }
}
