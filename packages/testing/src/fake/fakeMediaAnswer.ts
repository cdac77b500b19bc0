/**
 * What a fake upstream answers to what is asked beside conversations.
 *
 * @since 0.1.0
 */
import { type Answer, errorAnswer, type Parsed, type Step } from "./fakeAnswer.js"
import { type Behaviour, errorStatus } from "./fakeBehaviour.js"
import type { MediaAsked } from "./fakeForm.js"
import { isGptImage } from "./fakeMedia.js"

/** Bytes of sound in a second, as this upstream hears it. */
const bytesPerSecond = 32_000

const pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="

/** Sound that is the same for the same length, and no text in any encoding. */
export const soundOf = (size: number): Buffer =>
  Buffer.from(Uint8Array.from({ length: size }, (_, at) => (at * 131 + 7) % 256))

const wordsOf = (text: unknown): ReadonlyArray<string> => String(text).toLowerCase().match(/\w+/g) ?? []

/** The share of the query's words that a document has. */
const relevance = (query: unknown, document: unknown): number => {
  const asked = wordsOf(query)
  const said = new Set(wordsOf(typeof document === "object" ? JSON.stringify(document) : document))
  return asked.length === 0 ? 0 : asked.filter((word) => said.has(word)).length / asked.length
}

interface Ranked {
  readonly index: number
  readonly score: number
}

const ranked = (
  { body }: Parsed,
  bound: unknown,
  documents = body.documents as ReadonlyArray<unknown>,
  query = body.query
): ReadonlyArray<Ranked> => {
  const scores = documents.map((document, index) => ({ index, score: relevance(query, document) }))
  const sorted = scores.sort((a, b) => b.score - a.score || a.index - b.index)
  return typeof bound === "number" ? sorted.slice(0, bound) : sorted
}

const tokensOf = (value: unknown): number => Math.ceil(JSON.stringify(value).length / 4)

/** As those do whose shape is all their own. */
const rankedOtherwise = (operation: MediaAsked["operation"], parsed: Parsed): unknown => {
  const { body } = parsed
  const each = (list: unknown, query: unknown, named: (one: Ranked) => object, bound?: unknown) =>
    ranked(parsed, bound, list as ReadonlyArray<unknown>, query).map(named)
  switch (operation) {
    case "teiRerank":
      return each(body.texts, body.query, (one) => one)
    case "nvidiaRerank":
      return {
        rankings: each(body.passages, JSON.stringify(body.query), ({ index, score }) => ({
          index,
          logit: score * 4 - 2
        })),
        usage: { prompt_tokens: 9, total_tokens: 9 }
      }
    case "bedrockRerank": {
      const { bedrockRerankingConfiguration: asked } = body.rerankingConfiguration as {
        readonly bedrockRerankingConfiguration: { readonly numberOfResults: number }
      }
      const relevant = ({ index, score }: Ranked) => ({ index, relevanceScore: score })
      return { results: each(body.sources, JSON.stringify(body.queries), relevant, asked.numberOfResults) }
    }
    default:
      return undefined
  }
}

const rankedBy = (operation: MediaAsked["operation"], parsed: Parsed, id: string): unknown => {
  const own = rankedOtherwise(operation, parsed)
  if (own !== undefined) return own
  const { body, model } = parsed
  const documents = body.documents as ReadonlyArray<unknown>
  const usage = { total_tokens: tokensOf([body.query, documents]) }
  const text = (index: number): unknown => documents[index]
  if (operation === "cohereRerank") {
    const results = ranked(parsed, body.top_n).map(({ index, score }) => ({ index, relevance_score: score }))
    return { id, results, meta: { api_version: { version: "2" }, billed_units: { search_units: 1 } } }
  }
  if (operation === "voyageRerank" || operation === "fireworksRerank") {
    const data = ranked(parsed, body.top_k ?? body.top_n).map(({ index, score }) => ({
      index,
      relevance_score: score,
      ...(body.return_documents === true ? { document: text(index) } : {})
    }))
    return { object: "list", data, model, usage }
  }
  const results = ranked(parsed, body.top_n).map(({ index, score }) => ({
    index,
    relevance_score: score,
    ...(body.return_documents === false ? {} : { document: { text: text(index) } })
  }))
  return { model, usage, results }
}

