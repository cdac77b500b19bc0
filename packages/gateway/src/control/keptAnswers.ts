/**
 * Answers that a provider keeps: read, deleted, given up, by way of the deployment that made them. Nobody else knows them.
 */
import type { KeptAsk, SideCalls } from "@switchyard/core/SideCalls"
import { IssuedIds } from "@switchyard/router/Pinning"
import { Context, Effect, Option } from "effect"
import { ofError, type Refusal } from "../errors/ErrorBody.js"
import type { Generation } from "../generations/Generations.js"
import type { Caller } from "../keys/KeyRing.js"

/** What comes of it: the provider's answer, or why there is none. */
export type Kept =
  | { readonly status: number; readonly body: unknown; readonly refusal?: undefined }
  | { readonly refusal: Refusal }

const unknown = (id: string): Kept => ({
  refusal: {
    status: 404,
    code: "response_not_found",
    message: `Response with id '${id.slice(0, 200)}' not found: no deployment here is known to have made it.`,
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

/** Asks the deployment that made the answer; who may not use its group does not learn that there is one. */
export const ask = (
  caller: Caller,
  { tower }: Generation,
  { query, ...asked }: Omit<KeptAsk, "query"> & { readonly query: URLSearchParams },
  side: SideCalls
): Effect.Effect<Kept> => {
  if (query.get("stream") === "true") return Effect.succeed(noStreams)
  const issued = Option.getOrUndefined(Context.getOption(tower.state, IssuedIds))
  const target = issued?.owner(asked.id)?.target
  if (target === undefined || !caller.mayUse(target.group)) return Effect.succeed(unknown(asked.id))
  const call = side.kept(target, { ...asked, query: passedOn(query) })
  if (call === undefined) return Effect.succeed(unknown(asked.id))
  return Effect.match(call, {
    onFailure: (error): Kept => ({ status: error.httpStatus, body: ofError(error) }),
    onSuccess: (answer): Kept => answer
  })
}
