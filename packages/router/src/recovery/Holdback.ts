/**
 * Holds the beginning of a stream back: until enough of it is there, a stream that dies is a failed call, which Retry and
 * Fallback repeat like any other, on the same deployment too and whatever the wording of the next answer. The price is the
 * time to the first token.
 */
import type { ConfigError } from "@switchyard/core/ConfigError"
import type { Dialect } from "@switchyard/core/Dialect"
import * as Field from "@switchyard/core/Field"
import type { StreamingResponse } from "@switchyard/core/LlmResponse"
import { LlmService } from "@switchyard/core/LlmService"
import { openAi } from "@switchyard/core/OpenAi"
import * as Service from "@switchyard/core/Service"
import { toMs } from "@switchyard/core/Time"
import { Effect, Layer } from "effect"
import { HeldStream, type HoldPolicy } from "./heldStream.js"

/** Options of the layer. What comes first releases the stream; its end always does. */
export const Options = Field.options("How much of a stream's beginning is held back.", {
  /** Characters of text and tool arguments that are held back. Default 160. */
  characters: Field.option(Field.positiveCount, "Characters of text and tool arguments that are held back.", 160),
  /** The longest that they are, counted from the first of them; infinite means no bound. Default 1.5 seconds. */
  delay: Field.option(
    Field.duration,
    "The longest that they are, counted from the first of them; infinite means no bound.",
    1500
  )
})
/** Options of the layer. */
export type Options = typeof Options.Type

const defaults = Field.defaults(Options)

const policyOf = ({ characters = defaults.characters, delay = defaults.delay }: Options): HoldPolicy => ({
  characters,
  delay: toMs(delay),
  passesReasoning: true
})

const untilTheEnd: HoldPolicy = {
  characters: Number.POSITIVE_INFINITY,
  delay: Number.POSITIVE_INFINITY,
  passesReasoning: false
}

const held =
  (policy: HoldPolicy): Service.RequestLayer =>
  (next) => {
    const hold = (response: StreamingResponse, dialect: Dialect = openAi): Service.Call =>
      Effect.flatMap(Effect.all([Effect.clock, Effect.runtime<never>()]), ([clock, runtime]) => {
        const events = new HeldStream(response.events, policy, dialect, clock, runtime)
        return Effect.forkDaemon(Effect.interruptible(events.readAhead)).pipe(
          Effect.zipRight(Effect.interruptible(events.awaitContent)),
          Effect.onInterrupt(() => Effect.sync(() => events.close())),
          Effect.mapBoth({
            onFailure: (error) => error.beforeDelivery,
            onSuccess: () => ({ ...response, events })
          })
        )
      })
    return Service.request(
      (request) =>
        request.stream
          ? Effect.uninterruptibleMask((restore) =>
              Effect.flatMap(restore(next.call(request)), (response) =>
                response._tag === "Complete" ? Effect.succeed(response) : hold(response, request.dialect)
              )
            )
          : next.call(request),
      next.openings
    )
  }

/** The layer: text and tool arguments are held back for a while, reasoning before them passes at once. */
export const make = (options: Options = {}): Service.RequestLayer => held(policyOf(options))

/** The layer that delivers nothing before the answer is whole. */
export const whole: Service.RequestLayer = held(untilTheEnd)

/** Holds the beginning of streams back. Belongs directly inside Retry, outside Hedge. */
export const layerWith = (options: Options): Layer.Layer<LlmService, ConfigError, LlmService> =>
  Service.wrap(
    LlmService,
    Effect.map(Field.decode(Options, options, "holdback"), (valid) => make(valid))
  )

/** Holds the beginning of streams back, with the defaults. */
export const layer: Layer.Layer<LlmService, never, LlmService> = Layer.fresh(Layer.orDie(layerWith({})))

/** Delivers streams only when they are whole. Belongs directly inside Retry, outside Hedge. */
export const layerWhole: Layer.Layer<LlmService, never, LlmService> = Service.wrap(LlmService, Effect.succeed(whole))