const judged = ({ body, model }: Parsed, id: string): unknown => {
  const inputs = Array.isArray(body.input) && typeof body.input[0] === "string" ? body.input : [body.input]
  const results = inputs.map((input) => {
    const violence = JSON.stringify(input).includes("kill")
    return { flagged: violence, categories: { violence }, category_scores: { violence: violence ? 0.98 : 0.001 } }
  })
  return { id, model, results }
}

const imageUsage = (count: number) => ({
  total_tokens: 50 + 272 * count,
  input_tokens: 50,
  input_tokens_details: { text_tokens: 20, image_tokens: 30 },
  output_tokens: 272 * count
})

const pictured = ({ body, model }: Parsed, created: number): unknown => {
  const count = Number(body.n ?? 1)
  if (isGptImage(model)) {
    const data = Array.from({ length: count }, () => ({ b64_json: pixel }))
    const { quality = "low", size = "1024x1024" } = body
    return { created, background: "opaque", output_format: "png", quality, size, data, usage: imageUsage(count) }
  }
  const item = body.response_format === "b64_json" ? { b64_json: pixel } : { url: "https://images.invalid/1.png" }
  return { created, data: Array.from({ length: count }, () => ({ ...item, revised_prompt: body.prompt })) }
}

/** How long the first file lasts. */
const secondsOf = (files: MediaAsked["files"]): number => (files[0]?.size ?? 0) / bytesPerSecond

const transcriptUsage = (model: string, seconds: number): unknown =>
  model.startsWith("gpt-4o")
    ? {
        type: "tokens",
        total_tokens: 40,
        input_tokens: 30,
        input_token_details: { text_tokens: 10, audio_tokens: 20 },
        output_tokens: 10
      }
    : { type: "duration", seconds: Math.ceil(seconds) }

const contentTypes: Readonly<Record<string, string>> = {
  mp3: "audio/mpeg",
  opus: "audio/opus",
  aac: "audio/aac",
  flac: "audio/flac",
  wav: "audio/wav",
  pcm: "audio/pcm"
}

const textBody = (contentType: string, body: string): Answer => ({
  _tag: "Body",
  status: 200,
  contentType,
  body,
  ends: "answered"
})

const jsonBody = (behaviour: Behaviour, value: unknown): Answer => {
  const body = JSON.stringify(value)
  const isCut = behaviour.truncateJson === true
  return {
    _tag: "Body",
    status: behaviour.status ?? 200,
    contentType: "application/json",
    body: isCut ? body.slice(0, Math.floor(body.length / 2)) : body,
    ends: isCut ? "errored" : "answered"
  }
}

const partsOf = <A>(count: number, part: (from: number, to: number) => A, length: number): ReadonlyArray<A> =>
  Array.from({ length: count }, (_, at) =>
    part(Math.floor((at * length) / count), Math.floor(((at + 1) * length) / count))
  )

/** Pieces of an answer, with the waits and faults of a behaviour between them. */
const steps = (
  behaviour: Behaviour,
  pieces: ReadonlyArray<Pick<Step, "text" | "bytes">>,
  tail: ReadonlyArray<string>,
  contentType?: string
): Answer => {
  const found: Array<Step> = []
  const { chunkGapMs = 0, cutAfterChunks, errorEventAfterChunks, firstTokenMs = 0, stallAfterChunks } = behaviour
  const { gate, gateAfterChunks } = behaviour
  const answer = (ends: "answered" | "errored"): Answer => ({
    _tag: "Steps",
    status: 200,
    steps: found,
    instant: false,
    ends,
    ...(contentType === undefined ? {} : { contentType })
  })
  for (const [at, piece] of pieces.entries()) {
    if (gateAfterChunks === at) found.push({ waitMs: 0, text: "", chunks: 0, gate })
    if (errorEventAfterChunks === at) {
      const error = { type: "error", error: { message: "it broke", type: "server_error", code: "server_error" } }
      found.push({ waitMs: 0, text: `event: error\ndata: ${JSON.stringify(error)}\n\n`, chunks: 0 })
      return answer("errored")
    }
    if (cutAfterChunks === at || stallAfterChunks === at) {
      found.push({ waitMs: 0, text: "", chunks: 0, fault: cutAfterChunks === at ? "cut" : "stall" })
      return answer("errored")
    }
    found.push({ waitMs: at === 0 ? firstTokenMs : chunkGapMs, ...piece, chunks: 1 })
  }
  for (const text of tail) found.push({ waitMs: 0, text, chunks: 0 })
  return answer("answered")
}

