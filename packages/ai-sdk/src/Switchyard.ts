/**
 * A provider for Vercel's AI SDK (its specification 3, as `ai` 6 has it) whose models are the groups of a router: in this process,
 * without a server between.
 */
import type {
  EmbeddingModelV3,
  ImageModelV3,
  LanguageModelV3,
  ProviderV3,
  RerankingModelV3,
  SpeechModelV3,
  TranscriptionModelV3
} from "@ai-sdk/provider"
import { ConfigError } from "@switchyard/core/ConfigError"
import type { LlmService } from "@switchyard/core/LlmService"
import type { RequestService } from "@switchyard/core/Service"
import * as Providers from "@switchyard/providers/Providers"
import * as UndiciTransport from "@switchyard/providers/UndiciTransport"
import * as Router from "@switchyard/router/Router"
import { Layer, Logger, LogLevel, ManagedRuntime } from "effect"
import type { Defaults } from "./callOptions.js"
import { embeddingModel } from "./embeddingModel.js"
import { imageModel } from "./imageModel.js"
import { languageModel } from "./languageModel.js"
import { rerankingModel } from "./rerankingModel.js"
import { inRuntime, type Run, withService } from "./running.js"
import { speechModel } from "./speechModel.js"
import { transcriptionModel } from "./transcriptionModel.js"

/** What all requests of a model bring: tags, demands, a session, a caller, overrides. `providerOptions.switchyard` of a call beats it. */
export type ModelOptions = Defaults

/** The same for embeddings. */
export interface EmbeddingOptions extends Defaults {
  /** Texts of one request at most; the AI SDK sends more in several. Default 96, which all large providers take. */
  readonly maxEmbeddingsPerCall?: number | undefined
}

/** The same for images. */
export interface ImageOptions extends Defaults {
  /** Images of one request at most; the AI SDK asks for more in several. Default 10, which OpenAI's models make. */
  readonly maxImagesPerCall?: number | undefined
}

/** A provider of the AI SDK; called with the name of a group it gives the group's language model. */
export interface SwitchyardProvider extends ProviderV3 {
  (group: string, options?: ModelOptions): LanguageModelV3
  readonly languageModel: (group: string, options?: ModelOptions) => LanguageModelV3
  readonly embeddingModel: (group: string, options?: EmbeddingOptions) => EmbeddingModelV3
  readonly textEmbeddingModel: (group: string, options?: EmbeddingOptions) => EmbeddingModelV3
  readonly imageModel: (group: string, options?: ImageOptions) => ImageModelV3
  readonly speechModel: (group: string, options?: ModelOptions) => SpeechModelV3
  readonly transcriptionModel: (group: string, options?: ModelOptions) => TranscriptionModelV3
  readonly rerankingModel: (group: string, options?: ModelOptions) => RerankingModelV3
  /** Ends the router that the provider made, with its connections; of one that it was given nothing. */
  readonly close: () => Promise<void>
}

const providerOver = (run: Run, close: () => Promise<void>): SwitchyardProvider => {
  const language = (group: string, options: ModelOptions = {}) => languageModel(group, run, options)
  const embedding = (group: string, { maxEmbeddingsPerCall = 96, ...options }: EmbeddingOptions = {}) =>
    embeddingModel(group, run, maxEmbeddingsPerCall, options)
  return Object.assign((group: string, options?: ModelOptions) => language(group, options), {
    specificationVersion: "v3" as const,
    languageModel: language,
    embeddingModel: embedding,
    textEmbeddingModel: embedding,
    imageModel: (group: string, { maxImagesPerCall = 10, ...options }: ImageOptions = {}) =>
      imageModel(group, run, maxImagesPerCall, options),
    speechModel: (group: string, options: ModelOptions = {}) => speechModel(group, run, options),
    transcriptionModel: (group: string, options: ModelOptions = {}) => transcriptionModel(group, run, options),
    rerankingModel: (group: string, options: ModelOptions = {}) => rerankingModel(group, run, options),
    close
  })
}

/** The router's own log in an app that has none of Effect's: what went wrong, on stderr. */
const quiet = Layer.merge(
  Logger.replace(Logger.defaultLogger, Logger.withConsoleError(Logger.logfmtLogger)),
  Logger.minimumLogLevel(LogLevel.Warning)
)

/**
 * A provider with a router of its own, made of the router's options. Throws a `ConfigError` that names everything that is wrong with
 * them. Make it once for the process, and `close` it at the end: what one request learns of a deployment helps the next.
 *
 * @example
 * ```ts
 * import { createSwitchyard } from "@switchyard/ai-sdk/Switchyard"
 *
 * const switchyard = createSwitchyard({
 *   deployments: [
 *     { id: "eu", group: "smart", model: "gpt-4o", baseUrl: "https://eu.example.com/v1" },
 *     { id: "us", group: "smart", model: "gpt-4o", baseUrl: "https://us.example.com/v1" }
 *   ]
 * })
 * const smart = switchyard("smart")
 * ```
 */
export const createSwitchyard = (options: Router.Options): SwitchyardProvider => {
  const issues = Router.check(options)
  if (issues.length > 0) throw new ConfigError({ issues })
  const runtime = ManagedRuntime.make(
    Router.layer(options).pipe(
      Layer.provide(Providers.layer),
      Layer.provide(UndiciTransport.layer),
      Layer.provideMerge(quiet)
    )
  )
  let isClosed = false
  const run = inRuntime(runtime)
  return providerOver(
    (use, signal) =>
      isClosed ? Promise.reject(new Error("This Switchyard provider has been closed.")) : run(use, signal),
    () => {
      isClosed = true
      return runtime.dispose()
    }
  )
}

/** A provider over a router that an app holds in a runtime; the app disposes of it. */
export const fromRuntime = <E>(runtime: ManagedRuntime.ManagedRuntime<LlmService, E>): SwitchyardProvider =>
  providerOver(inRuntime(runtime), () => Promise.resolve())

/** A provider over a router's own service, for example a tower's `service`; its owner ends it. */
export const fromService = (service: RequestService): SwitchyardProvider =>
  providerOver(withService(service), () => Promise.resolve())
