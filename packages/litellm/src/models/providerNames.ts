import { fits } from "@switchyard/core/Wildcard"
import * as KnownProviders from "@switchyard/providers/KnownProviders"

/** Those of whom LiteLLM, or liter-llm, knows; the rest of the catalogue's names may as well be an organisation's. */
const isTheirs = ({ sources }: KnownProviders.KnownProvider): boolean =>
  sources.length === 0 || sources.some((source) => source !== "models.dev")

/** Every name that may stand before the slash. */
export const prefixes: ReadonlyArray<string> = KnownProviders.providers.map(({ name }) => name)

/** With a base URL a model's name may be `organisation/model`, as its server calls it. */
const isPrefix = (name: string, hasBase: boolean): boolean => {
  const known = KnownProviders.find(name)
  return known !== undefined && (!hasBase || isTheirs(known))
}

/** How models are called that need no provider before them, as patterns with stars. */
export const bareNames: ReadonlyArray<readonly [provider: string, patterns: ReadonlyArray<string>]> = [
  [
    "openai",
    [
      ..."gpt-* chatgpt-* o1 o1-* o3 o3-* o4-* codex-* text-embedding-* babbage-* davinci-* ft:* computer-use-*".split(
        " "
      ),
      ..."whisper-* tts-* dall-e-* omni-moderation-* text-moderation-* sora-*".split(" ")
    ]
  ],
  ["anthropic", ["claude-*"]],
  ["vertex_ai", ["gemini-*", "chat-bison*", "text-bison*", "codechat-bison*"]],
  ["cohere", ["command*", "embed-english-*", "embed-multilingual-*", "rerank-*"]],
  ["bedrock", "amazon.* anthropic.* meta.* mistral.* cohere.* ai21.* us.* eu.* apac.* jp.* au.* global.*".split(" ")]
]

/** What `provider/model` says. */
export interface ModelName {
  /** Undefined when nobody can tell. */
  readonly provider: string | undefined
  /** What the provider calls it. */
  readonly model: string
}

/** Splits `provider/model`; a model without a provider tells it by its name, or by a base URL that is given. */
export const splitModel = (model: string, named: string | undefined, hasBase: boolean): ModelName => {
  const slash = model.indexOf("/")
  const prefix = slash === -1 ? "" : model.slice(0, slash)
  const rest = model.slice(slash + 1)
  if (named !== undefined) return { provider: named, model: prefix === named ? rest : model }
  if (slash !== -1 && isPrefix(prefix, hasBase)) return { provider: prefix, model: rest }
  const guessed =
    slash === -1 ? bareNames.find(([, patterns]) => patterns.some((pattern) => fits(pattern, model)))?.[0] : undefined
  return { provider: guessed ?? (hasBase ? "openai" : undefined), model }
}
