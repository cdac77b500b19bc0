/**
 * From a behaviour and a request to the answer as data: an error, a JSON body, or the steps of a stream.
 *
 * @since 0.1.0
 */
import type { Behaviour, Gate } from "./fakeBehaviour.js"
import { errorStatus } from "./fakeBehaviour.js"
import type { MediaAsked } from "./fakeForm.js"
import type { Endpoint, Prepared } from "./fakeWire.js"
import * as Wire from "./fakeWire.js"

/** One step of a stream: after `waitMs`, write `text`, which bears `chunks` content chunks (0 or 1). */
export interface Step {
  readonly waitMs: number
  readonly text: string
  /** In place of the text: what is none. */
  readonly bytes?: Buffer
  readonly chunks: number
  /** What it waits for, and in vain where it stays shut. */
  readonly gate?: Gate | undefined
  /** Instead of writing: break the socket, or go silent. */
  readonly fault?: "cut" | "stall"
}

/** An answer that is one body, or one that comes in steps; `ends` is how the journal calls its completion. */
export type Answer =
  | {
      readonly _tag: "Body"
      readonly status: number
      readonly contentType: string
      readonly body: string
      readonly ends: "answered" | "errored"
    }
  | {
      readonly _tag: "Steps"
      readonly status: number
      readonly steps: ReadonlyArray<Step>
      /** Default: server-sent events. */
      readonly contentType?: string
      /** No step waits or breaks, so that the whole stream may go out in one write. */
      readonly instant: boolean
      readonly ends: "answered" | "errored"
    }

/** A parsed request, as far as an answer depends on it. */
export interface Parsed {
  readonly endpoint: Endpoint
  readonly body: Readonly<Record<string, unknown>>
  readonly model: string
  readonly stream: boolean
  /** The model that `GET /models/ID` asks for. */
  readonly modelId?: string | undefined
  /** What is asked beside conversations. */
  readonly media?: MediaAsked
}

const contentTypeOf = (body: string): string =>
  body.startsWith("{") ? "application/json" : body.startsWith("<") ? "text/html" : "text/plain"

/** An error answer of OpenAI's shape, or with a raw body. */
export const errorAnswer = (status: number, error: Behaviour["error"]): Answer => {
  const body = Wire.errorBody(status, error)
  return { _tag: "Body", status, contentType: contentTypeOf(body), body, ends: "errored" }
}

const wantsUsage = (body: Readonly<Record<string, unknown>>): boolean => {
  const options = body.stream_options
  return typeof options === "object" && options !== null && "include_usage" in options && options.include_usage === true
}

const malformed = `data: {"id":"chatcmpl-broken","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"cont\n\n`

interface StreamOf {
  readonly behaviour: Behaviour
  readonly prepared: Prepared
  readonly parsed: Parsed
  readonly envelope: Wire.Envelope
  readonly usage: string | undefined
}

