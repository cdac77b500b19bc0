import * as KnownProviders from "@switchyard/providers/KnownProviders"

/** Below these paths servers of any dialect answer in OpenAI's: Google, Amazon, Cohere, Alibaba, Cloudflare, Snowflake. */
const compatiblePaths =
  /(^|\/)(openai|openapi|compatible-mode|compatibility|compat)(\/|$)|\/(ai|cortex|llmgw)\/v1\/?$|\/genai\/llmgw\/?$|\/chat\/completions\/?$/

const pathOf = (base: string): string => (URL.canParse(base) ? new URL(base).pathname : base.replace(/[?#].*$/, ""))

/** Ollama answers in OpenAI's dialect below `/v1`. */
const isVersioned = (base: string): boolean =>
  /\/v\d+\/?$/.test(pathOf(KnownProviders.completeBaseUrl(base, undefined)))

/**
 * Where a provider with an API of its own answers in OpenAI's dialect, given a base URL that a user wrote for it; undefined when
 * that base is not known to speak anything but the provider's own.
 */
export const compatibleBase = (provider: string, base: string): string | undefined => {
  const isCompatible = compatiblePaths.test(pathOf(base)) || (provider.startsWith("ollama") && isVersioned(base))
  return isCompatible ? KnownProviders.completeBaseUrl(base, undefined) : undefined
}

/** Models and bases of Azure AI Foundry that are asked in Anthropic's dialect. */
export const isAnthropicOnAzure = (model: string, base: string | undefined): boolean =>
  /^claude/i.test(model) || /\/anthropic(\/|$)/.test(pathOf(base ?? ""))
