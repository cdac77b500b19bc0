/**
 * Sends requests that carry one provider's state where it is understood. Hard state (a previous response's id, a file's)
 * is known to the deployment that issued it alone: such a request never fails over, and its error says why. Soft state
 * (signed or encrypted thoughts) is worth something to the account that issued it: its deployments are asked before all others,
 * and whoever else is asked in the end leaves it out. What was issued elsewhere, for example an uploaded file's id, is
 * pinned by the request's own `bond` or `demands.deployment`.
 */
import type { ConfigError } from "@switchyard/core/ConfigError"
import type { Deployment, DeploymentId } from "@switchyard/core/Deployment"
import type { ProviderState } from "@switchyard/core/Dialect"
import * as Field from "@switchyard/core/Field"
import type { Journal } from "@switchyard/core/Journal"
import { type LlmRequest, wordsOf } from "@switchyard/core/LlmRequest"
import type { LlmResponse } from "@switchyard/core/LlmResponse"
import { LlmService } from "@switchyard/core/LlmService"
import { openAi } from "@switchyard/core/OpenAi"
import * as Service from "@switchyard/core/Service"
import { Context, Effect, Layer } from "effect"
import { DeploymentRegistry, Registry } from "../registry/DeploymentRegistry.js"
import * as Concern from "../stack/Concern.js"
import * as State from "../stack/State.js"

/** Options of the layer. */
export const Options = Field.options(
  "Sends requests that carry one provider's state to the deployment, or the account, that issued it.",
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

/** Who issued something: its id, and what it was, where that was kept. */
export interface Issuer {
  readonly id: DeploymentId
  readonly target: Deployment | undefined
  /** For whom. */
  readonly caller?: string | undefined
}

/** Which deployment issued what. */
export interface Issued {
  readonly owner: (value: string) => Issuer | undefined
  /** Remembers an issuer; beyond `capacity` values the oldest are forgotten. */
  readonly note: (value: string, owner: Issuer, capacity: number) => void
  /** Lets other processes know what an answer issued. */
  readonly share?: (values: Iterable<string>, owner: Issuer) => void
  /** Asks others about what is not known here, so that it is; undefined where that is nothing. */
  readonly find?: (values: ReadonlyArray<string>, capacity: number) => Effect.Effect<void> | undefined
}

/** An empty memory of what answers issued, for layers that follow each other over the same deployments. */
export const memory = (): Issued => {
  const owners = new Map<string, Issuer>()
  return {
    owner: (value) => owners.get(value),
    note: (value, owner, capacity) => {
      owners.delete(value)
      owners.set(value, owner)
      for (const oldest of owners.keys()) {
        if (owners.size <= capacity) return
        owners.delete(oldest)
      }
    }
  }
}

/** The deployment that a request is bound to, and by what. */
interface Pin {
  readonly deployment: DeploymentId
  readonly state: Pick<ProviderState, "kind">
}

/** What is known of a request's state. */
interface Bond {
  readonly pin: Pin | undefined
  readonly origins: Map<string, Deployment> | undefined
}

const bound = (request: LlmRequest, { origins, pin }: Bond): LlmRequest => {
  const carrying = origins === undefined ? request : { ...request, origins }
  if (pin === undefined) return carrying
  return {
    ...carrying,
    demands: { ...request.demands, deployment: pin.deployment },
    overrides: { ...request.overrides, disableFallbacks: true }
  }
}

/**
 * The layer; it remembers what answers issue, in `issued` (default: a memory of its own). Belongs outside Fallback, Recovery
 * and Retry.
 */
export const make = (
  options: Options = {},
  issued: Issued = memory(),
  /** The deployment of an id, where another process said who issued something. */
  deploymentOf: (id: DeploymentId) => Deployment | undefined = () => undefined
): Service.RequestLayer => {
  const capacity = options.capacity ?? defaults.capacity

  const statesOf = (request: LlmRequest): ReadonlyArray<ProviderState> => wordsOf(request).states(request.body)

  const bondOf = (request: LlmRequest, states = statesOf(request)): Bond | undefined => {
    let pin: Pin | undefined
    let origins: Map<string, Deployment> | undefined
    const { bond } = request
    for (const state of states) {
      const owner = issued.owner(state.value)
      if (owner === undefined) continue
      if (state.hard) {
        pin = { deployment: owner.id, state }
        continue
      }
      const target = owner.target ?? deploymentOf(owner.id)
      if (target === undefined) continue
      origins ??= new Map()
      origins.delete(state.value)
      origins.set(state.value, target)
    }
    if (bond !== undefined) pin = { deployment: bond.deployment, state: bond }
    return pin === undefined && origins === undefined ? undefined : { pin, origins }
  }

  const note = (values: Iterable<string>, { answered }: Journal, request: LlmRequest, id: unknown): void => {
    if (answered === undefined) return
    const owner = { id: answered.deployment, target: answered.target, caller: request.caller }
    for (const value of values) issued.note(value, owner, capacity)
    if (issued.share === undefined) return
    const isUnasked = (request.dialect ?? openAi) === openAi && request.body.store !== true
    const shared = isUnasked ? [...values].filter((value) => value !== id) : [...values]
    if (shared.length > 0) issued.share(shared, owner)
  }

  const noted = (response: LlmResponse, request: LlmRequest): void => {
    const { journal } = response
    if (response._tag === "Complete") {
      const { body } = response
      return note((request.dialect ?? openAi).answer.issued(body), journal, request, body.id)
    }
    const { events } = response
    // A stream that was taken up again ends with the facts of another one.
    events.settlement.onSettled((outcome) => {
      if (outcome._tag === "Completed") note(events.facts.issued, journal, request, events.facts.id)
    })
  }

  return (next) => {
    const enter = Service.entry(next)
    const pins = new WeakMap<LlmRequest, Pin>()
    const explained = Service.requestWithin((request, region) => {
      const call = enter(request, region)
      const pin = pins.get(request)
      if (pin === undefined) return call
      return Effect.mapError(call, (error) =>
        error.with({
          description: `${error.description}; the request is bound to deployment ${pin.deployment} by a ${pin.state.kind} and cannot fail over`
        })
      )
    }, next.openings)

    return Service.bracketRequest<Bond | undefined>({
      begin: (request) => {
        const states = statesOf(request)
        const asked =
          states.length === 0
            ? undefined
            : issued.find?.(
                states.map(({ value }) => value),
                capacity
              )
        return asked === undefined ? bondOf(request, states) : Effect.map(asked, () => bondOf(request, states))
      },
      pass: (request, bond) => {
        if (bond === undefined) return request
        const passed = bound(request, bond)
        if (bond.pin !== undefined) pins.set(passed, bond.pin)
        return passed
      },
      onResponse: (_, response, __, request) => noted(response, request),
      asks: (request) => {
        const bond = bondOf(request)
        return bond === undefined ? request : bound(request, bond)
      }
    })(explained)
  }
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
  about: "Sends what one deployment, or account, alone can know there",
  options: Options,
  outside: {
    recovery: "what is bound to a deployment is not restarted elsewhere",
    fallback: "what is bound to a deployment has no fallback",
    retry: "what is bound to a deployment is retried there"
  },
  state: [Issuers, Registry],
  make: (options) =>
    Effect.zipWith(IssuedIds, DeploymentRegistry, (issued, registry) =>
      make(options, issued, (id) => registry.slot(id)?.deployment)
    )
}) {}
