/**
 * Ids of tool calls in another dialect's alphabet and length, without memory: the same id is mapped to the same one every time, so
 * that a call and its result meet again however often the conversation is sent.
 */

import type { DialectName, Signature } from "../conversation/Conversation.js"
import { fromBase64, toBase64 } from "./base64.js"

/** What a dialect takes for an id: letters and digits always, `extra` characters too. */
export interface IdRules {
  readonly extra: string
  readonly least: number
  readonly most: number
}

/** Anthropic's, and Bedrock Converse's. */
export const wordIds: IdRules = { extra: "_-", least: 1, most: 64 }
/** OpenAI's chat: its ids were once at most 40 characters long, and some who speak it still hold to that. */
export const chatIds: IdRules = { extra: "_-.:|/", least: 1, most: 40 }
/** OpenAI's Responses: `call_id` is at most 64 characters long. */
export const responsesIds: IdRules = { extra: "_-", least: 1, most: 64 }
/** Mistral's: nine letters and digits. */
export const mistralIds: IdRules = { extra: "", least: 9, most: 9 }

/** A letter or a digit. */
export const isWord = (code: number): boolean =>
  (code >= 48 && code <= 57) || (code >= 65 && code <= 90) || (code >= 97 && code <= 122)

/** Whether an id is one that a dialect takes. */
export const fits = (id: string, { extra, least, most }: IdRules): boolean => {
  if (id.length < least || id.length > most) return false
  for (let at = 0; at < id.length; at++) {
    if (!isWord(id.charCodeAt(at)) && !extra.includes(id.charAt(at))) return false
  }
  return true
}

const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

/** 53 bits of a text in nine letters and digits. */
export const hash = (text: string, seed: number): string => {
  let high = 0xdeadbeef ^ seed
  let low = 0x41c6ce57 ^ seed
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    high = Math.imul(high ^ code, 2654435761)
    low = Math.imul(low ^ code, 1597334677)
  }
  high = Math.imul(high ^ (high >>> 16), 2246822507) ^ Math.imul(low ^ (low >>> 13), 3266489909)
  low = Math.imul(low ^ (low >>> 16), 2246822507) ^ Math.imul(high ^ (high >>> 13), 3266489909)
  let left = 4294967296 * (2097151 & low) + (high >>> 0)
  let out = ""
  for (let place = 0; place < 9; place++) {
    out = digits.charAt(left % 62) + out
    left = Math.floor(left / 62)
  }
  return out
}

/** An id in the alphabet and length of a dialect: itself where it fits, else one that follows from it alone. */
export const toolId = (id: string, rules: IdRules): string => {
  if (fits(id, rules)) return id
  if (rules.most < 18) return hash(id, 0).slice(0, rules.most)
  const made = `${hash(id, 0)}${hash(id, 1)}`
  return rules.extra.includes("_") && rules.most >= 23 ? `call_${made}` : made
}

const mark = "__sig_"

/** Base64 without `_`, which the mark is made of: `+` and `/` are spelt with two characters. */
const isBase64 = (text: string): boolean => {
  const end = text.endsWith("==") ? text.length - 2 : text.endsWith("=") ? text.length - 1 : text.length
  if (text.length % 4 !== 0) return false
  for (let at = 0; at < end; at++) {
    const code = text.charCodeAt(at)
    const isOne = (code >= 47 && code <= 57) || (code >= 65 && code <= 90) || (code >= 97 && code <= 122) || code === 43
    if (!isOne) return false
  }
  return true
}

const pack = (text: string): string => text.replaceAll("+", "-a").replaceAll("/", "-b").replaceAll("=", "-c")
const unpack = (text: string): string => text.replaceAll("-a", "+").replaceAll("-b", "/").replaceAll("-c", "=")

/** An id that carries a signature, for clients that drop fields that they do not know: letters, digits, `_` and `-` are added. */
export const withSignature = (id: string, { dialect, value }: Signature): string =>
  isBase64(value) ? `${id}${mark}${dialect}_b${pack(value)}` : `${id}${mark}${dialect}_u${pack(toBase64(value))}`

const dialects: ReadonlySet<string> = new Set<DialectName>([
  "chat",
  "completions",
  "responses",
  "messages",
  "gemini",
  "converse",
  "cohere",
  "ollama"
])
const isDialect = (name: string): name is DialectName => dialects.has(name)

/** An id, and the signature that it carried; of any other id, itself. */
export const splitSignature = (id: string): { readonly id: string; readonly signature?: Signature | undefined } => {
  const at = id.length > mark.length ? id.lastIndexOf(mark) : -1
  if (at === -1) return { id }
  const from = at + mark.length
  const end = id.indexOf("_", from)
  const dialect = id.slice(from, end)
  const form = id.charAt(end + 1)
  if (end === -1 || !isDialect(dialect) || (form !== "b" && form !== "u")) return { id }
  const packed = unpack(id.slice(end + 2))
  const value = form === "b" ? packed : fromBase64(packed)
  return { id: id.slice(0, at), signature: { dialect, value } }
}

/** An id for a call that has none, from its place: the same whenever the conversation is sent again. */
export const placeId = (turn: number, call: number): string => `call_${turn}_${call}`
