import type { Unspoken } from "./unspoken.js"

/** What is known about a provider. */
export interface KnownProvider {
  /** Its prefix in `provider/model`. */
  readonly name: string
  /** What it calls itself. */
  readonly title: string
  /** Base URL of the API by which it is asked; undefined where only the user can know it. */
  readonly baseUrl: string | undefined
  /** A base URL with what only the user knows in braces, by the variable that holds it: `https://{HOST}/v1`. */
  readonly template: string | undefined
  /** Environment variables that may hold the key, the first that is set counts; empty where none is needed. */
  readonly keyVariables: ReadonlyArray<string>
  /** Environment variables that may hold a base URL of the user's own. */
  readonly baseVariables: ReadonlyArray<string>
  /** What a base URL without a path lacks, for providers whose users seldom write it. */
  readonly basePath: string | undefined
  /** What stands before a bare model name, for example `accounts/fireworks/models/`. */
  readonly modelPrefix: string | undefined
  /** The API by which it is asked, as `deployment.protocol` names it; `openai` for those compatible with OpenAI's. */
  readonly protocol: string
  /** Base URL of an API of its own that is compatible with OpenAI's, beside that; undefined without one. */
  readonly compatibleUrl: string | undefined
  /** The part of its prices that it takes off in a batch: 0.5 is half. Undefined where nothing is known. */
  readonly batchDiscount: number | undefined
  /** Why it is asked in no dialect of ours, but for what `baseUrl` or `template` says; undefined for all others. */
  readonly unspoken: Unspoken | undefined
  /** Parameters that it takes under other names only. */
  readonly renames: Readonly<Record<string, string>>
  /** Whose lists have the name: `litellm`, `liter-llm`, `models.dev`. */
  readonly sources: ReadonlyArray<string>
}

/** What of a provider is known by having been looked at. */
export type Picked = Pick<
  KnownProvider,
  | "name"
  | "baseUrl"
  | "keyVariables"
  | "baseVariables"
  | "basePath"
  | "modelPrefix"
  | "protocol"
  | "compatibleUrl"
  | "batchDiscount"
>
