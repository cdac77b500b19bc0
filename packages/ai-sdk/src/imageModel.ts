/**
 * A model group as an image model of the AI SDK: images from words, changed images, and variations.
 */
import type {
  ImageModelV3,
  ImageModelV3CallOptions,
  ImageModelV3File,
  ImageModelV3ProviderMetadata,
  JSONObject,
  JSONValue
} from "@ai-sdk/provider"
import { arrayOf, isJsonObject } from "@switchyard/core/Json"
import { LlmError } from "@switchyard/core/LlmError"
import { fileOf, type UploadFile } from "@switchyard/core/Upload"
import { provider } from "@switchyard/dialects/Beside"
import { Either, Encoding } from "effect"
import { apiError } from "./apiErrors.js"
import type { Defaults } from "./callOptions.js"
import { ask, malformed, unsupported } from "./mediaCall.js"
import type { Run } from "./running.js"

/** Where an image lies that a provider, or a caller, gives by its address. */
const fetched = async (url: string, signal: AbortSignal | undefined): Promise<Uint8Array> => {
  const answer = await fetch(url, signal === undefined ? {} : { signal }).catch((error: unknown) => {
    signal?.throwIfAborted()
    throw error
  })
  if (!answer.ok) throw malformed(`names an image that cannot be fetched (${answer.status})`)
  return new Uint8Array(await answer.arrayBuffer())
}

const badBase64 = new LlmError({ reason: "InvalidRequest", description: "an image is no base64" })

const bytesOf = async (file: ImageModelV3File, signal: AbortSignal | undefined): Promise<Uint8Array> => {
  if (file.type === "url") return fetched(file.url, signal)
  if (typeof file.data !== "string") return file.data
  return Either.getOrThrowWith(Encoding.decodeBase64(file.data), () => badBase64)
}

const partOf = async (name: string, file: ImageModelV3File, signal: AbortSignal | undefined): Promise<UploadFile> => {
  const contentType = file.type === "url" ? "image/png" : file.mediaType
  const filename = `image.${contentType.split("/")[1] ?? "png"}`
  return fileOf(name, await bytesOf(file, signal), { filename, contentType })
}

type Images = Awaited<ReturnType<ImageModelV3["doGenerate"]>>

class GroupImages implements ImageModelV3 {
  readonly specificationVersion = "v3"
  readonly provider = provider

  constructor(
    readonly modelId: string,
    readonly maxImagesPerCall: number,
    private readonly run: Run,
    private readonly defaults: Defaults
  ) {}

  async doGenerate(options: ImageModelV3CallOptions): Promise<Images> {
    const { abortSignal, aspectRatio, files = [], mask, n, prompt, seed, size } = options
    const name = files.length === 1 ? "image" : "image[]"
    const isForm = files.length > 0
    const parts = await Promise.all([
      ...files.map((file) => partOf(name, file, abortSignal)),
      ...(mask === undefined ? [] : [partOf("mask", mask, abortSignal)])
    ]).catch((error: unknown) => {
      throw apiError(error, { model: this.modelId, body: { prompt } })
    })
    const answer = await ask(
      {
        operation: isForm ? (prompt === undefined ? "imageVariation" : "imageEdit") : "image",
        group: this.modelId,
        run: this.run,
        defaults: this.defaults,
        given: options,
        body: { prompt, n, size },
        ...(isForm ? { upload: { parts } } : {})
      },
      (found) => {
        const data = arrayOf(found.body.data).filter(isJsonObject)
        if (data.length === 0) throw malformed("holds no images")
        return { ...found, data }
      }
    )
    const { body, data, providerMetadata, response, usage, warnings } = answer
    const images = await Promise.all(
      data.map(({ b64_json: text, url }) =>
        typeof text === "string" ? text : fetched(String(url), abortSignal).then(Encoding.encodeBase64)
      )
    ).catch((error: unknown) => {
      throw apiError(error, { model: this.modelId, body })
    })
    const note = providerMetadata[provider] as JSONObject
    // Of what is said of all images the AI SDK hands on what stands at one of them.
    const told = data.map(
      ({ revised_prompt: revised }, index): JSONValue => ({
        ...(index === 0 ? note : {}),
        ...(typeof revised === "string" ? { revisedPrompt: revised } : {})
      })
    )
    return {
      images,
      warnings: [...warnings, ...unsupported({ aspectRatio, seed }, "images are asked for by their size alone")],
      providerMetadata: { [provider]: { ...note, images: told } } as ImageModelV3ProviderMetadata,
      response,
      ...(usage === undefined || usage.estimated
        ? {}
        : {
            usage: {
              inputTokens: usage.inputTokens,
              outputTokens: usage.outputTokens,
              totalTokens: usage.inputTokens + usage.outputTokens
            }
          })
    }
  }
}

/** The image model of a group. */
export const imageModel = (group: string, run: Run, perCall: number, defaults: Defaults): ImageModelV3 =>
  new GroupImages(group, perCall, run, defaults)
