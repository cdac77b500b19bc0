/**
 * Answers that a content filter stopped: successes on the wire, and a reason to ask another group.
 */
import { arrayOf, isJsonObject } from "@switchyard/core/Json"
import { LlmError } from "@switchyard/core/LlmError"
import type { LlmResponse } from "@switchyard/core/LlmResponse"

/** What such an answer is to the chains. */
export const violation = (model: string): LlmError =>
  new LlmError({
    reason: "ContentPolicyViolation",
    description: `the content filter stopped the answer of ${model}`,
    code: "content_filter"
  })

/** A whole answer, or a stream that is over without content, that a content filter ended. */
export const isFiltered = (response: LlmResponse): boolean => {
  if (response._tag === "Streaming") {
    const { facts, settlement } = response.events
    return settlement.outcome !== undefined && facts.finishReason === "content_filter" && !facts.hasContent
  }
  const choices = arrayOf(response.body.choices)
  return (
    choices.length > 0 && choices.every((choice) => isJsonObject(choice) && choice.finish_reason === "content_filter")
  )
}
