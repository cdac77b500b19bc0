import type { JsonObject } from "@switchyard/core/Json"
import type { Finish } from "../conversation/Answer.js"
import type { Part } from "../conversation/Conversation.js"
import { asObject, asText } from "../parts/values.js"

/** Reasons in `incomplete_details`, and statuses. */
const finishes: Readonly<Record<string, Finish>> = {
  completed: "stop",
  max_output_tokens: "length",
  max_tokens: "length",
  content_filter: "filter",
  context_length_exceeded: "context",
  max_tool_calls: "pause",
  queued: "pause",
  in_progress: "pause",
  failed: "error",
  cancelled: "error",
  incomplete: "length"
}

/** Why an answer ended, by the reason that it was incomplete or by its status. */
export const readFinish = (reason: string): Finish => finishes[reason] ?? "stop"

/** The reason, or else the status, that stands for it. */
export const writeFinish = (finish: Finish): string => {
  switch (finish) {
    case "length":
    case "context":
      return "max_output_tokens"
    case "filter":
      return "content_filter"
    case "error":
    case "malformedCall":
      return "failed"
    default:
      return "completed"
  }
}

/** The reason as a response says it: that it is incomplete, or its status. */
export const reasonOf = (response: JsonObject): string | undefined =>
  asText(asObject(response.incomplete_details)?.reason) ?? asText(response.status)

/** Why a response ended; `waits` when it holds calls that the caller has to make. */
export const finishOf = (response: JsonObject, waits: boolean, refuses: boolean): Finish | undefined => {
  const reason = reasonOf(response)
  if (reason === undefined) return waits ? "toolCalls" : undefined
  const finish = readFinish(reason)
  if (finish !== "stop") return finish
  return waits ? "toolCalls" : refuses ? "refusal" : "stop"
}

/** Whether parts wait for tools of the caller. */
export const waitsIn = (parts: ReadonlyArray<Part>): boolean => parts.some(({ type }) => type === "toolCall")

/** Whether the model would not. */
export const refusesIn = (parts: ReadonlyArray<Part>): boolean => parts.some(({ type }) => type === "refusal")

/** Status, and what is said beside it, of an answer that ended so. */
export const statusFields = (finish: Finish | undefined, reason: string | undefined): JsonObject => {
  const word = finish === undefined ? "completed" : writeFinish(finish)
  if (word === "failed") {
    const message =
      finish === "malformedCall"
        ? "The model wrote a call that is none."
        : `The model broke off (${reason ?? "error"}).`
    return { status: "failed", error: { code: "server_error", message }, incomplete_details: null }
  }
  return word === "completed"
    ? { status: word, error: null, incomplete_details: null }
    : { status: "incomplete", error: null, incomplete_details: { reason: word } }
}
