import { type Key, section } from "./key.js"

const file = section("file")
const request = section("request")

const master = "Needs the master key."

/** Keys at the top of the file, and the controls of a request. */
export const fileKeys: ReadonlyArray<Key> = [
  file.honoured("model_list", "The deployments."),
  file.honoured("litellm_settings", "See below."),
  file.honoured("router_settings", "See below; where a key stands in both, this one wins."),
  file.honoured("general_settings", "See below."),
  file.honoured(
    "environment_variables",
    "Stand in for variables of the environment when keys and base URLs are looked up."
  ),
  file.honoured("include", "Other files beside this one: lists are joined, any other key of theirs replaces ours."),
  file.warned("callback_settings", "Nothing is sent to other services."),
  file.honoured("credential_list", "Keys and base URLs under a name, for `litellm_credential_name`."),
  file.warned("assistant_settings", "There are no assistants."),
  file.warned("search_tools", "There is no search."),
  file.warned("files_settings", "Files and batches are kept by the deployments of `model_list`, with their keys."),
  file.warned("finetune_settings", "Fine-tuning is asked of a deployment whose `passThrough` is set, with its key."),
  file.warned("default_vertex_config", "Project, location and credentials stand in each deployment of Vertex AI."),
  file.warned("guardrails", "Requests and answers are not inspected."),
  file.warned("prompts", "There are no stored prompts."),
  file.warned("mcp_servers", "There is no MCP gateway."),
  file.warned("vector_store_registry", "Vector stores are asked of a deployment whose `passThrough` is set.")
]

/** What a request may say about its own routing; read by the gateway, never sent upstream. */
export const requestKeys: ReadonlyArray<Key> = [
  request.honoured("model", "A group, an alias, a name that a wildcard matches, or a deployment's id."),
  request.warned("model: a,b", "Several models in one request: no group has such a name, so the answer is 404."),
  request.honoured("fallbacks", "In place of the configured chains, among the groups that the key allows."),
  request.honoured("context_window_fallbacks", "The same for prompts that are too long."),
  request.honoured("content_policy_fallbacks", "The same for refusals by a safety system."),
  request.honoured("num_retries", "Retries in a group; a caller may lower it. Header `x-litellm-num-retries`."),
  request.honoured("timeout", "Seconds; a caller may lower it. Header `x-litellm-timeout`."),
  request.honoured(
    "stream_timeout",
    "Seconds to the first token and between chunks. Header `x-litellm-stream-timeout`."
  ),
  request.honoured("disable_fallbacks", "No fallback is tried, in streams too."),
  request.honoured("cooldown_time", master),
  request.honoured("specific_deployment", `The only deployment that may serve the request. ${master}`),
  request.honoured(
    "priority",
    "Place in the queue; lower first. A virtual key gets before others only as far as its `priority` says."
  ),
  request.honoured("metadata.tags", "Also `tags`, and the header `x-litellm-tags`."),
  request.honoured("allowed_model_region", "Deployments of that region alone."),
  request.honoured("mock_testing_fallbacks", master),
  request.honoured("mock_testing_context_fallbacks", master),
  request.honoured("mock_testing_content_policy_fallbacks", master),
  request.honoured("mock_testing_rate_limit_error", master),
  request.honoured("mock_response", master),
  request.honoured("mock_timeout", master),
  request.honoured("cache", "`no-cache`, `no-store`, `ttl`, and `use-cache` where the cache is off by default."),
  request.honoured("drop_params", "Parameters that the model is known to refuse are left out, or not."),
  request.honoured("additional_drop_params", "Names of parameters that are left out, beside the file's."),
  request.honoured("include_fallback_errors", "The attempts before the answer, with their errors.")
]