const stepsOf = ({ behaviour: b, envelope, parsed, prepared, usage }: StreamOf): Answer => {
  const { endpoint } = parsed
  const withUsage = wantsUsage(parsed.body) && usage !== undefined
  const head = `data: ${Wire.opening(endpoint, true, envelope)}`
  const tail = `${Wire.closing(withUsage ? "null" : undefined)}\n\n`
  const deltas = endpoint === "chat" ? prepared.chatDeltas : prepared.textDeltas
  const steps: Array<Step> = []
  const send = (text: string, waitMs = 0, chunks = 0) => void steps.push({ waitMs, text, chunks })
  const at = (fault: number | undefined, i: number): boolean =>
    fault !== undefined && Math.min(Math.max(0, fault), deltas.length) === i
  const answer = (ends: "answered" | "errored", instant: boolean): Answer => ({
    _tag: "Steps",
    status: b.status ?? 200,
    steps,
    instant,
    ends
  })

  if (endpoint === "chat") send(head + Wire.roleDelta + tail)
  for (let i = 0; i <= deltas.length; i++) {
    if (at(b.gateAfterChunks, i)) steps.push({ waitMs: 0, text: "", chunks: 0, gate: b.gate })
    if (at(b.malformedAfterChunks, i)) send(malformed)
    if (at(b.errorEventAfterChunks, i)) {
      send(`data: ${Wire.errorBody(500, b.error)}\n\n`)
      if (b.done === true) send("data: [DONE]\n\n")
      return answer("errored", false)
    }
    if (at(b.stallAfterChunks, i) || at(b.cutAfterChunks, i)) {
      steps.push({ waitMs: 0, text: "", chunks: 0, fault: at(b.stallAfterChunks, i) ? "stall" : "cut" })
      return answer("errored", false)
    }
    if (i < deltas.length) send(head + (deltas[i] ?? "") + tail, (i === 0 ? b.firstTokenMs : b.chunkGapMs) ?? 0, 1)
  }
  if (prepared.finishReason !== null) send(head + Wire.finishDelta(endpoint, prepared.finishReason) + tail)
  if (withUsage) send(`${head}[]${Wire.closing(usage)}\n\n`)
  if (b.done !== false) send("data: [DONE]\n\n")
  return answer(
    b.malformedAfterChunks === undefined ? "answered" : "errored",
    (b.firstTokenMs ?? 0) <= 0 && (b.chunkGapMs ?? 0) <= 0 && b.gateAfterChunks === undefined
  )
}

const encodings = new WeakMap<Behaviour, Map<string, Prepared>>()

const preparedFor = (behaviour: Behaviour, name: string): Prepared => {
  const byName = encodings.get(behaviour) ?? new Map<string, Prepared>()
  if (byName.size === 0) encodings.set(behaviour, byName)
  const known = byName.get(name)
  if (known !== undefined) return known
  const prepared = Wire.prepare(behaviour, name)
  byName.set(name, prepared)
  return prepared
}

const jsonAnswer = (behaviour: Behaviour, body: string): Answer => ({
  _tag: "Body",
  status: behaviour.status ?? 200,
  contentType: "application/json",
  body: behaviour.truncateJson === true ? body.slice(0, Math.floor(body.length / 2)) : body,
  ends: behaviour.truncateJson === true ? "errored" : "answered"
})

/** What the upstream `name` says to a request under a behaviour. */
export const answerOf = (
  behaviour: Behaviour,
  parsed: Parsed,
  upstream: { readonly name: string; readonly models: ReadonlyArray<string>; readonly seq: number }
): Answer => {
  const status = errorStatus(behaviour)
  if (status !== undefined) return errorAnswer(status, behaviour.error)
  const { endpoint } = parsed
  if (endpoint === "models") {
    const { modelId } = parsed
    if (modelId !== undefined && !upstream.models.includes(modelId)) return errorAnswer(404, undefined)
    const found = upstream.models.map((id) => Wire.modelObject(id, upstream.name))
    return jsonAnswer(
      behaviour,
      JSON.stringify(
        modelId === undefined ? { object: "list", data: found } : found.find((model) => model.id === modelId)
      )
    )
  }
  const prepared = endpoint === "embeddings" ? undefined : preparedFor(behaviour, upstream.name)
  const usage =
    behaviour.usage === undefined
      ? { prompt_tokens: Wire.promptTokens(parsed.body), completion_tokens: prepared?.completionTokens ?? 0 }
      : behaviour.usage
  if (prepared === undefined) return jsonAnswer(behaviour, Wire.embeddingsBody(parsed.body, parsed.model, usage))
  const envelope = {
    id: `${endpoint === "chat" ? "chatcmpl" : "cmpl"}-${upstream.name}-${upstream.seq}`,
    created: Math.floor(Date.now() / 1000),
    model: parsed.model
  }
  const usageText = usage === null ? undefined : Wire.usageJson(usage, prepared.reasoningTokens)
  if (parsed.stream) return stepsOf({ behaviour, prepared, parsed, envelope, usage: usageText })
  const choices = endpoint === "chat" ? prepared.chatChoices : prepared.textChoices
  return jsonAnswer(behaviour, Wire.opening(endpoint, false, envelope) + choices + Wire.closing(usageText))
}
