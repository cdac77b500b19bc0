import * as KnownProviders from "@switchyard/providers/KnownProviders"
import { isText } from "../values.js"
import type { Env } from "./endpoint.js"
import { bareNames } from "./providerNames.js"

/** A name and a model in place of those that an entry gives, for `*`, which stands for every provider. */
export interface As {
  readonly group: string
  readonly provider: string
  readonly model: string
}

/** Bare names that `*` takes: of models that chat or embed. */
const servedNames: ReadonlyMap<string, ReadonlyArray<string>> = new Map([
  ["openai", ["gpt-*", "chatgpt-*", "o1*", "o3*", "o4*", "ft:*", "text-embedding-*"]],
  ...bareNames.filter(([provider]) => provider === "anthropic" || provider === "cohere")
])

interface Candidate {
  readonly name: string
  /** The variables of which one must be set before the provider can be asked. */
  readonly variables: ReadonlyArray<string>
  /** An account asks, and where it is follows from the region. */
  readonly isCloud?: true
}

/** Clouds, whose accounts the environment says. */
const clouds: ReadonlyArray<Candidate> = [
  {
    name: "bedrock",
    variables: [
      "AWS_BEARER_TOKEN_BEDROCK",
      "AWS_ACCESS_KEY_ID",
      "AWS_PROFILE",
      "AWS_WEB_IDENTITY_TOKEN_FILE",
      "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"
    ],
    isCloud: true
  },
  {
    name: "vertex_ai",
    variables: ["GOOGLE_APPLICATION_CREDENTIALS", "VERTEXAI_PROJECT", "VERTEX_PROJECT", "GOOGLE_CLOUD_PROJECT"],
    isCloud: true
  }
]

const providers: ReadonlyArray<Candidate> = KnownProviders.providers
  .filter((one) => !/^(?:text-completion-|bedrock|vertex|azure_text)/.test(one.name) && KnownProviders.isSpoken(one))
  .map(({ baseVariables, keyVariables, name }) => ({
    name,
    variables: keyVariables.length === 0 ? baseVariables : keyVariables
  }))

const candidates = [...providers, ...clouds]

const isReachable = ({ isCloud, name, variables }: Candidate, env: Env): boolean => {
  if (isCloud === true) return KnownProviders.firstSet(variables, env) !== undefined
  const known = KnownProviders.find(name)
  const hasBase =
    KnownProviders.baseUrlOf(known, env) !== undefined ||
    KnownProviders.firstSet(known?.baseVariables ?? [], env) !== undefined
  return hasBase && KnownProviders.firstSet(variables, env) !== undefined
}

/** Whether a model and a group's name together stand for any model of any provider. */
export const isEverything = (group: string, model: string): boolean => model === "*" && group.split("*").length === 2

/** What `*` stands for. */
export interface Everything {
  readonly targets: ReadonlyArray<As>
  /** Patterns of names that no provider of `targets` means, and why nobody is asked. */
  readonly refused: Readonly<Record<string, string>>
}

/**
 * What `*` stands for: every provider whose key is in the environment, by `provider/model` and by the names that its models
 * go by alone. A name that means another provider, or none, is nobody's. A key that the entry gives belongs to the provider
 * whose variable holds the same, else to OpenAI.
 */
export const everything = (group: string, apiKey: string | undefined, env: Env): Everything => {
  const named = (pattern: string) => group.replace("*", () => pattern)
  const owners = candidates.filter(({ variables }) =>
    variables.some((name) => isText(env[name]) && env[name] === apiKey)
  )
  const isMeant = ({ name }: Candidate): boolean =>
    owners.length === 0 ? name === "openai" : owners.some((owner) => owner.name === name)
  const reached = candidates.filter((one) => (apiKey === undefined ? isReachable(one, env) : isMeant(one)))
  const missing = candidates.filter((one) => !reached.includes(one))
  return {
    targets: reached.flatMap(({ name }) => [
      { group: named(`${name}/*`), provider: name, model: "*" },
      ...(servedNames.get(name) ?? []).map((pattern) => ({ group: named(pattern), provider: name, model: pattern }))
    ]),
    refused: Object.fromEntries(
      missing.flatMap(({ isCloud, name, variables }) =>
        [`${name}/*`, ...(servedNames.get(name) ?? [])].map((pattern) => [
          named(pattern),
          `there is no ${isCloud === true ? "account" : "key"} of ${name} (${variables.join(" or ")})`
        ])
      )
    )
  }
}
