/**
 * Answers that a content filter stopped: successes on the wire, and a reason to ask another group.
 */
import { LlmError } from "@switchyard/core/LlmError"
import type { LlmRequest } from "@switchyard/core/LlmRequest"
import type { LlmResponse } from "@switchyard/core/LlmResponse"
import { openAi } from "@switchyard/core/OpenAi"

/** What such an answer is to the chains. */
export const violation = (model: string): LlmError =>
  new LlmError({
    reason: "ContentPolicyViolation",
    description: `the content filter stopped the answer of ${model}`,
    code: "content_filter"
  })

/** A whole answer, or a stream that is over without content, that a content filter ended. */
export const isFiltered = ({ dialect }: LlmRequest, response: LlmResponse): boolean => {
  if (response._tag === "Streaming") {
    const { facts, settlement } = response.events
    return settlement.outcome !== undefined && facts.finishReason === "content_filter" && !facts.hasContent
  }
  return (dialect ?? openAi).answer.isFiltered(response.body)
}
