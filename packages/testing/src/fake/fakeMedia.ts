/**
 * What a fake upstream is asked beside conversations, read as strictly as OpenAI, Cohere, Jina and Voyage do.
 *
 * @since 0.1.0
 */
import type { IncomingHttpHeaders } from "node:http"
import type { Answer, Parsed } from "./fakeAnswer.js"
import { errorAnswer } from "./fakeAnswer.js"
import { type FakeFile, type FakeOperation, readForm } from "./fakeForm.js"

const paths: Readonly<Record<string, FakeOperation>> = {
  "/v1/rerank": "rerank",
  "/v2/rerank": "cohereRerank",
  "/voyage/v1/rerank": "voyageRerank",
  "/inference/v1/rerank": "fireworksRerank",
  "/rerank": "teiRerank",
  "/v1/ranking": "nvidiaRerank",
  "/bedrock/rerank": "bedrockRerank",
  "/v1/moderations": "moderation",
  "/v1/images/generations": "image",
  "/v1/images/edits": "imageEdit",
  "/v1/images/variations": "imageVariation",
  "/v1/audio/speech": "speech",
  "/v1/audio/transcriptions": "transcription",
  "/v1/audio/translations": "translation"
}

const forms: ReadonlySet<FakeOperation> = new Set(["imageEdit", "imageVariation", "transcription", "translation"])

/** Those that are told no model, or not by that name. */
const nameless: ReadonlySet<FakeOperation> = new Set(["teiRerank", "bedrockRerank"])

