/**
 * What the tower reads of Anthropic's answers, beyond what their translator knows: state that they issue outside of their text.
 */
import type { AnswerWords, EventReader } from "@switchyard/core/Dialect"
import { arrayOf, isJsonObject, type JsonObject } from "@switchyard/core/Json"
import { asText } from "../parts/values.js"
import type { Translator } from "../Translator.js"
import { ofTranslator } from "../words/AnswerWords.js"

const containerIn = ({ container }: JsonObject): ReadonlyArray<string> => {
  const id = isJsonObject(container) ? asText(container.id) : undefined
  return id === undefined ? [] : [id]
}

/** Files that a server tool wrote: their ids stand in its result. */
const filesIn = (block: unknown): ReadonlyArray<string> => {
  if (!isJsonObject(block) || !isJsonObject(block.content)) return []
  return arrayOf(block.content.content).flatMap((file) => {
    const id = isJsonObject(file) ? asText(file.file_id) : undefined
    return id === undefined ? [] : [id]
  })
}

const stateIn = (json: JsonObject): ReadonlyArray<string> => {
  switch (json.type) {
    case "message_start":
      return isJsonObject(json.message) ? containerIn(json.message) : []
    case "message_delta":
      return isJsonObject(json.delta) ? containerIn(json.delta) : []
    case "content_block_start":
      return filesIn(json.content_block)
    default:
      return []
  }
}

const textIn = ({ content_block: block, delta, type }: JsonObject): string => {
  if (type === "content_block_delta") {
    return isJsonObject(delta) && delta.type === "text_delta" && typeof delta.text === "string" ? delta.text : ""
  }
  return type === "content_block_start" &&
    isJsonObject(block) &&
    block.type === "text" &&
    typeof block.text === "string"
    ? block.text
    : ""
}

const withState = (reader: EventReader): EventReader => ({
  read: (event, facts) => {
    reader.read(event, facts)
    for (const id of stateIn(event.json)) facts.issue(id)
  },
  text: (event) => reader.text(event)
})

/** The words of answers. */
export const answerOf = (translator: Translator): AnswerWords => {
  const words = ofTranslator(translator, { text: textIn, eventName: ({ type }) => asText(type) })
  return {
    ...words,
    issued: (body) => [...words.issued(body), ...containerIn(body), ...arrayOf(body.content).flatMap(filesIn)],
    reader: () => withState(words.reader())
  }
}
