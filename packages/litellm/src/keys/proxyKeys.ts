import { type Key, section } from "./key.js"

const settings = section("litellm_settings")
const cache = section("cache_params")
const general = section("general_settings")

const inProcess = "Answers are kept in this process's memory."
const noLogs = "Nothing is sent; look at `/metrics`, traces and the answers' headers."
const noAlerts = "Nothing is sent; alert on `/metrics`."

/** Keys of `litellm_settings` and `general_settings`. */
export const proxyKeys: ReadonlyArray<Key> = [
  settings.honoured("num_retries", "As in `router_settings`, which wins."),
  settings.honoured("max_fallbacks", "As in `router_settings`, which wins."),
  settings.honoured("fallbacks", "As in `router_settings`, which wins."),
  settings.honoured("context_window_fallbacks", "As in `router_settings`, which wins."),
  settings.honoured("content_policy_fallbacks", "As in `router_settings`, which wins."),
  settings.honoured("default_fallbacks", "As in `router_settings`, which wins."),
  settings.honoured("allowed_fails", "As in `router_settings`, which wins."),
  settings.honoured("request_timeout", "As `router_settings.timeout`, which wins."),
  settings.warned("cooldown_time", "LiteLLM reads it nowhere here: put it under `router_settings`."),
  settings.warned("num_retries_per_request", "A request has 8 attempts in all, over all groups."),
  settings.honoured(
    "drop_params",
    "Parameters that a model's family is known to refuse are left out, for every model."
  ),
  settings.honoured(
    "return_response_headers",
    "The provider's request id and rate limits are passed on, as `answers.providerHeaders` does."
  ),
  settings.warned("modify_params", "Requests are never altered."),
  settings.honoured("ssl_verify", "`litellm_params.ssl_verify` of every deployment that does not set it."),
  settings.warned("ssl_certificate", "No certificate of the gateway's own is shown to providers."),
  settings.honoured("cache", "Keeps whole answers; each caller has its own, unless `cache.shared` is set."),
  settings.honoured("cache_params", "See below."),
  settings.honoured("callbacks", "`prometheus` is always on; others are warned about."),
  settings.honoured("success_callback", "`prometheus` is always on; others are warned about."),
  settings.honoured("failure_callback", "`prometheus` is always on; others are warned about."),
  settings.honoured("service_callbacks", "`prometheus_system` is always on; others are warned about."),
  settings.honoured("service_callback", "`prometheus_system` is always on; others are warned about."),
  settings.warned("custom_prometheus_metadata_labels", "The series have fixed labels, and those of `metrics.labels`."),
  settings.warned("custom_prometheus_tags", "The series have fixed labels, and those of `metrics.labels`."),
  settings.warned("prometheus_metrics_config", "All series are always there."),
  settings.honoured("model_alias_map", "Renames a provider's model, and a model that a request names."),
  settings.warned(
    "cost_discount_config",
    "Prices are taken as they are; set `input_cost_per_token` where you pay less."
  ),
  settings.warned("cost_margin_config", "Prices are taken as they are."),
  settings.warned("enable_json_schema_validation", "Answers are not checked against the request's schema."),
  settings.accepted("turn_off_message_logging", "Prompts and answers are never logged."),
  settings.warned("json_logs", "Set `log.format`; without a terminal it is `json` anyway."),
  settings.accepted("set_verbose", "Says only how much is logged there."),
  settings.accepted("telemetry", "Nothing is ever reported to anybody."),
  settings.warned("custom_provider_map", "Handlers in Python are not loaded: deployments of theirs are left out."),
  settings.honoured(
    "max_budget",
    "USD per `budget_duration` for all that goes through the gateway; beyond it, 429 until the window ends."
  ),
  settings.honoured("budget_duration", "Length of that budget's window, which begins with its first call."),

  cache.honoured("type", "`local` as it is; any other is warned about, and memory is used."),
  cache.honoured("ttl", "Seconds that an answer is kept, 300 where nobody says otherwise."),
  cache.honoured("default_in_memory_ttl", "The same as `ttl`, which wins."),
  cache.honoured("mode", "`default_off`: only requests that ask for it are answered from the cache."),
  cache.warned("namespace", inProcess),
  cache.warned("host", inProcess),
  cache.warned("port", inProcess),
  cache.warned("password", inProcess),
  cache.warned("url", inProcess),
  cache.warned("ssl", inProcess),
  cache.warned("default_in_redis_ttl", inProcess),
  cache.warned("supported_call_types", "Chats, completions and embeddings are all cached."),
  cache.warned("similarity_threshold", "Only equal requests share an answer."),

  general.honoured("master_key", "May do everything; with it set, nobody comes in without a key."),
  general.honoured("completion_model", "The model that every request is for, whatever it names."),
  general.honoured("max_parallel_requests", "As `router_settings.default_max_parallel_requests`, which wins."),
  general.honoured(
    "max_request_size_mb",
    "MiB of a request's body, forms with files too: `server.maxBodyBytes`, `server.maxUpload`."
  ),
  general.honoured("max_file_size_mb", "MiB of a form with files; the smaller of the two holds."),
  general.honoured("global_max_parallel_requests", "Requests in progress at once; more are turned away with 503."),
  general.honoured(
    "disable_retry_on_max_parallel_request_limit_error",
    "What a limit of our own refuses is not tried elsewhere in the group."
  ),
  general.honoured(
    "background_health_checks",
    "Deployments are probed from time to time, and taken out while they fail."
  ),
  general.honoured("health_check_interval", "Seconds between two rounds of probes, 300 where nobody says otherwise."),
  general.honoured("health_check_concurrency", "Probes at a time."),
  general.accepted("health_check_details", "What probes find is shown to the master key alone."),
  general.warned("use_shared_health_check", "Each process probes for itself."),
  general.honoured("enable_health_check_routing", "Probes that run always take out what fails them."),
  general.warned("health_check_staleness_threshold", "A probe's verdict holds until the next ones say otherwise."),
  general.warned(
    "health_check_ignore_transient_errors",
    "A probe that is turned away with 429 never counts; a timeout does."
  ),
  general.warned("alerting", noAlerts),
  general.warned("alerting_threshold", noAlerts),
  general.warned("alerting_args", noAlerts),
  general.warned("alert_types", noAlerts),
  general.warned("token_rate_limit_type", "Limits count input and output tokens together.", ["total"]),
  general.honoured("always_include_stream_usage", "Streams always end with usage."),
  general.warned("infer_model_from_keys", "Models stand in `model_list`; use a wildcard."),
  general.honoured("forward_client_headers_to_llm_api", "The caller's own `x-` headers go on to the provider."),
  general.honoured(
    "database_url",
    "Keys, budgets and usage are kept there, in a schema `switchyard` of their own: LiteLLM's tables are never written, nor read but by `switchyard key import`. Also `sqlite:PATH`; where it is missing, that of the variable `DATABASE_URL`."
  ),
  general.accepted("database_connection_pool_limit", "A gateway needs a handful of connections."),
  general.warned("store_model_in_db", "Models stand in the file."),
  general.honoured(
    "maximum_spend_logs_retention_period",
    "How long the record of a request is kept, 90 days where nobody says otherwise."
  ),
  general.warned("store_prompts_in_spend_logs", noLogs),
  general.accepted("user_api_key_cache_ttl", "Keys are held in memory; a change binds within 2 seconds."),
  general.warned("enable_jwt_auth", "Callers come with keys alone."),
  general.warned("custom_auth", "Callers come with keys alone."),
  general.warned(
    "pass_through_endpoints",
    "Set `passThrough` of a deployment: its own provider is asked, with its key, and callers need a permission."
  ),
  general.warned("disable_spend_logs", "Set `ledger: false`, which keeps no budgets either.")
]
