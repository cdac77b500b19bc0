/**
 * A model group as an embedding model of the AI SDK.
 */

import type { EmbeddingModelV3, EmbeddingModelV3CallOptions, EmbeddingModelV3Result } from "@ai-sdk/provider"
import { LlmError } from "@switchyard/core/LlmError"
import * as LlmRequest from "@switchyard/core/LlmRequest"
import { complete } from "@switchyard/core/LlmService"
import { provider } from "@switchyard/dialects/Beside"
import { vectorsOf } from "@switchyard/dialects/Vectors"
import { Either } from "effect"
import { apiError } from "./apiErrors.js"
import { type Defaults, routed } from "./callOptions.js"
import { noteOf } from "./content.js"
import { saidIn } from "./providerOptions.js"
import type { Run } from "./running.js"

class GroupEmbeddings implements EmbeddingModelV3 {
  readonly specificationVersion = "v3"
  readonly provider = provider
  readonly supportsParallelCalls = true

  constructor(
    readonly modelId: string,
    readonly maxEmbeddingsPerCall: number,
    private readonly run: Run,
    private readonly defaults: Defaults
  ) {}

  async doEmbed(options: EmbeddingModelV3CallOptions): Promise<EmbeddingModelV3Result> {
    const { extra, options: routing, warnings } = saidIn(options.providerOptions, options.headers)
    const model = this.modelId
    const request = LlmRequest.embeddings({ ...extra, model, input: options.values }, routed(this.defaults, routing))
    try {
      const response = await this.run((service) => complete(service, request), options.abortSignal)
      const { body, headers, journal, outcome } = response
      const vectors = vectorsOf(body, options.values.length)
      if (Either.isLeft(vectors)) {
        throw new LlmError({ reason: "MalformedResponse", description: `the answer ${vectors.left}` })
      }
      return {
        embeddings: vectors.right,
        usage: { tokens: outcome.usage.inputTokens },
        providerMetadata: noteOf(journal),
        response: { headers: { ...headers }, body },
        warnings: [...warnings]
      }
    } catch (error) {
      throw apiError(error, { model, body: request.body })
    }
  }
}

/** The embedding model of a group. */
export const embeddingModel = (group: string, run: Run, perCall: number, defaults: Defaults): EmbeddingModelV3 =>
  new GroupEmbeddings(group, perCall, run, defaults)
