/**
 * Fields by which a caller of some other proxy says where a request goes, with whose credentials, or who is told of it. No
 * request decides that here, and none of it may reach a provider, which may be such a proxy itself.
 */
import { isJsonObject, type JsonObject } from "@switchyard/core/Json"
import * as StandIn from "@switchyard/core/StandIn"
import { isOwnParameter } from "@switchyard/litellm/OwnParameters"

const words = (text: string): ReadonlyArray<string> => text.trim().split(/\s+/)

/** Refused wherever they stand, metadata included: LiteLLM's own list, and what it keeps for itself of the kind. */
export const refusedNames: ReadonlyArray<string> = words(`
  api_base api_base_url base_url openai_api_base openai_base_url user_config model_list router_settings_override
  litellm_params litellm_params_template litellm_credential_name litellm_embedding_config
  configurable_clientside_auth_params deployment_url sagemaker_base_url s3_endpoint_url callbacks success_callback
  failure_callback service_callback callback_settings callback_vars environment_variables
  aws_access_key_id aws_secret_access_key aws_session_token aws_region_name aws_session_name aws_profile_name aws_role_name
  aws_role_arn aws_web_identity_token aws_sts_endpoint aws_external_id aws_bedrock_runtime_endpoint
  aws_bedrock_project_id aws_s3_bucket_name
  vertex_credentials vertex_ai_credentials vertex_project vertex_ai_project vertex_location vertex_ai_location
  azure_ad_token azure_ad_token_provider azure_endpoint azure_username azure_password azure_scope azure_client_id
  azure_client_secret azure_tenant_id
  gcs_bucket_name gcs_path_service_account s3_bucket_name s3_region_name s3_aws_access_key_id s3_aws_secret_access_key
  langfuse_host langfuse_public_key langfuse_secret langfuse_secret_key langsmith_api_key langsmith_base_url
  langsmith_project langsmith_tenant_id arize_api_key arize_space_id arize_space_key posthog_api_key posthog_api_url
  posthog_host braintrust_api_key braintrust_host braintrust_project phoenix_api_key phoenix_host phoenix_project_name
  humanloop_api_key lunary_public_key slack_webhook_url wandb_api_key weave_project_id dd_api_key dd_site dd_agent_host
  dd_agent_port newrelic_api_key newrelic_region signoz_ingestion_endpoint signoz_ingestion_key turn_off_message_logging
  token_exchange_endpoint openai_identity_provider_id openai_identity_token_file openai_service_account_id
  openai_api_key zen_api_key
`)

/** Refused in a body and in its `extra_body`; in metadata they may be anybody's labels. */
export const refusedOutsideMetadata: ReadonlyArray<string> = words("client_id client_secret tenant_id")

/** Beginnings that are refused in a body and in its `extra_body`, whatever follows. */
export const refusedFamilies: ReadonlyArray<string> = words(`
  aws_ vertex_ azure_ gcs_ s3_ sagemaker_ watsonx_ oci_ milvus_ valkey_ langfuse_ langsmith_ arize_ posthog_ braintrust_
  phoenix_ token_exchange_
`)

/** What describes a request and steers nothing, though it begins so. */
const harmless: ReadonlySet<string> = new Set(["langfuse_prompt_version", "langsmith_sampling_rate"])

/**
 * Left out, which the caller is told: its own credentials, and headers for a provider.
 * @public the document of LiteLLM's keys lists them
 */
export const droppedNames: ReadonlyArray<string> = words("api_key headers extra_headers default_headers organization")

/** Of these the ones that are left out of metadata too. */
const droppedFromMetadata: ReadonlySet<string> = new Set(["api_key", "headers", "extra_headers", "default_headers"])

/** Objects of a body that are looked into. */
export const containers: ReadonlyArray<string> = ["metadata", "litellm_metadata", "extra_body"]

/** What becomes of a field: it is sent on, looked into, left out with or without a word, or the request is refused. */
export type Fate = "sent" | "container" | "leftOut" | "told" | "refused"

