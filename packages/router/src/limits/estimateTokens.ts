import { estimateInputTokens, type LlmRequest, maxOutputTokens } from "@switchyard/core/LlmRequest"

/** Output tokens to reserve for a request that names no maximum. */
export const assumedOutputTokens = 500

/** Operations whose answers are no text of a model's. */
const writesNothing: ReadonlySet<string> = new Set(["embeddings", "rerank", "moderation"])

/** Tokens that limits reserve for a request: its prompt, and the most output that it allows. */
export const estimateTokens = (request: LlmRequest, outputTokens: number = assumedOutputTokens): number =>
  estimateInputTokens(request) + (writesNothing.has(request.operation) ? 0 : (maxOutputTokens(request) ?? outputTokens))
