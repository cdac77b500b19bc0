/**
 * What is asked beside conversations, from the AI SDK's words to a router's answer.
 */
import type { SharedV3ProviderMetadata, SharedV3ProviderOptions, SharedV3Warning } from "@ai-sdk/provider"
import type { Journal } from "@switchyard/core/Journal"
import type { JsonObject } from "@switchyard/core/Json"
import { LlmError } from "@switchyard/core/LlmError"
import * as LlmRequest from "@switchyard/core/LlmRequest"
import type { LlmResponse } from "@switchyard/core/LlmResponse"
import { using } from "@switchyard/core/LlmService"
import type { Upload } from "@switchyard/core/Upload"
import type { Usage } from "@switchyard/core/Usage"
import { Clock, Effect } from "effect"
import { apiError } from "./apiErrors.js"
import { type Defaults, routed } from "./callOptions.js"
import { noteOf } from "./content.js"
import { type Said, saidIn } from "./providerOptions.js"
import type { Run } from "./running.js"

/** What every call of the AI SDK brings. */
export interface Given {
  readonly providerOptions?: SharedV3ProviderOptions | undefined
  readonly headers?: Readonly<Record<string, string | undefined>> | undefined
  readonly abortSignal?: AbortSignal | undefined
}

/** What is asked, and where. */
export interface Asked {
  readonly operation: LlmRequest.MediaOperation
  readonly group: string
  readonly run: Run
  readonly defaults: Defaults
  readonly given: Given
  /** Beside the model; what is undefined is not said. A call's own options beat it. */
  readonly body: JsonObject
  readonly upload?: Upload
}

/** A whole answer: JSON, or bytes. */
export interface Answered {
  readonly body: JsonObject
  readonly bytes: Uint8Array
  readonly journal: Journal
  readonly usage: Usage | undefined
  readonly warnings: Array<SharedV3Warning>
  readonly providerMetadata: SharedV3ProviderMetadata
  readonly response: { readonly timestamp: Date; readonly modelId: string; readonly headers: Record<string, string> }
}

/** The AI SDK's spellings of fields that such requests have. */
const spellings: Readonly<Record<string, string>> = {
  background: "background",
  include: "include",
  inputFidelity: "input_fidelity",
  instructions: "instructions",
  language: "language",
  moderation: "moderation",
  outputCompression: "output_compression",
  outputFormat: "output_format",
  prompt: "prompt",
  quality: "quality",
  responseFormat: "response_format",
  returnDocuments: "return_documents",
  speed: "speed",
  style: "style",
  temperature: "temperature",
  timestampGranularities: "timestamp_granularities",
  user: "user"
}

const joined = (pieces: ReadonlyArray<Uint8Array>): Uint8Array => {
  const whole = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const piece of pieces) {
    whole.set(piece, at)
    at += piece.length
  }
  return whole
}

type Read = Pick<Answered, "body" | "bytes" | "journal" | "usage"> & Pick<LlmResponse, "headers">

const read = (answer: LlmResponse): Effect.Effect<Read, LlmError> => {
  const { headers, journal } = answer
  if (answer._tag === "Complete") {
    const { body, outcome } = answer
    return Effect.succeed({ body, bytes: new Uint8Array(0), headers, journal, usage: outcome.usage })
  }
  const { events } = answer
  const pieces: Array<Uint8Array> = []
  const reading = events.forward((batch) => {
    for (const { bytes } of batch) if (bytes !== undefined) pieces.push(bytes)
    return undefined
  })
  return Effect.map(reading, () => {
    const bytes = joined(pieces)
    return { body: {}, bytes, headers, journal, usage: events.settlement.outcome?.usage }
  })
}

const isSaid = ([, value]: readonly [string, unknown]): boolean => value !== undefined && value !== null

/** What a call says: where it goes, fields of its payload, and what nobody can be told. */
export const said = ({ headers, providerOptions }: Given): Said => saidIn(providerOptions, headers, spellings)

/** An answer that is none of what was asked. */
export const malformed = (why: string): LlmError =>
  new LlmError({ reason: "MalformedResponse", description: `the answer ${why}` })

/** Asks the group; rejects as the AI SDK knows failures. `take` may fail with what is wrong with the answer. */
export const ask = async <A>(asked: Asked, take: (answer: Answered) => A): Promise<A> => {
  const { defaults, given, group, operation, run, upload } = asked
  const { extra, options, warnings } = said(given)
  const body: JsonObject = { ...Object.fromEntries(Object.entries(asked.body).filter(isSaid)), ...extra, model: group }
  const routing = routed(defaults, options)
  const request = LlmRequest.mediaOf(operation, body, upload === undefined ? routing : { ...routing, upload })
  try {
    const [found, now] = await run(
      (service) => Effect.zip(using(service, request, read), Clock.currentTimeMillis),
      given.abortSignal
    )
    const { headers, ...answer } = found
    return take({
      ...answer,
      warnings: [...warnings],
      providerMetadata: noteOf(answer.journal),
      response: { timestamp: new Date(now), modelId: group, headers: { ...headers } }
    })
  } catch (error) {
    throw apiError(error, { model: group, body: request.body })
  }
}

/** What the AI SDK asks for and no request here says. */
export const unsupported = (
  settings: Readonly<Record<string, unknown>>,
  details: string
): ReadonlyArray<SharedV3Warning> =>
  Object.entries(settings)
    .filter(isSaid)
    .map(([feature]) => ({ type: "unsupported", feature, details }))