const refused = new Set(refusedNames)
const refusedElsewhere = new Set(refusedOutsideMetadata)
const told = new Set(droppedNames)
const isContainer = new Set(containers)

const judge = (name: string): Fate =>
  isContainer.has(name)
    ? "container"
    : refused.has(name) ||
        refusedElsewhere.has(name) ||
        (!harmless.has(name) && refusedFamilies.some((family) => name.startsWith(family)))
      ? "refused"
      : told.has(name)
        ? "told"
        : isOwnParameter(name)
          ? "leftOut"
          : "sent"

/** Names that were judged already; callers may invent any, so only so many are kept. */
const judged = new Map<string, Fate>()
const mostJudged = 1000

/** What becomes of a field of a body, or of its `extra_body`. */
export const fateOf = (name: string): Fate => {
  const known = judged.get(name)
  if (known !== undefined) return known
  const fate = judge(name)
  if (judged.size < mostJudged) judged.set(name, fate)
  return fate
}

const fateInMetadata = (name: string): Fate =>
  isContainer.has(name) ? "container" : refused.has(name) ? "refused" : droppedFromMetadata.has(name) ? "told" : "sent"

/** Levels of containers inside each other that are looked into; what is below them is left out. */
const mostLevels = 4

/** Characters of a text that is read as the object that it may stand for; no honest one is as long. */
const mostText = 100_000

const maxName = 100

const shortened = (name: string): string => (name.length > maxName ? `${name.slice(0, maxName)}…` : name)

const parsed = (text: string): JsonObject | undefined => {
  try {
    const value: unknown = JSON.parse(text)
    return isJsonObject(value) ? value : undefined
  } catch {
    return undefined
  }
}

/** Collects what one request holds of it. */
export class ForeignFields {
  /** Paths for which the request is refused. */
  readonly refused: Array<string> = []
  /** Paths that are left out with a word. */
  readonly told: Array<string> = []

  /** Notes a field that is not sent on. One that is null says nothing. */
  note(fate: Fate, path: string, value: unknown): void {
    if (value === null || value === undefined) return
    if (fate === "refused") this.refused.push(path)
    else if (fate === "told") this.told.push(path)
  }

  /** What is left of a container; the same value where nothing was taken out. */
  within(name: string, value: unknown, path = name, level = 1): unknown {
    if (typeof value === "string") return this.withinText(name, value, path, level)
    if (!isJsonObject(value)) return value
    const fate = name === "extra_body" ? fateOf : fateInMetadata
    return this.cleaned(value, path, fate, level)
  }

  /** What is left of a fallback target, whose fields become those of the body: nothing that a body may not hold either. */
  ofTarget(value: JsonObject, path: string): JsonObject {
    return this.cleaned(value, path, fateOf, 1, true)
  }

  /** Some proxies read a text as the object that it stands for. */
  private withinText(name: string, text: string, path: string, level: number): unknown {
    if (!/^\s*\{/.test(text)) return text
    if (text.length > mostText || StandIn.factsOf(text) !== undefined) {
      this.refused.push(path)
      return text
    }
    const value = parsed(text)
    if (value === undefined) return text
    const left = this.within(name, value, path, level)
    return left === value ? text : JSON.stringify(left)
  }

  private cleaned(
    object: JsonObject,
    path: string,
    fateIn: (name: string) => Fate,
    level: number,
    leavesOut = false
  ): JsonObject {
    let left: Record<string, unknown> | undefined
    for (const name in object) {
      const fate = fateIn(name)
      if (fate === "sent" || (fate === "leftOut" && !leavesOut)) continue
      const value = object[name]
      const at = `${path}.${shortened(name)}`
      const kept = fate === "container" && level < mostLevels ? this.within(name, value, at, level + 1) : undefined
      if (kept !== undefined && kept === value) continue
      left ??= { ...object }
      if (kept === undefined) delete left[name]
      else left[name] = kept
      this.note(fate, at, value)
    }
    return left ?? object
  }
}
