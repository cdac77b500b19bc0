/**
 * Whether a model thinks before it speaks: as the request says in any spelling, as its deployment declares, or as the name
 * of the model tells. Who thinks may be silent for minutes in a healthy answer.
 */

import type { Deployment } from "../deployment/Deployment.js"
import { inBody } from "../dialect/reasoningFields.js"
import { wordsOf } from "../request/LlmRequest.js"
import * as ModelFamily from "../request/ModelFamily.js"
import type { Attempt } from "./Attempt.js"

export { inBody }

const known = new WeakMap<Deployment, boolean>()

/** By the family of the model. A wildcard's models differ from request to request, so only a deployment's own is kept. */
const byName = (target: Deployment, model: string): boolean => {
  if (model !== target.model) return ModelFamily.of({ ...target, model }).reasons
  let reasons = known.get(target)
  if (reasons === undefined) {
    reasons = ModelFamily.of(target).reasons
    known.set(target, reasons)
  }
  return reasons
}

/**
 * Whether the model of an attempt thinks first. What the request says, or else the deployment's defaults, beats what the
 * deployment declares and what is known of the model.
 */
export const isExpected = ({ model, request, target }: Attempt): boolean =>
  wordsOf(request).asksForReasoning(request.body) ??
  inBody(target.defaults) ??
  (target.capabilities?.has("reasoning") === true || byName(target, model))

/** Whether the attempt asks for the cheap service tier, whose answers may begin minutes later. */
export const isFlex = ({ request, target }: Attempt): boolean =>
  (wordsOf(request).serviceTier(request.body) ?? target.defaults.service_tier) === "flex"
