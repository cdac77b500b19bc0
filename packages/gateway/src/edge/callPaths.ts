/**
 * The paths at which models are asked, in every language that callers speak: which operation each is, in whose words, and what
 * it says itself of the model and of the answer.
 */
import type { Operation } from "@switchyard/core/LlmRequest"
import type { Speech } from "../errors/ErrorBody.js"
import { decodePart, pathOf } from "./requestPath.js"

/** What is asked for in place of an answer: how many tokens a request has, or a conversation made shorter. */
type Aside = "count" | "compact"

/** What a path asks for of what providers keep. */
export interface ObjectPath {
  readonly kind: "files" | "batches" | "passThrough"
  /** The object that it names, as it stands in the path. */
  readonly id: string | undefined
  /** What of it. */
  readonly part: string | undefined
  /** The path below the prefix, as it goes on. */
  readonly below: string
}

/** What a path asks for. */
export interface PathTarget {
  readonly operation: Operation
  readonly speech: Speech
  /** The model that the path names, as Azure's and Google's do; it beats the body's. */
  readonly model: string | undefined
  /** Whether the answer is streamed, where the path says it. */
  readonly stream?: boolean | undefined
  /** A stream that is one list of JSON and no events: Google's, unless `alt=sse` asks for events. */
  readonly isList?: boolean | undefined
  readonly aside?: Aside | undefined
  /** What is asked of an object, in place of a model. */
  readonly object?: ObjectPath | undefined
}

type Ending = Pick<PathTarget, "operation" | "speech" | "aside">

const openAi: Readonly<Record<string, Ending>> = {
  "chat/completions": { operation: "chat", speech: "chat" },
  completions: { operation: "completion", speech: "chat" },
  embeddings: { operation: "embeddings", speech: "chat" },
  responses: { operation: "chat", speech: "responses" },
  "responses/compact": { operation: "chat", speech: "responses", aside: "compact" },
  "responses/input_tokens": { operation: "chat", speech: "responses", aside: "count" },
  moderations: { operation: "moderation", speech: "chat" },
  rerank: { operation: "rerank", speech: "chat" },
  "images/generations": { operation: "image", speech: "chat" },
  "images/edits": { operation: "imageEdit", speech: "chat" },
  "images/variations": { operation: "imageVariation", speech: "chat" },
  "audio/speech": { operation: "speech", speech: "chat" },
  "audio/transcriptions": { operation: "transcription", speech: "chat" },
  "audio/translations": { operation: "translation", speech: "chat" }
}

/** Cohere's own, of which the version is a part of the path. */
const cohere: Readonly<Record<string, Ending>> = { rerank: { operation: "rerank", speech: "chat" } }

const anthropic: Readonly<Record<string, Ending>> = {
  messages: { operation: "chat", speech: "messages" },
  "messages/count_tokens": { operation: "chat", speech: "messages", aside: "count" }
}

const verbs: Readonly<Record<string, Omit<PathTarget, "model">>> = {
  generateContent: { operation: "chat", speech: "gemini", stream: false },
  streamGenerateContent: { operation: "chat", speech: "gemini", stream: true },
  countTokens: { operation: "chat", speech: "gemini", stream: false, aside: "count" },
  embedContent: { operation: "embeddings", speech: "gemini", stream: false },
  batchEmbedContents: { operation: "embeddings", speech: "gemini", stream: false }
}

/** What may stand before a path of OpenAI's: base URLs are written with and without a version, and Azure's clients add `/openai`. */
export const prefixes = ["/v1", "", "/openai/v1", "/openai"] as const

/** The same of Anthropic's. */
export const anthropicPrefixes = ["/v1", "", "/anthropic/v1", "/anthropic"] as const

/** What may stand before Google's `/models`. */
export const googlePrefixes = ["/v1beta", "/v1", "", "/v1beta1", "/v1alpha"] as const

const below = (
  under: ReadonlyArray<string>,
  endings: Readonly<Record<string, Ending>>
): ReadonlyArray<readonly [string, PathTarget]> =>
  under.flatMap((prefix) =>
    Object.entries(endings).map(([path, ending]) => [`${prefix}/${path}`, { ...ending, model: undefined }] as const)
  )

const plain: ReadonlyMap<string, PathTarget> = new Map([
  ...below(prefixes, openAi),
  ...below(anthropicPrefixes, anthropic),
  ...below(["/v2", "/cohere/v1", "/cohere/v2"], cohere)
])

const withModel =
  /^(?:\/openai)?(?:\/v1)?\/(?:deployments|engines)\/(.+?)\/(chat\/completions|completions|embeddings|responses|images\/[a-z]+|audio\/[a-z]+)$/

/** Vertex AI's clients name a project and a publisher; some clients leave `models/` out before a name with a slash. */
const withVerb =
  /^(?:\/v1(?:beta1?|alpha)?(?:\/projects\/[^/]+\/locations\/[^/]+)?(?:\/publishers\/[^/]+)?)?\/(models\/)?(.*[^/])(?::|%3a)([a-z]+)$/i

const atVerb = (path: string, url: string): PathTarget | undefined => {
  const [, folder, part = "", verb = ""] = withVerb.exec(path) ?? []
  const known = Object.hasOwn(verbs, verb) ? verbs[verb] : undefined
  const model = known === undefined ? undefined : decodePart(part)
  if (known === undefined || model === undefined || (folder === undefined && !path.startsWith("/v1"))) return undefined
  return known.stream === true && !/[?&](?:\$|%24)?alt=sse(?:[&#]|$)/i.test(url)
    ? { ...known, model, isList: true }
    : { ...known, model }
}

/** What a path of `pathOf` asks of a model; undefined for every other path. */
const targetAt = (path: string, url: string): PathTarget | undefined => {
  const known = plain.get(path)
  if (known !== undefined) return known
  const [, part = "", ending = ""] = withModel.exec(path) ?? []
  const found = openAi[ending]
  if (found === undefined) return atVerb(path, url)
  const model = decodePart(part)
  return model === undefined ? undefined : { ...found, model }
}

/** What a URL asks of a model; undefined for every other URL. */
export const targetOf = (url: string): PathTarget | undefined => plain.get(url) ?? targetAt(pathOf(url), url)

type Headers = Readonly<Record<string, string | ReadonlyArray<string> | undefined>>

/** The language to answer in, whatever the path: that of the path where it has one, else of the client that the headers show. */
export const speechOf = (url: string, headers: Headers): Speech => {
  const said = targetOf(url)?.speech
  if (said !== undefined) return said
  if (/^\/+v1(?:beta|alpha)/.test(url)) return "gemini"
  if (url.startsWith("/anthropic") || headers["anthropic-version"] !== undefined) return "messages"
  return headers["x-goog-api-key"] !== undefined || headers["x-goog-api-client"] !== undefined ? "gemini" : "chat"
}

const kept = /^(?:\/openai)?(?:\/v1)?\/responses\/([^/]+)(?:\/(cancel|input_items))?$/

/** An answer that a provider keeps, and what is asked of it. */
export interface KeptAnswer {
  readonly id: string
  readonly part: "cancel" | "input_items" | undefined
}

/** The kept answer that a path names; undefined for every other path. */
export const keptAnswerAt = (path: string): KeptAnswer | undefined => {
  const [, text, part] = plain.has(path) ? [] : (kept.exec(path) ?? [])
  const id = text === undefined ? undefined : decodePart(text)
  return id === undefined ? undefined : { id, part: part as KeptAnswer["part"] }
}
