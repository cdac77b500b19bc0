import type { JsonObject } from "@switchyard/core/Json"
import type { Part, ReasoningPart, ToolCallPart } from "../../conversation/Conversation.js"
import { innerName } from "../../parts/namespaces.js"
import { responsesIds, toolId } from "../../parts/toolIds.js"
import { itemOf } from "../own.js"
import { seal } from "../seal.js"
import { imageItem, outputPiece } from "./writeContent.js"

/** Items that are written anew. */
type NewItem = "message" | "reasoning" | "function_call" | "custom_tool_call" | "image_generation_call"

/** How the items of the model are written: in a request and in an answer they are the same but for this. */
export interface ItemRules {
  /** A new item of a type, with what stands in every one: its id and status in an answer. The rest is added to it. */
  readonly fresh: (type: NewItem) => Record<string, unknown>
  /** The `call_id` of a call. */
  readonly callId: (part: ToolCallPart, place: number) => string
  /** Whether other dialects' signatures are sealed into `encrypted_content`; without it the thoughts of others are left out. */
  readonly seals: boolean
  /** Whether a message of one text has that as bare content. */
  readonly isBare: boolean
  /** The fields of an item that it was read from, in place of these; undefined leaves them as they are. */
  readonly reshape?: ((item: JsonObject) => JsonObject) | undefined
  /** A thought is left out. */
  readonly onLost?: (() => void) | undefined
}

/** What is written of a call's name. */
export const nameFields = (name: string, namespace: string | undefined): JsonObject =>
  namespace === undefined ? { name } : { name: innerName(namespace, name), namespace }

const callFields = (part: ToolCallPart): JsonObject =>
  part.kind === "custom" ? { input: part.arguments } : { arguments: part.arguments }

const writtenIn = (item: JsonObject): unknown => (item.type === "custom_tool_call" ? item.input : item.arguments)

/** A call as an item. */
const callItem = (part: ToolCallPart, place: number, rules: ItemRules): JsonObject => {
  const own = itemOf(part)
  if (own !== undefined) {
    const shaped = rules.reshape?.(own) ?? own
    return writtenIn(own) === part.arguments || typeof writtenIn(own) !== "string"
      ? shaped
      : { ...shaped, ...callFields(part) }
  }
  const isCustom = part.kind === "custom"
  const item = rules.fresh(isCustom ? "custom_tool_call" : "function_call")
  item.call_id = rules.callId(part, place)
  item.name = part.namespace === undefined ? part.name : innerName(part.namespace, part.name)
  if (part.namespace !== undefined) item.namespace = part.namespace
  item[isCustom ? "input" : "arguments"] = part.arguments
  return item
}

/** Thoughts that stand in one item. */
const isSameThought = (a: ReasoningPart, b: Part): b is ReasoningPart => {
  if (b.type !== "reasoning") return false
  const own = itemOf(a)
  return own === undefined ? a.id !== undefined && a.id === b.id && a.signature === undefined : own === itemOf(b)
}

const isShown = (part: ReasoningPart): boolean => part.isSummary === true || part.id === undefined

const reasoningItem = (parts: ReadonlyArray<ReasoningPart>, rules: ItemRules): JsonObject | undefined => {
  const first = parts[0] as ReasoningPart
  const own = itemOf(first)
  const { isRedacted, signature } = parts.find((part) => part.signature !== undefined) ?? first
  const isForeign = signature !== undefined && signature.dialect !== "responses"
  if (!rules.seals && (isForeign || (own === undefined && signature === undefined))) return undefined
  if (own !== undefined) return rules.reshape?.(own) ?? own
  const said = parts.filter((part) => part.text !== "")
  const shown = said.filter(isShown)
  const raw = said.filter((part) => !isShown(part))
  return {
    ...rules.fresh("reasoning"),
    ...(first.id === undefined ? {} : { id: first.id }),
    summary: shown.map(({ text }) => ({ type: "summary_text", text })),
    ...(raw.length === 0 ? {} : { content: raw.map(({ text }) => ({ type: "reasoning_text", text })) }),
    ...(signature === undefined ? {} : { encrypted_content: seal(signature, isRedacted) })
  }
}

const isWords = (part: Part): boolean => part.type === "text" || part.type === "refusal"

const pieces = (parts: ReadonlyArray<Part>): Array<JsonObject> => {
  const written: Array<JsonObject> = []
  for (const part of parts) {
    const piece = outputPiece(part)
    if (piece !== undefined) written.push(piece)
  }
  return written
}

const messageItem = (parts: ReadonlyArray<Part>, rules: ItemRules): JsonObject => {
  const own = itemOf(parts[0] as Part)
  const only = parts.length === 1 ? parts[0] : undefined
  if (own !== undefined) {
    const shaped = rules.reshape?.(own) ?? own
    if (typeof own.content === "string" && only?.type === "text") {
      return own.content === only.text ? shaped : { ...shaped, content: only.text }
    }
    return {
      ...shaped,
      content: parts.flatMap((part) => outputPiece(part) ?? (part.type === "opaque" ? part.value : []))
    }
  }
  const item = rules.fresh("message")
  item.role = "assistant"
  item.content = rules.isBare && only?.type === "text" && only.citations === undefined ? only.text : pieces(parts)
  return item
}

/** Parts that stand in one message: words at a stretch, of one item where that is known. */
const isSameMessage = (first: Part, part: Part): boolean => {
  const own = itemOf(first)
  return own === undefined ? isWords(part) && itemOf(part) === undefined : itemOf(part) === own
}

const isOpaqueItem = (part: Part): boolean => part.type === "opaque" && itemOf(part) === part.value

/** What the model thought, said and called, as items. */
export const modelItems = (parts: ReadonlyArray<Part>, rules: ItemRules): ReadonlyArray<JsonObject> => {
  const items: Array<JsonObject> = []
  let calls = 0
  for (let at = 0; at < parts.length; ) {
    const part = parts[at] as Part
    let end = at + 1
    if (part.type === "reasoning") {
      while (end < parts.length && isSameThought(part, parts[end] as Part)) end++
      const item = reasoningItem(parts.slice(at, end) as ReadonlyArray<ReasoningPart>, rules)
      if (item !== undefined) items.push(item)
      else if (part.text !== "" || part.signature !== undefined) rules.onLost?.()
    } else if (part.type === "toolCall") {
      items.push(callItem(part, calls++, rules))
    } else if (isWords(part) || (part.type === "opaque" && itemOf(part) !== undefined && !isOpaqueItem(part))) {
      while (end < parts.length && isSameMessage(part, parts[end] as Part)) end++
      items.push(messageItem(parts.slice(at, end), rules))
    } else if (part.type === "opaque") {
      if (part.dialect === "responses") items.push(part.value)
    } else if (part.type === "image") {
      const item = imageItem(part.source)
      if (item !== undefined) items.push({ ...rules.fresh("image_generation_call"), ...item })
    }
    at = end
  }
  return items
}

/** The id of a call in the alphabet and length that Responses takes. */
export const callIdOf = (id: string): string => toolId(id, responsesIds)
