/**
 * Where an answer's words come from: Google's grounding and its citations, with places in bytes, as citations with places in
 * characters; and probabilities of tokens as chat has them.
 */

import { isJsonObject, type JsonObject } from "@switchyard/core/Json"
import type { Citation } from "../../conversation/Conversation.js"
import { byteLength } from "../../parts/base64.js"
import { asNumber, asString, objectOf } from "../../parts/values.js"
import { field, given, listOf, objectsOf } from "../parts/spelling.js"

/** A text of an answer, and the number of its part. */
export interface Said {
  readonly part: number
  readonly text: string
}

/** A citation, and the part that it stands behind. */
export interface Cited {
  readonly part: number
  readonly citation: Citation
}

/** The place of a byte of a text's UTF-8 in characters. */
const characterAt = (text: string, bytes: number): number => {
  let left = bytes
  for (let at = 0; at < text.length; at++) {
    if (left <= 0) return at
    const code = text.charCodeAt(at)
    if (code < 0x80) left -= 1
    else if (code < 0x800) left -= 2
    else if (code >= 0xd800 && code <= 0xdbff && at + 1 < text.length) {
      left -= 4
      at++
    } else left -= 3
  }
  return text.length
}

const placed = (said: Said, segment: JsonObject): { readonly start?: number; readonly end?: number } => {
  const { text } = said
  const words = asString(segment.text)
  const end = asNumber(field(segment, "endIndex"))
  if (end !== undefined) {
    const start = characterAt(text, asNumber(field(segment, "startIndex")) ?? 0)
    const place = { start, end: characterAt(text, end) }
    if (words === undefined || text.slice(place.start, place.end) === words) return place
  }
  // In streams the places are counted otherwise: the words tell.
  const found = words === undefined || words === "" ? -1 : text.indexOf(words)
  return found === -1 ? {} : { start: found, end: found + (words as string).length }
}

const grounded = (metadata: JsonObject, texts: ReadonlyArray<Said>, told: Array<Cited>): void => {
  const chunks = listOf(field(metadata, "groundingChunks"))
  for (const support of objectsOf(field(metadata, "groundingSupports"))) {
    const segment = objectOf(support.segment)
    const at = asNumber(field(segment, "partIndex"))
    const said = texts.find(({ part }) => part === at) ?? texts[0]
    if (said === undefined) continue
    for (const index of listOf(field(support, "groundingChunkIndices"))) {
      const chunk = typeof index === "number" ? objectOf(chunks[index]) : {}
      const source = objectOf(chunk.web ?? field(chunk, "retrievedContext") ?? chunk.maps)
      told.push({
        part: said.part,
        citation: {
          dialect: "gemini",
          ...given("url", asString(source.uri)),
          ...given("title", asString(source.title)),
          ...given("cited", asString(segment.text)),
          ...placed(said, segment),
          value: { chunk, support }
        }
      })
    }
  }
}

/** What a candidate cites of its texts. */
export const citationsIn = (candidate: JsonObject, texts: ReadonlyArray<Said>): ReadonlyArray<Cited> => {
  const grounding = field(candidate, "groundingMetadata")
  const citations = field(candidate, "citationMetadata")
  const first = texts[0]
  const told: Array<Cited> = []
  if (first === undefined) return told
  if (isJsonObject(grounding)) grounded(grounding, texts, told)
  if (!isJsonObject(citations)) return told
  for (const value of objectsOf(field(citations, "citationSources") ?? citations.citations)) {
    const citation: Citation = {
      dialect: "gemini",
      ...given("url", asString(value.uri)),
      ...given("title", asString(value.title)),
      ...placed(first, value),
      value
    }
    told.push({ part: first.part, citation })
  }
  return told
}

const bytesTo = (text: string, end: number): number => byteLength(text.slice(0, end))

/** A place of a text, as Gemini counts. */
const segmentOf = ({ citation, part }: Cited, texts: ReadonlyArray<Said>): JsonObject => {
  const { cited: words, end, start } = citation
  const text = texts.find((said) => said.part === part)?.text ?? ""
  return {
    partIndex: part,
    ...(end === undefined ? {} : { startIndex: bytesTo(text, start ?? 0), endIndex: bytesTo(text, end) }),
    ...given("text", end === undefined ? words : text.slice(start ?? 0, end))
  }
}

/** `groundingMetadata` of citations; Gemini's own are told as they came. Undefined where there are none. */
export const writeGrounding = (cited: ReadonlyArray<Cited>, texts: ReadonlyArray<Said>): JsonObject | undefined => {
  if (cited.length === 0) return undefined
  const chunks = new Map<unknown, number>()
  const supports = new Map<unknown, { readonly support: JsonObject; readonly groundingChunkIndices: Array<number> }>()
  for (const one of cited) {
    const { dialect, title, url, value } = one.citation
    const isOwn = dialect === "gemini" && isJsonObject(value.chunk) && isJsonObject(value.support)
    const chunk = isOwn ? value.chunk : { web: { ...given("uri", url), ...given("title", title) } }
    let index = chunks.get(chunk)
    if (index === undefined) {
      index = chunks.size
      chunks.set(chunk, index)
    }
    const key = isOwn ? value.support : one
    const known = supports.get(key)
    if (known !== undefined) known.groundingChunkIndices.push(index)
    else {
      const support = isOwn ? objectOf(value.support) : { segment: segmentOf(one, texts) }
      supports.set(key, { support, groundingChunkIndices: [index] })
    }
  }
  return {
    groundingChunks: [...chunks.keys()],
    groundingSupports: [...supports.values()].map(({ groundingChunkIndices, support }) => ({
      ...support,
      groundingChunkIndices
    }))
  }
}

const tokenOf = (candidate: unknown): JsonObject => {
  const { token, ...rest } = objectOf(candidate)
  const logprob = asNumber(field(rest, "logProbability"))
  return { token: asString(token) ?? "", logprob: logprob ?? null, bytes: null }
}

/** `logprobsResult` as chat has it. */
export const readLogprobs = (result: unknown): JsonObject | undefined => {
  if (!isJsonObject(result)) return undefined
  const tops = listOf(field(result, "topCandidates"))
  const content = listOf(field(result, "chosenCandidates")).map((chosen, at) => ({
    ...tokenOf(chosen),
    top_logprobs: listOf(objectOf(tops[at]).candidates).map(tokenOf)
  }))
  return { content }
}

const candidateOf = (token: JsonObject): JsonObject => ({ token: token.token, logProbability: token.logprob })

/** Chat's probabilities as `logprobsResult`. */
export const writeLogprobs = (logprobs: JsonObject): JsonObject => {
  const content = objectsOf(logprobs.content)
  return {
    chosenCandidates: content.map(candidateOf),
    topCandidates: content.map((token) => ({ candidates: objectsOf(token.top_logprobs).map(candidateOf) }))
  }
}
