/**
 * Reranking: asked in Cohere's words, said in those of the provider, and answered in Cohere's again.
 */
import { arrayOf, isJsonObject, type JsonObject } from "@switchyard/core/Json"
import { media } from "@switchyard/core/Media"
import type { Hearing } from "../exchange/hearing.js"

type Body = Record<string, unknown>

/** How a provider says it otherwise. */
interface Wording {
  /** Fields that it calls otherwise. */
  readonly renames: Readonly<Record<string, string>>
  /** Fields that it refuses. */
  readonly without: ReadonlyArray<string>
  /** Whether documents are texts alone. */
  readonly textsOnly: boolean
}

const plain: Wording = { renames: {}, without: [], textsOnly: false }

/** By the provider's label, else by its protocol. */
const wordings: Readonly<Record<string, Wording>> = {
  cohere: {
    renames: {},
    without: ["return_documents", "rank_fields", "max_chunks_per_doc"],
    textsOnly: true
  },
  voyage: {
    renames: { top_n: "top_k" },
    without: ["rank_fields", "max_chunks_per_doc", "max_tokens_per_doc"],
    textsOnly: true
  },
  jina_ai: { renames: {}, without: ["rank_fields", "max_chunks_per_doc", "max_tokens_per_doc"], textsOnly: false }
}

/** Whoever is asked by another label, as a server of one's own is. */
const wordingOf = (provider: string, protocol: string): Wording => wordings[provider] ?? wordings[protocol] ?? plain

/** What a document says: a text, or its own field of that name, else all of it. */
const textOf = (document: unknown): string => {
  if (typeof document === "string") return document
  return isJsonObject(document) && typeof document.text === "string" ? document.text : JSON.stringify(document)
}

/** The payload as a provider wants it. */
export const worded = (body: Body, provider: string, protocol: string): Body => {
  const { renames, textsOnly, without } = wordingOf(provider, protocol)
  const said: Body = {}
  for (const [name, value] of Object.entries(body)) {
    if (without.includes(name) || value === null) continue
    said[renames[name] ?? name] = name === "documents" && textsOnly ? arrayOf(value).map(textOf) : value
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

/** A provider's answer in Cohere's shape; a text says why it is none. */
const ranking = (said: JsonObject, asked: JsonObject): JsonObject | string => {
  const { data, results: given, ...rest } = said
  const found = Array.isArray(given) ? given : Array.isArray(data) ? data : undefined
  // What is no ranking may be an error: whoever reads answers knows.
  if (found === undefined) return said
  const documents = arrayOf(asked.documents)
  const results: Array<JsonObject> = []
  for (const one of found) {
    const { document, index, relevance_score, score }: JsonObject = isJsonObject(one) ? one : {}
    const relevance = numberOf(relevance_score ?? score)
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
  return { ...more, results }
}

/** Hears the ranking of the documents of a request. */
export const hearRanking = (asked: JsonObject): Hearing => {
  const { answer } = media
  return {
    framing: "sse",
    isSame: false,
    answer: (body) => ranking(body, asked),
    isError: (json) => answer.error({ data: "", json }) !== undefined,
    events: answer.events,
    stream: () => ({ read: () => false, end: () => {} })
  }
}
