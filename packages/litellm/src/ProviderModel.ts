/**
 * What `provider/model` means, with nothing else said: where it is asked, by which API, and with which key. The same for a file
 * of LiteLLM's and for one of our own.
 */
import * as KnownProviders from "@switchyard/providers/KnownProviders"
import { type Env, endpointOf } from "./models/endpoint.js"
import { isResponsesOnly } from "./models/operations.js"
import { splitModel } from "./models/providerNames.js"
import { everything as all } from "./models/wildcards.js"

/** What is given of a deployment. */
export interface Given {
  readonly model: string
  /** Beats the prefix of `model`. */
  readonly provider?: string | undefined
  readonly apiKey?: string | undefined
  readonly apiVersion?: string | undefined
  /** There is a cloud account that asks. */
  readonly hasAccount?: boolean | undefined
}

/** Fields of a deployment, and what it lacks. */
export interface Meant {
  readonly fields: Readonly<Record<string, unknown>>
  /** Variables of the environment that would have held the key; empty where there is one, or none is needed. */
  readonly missingKey: ReadonlyArray<string>
}

/** Why nobody can be asked, as a sentence. */
export interface Refused {
  readonly refused: string
}

const said = (fields: Readonly<Record<string, unknown>>) =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined))

/**
 * Where a model is asked by what its provider is known for; undefined where no provider is named, or nothing is known of it. A
 * name without a provider is not guessed at.
 */
export const meant = (given: Given, env: Env): Meant | Refused | undefined => {
  const named = given.provider ?? (given.model.includes("/") ? undefined : "")
  if (named === "") return undefined
  const { model, provider } = splitModel(given.model, named, false)
  if (provider === undefined || KnownProviders.find(provider) === undefined) return undefined
  const endpoint = endpointOf(
    {
      provider,
      model,
      apiBase: undefined,
      apiKey: given.apiKey,
      apiVersion: given.apiVersion,
      bearer: undefined,
      isResponses: isResponsesOnly(undefined, provider, model, []),
      hasAccount: given.hasAccount ?? false
    },
    env
  )
  if ("sentence" in endpoint) return { refused: endpoint.sentence }
  const { apiKey, baseUrl, dialect, headers, location, missingKey, protocol } = endpoint
  return {
    fields: said({
      provider,
      model: endpoint.model,
      baseUrl,
      apiKey,
      protocol: protocol === "openai" ? undefined : protocol,
      dialect,
      location,
      headers: Object.keys(headers).length === 0 ? undefined : headers
    }),
    missingKey
  }
}

/** The groups that `*` stands for, each with a provider whose key is in the environment, and why other names are refused. */
export const everything = (group: string, env: Env): ReturnType<typeof all> => all(group, undefined, env)
