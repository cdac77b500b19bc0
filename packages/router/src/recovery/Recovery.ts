/**
 * Decides what happens when a stream dies after the caller has been given content. Sits directly outside Fallback, so
 * that a restart goes through fallbacks, retries and selection like any call, without the deployment that failed.
 */
import type { ConfigError } from "@switchyard/core/ConfigError"
import * as Field from "@switchyard/core/Field"
import type { LlmError } from "@switchyard/core/LlmError"
import { wordsOf } from "@switchyard/core/LlmRequest"
import { LlmService } from "@switchyard/core/LlmService"
import { openAi } from "@switchyard/core/OpenAi"
import * as Service from "@switchyard/core/Service"
import { clockHere } from "@switchyard/core/Time"
import { type Context, Effect, Layer, Schema } from "effect"
import { type Events, RouterEvents } from "../events/RouterEvents.js"
import { DeploymentRegistry } from "../registry/DeploymentRegistry.js"
import { RecoveredStream } from "./recoveredStream.js"
import { restarted } from "./restart.js"
import type { Resume } from "./resumption.js"

/** Options of the Recovery layer. */
export const Options = Field.options("What becomes of streams that die after their first words.", {
  /**
   * `splice` (default): start again elsewhere, swallow the text that equals what was delivered, go on from there; ends
   * with an error at the first difference, so it is dependable for deterministic requests only. `prefill`: let a
   * deployment with the capability `prefill` continue the delivered text, else splice. `error`: the caller gets the error.
   */
  policy: Field.option(
    Schema.Literal("splice", "prefill", "error").annotations({
      message: () => ({ message: "splice, prefill or error", override: true })
    }),
    "`splice` (default): start again elsewhere, swallow the text that equals what was delivered, go on from there; ends with an error at the first difference, so it is dependable for deterministic requests only. `prefill`: let a deployment with the capability `prefill` continue the delivered text, else splice. `error`: the caller gets the error.",
    "splice"
  )
})
/** Options of the Recovery layer. */
export type Options = typeof Options.Type

/** What the layer works with. */
export interface RecoveryDeps {
  /** Says which deployments declare the capability `prefill`. */
  readonly registry: Pick<Context.Tag.Service<DeploymentRegistry>, "slots">
  /** Where restarts are published. Default: nowhere. */
  readonly events?: Pick<Events, "publish">
}

const splice: Resume = (request, text) => ({ request, repeated: text })

/** Asks for the rest of a text: the one place where messages are added, and only for deployments that ask for it. */
const prefill =
  (registry: RecoveryDeps["registry"]): Resume =>
  (request, text) => {
    const body = wordsOf(request).prefilled(request.operation, request.body, text)
    if (body === undefined) return undefined
    const slots = registry.slots()
    const unable = slots
      .filter(({ deployment }) => deployment.capabilities?.has("prefill") !== true)
      .map((slot) => slot.id)
    if (unable.length === slots.length) return undefined
    const route = { ...request.route, excluded: [...request.route.excluded, ...unable] }
    return { request: { ...request, body, route }, repeated: "" }
  }

const resumed =
  ({ events: published }: RecoveryDeps, ways: ReadonlyArray<Resume>): Service.RequestLayer =>
  (next) => {
    const enter = Service.entry(next)
    return Service.requestWithin((request, region) => {
      const { delivered } = (request.dialect ?? openAi).answer
      if (!request.stream || delivered === undefined) return enter(request, region)
      const clock = clockHere()
      return Effect.map(enter(request, region), (response) => {
        if (response._tag === "Complete" || response.events.settlement.outcome?._tag === "Completed") return response
        const recovering = {
          request,
          clock,
          send: next.call,
          ways,
          onRestart: (error: LlmError, at: number) => published?.publish(restarted(request, error, at), request)
        }
        return { ...response, events: new RecoveredStream(response, recovering, delivered()) }
      })
    }, next.openings)
  }

/** The layer, from what it works with. */
export const make = (deps: RecoveryDeps, options: Options = {}): Service.RequestLayer => {
  switch (options.policy) {
    case "error":
      return (next) => next
    case "prefill":
      return resumed(deps, [prefill(deps.registry), splice])
    default:
      return resumed(deps, [splice])
  }
}

/**
 * Recovers streams around the inner service.
 *
 * @example
 * ```ts
 * import * as Recovery from "@switchyard/router/Recovery"
 *
 * const Continued = Recovery.layerWith({ policy: "prefill" })
 * ```
 */
export const layerWith = (options: Options): Layer.Layer<LlmService, ConfigError, LlmService | DeploymentRegistry> =>
  Service.wrap(
    LlmService,
    Effect.gen(function* () {
      const valid = yield* Field.decode(Options, options, "recovery")
      return make({ registry: yield* DeploymentRegistry, events: yield* RouterEvents }, valid)
    })
  )

/** Recovers streams around the inner service, with the defaults. */
export const layer: Layer.Layer<LlmService, never, LlmService | DeploymentRegistry> = Layer.fresh(
  Layer.orDie(layerWith({}))
)
