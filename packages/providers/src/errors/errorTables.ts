/**
 * What providers' error codes and error texts mean, as data. A row counts only at the statuses that it names, because
 * the same word means something else at another; `inBand` stands for an error inside a stream or a 200 answer.
 */
import type { Reason } from "@switchyard/core/LlmError"

/** The status of an error that came without one. */
export const inBand = 0

/** Codes that decide at the given statuses; case, underscores and the like do not count. */
export interface CodeRow {
  readonly reason: Reason
  readonly at: ReadonlyArray<number>
  readonly codes: ReadonlyArray<string>
}

/** Texts that decide at the given statuses. */
export interface TextRow {
  readonly reason: Reason
  readonly at: ReadonlyArray<number>
  readonly texts: ReadonlyArray<RegExp>
}

/** Codes that mean the same wherever they appear; the first row that fits decides. */
export const codeRows: ReadonlyArray<CodeRow> = [
  {
    reason: "ContextWindowExceeded",
    at: [400, 413, 422, inBand],
    codes: [
      "context_length_exceeded",
      "context_window_exceeded",
      "model_context_window_exceeded",
      "exceed_context_size_error",
      "max_tokens_exceeded",
      "model_max_prompt_tokens_exceeded",
      "tokens_limit_reached"
    ]
  },
  {
    reason: "ContentPolicyViolation",
    at: [400, 403, 422, 451, inBand],
    codes: [
      "responsibleaipolicyviolation",
      "content_policy_violation",
      "content_filter",
      "content_filter_error",
      "content_filtered",
      "contentfilter",
      "data_inspection_failed",
      "datainspectionfailed",
      "invalid_prompt",
      "moderation_blocked",
      "safety_check_failed",
      "prohibited_content",
      "guardrail_intervened"
    ]
  },
  {
    reason: "QuotaExhausted",
    at: [400, 402, 403, 429, inBand],
    codes: [
      "insufficient_quota",
      "insufficient_balance",
      "insufficient_credits",
      "insufficient_funds",
      "billing_error",
      "billing_hard_limit_reached",
      "billing_not_active",
      "exceeded_current_quota_error",
      "quota_exceeded_per_day",
      "credits_exhausted",
      "payment_required",
      "arrearage"
    ]
  },
  {
    reason: "ModelNotFound",
    at: [400, 403, 404, 405, 410, 422, inBand],
    codes: [
      "model_not_found",
      "model_not_exist",
      "model_not_available",
      "model_decommissioned",
      "model_deprecated",
      "invalid_model",
      "unknown_model",
      "modelnotfound",
      "deploymentnotfound",
      "deployment_not_found",
      "endpoint_not_found",
      "engine_not_found"
    ]
  },
  {
    reason: "Authentication",
    at: [400, inBand],
    codes: ["invalid_api_key", "api_key_invalid", "invalidapikey", "authentication_error", "unauthorized"]
  }
]

/** Statuses of a mistake of the caller, which some providers use for failures of their own too. */
const mistakes = [400, 406, 412, 418, 422, 423, 498, inBand]

/** Codes that call it an outage, a timeout or a limit, whatever the status says. What the text says goes before them. */
export const outageRows: ReadonlyArray<CodeRow> = [
  {
    reason: "RateLimited",
    at: [...mistakes, 413],
    codes: [
      "rate_limit",
      "rate_limited",
      "rate_limit_exceeded",
      "rate_limit_error",
      "rate_limit_reached_error",
      "resource_exhausted",
      "throttling_exception",
      "throttled",
      "throttling",
      "too_many_requests",
      "too_many_requests_error"
    ]
  },
  {
    reason: "Timeout",
    at: mistakes,
    codes: [
      "timeout",
      "timeout_error",
      "request_timeout",
      "upstream_timeout",
      "gateway_timeout",
      "api_timeout_error",
      "deadline_exceeded",
      "model_timeout_exception"
    ]
  },
  {
    reason: "Unavailable",
    at: mistakes,
    codes: [
      "capacity_exceeded",
      "out_of_capacity",
      "no_capacity",
      "overloaded",
      "overloaded_error",
      "engine_overloaded",
      "engine_overloaded_error",
      "model_overloaded",
      "server_error",
      "server_overloaded",
      "internal",
      "internal_error",
      "internal_server_error",
      "internal_server_exception",
      "internal_failure",
      "service_unavailable",
      "service_unavailable_error",
      "service_unavailable_exception",
      "temporarily_unavailable",
      "api_error",
      "api_connection_error",
      "connection_error",
      "unavailable",
      "bad_gateway",
      "upstream_error",
      "upstream_unavailable",
      "provider_error",
      "provider_unavailable",
      "backend_error",
      "model_not_ready",
      "model_not_ready_exception",
      "model_stream_error",
      "model_stream_error_exception",
      "internal_stream_failure"
    ]
  },
  {
    reason: "InvalidRequest",
    at: [inBand],
    codes: ["invalid_request_error", "invalid_request", "invalid_argument", "badrequesterror", "validationexception"]
  }
]

