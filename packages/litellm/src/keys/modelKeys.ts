import { type Key, section } from "./key.js"

const list = section("model_list")
const params = section("litellm_params")
const info = section("model_info")

const elsewherePriced = "Not counted: cost is made of input, cached input and output tokens."

/** Keys of `model_list` and what is below it. */
export const modelKeys: ReadonlyArray<Key> = [
  list.honoured("model_name", "The model group; `*` stands for any text, as in `openai/*`."),
  list.honoured("litellm_params", "One deployment of the group; see below."),
  list.honoured("model_info", "More about that deployment; see below."),
  list.honoured("tpm", "Tokens per 60 s, for every strategy, unless `litellm_params.tpm` is set."),
  list.honoured("rpm", "Requests per 60 s, for every strategy, unless `litellm_params.rpm` is set."),

  params.honoured(
    "model",
    "`provider/model`, without its provider what is sent upstream; stars take what the group's stars matched."
  ),
  params.honoured("custom_llm_provider", "The provider, in place of the prefix of `model`."),
  params.honoured("api_key", "The credential; without it the provider's own environment variable, as in LiteLLM."),
  params.honoured(
    "api_base",
    "Base URL; the provider's dialect stays, but below paths such as `/openai` that are known to speak OpenAI's. Azure's `/openai/deployments/…` is added."
  ),
  params.honoured("base_url", "The same as `api_base`."),
  params.honoured(
    "api_version",
    "Azure: the `api-version` of the query; `v1`, `preview` and `latest` use the new API."
  ),
  params.honoured("azure_ad_token", "Azure: sent as bearer token in place of the key; never renewed."),
  params.honoured("organization", "Header `OpenAI-Organization`; a list makes one deployment of each entry."),
  params.honoured("region_name", "The deployment's region: a request that demands one goes nowhere else."),
  params.honoured("aws_region_name", "AWS: the region, and the deployment's, where no `region_name` is set."),
  params.honoured("aws_access_key_id", "AWS: the account that asks, where there is no `api_key`."),
  params.honoured("aws_secret_access_key", "AWS: the secret of `aws_access_key_id`."),
  params.honoured("aws_session_token", "AWS: the token of temporary credentials."),
  params.honoured("aws_profile_name", "AWS: a profile of the shared AWS configuration."),
  params.honoured("aws_role_name", "AWS: the ARN of a role that is taken on."),
  params.honoured("aws_session_name", "AWS: the name of the role's sessions."),
  params.honoured("aws_external_id", "AWS: what the role's owner asks for beside the credentials."),
  params.honoured(
    "aws_web_identity_token",
    "AWS: the token that takes `aws_role_name` on, itself, by its file, or as `oidc/…`; read anew for every sign-in."
  ),
  params.honoured("aws_sts_endpoint", "AWS: where roles are taken on; without it the region's own address."),
  params.honoured("aws_bedrock_runtime_endpoint", "Bedrock: the base URL, where no `api_base` is set."),
  params.honoured("project_id", "watsonx: the project that models are asked for; to others sent as any parameter."),
  params.honoured("watsonx_project", "The same as `project_id`, over which it wins."),
  params.honoured(
    "space_id",
    "watsonx: the deployment space that models are asked for, where there is no project; to others sent as any parameter."
  ),
  params.honoured("apikey", "watsonx: the same as `api_key`, which wins."),
  params.honoured("url", "watsonx: the same as `api_base`, which wins."),
  params.honoured("token", "watsonx: sent as bearer token in place of the key; never renewed."),
  params.honoured("zen_api_key", "watsonx on Cloud Pak for Data: sent in place of a token."),
  params.honoured("wx_credentials", "watsonx: `url`, `apikey` and `token` as a map, which wins."),
  params.honoured("watsonx_credentials", "The same as `wx_credentials`, which wins."),
  params.honoured("watsonx_region_name", "watsonx: the region, where there is no `api_base`."),
  params.honoured("watsonx_region", "The same as `watsonx_region_name`, which wins."),
  params.honoured("account_id", "Snowflake: the account in its base URL, where no `api_base` is set."),
  params.honoured("oci_region", "OCI: the region in its base URL, where no `api_base` is set."),
  params.honoured("oci_user", "OCI: the user whose API key signs requests, where there is no `api_key`."),
  params.honoured("oci_fingerprint", "OCI: the fingerprint of that API key."),
  params.honoured("oci_tenancy", "OCI: the user's tenancy."),
  params.honoured("oci_key", "OCI: the private key of that API key, as PEM."),
  params.honoured("oci_key_file", "OCI: its file; `oci_key` wins."),
  params.honoured("oci_compartment_id", "OCI: the compartment that models are asked for."),
  params.honoured("oci_serving_mode", "OCI: `DEDICATED` asks `oci_endpoint_id` in place of the model."),
  params.honoured("oci_endpoint_id", "OCI: an endpoint of one's own; `model` then says which model that is."),
  params.honoured("vertex_location", "Vertex AI's location, and the deployment's, where no `region_name` is set."),
  params.honoured("vertex_project", "Vertex AI's project; without it that of the environment or of the credentials."),
  params.honoured(
    "vertex_credentials",
    "Vertex AI: a service account's key, as JSON, a map, or the path of its file; without it whatever the machine is signed in as."
  ),
  params.honoured("litellm_credential_name", "Takes what is not set here from that entry of `credential_list`."),
  params.honoured(
    "timeout",
    "Bounds each attempt as a whole; of a stream only its silences, where no `stream_timeout` does: see above."
  ),
  params.honoured("request_timeout", "The same as `timeout`, which wins."),
  params.honoured("stream_timeout", "Bounds a stream's first token and every silence in it, never its total."),
  params.warned("max_retries", "Nothing below the router retries; `num_retries` counts retries.", [0, "0"]),
  params.honoured(
    "num_retries",
    "Retries after a failure of this deployment; beats the router's, a request's own beats it."
  ),
  params.honoured("tpm", "At most so many tokens in any 60 s; weighs where no `weight` and no `rpm` is set."),
  params.honoured("rpm", "At most so many requests in any 60 s; weighs where no `weight` is set."),
  params.honoured("weight", "Share of the traffic under `simple-shuffle`."),
  params.honoured("order", "Lower ones first, under every strategy, and higher ones next within the same request."),
  params.honoured("max_parallel_requests", "Calls in flight at once, streams until they end; not derived from `rpm`."),
  params.honoured("tags", "Choose deployments while `enable_tag_filtering` is on; `default` is special there."),
  params.warned("tag_regex", "User agents choose no deployment; use tags."),
  params.honoured("cooldown_time", "Seconds of this deployment's first cooldown; 0 means that it never cools."),
  params.honoured("max_budget", "USD per `budget_duration` on this deployment; when it is used up, the others serve."),
  params.honoured("budget_duration", "Length of the budget's window, which begins with its first call."),
  params.honoured("input_cost_per_token", "Price for cost-based routing, budgets and reports."),
  params.honoured("output_cost_per_token", "Price for cost-based routing, budgets and reports."),
  params.honoured("cache_read_input_token_cost", "Price of input tokens from the provider's cache."),
  params.warned("cache_creation_input_token_cost", elsewherePriced),
  params.honoured(
    "model_id",
    "Bedrock: the id or ARN that is asked; `model` then says which model that is. SageMaker: the inference component."
  ),
  params.honoured("sagemaker_base_url", "SageMaker: the base URL, or an endpoint's whole address."),
  params.honoured("output_cost_per_second", "Price of a second of sound, heard or spoken."),
  params.honoured(
    "input_cost_per_second",
    "The same, where there is no `output_cost_per_second`: a call has one of them."
  ),
  params.honoured("input_cost_per_character", "Price of a character that is spoken."),
  params.honoured("output_cost_per_character", "The same, where there is no `input_cost_per_character`."),
  params.honoured("output_cost_per_image", "Price of an image, whatever its size and quality."),
  params.honoured("input_cost_per_image", "The same, where there is no `output_cost_per_image`."),
  params.honoured("input_cost_per_query", "Price of a search: what reranking is billed by."),
  params.honoured(
    "input_cost_per_token_batches",
    "With `input_cost_per_token`: the part that is taken off in a batch, of all prices."
  ),
  params.honoured(
    "base_model",
    "The model behind a name of one's own: its parameters, list price and window count, and whether it reasons."
  ),
  params.warned("mock_response", "The provider is asked; only a request may ask for a mock, with the master key."),
  params.warned("silent_model", "Requests are not mirrored."),
  params.warned("stream", "Whether an answer streams is what each request says."),
  params.warned(
    "stream_options",
    "Streams end with usage where the request, or `always_include_stream_usage`, asks for it."
  ),
  params.warned("model_info", "Not read here: it belongs beside `litellm_params`."),
  params.honoured("vertex_ai_project", "The same as `vertex_project`, which wins."),
  params.honoured("vertex_ai_location", "The same as `vertex_location`, which wins."),
  params.honoured("vertex_ai_credentials", "The same as `vertex_credentials`, which wins."),
  params.honoured("drop_params", "Parameters that the model's family is known to refuse are left out."),
  params.honoured("additional_drop_params", "Always left out, also parts of them: `tools[*].function.strict`."),
  params.warned("configurable_clientside_auth_params", "A request may bring neither a key nor a base URL."),
  params.warned("use_in_pass_through", "There are no pass-through endpoints."),
  params.warned("merge_reasoning_content_in_choices", "Reasoning stays in its own field, as the provider sends it."),
  params.honoured("extra_headers", "Sent with every request to this deployment."),
  params.warned("headers", "Not sent; use `extra_headers`."),
  params.honoured(
    "on_malformed_event",
    "Ours: `skip` leaves out events of a stream that are no JSON object; `cut`, the default, ends the stream."
  ),
  params.honoured(
    "on_missing_finish",
    "Ours: `accept` takes a stream whose `[DONE]` comes without a finish reason for whole; `cut`, the default, for cut off."
  ),
  params.honoured("ssl_verify", "`false`, or the path of the CA certificates to trust in place of Node's own list."),
  params.honoured("extra_body", "Its fields are sent as parameters of the model."),
  params.honoured("temperature", "As any parameter of the model: sent where the request does not set it."),
  params.honoured(
    "max_tokens",
    "As any parameter; sent as `max_completion_tokens` to models that want it, such as gpt-5, o1, o3 and o4."
  ),
  params.warned("auto_router_config", "There is no semantic routing."),
  params.warned("auto_router_config_path", "There is no semantic routing."),
  params.warned("auto_router_default_model", "There is no semantic routing."),
  params.warned("auto_router_embedding_model", "There is no semantic routing."),
  params.warned("itpm", "Tokens are limited together: use `tpm`."),
  params.warned("otpm", "Tokens are limited together: use `tpm`."),
  params.honoured("tenant_id", "Azure: the directory from which tokens are fetched, by the package `@azure/identity`."),
  params.honoured("client_id", "Azure: the application that asks, or a managed identity where there is no secret."),
  params.honoured("client_secret", "Azure: the application's secret."),
  params.honoured("azure_scope", "Azure: what the token is for."),
  params.warned("cache_control_injection_points", "Messages are never altered."),
  params.warned("guardrails", "Requests and answers are not inspected."),
  params.warned("fallbacks", "Put it under `router_settings.fallbacks`."),
  params.warned("metadata", "Is no part of what the model is asked, and not sent."),

  info.honoured("id", "The deployment's id; state, metrics and `specific_deployment` go by it."),
  info.honoured("base_model", "As `litellm_params.base_model`, which wins."),
  info.honoured(
    "mode",
    "Only `chat` and `completion` deployments are probed; beside those, what a deployment may be asked for."
  ),
  info.accepted("max_tokens", "Describes the model; what a model may write is the provider's to refuse."),
  info.honoured("max_input_tokens", "Prompts that are longer go elsewhere; always checked."),
  info.accepted("max_output_tokens", "Describes the model; what a model may write is the provider's to refuse."),
  info.honoured("input_cost_per_token", "As `litellm_params.input_cost_per_token`, which wins."),
  info.honoured("output_cost_per_token", "As `litellm_params.output_cost_per_token`, which wins."),
  ...[
    "output_cost_per_second",
    "input_cost_per_second",
    "input_cost_per_character",
    "output_cost_per_character",
    "output_cost_per_image",
    "input_cost_per_image",
    "input_cost_per_query",
    "input_cost_per_token_batches"
  ].map((key) => info.honoured(key, `As \`litellm_params.${key}\`, which wins.`)),
  info.warned("tier", "Callers have no tiers; use tags."),
  info.warned(
    "team_id",
    "Every key may use the deployment, unless its `groups` say otherwise: teams have no deployments of their own."
  ),
  info.warned("team_public_model_name", "The group is known by `model_name` alone: teams have no names of their own."),
  info.warned("access_groups", "What a key may use is said by the key: `keys[].groups`."),
  info.honoured("supports_function_calling", "`false` keeps requests with tools away."),
  info.honoured("supports_response_schema", "`false` keeps requests for a JSON schema away."),
  info.honoured("supports_vision", "`false` keeps requests with images away."),
  info.honoured("supports_reasoning", "`true` gives the first token more time."),
  info.honoured("supports_web_search", "Any other `supports_…` is a capability that a request may demand."),
  info.honoured("supported_environments", "Left out where `LITELLM_ENVIRONMENT` is another one."),
  info.warned("health_check_model", "The deployment's own model is probed."),
  info.honoured("disable_background_health_check", "The deployment is not probed."),
  info.warned("health_check_timeout", "Set `healthProbes.timeout` for all deployments."),
  info.honoured(
    "allowed_fails",
    "Failures in 60 s that are borne; one more cools the deployment, so 0 means the first."
  ),
  info.warned("allowed_fails_policy", "Set `router_settings.allowed_fails_policy` for all deployments."),
  info.honoured("cooldown_time", "As `litellm_params.cooldown_time`, which wins."),
  info.honoured("on_malformed_event", "As `litellm_params.on_malformed_event`, which wins."),
  info.honoured("on_missing_finish", "As `litellm_params.on_missing_finish`, which wins."),
  info.honoured("blocked", "`true` leaves the deployment out."),
  info.honoured("order", "As `litellm_params.order`, which wins."),
  info.honoured("rpm", "As `litellm_params.rpm`, which wins."),
  info.honoured("tpm", "As `litellm_params.tpm`, which wins."),
  info.warned("enable_tag_filtering", "Tag filtering is on or off for all: `router_settings.enable_tag_filtering`."),
  info.warned("allow_fail_open", "A group without an open deployment fails, or goes to its fallbacks.")
]
