/**
 * Which deployment a request goes to that names none by an id.
 */
import { type Deployment, isSameAccount } from "@switchyard/core/Deployment"
import { keepsObjects } from "@switchyard/core/Passage"
import { DeploymentRegistry } from "@switchyard/router/DeploymentRegistry"
import { Context, Either } from "effect"
import type { Refusal } from "../../errors/ErrorBody.js"
import type { Generation } from "../../generations/Generations.js"
import type { Caller } from "../../keys/KeyRing.js"
import { unknownModel } from "./refusals.js"

/** What a request says of where it goes. */
export interface Wish {
  /** A group, an alias or a deployment. */
  readonly model: string | undefined
  /** A provider's label. */
  readonly provider: string | undefined
  /** What comes says itself where it goes, once it is read. */
  readonly isOpen?: boolean
}

/** A deployment, with the name by which the tower is asked for it. */
export interface Place {
  readonly model: string
  readonly deployment: Deployment
}

const ambiguous = (what: string): Refusal => ({
  status: 400,
  code: "model_required",
  param: "model",
  message: `${what} belongs to one provider's account, and several could keep it: name a model (the field, query or header \`model\`, or \`target_model_names\`)`
})

const nobody = (what: string): Refusal => ({
  status: 400,
  code: "no_deployment",
  param: "model",
  message: `no deployment that this key may use takes ${what}`
})

const forbidden = (model: string): Refusal => ({
  status: 403,
  code: "model_not_allowed",
  param: "model",
  message: `this key may not use the model ${JSON.stringify(model.slice(0, 100))}`
})

/** The places that fit a wish, all of one account unless a model names their group. */
export const choose = (
  { tower }: Pick<Generation, "tower">,
  caller: Pick<Caller, "mayUse" | "meant">,
  { isOpen = false, model: asked, provider }: Wish,
  what: string,
  qualifies: (deployment: Deployment) => boolean = ({ protocol }) => keepsObjects(protocol)
): Either.Either<ReadonlyArray<Place>, Refusal> => {
  const registry = Context.get(tower.state, DeploymentRegistry)
  const model = asked === undefined ? undefined : (caller.meant?.(asked) ?? asked)
  const fits = (deployment: Deployment): boolean =>
    qualifies(deployment) && (provider === undefined || deployment.provider === provider)
  if (model !== undefined) {
    if (!caller.mayUse(model)) return Either.left(forbidden(model))
    const resolved = registry.resolve(model)
    if (resolved === undefined) return Either.left(unknownModel(model))
    const places = resolved.group.tiers
      .flat()
      .flatMap(({ deployment }) => (fits(deployment) ? [{ model, deployment }] : []))
    return places.length === 0 ? Either.left(nobody(what)) : Either.right(places)
  }
  const places = registry
    .slots()
    .flatMap(({ deployment }) =>
      fits(deployment) && caller.mayUse(deployment.group) ? [{ model: deployment.group, deployment }] : []
    )
  const [first, ...others] = places
  if (first === undefined) return Either.left(nobody(what))
  if (isOpen) return Either.right(places)
  return others.every(({ deployment }) => isSameAccount(deployment, first.deployment))
    ? Either.right([first])
    : Either.left(ambiguous(what))
}
