/**
 * The APIs of the control plane that are loaded with the first request that asks for them.
 */
import * as Headers from "@effect/platform/Headers"
import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import type * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import { Effect } from "effect"
import { requestIdOf } from "../edge/requestId.js"
import { pathOf } from "../edge/requestPath.js"
import type { Refusal } from "../errors/ErrorBody.js"
import type { Desk } from "../keys/management/KeyDesk.js"
import type { AdminAppDeps } from "./adminApp.js"
import * as answers from "./controlAnswers.js"
import { type Managed, managedAt } from "./management/paths.js"
import * as Login from "./session/login.js"
import { type SessionPath, sessionPaths } from "./session/sessionPaths.js"
import type { Visitor, Visitors } from "./session/visitors.js"

type Answer = HttpServerResponse.HttpServerResponse

/** Why a request is turned away, and what else its answer says. */
export interface TurningAway {
  readonly refusal: Refusal
  readonly headers?: Readonly<Record<string, string>>
}

/** The methods of an endpoint as `Allow` names them. */
const allowing = (methods: ReadonlyArray<string>): string =>
  methods.flatMap((name) => (name === "GET" ? ["GET", "HEAD"] : [name])).join(", ")

/** A request, with what is said of it where it is turned away. */
export interface Asked {
  readonly request: HttpServerRequest.HttpServerRequest
  readonly id: string
  readonly path: string
  /** As endpoints know it. */
  readonly method: string
}

/** There is something here, but not for this method. */
export const wrongMethod = ({ path, request }: Asked, methods: ReadonlyArray<string>): TurningAway => {
  const allow = allowing(methods)
  return { refusal: answers.wrongMethod(request.method, path, allow), headers: { allow } }
}

/** Turns a request away, and tells of it. */
export type TurnAway = (asked: Asked, why: TurningAway) => Effect.Effect<Answer>

/** Serves `/admin`; what that takes is loaded with the first request that asks for it. */
export const administration = (deps: AdminAppDeps, visitors: Visitors, turnAway: TurnAway) => {
  const load = Effect.runSync(
    Effect.cached(
      Effect.promise(() => import("./adminApp.js")).pipe(
        Effect.flatMap(({ find, make }) => Effect.map(make(deps, visitors), (app) => ({ app, find })))
      )
    )
  )
  return (asked: Asked): Effect.Effect<Answer> =>
    Effect.flatMap(load, ({ app, find }) => {
      const { id, method, path, request } = asked
      const found = find(path)
      if (found === undefined) return turnAway(asked, { refusal: answers.unknownPath(request.method, path) })
      if (!found.methods.includes(method)) return turnAway(asked, wrongMethod(asked, found.methods))
      const headers = Headers.set(request.headers, "x-request-id", id)
      return Effect.provideService(
        app,
        HttpServerRequest.HttpServerRequest,
        request.modify({ url: found.url, headers })
      )
    })
}

/** Why a request for the key management is turned away; undefined when it may come in. */
const barredFrom = ({ isForCallers }: Managed, { caller, refusal }: Visitor): Refusal | undefined =>
  refusal ?? (caller?.isMaster === true || isForCallers ? undefined : answers.notMaster(true))

/** Serves the key management. Keys are read of headers alone: a `key` in a query is one that is asked about. */
export const management = (
  { onRefusal }: Pick<AdminAppDeps, "onRefusal">,
  visitors: Visitors,
  desk: Desk,
  turnAway: TurnAway
) => {
  const tell = ({ headers, method, url }: HttpServerRequest.HttpServerRequest, refusal: Refusal): void => {
    const path = pathOf(url)
    onRefusal?.({ id: requestIdOf(headers), method, path: managedAt(path)?.shown ?? path, refusal })
  }
  const load = Effect.runSync(
    Effect.cached(
      Effect.promise(() => import("./management/app.js")).pipe(
        Effect.flatMap(({ make }) =>
          make({
            desk,
            callerOf: (request) => Effect.map(visitors.of(request), ({ caller }) => caller),
            onRefused: tell
          })
        )
      )
    )
  )
  return (asked: Asked, managed: Managed): Effect.Effect<Answer> => {
    const { id, method, path, request } = asked
    if (method !== managed.method) return turnAway(asked, wrongMethod(asked, [managed.method]))
    const query = request.url.indexOf("?")
    const url = query === -1 ? path : path + request.url.slice(query)
    const headers = Headers.set(request.headers, "x-request-id", id)
    return Effect.flatMap(visitors.of(request), (visitor) => {
      const refusal = barredFrom(managed, visitor)
      if (refusal !== undefined) return turnAway(asked, { refusal })
      return Effect.flatMap(load, (app) =>
        Effect.provideService(app, HttpServerRequest.HttpServerRequest, request.modify({ url, headers }))
      )
    })
  }
}

/** Serves signing in and out. */
export const signingIn = ({ generations }: AdminAppDeps, visitors: Visitors, turnAway: TurnAway) => {
  const answerAt = Login.make(generations, visitors)
  return (asked: Asked, path: SessionPath): Effect.Effect<Answer> =>
    asked.method === sessionPaths[path]
      ? Effect.catchAll(answerAt[path](asked.request), (refusal) => turnAway(asked, { refusal }))
      : turnAway(asked, wrongMethod(asked, [sessionPaths[path]]))
}
