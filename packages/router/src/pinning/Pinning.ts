/**
 * Keeps requests that carry one provider's state (a previous response's id, reasoning signatures) on the
 * deployment that issued it: nobody else understands it, so such a request never fails over, and its error says why. What
 * was issued elsewhere, for example an uploaded file's id, is pinned by the request's own `demands.deployment`.
 */
import type { ConfigError } from "@switchyard/core/ConfigError"
import type { DeploymentId } from "@switchyard/core/Deployment"
import * as Field from "@switchyard/core/Field"
import type { LlmRequest } from "@switchyard/core/LlmRequest"
import type { LlmResponse } from "@switchyard/core/LlmResponse"
import { LlmService } from "@switchyard/core/LlmService"
import * as Service from "@switchyard/core/Service"
import { Context, Effect, Layer } from "effect"
import * as Concern from "../stack/Concern.js"
import * as State from "../stack/State.js"
import { boundState, issuedState, type ProviderState } from "./providerState.js"

/** Options of the layer. */
export const Options = Field.options(
  "Keeps requests that carry one provider's state on the deployment that issued it.",
  {
    /** How many issued ids and signatures are remembered, the oldest forgotten first. Default 100,000. */
    capacity: Field.option(
      Field.positiveCount,
      "How many issued ids and signatures are remembered, the oldest forgotten first.",
      100_000
    )
  }
)
/** Options of the layer. */
export type Options = typeof Options.Type

const defaults = Field.defaults(Options)

/** Which deployment issued what; bounded, oldest out. */
class Issued {
  private readonly owners = new Map<string, DeploymentId>()

  owner(value: string): DeploymentId | undefined {
    return this.owners.get(value)
  }

  note(value: string, owner: DeploymentId, capacity: number): void {
    this.owners.delete(value)
    this.owners.set(value, owner)
    for (const oldest of this.owners.keys()) {
      if (this.owners.size <= capacity) return
      this.owners.delete(oldest)
    }
  }
}

interface Pin {
  readonly deployment: DeploymentId
  readonly state: ProviderState
}

const pinned = (request: LlmRequest, pin: Pin): LlmRequest => ({
  ...request,
  demands: { ...request.demands, deployment: pin.deployment },
  overrides: { ...request.overrides, disableFallbacks: true }
})

export type { Issued }

/** An empty memory of what answers issued, for layers that follow each other over the same deployments. */
export const memory = (): Issued => new Issued()

/**
 * The layer; it remembers what answers issue, in `issued` (default: a memory of its own). Belongs outside Fallback, Recovery
 * and Retry.
 */
export const make = (options: Options = {}, issued: Issued = memory()): Service.RequestLayer => {
  const capacity = options.capacity ?? defaults.capacity

  const pinOf = (request: LlmRequest): Pin | undefined => {
    const states = boundState(request.body)
    for (let i = states.length - 1; i >= 0; i--) {
      const state = states[i]
      const deployment = state === undefined ? undefined : issued.owner(state.value)
      if (state !== undefined && deployment !== undefined) return { deployment, state }
    }
    return undefined
  }

  const noted = (response: LlmResponse): LlmResponse => {
    const { journal } = response
    if (response._tag === "Complete") {
      const owner = journal.answered?.deployment
      if (owner !== undefined) for (const value of issuedState(response.body)) issued.note(value, owner, capacity)
      return response
    }
    const { facts, settlement } = response.events
    settlement.onSettled((outcome) => {
      const owner = journal.answered?.deployment
      if (outcome._tag !== "Completed" || owner === undefined) return
      for (const value of facts.issued) issued.note(value, owner, capacity)
    })
    return response
  }

  return (next) =>
    Service.request(
      (request) => {
        const pin = pinOf(request)
        if (pin === undefined) return Effect.map(next.call(request), noted)
        return Effect.mapBoth(next.call(pinned(request, pin)), {
          onFailure: (error) =>
            error.with({
              description: `${error.description}; the request is bound to deployment ${pin.deployment} by a ${pin.state.kind} and cannot fail over`
            }),
          onSuccess: noted
        })
      },
      (request, now) => {
        const pin = pinOf(request)
        return next.openings(pin === undefined ? request : pinned(request, pin), now)
      }
    )
}

/** Pins requests around the inner service. */
export const layerWith = (options: Options): Layer.Layer<LlmService, ConfigError, LlmService> =>
  Service.wrap(
    LlmService,
    Effect.map(Field.decode(Options, options, "pinning"), (valid) => make(valid))
  )

/** Pins requests around the inner service, with the defaults. */
export const layer: Layer.Layer<LlmService, never, LlmService> = Layer.fresh(Layer.orDie(layerWith({})))

/** Which deployment issued what, of a tower. */
export class IssuedIds extends Context.Tag("@switchyard/router/IssuedIds")<IssuedIds, Issued>() {}

/** Which deployment issued what. */
export class Issuers extends State.make({
  name: "issuers",
  tag: IssuedIds,
  layer: () => Layer.sync(IssuedIds, memory)
}) {}

/** The layer as a concern of a stack. */
export class Pinning extends Concern.request({
  name: "pinning",
  about: "Sends what only one deployment can know to that deployment",
  options: Options,
  outside: {
    recovery: "what is bound to a deployment is not restarted elsewhere",
    fallback: "what is bound to a deployment has no fallback",
    retry: "what is bound to a deployment is retried there"
  },
  state: [Issuers],
  make: (options) => Effect.map(IssuedIds, (issued) => make(options, issued))
}) {}
