/**
 * How providers say no, in their own words, and what each means.
 */
import type { Reason } from "@switchyard/core/LlmError"
import type { ErrorAnswer } from "@switchyard/providers/ErrorClassifier"

/** An error of OpenAI's shape. */
export const openAi = (message: string, code: string | null = null, type = "invalid_request_error") => ({
  error: { message, type, param: null, code }
})

/** Who says it, with which status, in which body. */
export type Case = readonly [who: string, status: number, body: unknown, more?: Partial<ErrorAnswer>]

/** Real error answers, by the reason that they must be read as. */
export const errorBodies: Readonly<Partial<Record<Reason, ReadonlyArray<Case>>>> = {
  RateLimited: [
    [
      "Bedrock, inside of a stream",
      200,
      { message: "Too many tokens, please wait before trying again.", __type: "throttlingException" },
      { provider: "bedrock" }
    ],
    [
      "Bedrock, the tokens of a day, behind a server that calls it a mistake",
      400,
      { message: "Too many tokens per day, please wait before trying again.", __type: "ThrottlingException" },
      { provider: "bedrock" }
    ],
    [
      "OpenAI",
      429,
      openAi(
        "Rate limit reached for gpt-4o in organization org-x on requests per min (RPM): Limit 3, Used 3, Requested 1.",
        "rate_limit_exceeded",
        "requests"
      )
    ],
    [
      "OpenAI, more tokens at once than the tier allows",
      429,
      openAi(
        "Request too large for gpt-4o on tokens per min (TPM): Limit 30000, Requested 40000.",
        "rate_limit_exceeded",
        "tokens"
      )
    ],
    [
      "Anthropic",
      429,
      {
        type: "error",
        error: {
          type: "rate_limit_error",
          message: "This request would exceed your organization's rate limit of 50 requests per minute"
        }
      }
    ],
    [
      "Gemini, per minute, in the words of a used-up quota",
      429,
      [
        {
          error: {
            code: 429,
            message: "You exceeded your current quota, please check your plan and billing details.",
            status: "RESOURCE_EXHAUSTED",
            details: [
              {
                "@type": "type.googleapis.com/google.rpc.QuotaFailure",
                violations: [{ quotaId: "GenerateRequestsPerMinutePerProjectPerModel-FreeTier" }]
              }
            ]
          }
        }
      ]
    ],
    [
      "Groq, which says 413 of a token limit",
      413,
      openAi(
        "Request too large for model `llama-3.3-70b-versatile` on tokens per minute (TPM): Limit 6000, Requested 12000",
        "rate_limit_exceeded",
        "tokens"
      )
    ],
    [
      "Bedrock",
      429,
      { message: "Too many requests, please wait before trying again." },
      { headers: { "x-amzn-errortype": "ThrottlingException:http://internal.amazon.com/" } }
    ],
    [
      "Azure",
      429,
      {
        error: {
          code: "429",
          message:
            "Requests to the ChatCompletions_Create Operation have exceeded call rate limit. Please retry after 26 seconds."
        }
      }
    ],
    ["a proxy, in HTML", 429, "<html><head><title>429 Too Many Requests</title></head></html>"],
    ["nobody, with an empty body", 429, ""],
    [
      "OpenRouter, for a provider behind it",
      429,
      {
        error: {
          code: 429,
          message: "Provider returned error",
          metadata: { raw: "acme/one:free is temporarily rate-limited upstream.", provider_name: "Acme" }
        },
        user_id: "user_1"
      }
    ],
    ["OpenRouter, in a 200 answer", 200, { error: { code: 429, message: "Rate limit exceeded: free-models-per-min" } }]
  ],
  QuotaExhausted: [
    [
      "OpenAI",
      429,
      openAi(
        "You exceeded your current quota, please check your plan and billing details.",
        "insufficient_quota",
        "insufficient_quota"
      )
    ],
    [
      "OpenAI, by the text alone",
      429,
      { error: { message: "You exceeded your current quota, please check your plan and billing details." } }
    ],
    ["OpenAI, a billing limit", 400, openAi("Billing hard limit has been reached", "billing_hard_limit_reached")],
    [
      "DeepSeek",
      402,
      { error: { message: "Insufficient Balance", type: "unknown_error", param: null, code: "invalid_request_error" } }
    ],
    ["OpenRouter", 402, { error: { code: 402, message: "This request requires more credits, or fewer max_tokens." } }],
    [
      "Anthropic, which says 400",
      400,
      {
        type: "error",
        error: {
          type: "invalid_request_error",
          message: "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing."
        }
      }
    ],
    [
      "Moonshot",
      429,
      { error: { message: "Your account is suspended, please check your plan", type: "exceeded_current_quota_error" } }
    ],
    [
      "xAI",
      429,
      {
        code: "Some resource has been exhausted",
        error: "Your team has used all available credits or reached its monthly spending limit."
      }
    ],
    [
      "Gemini, per day",
      429,
      {
        error: {
          code: 429,
          message: "You exceeded your current quota",
          status: "RESOURCE_EXHAUSTED",
          details: [{ violations: [{ quotaId: "GenerateRequestsPerDayPerProjectPerModel-FreeTier" }] }]
        }
      }
    ],
    ["Zhipu, by number", 429, { error: { code: "1113", message: "余额不足" } }, { provider: "zhipu" }]
  ],
  Authentication: [
    ["OpenAI", 401, openAi("Incorrect API key provided: sk-abc***xyz.", "invalid_api_key")],
    [
      "OpenAI, a country",
      403,
      openAi("Country, region, or territory not supported", "unsupported_country_region_territory", "request_forbidden")
    ],
    ["Anthropic", 401, { type: "error", error: { type: "authentication_error", message: "invalid x-api-key" } }],
    [
      "Anthropic, a permission",
      403,
      { type: "error", error: { type: "permission_error", message: "Your API key does not have permission" } }
    ],
    [
      "Gemini, which says 400",
      400,
      [
        {
          error: {
            code: 400,
            message: "API key not valid. Please pass a valid API key.",
            status: "INVALID_ARGUMENT",
            details: [{ reason: "API_KEY_INVALID" }]
          }
        }
      ]
    ],
    [
      "xAI, which says 400",
      400,
      { code: "Client specified an invalid argument", error: "Incorrect API key provided: xa***1." },
      { provider: "xai" }
    ],
    [
      "Cloudflare, in HTML",
      403,
      "<!DOCTYPE html><html><head><title>Attention Required! | Cloudflare</title></head></html>"
    ]
  ],
  ModelNotFound: [
    ["OpenAI", 404, openAi("The model `gpt-9` does not exist or you do not have access to it.", "model_not_found")],
    [
      "OpenAI, a project without access",
      403,
      openAi("Project `proj_x` does not have access to model `gpt-4o`", "model_not_found")
    ],
    [
      "Azure",
      404,
      { error: { code: "DeploymentNotFound", message: "The API deployment for this resource does not exist." } }
    ],
    ["Anthropic", 404, { type: "error", error: { type: "not_found_error", message: "model: claude-9" } }],
    [
      "Gemini",
      404,
      [
        {
          error: {
            code: 404,
            message: "models/gemini-9 is not found for API version v1main, or is not supported for generateContent.",
            status: "NOT_FOUND"
          }
        }
      ]
    ],
    [
      "Groq, a model that is gone",
      400,
      openAi(
        "The model `mixtral-8x7b-32768` has been decommissioned and is no longer supported.",
        "model_decommissioned"
      )
    ],
    [
      "Mistral",
      400,
      { object: "error", message: "Invalid model: mistral-nope", type: "invalid_model", param: null, code: "1500" }
    ],
    [
      "vLLM",
      404,
      { object: "error", message: "The model `llama` does not exist.", type: "NotFoundError", param: null, code: 404 }
    ],
    [
      "Ollama",
      404,
      {
        error: { message: 'model "llama9" not found, try pulling it first', type: "api_error", param: null, code: null }
      }
    ],
    ["Ollama's own API", 404, { error: "model 'llama9' not found" }],
    [
      "OpenRouter",
      404,
      { error: { code: 404, message: "No endpoints found for acme/none." } },
      { provider: "openrouter" }
    ],
    [
      "OpenRouter, a bad id",
      400,
      { error: { code: 400, message: "acme/none is not a valid model ID" } },
      { provider: "openrouter" }
    ],
    [
      "DeepSeek",
      400,
      {
        error: { message: "Model Not Exist", type: "invalid_request_error", param: null, code: "invalid_request_error" }
      },
      { provider: "deepseek" }
    ],
    ["a server that does not know the path, in HTML", 404, "<html><head><title>404 Not Found</title></head></html>"],
    ["a server that says nothing", 404, ""],
    ["Bedrock", 400, { message: "The provided model identifier is invalid." }, { provider: "bedrock" }],
    ["Cohere", 404, { id: "x", message: "model 'nonexistent' not found, make sure the correct model ID was used" }],
    [
      "OpenAI, which says 400",
      400,
      {
        error: {
          code: "model_not_found",
          message: "The requested model 'gpt-9' does not exist.",
          param: "model",
          type: "invalid_request_error"
        }
      }
    ],
    ["FastAPI, an unknown path", 404, { detail: "Not Found" }],
    ["a method that is not allowed", 405, { detail: "Method Not Allowed" }],
    ["a server with plain text", 404, "404 page not found"]
  ],
  ContextWindowExceeded: [
    ["OpenAI, by code", 400, openAi("Your input exceeds the context window of this model.", "context_length_exceeded")],
    [
      "OpenAI, by text",
      400,
      openAi("This model's maximum context length is 8192 tokens. However, your messages resulted in 10000 tokens.")
    ],
    [
      "OpenAI, one long string",
      400,
      openAi(
        "Invalid 'messages[0].content': string too long. Expected a string with maximum length 1048576, but got 2000000.",
        "string_above_max_length"
      )
    ],
    [
      "Azure, without a code",
      400,
      openAi("Input tokens exceed the configured limit of 272000 tokens. Your messages resulted in 509178 tokens.")
    ],
    [
      "Bedrock, its OpenAI-compatible API",
      400,
      openAi("prompt tokens (400007) exceed model maximum (278528) for openai.gpt-5.5", "validation_error")
    ],
    ["Perplexity", 400, openAi("The total length of all messages is too long.")],
    ["a server that says it in its stream", 200, { error: { message: "too many tokens in the prompt" } }],
    [
      "Azure",
      400,
      {
        error: {
          message: "This model's maximum context length is 4097 tokens",
          type: "invalid_request_error",
          param: "messages",
          code: "context_length_exceeded"
        }
      }
    ],
    [
      "Anthropic",
      400,
      {
        type: "error",
        error: { type: "invalid_request_error", message: "prompt is too long: 210000 tokens > 200000 maximum" }
      }
    ],
    [
      "Anthropic, with max_tokens",
      400,
      {
        type: "error",
        error: {
          type: "invalid_request_error",
          message: "input length and `max_tokens` exceed context limit: 197000 + 8192 > 200000"
        }
      }
    ],
    [
      "Gemini",
      400,
      [
        {
          error: {
            code: 400,
            message: "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).",
            status: "INVALID_ARGUMENT"
          }
        }
      ]
    ],
    [
      "Vertex",
      400,
      {
        error: {
          code: 400,
          message:
            "Unable to submit request because the input token count is 1100000 but model only supports up to 1048576.",
          status: "INVALID_ARGUMENT"
        }
      }
    ],
    [
      "Mistral",
      400,
      {
        object: "error",
        message:
          "Prompt contains 65673 tokens and 0 draft tokens, too large for model with 32768 maximum context length",
        type: "invalid_request_error",
        code: "3051"
      }
    ],
    ["Groq", 400, openAi("Please reduce the length of the messages or completion.", "context_length_exceeded")],
    [
      "vLLM",
      400,
      {
        object: "error",
        message: "This model's maximum context length is 4096 tokens. However, you requested 5000 tokens",
        type: "BadRequestError",
        param: null,
        code: 400
      }
    ],
    [
      "vLLM, newer",
      400,
      {
        error: {
          message:
            "You passed 32769 input tokens and requested 1 output tokens. However, the model's context length is only 32768 tokens",
          type: "BadRequestError",
          code: 400
        }
      }
    ],
    [
      "vLLM, the engine",
      400,
      {
        error: {
          message: "The decoder prompt (length 50000) is longer than the maximum model length of 32768.",
          type: "BadRequestError",
          code: 400
        }
      }
    ],
    [
      "SGLang",
      400,
      {
        object: "error",
        message: "The input (40000 tokens) is longer than the model's context length (32768 tokens).",
        type: "BadRequest",
        code: 400
      }
    ],
    [
      "llama.cpp",
      400,
      {
        error: {
          code: 400,
          message: "the request exceeds the available context size, try increasing it",
          type: "exceed_context_size_error",
          n_prompt_tokens: 9000,
          n_ctx: 4096
        }
      }
    ],
    [
      "llama.cpp, older",
      400,
      {
        error: {
          code: 400,
          message: "the request exceeds the available context size. try increasing the context size",
          type: "invalid_request_error"
        }
      }
    ],
    ["Ollama, embeddings", 400, { error: "the input length exceeds the context length" }],
    [
      "LM Studio",
      400,
      {
        error:
          "Trying to keep the first 5000 tokens when context the overflows. However, the model is loaded with context length of only 4096 tokens"
      }
    ],
    [
      "Bedrock",
      400,
      { message: "Too many input tokens. Max input tokens: 8192, request input token count: 9000" },
      { headers: { "x-amzn-errortype": "ValidationException" } }
    ],
    ["Bedrock, Claude", 400, { message: "Input is too long for requested model." }],
    [
      "Together and TGI",
      422,
      {
        error:
          "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4097. Given: 5000 `inputs` tokens",
        error_type: "validation"
      }
    ],
    [
      "xAI",
      400,
      {
        code: "Client specified an invalid argument",
        error: "This model's maximum prompt length is 131072 but the request contains 537812 tokens."
      }
    ],
    [
      "Cohere",
      400,
      { message: "too many tokens: total number of tokens in the prompt cannot exceed 4081 - received 4292." }
    ],
    [
      "Moonshot",
      400,
      {
        error: {
          message: "Invalid request: Your request exceeded model token limit: 8192",
          type: "invalid_request_error"
        }
      }
    ],
    [
      "MiniMax, in a 200 answer",
      200,
      { base_resp: { status_code: 2013, status_msg: "invalid params, context window exceeds limit (2013)" } },
      { provider: "minimax" }
    ],
    [
      "DashScope",
      400,
      {
        error: {
          code: "invalid_parameter_error",
          message: "Range of input length should be [1, 30720]",
          type: "invalid_request_error"
        }
      }
    ],
    [
      "OpenRouter, the upstream's words in metadata",
      400,
      {
        error: {
          code: 400,
          message: "Provider returned error",
          metadata: { raw: '{"error":{"message":"This endpoint\'s maximum context length is 131072 tokens"}}' }
        }
      }
    ],
    [
      "Cerebras",
      400,
      {
        message: "Please reduce the length of the messages or completion. Current length is 9000 while limit is 8192",
        type: "invalid_request_error",
        param: "messages",
        code: "context_length_exceeded"
      }
    ],
    ["Zhipu, by number", 400, { error: { code: "1261", message: "输入过长" } }, { provider: "zhipu" }],
    [
      "OpenRouter, in a stream, beside choices",
      200,
      {
        error: { code: 400, message: "Token limit reached" },
        choices: [{ index: 0, delta: { role: "assistant", content: "" }, finish_reason: null }]
      }
    ],
    [
      "OpenAI, in a stream",
      200,
      openAi("Your input exceeds the context window of this model.", "context_length_exceeded")
    ]
  ],
  ContentPolicyViolation: [
    ["OpenAI", 400, openAi("Your request was rejected as a result of our safety system.", "content_policy_violation")],
    [
      "OpenAI, a flagged prompt",
      400,
      openAi("Invalid prompt: your prompt was flagged as potentially violating our usage policy.", "invalid_prompt")
    ],
    ["OpenAI, by text", 400, openAi("Your request was rejected as a result of our safety system.")],
    [
      "Azure",
      400,
      {
        error: {
          message: "The response was filtered due to the prompt triggering Azure OpenAI's content management policy.",
          type: null,
          param: "prompt",
          code: "content_filter",
          status: 400,
          innererror: { code: "ResponsibleAIPolicyViolation", content_filter_result: {} }
        }
      }
    ],
    [
      "Azure, by the inner code alone",
      400,
      { error: { message: "Refused.", code: "bad", innererror: { code: "ResponsibleAIPolicyViolation" } } }
    ],
    [
      "Anthropic",
      400,
      { type: "error", error: { type: "invalid_request_error", message: "Output blocked by content filtering policy" } }
    ],
    [
      "DashScope",
      400,
      {
        error: {
          code: "data_inspection_failed",
          message: "Input data may contain inappropriate content.",
          type: "data_inspection_failed"
        }
      }
    ],
    [
      "DeepSeek",
      400,
      { error: { message: "Content Exists Risk", type: "invalid_request_error", code: "invalid_request_error" } }
    ],
    [
      "Moonshot",
      400,
      { error: { message: "The request was rejected because it was considered high risk", type: "content_filter" } }
    ],
    [
      "OpenRouter, which says 403",
      403,
      {
        error: {
          code: 403,
          message: 'Your chosen model requires moderation and your input was flagged for "violence".',
          metadata: { reasons: ["violence"] }
        }
      },
      { provider: "openrouter" }
    ],
    [
      "xAI, which says 403",
      403,
      {
        code: "The caller does not have permission",
        error: "Content violates usage guidelines. Failed check: SAFETY_CHECK_TYPE_BIO"
      },
      { provider: "xai" }
    ]
  ],
  Timeout: [
    ["a server", 408, openAi("Request timed out", "timeout", "timeout")],
    ["a proxy", 504, "<html><head><title>504 Gateway Time-out</title></head></html>"],
    [
      "Gemini",
      504,
      {
        error: { code: 504, message: "Deadline expired before operation could complete.", status: "DEADLINE_EXCEEDED" }
      }
    ]
  ],
  Unavailable: [
    ["OpenAI", 500, openAi("The server had an error while processing your request", null, "server_error")],
    [
      "OpenAI, overloaded",
      503,
      openAi("The engine is currently overloaded, please try again later", null, "server_error")
    ],
    ["Anthropic, overloaded", 529, { type: "error", error: { type: "overloaded_error", message: "Overloaded" } }],
    [
      "Anthropic, overloaded in a stream",
      200,
      { type: "error", error: { type: "overloaded_error", message: "Overloaded" } }
    ],
    ["a proxy", 502, "Bad Gateway"],
    ["Cloudflare", 522, "<html><head><title>522: Connection timed out</title></head></html>"],
    ["a conflict", 409, openAi("Conflict")],
    ["too early", 425, ""],
    ["Groq, at capacity", 498, openAi("Flex tier capacity exceeded", "capacity_exceeded")],
    ["a redirect, which is not followed", 301, ""],
    ["an error in a stream that says nothing", 200, { error: {} }],
    ["an error in a 200 answer, as text", 200, { error: "CUDA out of memory" }],
    ["a 5xx, whatever its text says", 500, openAi("maximum context length", "context_length_exceeded")]
  ],
  InvalidRequest: [
    [
      "OpenAI, a tool's name that is too long",
      400,
      openAi(
        "Invalid 'tools[3].function.name': string too long. Expected a string with maximum length 64, but got a string with length 67 instead.",
        "string_above_max_length"
      )
    ],
    ["OpenAI", 400, openAi("Invalid value for 'temperature': expected a number <= 2.")],
    [
      "OpenAI, output tokens asked beyond the model's",
      400,
      openAi("max_tokens is too large: 99999. This model supports at most 16384 completion tokens.", "invalid_value")
    ],
    [
      "OpenAI, a parameter whose name sounds like policy",
      400,
      openAi("Unsupported parameter: 'safety_identifier' is not supported with this model.", "unsupported_parameter")
    ],
    [
      "Anthropic, too many bytes",
      413,
      { type: "error", error: { type: "request_too_large", message: "Request exceeds the maximum size" } }
    ],
    ["Mistral", 422, { detail: [{ type: "missing", loc: ["body", "messages"], msg: "Field required", input: {} }] }],
    [
      "Groq, a tool call that the model got wrong",
      400,
      {
        error: {
          message: "Tool call validation failed: parameters did not match schema: missing properties: 'name'",
          type: "invalid_request_error",
          code: "tool_use_failed",
          failed_generation: "{}"
        }
      }
    ],
    [
      "OpenAI, a role that the model does not know",
      400,
      {
        error: {
          message: "Unsupported value: 'messages[0].role' does not support 'system' with this model.",
          type: "invalid_request_error",
          param: "messages[0].role",
          code: "unsupported_value"
        }
      }
    ],
    ["OpenAI, a tool that the model does not know", 400, openAi("Web search options not supported with this model.")],
    [
      "OpenAI, an item out of its order",
      400,
      openAi("Item 'rs_68c4' of type 'reasoning' was provided without its required following item.")
    ],
    ["OpenAI, a kind of file", 400, openAi("The file type you uploaded is not supported.", "unsupported_file")],
    ["Bedrock, a field that the model does not know", 400, { message: "This model doesn't support the s3Uri field." }],
    [
      "Vertex, an address that it cannot read",
      400,
      {
        error: {
          code: 400,
          message: "Cannot fetch content from the provided URL. Status: URL_ROBOTED-ROBOTED_DENIED",
          status: "INVALID_ARGUMENT"
        }
      }
    ],
    [
      "OpenAI, an unknown response id",
      404,
      openAi("Previous response with id 'resp_1' not found.", "previous_response_not_found")
    ],
    ["OpenAI, an unknown file", 404, openAi("No such File object: file-1")],
    ["a teapot", 418, ""],
    ["OpenRouter, in a 200 answer", 200, { error: { code: 400, message: "bad temperature" } }]
  ]
}
