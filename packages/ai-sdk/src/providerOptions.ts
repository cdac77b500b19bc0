/**
 * What a caller says to providers, beside the AI SDK's own settings: our routing words, and fields of the payload. Options of
 * OpenAI's and Anthropic's providers that have a word in chat are understood, so that a program need not change when its model
 * becomes a group.
 */

import type { SharedV3ProviderOptions, SharedV3Warning } from "@ai-sdk/provider"
import { isJsonObject, type JsonObject } from "@switchyard/core/Json"
import type { RequestOptions } from "@switchyard/core/LlmRequest"
import { provider } from "@switchyard/dialects/Beside"

/** Words of `providerOptions.switchyard` that go to the router; all others are fields of the payload. */
const routing: ReadonlySet<string> = new Set(["tags", "demands", "sessionKey", "caller", "overrides", "trace"])

/** Fields by the AI SDK's spelling of them. */
export interface Spellings {
  readonly [name: string]: string
}

/** The AI SDK's spellings of fields that chat has. */
const ofChat: Spellings = {
  dimensions: "dimensions",
  logitBias: "logit_bias",
  logprobs: "logprobs",
  maxCompletionTokens: "max_completion_tokens",
  metadata: "metadata",
  parallelToolCalls: "parallel_tool_calls",
  prediction: "prediction",
  promptCacheKey: "prompt_cache_key",
  promptCacheRetention: "prompt_cache_retention",
  reasoningEffort: "reasoning_effort",
  safetyIdentifier: "safety_identifier",
  serviceTier: "service_tier",
  store: "store",
  textVerbosity: "verbosity",
  topLogprobs: "top_logprobs",
  user: "user"
}

/** What stands beside parts and messages, and is read there. */
const ofParts: ReadonlySet<string> = new Set(["cacheControl", "state", "detail", "imageDetail"])

const fieldsOf = (options: JsonObject, spellings: Spellings): Record<string, unknown> => {
  const fields: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(options)) {
    if (routing.has(name) || ofParts.has(name)) continue
    fields[Object.hasOwn(spellings, name) ? (spellings[name] ?? name) : name] = value
  }
  // A number asks for so many alternatives of each token.
  if (typeof fields.logprobs === "number") {
    fields.top_logprobs ??= fields.logprobs
    fields.logprobs = true
  }
  return fields
}

const anthropicFields = ({ thinking }: JsonObject): Record<string, unknown> => {
  if (!isJsonObject(thinking)) return {}
  const { budgetTokens, ...rest } = thinking
  return { thinking: { ...rest, ...(budgetTokens === undefined ? {} : { budget_tokens: budgetTokens }) } }
}

/** What is read of other providers' options; their other words mean something to their own provider alone. */
const readers: { readonly [name: string]: (options: JsonObject, spellings: Spellings) => Record<string, unknown> } = {
  openai: (options, spellings) =>
    fieldsOf(Object.fromEntries(Object.entries(options).filter(([name]) => name in spellings)), spellings),
  anthropic: anthropicFields
}

const known: { readonly [name: string]: (option: string, spellings: Spellings) => boolean } = {
  openai: (option, spellings) => option in spellings || ofParts.has(option),
  anthropic: (option) => option === "thinking" || ofParts.has(option)
}

/** What of the options reaches the router and the payload, and what reaches nobody. */
export interface Said {
  readonly options: RequestOptions
  readonly extra: JsonObject
  readonly warnings: ReadonlyArray<SharedV3Warning>
}

const ignored = (providers: SharedV3ProviderOptions, spellings: Spellings): ReadonlyArray<SharedV3Warning> =>
  Object.entries(providers).flatMap(([name, options]) =>
    name === provider
      ? []
      : Object.keys(options ?? {})
          .filter((option) => known[name]?.(option, spellings) !== true)
          .map((option) => ({
            type: "unsupported" as const,
            feature: `providerOptions.${name}.${option}`,
            details: `any provider may answer: say it in chat's words under providerOptions.${provider}`
          }))
  )

/** Reads the options of one call; `headers` go to whichever provider answers. */
export const saidIn = (
  given: SharedV3ProviderOptions | undefined,
  headers: Readonly<Record<string, string | undefined>> | undefined,
  spellings: Spellings = ofChat
): Said => {
  const providers = given ?? {}
  const own: JsonObject = providers[provider] ?? {}
  const { caller, demands, overrides, sessionKey, tags, trace } = own as RequestOptions
  const sent = Object.entries(headers ?? {}).filter((entry): entry is [string, string] => entry[1] !== undefined)
  const foreign = Object.entries(readers).map(([name, read]) => read(providers[name] ?? {}, spellings))
  return {
    options: {
      caller,
      demands,
      sessionKey,
      tags,
      trace,
      overrides:
        sent.length === 0
          ? overrides
          : { ...overrides, headers: { ...overrides?.headers, ...Object.fromEntries(sent) } }
    },
    extra: Object.assign({}, ...foreign, fieldsOf(own, spellings)),
    warnings: ignored(providers, spellings)
  }
}
