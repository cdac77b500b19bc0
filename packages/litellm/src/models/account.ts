import { type Draft, firstOf } from "../draft.js"
import { type Given, isText, isTree } from "../values.js"
import type { DeploymentDraft } from "./deploymentDraft.js"
import type { Env } from "./endpoint.js"
import type { Params } from "./params.js"

type Cloud = "aws" | "google" | "entra" | "oci"

/** LiteLLM's names of what an account is, by ours. */
const names: ReadonlyArray<readonly [cloud: Cloud, field: string, key: string]> = [
  ["aws", "accessKeyId", "aws_access_key_id"],
  ["aws", "secretAccessKey", "aws_secret_access_key"],
  ["aws", "sessionToken", "aws_session_token"],
  ["aws", "profile", "aws_profile_name"],
  ["aws", "roleArn", "aws_role_name"],
  ["aws", "sessionName", "aws_session_name"],
  ["aws", "externalId", "aws_external_id"],
  ["aws", "webIdentityToken", "aws_web_identity_token"],
  ["aws", "stsEndpoint", "aws_sts_endpoint"],
  ["google", "credentials", "vertex_credentials"],
  ["google", "credentials", "vertex_ai_credentials"],
  ["entra", "tenantId", "tenant_id"],
  ["entra", "clientId", "client_id"],
  ["entra", "clientSecret", "client_secret"],
  ["entra", "scope", "azure_scope"],
  ["oci", "tenancy", "oci_tenancy"],
  ["oci", "user", "oci_user"],
  ["oci", "fingerprint", "oci_fingerprint"],
  ["oci", "privateKey", "oci_key"],
  ["oci", "privateKey", "oci_key_file"]
]

const cloudOf = (provider: string): Cloud | undefined => {
  if (/^(?:bedrock|sagemaker)/.test(provider)) return "aws"
  if (provider.startsWith("vertex_ai")) return "google"
  if (provider === "oci") return "oci"
  return provider.startsWith("azure") ? "entra" : undefined
}

/** What says nothing about who asks. */
const details: ReadonlySet<string> = new Set(["scope", "sessionName", "stsEndpoint"])

/** Whether a deployment names a cloud account that asks, and not only for what it asks. */
export const hasAccount = (params: Params, provider: string): boolean =>
  names.some(
    ([cloud, field, key]) => cloud === cloudOf(provider) && !details.has(field) && params.get(key) !== undefined
  )

/** LiteLLM's variables for what a file does not say of an AWS account; keys are found where Amazon's own tools find them. */
const awsVariables: ReadonlyArray<string> = [
  "aws_profile_name",
  "aws_role_name",
  "aws_session_name",
  "aws_external_id",
  "aws_web_identity_token",
  "aws_sts_endpoint"
]

const inEnvironment = (key: string, env: Env, path: string): Given | undefined => {
  const value = awsVariables.includes(key) ? env[key.toUpperCase()] : undefined
  return isText(value) ? { value, path } : undefined
}

/** Vertex AI's location, by either of LiteLLM's names. */
export const vertexLocation = (params: Params): Given | undefined =>
  firstOf(params.get("vertex_location"), params.get("vertex_ai_location"))

/** A service account's key may stand in the file as a map. */
const textOf = ({ value }: Given): unknown => (isTree(value) ? JSON.stringify(value) : value)

/** Fills in the account, and for what it asks; what is another cloud's is told. */
export const account = (
  draft: Draft,
  made: DeploymentDraft,
  params: Params,
  { env, path: at, provider }: { readonly provider: string; readonly env: Env; readonly path: string }
): void => {
  const own = cloudOf(provider)
  const foreign = (given: Given | undefined): void => {
    if (given !== undefined) draft.warn(given.path, `Means nothing for ${provider}, and is not sent.`)
  }
  if (own === "google") {
    made.put("project", firstOf(params.get("vertex_project"), params.get("vertex_ai_project")))
    made.put("location", vertexLocation(params))
  } else foreign(firstOf(params.get("vertex_project"), params.get("vertex_ai_project")))
  if (own === "aws") made.put("location", params.get("aws_region_name"))
  const auth: Record<string, unknown> = {}
  let path: string | undefined
  for (const [cloud, field, key] of names) {
    const given = params.get(key) ?? (own === "aws" ? inEnvironment(key, env, at) : undefined)
    if (given === undefined) continue
    if (cloud !== own) {
      foreign(given)
      continue
    }
    const value = textOf(given)
    if (isText(value) && !(field in auth)) auth[field] = value
    path ??= given.path
  }
  const token = params.get("aws_web_identity_token")
  if (own === "aws" && token !== undefined && !("roleArn" in auth)) {
    draft.error(token, "an `aws_role_name` beside it: it is a role that the token takes on")
  }
  // A token of the environment takes no role on that nobody names.
  if (!("roleArn" in auth)) delete auth.webIdentityToken
  if (path !== undefined) made.put("auth", { value: { cloud: own, ...auth }, path })
}
