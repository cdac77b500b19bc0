/**
 * What writers of targets share: instructions in the middle of a conversation, and arguments of calls as objects.
 */
import type { JsonObject } from "@switchyard/core/Json"
import type { Part, Turn } from "../conversation/Conversation.js"
import { parsedObject } from "./values.js"

/** A turn of the system's or the developer's. */
export const isInstruction = ({ role }: Turn): boolean => role === "system" || role === "developer"

/** Instructions in the middle, where a dialect has no place for any: a user's words, marked as what they are. */
const marked = (text: string): string => `<system>\n${text}\n</system>`

/** Instructions in the middle as a turn of the user. */
export const asUser = (turn: Turn): Turn => ({
  ...turn,
  role: "user",
  parts: turn.parts.map((part): Part => (part.type === "text" ? { ...part, text: marked(part.text) } : part))
})

/** Arguments as the object that a target wants: none are an empty one, and what is no object stands in a field of its own. */
export const argumentsObject = (text: string): JsonObject =>
  parsedObject(text) ?? (text.trim() === "" || text.trim() === "null" ? {} : { arguments: text })

/** Said to a model whose dialect has no word for an answer in any JSON. */
export const jsonInstruction = "Answer with one JSON object and nothing else."

/** The texts of parts, one behind the other. */
export const textOf = (parts: ReadonlyArray<Part>, between = "\n"): string => {
  let text: string | undefined
  for (const part of parts) {
    if (part.type !== "text" && part.type !== "refusal") continue
    text = text === undefined ? part.text : text + between + part.text
  }
  return text ?? ""
}
