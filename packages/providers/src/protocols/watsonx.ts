/**
 * IBM watsonx.ai: chats almost in OpenAI's words, for a project or a space, in the name of an IBM Cloud account.
 */

import type { Deployment } from "@switchyard/core/Deployment"
import { arrayOf, isJsonObject, type JsonObject } from "@switchyard/core/Json"
import type { DialectName } from "@switchyard/dialects/Conversation"
import {
  type Address,
  type Ask,
  badBase,
  baseOf,
  bearer,
  type Env,
  environment,
  type Protocol,
  type TargetProblem,
  variable,
  withQueries
} from "./protocol.js"

const chat: ReadonlyArray<DialectName> = ["chat"]

/** LiteLLM's. */
const usualVersion = "2024-03-13"

/** A model that somebody has deployed, by the id of that: it knows its project or space itself. */
const deployedId = (model: string): string | undefined => /^deployment\/(.+)$/.exec(model)?.[1]

const textOf = (value: unknown): string | undefined => (typeof value === "string" && value !== "" ? value : undefined)

/** For whom a model is asked: in the words of the API. Empty where nobody says. */
const idsOf = ({ defaults, project }: Deployment, env: Env = environment): JsonObject => {
  const space = textOf(defaults.space_id)
  const own = project ?? textOf(defaults.project_id)
  if (own !== undefined) return { project_id: own }
  if (space !== undefined) return { space_id: space }
  const known = variable(env, "WATSONX_PROJECT_ID", "WX_PROJECT_ID", "PROJECT_ID")
  if (known !== undefined) return { project_id: known }
  const spaces = ["WATSONX_DEPLOYMENT_SPACE_ID", "WATSONX_SPACE_ID", "WX_SPACE_ID", "SPACE_ID"]
  const inEnvironment = variable(env, ...spaces)
  return inEnvironment === undefined ? {} : { space_id: inEnvironment }
}

/** What names a model in a body: nothing where it was deployed. */
export const named = (deployment: Deployment, model: string): JsonObject =>
  deployedId(model) === undefined ? { model_id: model, ...idsOf(deployment) } : {}

const regionOf = ({ location, region }: Deployment, env: Env): string | undefined =>
  location ??
  (region !== undefined && /^[a-z]{2}-[a-z]+$/.test(region) ? region : undefined) ??
  variable(env, "WATSONX_REGION", "WX_REGION")

const pathOf = ({ model, operation, stream }: Ask): string | undefined => {
  const id = deployedId(model)
  switch (operation) {
    case "chat":
    case "completion":
      return `${id === undefined ? "" : `/deployments/${encodeURIComponent(id)}`}/text/chat${stream ? "_stream" : ""}`
    case "embeddings":
      return "/text/embeddings"
    default:
      return undefined
  }
}

const address = (deployment: Deployment, baseUrl: string | undefined, env: Env): Address | TargetProblem => {
  const region = regionOf(deployment, env)
  if (baseUrl === undefined && region === undefined) {
    return { problem: "watsonx needs a base URL, for example https://us-south.ml.cloud.ibm.com, or its `location`" }
  }
  if (deployedId(deployment.model) === undefined && Object.keys(idsOf(deployment, env)).length === 0) {
    return { problem: "watsonx needs a project or a space: set `project`, or WATSONX_PROJECT_ID in the environment" }
  }
  const base = baseOf(baseUrl ?? `https://${region}.ml.cloud.ibm.com`)
  if (base === undefined) return badBase
  const root = base.path.replace(/\/ml(?:\/v1(?:\/.*)?)?$/, "")
  const version = `version=${encodeURIComponent(deployment.apiVersion ?? usualVersion)}`
  return {
    origin: base.origin,
    path: (ask) => {
      const path = pathOf(ask)
      return path === undefined ? undefined : withQueries(`${root}/ml/v1${path}`, base.search, version)
    }
  }
}

/** Its schemas know neither. */
const withoutStrictness = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(withoutStrictness)
  if (!isJsonObject(value)) return value
  return Object.fromEntries(
    Object.entries(value).flatMap(([name, inner]) =>
      name === "additionalProperties" && typeof inner === "boolean" ? [] : [[name, withoutStrictness(inner)]]
    )
  )
}

const toolOf = (tool: unknown): unknown => {
  if (!isJsonObject(tool) || !isJsonObject(tool.function)) return tool
  const { strict: _, parameters, ...rest } = tool.function
  return {
    ...tool,
    function: parameters === undefined ? rest : { ...rest, parameters: withoutStrictness(parameters) }
  }
}

/** IBM watsonx.ai. */
export const watsonx: Protocol = {
  name: "watsonx",
  dialects: () => chat,
  address,
  key: bearer,
  cloud: "ibm",
  needsAccount: true,
  exchangesKey: true,
  hasOwnEmbeddings: true,
  fit: (body, { model }, deployment) => {
    // How it is asked, the path says; usage comes unasked.
    for (const name of ["model", "stream", "stream_options", "project_id", "space_id"]) delete body[name]
    Object.assign(body, named(deployment, model))
    if (body.max_tokens === undefined && body.max_completion_tokens !== undefined) {
      body.max_tokens = body.max_completion_tokens
    }
    delete body.max_completion_tokens
    if (body.tools !== undefined) body.tools = arrayOf(body.tools).map(toolOf)
    if (typeof body.tool_choice !== "string") return
    body.tool_choice_option = body.tool_choice
    delete body.tool_choice
  }
}
