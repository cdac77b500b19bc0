/**
 * Reranking: asked in Cohere's words, said in those of the provider, and answered in Cohere's again.
 */
import type { Deployment } from "@switchyard/core/Deployment"
import { arrayOf, isJsonObject, type JsonObject } from "@switchyard/core/Json"
import { media } from "@switchyard/core/Media"
import type { Hearing } from "../exchange/hearing.js"
import { textOf, wordingOf } from "./rankers.js"

type Body = Record<string, unknown>

/** The payload as a provider wants it. */
export const worded = (body: Body, target: Deployment, protocol: string): Readonly<Body> => {
  const { renames, shaped, textsOnly, without } = wordingOf(target.provider, protocol)
  if (shaped !== undefined) return shaped(body, target)
  const said: Body = {}
  for (const [name, value] of Object.entries(body)) {
    if (without.includes(name) || value === null) continue
    const theirs = Object.hasOwn(renames, name) ? renames[name] : undefined
    said[theirs ?? name] = name === "documents" && textsOnly ? arrayOf(value).map(textOf) : value
  }
  return said
}

const documentOf = (found: unknown, own: unknown): JsonObject => {
  if (isJsonObject(found)) return found
  if (typeof found === "string") return { text: found }
  return isJsonObject(own) ? own : { text: textOf(own) }
}

const numberOf = (value: unknown): number | undefined => {
  const number = typeof value === "string" && value !== "" ? Number(value) : value
  return typeof number === "number" && Number.isFinite(number) ? number : undefined
}

/** How relevant a document is, from 0 to 1 where a provider tells odds (`logit`). */
const relevanceOf = ({ logit, relevance_score, relevanceScore, score }: JsonObject): number | undefined => {
  const told = numberOf(relevance_score ?? relevanceScore ?? score)
  const odds = told === undefined ? numberOf(logit) : undefined
  return odds === undefined ? told : 1 / (1 + Math.exp(-odds))
}

/** A provider's answer in Cohere's shape, no longer than asked for; a text says why it is none. */
const ranking = (said: JsonObject, asked: JsonObject): JsonObject | string => {
  const { data, rankings, results: given, nextToken: _more, ...rest } = said
  const found = [given, data, rankings].find((one) => Array.isArray(one))
  // What is no ranking may be an error: whoever reads answers knows.
  if (found === undefined) return said
  const documents = arrayOf(asked.documents)
  const results: Array<JsonObject> = []
  for (const one of found) {
    const ranked: JsonObject = isJsonObject(one) ? one : {}
    const { document, index } = ranked
    const relevance = relevanceOf(ranked)
    if (typeof index !== "number" || relevance === undefined || !(index in documents)) {
      return "ranks something that is no document of the request"
    }
    results.push({
      index,
      relevance_score: relevance,
      ...(asked.return_documents === true ? { document: documentOf(document, documents[index]) } : {})
    })
  }
  const { object: _, ...more } = rest
  const { top_n: most } = asked
  // Whoever gives all of them gives the best first, but nobody promises it.
  const isCut = typeof most === "number" && most < results.length
  if (!isCut) return { ...more, results }
  const best = results.sort((a, b) => Number(b.relevance_score) - Number(a.relevance_score))
  return { ...more, results: best.slice(0, most) }
}

/** Hears the ranking of the documents of a request. */
export const hearRanking = (asked: JsonObject): Hearing => {
  const { answer } = media
  return {
    framing: "sse",
    isSame: false,
    ofList: (results) => ({ results }),
    answer: (body) => ranking(body, asked),
    isError: (json) => answer.error({ data: "", json }) !== undefined,
    events: answer.events,
    stream: () => ({ read: () => false, end: () => {} })
  }
}
