/**
 * A model group as a reranking model of the AI SDK.
 */
import type { RerankingModelV3, RerankingModelV3CallOptions } from "@ai-sdk/provider"
import { arrayOf, isJsonObject } from "@switchyard/core/Json"
import { provider } from "@switchyard/dialects/Beside"
import type { Defaults } from "./callOptions.js"
import { ask } from "./mediaCall.js"
import type { Run } from "./running.js"

class GroupRanking implements RerankingModelV3 {
  readonly specificationVersion = "v3"
  readonly provider = provider

  constructor(
    readonly modelId: string,
    private readonly run: Run,
    private readonly defaults: Defaults
  ) {}

  doRerank(options: RerankingModelV3CallOptions): ReturnType<RerankingModelV3["doRerank"]> {
    const { documents, query, topN } = options
    const body = { query, documents: documents.values, top_n: topN }
    const { defaults, modelId: group, run } = this
    return ask({ operation: "rerank", group, run, defaults, given: options, body }, (found) => ({
      ranking: arrayOf(found.body.results)
        .filter(isJsonObject)
        .map(({ index, relevance_score: score }) => ({ index: Number(index), relevanceScore: Number(score) })),
      warnings: found.warnings,
      response: { ...found.response, body: found.body },
      providerMetadata: found.providerMetadata
    }))
  }
}

/** The reranking model of a group. */
export const rerankingModel = (group: string, run: Run, defaults: Defaults): RerankingModelV3 =>
  new GroupRanking(group, run, defaults)