/** Texts that mean the same whoever says them; the first row that fits decides. */
export const textRows: ReadonlyArray<TextRow> = [
  {
    reason: "ContextWindowExceeded",
    at: [400, 413, 422, inBand],
    texts: [
      /maximum (?:context|prompt|model|input) length/i,
      /model'?s context length/i,
      /exceed\w* (?:the )?(?:available |model'?s? )?context (?:length|size|window|limit)/i,
      /context window (?:of this model|exceeds? limit|is full)/i,
      /prompt is too long/i,
      /prompt (?:exceeds max length|too long)/i,
      /input is too long for requested model/i,
      // Bedrock says so of a limit per minute or per day too, and adds that one should wait.
      /too many (?:input )?tokens(?!.{0,20}please wait)/i,
      /input token count\b.{0,80}?\b(?:exceeds|but model only supports)/i,
      /exceeds the maximum number of (?:input )?tokens/i,
      /inputs?` tokens \+ `?max_new_tokens/i,
      /input length and `?max_tokens`? exceed/i,
      /exceeded model token limit/i,
      /reduce the length of the (?:messages|prompt|input)/i,
      // Of a name or an id that is too long OpenAI says the same, with a length of few digits.
      /string too long\. expected a string with maximum length \d{5}/i,
      /input tokens exceed the configured limit/i,
      /prompt tokens \(\d+\) exceed model maximum/i,
      /total length of all messages is too long/i,
      /range of input length should be/i,
      /number of input tokens \d+ cannot exceed/i,
      /prompt token count of \d+ exceeds the limit/i,
      /context (?:the )?overflows/i,
      /\btoken limit (?:was |has been )?(?:reached|exceeded)\b/i,
      /tokens to keep from the initial prompt is greater than the context length/i,
      /input (?:length|\(\d+ tokens\)).{0,60}(?:exceeds|is longer than) (?:the )?(?:model's |maximum )*context length/i
    ]
  },
  {
    reason: "ContentPolicyViolation",
    at: [400, 422, 451, inBand],
    texts: [
      /content management policy/i,
      /content[ _](?:policy|filter(?:ed|ing)?)\b/i,
      /(?:by|of) (?:our|the) safety (?:system|filter)/i,
      /violat\w+ (?:our |the |openai'?s )?(?:usage|safety|acceptable use|content) (?:polic|guideline)/i,
      /(?:prompt|input|content|request) (?:was|has been|is) (?:flagged|blocked)\b/i,
      /blocked by (?:our |the )?(?:content|safety|moderation|guardrail)/i,
      /content exists risk/i,
      /inappropriate content/i
    ]
  },
  {
    reason: "QuotaExhausted",
    at: [400, 402, 403, 429, inBand],
    texts: [
      /credit balance is too low/i,
      /insufficient[_ ](?:quota|balance|credits?|funds)/i,
      /exceeded your current quota, please check your plan/i,
      /(?:out of|no remaining|used all available) credits/i,
      /(?:monthly|billing hard|spending|spend) (?:usage |spending )?limit/i,
      /account is not active/i
    ]
  },
  {
    reason: "Unavailable",
    at: [400],
    texts: [/plain HTTP request was sent to HTTPS port/i, /invalid hostname/i]
  }
]

/** Its containers' errors are read as those of whoever wrote them. */
const sageMaker = {
  codes: [{ reason: "Unavailable", at: [429], codes: ["modelnotreadyexception"] }],
  texts: [{ reason: "ModelNotFound", at: [400], texts: [/^endpoint \S+ of account \S+ not found/i] }]
} satisfies { readonly codes: ReadonlyArray<CodeRow>; readonly texts: ReadonlyArray<TextRow> }

/** What only one provider says, by its label. Codes are in lower case. Looked at before the common rows. */
export const providerRows: Readonly<
  Record<string, { readonly codes?: ReadonlyArray<CodeRow>; readonly texts?: ReadonlyArray<TextRow> }>
> = {
  openrouter: {
    texts: [
      { reason: "ContentPolicyViolation", at: [403], texts: [/flagged/i, /moderation/i] },
      { reason: "ModelNotFound", at: [400], texts: [/is not a valid model id/i] }
    ]
  },
  xai: {
    texts: [
      { reason: "ContentPolicyViolation", at: [403], texts: [/violates usage guidelines/i, /SAFETY_CHECK/] },
      { reason: "Authentication", at: [400], texts: [/incorrect api key/i] }
    ]
  },
  deepseek: {
    texts: [{ reason: "ModelNotFound", at: [400], texts: [/model not exist/i] }]
  },
  bedrock: {
    texts: [{ reason: "ModelNotFound", at: [400], texts: [/model identifier is invalid/i] }]
  },
  sagemaker: sageMaker,
  sagemaker_chat: sageMaker,
  sagemaker_nova: sageMaker,
  oci: {
    // It says no more of what an account may not see.
    codes: [{ reason: "Authentication", at: [404], codes: ["notauthorizedornotfound"] }]
  },
  watsonx: {
    codes: [
      { reason: "ModelNotFound", at: [400, 404, inBand], codes: ["modelnotsupported"] },
      { reason: "QuotaExhausted", at: [403, 429, inBand], codes: ["tokenquotareached"] }
    ]
  },
  zhipu: {
    codes: [
      { reason: "ContextWindowExceeded", at: [400, inBand], codes: ["1261"] },
      { reason: "ContentPolicyViolation", at: [400, inBand], codes: ["1301"] },
      { reason: "QuotaExhausted", at: [400, 429, inBand], codes: ["1113"] },
      { reason: "ModelNotFound", at: [400, inBand], codes: ["1211"] }
    ]
  },
  minimax: {
    codes: [
      { reason: "RateLimited", at: [inBand], codes: ["1002", "1039"] },
      { reason: "Authentication", at: [inBand], codes: ["1004", "2049"] },
      { reason: "QuotaExhausted", at: [inBand], codes: ["1008"] },
      { reason: "ContentPolicyViolation", at: [inBand], codes: ["1026", "1027"] }
    ],
    texts: [
      { reason: "ContextWindowExceeded", at: [inBand], texts: [/context window exceeds limit/i] },
      { reason: "InvalidRequest", at: [inBand], texts: [/invalid params/i] }
    ]
  }
}
