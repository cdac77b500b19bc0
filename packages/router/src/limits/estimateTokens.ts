import { estimateInputTokens, type LlmRequest, maxOutputTokens } from "@switchyard/core/LlmRequest"

/** Output tokens to reserve for a request that names no maximum. */
export const assumedOutputTokens = 500

/** Tokens that limits reserve for a request: its prompt, and the most output that it allows. */
export const estimateTokens = (request: LlmRequest, outputTokens: number = assumedOutputTokens): number =>
  estimateInputTokens(request) + (request.operation === "embeddings" ? 0 : (maxOutputTokens(request) ?? outputTokens))
