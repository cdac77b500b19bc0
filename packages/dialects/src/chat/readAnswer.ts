import { choiceIndex } from "@switchyard/core/ChatChunk"
import { arrayOf, isJsonObject, type JsonObject } from "@switchyard/core/Json"
import { Either } from "effect"
import type { Answer, Choice } from "../conversation/Answer.js"
import type { Part } from "../conversation/Conversation.js"
import { sourceOf } from "../parts/dataUrls.js"
import { asNumber, asObject, asString, asText, others } from "../parts/values.js"
import { finishWith } from "./finish.js"
import { readAssistant } from "./readMessages.js"
import { readContent } from "./readParts.js"
import { tokensIn } from "./usage.js"

const ofAnswer: ReadonlySet<string> = new Set(["id", "object", "created", "model", "choices", "usage", "service_tier"])

/** Pictures that a model drew, as OpenRouter and LiteLLM have them. */
export const readImages = (images: unknown): ReadonlyArray<Part> =>
  arrayOf(images).flatMap((image): ReadonlyArray<Part> => {
    const url = isJsonObject(image) ? asText(asObject(image.image_url)?.url) : undefined
    return url === undefined ? [] : [{ type: "image", source: sourceOf(url) }]
  })

const readChoice = (choice: unknown): Choice | undefined => {
  if (!isJsonObject(choice)) return undefined
  const message = asObject(choice.message) ?? asObject(choice.delta)
  const content = readContent(message === undefined ? choice.text : message.content) ?? []
  const said = content.filter((part) => part.type !== "text" || part.text !== "")
  const parts = message === undefined ? said : [...readAssistant(message, said), ...readImages(message.images)]
  const reason = asText(choice.finish_reason)
  const hasCalls = parts.some(({ type }) => type === "toolCall")
  return {
    parts,
    finish: reason === undefined ? undefined : finishWith(reason, hasCalls),
    reason,
    stopSequence: asText(choice.stop_reason),
    logprobs: asObject(choice.logprobs)
  }
}

/** Reads a whole answer. */
export const readAnswer = (body: JsonObject): Either.Either<Answer, string> => {
  if (!Array.isArray(body.choices)) return Either.left("expected a list of choices")
  const choices = [...body.choices]
    .sort((a, b) => (isJsonObject(a) ? choiceIndex(a) : 0) - (isJsonObject(b) ? choiceIndex(b) : 0))
    .flatMap((choice) => readChoice(choice) ?? [])
  return Either.right({
    id: asText(body.id),
    model: asText(body.model),
    created: asNumber(body.created),
    choices,
    usage: tokensIn(body),
    serviceTier: asString(body.service_tier),
    extra: others(body, ofAnswer)
  })
}
