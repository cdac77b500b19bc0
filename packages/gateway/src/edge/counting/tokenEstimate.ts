/**
 * How many tokens a body has at most, in whatever language it is: for callers who ask and whose provider has no counter. They
 * cut their prompts by it, so it errs high.
 */
import type { JsonObject } from "@switchyard/core/Json"
import * as StandIn from "@switchyard/core/StandIn"

/** What tokenizers make of a letter or a space, of a digit or a mark, and of a letter of another script, at most. */
const perLetter = 1 / 3.2
const perMark = 0.8
const perOther = 1
/** Characters of a text that are looked at; what follows is taken for more of the same. */
const mostRead = 65_536
/** What a picture costs at most in most models. */
const mediaTokens = 2_500
/** Base64 of a document's page takes about so many characters for a token. */
const documentCharacters = 30
/** No word is as long: it is a file, or something encrypted. */
const longestWord = 1_024

const notWord = /[\s\u0080-\uffff]/

const isData = (text: string): boolean =>
  text.startsWith("data:") || (text.length > longestWord && !notWord.test(text.slice(0, longestWord)))

const ofData = (text: string, length: number, mime: unknown): number =>
  (typeof mime === "string" ? mime : text.slice(0, 40)).includes("image/")
    ? mediaTokens
    : Math.max(mediaTokens, Math.ceil(length / documentCharacters))

const ofWords = (text: string, length: number): number => {
  const end = Math.min(text.length, mostRead)
  let sum = 0
  for (let at = 0; at < end; at++) {
    const code = text.charCodeAt(at)
    sum += code > 127 ? perOther : code === 32 || ((code | 32) - 97 < 26 && code > 64) ? perLetter : perMark
  }
  return end === 0 ? 0 : Math.ceil((sum * Math.max(length, end)) / end)
}

const ofText = (text: string, mime: unknown): number => {
  const facts = text.length < StandIn.shortest ? undefined : StandIn.factsOf(text)
  const known = facts === undefined ? text : StandIn.shown(text)
  const length = facts === undefined ? text.length : facts.characters + facts.numbers
  return isData(text) ? ofData(text, length, mime) : ofWords(known, length)
}

/** Names of a value, of a part, of a turn: each costs about so many tokens in the words that a model reads. */
const perField = 2

/** Tokens of a body's `fields`, rounded up everywhere. */
export const estimateHigh = (body: JsonObject, fields: ReadonlyArray<string>): number => walk(body, fields, undefined)

/** A prompt with its words set aside for whoever counts them. */
export interface Parted {
  readonly words: ReadonlyArray<string>
  /** Tokens of all else: pictures, documents, numbers, what stands between the words, and words that were too long to be kept. */
  readonly tokens: number
}

/** The same with the words of the prompt left out of the count. */
export const parted = (body: JsonObject, fields: ReadonlyArray<string>): Parted => {
  const words: Array<string> = []
  return { words, tokens: walk(body, fields, words) }
}

/** Whether a text is words, and all of it is here. */
const isWords = (text: string): boolean =>
  !(text.length >= StandIn.shortest && StandIn.factsOf(text) !== undefined) && !isData(text)

/** Walks iteratively. */
const walk = (body: JsonObject, fields: ReadonlyArray<string>, words: Array<string> | undefined): number => {
  let tokens = 8
  const left: Array<readonly [value: unknown, mime: unknown]> = []
  for (const field of fields) left.push([body[field], undefined])
  for (let next = left.pop(); next !== undefined; next = left.pop()) {
    const [value, mime] = next
    if (typeof value === "string") {
      if (words !== undefined && isWords(value)) words.push(value)
      else tokens += ofText(value, mime)
    } else if (typeof value === "number" || typeof value === "boolean") tokens += 2
    else if (Array.isArray(value)) {
      for (const one of value) left.push([one, mime])
    } else if (typeof value === "object" && value !== null) {
      const object = value as JsonObject
      const kind = object.media_type ?? object.mime_type ?? object.mimeType
      for (const name in object) {
        tokens += perField + Math.floor(name.length / 8)
        left.push([object[name], kind])
      }
    }
  }
  return tokens
}
