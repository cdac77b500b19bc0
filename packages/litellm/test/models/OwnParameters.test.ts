import { assert, describe, it } from "@effect/vitest"
import { isOwnParameter } from "@switchyard/litellm/OwnParameters"

const words = (text: string): ReadonlyArray<string> => text.trim().split(/\s+/)

describe("LiteLLM's own parameters", () => {
  it("are known by name", () => {
    for (const name of words(`allowed_openai_params prompt_id prompt_variables supports_system_message tiered_pricing
      input_cost_per_token_above_200k_tokens cache_read_input_token_cost_flex output_cost_per_image_1024 max_file_size_mb
      vector_store_id retry_policy routing_strategy use_chat_completions_api ttl verbose no-log litellm_call_id
      cache_creation_input_token_cost_above_1hr _litellm_strip_stream_usage mock_response additional_drop_params
      ocr_cost_per_page search_context_cost_per_query langfuse_public_key s3_bucket_name anthropic_federation_rule_id`))
      assert.isTrue(isOwnParameter(name), name)
  })

  it("what OpenAI or a provider knows is not among them", () => {
    for (const name of words(`model messages metadata max_tokens max_completion_tokens temperature top_p n stop seed user tools
      tool_choice parallel_tool_calls reasoning_effort thinking verbosity response_format stream stream_options logit_bias
      logprobs top_logprobs service_tier store modalities prediction audio safety_identifier prompt_cache_key input prompt
      encoding_format dimensions suffix echo best_of web_search_options prompt_cache_retention top_k min_p num_ctx keep_alive
      repetition_penalty chat_template_kwargs enable_thinking extra_body provider transforms context_window rpm_limit
      anthropic_version random_seed safe_prompt guided_json`))
      assert.isFalse(isOwnParameter(name), name)
  })
})
