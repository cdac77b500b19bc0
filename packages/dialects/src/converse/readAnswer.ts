import { arrayOf, isJsonObject, type JsonObject } from "@switchyard/core/Json"
import { Either } from "effect"
import type { Answer, Finish, SaidError } from "../conversation/Answer.js"
import type { Citation, Part } from "../conversation/Conversation.js"
import { count, type Tokens } from "../conversation/Tokens.js"
import { asNumber, asObject, asString, asText, isGiven } from "../parts/values.js"

const finishes: Readonly<Record<string, Finish>> = {
  end_turn: "stop",
  stop_sequence: "stop",
  tool_use: "toolCalls",
  max_tokens: "length",
  guardrail_intervened: "filter",
  content_filtered: "filter",
  malformed_model_output: "error",
  malformed_tool_use: "malformedCall",
  model_context_window_exceeded: "context"
}

/** The meaning of a reason; one that nobody knows is a plain stop. */
export const readFinish = (reason: string): Finish =>
  Object.hasOwn(finishes, reason) ? (finishes[reason] ?? "stop") : "stop"

const hourIn = (usage: JsonObject): number | undefined => {
  let hour: number | undefined
  for (const detail of arrayOf(usage.cacheDetails)) {
    if (isJsonObject(detail) && detail.ttl === "1h") hour = (hour ?? 0) + count(detail.inputTokens)
  }
  return hour
}

/** Bedrock counts the cache outside of the input, and says nothing of reasoning. */
export const readTokens = (usage: unknown): Tokens | undefined => {
  if (!isJsonObject(usage) || !(isGiven(usage.inputTokens) || isGiven(usage.outputTokens))) return undefined
  const hour = hourIn(usage)
  const written = count(usage.cacheWriteInputTokens ?? usage.cacheWriteInputTokenCount)
  return {
    uncached: count(usage.inputTokens),
    cacheRead: count(usage.cacheReadInputTokens ?? usage.cacheReadInputTokenCount),
    cacheWrite: Math.max(0, written - (hour ?? 0)),
    ...(hour === undefined ? {} : { cacheWriteHour: hour }),
    text: count(usage.outputTokens),
    reasoning: 0
  }
}

/** Statuses of the exceptions, which come inside a stream too. */
const statuses: Readonly<Record<string, number>> = {
  validationException: 400,
  accessDeniedException: 403,
  resourceNotFoundException: 404,
  modelTimeoutException: 408,
  modelErrorException: 424,
  throttlingException: 429,
  modelNotReadyException: 429,
  serviceQuotaExceededException: 429,
  internalServerException: 500,
  modelStreamErrorException: 500,
  serviceUnavailableException: 503
}

/** An exception as it says itself; its name may come with a namespace, and in capitals. */
export const exception = (name: string | undefined, said: JsonObject): SaidError => {
  const type = name?.slice(name.lastIndexOf("#") + 1).split(":")[0]
  const known = type === undefined ? "" : type.charAt(0).toLowerCase() + type.slice(1)
  return {
    message:
      asText(said.message) ?? asText(said.Message) ?? asText(said.originalMessage) ?? "Bedrock reported an error",
    type,
    status: Object.hasOwn(statuses, known) ? statuses[known] : asNumber(said.originalStatusCode)
  }
}

/** The error in a body or an event; undefined when it is none. */
export const readError = (body: JsonObject): SaidError | undefined => {
  for (const name in body) {
    const said = body[name]
    if (name.endsWith("Exception") && isJsonObject(said)) return exception(name, said)
  }
  if (isGiven(body.output) || isGiven(body.contentBlockIndex)) return undefined
  const isSaid = asText(body.message) !== undefined || asText(body.Message) !== undefined
  return isSaid ? exception(asText(body.__type), body) : undefined
}

/** A citation of Bedrock's. */
export const readCitation = (value: JsonObject): Citation => {
  const location = asObject(asObject(value.location)?.web)
  const cited = arrayOf(value.sourceContent)
    .map((one) => (isJsonObject(one) ? (asString(one.text) ?? "") : ""))
    .join("")
  return {
    dialect: "converse",
    url: asText(location?.url),
    title: asText(value.title),
    cited: cited === "" ? undefined : cited,
    value
  }
}

const reasoningOf = (said: JsonObject): Part => {
  const redacted = asText(said.redactedContent)
  if (redacted !== undefined) {
    return { type: "reasoning", text: "", isRedacted: true, signature: { dialect: "converse", value: redacted } }
  }
  const spoken = asObject(said.reasoningText)
  const value = asText(spoken?.signature)
  const signature = value === undefined ? undefined : ({ dialect: "converse", value } as const)
  return { type: "reasoning", text: asString(spoken?.text) ?? "", signature }
}

const partOf = (block: unknown): Part | undefined => {
  if (!isJsonObject(block)) return undefined
  if (typeof block.text === "string") return { type: "text", text: block.text }
  const call = asObject(block.toolUse)
  if (call !== undefined && call.type !== "server_tool_use") {
    return {
      type: "toolCall",
      id: asText(call.toolUseId),
      name: asString(call.name) ?? "",
      kind: "function",
      arguments: JSON.stringify(call.input ?? {})
    }
  }
  const thought = asObject(block.reasoningContent)
  if (thought !== undefined) return reasoningOf(thought)
  const cited = asObject(block.citationsContent)
  if (cited !== undefined) {
    const text = arrayOf(cited.content)
      .map((one) => (isJsonObject(one) ? (asString(one.text) ?? "") : ""))
      .join("")
    const citations = arrayOf(cited.citations).flatMap((one) => (isJsonObject(one) ? [readCitation(one)] : []))
    return { type: "text", text, citations }
  }
  const image = asObject(block.image)
  const data = asText(asObject(image?.source)?.bytes)
  if (data !== undefined) {
    const mime = `image/${asText(image?.format) ?? "png"}`
    return { type: "image", source: { kind: "bytes", mime, data } }
  }
  return { type: "opaque", dialect: "converse", value: block }
}

/** Reads a whole answer. */
export const readAnswer = (body: JsonObject): Either.Either<Answer, string> => {
  const message = asObject(asObject(body.output)?.message)
  if (message === undefined) return Either.left("expected output.message")
  const reason = asText(body.stopReason)
  const additional = asObject(body.additionalModelResponseFields)
  return Either.right({
    choices: [
      {
        parts: arrayOf(message.content).flatMap((block) => partOf(block) ?? []),
        finish: reason === undefined ? undefined : readFinish(reason),
        reason,
        stopSequence: asText(additional?.stop_sequence)
      }
    ],
    usage: readTokens(body.usage)
  })
}
