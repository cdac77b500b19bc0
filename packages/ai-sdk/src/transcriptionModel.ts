/**
 * A model group as a transcription model of the AI SDK.
 */
import type { TranscriptionModelV3, TranscriptionModelV3CallOptions } from "@ai-sdk/provider"
import { arrayOf, isJsonObject, type JsonObject } from "@switchyard/core/Json"
import { LlmError } from "@switchyard/core/LlmError"
import { fileOf } from "@switchyard/core/Upload"
import { provider } from "@switchyard/dialects/Beside"
import { Either, Encoding } from "effect"
import { apiError } from "./apiErrors.js"
import type { Defaults } from "./callOptions.js"
import { ask, malformed, said } from "./mediaCall.js"
import type { Run } from "./running.js"

/** Endings of names by types: providers tell sound by its name. */
const endings: Readonly<Record<string, string>> = {
  "audio/mpeg": "mp3",
  "audio/mp4": "m4a",
  "audio/x-wav": "wav",
  "audio/wave": "wav",
  "audio/x-flac": "flac",
  "audio/x-m4a": "m4a"
}

const endingOf = (type: string): string => endings[type] ?? type.split("/")[1]?.split(";")[0] ?? "mp3"

type Transcript = Awaited<ReturnType<TranscriptionModelV3["doGenerate"]>>
type Segments = Transcript["segments"]

/** Segments, else words, as the answer tells them. */
const segmentsOf = ({ segments, words }: JsonObject): Segments =>
  (Array.isArray(segments) ? segments : arrayOf(words)).filter(isJsonObject).map(({ end, start, text, word }) => ({
    text: String(text ?? word ?? ""),
    startSecond: Number(start ?? 0),
    endSecond: Number(end ?? 0)
  }))

const badBase64 = new LlmError({ reason: "InvalidRequest", description: "audio: it is no base64" })

class GroupTranscripts implements TranscriptionModelV3 {
  readonly specificationVersion = "v3"
  readonly provider = provider

  constructor(
    readonly modelId: string,
    private readonly run: Run,
    private readonly defaults: Defaults
  ) {}

  async doGenerate(options: TranscriptionModelV3CallOptions): Promise<Transcript> {
    const { audio, mediaType: contentType } = options
    const { defaults, modelId: group, run } = this
    const bytes = typeof audio === "string" ? Encoding.decodeBase64(audio) : Either.right(audio)
    if (Either.isLeft(bytes)) throw apiError(badBase64, { model: group, body: {} })
    const file = fileOf("file", bytes.right, { filename: `audio.${endingOf(contentType)}`, contentType })
    // Only details tell times, and not every model has them: they are asked for with the times.
    const body = said(options).extra.timestamp_granularities === undefined ? {} : { response_format: "verbose_json" }
    const asked = { operation: "transcription", group, run, defaults, given: options, body } as const
    return ask({ ...asked, upload: { parts: [file] } }, (found) => {
      const { duration, language, text } = found.body
      if (typeof text !== "string") throw malformed("holds no text")
      return {
        text,
        segments: segmentsOf(found.body),
        language: typeof language === "string" ? language : undefined,
        durationInSeconds: duration === undefined ? found.usage?.units?.seconds : Number(duration),
        warnings: found.warnings,
        response: { ...found.response, body: found.body },
        providerMetadata: found.providerMetadata as Record<string, never>
      }
    })
  }
}

/** The transcription model of a group. */
export const transcriptionModel = (group: string, run: Run, defaults: Defaults): TranscriptionModelV3 =>
  new GroupTranscripts(group, run, defaults)
