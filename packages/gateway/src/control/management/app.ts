/**
 * Serves the key management. A module of its own that is loaded with the first request for it: a gateway starts sooner without.
 */
import * as HttpApiBuilder from "@effect/platform/HttpApiBuilder"
import type * as HttpApp from "@effect/platform/HttpApp"
import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import { Effect, Layer } from "effect"
import * as KeysApi from "../../api/KeysApi.js"
import { pathOf, queryOf } from "../../edge/requestPath.js"
import * as Reading from "../../keys/management/reading.js"
import { invalid } from "../../keys/management/refusals.js"
import { appOf } from "../apiApp.js"
import * as answers from "../controlAnswers.js"
import * as Answering from "./answering.js"
import * as Keys from "./keys.js"
import * as Spend from "./spend.js"
import * as Teams from "./teams.js"
import * as Users from "./users.js"

/** The control plane has looked at the key. */
const letIn = Layer.succeed(KeysApi.ManagesKeys, { bearer: () => Effect.void })

/** Names that the query of a URL may have. */
const queryAt = (path: string): ReadonlyArray<string> =>
  KeysApi.endpoints.find((endpoint) => endpoint.path === path)?.query ?? []

/** The app that answers under the paths of the API. */
export const make = (deps: Answering.ManagementDeps): Effect.Effect<HttpApp.Default> => {
  const answering = Answering.make(deps)
  const handlers = Layer.mergeAll(
    Keys.layer(deps, answering),
    Teams.layer(deps, answering),
    Users.layer(deps, answering),
    Spend.layer(deps, answering)
  )
  const api = HttpApiBuilder.api(KeysApi.Api).pipe(Layer.provide(Layer.provide(handlers, letIn)))
  return Effect.map(appOf(api), (app) =>
    Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) => {
      const issues = Reading.queryIssues(queryOf(request.url), queryAt(pathOf(request.url)))
      if (issues.length === 0) return app
      const refusal = invalid(issues)
      deps.onRefused(request, refusal)
      return Effect.succeed(answers.refuse(refusal))
    })
  )
}
