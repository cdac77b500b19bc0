/**
 * Signatures of other dialects inside `encrypted_content`, which every client of Responses sends back whole.
 */
import type { DialectName, Signature } from "../conversation/Conversation.js"

const mark = "switchyard."

/** A signature, and whether nothing else is known of the thought. */
export interface Sealed {
  readonly signature: Signature
  readonly isRedacted: boolean
}

const names: ReadonlySet<string> = new Set<DialectName>([
  "chat",
  "completions",
  "messages",
  "gemini",
  "converse",
  "cohere",
  "ollama"
])
const isName = (name: string): name is DialectName => names.has(name)

/** The signature as `encrypted_content`. */
export const seal = ({ dialect, value }: Signature, isRedacted = false): string =>
  dialect === "responses" ? value : `${mark}${dialect}.${isRedacted ? "r" : "s"}.${value}`

/** Whether it is another dialect's. */
export const isSealed = (content: unknown): content is string => typeof content === "string" && content.startsWith(mark)

/** What `encrypted_content` holds: Responses' own, or another dialect's signature. */
export const unseal = (content: string): Sealed => {
  if (content.startsWith(mark)) {
    const end = content.indexOf(".", mark.length)
    const dialect = content.slice(mark.length, end)
    const form = content.charAt(end + 1)
    if (end !== -1 && isName(dialect) && content.charAt(end + 2) === "." && (form === "r" || form === "s")) {
      return { signature: { dialect, value: content.slice(end + 3) }, isRedacted: form === "r" }
    }
  }
  return { signature: { dialect: "responses", value: content }, isRedacted: false }
}
