import type { JsonObject } from "@switchyard/core/Json"
import type {
  Conversation,
  Part,
  ReasoningPart,
  ToolCallPart,
  ToolResultPart,
  Turn
} from "../conversation/Conversation.js"
import type { Account } from "../conversation/Problem.js"
import { callAsFunction } from "../parts/customTools.js"
import { chatIds, type IdRules, mistralIds, placeId, toolId } from "../parts/toolIds.js"
import { inCallOrder } from "../parts/toolTurns.js"
import type { WriteOptions } from "../Translator.js"
import { pathOf as ownPath } from "./fields.js"
import { between } from "./reasoning.js"
import { writePart } from "./writeParts.js"

/** What the writers of messages know. */
interface Desk {
  readonly account: Account
  /** The request was chat's: what only chat knows stands again where it stood. */
  readonly isOwn: boolean
  readonly ids: IdRules
  readonly keepsCacheMarks: boolean
  readonly keepsReasoning: boolean
  readonly knowsSignatures: boolean
  readonly pathOf: (turn: number, part?: number) => string
}

const mapped = (id: string, { ids, isOwn }: Desk): string => (isOwn ? id : toolId(id, ids))

const callOf = (call: ToolCallPart, desk: Desk): JsonObject => {
  const { arguments: text, extra, id, kind, name } = desk.isOwn ? call : callAsFunction(call)
  const said: Record<string, unknown> = {}
  if (id !== undefined) said.id = mapped(id, desk)
  said.type = kind
  if (kind === "custom") said.custom = { name, input: text }
  // Some who speak chat parse an empty text, and fail.
  else said.function = { name, arguments: text === "" && !desk.isOwn ? "{}" : text }
  return desk.isOwn && extra !== undefined ? Object.assign(said, extra) : said
}

/** Content as a bare string where nothing is said but text: not all who speak chat read lists. */
const contentOf = (parts: ReadonlyArray<Part>, turn: Turn, desk: Desk): unknown => {
  const { account, isOwn, keepsCacheMarks, pathOf } = desk
  const first = parts[0]
  if (parts.length === 1 && first?.type === "text" && turn.isBare === true) return first.text
  const isMarked = keepsCacheMarks && parts.some(({ cache }) => cache !== undefined)
  if (!isOwn && !isMarked && parts.every((part) => part.type === "text")) {
    if (parts.length === 0) return undefined
    for (const part of parts) if (part.cache !== undefined) account.drop(`${pathOf(turn.at)}.cache_control`, "advisory")
    return parts.length === 1 && first?.type === "text"
      ? first.text
      : parts.map((part) => (part.type === "text" ? part.text : "")).join("\n")
  }
  return parts.flatMap((part, at) => {
    const said = writePart(part, isOwn, pathOf(turn.at, at), account, keepsCacheMarks)
    return said === undefined ? [] : [said]
  })
}

const withoutSigned = (spelt: JsonObject): JsonObject => {
  const { reasoning_details: _, thinking_blocks: __, ...rest } = spelt
  return rest
}

/** The reasoning of an earlier turn: chat's own as it was spelt; another's as text, for those who read that. */
const reasoningOf = (parts: ReadonlyArray<ReasoningPart>, turn: Turn, desk: Desk): JsonObject => {
  if (desk.isOwn) {
    const spelt: JsonObject = Object.assign({}, ...parts.map(({ extra }) => (extra?.type === undefined ? extra : {})))
    if (desk.knowsSignatures || parts.every(({ signature }) => signature === undefined)) return spelt
    desk.account.drop(desk.pathOf(turn.at), "state")
    return withoutSigned(spelt)
  }
  const { account, keepsReasoning, pathOf } = desk
  const text = parts.flatMap((part) => (part.text === "" ? [] : [part.text])).join(between)
  if (!keepsReasoning || parts.some(({ signature }) => signature !== undefined)) account.drop(pathOf(turn.at), "state")
  return keepsReasoning && text !== "" ? { reasoning_content: text } : {}
}

/** The fields of the assistant's message that are no content. */
interface Fields {
  readonly reasoning: Array<ReasoningPart>
  readonly calls: Array<JsonObject>
  refusal: string | undefined
  audio: JsonObject | undefined
  legacy: JsonObject | undefined
}

/** Takes a part that stands in a field of its own; false where it stands in the content. */
const setApart = (part: Part, fields: Fields, desk: Desk): boolean => {
  const own = desk.isOwn ? part.extra : undefined
  if (part.type === "toolCall") {
    if (own?.function_call !== undefined && fields.legacy === undefined) fields.legacy = own
    else fields.calls.push(callOf(part, desk))
    return true
  }
  if (part.type === "toolResult") return true
  // What was spelt as a part of the content goes there again.
  if (own?.type !== undefined) return false
  if (part.type === "reasoning") fields.reasoning.push(part)
  else if (part.type === "refusal") fields.refusal = (fields.refusal ?? "") + part.text
  else if (part.type === "audio") fields.audio ??= own
  else return false
  return true
}

