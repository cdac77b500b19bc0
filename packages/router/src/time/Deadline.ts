/**
 * The bound of the whole request: it stamps the request's route, and the innermost Timeouts layer raises it, so that
 * nothing above interrupts an attempt that should settle as a timeout.
 */
import type { ConfigError } from "@switchyard/core/ConfigError"
import * as Field from "@switchyard/core/Field"
import { LlmError } from "@switchyard/core/LlmError"
import { inForce } from "@switchyard/core/LlmRequest"
import { LlmService } from "@switchyard/core/LlmService"
import * as Service from "@switchyard/core/Service"
import { toMs } from "@switchyard/core/Time"
import { Effect, Layer } from "effect"
import * as Concern from "../stack/Concern.js"

/** Options of the layer. */
export const Options = Field.options("The bound of the whole request.", {
  /**
   * Time for the whole request, retries and fallbacks included. A request's own `deadline` (ms) beats it (with `lowerOnly`,
   * only a smaller one), and an infinite one means none. Default 10 minutes.
   */
  deadline: Field.option(
    Field.duration,
    "Time for the whole request, retries and fallbacks included. A request's own `deadline` (ms) beats it (with `lowerOnly`, only a smaller one), and an infinite one means none.",
    600_000
  )
})
/** Options of the layer. */
export type Options = typeof Options.Type

/** Time for a whole request when nobody says otherwise, in ms. */
export const defaultDeadline = Field.defaults(Options).deadline

/** The error of a request whose deadline has passed: the caller's bound, so it says nothing about any deployment. */
export const deadlinePassed = (): LlmError =>
  new LlmError({
    reason: "Timeout",
    phase: "total",
    bound: "caller",
    description: "the request's deadline passed"
  })

/**
 * The layer. A deadline that is already on the route is never extended; one that has passed fails the request with
 * `Timeout` (phase `total`, bound `caller`) before the inner service is called.
 */
export const make = (options: Options = {}): Service.RequestLayer => {
  const standard = options.deadline === undefined ? defaultDeadline : toMs(options.deadline)
  return Service.bracketRequest<number>({
    begin: ({ overrides, route }, at) => {
      const deadline = Math.min(route.deadline, at + inForce(overrides, overrides.deadline, standard))
      return deadline <= at ? deadlinePassed() : deadline
    },
    pass: (request, deadline) =>
      deadline === request.route.deadline ? request : { ...request, route: { ...request.route, deadline } }
  })
}

/** Stamps deadlines around the inner service. Belongs outside everything that takes time: retries, fallbacks, queues. */
export const layerWith = (options: Options): Layer.Layer<LlmService, ConfigError, LlmService> =>
  Service.wrap(
    LlmService,
    Effect.map(Field.decode(Options, options, "deadline"), (valid) => make(valid))
  )

/** Stamps deadlines around the inner service, with the defaults. */
export const layer: Layer.Layer<LlmService, never, LlmService> = Layer.fresh(Layer.orDie(layerWith({})))

/** The layer as a concern of a stack. */
export class Deadline extends Concern.request({
  name: "deadline",
  about: "When a request has to be over",
  options: Options,
  outside: {
    retry: "all attempts together have the time",
    fallback: "all groups together have the time",
    queue: "waiting takes of the time"
  },
  make: (options) => make(options)
}) {}
