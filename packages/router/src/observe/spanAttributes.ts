import type { Attempt } from "@switchyard/core/Attempt"
import type { Deployment } from "@switchyard/core/Deployment"
import { arrayOf, isJsonObject } from "@switchyard/core/Json"
import type { LlmError } from "@switchyard/core/LlmError"
import type { LlmRequest, Operation } from "@switchyard/core/LlmRequest"
import type { LlmResponse } from "@switchyard/core/LlmResponse"
import type { Outcome } from "@switchyard/core/Outcome"
import type { Usage } from "@switchyard/core/Usage"
import { outcomeLabel } from "../events/outcomeLabel.js"

/** What a span can be told; undefined says nothing. */
export type Attributes = Readonly<Record<string, unknown>>

/** OpenTelemetry's names of the operations. */
const operations: Readonly<Record<Operation, string>> = {
  chat: "chat",
  completion: "text_completion",
  embeddings: "embeddings"
}

const maxText = 200

/** Names may come from callers, who may make them long. */
export const short = (text: string): string => (text.length > maxText ? `${text.slice(0, maxText)}…` : text)

const shortOrNone = (value: unknown): string | undefined =>
  typeof value === "string" && value !== "" ? short(value) : undefined

const numberOrNone = (value: unknown): number | undefined =>
  typeof value === "number" && Number.isFinite(value) ? value : undefined

/** The span's name: the operation and the model. */
export const spanName = ({ operation }: LlmRequest, model: string): string => `${operations[operation]} ${short(model)}`

/** What is known when a request or an attempt begins. */
export const asked = ({ body, operation, stream }: LlmRequest, model: string): Attributes => ({
  "gen_ai.operation.name": operations[operation],
  "gen_ai.request.model": short(model),
  "gen_ai.request.temperature": numberOrNone(body.temperature),
  "gen_ai.request.top_p": numberOrNone(body.top_p),
  "gen_ai.request.max_tokens": numberOrNone(body.max_completion_tokens ?? body.max_tokens),
  "gen_ai.request.frequency_penalty": numberOrNone(body.frequency_penalty),
  "gen_ai.request.presence_penalty": numberOrNone(body.presence_penalty),
  "gen_ai.request.seed": numberOrNone(body.seed),
  "gen_ai.request.choice.count": body.n === 1 ? undefined : numberOrNone(body.n),
  "switchyard.stream": stream
})

interface Address {
  readonly host: string
  readonly port: number
}

const addresses = new WeakMap<Deployment, Address | null>()

/** The host alone: a base URL may hold a key in its user or its query. */
const addressOf = (deployment: Deployment): Address | undefined => {
  const known = addresses.get(deployment)
  if (known !== undefined) return known ?? undefined
  const { baseUrl } = deployment
  if (baseUrl === undefined || !URL.canParse(baseUrl)) {
    addresses.set(deployment, null)
    return undefined
  }
  const { hostname, port, protocol } = new URL(baseUrl)
  const address = { host: hostname, port: port === "" ? (protocol === "http:" ? 80 : 443) : Number(port) }
  addresses.set(deployment, address)
  return address
}

/** Where an attempt goes. */
export const target = ({ deployment, forced, group, number, provider, target: chosen }: Attempt): Attributes => {
  const address = addressOf(chosen)
  return {
    "gen_ai.provider.name": provider,
    "server.address": address?.host,
    "server.port": address?.port,
    "switchyard.group": group,
    "switchyard.deployment": deployment,
    "switchyard.attempt": number,
    "switchyard.forced": forced ? true : undefined
  }
}

const finishReasons = (choices: ReadonlyArray<unknown>): ReadonlyArray<string> | undefined => {
  const reasons = choices.flatMap((choice) =>
    isJsonObject(choice) && typeof choice.finish_reason === "string" ? [choice.finish_reason] : []
  )
  return reasons.length === 0 ? undefined : reasons
}

/** What an answer says about itself. */
export const answered = (response: LlmResponse): Attributes => {
  if (response._tag === "Complete") {
    const { choices, id, model } = response.body
    return {
      "gen_ai.response.id": shortOrNone(id),
      "gen_ai.response.model": shortOrNone(model),
      "gen_ai.response.finish_reasons": finishReasons(arrayOf(choices))
    }
  }
  const { finishReason, id, model } = response.events.facts
  return {
    "gen_ai.response.id": shortOrNone(id),
    "gen_ai.response.model": shortOrNone(model),
    "gen_ai.response.finish_reasons": finishReason === undefined ? undefined : [finishReason]
  }
}

/** What was used, and what it cost in USD. */
export const used = (usage: Usage | undefined, cost: number | undefined): Attributes => ({
  "gen_ai.usage.input_tokens": usage?.inputTokens,
  "gen_ai.usage.output_tokens": usage?.outputTokens,
  "gen_ai.usage.cache_read.input_tokens": usage?.cachedInputTokens || undefined,
  "switchyard.usage.estimated": usage?.estimated === true ? true : undefined,
  "switchyard.cost_usd": cost
})

const failure = ({ code, phase, reason, status }: LlmError): Attributes => ({
  "error.type": reason,
  "http.response.status_code": status,
  "switchyard.error.code": shortOrNone(code),
  "switchyard.error.phase": phase
})

/** How a request or an attempt ended. */
export const ended = (outcome: Outcome): Attributes => ({
  "switchyard.outcome": outcomeLabel[outcome._tag],
  ...(outcome._tag === "Failed" ? failure(outcome.error) : {})
})
