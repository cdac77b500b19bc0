/**
 * Turns as Anthropic's messages. Those of other dialects are put into the order that it wants: instructions in a field of their
 * own, user and assistant by turns, results of tools in one message right behind their calls and before all else.
 */
import type { JsonObject } from "@switchyard/core/Json"
import type { Turn } from "../conversation/Conversation.js"
import { inCallOrder } from "../parts/toolTurns.js"
import { type Writing, writeParts } from "./writeParts.js"

/** The path of a part, in the caller's words. */
export type PathOf = (turn: number, part?: number) => string

/** A message while it is put together. */
interface Message {
  readonly role: "user" | "assistant" | "system"
  readonly content: Array<JsonObject>
  readonly isBare: boolean
  readonly extra?: JsonObject | undefined
}

/** The system field, and the messages. */
export interface WrittenTurns {
  readonly system: string | ReadonlyArray<JsonObject> | undefined
  readonly messages: ReadonlyArray<JsonObject>
}

const isInstruction = ({ role }: Turn): boolean => role === "system" || role === "developer"

const blocksOf = (turn: Turn, pathOf: PathOf, writing: Writing): Array<JsonObject> => [
  ...writeParts(turn.parts, (part) => pathOf(turn.at, part), writing)
]

const onlyText = (content: ReadonlyArray<JsonObject>): string | undefined => {
  const first = content[0]
  if (first === undefined || content.length !== 1 || first.type !== "text" || typeof first.text !== "string") {
    return undefined
  }
  for (const name in first) if (name !== "type" && name !== "text") return undefined
  return first.text
}

const contentOf = (content: ReadonlyArray<JsonObject>, isBare: boolean): string | ReadonlyArray<JsonObject> =>
  (isBare ? onlyText(content) : undefined) ?? content

const ownTurns = (turns: ReadonlyArray<Turn>, pathOf: PathOf, writing: Writing): WrittenTurns => {
  let system: WrittenTurns["system"]
  const messages: Array<JsonObject> = []
  for (const turn of turns) {
    const blocks = blocksOf(turn, pathOf, writing)
    const content = contentOf(blocks, turn.isBare === true)
    if (turn.at < 0) system = content
    else if (turn.parts.length === 0 || blocks.length > 0) {
      messages.push({ role: turn.role === "tool" ? "user" : turn.role, content, ...turn.extra })
    }
  }
  return { system, messages }
}

/** Instructions in the middle of a conversation, where older models have no place for any. */
const marked = (text: string): string => `<system>\n${text}\n</system>`

const markedBlocks = (blocks: ReadonlyArray<JsonObject>): Array<JsonObject> =>
  blocks.map((block) => (typeof block.text === "string" ? { ...block, text: marked(block.text) } : block))

/** Said where a conversation has nothing of the user's to begin with, which Anthropic wants. */
const opening = "Continue."

const withoutTail = (message: Message | undefined): void => {
  // A last turn of the assistant is what the answer begins with; it may not end with white space.
  if (message?.role !== "assistant") return
  const { content } = message
  const last = content.at(-1)
  if (last?.type === "text" && typeof last.text === "string") {
    const text = last.text.trimEnd()
    if (text !== last.text) content[content.length - 1] = { ...last, text }
  }
}

const startsWithUser = (messages: Array<Message>, system: Array<JsonObject>): void => {
  if (messages[0]?.role === "user") return
  if (messages.length === 0 && system.length > 0) {
    messages.push({ role: "user", content: system.splice(0), isBare: true })
    return
  }
  messages.unshift({ role: "user", content: [{ type: "text", text: opening }], isBare: true })
}

const foreignTurns = (turns: ReadonlyArray<Turn>, pathOf: PathOf, writing: Writing): WrittenTurns => {
  const system: Array<JsonObject> = []
  const messages: Array<Message> = []
  let isOver = false
  for (const turn of inCallOrder(turns, writing.account, pathOf)) {
    const blocks = blocksOf(turn, pathOf, writing)
    if (isInstruction(turn) && !isOver) {
      system.push(...blocks)
      continue
    }
    isOver = true
    if (blocks.length === 0) continue
    const role = turn.role === "assistant" ? "assistant" : "user"
    const content = isInstruction(turn) ? markedBlocks(blocks) : blocks
    const last = messages.at(-1)
    if (last?.role === role) last.content.push(...content)
    else messages.push({ role, content, isBare: true })
  }
  startsWithUser(messages, system)
  withoutTail(messages.at(-1))
  return {
    system: system.length === 0 ? undefined : contentOf(system, true),
    messages: messages.map(({ content, isBare, role }) => ({ role, content: contentOf(content, isBare) }))
  }
}

/** All turns; problems with tools' calls and results go to the account. */
export const writeTurns = (turns: ReadonlyArray<Turn>, pathOf: PathOf, writing: Writing): WrittenTurns =>
  writing.isOwn ? ownTurns(turns, pathOf, writing) : foreignTurns(turns, pathOf, writing)

const blocksIn = ({ content }: JsonObject): ReadonlyArray<JsonObject> => (Array.isArray(content) ? content : [])

const isThought = (block: JsonObject | undefined): boolean =>
  block?.type === "thinking" || block?.type === "redacted_thinking"

/**
 * Whether the model may think: not where the assistant's last turn goes on, in a loop of tools or as the answer's beginning, and
 * does not begin with a thought that Anthropic can verify.
 */
export const mayThink = (messages: ReadonlyArray<JsonObject>): boolean => {
  const last = messages.at(-1)
  if (last === undefined) return true
  if (last.role === "assistant") return isThought(blocksIn(last)[0])
  if (!blocksIn(last).some(({ type }) => type === "tool_result")) return true
  let before = messages.length - 1
  while (before >= 0 && messages[before]?.role !== "assistant") before--
  const turn = messages[before]
  return turn === undefined || isThought(blocksIn(turn)[0])
}
