/**
 * Why an answer ended, in the words of OpenAI and of those who speak its dialect.
 */
import type { Finish } from "../conversation/Answer.js"

const read: Readonly<Record<string, Finish>> = {
  stop: "stop",
  eos: "stop",
  eos_token: "stop",
  end_turn: "stop",
  complete: "stop",
  completed: "stop",
  stop_sequence: "stop",
  length: "length",
  max_tokens: "length",
  max_output_tokens: "length",
  model_length: "length",
  tool_calls: "toolCalls",
  tool_call: "toolCalls",
  tool_use: "toolCalls",
  function_call: "toolCalls",
  content_filter: "filter",
  content_filtered: "filter",
  safety: "filter",
  sensitive: "filter",
  recitation: "filter",
  refusal: "refusal",
  pause_turn: "pause",
  model_context_window_exceeded: "context",
  malformed_function_call: "malformedCall",
  error: "error",
  network_error: "error",
  server_error: "error",
  abort: "error",
  aborted: "error",
  cancelled: "error",
  insufficient_system_resource: "error"
}

/** The meaning of a reason; one that nobody knows is a plain stop. */
export const readFinish = (reason: string): Finish => {
  const known = reason.toLowerCase()
  return Object.hasOwn(read, known) ? (read[known] ?? "stop") : "stop"
}

/** What calls tools waits for them, whatever it says: many write `stop`, as OpenAI where a tool is forced. */
export const finishWith = (reason: string, hasCalls: boolean): Finish => {
  const finish = readFinish(reason)
  return finish === "stop" && hasCalls ? "toolCalls" : finish
}

const written: { readonly [finish in Finish]: string } = {
  stop: "stop",
  length: "length",
  toolCalls: "tool_calls",
  filter: "content_filter",
  refusal: "content_filter",
  pause: "stop",
  context: "length",
  malformedCall: "error",
  error: "error"
}

/** The reason in OpenAI's words; `error` where it is no good end, which those who route by it take for a failure. */
export const writeFinish = (finish: Finish): string => written[finish]
