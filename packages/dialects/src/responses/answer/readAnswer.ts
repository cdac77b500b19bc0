import { arrayOf, isJsonObject, type JsonObject } from "@switchyard/core/Json"
import { Either } from "effect"
import type { Answer } from "../../conversation/Answer.js"
import type { Part } from "../../conversation/Conversation.js"
import type { Problem } from "../../conversation/Problem.js"
import { asNumber, asText, others } from "../../parts/values.js"
import { finishOf, reasonOf, refusesIn, waitsIn } from "../finish.js"
import { keep } from "../own.js"
import { contentAsParts } from "../request/readContent.js"
import { callItem, opaqueItem, reasoningItem } from "../request/readItems.js"
import { readTokens } from "../tokens.js"

const known: ReadonlySet<string> = new Set(["id", "model", "created_at", "output", "service_tier"])

/** Parts of what a model said; what is spoilt in them is left as it is. */
const messageParts = (item: JsonObject): ReadonlyArray<Part> => {
  const problems: Array<Problem> = []
  const parts = contentAsParts(item, item.content, "content", problems)
  return problems.length > 0 || (parts.length === 0 && item.role !== "assistant") ? [opaqueItem(item)] : parts
}

/** One item of an answer as parts. */
export const outputParts = (item: JsonObject): ReadonlyArray<Part> => {
  switch (item.type) {
    case "message": {
      // Compaction gives back what the user said.
      if (item.role !== undefined && item.role !== "assistant") return [opaqueItem(item)]
      const parts = messageParts(item)
      return parts.length === 0 ? [{ type: "text", text: "", extra: keep(item) }] : parts
    }
    case "function_call":
    case "custom_tool_call":
      return [callItem(item)]
    case "reasoning":
      return reasoningItem(item)
    default:
      return [opaqueItem(item)]
  }
}

/** Probabilities as chat has them. */
const logprobsIn = (items: ReadonlyArray<unknown>): JsonObject | undefined => {
  const content: Array<unknown> = []
  for (const item of items) {
    if (!isJsonObject(item) || item.type !== "message") continue
    for (const piece of arrayOf(item.content)) if (isJsonObject(piece)) content.push(...arrayOf(piece.logprobs))
  }
  return content.length === 0 ? undefined : { content }
}

const isAnswer = (body: JsonObject): boolean =>
  Array.isArray(body.output) ||
  ((body.object === "response" || body.object === "response.compaction") && typeof body.status === "string")

/** Reads a whole answer. */
export const readAnswer = (body: JsonObject): Either.Either<Answer, string> => {
  if (!isAnswer(body)) return Either.left("expected a response with a list of output items")
  const items = arrayOf(body.output)
  const parts: Array<Part> = []
  for (const item of items) if (isJsonObject(item)) parts.push(...outputParts(item))
  const reason = reasonOf(body)
  const logprobs = logprobsIn(items)
  const usage = readTokens(body.usage)
  const id = asText(body.id)
  const model = asText(body.model)
  const created = asNumber(body.created_at)
  const serviceTier = asText(body.service_tier)
  const extra = others(body, known)
  return Either.right({
    ...(id === undefined ? {} : { id }),
    ...(model === undefined ? {} : { model }),
    ...(created === undefined ? {} : { created }),
    choices: [
      {
        parts,
        finish: finishOf(body, waitsIn(parts), refusesIn(parts)),
        ...(reason === undefined ? {} : { reason }),
        ...(logprobs === undefined ? {} : { logprobs })
      }
    ],
    ...(usage === undefined ? {} : { usage }),
    ...(serviceTier === undefined ? {} : { serviceTier }),
    ...(extra === undefined ? {} : { extra })
  })
}
