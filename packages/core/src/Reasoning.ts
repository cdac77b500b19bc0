/**
 * Whether a model thinks before it speaks: as the request says in any spelling, as its deployment declares, or as the name
 * of the model tells. Who thinks may be silent for minutes in a healthy answer.
 */
import type { Attempt } from "./Attempt.js"
import type { Deployment } from "./Deployment.js"
import { inBody } from "./internal/reasoningFields.js"

export { inBody }

/** Whether the model of an attempt thinks first. What the request, or else the deployment's defaults say beats what is known. */
export const expected = ({ model, request, target }: Attempt): boolean =>
  inBody(request.body) ?? inBody(target.defaults) ?? (target.capabilities?.has("reasoning") === true || byName(target, model))

/** Whether the attempt asks for the cheap service tier, whose answers may begin minutes later. */
export const isFlex = ({ request, target }: Attempt): boolean =>
  (request.body.service_tier ?? target.defaults.service_tier) === "flex"

const byName = (_target: Deployment, _model: string): boolean => false
