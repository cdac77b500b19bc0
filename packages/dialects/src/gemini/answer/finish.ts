/**
 * Why an answer ended, in both directions.
 */
import type { Finish } from "../../conversation/Answer.js"

const finishes: Readonly<Record<string, Finish>> = {
  STOP: "stop",
  FINISH_REASON_UNSPECIFIED: "stop",
  MAX_TOKENS: "length",
  SAFETY: "filter",
  RECITATION: "filter",
  LANGUAGE: "filter",
  BLOCKLIST: "filter",
  PROHIBITED_CONTENT: "filter",
  SPII: "filter",
  MODEL_ARMOR: "filter",
  JAILBREAK: "filter",
  IMAGE_SAFETY: "filter",
  IMAGE_PROHIBITED_CONTENT: "filter",
  IMAGE_RECITATION: "filter",
  MALFORMED_FUNCTION_CALL: "malformedCall",
  UNEXPECTED_TOOL_CALL: "malformedCall",
  CONTINUATION: "pause",
  OTHER: "error",
  IMAGE_OTHER: "error",
  NO_IMAGE: "error",
  TOO_MANY_TOOL_CALLS: "error",
  MALFORMED_RESPONSE: "error",
  MISSING_THOUGHT_SIGNATURE: "error"
}

const unexpected = "UNEXPECTED_TOOL_CALL"

const reasons: Readonly<Record<Finish, string>> = {
  stop: "STOP",
  toolCalls: "STOP",
  length: "MAX_TOKENS",
  context: "MAX_TOKENS",
  filter: "SAFETY",
  refusal: "SAFETY",
  pause: "CONTINUATION",
  malformedCall: "MALFORMED_FUNCTION_CALL",
  error: "OTHER"
}

/** What a reason means; one that is unknown ended the answer well. */
export const readFinish = (reason: string): Finish =>
  (Object.hasOwn(finishes, reason) ? finishes[reason] : undefined) ?? "stop"

/** The nearest reason. */
export const writeFinish = (finish: Finish): string => reasons[finish]

/** Gemini says of a turn of calls that it stopped, and of a call of what was not offered that it is unexpected: callers know their tools. */
export const finishOf = (reason: string, hasCalls: boolean): Finish => {
  const finish = readFinish(reason)
  return hasCalls && (finish === "stop" || reason === unexpected) ? "toolCalls" : finish
}

/** The reason in Gemini's own words where it was hers, else the nearest. */
export const reasonFor = (finish: Finish, reason: string | undefined): string => {
  if (reason === undefined || !Object.hasOwn(finishes, reason)) return writeFinish(finish)
  const read = finishes[reason]
  return read === finish || finishOf(reason, true) === finish ? reason : writeFinish(finish)
}