const assistant = (turn: Turn, desk: Desk): JsonObject => {
  const { isOwn } = desk
  const fields: Fields = { reasoning: [], calls: [], refusal: undefined, audio: undefined, legacy: undefined }
  const content: Array<Part> = []
  for (const part of turn.parts) if (!setApart(part, fields, desk)) content.push(part)
  const { audio, calls, legacy, reasoning, refusal } = fields
  const said = content.length === 0 && turn.isBare !== true ? undefined : contentOf(content, turn, desk)
  const message: Record<string, unknown> = { role: "assistant" }
  // Where nothing is said, `null` beside calls; a message without content or calls is refused.
  if (said !== undefined) message.content = said
  else if (!isOwn) message.content = calls.length > 0 ? null : ""
  if (turn.name !== undefined) message.name = turn.name
  if (reasoning.length > 0) Object.assign(message, reasoningOf(reasoning, turn, desk))
  if (refusal !== undefined) message.refusal = refusal
  if (audio !== undefined) message.audio = audio
  if (calls.length > 0) message.tool_calls = calls
  if (legacy !== undefined) Object.assign(message, legacy)
  return isOwn && turn.extra !== undefined ? Object.assign(message, turn.extra) : message
}

const isMedia = ({ type }: Part): boolean => type === "image" || type === "audio" || type === "video" || type === "file"

/** A tool's answer is text in chat; pictures and files that it gave follow as the user's. */
const result = (part: ToolResultPart, turn: Turn, desk: Desk, media: Array<unknown>): JsonObject => {
  const { account, isOwn, pathOf } = desk
  const extra = isOwn ? turn.extra : undefined
  const id = part.id === undefined ? (isOwn ? undefined : placeId(turn.at, 0)) : mapped(part.id, desk)
  const ofCall = id === undefined ? {} : { tool_call_id: id }
  const named = isOwn && part.name !== undefined ? { name: part.name } : {}
  if (isOwn) {
    return { role: "tool", ...ofCall, ...named, content: contentOf(part.content, turn, desk), ...extra }
  }
  const only = part.content.length === 1 ? part.content[0] : undefined
  if (only?.type === "text" && part.isError !== true) return { role: "tool", tool_call_id: id, content: only.text }
  const shown = part.content.filter(isMedia)
  const texts = part.content.flatMap((inner) => (inner.type === "text" && inner.text !== "" ? [inner.text] : []))
  if (shown.length > 0) {
    media.push({ type: "text", text: `What the tool of call ${id} gave:` })
    for (const inner of shown) {
      const said = writePart(inner, false, pathOf(turn.at), account)
      if (said !== undefined) media.push(said)
    }
    texts.push("(see what follows)")
  }
  if (part.isError === true) account.drop(`${pathOf(turn.at)}.is_error`, "advisory")
  return { role: "tool", ...ofCall, content: texts.join("\n") }
}

const others = (turn: Turn, desk: Desk): JsonObject => {
  const { isOwn } = desk
  // Not all who speak chat know developers; OpenAI takes either word for the other.
  const role = turn.role === "developer" && !isOwn ? "system" : turn.role
  const extra = isOwn ? turn.extra : undefined
  const isNull = extra !== undefined && "content" in extra
  const content = isNull ? undefined : (contentOf(turn.parts, turn, desk) ?? "")
  return { role, content, ...(turn.name === undefined ? {} : { name: turn.name }), ...extra }
}

/** The messages that say a conversation's turns. */
export const writeMessages = (
  { origin, turns }: Conversation,
  account: Account,
  {
    hasShortIds,
    keepsCacheMarks = false,
    keepsReasoning = false,
    knowsSignatures = true,
    pathOf = ownPath
  }: WriteOptions
): ReadonlyArray<JsonObject> => {
  const isOwn = origin === "chat"
  const desk: Desk = {
    account,
    ids: hasShortIds === true ? mistralIds : chatIds,
    isOwn,
    keepsCacheMarks,
    keepsReasoning,
    knowsSignatures,
    pathOf
  }
  const messages: Array<JsonObject> = []
  for (const turn of isOwn ? turns : inCallOrder(turns, account, pathOf)) {
    if (turn.role === "assistant") messages.push(assistant(turn, desk))
    else if (turn.role === "tool") {
      const media: Array<unknown> = []
      for (const part of turn.parts) if (part.type === "toolResult") messages.push(result(part, turn, desk, media))
      if (media.length > 0) messages.push({ role: "user", content: media })
    } else messages.push(others(turn, desk))
  }
  return messages
}
