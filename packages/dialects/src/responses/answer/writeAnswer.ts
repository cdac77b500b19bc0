import { arrayOf, isJsonObject, type JsonObject } from "@switchyard/core/Json"
import type { Answer } from "../../conversation/Answer.js"
import type { Part } from "../../conversation/Conversation.js"
import { lengthOf } from "../../parts/lengths.js"
import type { AnswerOptions } from "../../Translator.js"
import { statusFields } from "../finish.js"
import { modelItems } from "../request/writeItems.js"
import { guessed, tokensOver } from "../tokens.js"
import { answerCallId, asOffered, shapesOf } from "./calls.js"
import { echoOf, itemIds, responseId } from "./echo.js"

/** What the model did, as the items of a response. */
const outputItems = (
  parts: ReadonlyArray<Part>,
  id: string,
  options: AnswerOptions,
  isCut: boolean
): ReadonlyArray<JsonObject> => {
  const idOf = itemIds(id)
  const shapeOf = shapesOf(options.conversation.tools)
  const offered = parts.map((part) => (part.type === "toolCall" ? asOffered(part, shapeOf) : part))
  let place = 0
  return modelItems(offered, {
    fresh: (type) => ({
      id: idOf(type, place++),
      type,
      ...(type === "reasoning" ? {} : { status: isCut ? "incomplete" : "completed" })
    }),
    callId: (part, at) => answerCallId(part, `call_${id.slice(-24)}_${at}`),
    seals: true,
    isBare: false
  })
}

/** The items with the probabilities of the words, which the first text tells. */
const withLogprobs = (
  items: ReadonlyArray<JsonObject>,
  logprobs: JsonObject | undefined
): ReadonlyArray<JsonObject> => {
  const chosen = arrayOf(logprobs?.content)
  let isUntold = chosen.length > 0
  const told = (piece: unknown): unknown => {
    if (!isUntold || !isJsonObject(piece) || piece.type !== "output_text") return piece
    isUntold = false
    return { ...piece, logprobs: chosen }
  }
  return isUntold
    ? items.map((item) => (item.type === "message" ? { ...item, content: arrayOf(item.content).map(told) } : item))
    : items
}

/** Writes a whole answer. */
export const writeAnswer = (answer: Answer, options: AnswerOptions): JsonObject => {
  const { created, extra, model, serviceTier, usage } = answer
  const choice = answer.choices[0]
  const isOwn = extra !== undefined
  const id = isOwn && answer.id !== undefined ? answer.id : responseId(answer.id, options)
  const status = statusFields(choice?.finish, choice?.reason)
  const base: JsonObject = isOwn
    ? { ...(answer.id === undefined ? {} : { id }), ...extra }
    : { id, object: "response", ...echoOf(options.conversation), ...status }
  const items = outputItems(choice?.parts ?? [], id, options, status.status === "incomplete" && !isOwn)
  const told = usage === undefined ? guessed(options, lengthOf(choice?.parts ?? [])) : tokensOver(extra?.usage, usage)
  return {
    ...base,
    ...(isOwn && created === undefined ? {} : { created_at: created ?? options.created }),
    ...(isOwn && model === undefined ? {} : { model: model ?? options.conversation.model }),
    output: isOwn ? items : withLogprobs(items, choice?.logprobs),
    ...(serviceTier !== undefined ? { service_tier: serviceTier } : isOwn ? {} : { service_tier: "default" }),
    ...(told === undefined ? (isOwn ? {} : { usage: null }) : { usage: told })
  }
}
