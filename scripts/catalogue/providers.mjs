// Providers as the sources know them, by every name that they go by.
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { called } from "./names.mjs"

/** The names that LiteLLM's `LlmProviders` lists. */
export const liteLlmNames = (/** @type {string} */ folder) => {
  const text = readFileSync(join(folder, "litellm/types/utils.py"), "utf8")
  const [, body = ""] = /^class LlmProviders\(.*?\):\n([\s\S]*?)\n(?=\S)/m.exec(text) ?? []
  return [...body.matchAll(/^ {4}\w+ = "([^"]+)"/gm)].map(([, name]) => String(name))
}

/** The protocol that a package of the AI SDK speaks. */
const protocols = {
  "@ai-sdk/amazon-bedrock": "bedrock",
  "@ai-sdk/anthropic": "anthropic",
  "@ai-sdk/azure": "azure",
  "@ai-sdk/cohere": "cohere",
  "@ai-sdk/google": "gemini",
  "@ai-sdk/google-vertex": "vertex"
}

/** What is sent by no key in a header of ours, or in no dialect that a base URL alone would tell. */
const packaged = new Set([
  "gitlab-ai-provider",
  "watsonx-ai-provider",
  "@jerome-benoit/sap-ai-provider-v2",
  "@qvac/ai-sdk-provider",
  "ai-gateway-provider",
  "@saladtechnologies-oss/ai-sdk-provider"
])

/** What only users know stands in braces, by the variable that holds it. */
const plain = (/** @type {string | undefined} */ url) =>
  url
    ?.replaceAll("${", "{")
    .replace(/\/+$/, "")
    .replace(/\/chat\/completions$/, "")

/** Anthropic's dialect is asked below `/v1`, which its base does not name. */
const baseOf = (/** @type {string | undefined} */ url, /** @type {string | undefined} */ protocol) =>
  protocol === "anthropic" ? plain(url)?.replace(/\/v1$/, "") : plain(url)

const merged = (known, said) => {
  for (const [key, value] of Object.entries(said)) {
    if (value === undefined || value === null || (Array.isArray(value) && value.length === 0)) continue
    if (key === "from") known.from = [...new Set([...(known.from ?? []), ...value])]
    else if (key === "keys") known.keys = [...new Set([...(known.keys ?? []), ...value])]
    else known[key] ??= value
  }
  return known
}

const isKey = (/** @type {string} */ name) => /KEY|TOKEN|PAT$|SECRET/.test(name) && !/_ID$/.test(name)

/** Every name with what is known of it, in the order of the names. */
export const providersOf = ({ catalog, jsonProviders, liteLlm, literLlm, mastra, support }) => {
  const known = new Map()
  const add = (/** @type {string} */ name, said) => known.set(name, merged(known.get(name) ?? {}, said))
  for (const [name, said] of Object.entries(jsonProviders)) {
    add(name, {
      from: ["litellm"],
      url: plain(said.base_url),
      keys: [said.api_key_env],
      bases: said.api_base_env === undefined ? undefined : [said.api_base_env],
      renames: said.param_mappings
    })
  }
  for (const name of liteLlm) add(name, { from: ["litellm"] })
  for (const [name, { display_name }] of Object.entries(support)) {
    add(name, { from: ["litellm"], title: display_name?.replace(/\s*\(`.*`\)\s*$/, "") })
  }
  for (const said of literLlm) {
    add(said.name, {
      from: ["liter-llm"],
      title: said.display_name,
      url: plain(said.base_url),
      keys: said.auth?.env_var === undefined ? undefined : [said.auth.env_var],
      keyless: said.auth?.type === "none" ? true : undefined,
      renames: said.param_mappings
    })
    for (const alias of said.aliases ?? []) add(alias, { from: ["liter-llm"] })
  }
  const lists = [
    ...Object.entries(catalog).map(([name, said]) => [name, { ...said, from: ["models.dev"] }]),
    ...Object.entries(mastra).map(([name, said]) => [
      name,
      { ...said, api: said.url, env: [said.apiKeyEnvVar].flat(), from: ["models.dev"] }
    ])
  ]
  for (const [name, said] of lists) {
    const protocol = protocols[said.npm]
    const same = called[name]
    // A name of theirs for a provider that is known by another one is that provider, wherever it answers in OpenAI's dialect.
    add(name, {
      from: said.from,
      title: said.name,
      url: same === undefined ? baseOf(said.api, protocol) : undefined,
      same,
      protocol: same === undefined ? protocol : undefined,
      keys: (said.env ?? []).filter(isKey),
      packaged: packaged.has(said.npm) && said.api === undefined ? true : undefined
    })
  }
  return [...known.entries()]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, { from, keyless, ...said }]) => ({
      name,
      ...said,
      ...(keyless === true && said.keys === undefined ? { keys: [] } : {}),
      from
    }))
}
