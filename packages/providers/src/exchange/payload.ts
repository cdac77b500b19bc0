/**
 * The request body that goes out, and what an answer's body says.
 */
import type { Attempt } from "@switchyard/core/Attempt"
import { stringify } from "@switchyard/core/ExactJson"
import { arrayOf, isJsonObject, type JsonObject } from "@switchyard/core/Json"
import { estimateInputTokens, type LlmRequest } from "@switchyard/core/LlmRequest"
import { estimate, inBody, type Usage } from "@switchyard/core/Usage"
import type { Parameters } from "./parameters.js"

const wantsNoOptions = ({ request, target }: Attempt): boolean =>
  !target.streamUsage || request.overrides.additionalDropParams?.includes("stream_options") === true

/**
 * The body as JSON: the deployment's defaults below the caller's own fields, in the model's words, the provider's model name,
 * and usage asked for in every stream, because budgets and limits need it; unless the provider is known to refuse that.
 */
export const encode = (attempt: Attempt, parameters: Parameters, asksForUsage = true): string | Uint8Array => {
  const { model, request } = attempt
  const body = parameters.bodyOf(request)
  body.model = model
  if (request.stream) {
    body.stream = true
    if (wantsNoOptions(attempt)) body.stream_options = undefined
    else if (asksForUsage) {
      body.stream_options = isJsonObject(body.stream_options)
        ? { ...body.stream_options, include_usage: true }
        : { include_usage: true }
    }
  } else {
    body.stream = request.operation === "embeddings" ? undefined : false
    body.stream_options = undefined
  }
  return request.exact === undefined ? JSON.stringify(body) : stringify(body, request.exact)
}

/** Whether `encode` asks for usage where nobody else has: then the request can be sent without that, too. */
export const addsUsage = (attempt: Attempt): boolean => {
  const { request, target } = attempt
  if (!request.stream || wantsNoOptions(attempt)) return false
  const given = request.body.stream_options ?? target.defaults.stream_options
  return !isJsonObject(given) || given.include_usage !== true
}

/** Statuses with which providers refuse a field: some let it pass their checks and fail on it, some say so in a 200. */
const refusing: ReadonlySet<number> = new Set([200, 400, 422, 500, 501])
/** Characters of a refusal that are read. */
const maxRefusal = 16_384
const usageField = /stream[\s_.-]*options?\b|include[\s_.-]*usage/i

/** Whether an answer refuses to be asked for usage. It may only quote the request: see what it says without. */
export const refusesUsage = (status: number, body: string): boolean =>
  refusing.has(status) && usageField.test(body.slice(0, maxRefusal))

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

/** What an answer used: as its body says, or else estimated at four characters a token. */
export const usageOf = (request: LlmRequest, body: JsonObject): Usage => {
  const usage = inBody(body)
  if (usage !== undefined) return usage
  let characters = 0
  for (const choice of arrayOf(body.choices)) characters += choiceCharacters(choice)
  return estimate(estimateInputTokens(request), Math.ceil(characters / 4))
}
