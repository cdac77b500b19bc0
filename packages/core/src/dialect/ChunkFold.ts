/**
 * The chunks of a stream put together to the whole answer that they are.
 */
import { arrayOf, isJsonObject, type JsonObject } from "../json/Json.js"
import type { Completion } from "./Chat.js"
import { choiceIndex } from "./choiceStates.js"

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

/** Whether a value is of the kind that pieces of text come in. */
const isPiece = (name: string, value: unknown): boolean =>
  typeof value === "string" || (name === "content" && Array.isArray(value))

/** Whether a later value is of another kind than what was said, which it cannot go on with, and no better than that. */
const isOdd = (name: string, known: unknown, later: unknown): boolean => {
  if (isEmpty(known)) return false
  if (pieces.has(name)) return isPiece(name, known) && !isPiece(name, later)
  if (typeof known !== "object") return false
  return typeof later !== "object" || Array.isArray(known) !== Array.isArray(later)
}

/** Adds what a later piece says to what earlier ones have said; nothing that was said is lost. */
const merge = (draft: Draft, later: JsonObject): Draft => {
  for (const name in later) {
    const value = later[name]
    const known = draft[name]
    if (name === "tool_calls") draft[name] = mergeCalls(known, value)
    else if (isEmpty(value)) draft[name] = known ?? value
    else if (isOdd(name, known, value)) continue
    else if (pieces.has(name) && !isPiece(name, known)) draft[name] = value
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
const finished = (draft: Draft, isWhole: boolean): JsonObject => {
  const { delta, ...rest } = draft
  // Where that is accepted, a choice may have come without one.
  if (isWhole && isEmpty(rest.finish_reason)) {
    rest.finish_reason = isJsonObject(delta) && Array.isArray(delta.tool_calls) ? "tool_calls" : "stop"
  }
  if (!isJsonObject(delta)) return rest
  const message: Draft = { role: "assistant", content: null, ...delta }
  if (message.role === null || message.role === "") message.role = "assistant"
  if (Array.isArray(message.tool_calls)) message.tool_calls = [...message.tool_calls].sort(byIndex).map(withoutIndex)
  return { ...rest, message }
}

/** Chunks of one answer so far. */
export class ChunkFold {
  private readonly top: Draft = {}
  private readonly choices = new Map<number, Draft>()

  /** Takes in one chunk. */
  add(json: JsonObject): void {
    const { choices, ...rest } = json
    for (const name in rest) if (!isEmpty(rest[name])) this.top[name] = rest[name]
    for (const choice of arrayOf(choices)) if (isJsonObject(choice)) this.addChoice(choice)
  }

  /** What they say so far, as it would have come whole; in a whole one a choice that does not say why it ended has stopped. */
  answer(isWhole = false): Completion {
    const choices = [...this.choices].sort(([a], [b]) => a - b).map(([, draft]) => finished(draft, isWhole))
    const isText = choices.length > 0 && choices.every((choice) => choice.message === undefined)
    return { ...this.top, object: isText ? "text_completion" : "chat.completion", choices }
  }

  private addChoice(choice: JsonObject): void {
    const index = choiceIndex(choice)
    const { delta, message, ...said } = choice
    const rest: JsonObject = isJsonObject(delta) ? { ...said, index, delta } : { ...said, index }
    const known = this.choices.get(index)
    // A last chunk may hold the message once more, whole.
    const piece =
      isJsonObject(message) && rest.delta === undefined && known === undefined ? { ...rest, delta: message } : rest
    this.choices.set(index, merge(known ?? { index }, piece))
  }
}
