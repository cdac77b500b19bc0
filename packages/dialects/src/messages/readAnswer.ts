import { isJsonObject, type JsonObject } from "@switchyard/core/Json"
import { Either } from "effect"
import type { Answer } from "../conversation/Answer.js"
import type { Part } from "../conversation/Conversation.js"
import { asText, others } from "../parts/values.js"
import { readBlock } from "./readParts.js"
import { readFinish, readTokens, stopReason, tokenFields } from "./tokens.js"

const answerFields: ReadonlySet<string> = new Set([
  "id",
  "type",
  "role",
  "model",
  "content",
  "stop_reason",
  "stop_sequence",
  "usage"
])

const ignore = (): void => undefined

/** A block of an answer: the summary of a compaction is no text of the answer, and stays whole. */
export const readAnswerBlock = (block: JsonObject): Part =>
  block.type === "compaction" || block.type === "search_result" || block.type === "container_upload"
    ? { type: "opaque", dialect: "messages", value: block }
    : (readBlock(block, ignore) ?? { type: "opaque", dialect: "messages", value: block })

/** What of an answer only Anthropic has a word for; undefined when there is nothing. */
export const answerExtra = (message: JsonObject, usage: unknown): JsonObject | undefined => {
  const extra = others(message, answerFields)
  const counts = isJsonObject(usage) ? others(usage, tokenFields) : undefined
  return counts === undefined ? extra : { ...extra, usage: counts }
}

const withReason = (extra: JsonObject | undefined, reason: string | undefined): JsonObject | undefined => {
  if (reason === undefined || stopReason(readFinish(reason), reason, undefined) === reason) return extra
  return { ...extra, stop_reason: reason }
}

/** A whole message. */
export const readAnswer = (body: JsonObject): Either.Either<Answer, string> => {
  const { content, stop_reason, stop_sequence, usage } = body
  if (!Array.isArray(content)) return Either.left("an answer without a list of content")
  const parts: Array<Part> = []
  for (const block of content) if (isJsonObject(block)) parts.push(readAnswerBlock(block))
  const reason = asText(stop_reason)
  const stopSequence = asText(stop_sequence)
  const tier = isJsonObject(usage) ? asText(usage.service_tier) : undefined
  const extra = withReason(answerExtra(body, usage), reason)
  return Either.right({
    id: asText(body.id),
    model: asText(body.model),
    choices: [
      {
        parts,
        finish: reason === undefined ? undefined : readFinish(reason),
        ...(reason === undefined ? {} : { reason }),
        ...(stopSequence === undefined ? {} : { stopSequence })
      }
    ],
    usage: readTokens(usage),
    ...(tier === undefined ? {} : { serviceTier: tier }),
    ...(extra === undefined ? {} : { extra })
  })
}
