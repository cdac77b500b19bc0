/**
 * The key management as a value: its paths, what is asked and answered, and who may call it, as LiteLLM's users script it.
 * Server, client (`HttpApiClient`) and OpenAPI document are made of it. It imports nothing of the gateway that runs.
 */
import * as HttpApi from "@effect/platform/HttpApi"
import * as HttpApiEndpoint from "@effect/platform/HttpApiEndpoint"
import * as HttpApiGroup from "@effect/platform/HttpApiGroup"
import * as HttpApiMiddleware from "@effect/platform/HttpApiMiddleware"
import * as HttpApiSchema from "@effect/platform/HttpApiSchema"
import * as HttpApiSecurity from "@effect/platform/HttpApiSecurity"
import * as OpenApi from "@effect/platform/OpenApi"
import { Schema } from "effect"
import { Forbidden, Unauthorized } from "./AdminApi.js"
import { failure } from "./failures.js"
import * as Asks from "./KeyAsks.js"
import * as Views from "./KeyViews.js"

export { Forbidden, Unauthorized }

/** Something is wrong with the request; everything that is. */
export class Invalid extends Schema.Class<Invalid>("Invalid")(
  failure("invalid_request_error"),
  HttpApiSchema.annotations({ status: 400, description: "Everything that is wrong with the request" })
) {}

/** No key, team or user of that name. */
export class Missing extends Schema.Class<Missing>("Missing")(
  failure("invalid_request_error"),
  HttpApiSchema.annotations({ status: 404, description: "There is none of that name" })
) {}

/** The key or its name is another's, or somebody else changed it meanwhile. */
export class Conflict extends Schema.Class<Conflict>("Conflict")(
  failure("invalid_request_error"),
  HttpApiSchema.annotations({
    status: 409,
    description: "The key or its name is another's, or somebody else changed it meanwhile"
  })
) {}

/** The ledger does not answer; nothing has changed. */
export class LedgerAway extends Schema.Class<LedgerAway>("LedgerAway")(
  failure("service_unavailable_error"),
  HttpApiSchema.annotations({
    status: 503,
    description: "The ledger does not answer; `Retry-After` says when to come back"
  })
) {}

const bearer = HttpApiSecurity.bearer.pipe(
  HttpApiSecurity.annotate(
    OpenApi.Description,
    "The master key. Other headers in which clients put a key, such as `x-api-key`, will do. Without a master key none of this is there."
  )
)

/** Lets in whoever bears the master key, and of `/key/info` whoever asks about the own key. */
export class ManagesKeys extends HttpApiMiddleware.Tag<ManagesKeys>()("@switchyard/gateway/ManagesKeys", {
  failure: Schema.Union(Unauthorized, Forbidden),
  security: { bearer }
}) {}

const text = Schema.optional(Schema.String)

const page = { page: text, size: text }

const post = <const Name extends string, Path extends `/${string}`, A, I, B, J>(
  name: Name,
  path: Path,
  payload: Schema.Schema<A, I>,
  success: Schema.Schema<B, J>,
  summary: string
) =>
  HttpApiEndpoint.post(name, path)
    .setPayload(payload)
    .addSuccess(success)
    .addError(Invalid)
    .addError(Missing)
    .addError(Conflict)
    .addError(LedgerAway)
    .annotate(OpenApi.Summary, summary)

const get = <
  const Name extends string,
  Path extends `/${string}`,
  F extends Record<string, Schema.optional<typeof Schema.String>>,
  B,
  J
>(
  name: Name,
  path: Path,
  query: F,
  success: Schema.Schema<B, J>,
  summary: string
) =>
  HttpApiEndpoint.get(name, path)
    .setUrlParams(
      Schema.Struct(query) as unknown as Schema.Schema<
        { readonly [K in keyof F]?: string },
        Readonly<Record<string, string | undefined>>
      >
    )
    .addSuccess(success)
    .addError(Invalid)
    .addError(Missing)
    .addError(LedgerAway)
    .annotate(OpenApi.Summary, summary)

const keys = HttpApiGroup.make("keys", { topLevel: true })
  .add(
    post("generateKey", "/key/generate", Asks.GenerateKey, Views.MadeKey, "makes a key; the only time that it is told")
  )
  .add(post("updateKey", "/key/update", Asks.UpdateKey, Views.KeyView, "changes what is said of a key"))
  .add(post("deleteKeys", "/key/delete", Asks.DeleteKeys, Views.DeletedKeys, "deletes keys, all or none; records stay"))
  .add(post("blockKey", "/key/block", Asks.OneKey, Views.KeyView, "lets nobody in by a key"))
  .add(post("unblockKey", "/key/unblock", Asks.OneKey, Views.KeyView, "lets a key's bearers in again"))
  .add(
    post(
      "regenerateKey",
      "/key/regenerate",
      Asks.RegenerateKey,
      Views.MadeKey,
      "puts another key in the place of one, which keeps its name, limits and spend"
    )
  )
  .add(
    post(
      "regenerateThisKey",
      "/key/:key/regenerate",
      Asks.RegenerateKey,
      Views.MadeKey,
      "the same; the path names the key, or its token"
    ).setPath(Schema.Struct({ key: Schema.String }))
  )
  .add(
    get(
      "keyInfo",
      "/key/info",
      { key: text },
      Views.KeyInfo,
      "a key; without `key` the own one, which needs no master key"
    )
  )
  .add(
    get(
      "listKeys",
      "/key/list",
      {
        ...page,
        user_id: text,
        team_id: text,
        key_alias: text,
        key_hash: text,
        return_full_object: text,
        include_team_keys: text
      },
      Views.KeyPage,
      "keys, the latest first: their tokens, or all of them"
    )
  )
  .add(
    HttpApiEndpoint.get("keysDocument", "/key/openapi.json")
      .addSuccess(Schema.Object)
      .annotate(OpenApi.Summary, "this API as an OpenAPI document")
  )
  .middleware(ManagesKeys)

