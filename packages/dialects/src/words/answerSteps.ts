import type { JsonObject } from "@switchyard/core/Json"
import type { Answer, AnswerEvent } from "../conversation/Answer.js"
import type { Part } from "../conversation/Conversation.js"
import type { Tell } from "../Translator.js"

const tellPart = (
  value: Part,
  choice: number,
  part: number,
  tell: Tell<AnswerEvent>,
  logprobs: JsonObject | undefined
): void => {
  const place = { choice, part }
  const sign = (): void => {
    if ((value.type === "text" || value.type === "reasoning") && value.signature !== undefined) {
      const isRedacted = value.type === "reasoning" && value.isRedacted === true ? { isRedacted: true } : {}
      tell({ type: "signature", signature: value.signature, ...isRedacted, ...place })
    }
  }
  switch (value.type) {
    case "text":
      tell({ type: "text", text: value.text, ...(logprobs === undefined ? {} : { logprobs }), ...place })
      for (const citation of value.citations ?? []) tell({ type: "citation", citation, ...place })
      return sign()
    case "reasoning":
      if (value.text !== "" || value.signature === undefined) {
        tell({
          type: "reasoning",
          text: value.text,
          ...(value.isSummary === true ? { isSummary: true } : {}),
          ...place
        })
      }
      return sign()
    case "refusal":
      return tell({ type: "refusal", text: value.text, ...place })
    case "toolCall": {
      const { arguments: text, extra, id, kind, name, namespace, signature } = value
      tell({
        type: "toolCall",
        id,
        kind,
        name,
        ...(namespace === undefined ? {} : { namespace }),
        ...(signature === undefined ? {} : { signature }),
        ...(extra === undefined ? {} : { extra }),
        ...place
      })
      if (text !== "") tell({ type: "arguments", text, ...place })
      return
    }
    default:
      tell({ type: "part", value, ...place })
  }
}

/** A whole answer as the steps of a stream that say the same. */
export const answerSteps = (answer: Answer, tell: Tell<AnswerEvent>): void => {
  const { choices, created, extra, id, model, usage } = answer
  tell({ type: "start", id, model, created, ...(extra === undefined ? {} : { extra }) })
  choices.forEach(({ logprobs, parts }, choice) => {
    // They are of all texts: the first one tells them.
    let untold = logprobs
    for (const [at, part] of parts.entries()) {
      tellPart(part, choice, at, tell, part.type === "text" ? untold : undefined)
      if (part.type === "text") untold = undefined
    }
  })
  choices.forEach(({ finish, reason, stopSequence }, choice) => {
    if (finish !== undefined) tell({ type: "finish", choice, finish, reason, stopSequence })
  })
  if (usage !== undefined) tell({ type: "usage", usage })
  tell({ type: "end" })
}
