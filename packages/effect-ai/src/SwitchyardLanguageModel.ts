/**
 * `LanguageModel` of @effect/ai over a router: every call becomes a request that names a model group.
 */

import * as LanguageModel from "@effect/ai/LanguageModel"
import * as AiModel from "@effect/ai/Model"
import type * as Response from "@effect/ai/Response"
import { addGenAIAnnotations } from "@effect/ai/Telemetry"
import { toStream } from "@switchyard/core/EventStream"
import type { LlmRequest } from "@switchyard/core/LlmRequest"
import type { LlmResponse } from "@switchyard/core/LlmResponse"
import { complete, LlmService, open, withAttempts } from "@switchyard/core/LlmService"
import { openAi } from "@switchyard/core/OpenAi"
import type { RequestService } from "@switchyard/core/Service"
import { provider } from "@switchyard/dialects/Beside"
import { type Ending, type Head, ofAnswer, type Piece, PieceReader, type Step } from "@switchyard/dialects/Pieces"
import * as Tokens from "@switchyard/dialects/Tokens"
import { Chunk, Context, Effect, Either, Layer, Option, Stream } from "effect"
import { aiError, malformed, type Where } from "./aiErrors.js"
import { foreignTools, requestOf } from "./asking.js"
import { Memory } from "./memory.js"
import { above, type Routing } from "./options.js"
import { reasonOf, stepParts, wholeParts } from "./parts.js"

export type { Routing }

/** Of which group the model is, and what all of its requests bring. */
export interface Options extends Routing {
  /** The model group, alias or deployment id that the router knows. */
  readonly model: string
}

/** What the requests of a part of a program bring, above the model's own options; `withRouting` provides it. */
export class CurrentRouting extends Context.Tag("@switchyard/effect-ai/CurrentRouting")<CurrentRouting, Routing>() {}

/**
 * Runs an effect whose requests bring these, too: tags, a session, a caller, overrides, further fields of the payload.
 *
 * @example
 * ```ts
 * import { LanguageModel } from "@effect/ai"
 * import * as SwitchyardLanguageModel from "@switchyard/effect-ai/SwitchyardLanguageModel"
 *
 * const program = LanguageModel.generateText({ prompt: "Where to?" }).pipe(
 *   SwitchyardLanguageModel.withRouting({ tags: ["eu"], sessionKey: "s-1", body: { temperature: 0 } })
 * )
 * ```
 */
export const withRouting =
  (routing: Routing) =>
  <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.mapInputContext(effect, (context: Context.Context<R>) => {
      const before = Option.getOrElse(Context.getOption(context, CurrentRouting), () => ({}))
      return Context.add(context, CurrentRouting, above(before, routing)) as Context.Context<R>
    })

const note = (
  { span }: LanguageModel.ProviderOptions,
  model: string,
  ending: Ending | undefined,
  head: Head | undefined
): void => {
  const { usage } = ending ?? {}
  addGenAIAnnotations(span, {
    system: provider,
    operation: { name: "chat" },
    request: { model },
    ...(ending === undefined
      ? {}
      : { response: { id: head?.id, model: head?.model, finishReasons: [reasonOf(ending)] } }),
    ...(usage === undefined ? {} : { usage: { inputTokens: Tokens.input(usage), outputTokens: Tokens.output(usage) } })
  })
}

/** Makes the model's calls over one router. */
class Model {
  private readonly memory = new Memory()

  constructor(
    private readonly service: RequestService,
    private readonly options: Options
  ) {}

  private asked(options: LanguageModel.ProviderOptions, stream: boolean, where: Where) {
    return Effect.flatMap(Effect.serviceOption(CurrentRouting), (current) => {
      const foreign = foreignTools(options)
      if (foreign.length > 0) {
        return Effect.fail(
          malformed(`a router has no tools of a provider's own: ${foreign.join(", ")}`, where, "input")
        )
      }
      const { model, ...routing } = this.options
      note(options, model, undefined, undefined)
      const { request, turns } = requestOf(
        options,
        stream,
        model,
        above(routing, Option.getOrUndefined(current)),
        this.memory
      )
      return Either.isLeft(request)
        ? Effect.fail(aiError(request.left, where))
        : Effect.succeed({ request: request.right, turns })
    })
  }

