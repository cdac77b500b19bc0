/**
 * How much was said, in characters: what tokens are estimated by where nobody tells them.
 */
import type { AnswerEvent } from "../conversation/Answer.js"
import type { Part } from "../conversation/Conversation.js"

/** Characters of what a model said, thought and called. */
export const lengthOf = (parts: ReadonlyArray<Part>): number => {
  let sum = 0
  for (const part of parts) {
    if (part.type === "text" || part.type === "reasoning" || part.type === "refusal") sum += part.text.length
    else if (part.type === "toolCall") sum += part.name.length + part.arguments.length
  }
  return sum
}

/** Characters that a step of a stream adds. */
export const lengthOfStep = (step: AnswerEvent): number => {
  switch (step.type) {
    case "text":
    case "reasoning":
    case "refusal":
    case "arguments":
      return step.text.length
    case "toolCall":
      return step.name.length
    default:
      return 0
  }
}
