/**
 * Keys that stand where LiteLLM does not look for them. In `litellm_params` it sends them to the provider like any it does not
 * know.
 */
import { isOwnParameter } from "../models/OwnParameters.js"
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

const settings: ReadonlyArray<Section> = ["router_settings", "litellm_settings", "general_settings"]

/** Where a key that its section does not have is one of LiteLLM's; undefined where it is one nowhere. */
export const placeOf = (section: Section, key: string): Section | undefined => {
  if (!settings.includes(section)) return undefined
  const isIn = (other: Section): boolean => find(other, key) !== undefined || TheirKeys.names(other).has(key)
  const place = settings.find((other) => other !== section && isIn(other))
  return place ?? (isIn("litellm_params") || isOwnParameter(key) ? "litellm_params" : undefined)
}