/** Azure asks its deployments by path, and says a version. */
const plainPath = (path: string): string => path.replace(/^\/openai\/(?:deployments\/[^/]+|v1)\//, "/v1/")

/** What a path asks; undefined for conversations. */
export const mediaAt = (method: string, path: string): FakeOperation | undefined =>
  method === "POST" ? paths[plainPath(path)] : undefined

type Body = Readonly<Record<string, unknown>>

const invalid = (message: string, param: string | null = null, code: string | null = null): Answer =>
  errorAnswer(400, { message, param, code })

const missing = (param: string): Answer =>
  invalid(`Missing required parameter: '${param}'.`, param, "missing_required_parameter")

const unknownParameter = (param: string): Answer =>
  invalid(`Unknown parameter: '${param}'.`, param, "unknown_parameter")

const voices = ["alloy", "ash", "ballad", "coral", "echo", "fable", "nova", "onyx", "sage", "shimmer", "verse"]
const spokenFormats = ["mp3", "opus", "aac", "flac", "wav", "pcm"]
const transcriptFormats = ["json", "text", "srt", "verbose_json", "vtt", "diarized_json"]
const soundFile = /\.(?:flac|m4a|mp3|mp4|mpeg|mpga|oga|ogg|wav|webm)$/i
const sizes = ["auto", "256x256", "512x512", "1024x1024", "1536x1024", "1024x1536", "1792x1024", "1024x1792"]

/** Whether a model is one of those that make pictures and tell tokens. */
export const isGptImage = (model: string): boolean => model.startsWith("gpt-image")

const oneOf = (param: string, value: unknown, allowed: ReadonlyArray<string>): Answer | undefined =>
  value === undefined || (typeof value === "string" && allowed.includes(value))
    ? undefined
    : invalid(
        `Invalid value: '${String(value)}'. Supported values are: ${allowed.map((one) => `'${one}'`).join(", ")}.`,
        param,
        "invalid_value"
      )

const countIn = (body: Body): Answer | undefined => {
  const count = body.n === undefined ? 1 : Number(body.n)
  return Number.isInteger(count) && count >= 1 && count <= 10
    ? undefined
    : invalid("Invalid 'n': expected a number from 1 to 10.", "n", "invalid_value")
}

const imageProblem = (body: Body, model: string): Answer | undefined => {
  if (body.response_format !== undefined && isGptImage(model)) return unknownParameter("response_format")
  if (body.stream === true && !isGptImage(model)) return unknownParameter("stream")
  return countIn(body) ?? oneOf("size", body.size, sizes)
}

const rerankProblem = (body: Body, without: ReadonlyArray<string>, bound: string): Answer | undefined => {
  const known = ["model", "query", "documents", bound, "return_documents", "max_tokens_per_doc", "truncation"]
  const odd = Object.keys(body).find((name) => !known.includes(name) || without.includes(name))
  if (odd !== undefined) return unknownParameter(odd)
  if (typeof body.query !== "string") return missing("query")
  if (!Array.isArray(body.documents) || body.documents.length === 0) return missing("documents")
  return undefined
}

const hasOnly = (body: unknown, known: Readonly<Record<string, (value: unknown) => boolean>>): Answer | undefined => {
  const fields = (typeof body === "object" && body !== null ? body : {}) as Body
  const odd = Object.keys(fields).find((name) => !Object.hasOwn(known, name))
  if (odd !== undefined) return unknownParameter(odd)
  const wrong = Object.keys(known).find((name) => known[name]?.(fields[name]) !== true)
  return wrong === undefined ? undefined : missing(wrong)
}

const isText = (value: unknown): boolean => typeof value === "string"
const isPassage = (value: unknown): boolean => hasOnly(value, { text: isText }) === undefined
const eachIs = (fits: (value: unknown) => boolean) => (value: unknown) =>
  Array.isArray(value) && value.length > 0 && value.every(fits)

const isInline = (value: unknown): boolean =>
  hasOnly(value, {
    type: (type) => type === "INLINE",
    inlineDocumentSource: (source) =>
      hasOnly(source, { type: (type) => type === "TEXT", textDocument: isPassage }) === undefined ||
      hasOnly(source, { type: (type) => type === "JSON", jsonDocument: (json) => typeof json === "object" }) ===
        undefined
  }) === undefined

const isBedrockRanking = (value: unknown): boolean =>
  hasOnly(value, {
    type: (type) => type === "BEDROCK_RERANKING_MODEL",
    bedrockRerankingConfiguration: (one) =>
      hasOnly(one, {
        numberOfResults: Number.isInteger,
        modelConfiguration: (model) =>
          hasOnly(model, { modelArn: (arn) => /^arn:aws:bedrock:[\w-]+::foundation-model\/.+/.test(String(arn)) }) ===
          undefined
      }) === undefined
  }) === undefined

const textsAlone = (body: Body): Answer | undefined =>
  (body.documents as ReadonlyArray<unknown>).every((document) => typeof document === "string")
    ? undefined
    : invalid("documents: expected strings", "documents")

const heardProblem = (body: Body, files: ReadonlyArray<FakeFile>): Answer | undefined => {
  const file = files.find(({ name }) => name === "file")
  if (file === undefined) return missing("file")
  if (!soundFile.test(file.filename)) {
    return invalid(`Unrecognized file format: ${file.filename}. Supported formats: ['flac', 'mp3', 'wav', …]`)
  }
  if (file.size < 100) return invalid("Audio file is too short. Minimum audio length is 0.1 seconds.", "file")
  if (body["timestamp_granularities[]"] !== undefined && body.response_format !== "verbose_json") {
    return invalid("timestamp_granularities needs response_format verbose_json", "timestamp_granularities")
  }
  return oneOf("response_format", body.response_format, transcriptFormats)
}

const hasImage = (files: ReadonlyArray<FakeFile>): Answer | undefined => {
  const images = files.filter(({ name }) => name === "image" || name === "image[]")
  if (images.length === 0) return missing("image")
  return images.every(({ contentType }) => contentType.startsWith("image/"))
    ? undefined
    : invalid(`Invalid file 'image': unsupported mimetype ('${images[0]?.contentType}').`, "image")
}

const problemOf = (operation: FakeOperation, body: Body, model: string, files: ReadonlyArray<FakeFile>) => {
  switch (operation) {
    case "rerank":
      return rerankProblem(body, ["max_tokens_per_doc", "truncation"], "top_n")
    case "cohereRerank":
      return rerankProblem(body, ["return_documents", "truncation"], "top_n") ?? textsAlone(body)
    case "voyageRerank":
      return rerankProblem(body, ["max_tokens_per_doc"], "top_k") ?? textsAlone(body)
    case "fireworksRerank":
      return rerankProblem(body, ["max_tokens_per_doc", "truncation"], "top_n") ?? textsAlone(body)
    case "teiRerank":
      return hasOnly(body, { query: isText, texts: eachIs(isText), truncate: (value) => typeof value === "boolean" })
    case "nvidiaRerank":
      return hasOnly(body, {
        model: isText,
        query: isPassage,
        passages: eachIs(isPassage),
        truncate: (value) => value === "END" || value === "NONE"
      })
    case "bedrockRerank":
      return hasOnly(body, {
        queries: eachIs((one) => hasOnly(one, { type: (type) => type === "TEXT", textQuery: isPassage }) === undefined),
        sources: eachIs(isInline),
        rerankingConfiguration: isBedrockRanking
      })
    case "moderation":
      return body.input === undefined ? missing("input") : undefined
    case "image":
      return typeof body.prompt === "string" ? imageProblem(body, model) : missing("prompt")
    case "imageEdit":
      return hasImage(files) ?? (typeof body.prompt === "string" ? imageProblem(body, model) : missing("prompt"))
    case "imageVariation":
      return hasImage(files) ?? imageProblem(body, model)
    case "speech":
      if (typeof body.input !== "string") return missing("input")
      if (body.voice === undefined) return missing("voice")
      return oneOf("voice", body.voice, voices) ?? oneOf("response_format", body.response_format, spokenFormats)
    case "transcription":
    case "translation":
      return heardProblem(body, files)
  }
}

/** Reads such a request: what the journal keeps of it, and what it asks, or the answer that it gets at once. */
export const readMedia = (
  operation: FakeOperation,
  headers: IncomingHttpHeaders,
  raw: Buffer
): { readonly body: unknown; readonly parsed: Parsed | Answer } => {
  const isForm = forms.has(operation)
  const length = headers["content-length"]
  if (isForm && length === undefined) {
    return { body: undefined, parsed: errorAnswer(411, { message: "Length Required" }) }
  }
  const form = isForm ? readForm(headers["content-type"], raw) : undefined
  if (typeof form === "string") {
    return { body: raw.toString("latin1").slice(0, 4096), parsed: invalid(`Could not parse multipart form: ${form}`) }
  }
  const kept = form ?? jsonOf(raw)
  if (form === undefined && (typeof kept !== "object" || kept === null)) {
    return { body: kept, parsed: invalid("We could not parse the JSON body of your request.") }
  }
  const doubled = Object.entries(form?.fields ?? {}).find(([name, values]) => values.length > 1 && !name.endsWith("[]"))
  if (doubled !== undefined) return { body: kept, parsed: invalid(`Duplicate parameter: '${doubled[0]}'.`, doubled[0]) }
  const body: Body =
    form === undefined
      ? (kept as Body)
      : Object.fromEntries(Object.entries(form.fields).map(([name, values]) => [name, values[0]]))
  const files = form?.files ?? []
  const { model } = body
  if (typeof model !== "string" && !nameless.has(operation))
    return { body: kept, parsed: invalid("you must provide a model parameter") }
  const problem = problemOf(operation, body, String(model ?? ""), files)
  if (problem !== undefined) return { body: kept, parsed: problem }
  const stream = body.stream === true || body.stream === "true" || body.stream_format === "sse"
  return {
    body: kept,
    parsed: { endpoint: "media", body, model: String(model ?? ""), stream, media: { operation, files } }
  }
}

const jsonOf = (raw: Buffer): unknown => {
  try {
    return JSON.parse(raw.toString("utf8"))
  } catch {
    return raw.toString("utf8")
  }
}
