/**
 * Names that LiteLLM (1.108) keeps for itself among a model's parameters, in a file and in a request's body, and never sends
 * to a provider; most providers answer what they do not know with an error. `metadata` is not among them: it is OpenAI's too.
 */

const words = (text: string): ReadonlyArray<string> => text.trim().split(/\s+/)

const names: ReadonlySet<string> = new Set(
  words(`
  acompletion adaptive_router_config adaptive_router_default_model additional_drop_params aembedding
  aimg_generation allm_passthrough_route allow_client_keepalive_override allowed_model_region
  allowed_openai_params api_base api_key api_version assistant_continue_message async_call atext_completion
  attempted_targets auto_router_config auto_router_config_path auto_router_default_model
  auto_router_embedding_model auto_router_max_input_chars auto_router_model_compression
  auto_router_routing_compression azure base_model base_url bedrock_tags bos_token bucket_name budget_duration
  cache cache_key caching caching_groups client client_id client_secret client_side_timeout complete_response
  completion_call_id complexity_router_config complexity_router_default_model configurable_clientside_auth_params
  context_window_fallback_dict cooldown_time custom_llm_provider custom_prompt_dict data_residency dd_agent_host
  dd_agent_port dd_api_key dd_site default_api_key_rpm_limit default_api_key_tpm_limit default_headers
  deployment_id disable_add_transform_inline_image_block drop_params enable_json_schema_validation
  enable_prompt_caching enable_tag_filtering ensure_alternating_roles eos_token extra_headers fake_stream
  fallback_depth fallbacks fastest_response final_prompt_value fireworks_forward_user_id force_timeout
  github_copilot_auth_type github_copilot_user_session guardrails headers hf_model_name humanloop_api_key id itpm
  keepalive_seconds log_client_error_tracebacks logger_fn max_agentic_loops max_budget max_fallbacks
  max_file_size_mb max_parallel_requests max_retries mcp_handler_context merge_reasoning_content_in_choices
  mock_response mock_timeout model_alias_map model_config model_file_id_mapping model_info model_list
  newrelic_api_key newrelic_region no-log num_retries openai_identity_provider_id openai_identity_token_file
  openai_service_account_id order organization otpm output_vector_size posthog_api_key posthog_api_url
  preset_cache_key prompt_environment prompt_id prompt_label prompt_variables prompt_version
  provider_affinity_header provider_specific_header proxy_server_request quality_router_config
  quality_router_default_model region_name regional_endpoint_uplift_multiplier
  regional_processing_uplift_multiplier_eu regional_processing_uplift_multiplier_us request_timeout retry_policy
  retry_strategy roles routing_strategy rpm rust search_tool_name secret_fields self shared_session
  signoz_ingestion_endpoint signoz_ingestion_key silent_model skip_mcp_handler ssl_verify stream_chunk_size
  stream_response stream_timeout stream_timeout_by_service_tier supports_system_message tag_regex tags tenant_id
  text_completion tiered_pricing timeout timeout_by_service_tier token_exchange_audience token_exchange_endpoint
  token_exchange_profile token_exchange_scope tpm ttl turn_off_message_logging use_chat_completions_api use_client
  use_in_pass_through use_litellm_proxy use_xai_oauth user_continue_message vector_store_id vector_store_ids
  verbose wandb_api_key weave_project_id weight
  `)
)

/** Credentials of clouds and of logging services, and what LiteLLM passes between its own parts. */
const families =
  /^(_|litellm_|aws_|azure_|arize_|gcs_|langfuse_|langsmith_|milvus_|s3_|valkey_)|^anthropic_(disable_workload|federation|identity|issuer|keycloak|organization|service)_/

/** Whether a name says what something costs. */
export const isPrice = (name: string): boolean => /(^|_)costs?_per_|_token_cost(_|$)/.test(name)

/** Whether LiteLLM would keep a parameter of this name to itself. */
export const isOwnParameter = (name: string): boolean => names.has(name) || isPrice(name) || families.test(name)
