import type { Finish } from "../conversation/Answer.js"

/** Why an answer ended, in the words that the tower goes by: OpenAI's, where OpenAI has one. */
export const finishWords: Readonly<Record<Finish, string>> = {
  stop: "stop",
  length: "length",
  toolCalls: "tool_calls",
  filter: "content_filter",
  refusal: "content_filter",
  pause: "pause",
  context: "length",
  malformedCall: "malformed_call",
  error: "error"
}
