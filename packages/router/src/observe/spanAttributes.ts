import type { Attempt } from "@switchyard/core/Attempt"
import type { Deployment } from "@switchyard/core/Deployment"
import type { LlmError } from "@switchyard/core/LlmError"
import { type LlmRequest, type Operation, wordsOf } from "@switchyard/core/LlmRequest"
import type { LlmResponse } from "@switchyard/core/LlmResponse"
import { openAi } from "@switchyard/core/OpenAi"
import type { Outcome } from "@switchyard/core/Outcome"
import type { Usage } from "@switchyard/core/Usage"
import { outcomeLabel } from "../events/outcomeLabel.js"

/** What a span can be told; undefined says nothing. */
export type Attributes = Readonly<Record<string, unknown>>

/** OpenTelemetry's names of the operations, and for those that it has none for, their own. */
const operations: Readonly<Record<Operation, string>> = {
  chat: "chat",
  completion: "text_completion",
  embeddings: "embeddings",
  rerank: "rerank",
  moderation: "moderation",
  image: "generate_image",
  imageEdit: "edit_image",
  imageVariation: "vary_image",
  speech: "speech",
  transcription: "transcription",
  translation: "translation",
  object: "object"
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
export const asked = (request: LlmRequest, model: string): Attributes => {
  const { body, dialect, operation, stream } = request
  const said = wordsOf(request).settings(body)
  return {
    "gen_ai.operation.name": operations[operation],
    "gen_ai.request.model": short(model),
    "gen_ai.request.temperature": numberOrNone(said.temperature),
    "gen_ai.request.top_p": numberOrNone(said.topP),
    "gen_ai.request.max_tokens": numberOrNone(said.maxTokens),
    "gen_ai.request.frequency_penalty": numberOrNone(said.frequencyPenalty),
    "gen_ai.request.presence_penalty": numberOrNone(said.presencePenalty),
    "gen_ai.request.seed": numberOrNone(said.seed),
    "gen_ai.request.choice.count": said.choices === 1 ? undefined : numberOrNone(said.choices),
    "switchyard.dialect": dialect?.name,
    "switchyard.stream": stream
  }
}

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

/** What an answer says about itself. */
export const answered = ({ dialect }: LlmRequest, response: LlmResponse): Attributes => {
  if (response._tag === "Complete") {
    const { finishReasons, id, model } = (dialect ?? openAi).answer.identity(response.body)
    return {
      "gen_ai.response.id": shortOrNone(id),
      "gen_ai.response.model": shortOrNone(model),
      "gen_ai.response.finish_reasons": finishReasons.length === 0 ? undefined : finishReasons
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
