/**
 * `EmbeddingModel` of @effect/ai over a router.
 */

import * as EmbeddingModel from "@effect/ai/EmbeddingModel"
import * as AiModel from "@effect/ai/Model"
import * as LlmRequest from "@switchyard/core/LlmRequest"
import { complete, LlmService } from "@switchyard/core/LlmService"
import type { RequestService } from "@switchyard/core/Service"
import { provider } from "@switchyard/dialects/Beside"
import { vectorsOf } from "@switchyard/dialects/Vectors"
import { type Duration, Effect, Either, Layer } from "effect"
import { aiError, malformed, type Where } from "./aiErrors.js"
import type { Routing } from "./options.js"

/** Of which group the model is, and what all of its requests bring; `body` is in the words of OpenAI's embeddings (`dimensions`). */
export interface Options extends Routing {
  /** The model group, alias or deployment id that the router knows. */
  readonly model: string
  /** Texts of one request at most; more are sent in several. Default 96, which all large providers take. */
  readonly maxBatchSize?: number | undefined
  /** Keeps vectors of texts that were asked for, for so long. Default: nothing is kept. */
  readonly cache?: { readonly capacity: number; readonly timeToLive: Duration.DurationInput } | undefined
}

/** The model over a router of one's own. */
export const make = (
  service: RequestService,
  { body, cache, maxBatchSize = 96, model, ...routing }: Options
): Effect.Effect<EmbeddingModel.Service> => {
  const where: Where = { module: "SwitchyardEmbeddingModel", method: "embedMany", model }
  return EmbeddingModel.make({
    maxBatchSize,
    ...(cache === undefined ? {} : { cache }),
    embedMany: (input) =>
      Effect.flatMap(
        Effect.mapError(
          complete(service, LlmRequest.embeddings({ ...body, model, input: [...input] }, routing)),
          (error) => aiError(error, where)
        ),
        ({ body: answer }) =>
          Either.match(vectorsOf(answer, input.length), {
            onLeft: (problem) => Effect.fail(malformed(`The answer ${problem}`, where, "output")),
            onRight: (vectors) => Effect.succeed(vectors.map((embeddings, index) => ({ index, embeddings })))
          })
      )
  })
}

/**
 * `EmbeddingModel` over the router in context.
 *
 * @example
 * ```ts
 * import * as SwitchyardEmbeddingModel from "@switchyard/effect-ai/SwitchyardEmbeddingModel"
 *
 * const Vectors = SwitchyardEmbeddingModel.layer({ model: "vectors", body: { dimensions: 256 } })
 * ```
 */
export const layer = (options: Options): Layer.Layer<EmbeddingModel.EmbeddingModel, never, LlmService> =>
  Layer.effect(
    EmbeddingModel.EmbeddingModel,
    Effect.flatMap(LlmService, (service) => make(service, options))
  )

/** The same as a `Model` of @effect/ai. */
export const model = (options: Options): AiModel.Model<"switchyard", EmbeddingModel.EmbeddingModel, LlmService> =>
  AiModel.make(provider, layer(options))
