/**
 * A whole answer of Gemini's.
 */
import { isJsonObject, type JsonObject } from "@switchyard/core/Json"
import { Either } from "effect"
import type { Answer, Choice } from "../../conversation/Answer.js"
import type { Citation, Part } from "../../conversation/Conversation.js"
import { toolId, wordIds } from "../../parts/toolIds.js"
import { asText, isGiven, others } from "../../parts/values.js"
import { readPart } from "../parts/readParts.js"
import { field, given, known, objectsOf } from "../parts/spelling.js"
import { finishOf } from "./finish.js"
import { citationsIn, readLogprobs } from "./grounding.js"
import { readTokens } from "./tokens.js"

const answerFields = known("candidates", "usageMetadata", "modelVersion", "responseId")
const candidateFields = known("content", "finishReason")
const contentFields = known("parts")

/** The id of a call that has none: the same whoever reads the answer, and no other answer's. */
export const callId = (responseId: string | undefined, name: string, number: number): string =>
  toolId(responseId === undefined ? `${name} ${number}` : `call_${responseId}_${number}`, wordIds)

/** Why the prompt was blocked; undefined when it was not. */
export const blockReason = (body: JsonObject): string | undefined => {
  const feedback = field(body, "promptFeedback")
  return isJsonObject(feedback) ? asText(field(feedback, "blockReason")) : undefined
}

/** The same, with what the provider says of it. */
export const blockMessage = (body: JsonObject): string | undefined => {
  const reason = blockReason(body)
  if (reason === undefined || objectsOf(body.candidates).length > 0) return undefined
  const feedback = field(body, "promptFeedback")
  const said = isJsonObject(feedback) ? asText(field(feedback, "blockReasonMessage")) : undefined
  return said === undefined ? reason : `${reason}: ${said}`
}

/** Seconds since 1970. */
export const createdAt = (body: JsonObject): number | undefined => {
  const said = asText(field(body, "createTime"))
  const at = said === undefined ? Number.NaN : Date.parse(said)
  return Number.isNaN(at) ? undefined : Math.floor(at / 1000)
}

const withCitations = (parts: Array<Part>, candidate: JsonObject): void => {
  if (field(candidate, "groundingMetadata") === undefined && field(candidate, "citationMetadata") === undefined) return
  const texts = parts.flatMap((part, at) => (part.type === "text" ? [{ part: at, text: part.text }] : []))
  const byPart = new Map<number, Array<Citation>>()
  for (const { citation, part } of citationsIn(candidate, texts)) {
    const known = byPart.get(part)
    if (known === undefined) byPart.set(part, [citation])
    else known.push(citation)
  }
  for (const [at, citations] of byPart) {
    const part = parts[at]
    if (part?.type === "text") parts[at] = { ...part, citations }
  }
}

const choiceOf = (candidate: JsonObject, id: string | undefined): Choice => {
  const content = candidate.content
  const parts: Array<Part> = []
  let calls = 0
  for (const raw of isJsonObject(content) ? objectsOf(content.parts) : []) {
    const part = readPart(raw)
    const isNameless = part.type === "toolCall" && part.id === undefined
    parts.push(isNameless ? { ...part, id: callId(id, part.name, calls) } : part)
    if (part.type === "toolCall") calls++
  }
  withCitations(parts, candidate)
  const reason = asText(field(candidate, "finishReason"))
  return {
    parts,
    finish: reason === undefined ? undefined : finishOf(reason, calls > 0),
    ...given("reason", reason),
    ...given("logprobs", readLogprobs(field(candidate, "logprobsResult")))
  }
}

/** What of a candidate has no place in a choice. */
const restOf = (candidate: JsonObject): JsonObject => ({
  ...others(candidate, candidateFields),
  ...(isJsonObject(candidate.content) ? { content: others(candidate.content, contentFields) ?? {} } : {})
})

/** The answer; what Gemini alone says of it stands in `extra.gemini`. */
export const readAnswer = (body: JsonObject): Either.Either<Answer, string> => {
  const candidates = objectsOf(body.candidates)
  const reason = blockReason(body)
  const usage = field(body, "usageMetadata")
  if (candidates.length === 0 && reason === undefined) return Either.left("no candidates in the answer")
  const id = asText(field(body, "responseId"))
  const blocked: Choice = { parts: [], finish: "filter", ...given("reason", reason) }
  return Either.right({
    ...given("id", id),
    ...given("model", asText(field(body, "modelVersion"))),
    ...given("created", createdAt(body)),
    choices: candidates.length === 0 ? [blocked] : candidates.map((candidate) => choiceOf(candidate, id)),
    ...given("usage", readTokens(usage)),
    extra: {
      gemini: {
        ...others(body, answerFields),
        ...(isGiven(usage) ? { usageMetadata: usage } : {}),
        candidates: candidates.map(restOf)
      }
    }
  })
}
