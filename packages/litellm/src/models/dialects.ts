import * as KnownProviders from "@switchyard/providers/KnownProviders"

/** Below these paths servers of any dialect answer in OpenAI's: Google, Amazon, Cohere, Alibaba, Cloudflare. */
const compatiblePaths =
  /(^|\/)(openai|openapi|compatible-mode|compatibility|compat)(\/|$)|\/ai\/v1\/?$|\/chat\/completions\/?$/

const pathOf = (base: string): string => (URL.canParse(base) ? new URL(base).pathname : base.replace(/[?#].*$/, ""))

const hostOf = (base: string | undefined): string =>
  base !== undefined && URL.canParse(base) ? new URL(base).host : ""

/** Hosts of providers beside that of their base URL. */
const otherHosts: Readonly<Record<string, string>> = { cohere: "api.cohere.com", cohere_chat: "api.cohere.com" }

/** Ollama answers in OpenAI's dialect below `/v1` of wherever its root is, but not below `/api`. */
const ollama = (base: string): string | undefined => {
  const path = pathOf(base)
  if (/\/api(\/|$)/.test(path)) return undefined
  const plain = KnownProviders.completeBaseUrl(base, undefined)
  return compatiblePaths.test(path) || /\/v\d+\/?$/.test(pathOf(plain)) ? plain : `${plain}/v1`
}

/**
 * Where a provider with a dialect of its own answers in OpenAI's, given a base URL that a user wrote for it; undefined when
 * that base is not known to speak anything but the provider's own.
 */
export const compatibleBase = (provider: string, base: string): string | undefined => {
  if (provider === "ollama" || provider === "ollama_chat") return ollama(base)
  const known = KnownProviders.find(provider)
  const plain = KnownProviders.completeBaseUrl(base, undefined)
  if (compatiblePaths.test(pathOf(base))) return plain
  const host = hostOf(base)
  const isOwnHost = host !== "" && (host === hostOf(known?.baseUrl) || host === otherHosts[provider])
  const completed = KnownProviders.completeBaseUrl(base, known)
  return isOwnHost && pathOf(completed) === pathOf(known?.baseUrl ?? "") ? completed : undefined
}

/** Models and bases of Azure AI Foundry that are asked in Anthropic's dialect. */
export const isAnthropicOnAzure = (model: string, base: string | undefined): boolean =>
  /^claude/i.test(model) || /\/anthropic(\/|$)/.test(pathOf(base ?? ""))
