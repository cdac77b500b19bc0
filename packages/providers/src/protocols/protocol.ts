/**
 * What is known of a provider's API: its dialects, where its operations are, how a key is shown, how streams are framed. Data
 * and small functions of it; the exchange does the rest.
 */
import type { Deployment } from "@switchyard/core/Deployment"
import type { JsonObject } from "@switchyard/core/Json"
import type { Operation } from "@switchyard/core/LlmRequest"
import type { DialectName } from "@switchyard/dialects/Conversation"

/**
 * How the events of a stream lie in its bytes: server-sent events, one JSON object a line, Amazon's binary messages, or
 * server-sent events cut into such messages (`aws-sse`).
 */
export type Framing = "sse" | "ndjson" | "aws" | "aws-sse"

/** What is asked of a deployment, as far as its address and its framing go by it. */
export interface Ask {
  /** The provider's own name of the model. */
  readonly model: string
  /** `count`: how long a prompt is, where a provider tells that. */
  readonly operation: Operation | "count"
  readonly stream: boolean
  /** The dialect that it is asked in. */
  readonly dialect: DialectName
}

/** The environment, where clouds' own tools look for a region or a project. */
export type Env = Readonly<Record<string, string | undefined>>

/** The first of some variables that holds something; an empty one is as good as none. */
export const variable = (env: Env, ...names: ReadonlyArray<string>): string | undefined =>
  names.map((name) => env[name]).find((value) => value !== undefined && value !== "")

/** The environment of this process; empty where there is none. */
export const environment: Env = (globalThis as { readonly process?: { readonly env?: Env } }).process?.env ?? {}

/** Why a deployment cannot be asked, in words. */
export interface TargetProblem {
  readonly problem: string
}

/** Where a deployment is. */
export interface Address {
  /** Scheme, host and port. */
  readonly origin: string
  /** Path and query of what is asked; undefined where the API has no such thing. */
  readonly path: (ask: Ask) => string | undefined
  /** Path and query of what lies below the API's own address; left out where nothing does that callers may ask for. */
  readonly at?: (below: string, query: string) => string
}

/** A path with queries, of which the first are the API's own. */
export const withQueries = (path: string, ...queries: ReadonlyArray<string>): string => {
  const given = queries.flatMap((query) => (query === "" || query === "?" ? [] : [query.replace(/^\?/, "")]))
  return given.length === 0 ? path : `${path}?${given.join("&")}`
}

/** Clouds whose accounts ask in place of a key. */
export type Cloud = "aws" | "google" | "entra" | "ibm" | "oci"

/** What tells a made-up answer's id and time. */
export interface Stamp {
  readonly id: string
  readonly created: number
}

/** Puts what an API says in words of its own into those of a dialect. */
export interface Shape {
  /** A whole answer. */
  readonly answer: (body: JsonObject) => JsonObject
  /** A whole answer that is a list, as an object. Left out: a list is no answer. */
  readonly ofList?: (list: ReadonlyArray<unknown>) => JsonObject
  /** The events of one stream, in their order. */
  readonly events: () => (event: JsonObject) => JsonObject
}

/** An API. */
export interface Protocol {
  /** As `deployment.protocol` names it. */
  readonly name: string
  /** Dialects in which a deployment's model is asked; requests in others are translated to the first. Never empty. */
  readonly dialects: (deployment: Deployment, model: string) => ReadonlyArray<DialectName>
  /** Where it is, given the base URLs that are known beside the deployment's own. */
  readonly address: (deployment: Deployment, baseUrl: string | undefined, env: Env) => Address | TargetProblem
  /** The headers that show a key. */
  readonly key: (key: string, deployment: Deployment) => Readonly<Record<string, string>>
  /** Headers of every request. */
  readonly headers?: (deployment: Deployment) => Readonly<Record<string, string>>
  readonly framing?: (ask: Ask) => Framing
  /** The account that asks where there is no key. */
  readonly cloud?: Cloud
  /** Whether nothing can be asked without a key or an account. */
  readonly needsAccount?: boolean
  /** Whether a key is no header, but what the account signs in with. */
  readonly exchangesKey?: boolean
  /** What of a payload stands elsewhere at this API, or only here: changes the body, which is a copy already. */
  readonly fit?: (body: Record<string, unknown>, ask: Ask, deployment: Deployment) => void
  /** Whether it embeds texts in words of its own, though it chats in OpenAI's. */
  readonly hasOwnEmbeddings?: boolean
  /** How its answers become those of the dialect that it is asked in, where they are in words of its own. */
  readonly shape?: (ask: Ask, deployment: Deployment, stamp: Stamp) => Shape | undefined
  /** The body of a count, where it is another one than that of the dialect's own counter. */
  readonly counted?: (body: Record<string, unknown>, ask: Ask) => Record<string, unknown>
  /** Beginnings of the names of beta features that it takes (`anthropic-beta`); undefined for all. */
  readonly betas?: ReadonlyArray<string>
  /** Whether beta features are named in the body and not in a header. */
  readonly betasInBody?: boolean
}

/** A base URL, taken apart. */
export interface Base {
  readonly origin: string
  readonly host: string
  /** Without a slash at its end; empty for the root. */
  readonly path: string
  /** With its question mark; empty without one. */
  readonly search: string
}

/** Takes a base URL apart; undefined when it is none. */
export const baseOf = (url: string): Base | undefined => {
  if (!URL.canParse(url)) return undefined
  const { host, origin, pathname, search } = new URL(url)
  return { origin, host, path: pathname.replace(/\/+$/, ""), search }
}

/** A deployment without a base URL of which none is known. */
export const unknownBase = ({ provider }: Deployment): TargetProblem => ({
  problem: `no base URL is known for the provider ${provider}`
})

/** A base URL that is none. */
export const badBase: TargetProblem = { problem: "the base URL is not a URL" }

/** A key as a bearer token. */
export const bearer = (key: string): Readonly<Record<string, string>> => ({ authorization: `Bearer ${key}` })

/** Whether a model is one of Anthropic's, by its own name or the public one. */
export const isClaude = ({ baseModel }: Deployment, model: string): boolean =>
  /claude|anthropic\./i.test(model) || (baseModel !== undefined && /claude|anthropic\./i.test(baseModel))
