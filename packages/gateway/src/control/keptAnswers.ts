/**
 * Answers that a provider keeps: read, deleted, given up, by way of the deployment that made them. Nobody else knows them.
 */
import type { Deployment } from "@switchyard/core/Deployment"
import type { KeptAsk, SideCalls } from "@switchyard/core/SideCalls"
import { IssuedIds } from "@switchyard/router/Pinning"
import { Context, Effect, Option } from "effect"
import { ofError, type Refusal } from "../errors/ErrorBody.js"
import type { Generation } from "../generations/Generations.js"
import type { Caller } from "../keys/KeyRing.js"
import { find } from "../objects/openedIds.js"
import { ownerOf } from "../objects/owners.js"
import { ResponseIds } from "../objects/responseIds.js"
import { isSealed, type Kept as KeptObject, type Sealer } from "../objects/SealedIds.js"

/** What comes of it: the provider's answer, or why there is none. */
export type Kept =
  | { readonly status: number; readonly body: unknown; readonly refusal?: undefined }
  | { readonly refusal: Refusal }

const unknown = (id: string): Kept => ({
  refusal: {
    status: 404,
    code: "response_not_found",
    message: `Response with id '${id.slice(0, 200)}' not found.`,
    param: "id"
  }
})

const noStreams: Kept = {
  refusal: {
    status: 400,
    code: "invalid_request",
    message: "stream: a kept answer is told whole here",
    param: "stream"
  }
}

/** The query as a provider may read it: without a key. */
const passedOn = (query: URLSearchParams): string => {
  const left = new URLSearchParams(query)
  for (const name of ["key", "api-version"]) left.delete(name)
  return left.size === 0 ? "" : `?${left}`
}

/** What an id stands for: by itself where it is sealed, else as this process remembers, for who got it. */
const objectOf = (
  id: string,
  caller: Caller,
  generation: Generation,
  sealer: Sealer
): (KeptObject & { readonly target: Deployment }) | undefined => {
  if (isSealed(id)) return find(sealer, id, caller, generation)
  const issued = Option.getOrUndefined(Context.getOption(generation.tower.state, IssuedIds))?.owner(id)
  const target = issued?.target
  return target === undefined || issued?.caller !== caller.name || !caller.mayUse(target.group)
    ? undefined
    : { deployment: target.id, id, target }
}

/** Asks the deployment that made the answer; who may not use its group does not learn that there is one. */
export const ask = (
  caller: Caller,
  generation: Generation,
  { query, ...asked }: Omit<KeptAsk, "query"> & { readonly query: URLSearchParams },
  side: SideCalls,
  sealer: Sealer
): Effect.Effect<Kept> => {
  if (query.get("stream") === "true") return Effect.succeed(noStreams)
  const kept = objectOf(asked.id, caller, generation, sealer)
  const call =
    kept === undefined ? undefined : side.kept(kept.target, { ...asked, id: kept.id, query: passedOn(query) })
  if (kept === undefined || call === undefined) return Effect.succeed(unknown(asked.id))
  const ids = new ResponseIds(sealer, ownerOf(caller), new Map([[kept.id, asked.id]]))
  return Effect.match(call, {
    onFailure: (error): Kept => ({ status: error.httpStatus, body: ofError(error) }),
    onSuccess: ({ body, status }): Kept => ({ status, body: ids.tree(body, kept.deployment, status >= 300) })
  })
}
