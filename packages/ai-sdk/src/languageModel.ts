/**
 * A model group as a language model of the AI SDK.
 */

import type {
  LanguageModelV3,
  LanguageModelV3CallOptions,
  LanguageModelV3GenerateResult,
  LanguageModelV3StreamResult
} from "@ai-sdk/provider"
import { LlmError } from "@switchyard/core/LlmError"
import type { LlmRequest } from "@switchyard/core/LlmRequest"
import { complete, open } from "@switchyard/core/LlmService"
import { provider } from "@switchyard/dialects/Beside"
import { ofAnswer } from "@switchyard/dialects/Pieces"
import { Effect, Either, Exit, Scope } from "effect"
import { answerStream, forget } from "./answerStream.js"
import { apiError, isOfSamplingOnly } from "./apiErrors.js"
import { type Asked, asked, type Defaults } from "./callOptions.js"
import { contentOf, finishOf, headOf, lossesOf, noteOf, rawUsageOf, usageOf } from "./content.js"
import type { Run } from "./running.js"

/** As JSON that callers may keep. */
const headersOf = (headers: Readonly<Record<string, string>>): Record<string, string> => ({ ...headers })

class GroupModel implements LanguageModelV3 {
  readonly specificationVersion = "v3"
  readonly provider = provider
  /** Pictures are fetched by providers, or by the router where a provider does not; all else comes as bytes. */
  readonly supportedUrls = { "image/*": [/^https?:\/\/.+$/] }

  constructor(
    readonly modelId: string,
    private readonly run: Run,
    private readonly defaults: Defaults
  ) {}

  private failure(error: unknown, request?: LlmRequest): unknown {
    return apiError(error, { model: this.modelId, body: request?.body })
  }

  private request({ request }: Asked): LlmRequest {
    if (Either.isLeft(request)) throw this.failure(request.left)
    return request.right
  }

  /** Asks; where all that nobody can be told are settings of the sampling, once more without them: of those the AI SDK only warns. */
  private async ask<A>(request: LlmRequest, ask: (request: LlmRequest) => Promise<A>): Promise<A> {
    try {
      return await ask(request)
    } catch (error) {
      if (request.overrides.dropParams !== undefined || !isOfSamplingOnly(error)) throw error
      return await ask({ ...request, overrides: { ...request.overrides, dropParams: true } })
    }
  }

  async doGenerate(options: LanguageModelV3CallOptions): Promise<LanguageModelV3GenerateResult> {
    const call = asked(this.modelId, options, false, this.defaults)
    const request = this.request(call)
    try {
      const response = await this.ask(request, (one) =>
        this.run((service) => complete(service, one), options.abortSignal)
      )
      const { body, headers, journal } = response
      const whole = ofAnswer(body, call.turns)
      if (Either.isLeft(whole)) {
        throw new LlmError({ reason: "MalformedResponse", description: `the answer ${whole.left}` })
      }
      const { ending, head, pieces } = whole.right
      return {
        content: pieces.map((piece, at) => contentOf(piece, `source-${at}`)),
        finishReason: finishOf(ending),
        usage: usageOf(ending, rawUsageOf(body)),
        providerMetadata: noteOf(journal),
        request: { body: request.body },
        response: { ...headOf(head), headers: headersOf(headers), body },
        warnings: [...call.warnings, ...lossesOf(journal)]
      }
    } catch (error) {
      throw this.failure(error, request)
    }
  }

  async doStream(options: LanguageModelV3CallOptions): Promise<LanguageModelV3StreamResult> {
    const call = asked(this.modelId, options, true, this.defaults)
    const request = this.request(call)
    const { abortSignal: signal } = options
    const scope = Effect.runSync(Scope.make())
    const close = () => forget(Scope.close(scope, Exit.void))
    try {
      const response = await this.ask(request, (one) =>
        this.run((service) => Scope.extend(open(service, one), scope), signal)
      )
      const stream = answerStream({
        response,
        turns: call.turns,
        run: this.run,
        signal,
        warnings: [...call.warnings, ...lossesOf(response.journal)],
        wantsRaw: options.includeRawChunks === true,
        close,
        failure: (error) => this.failure(error, request)
      })
      return { stream, request: { body: request.body }, response: { headers: headersOf(response.headers) } }
    } catch (error) {
      close()
      throw this.failure(error, request)
    }
  }
}

/** The language model of a group. */
export const languageModel = (group: string, run: Run, defaults: Defaults): LanguageModelV3 =>
  new GroupModel(group, run, defaults)
