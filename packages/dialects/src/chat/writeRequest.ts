import type { JsonObject } from "@switchyard/core/Json"
import { Either } from "effect"
import type { Conversation, Format, Settings } from "../conversation/Conversation.js"
import { Account, type Problem } from "../conversation/Problem.js"
import { asEffort, nearestEffort } from "../parts/reasoningLevels.js"
import type { WriteOptions, Written } from "../Translator.js"
import { writeChoice, writeTool } from "./tools.js"
import { writeMessages } from "./writeMessages.js"

const formatOf = (format: Format): JsonObject => {
  if (format.type === "text") return { type: "text" }
  if (format.type === "json") return { type: "json_object" }
  const { description, name, schema, strict } = format
  return {
    type: "json_schema",
    json_schema: {
      name: name ?? "answer",
      ...(description === undefined ? {} : { description }),
      schema,
      ...(strict === undefined ? {} : { strict })
    }
  }
}

/** Words that most who speak chat know, and those that OpenAI's newest models know. */
const commonEfforts = ["none", "minimal", "low", "medium", "high"]

const effortOf = (reasoning: Settings["reasoning"], conversation: Conversation): string | undefined => {
  if (reasoning === undefined) return undefined
  const { origin } = conversation
  if (origin === "chat") return reasoning.effort
  // What does not think without being asked must not be told so: most refuse the word.
  if (reasoning.effort === undefined && reasoning.mode === "off") return undefined
  const effort = asEffort(reasoning)
  if (effort === undefined || origin === "responses") return effort
  return nearestEffort(effort, commonEfforts)
}

/** The longest that OpenAI takes. */
const longestUser = 64

const set = (body: Record<string, unknown>, name: string, value: unknown): void => {
  if (value !== undefined) body[name] = value
}

const settle = (body: Record<string, unknown>, conversation: Conversation, account: Account): void => {
  const { origin, settings } = conversation
  const isOwn = origin === "chat"
  set(body, "max_tokens", settings.maxOutput)
  set(body, "temperature", settings.temperature)
  set(body, "top_p", settings.topP)
  set(body, "top_k", settings.topK)
  set(body, "stop", settings.stop)
  set(body, "seed", settings.seed)
  set(body, "presence_penalty", settings.presencePenalty)
  set(body, "frequency_penalty", settings.frequencyPenalty)
  set(body, "n", settings.choices)
  if (settings.logprobs !== undefined) {
    body.logprobs = true
    if (settings.logprobs !== true) body.top_logprobs = settings.logprobs
  }
  set(body, "parallel_tool_calls", isOwn || conversation.tools.length > 0 ? settings.parallelTools : undefined)
  set(body, "response_format", settings.format === undefined ? undefined : formatOf(settings.format))
  set(body, "reasoning_effort", effortOf(settings.reasoning, conversation))
  set(body, "verbosity", settings.verbosity)
  set(body, "modalities", settings.modalities)
  for (const [name, value] of [
    ["user", settings.user],
    ["prompt_cache_key", settings.cacheKey]
  ] as const) {
    if (value === undefined) continue
    if (isOwn || value.length <= longestUser) body[name] = value
    else account.drop(name, "advisory")
  }
  for (const [name, value] of [
    ["service_tier", settings.serviceTier],
    ["metadata", settings.metadata]
  ] as const) {
    if (value === undefined) continue
    // OpenAI takes metadata only for what it stores; tiers have other names elsewhere.
    if (isOwn || (name === "service_tier" && origin === "responses")) body[name] = value
    else account.drop(name, "advisory")
  }
}

/** A conversation as a chat request; the bound of the output is called `max_tokens`, whatever the model wants it called. */
export const writeRequest = (
  conversation: Conversation,
  options: WriteOptions
): Either.Either<Written, ReadonlyArray<Problem>> => {
  const account = new Account(options.dropsMeaning)
  const { extra, origin, spelt, stream, toolChoice, tools } = conversation
  const isOwn = origin === "chat"
  const body: Record<string, unknown> = {
    model: options.model,
    messages: writeMessages(conversation, account, options)
  }
  if (tools.length > 0) body.tools = tools.map((tool) => writeTool(tool, isOwn))
  if (toolChoice !== undefined && (isOwn || tools.length > 0)) body.tool_choice = writeChoice(toolChoice, tools, isOwn)
  settle(body, conversation, account)
  if (stream || isOwn) body.stream = stream
  if (stream && !isOwn) body.stream_options = { include_usage: true }
  if (isOwn) {
    Object.assign(body, extra, spelt)
    for (const name in spelt) if (spelt[name] === undefined) delete body[name]
  }
  return account.problems.length > 0 ? Either.left(account.problems) : Either.right({ body, dropped: account.dropped })
}
