/**
 * How those who rank documents want to be asked, where they want it otherwise than Jina and those like it.
 */
import type { Deployment } from "@switchyard/core/Deployment"
import { arrayOf, isJsonObject } from "@switchyard/core/Json"
import { modelArn } from "../protocols/bedrock.js"

type Body = Readonly<Record<string, unknown>>

/** How a provider says it otherwise. */
export interface Wording {
  /** Fields that it calls otherwise. */
  readonly renames: Readonly<Record<string, string>>
  /** Fields that it refuses. */
  readonly without: ReadonlyArray<string>
  /** Whether documents are texts alone. */
  readonly textsOnly: boolean
  /** The whole payload, where that has another shape. */
  readonly shaped?: (body: Body, target: Deployment) => Body
}

const plain: Wording = { renames: {}, without: [], textsOnly: false }

/** What a document says: a text, or its own field of that name, else all of it. */
export const textOf = (document: unknown): string => {
  if (typeof document === "string") return document
  return isJsonObject(document) && typeof document.text === "string" ? document.text : JSON.stringify(document)
}

const textsOf = ({ documents }: Body): ReadonlyArray<string> => arrayOf(documents).map(textOf)

/** Cohere's words, and what those ranks by that no other has. */
const cohereOnly = ["rank_fields", "max_chunks_per_doc", "max_tokens_per_doc"]
const ours = new Set(["model", "query", "documents", "top_n", "return_documents", ...cohereOnly])

/** What a caller or a deployment says beside: the provider's own words. */
const beside = (body: Body): Body =>
  Object.fromEntries(Object.entries(body).filter(([name, value]) => !ours.has(name) && value !== null))

/** Text Embeddings Inference: one model, which nobody names. It gives all of them back. */
const tei = (body: Body): Body => ({ truncate: true, ...beside(body), query: body.query, texts: textsOf(body) })

/** NVIDIA's NIM, which gives all of them back, too. */
const nvidia = (body: Body): Body => ({
  truncate: "END",
  ...beside(body),
  model: body.model,
  query: { text: body.query },
  passages: textsOf(body).map((text) => ({ text }))
})

const bedrock = (body: Body, target: Deployment): Body => {
  const { documents, query, top_n } = body
  const more = beside(body)
  const modelConfiguration = {
    modelArn: modelArn(target, String(body.model)),
    ...(Object.keys(more).length === 0 ? {} : { additionalModelRequestFields: more })
  }
  return {
    queries: [{ type: "TEXT", textQuery: { text: query } }],
    sources: arrayOf(documents).map((document) => ({
      type: "INLINE",
      inlineDocumentSource:
        isJsonObject(document) && typeof document.text !== "string"
          ? { type: "JSON", jsonDocument: document }
          : { type: "TEXT", textDocument: { text: textOf(document) } }
    })),
    rerankingConfiguration: {
      type: "BEDROCK_RERANKING_MODEL",
      bedrockRerankingConfiguration: {
        // One answer holds at most as many as documents, and fewer where nobody says how many.
        numberOfResults: Math.min(
          typeof top_n === "number" ? top_n : Number.POSITIVE_INFINITY,
          arrayOf(documents).length
        ),
        modelConfiguration
      }
    }
  }
}

/** By the provider's label, else by its protocol. */
const wordings: Readonly<Record<string, Wording>> = {
  cohere: {
    renames: {},
    without: ["return_documents", "rank_fields", "max_chunks_per_doc"],
    textsOnly: true
  },
  voyage: { renames: { top_n: "top_k" }, without: cohereOnly, textsOnly: true },
  jina_ai: { renames: {}, without: cohereOnly, textsOnly: false },
  fireworks_ai: { renames: {}, without: cohereOnly, textsOnly: true },
  tei: { ...plain, shaped: tei },
  huggingface: { ...plain, shaped: tei },
  nvidia_nim: { ...plain, shaped: nvidia },
  bedrock: { ...plain, shaped: bedrock }
}

/** Whoever is asked by another label, as a server of one's own is, is asked as Jina is. */
export const wordingOf = (provider: string, protocol: string): Wording =>
  wordings[provider] ?? wordings[protocol] ?? plain
