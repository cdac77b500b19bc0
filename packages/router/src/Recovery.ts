/**
 * Decides what happens when a stream dies after the caller has been given content. Sits directly outside Fallback, so
 * that a restart goes through fallbacks, retries and selection like any call, without the deployment that failed.
 */
import type { StreamEvent } from "@switchyard/core/ChatChunk"
import type { ConfigError } from "@switchyard/core/ConfigError"
import { EventStream } from "@switchyard/core/EventStream"
import * as Field from "@switchyard/core/Field"
import type { LlmError } from "@switchyard/core/LlmError"
import { estimateInputTokens, type LlmRequest } from "@switchyard/core/LlmRequest"
import type { StreamingResponse } from "@switchyard/core/LlmResponse"
import { LlmService } from "@switchyard/core/LlmService"
import * as Service from "@switchyard/core/Service"
import { nowMs } from "@switchyard/core/Time"
import { type Clock, type Context, Effect, type Layer, Schema } from "effect"
import { DeploymentRegistry } from "./DeploymentRegistry.js"
import { RecoveredStream, type Resumption } from "./internal/recoveredStream.js"
import { canBeRepaired, restarted, restartRoute } from "./internal/restart.js"
import { type Events, RouterEvents } from "./RouterEvents.js"

/** Options of the Recovery layer. */
export const Options = Schema.Struct({
  /**
   * `splice` (default): start again elsewhere, swallow the text that equals what was delivered, go on from there; ends
   * with an error at the first difference, so it is dependable for deterministic requests only. `prefill`: let a
   * deployment with the capability `prefill` continue the delivered text. `buffer`: deliver nothing until the answer is
   * whole. `error`: the caller gets the error.
   */
  policy: Schema.optional(
    Schema.Literal("splice", "prefill", "buffer", "error").annotations({
      message: () => ({ message: "splice, prefill, buffer or error", override: true })
    })
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

const splice = (request: LlmRequest, text: string): Resumption => ({ request, repeated: text })

/** Asks for the rest of a text: the one place where messages are added, and only for deployments that ask for it. */
const prefill =
  (registry: RecoveryDeps["registry"]) =>
  (request: LlmRequest, text: string): Resumption | undefined => {
    const { messages } = request.body
    if (request.operation !== "chat" || !Array.isArray(messages)) return undefined
    const unable = registry
      .slots()
      .filter(({ deployment }) => deployment.capabilities?.has("prefill") !== true)
      .map((slot) => slot.id)
    const message = { role: "assistant", content: text, prefix: true }
    const route = { ...request.route, excluded: [...request.route.excluded, ...unable] }
    return { request: { ...request, body: { ...request.body, messages: [...messages, message] }, route }, repeated: "" }
  }

const resumed =
  (
    { events: published }: RecoveryDeps,
    resume: (request: LlmRequest, text: string) => Resumption | undefined
  ): Service.RequestLayer =>
  (next) =>
    Service.request((request) =>
      request.stream
        ? Effect.clockWith((clock) =>
            Effect.map(next.call(request), (response) =>
              response._tag === "Complete" || response.events.settlement.outcome?._tag === "Completed"
                ? response
                : {
                    ...response,
                    events: new RecoveredStream(response, {
                      request,
                      clock,
                      send: next.call,
                      resume,
                      onRestart: (error, at) => published?.publish(restarted(request, error, at), request)
                    })
                  }
            )
          )
        : next.call(request)
    )

const readAll = (events: EventStream, into: Array<StreamEvent>): Effect.Effect<void, LlmError> =>
  Effect.flatMap(events.pull, (batch) => {
    for (const event of batch) into.push(event)
    return batch.length === 0 ? Effect.void : readAll(events, into)
  })

/** A stream that has ended already, with all its events in hand. */
const replay = (
  response: StreamingResponse,
  events: ReadonlyArray<StreamEvent>,
  request: LlmRequest,
  clock: Clock.Clock
): StreamingResponse => {
  const whole = new EventStream({
    clock,
    startedAt: request.route.startedAt,
    estimateInputTokens: () => estimateInputTokens(request)
  })
  for (const event of events) whole.push(event)
  whole.skipped = response.events.skipped
  whole.end()
  return { ...response, events: whole }
}

/** Every failure before the end is a failure of the call, which may start again: nothing has been delivered. */
const buffered =
  ({ events: published }: RecoveryDeps): Service.RequestLayer =>
  (next) => {
    const attempt = (request: LlmRequest, clock: Clock.Clock, restarts: number): Service.Call =>
      Effect.uninterruptibleMask((restore) =>
        Effect.flatMap(restore(next.call(request)), (response) => {
          if (response._tag === "Complete") return Effect.succeed(response)
          const events: Array<StreamEvent> = []
          return restore(readAll(response.events, events)).pipe(
            Effect.onInterrupt(() => Effect.sync(() => response.events.close())),
            Effect.matchEffect({
              onSuccess: () => Effect.succeed(replay(response, events, request, clock)),
              onFailure: (error) => {
                const now = nowMs(clock)
                const route = canBeRepaired(error) ? restartRoute(request.route, now, restarts) : undefined
                if (route === undefined) return Effect.fail(error)
                published?.publish(restarted(request, error, now), request)
                return Effect.orElseFail(restore(attempt({ ...request, route }, clock, restarts + 1)), () => error)
              }
            })
          )
        })
      )
    return Service.request((request) =>
      request.stream ? Effect.clockWith((clock) => attempt(request, clock, 0)) : next.call(request)
    )
  }

/** The layer, from what it works with. */
export const make = (deps: RecoveryDeps, options: Options = {}): Service.RequestLayer => {
  switch (options.policy) {
    case "error":
      return (next) => next
    case "buffer":
      return buffered(deps)
    case "prefill":
      return resumed(deps, prefill(deps.registry))
    default:
      return resumed(deps, splice)
  }
}

/**
 * Recovers streams around the inner service.
 *
 * @example
 * ```ts
 * import * as Recovery from "@switchyard/router/Recovery"
 *
 * const Buffered = Recovery.layer({ policy: "buffer" })
 * ```
 */
export const layer = (options: Options = {}): Layer.Layer<LlmService, ConfigError, LlmService | DeploymentRegistry> =>
  Service.wrap(
    LlmService,
    Effect.gen(function* () {
      const valid = yield* Field.decode(Options, options, "recovery")
      return make({ registry: yield* DeploymentRegistry, events: yield* RouterEvents }, valid)
    })
  )