  readonly generateText: LanguageModel.ConstructorParams["generateText"] = (options) => {
    const { model } = this.options
    const where: Where = { module: "SwitchyardLanguageModel", method: "generateText", model }
    return Effect.flatMap(this.asked(options, false, where), ({ request, turns }) =>
      Effect.flatMap(
        Effect.mapError(complete(this.service, request), (error) => aiError(error, where)),
        ({ body, journal }) => {
          const answer = ofAnswer(body, turns)
          if (Either.isLeft(answer)) return Effect.fail(malformed(`The answer ${answer.left}`, where, "output"))
          const { ending, head, pieces } = answer.right
          note(options, model, ending, head)
          this.memory.keep(pieces)
          return wholeParts(answer.right, journal, where)
        }
      )
    )
  }

  readonly streamText: LanguageModel.ConstructorParams["streamText"] = (options) => {
    const where: Where = { module: "SwitchyardLanguageModel", method: "streamText", model: this.options.model }
    return Stream.unwrapScoped(
      Effect.flatMap(this.asked(options, true, where), ({ request, turns }) =>
        Effect.mapBoth(open(this.service, request), {
          onFailure: (error) => aiError(error, where),
          onSuccess: (response) => this.parts(options, request, response, turns, where)
        })
      )
    )
  }

  private parts(
    options: LanguageModel.ProviderOptions,
    request: LlmRequest,
    response: LlmResponse,
    turns: number,
    where: Where
  ): Stream.Stream<Response.StreamPartEncoded, ReturnType<typeof aiError>> {
    const { journal } = response
    const reader = new PieceReader(turns)
    const pieces: Array<Piece> = []
    const ids = new Map<string, string>()
    let head: Head | undefined
    const heard = (steps: ReadonlyArray<Step>) => {
      for (const step of steps) {
        if (step.type === "piece") pieces.push(step.piece)
        else if (step.type === "head") head = step.head
        else if (step.type === "end") {
          note(options, request.model, step.ending, head)
          this.memory.keep(pieces)
        }
      }
      return Effect.map(stepParts(steps, ids, journal, where), Chunk.fromIterable)
    }
    const events =
      response._tag === "Streaming"
        ? toStream(response.events)
        : Stream.fromIterable(openAi.answer.events(response.body))
    return events.pipe(
      Stream.mapError((error) => aiError(withAttempts(error, journal), where)),
      Stream.mapChunksEffect((chunk) =>
        heard(Chunk.toReadonlyArray(chunk).flatMap(({ json }) => [...reader.read(json)]))
      ),
      Stream.concat(Stream.unwrap(Effect.suspend(() => Effect.map(heard(reader.end()), Stream.fromChunk))))
    )
  }
}

/** The model over a router of one's own. */
export const make = (service: RequestService, options: Options): Effect.Effect<LanguageModel.Service> =>
  Effect.suspend(() => LanguageModel.make(new Model(service, options)))

/**
 * `LanguageModel` over the router in context.
 *
 * @example
 * ```ts
 * import * as SwitchyardLanguageModel from "@switchyard/effect-ai/SwitchyardLanguageModel"
 *
 * const Smart = SwitchyardLanguageModel.layer({ model: "smart", tags: ["eu"], body: { temperature: 0 } })
 * ```
 */
export const layer = (options: Options): Layer.Layer<LanguageModel.LanguageModel, never, LlmService> =>
  Layer.effect(
    LanguageModel.LanguageModel,
    Effect.flatMap(LlmService, (service) => make(service, options))
  )

/** The same as a `Model` of @effect/ai, to be chosen among models of other providers. */
export const model = (options: Options): AiModel.Model<"switchyard", LanguageModel.LanguageModel, LlmService> =>
  AiModel.make(provider, layer(options))