const teams = HttpApiGroup.make("teams", { topLevel: true })
  .add(post("newTeam", "/team/new", Asks.NewTeam, Views.TeamView, "makes a team"))
  .add(post("updateTeam", "/team/update", Asks.UpdateTeam, Views.ChangedTeam, "changes what is said of a team"))
  .add(post("deleteTeams", "/team/delete", Asks.TeamIds, Views.DeletedTeams, "deletes teams, and their keys"))
  .add(post("blockTeam", "/team/block", Asks.OneTeam, Views.TeamView, "lets nobody in by a team's keys"))
  .add(post("unblockTeam", "/team/unblock", Asks.OneTeam, Views.TeamView, "lets them in again"))
  .add(post("addMembers", "/team/member_add", Asks.NewMembers, Views.TeamView, "puts users into a team, all or none"))
  .add(post("deleteMember", "/team/member_delete", Asks.OneMember, Views.TeamView, "takes a user out; keys stay"))
  .add(get("teamInfo", "/team/info", { team_id: text }, Views.TeamInfo, "a team and its keys"))
  .add(
    get(
      "listTeams",
      "/team/list",
      { user_id: text },
      Schema.Array(Views.TeamView),
      "teams; where a user is named those of their keys, and those they are in"
    )
  )
  .middleware(ManagesKeys)

const users = HttpApiGroup.make("users", { topLevel: true })
  .add(
    post(
      "newUser",
      "/user/new",
      Asks.NewUser,
      Views.MadeUser,
      "makes a user, and a key unless `auto_create_key` is false"
    )
  )
  .add(post("updateUser", "/user/update", Asks.UpdateUser, Views.ChangedUser, "changes what is said of a user"))
  .add(post("deleteUsers", "/user/delete", Asks.UserIds, Views.DeletedUsers, "deletes users, and their keys"))
  .add(get("userInfo", "/user/info", { user_id: text }, Views.UserInfo, "a user, its keys and their teams"))
  .add(get("listUsers", "/user/list", { page: text, page_size: text }, Views.UserPage, "users, the latest first"))
  .middleware(ManagesKeys)

const dates = { start_date: text, end_date: text }

const spend = HttpApiGroup.make("spend", { topLevel: true })
  .add(
    get(
      "spendLogs",
      "/spend/logs",
      { ...dates, api_key: text, user_id: text, request_id: text, summarize: text, limit: text },
      Schema.Union(Schema.Array(Views.SpendLog), Schema.Array(Views.SpendDay)),
      "requests, the latest first; with both dates their sums by day, unless `summarize=false`"
    )
  )
  .add(
    get(
      "spendReport",
      "/global/spend/report",
      { ...dates, group_by: text, api_key: text, internal_user_id: text, team_id: text },
      Schema.Union(Schema.Array(Views.TeamDay), Schema.Array(Views.KeySpend)),
      "sums of days by team, or of a key, of a user's or a team's keys"
    )
  )
  .middleware(ManagesKeys)

/** The whole of it. */
export class Api extends HttpApi.make("switchyard-keys")
  .add(keys)
  .add(teams)
  .add(users)
  .add(spend)
  .annotateContext(
    OpenApi.annotations({
      title: "Switchyard's key management",
      version: "1",
      description:
        "Keys, teams, users and what they have spent, as LiteLLM's users script them. Errors have OpenAI's shape."
    })
  ) {}

/** The OpenAPI document. */
export const document = (): OpenApi.OpenAPISpec => {
  const { components, paths, ...rest } = OpenApi.fromApi(Api)
  const { HttpApiDecodeError: _error, Issue: _issue, PropertyKey: _key, ...schemas } = components.schemas
  for (const methods of Object.values(paths)) {
    for (const operation of Object.values(methods)) {
      const bad = operation.responses[400]?.content?.["application/json"]?.schema
      // Bad input is told in our words alone.
      if (bad !== undefined && "anyOf" in bad) operation.responses[400] = invalidResponse
      else if (bad !== undefined && !JSON.stringify(bad).includes("/Invalid")) delete operation.responses[400]
    }
  }
  return { ...rest, paths, components: { ...components, schemas } }
}

const invalidResponse = {
  description: "Everything that is wrong with the request",
  content: { "application/json": { schema: { $ref: "#/components/schemas/Invalid" as const } } }
}

/** One endpoint, for those who look endpoints up. */
export interface Endpoint {
  readonly name: string
  readonly method: string
  /** A name in it is written `:key`. */
  readonly path: string
  /** Names that its query may have. */
  readonly query: ReadonlyArray<string>
}

/** All endpoints, in the order of the declaration. */
export const endpoints: ReadonlyArray<Endpoint> = Object.values(Api.groups).flatMap((found) =>
  Object.values(found.endpoints).map((endpoint) => {
    const { method, name, path, urlParamsSchema } = endpoint as HttpApiEndpoint.HttpApiEndpoint.AnyWithProps
    const query =
      urlParamsSchema._tag === "Some"
        ? Object.keys((urlParamsSchema.value as unknown as { fields: object }).fields)
        : []
    return { name, method, path, query }
  })
)