const event = (json: { readonly type: string; readonly [field: string]: unknown }): string =>
  `event: ${json.type}\ndata: ${JSON.stringify(json)}\n\n`

const spoken = (behaviour: Behaviour, { body, stream }: Parsed): Answer => {
  const sound = soundOf(behaviour.audioBytes ?? 4_000)
  const pieces = partsOf(behaviour.chunks ?? 5, (from, to) => sound.subarray(from, to), sound.length)
  if (!stream) {
    const contentType = contentTypes[String(body.response_format ?? "mp3")] ?? "audio/mpeg"
    return steps(
      behaviour,
      pieces.map((bytes) => ({ text: "", bytes })),
      [],
      contentType
    )
  }
  const usage = { input_tokens: 9, output_tokens: 90, total_tokens: 99 }
  return steps(
    behaviour,
    pieces.map((bytes) => ({ text: event({ type: "speech.audio.delta", audio: bytes.toString("base64") }) })),
    [event({ type: "speech.audio.done", usage })]
  )
}

const stamp = (seconds: number, mark: string): string =>
  `00:00:${String(Math.floor(seconds)).padStart(2, "0")}${mark}000`

const heard = (behaviour: Behaviour, { body, media, model, stream }: Parsed, name: string): Answer => {
  const text = behaviour.reply ?? `Heard by ${name}`
  const seconds = secondsOf(media?.files ?? [])
  const usage = transcriptUsage(model, seconds)
  if (stream && model.startsWith("gpt-4o")) {
    const pieces = partsOf(behaviour.chunks ?? 5, (from, to) => text.slice(from, to), text.length)
    return steps(
      behaviour,
      pieces.map((delta) => ({ text: event({ type: "transcript.text.delta", delta }) })),
      [event({ type: "transcript.text.done", text, usage })]
    )
  }
  switch (body.response_format) {
    case "text":
      return textBody("text/plain; charset=utf-8", `${text}\n`)
    case "srt":
      return textBody("text/plain; charset=utf-8", `1\n${stamp(0, ",")} --> ${stamp(seconds, ",")}\n${text}\n\n`)
    case "vtt":
      return textBody("text/vtt", `WEBVTT\n\n${stamp(0, ".")} --> ${stamp(seconds, ".")}\n${text}\n\n`)
    case "verbose_json": {
      const segments = [{ id: 0, start: 0, end: seconds, text }]
      return jsonBody(behaviour, { task: "transcribe", language: "english", duration: seconds, text, segments, usage })
    }
    default:
      return jsonBody(behaviour, { text, usage })
  }
}

const painted = (behaviour: Behaviour, { media }: Parsed, created: number): Answer => {
  const prefix = media?.operation === "imageEdit" ? "image_edit" : "image_generation"
  const shared = { size: "1024x1024", quality: "low", background: "opaque", output_format: "png", created_at: created }
  const pieces = partsOf(
    behaviour.chunks ?? 2,
    (from) => ({
      text: event({ type: `${prefix}.partial_image`, b64_json: pixel, partial_image_index: from, ...shared })
    }),
    behaviour.chunks ?? 2
  )
  return steps(behaviour, pieces, [
    event({ type: `${prefix}.completed`, b64_json: pixel, ...shared, usage: imageUsage(1) })
  ])
}

/** What the upstream `name` says to such a request. */
export const mediaAnswer = (
  behaviour: Behaviour,
  parsed: Parsed,
  media: MediaAsked,
  { name, seq }: { readonly name: string; readonly seq: number }
): Answer => {
  const status = errorStatus(behaviour)
  if (status !== undefined) return errorAnswer(status, behaviour.error)
  const created = Math.floor(Date.now() / 1000)
  const id = `${name}-${seq}`
  switch (media.operation) {
    case "rerank":
    case "cohereRerank":
    case "voyageRerank":
    case "fireworksRerank":
    case "teiRerank":
    case "nvidiaRerank":
    case "bedrockRerank":
      return jsonBody(behaviour, rankedBy(media.operation, parsed, id))
    case "moderation":
      return jsonBody(behaviour, judged(parsed, `modr-${id}`))
    case "image":
    case "imageEdit":
    case "imageVariation":
      return parsed.stream ? painted(behaviour, parsed, created) : jsonBody(behaviour, pictured(parsed, created))
    case "speech":
      return spoken(behaviour, parsed)
    case "transcription":
    case "translation":
      return heard(behaviour, parsed, name)
  }
}
