import { arrayOf, isJsonObject, type JsonObject } from "../json/Json.js"
import { inBody } from "../outcome/Usage.js"
import { errorOf, failureOf } from "./AnswerFailure.js"
import * as AnswerView from "./AnswerView.js"
import { addedFinish } from "./addedFinish.js"
import {
  completionText,
  fromCompletion,
  type StreamEvent,
  type StreamFacts,
  signatures,
  textOfEvent
} from "./ChatChunk.js"
import { ChunkFold } from "./ChunkFold.js"
import { cannedAnswer, cannedChunks } from "./cannedAnswer.js"
import { DeliveredChat } from "./continuation.js"
import type { AnswerIdentity, AnswerWords, EventFold, EventReader, Turn } from "./Dialect.js"
import { turnOf } from "./openAiRequest.js"
import { WrittenChunk } from "./WrittenChunk.js"

const length = (value: unknown): number => (typeof value === "string" ? value.length : 0)

const choiceCharacters = (choice: unknown): number => {
  if (!isJsonObject(choice)) return 0
  const { message } = choice
  if (!isJsonObject(message)) return length(choice.text)
  let sum = length(message.content) + length(message.reasoning_content) + length(message.refusal)
  for (const call of arrayOf(message.tool_calls)) {
    if (isJsonObject(call) && isJsonObject(call.function)) {
      sum += length(call.function.name) + length(call.function.arguments)
    }
  }
  return sum
}

const characters = (body: JsonObject): number => {
  let sum = 0
  for (const choice of arrayOf(body.choices)) sum += choiceCharacters(choice)
  return sum
}

const identity = ({ choices, id, model }: JsonObject): AnswerIdentity => ({
  id,
  model,
  finishReasons: arrayOf(choices).flatMap((choice) =>
    isJsonObject(choice) && typeof choice.finish_reason === "string" ? [choice.finish_reason] : []
  )
})

const turn = (body: JsonObject): Turn | undefined => {
  const first = arrayOf(body.choices)[0]
  if (!isJsonObject(first)) return undefined
  const message = isJsonObject(first.message) ? first.message : { content: completionText(body) }
  return { role: "assistant", parts: turnOf(message).parts }
}

const issued = (body: JsonObject): ReadonlyArray<string> => {
  const found: Array<string> = typeof body.id === "string" ? [body.id] : []
  for (const choice of arrayOf(body.choices)) {
    if (isJsonObject(choice) && isJsonObject(choice.message)) found.push(...signatures(choice.message))
  }
  return found
}

const isFiltered = (body: JsonObject): boolean => {
  const choices = arrayOf(body.choices)
  return (
    choices.length > 0 && choices.every((choice) => isJsonObject(choice) && choice.finish_reason === "content_filter")
  )
}

const reader: EventReader = {
  read: (event: StreamEvent, facts: StreamFacts) => facts.take(event),
  text: textOfEvent
}

const fold = (): EventFold => {
  const chunks = new ChunkFold()
  return { add: ({ json }) => chunks.add(json), answer: () => chunks.answer(true) }
}

const asEvent = (json: JsonObject): StreamEvent => ({ data: JSON.stringify(json), json })

/** What the tower reads of OpenAI's answers and chunks. */
export const answer: AnswerWords = {
  failure: failureOf,
  usage: inBody,
  characters,
  view: AnswerView.ofBody,
  identity,
  turn,
  issued,
  isFiltered,
  error: (event) => (event instanceof WrittenChunk ? undefined : errorOf(event.json)),
  reader: () => reader,
  fold,
  events: (body) => [asEvent(fromCompletion(body))],
  addedFinish: (last, facts) => [addedFinish(last, facts)],
  delivered: () => new DeliveredChat(),
  canned: cannedAnswer,
  cannedEvents: (asked, said, stamp) => cannedChunks(asked, said, stamp).map(asEvent)
}
