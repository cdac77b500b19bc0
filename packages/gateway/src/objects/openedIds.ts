/**
 * The ids in a request: what is sealed is opened, so that the provider reads its own, and binds the request to the deployment that
 * knows it.
 */
import { type Deployment, type DeploymentId, isSameAccount } from "@switchyard/core/Deployment"
import type { ProviderState } from "@switchyard/core/Dialect"
import { type LlmRequest, wordsOf } from "@switchyard/core/LlmRequest"
import { DeploymentRegistry } from "@switchyard/router/DeploymentRegistry"
import { IssuedIds } from "@switchyard/router/Pinning"
import { Context, Either, Option } from "effect"
import type { Refusal } from "../errors/ErrorBody.js"
import type { Generation } from "../generations/Generations.js"
import type { Caller } from "../keys/KeyRing.js"
import { ownerOf } from "./owners.js"
import type { Remembered } from "./responseIds.js"
import { isSealed, type Kept, type Sealer } from "./SealedIds.js"
import { type Exchanges, inMembers, inTree } from "./writtenIds.js"

/** An object with the deployment that keeps it. */
export interface Found extends Kept {
  readonly target: Deployment
}

/** Finds what a sealed id stands for, and nothing that its caller may not use. */
export const find = (
  sealer: Sealer,
  id: string,
  caller: Caller,
  { tower }: Pick<Generation, "tower">
): Found | undefined => {
  const kept = sealer.open(id, ownerOf(caller))
  if (kept === undefined) return undefined
  const target = Context.get(tower.state, DeploymentRegistry).slot(kept.deployment)?.deployment
  return target === undefined || !caller.mayUse(target.group) ? undefined : { ...kept, target }
}

/** Which deployment issued an id, as far as this process remembers. */
export const rememberedBy = ({ tower }: Pick<Generation, "tower">): Remembered => {
  const issued = Option.getOrUndefined(Context.getOption(tower.state, IssuedIds))
  return (id) => issued?.owner(id)?.id
}

const shown = (id: string): string => id.slice(0, 200)

/** Why nothing is known of a state, as the provider would say it of an id that it never gave. */
const unknownState = ({ kind, value }: ProviderState): Refusal => {
  if (kind === "response id") {
    return {
      status: 404,
      code: "previous_response_not_found",
      param: "previous_response_id",
      message: `Previous response with id '${shown(value)}' not found.`
    }
  }
  const what = kind.replace(/ id$/, "")
  return {
    status: 404,
    code: `${what.replace(/\W/g, "_")}_not_found`,
    message: `No such ${what}: '${shown(value)}'.`
  }
}

const ofSeveral = (first: Found, second: Found): Refusal => ({
  status: 400,
  code: "ids_of_several_deployments",
  message: `what the request refers to is kept by different providers or accounts (${first.id.replace(/[_-].*/, "")} and ${second.id.replace(/[_-].*/, "")} ids of two deployments): none of them knows both`
})

/** The model is served by nobody who knows what the request refers to. */
const ofAnother = (model: string, kind: string): Refusal => ({
  status: 400,
  code: "ids_of_another_deployment",
  param: "model",
  message: `what the request refers to by a ${kind} is kept by an account that does not serve the model ${JSON.stringify(shown(model))}`
})

/** The deployment of a request's model that knows what one of its account keeps; undefined where there is none. */
const knowing = (
  model: string,
  { deployment, target }: Found,
  { tower }: Pick<Generation, "tower">
): DeploymentId | undefined => {
  const slots = Context.get(tower.state, DeploymentRegistry).resolve(model)?.group.tiers.flat()
  if (slots === undefined || slots.some(({ id }) => id === deployment)) return deployment
  return slots.find((slot) => isSameAccount(slot.deployment, target))?.id
}

/** A request as it goes on, and what was opened in it: the ids of callers by those of providers. */
export interface Opened {
  readonly request: LlmRequest
  readonly shown: Exchanges
}

const nothing: Exchanges = new Map()

/** Opens the ids of a request. What nobody sealed goes on as it is, unless it is remembered as somebody else's. */
export const openAll = (
  sealer: Sealer,
  request: LlmRequest,
  caller: Caller,
  generation: Pick<Generation, "tower">
): Either.Either<Opened, Refusal> => {
  const issued = Option.getOrUndefined(Context.getOption(generation.tower.state, IssuedIds))
  const inside = new Map<string, string>()
  const outside = new Map<string, string>()
  let bond: Found | undefined
  let kind = ""
  for (const state of wordsOf(request).states(request.body)) {
    if (!state.hard) continue
    const { value } = state
    if (!isSealed(value)) {
      const issuer = issued?.owner(value)
      if (issuer !== undefined && issuer.caller !== request.caller) return Either.left(unknownState(state))
      continue
    }
    const found = find(sealer, value, caller, generation)
    if (found === undefined) return Either.left(unknownState(state))
    if (bond !== undefined && !isSameAccount(bond.target, found.target)) return Either.left(ofSeveral(bond, found))
    bond ??= found
    kind = state.kind
    inside.set(value, found.id)
    outside.set(found.id, value)
  }
  if (bond === undefined) return Either.right({ request, shown: nothing })
  const deployment = knowing(request.model, bond, generation)
  if (deployment === undefined) return Either.left(ofAnother(request.model, kind))
  const body = inTree(request.body, inside)
  return Either.right({
    request: {
      ...request,
      body,
      ...(request.exact === undefined ? {} : { exact: inMembers(request.exact, body, inside) }),
      bond: { deployment, kind }
    },
    shown: outside
  })
}
