/**
 * When the deployments of a group could take a request: what a layer above the Balancer asks before it waits, or before
 * it starts a second attempt. A plain read of the same filters and statuses that selection goes by.
 */
import type { LlmRequest } from "@switchyard/core/LlmRequest"
import type { AttemptService } from "@switchyard/core/Service"
import { Context } from "effect"
import type { DeploymentRegistry } from "../registry/DeploymentRegistry.js"
import { type Opening, Selection } from "./selection.js"

export type { Opening }

/** Tells when deployments could take a request. The Balancer's layer provides it. */
export class Availability extends Context.Tag("@switchyard/router/Availability")<
  Availability,
  {
    /**
     * Every deployment of the request's group that passes the request's filters and is not excluded; avoided ones are
     * among them. `now` is monotonic ms; what is open opens at `now`. Empty for an unknown model.
     */
    readonly openings: (request: LlmRequest, now: number) => ReadonlyArray<Opening>
  }
>() {}

/** The service over what the Balancer chooses from. */
export const make = (
  registry: Context.Tag.Service<DeploymentRegistry>,
  next: AttemptService
): Context.Tag.Service<Availability> => ({
  openings: (request, now) => {
    const resolved = registry.resolve(request.model)
    return resolved === undefined ? [] : new Selection(resolved.group, request, now, next.status).openings()
  }
})
