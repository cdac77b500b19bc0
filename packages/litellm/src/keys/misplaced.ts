/**
 * Keys of `litellm_params` that LiteLLM sends to the provider like any it does not know, but that look like settings.
 */
import type { Section } from "./key.js"
import { find } from "./keys.js"
import * as TheirKeys from "./theirKeys.js"

/** Words of settings, and which of them was probably meant. */
const words: ReadonlyArray<readonly [pattern: RegExp, meant?: string]> = [
  [/context_(window|length|size|tokens)/, "model_info.max_input_tokens"],
  [/(^|_)rpm(_|$)|requests?_per_min/, "rpm"],
  [/(^|_)tpm(_|$)|tokens?_per_min/, "tpm"],
  [/(^|_)timeout(_|$)/, "timeout"],
  [/(^|_)(retry|retries)(_|$)/, "num_retries"],
  [/(^|_)cooldown(_|$)/, "cooldown_time"],
  [/(^|_)(price|prices|pricing|cost|costs)(_|$)/, "input_cost_per_token"],
  [/(^|_)fallbacks?(_|$)/, "router_settings.fallbacks"],
  [/^(max_|soft_)?budget(_|$)/, "max_budget"],
  [/^region(_|$)|_region$/, "region_name"],
  [/^weight(_|$)|_weight$/, "weight"],
  [/^priority$/, "order"],
  [/^deployment(_|$)/],
  [/_limits?$|^limits?$/]
]

const sections: ReadonlyArray<Section> = ["model_info", "router_settings", "litellm_settings", "general_settings"]

const homeOf = (key: string): Section | undefined =>
  sections.find((section) => find(section, key) !== undefined || TheirKeys.names(section).has(key))

/** Whether a parameter that is sent looks like a setting. */
export const looksMisplaced = (key: string): boolean =>
  key.startsWith("supports_") || homeOf(key) !== undefined || words.some(([pattern]) => pattern.test(key))

/** The setting that was probably meant; undefined where nothing is near. */
export const meantBy = (key: string): string | undefined => {
  if (key.startsWith("supports_")) return `model_info.${key}`
  const home = homeOf(key)
  return home === undefined ? words.find(([pattern]) => pattern.test(key))?.[1] : `${home}.${key}`
}
