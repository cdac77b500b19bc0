/**
 * The admin endpoints as a value: their paths, what they answer, and who may call them. Server, client (`HttpApiClient`),
 * OpenAPI document and documentation are made of it. It imports nothing of the gateway that runs.
 */
import * as HttpApi from "@effect/platform/HttpApi"
import * as HttpApiEndpoint from "@effect/platform/HttpApiEndpoint"
import * as HttpApiGroup from "@effect/platform/HttpApiGroup"
import * as HttpApiMiddleware from "@effect/platform/HttpApiMiddleware"
import * as HttpApiSchema from "@effect/platform/HttpApiSchema"
import * as HttpApiSecurity from "@effect/platform/HttpApiSecurity"
import * as OpenApi from "@effect/platform/OpenApi"
import { Context, Schema } from "effect"
import { ConfigView, Deployments, DeploymentView, Recording } from "./AdminViews.js"
import { FleetView } from "./FleetViews.js"
import { failure } from "./failures.js"
import { SpendView } from "./SpendViews.js"

/** No key, or one that nobody knows. */
export class Unauthorized extends Schema.Class<Unauthorized>("Unauthorized")(
  failure("authentication_error"),
  HttpApiSchema.annotations({ status: 401, description: "No key, or one that nobody knows" })
) {}

/** A key that may do other things. */
export class Forbidden extends Schema.Class<Forbidden>("Forbidden")(
  failure("permission_error"),
  HttpApiSchema.annotations({ status: 403, description: "A key that is not the master key" })
) {}

/** No deployment has this id. */
export class NotFound extends Schema.Class<NotFound>("NotFound")(
  failure("invalid_request_error"),
  HttpApiSchema.annotations({ status: 404, description: "No deployment has this id" })
) {}

/** There are listeners enough, or the ledger does not answer. */
export class Unavailable extends Schema.Class<Unavailable>("Unavailable")(
  failure("service_unavailable_error"),
  HttpApiSchema.annotations({
    status: 503,
    description: "There are listeners enough, or the ledger does not answer; `Retry-After` says when to come back"
  })
) {}

const bearer = HttpApiSecurity.bearer.pipe(
  HttpApiSecurity.annotate(
    OpenApi.Description,
    "The master key. Other headers in which clients put a key, such as `x-api-key`, will do. A gateway without keys, which only its own machine reaches, asks for none."
  )
)

/** Lets in whoever bears the master key, and everybody where no key is configured. */
export class Authorization extends HttpApiMiddleware.Tag<Authorization>()("@switchyard/gateway/Authorization", {
  failure: Schema.Union(Unauthorized, Forbidden, Unavailable),
  security: { bearer }
}) {}

/** Clients put a name into a path as it is, so it is encoded here; a server's router has decoded it already. */
const Name = Schema.transform(Schema.String, Schema.String, {
  strict: true,
  decode: (name) => name,
  encode: (name) => encodeURIComponent(name)
})

const id = Schema.Struct({ id: Name.annotations({ description: "The deployment's id." }) })

const action = <const Name extends string>(name: Name, summary: string) =>
  HttpApiEndpoint.post(name, `/admin/deployments/:id/${name}`)
    .setPath(id)
    .addSuccess(DeploymentView)
    .addError(NotFound)
    .annotate(OpenApi.Summary, summary)

const group = HttpApiGroup.make("admin", { topLevel: true })
  .add(
    HttpApiEndpoint.get("deployments", "/admin/deployments")
      .addSuccess(Deployments)
      .annotate(OpenApi.Summary, "every deployment with its state, figures and last errors")
  )
  .add(action("isolate", "takes a deployment out by hand"))
  .add(action("release", "puts a deployment that was taken out back"))
  .add(action("reset", "ends a deployment's cooldown"))
  .add(
    HttpApiEndpoint.get("config", "/admin/config")
      .addSuccess(ConfigView)
      .annotate(OpenApi.Summary, "the configuration in force, without its secrets")
  )
  .add(
    HttpApiEndpoint.get("fleet", "/admin/fleet")
      .addSuccess(FleetView)
      .annotate(OpenApi.Summary, "all gateways that share their state, their sum, and configurations that differ")
  )
  .add(
    HttpApiEndpoint.get("timeline", "/admin/timeline")
      .addSuccess(Recording)
      .annotate(OpenApi.Summary, "the last 15 minutes of each deployment")
  )
  .add(
    HttpApiEndpoint.get("events", "/admin/events")
      .addSuccess(HttpApiSchema.Text({ contentType: "text/event-stream" }))
      .annotate(OpenApi.Summary, "what happens as it happens, as server-sent events")
      .annotate(
        OpenApi.Description,
        "A `snapshot` first; then `router` events as they happen, a `sample` of all deployments every 2 s, and a `point` of the timeline whenever there is a new one, or the whole `timeline` to a client that has lost points. Ends when the gateway drains."
      )
  )
  .add(
    HttpApiEndpoint.get("spend", "/admin/spend")
      .addSuccess(SpendView)
      .annotate(OpenApi.Summary, "what was spent in the last 30 days: by day, key, team, model and deployment")
  )
  .add(
    HttpApiEndpoint.get("spendCsv", "/admin/spend.csv")
      .addSuccess(HttpApiSchema.Text({ contentType: "text/csv" }))
      .annotate(OpenApi.Summary, "the same for a spreadsheet, a line for each sum")
  )
  .add(
    HttpApiEndpoint.get("openapi", "/admin/openapi.json")
      .addSuccess(Schema.Object)
      .annotate(OpenApi.Summary, "this API as an OpenAPI document")
  )
  .middleware(Authorization)

/** All of `/admin`. */
export class Api extends HttpApi.make("switchyard-admin")
  .add(group)
  .annotateContext(
    OpenApi.annotations({
      title: "Switchyard's admin API",
      version: "1",
      description: "What a gateway's operators see and do. Errors have OpenAI's shape."
    })
  ) {}

/** The OpenAPI document. Nothing of a request is decoded that could fail to be, so it tells of no such failure. */
export const document = (): OpenApi.OpenAPISpec => {
  const { components, paths, ...rest } = OpenApi.fromApi(Api)
  const { HttpApiDecodeError: _error, Issue: _issue, PropertyKey: _key, ...schemas } = components.schemas
  for (const methods of Object.values(paths)) {
    for (const operation of Object.values(methods)) delete operation.responses[400]
  }
  return { ...rest, paths, components: { ...components, schemas } }
}

/** One endpoint, for those who look endpoints up, or write about them. */
export interface Endpoint {
  readonly name: string
  readonly method: string
  /** A name in it is written `:id`. */
  readonly path: string
  readonly summary: string
}

/** All endpoints, in the order of the declaration. */
export const endpoints: ReadonlyArray<Endpoint> = Object.values(Api.groups).flatMap((found) =>
  Object.values(found.endpoints).map(({ annotations, method, name, path }) => ({
    name,
    method,
    path,
    summary: Context.getOption(annotations, OpenApi.Summary).pipe((summary) =>
      summary._tag === "Some" ? summary.value : ""
    )
  }))
)
