/**
 * Thought signatures, and those of other dialects in their place: a client of Gemini's gives back what stands in `thoughtSignature`
 * and knows no other field. Foreign ones are base64 with a mark, as some SDKs take the field for bytes and spell it anew.
 */

import type { DialectName, Signature } from "../../conversation/Conversation.js"
import { fromBase64, toBase64 } from "../../parts/base64.js"

/** What Google documents for a function call that another model made: its signature is then not looked at. */
export const placeholder = "skip_thought_signature_validator"

/** Twelve bytes, so that they always begin with the same sixteen letters. */
const head = "switchyard::"
const mark = toBase64(head)

const dialects: Readonly<Record<DialectName, true>> = {
  chat: true,
  completions: true,
  responses: true,
  messages: true,
  gemini: true,
  converse: true,
  cohere: true,
  ollama: true
}
const isDialect = (name: string): name is DialectName => Object.hasOwn(dialects, name)

/** A signature, and whether it stands for reasoning that nobody can read. */
export interface Signed {
  readonly signature: Signature
  readonly isRedacted: boolean
}

/** What a `thoughtSignature` is. */
export const readSignature = (value: string): Signed => {
  if (value.startsWith(mark)) {
    const text = fromBase64(value)
    const end = text.indexOf(":", head.length)
    const dialect = text.slice(head.length, end)
    const isRedacted = dialect.endsWith("!")
    const name = isRedacted ? dialect.slice(0, -1) : dialect
    if (end !== -1 && isDialect(name)) return { signature: { dialect: name, value: text.slice(end + 1) }, isRedacted }
  }
  return { signature: { dialect: "gemini", value }, isRedacted: false }
}

/** A signature as it stands in a `thoughtSignature`. */
export const writeSignature = ({ dialect, value }: Signature, isRedacted = false): string =>
  dialect === "gemini" ? value : toBase64(`${head}${dialect}${isRedacted ? "!" : ""}:${value}`)
