import { type Key, section } from "./key.js"

const router = section("router_settings")
const args = section("routing_strategy_args")

const shared =
  "By it gateways hold deployments to `rpm`, `tpm` and parallel calls together; all other state is each one's own."
const sticky = "Not done; the strategy `sticky` keeps a session on one deployment."

/** Keys of `router_settings`. */
export const routerKeys: ReadonlyArray<Key> = [
  router.honoured("routing_strategy", "By the same names; unset means `simple-shuffle`."),
  router.honoured("routing_strategy_args", "See below."),
  router.honoured("num_retries", "Retries in one group, 2 where nobody says otherwise; 0 means none."),
  router.honoured("max_fallbacks", "Hops to other groups that one request may make, counted exactly; 0 means none."),
  router.honoured(
    "timeout",
    "Bounds each attempt as a whole; of a stream only its silences, where no `stream_timeout` does: see above."
  ),
  router.honoured("stream_timeout", "Bounds a stream's first token and every silence in it, never its total."),
  router.warned(
    "retry_after",
    "No least wait: another deployment is tried at once, the same one after 0.25 to 0.5 s, doubling.",
    [0]
  ),
  router.honoured("allowed_fails", "Failures in 60 s that are borne; one more cools the deployment. 3 is a real 3."),
  router.honoured(
    "cooldown_time",
    "Seconds of the first cooldown; it doubles up to 20 s while a deployment does not recover."
  ),
  router.honoured("disable_cooldowns", "`true` leaves the circuit breaker out."),
  router.honoured("retry_policy", "Retries by the class of the error; what would only fail again is never retried."),
  router.honoured("model_group_retry_policy", "The same for single groups."),
  router.honoured(
    "allowed_fails_policy",
    "Failures that are borne, by their class; those of the request itself never count."
  ),
  router.honoured(
    "fallbacks",
    "Chains by group; a target may be a map with `model` and parameters, a bare name is a default."
  ),
  router.honoured(
    "context_window_fallbacks",
    "For prompts that are too long; without one the general chain, where it has room."
  ),
  router.honoured("content_policy_fallbacks", "For refusals by a safety system; the general chain never serves them."),
  router.honoured("default_fallbacks", "The chain of every group that has none."),
  router.honoured("model_group_alias", "Other names for groups; a hidden one is not listed in `/v1/models`."),
  router.accepted("enable_pre_call_checks", "Context windows, limits and regions are always checked before a call."),
  router.honoured("enable_tag_filtering", "Tags choose deployments only where it is `true`."),
  router.honoured("tag_filtering_match_any", "`false`: a deployment must bear all tags of a request."),
  router.honoured(
    "optional_pre_call_checks",
    "Budgets, rate limits and answers bound to a deployment are always checked; others are warned about."
  ),
  router.warned("deployment_affinity_ttl_seconds", sticky),
  router.warned("model_group_affinity_config", sticky),
  router.honoured("default_max_parallel_requests", "`max_parallel_requests` of every deployment that sets none."),
  router.honoured("default_litellm_params", "`litellm_params` of every deployment that does not set them."),
  router.honoured("default_priority", "Place in the queue that forms when a group is full; lower first."),
  router.honoured(
    "polling_interval",
    "Turns the queue on as `default_priority` does; a place that frees is given at once, without polling."
  ),
  router.honoured("provider_budget_config", "USD per time on all deployments of a provider together."),
  router.honoured("redis_url", shared),
  router.honoured("redis_host", shared),
  router.honoured("redis_port", shared),
  router.honoured("redis_password", shared),
  router.honoured("redis_db", shared),
  router.honoured("cache_responses", "As `litellm_settings.cache`."),
  router.warned("cache_kwargs", "Answers are kept in this process's memory."),
  router.warned("caching_groups", "Each group has answers of its own in the cache."),
  router.accepted("client_ttl", "Connections are pooled; there are no clients that could grow old."),
  router.warned("alerting_config", "Nothing is sent; alert on `/metrics`."),
  router.accepted("debug_level", "Says only how much is logged there."),
  router.accepted("set_verbose", "Says only how much is logged there."),
  router.warned(
    "enable_weighted_failover",
    "Another deployment is always tried first; which one is the strategy's choice."
  ),
  router.warned("routing_groups", "Set `groupStrategies` for strategies of single groups."),
  router.honoured("enable_health_check_routing", "Probes that run always take out what fails them."),
  router.warned("health_check_staleness_threshold", "A probe's verdict holds until the next ones say otherwise."),
  router.warned(
    "health_check_ignore_transient_errors",
    "A probe that is turned away with 429 never counts; a timeout does."
  ),
  router.accepted("ignore_invalid_deployments", "Deployments that nobody can reach are left out with a warning."),
  router.warned("search_tools", "There is no search."),
  router.warned("guardrail_list", "Requests and answers are not inspected."),
  router.warned("assistants_config", "There are no assistants."),
  router.warned("router_general_settings", "Not read."),

  args.honoured("ttl", "`latency-based-routing`: seconds after which a latency is forgotten."),
  args.honoured(
    "lowest_latency_buffer",
    "`latency-based-routing`: picks among those up to this share slower than the fastest."
  ),
  args.honoured("max_latency_list_size", "`latency-based-routing`: samples that the average reaches back.")
]
