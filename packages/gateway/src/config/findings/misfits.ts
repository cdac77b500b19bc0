/**
 * Sections at the top of a LiteLLM file that are called like ours and are none: LiteLLM ignores what it does not know there,
 * so they are told of and not read.
 */
import * as LiteLlmConfig from "@switchyard/litellm/LiteLlmConfig"
import type { Finding } from "../Problem.js"

type Tree = Readonly<Record<string, unknown>>

/** Where LiteLLM has what a user probably meant. */
const homes: ReadonlyMap<string, string> = new Map(
  Object.entries({
    aliases: "router_settings.model_group_alias",
    cache: "litellm_settings.cache_params",
    cooldown: "router_settings.cooldown_time",
    fallback: "router_settings.fallbacks",
    log: "litellm_settings",
    metrics: "litellm_settings.callbacks",
    queue: "router_settings.default_priority",
    retry: "router_settings.num_retries",
    server: "general_settings",
    strategy: "router_settings.routing_strategy",
    timeouts: "router_settings.timeout"
  })
)

const sections = ["router_settings", "litellm_settings", "general_settings"] as const

/** Where a key belongs that stands at the top of a LiteLLM file: below its section. */
export const homeOf = (key: string): string | undefined => {
  const known = LiteLlmConfig.keys.filter((row) => row.key === key)
  const section = sections.find((name) => known.some((row) => row.section === name))
  return homes.get(key) ?? (section === undefined ? undefined : `${section}.${key}`)
}

const isOurKey = (entry: unknown): boolean =>
  typeof entry === "object" && entry !== null && "name" in entry && ("key" in entry || "hash" in entry)

/** Whether a section can have been meant for somebody else. Words of ours alone, and keys that look like ours, cannot. */
const mayBeTheirs = (key: string, value: unknown): boolean => {
  if (key === "deployments" || /[A-Z]/.test(key)) return false
  return key !== "keys" || !(Array.isArray(value) && value.length > 0 && value.every(isOurKey))
}

/** The keys at the top that do not fit, by the paths of what is wrong with them. */
export const misfitting = (own: Tree, paths: ReadonlyArray<string>): ReadonlySet<string> => {
  const tops = paths.map((path) => path.replace(/[.[].*$/, ""))
  return new Set(tops.filter((key) => Object.hasOwn(own, key) && mayBeTheirs(key, own[key])))
}

/** What is said of a section that is not read; `why` is what is wrong with it as one of ours. */
export const misfit = (key: string, why: ReadonlyArray<Pick<Finding, "message" | "path">>): Finding => {
  const reasons = why.map(({ message, path }) => (path === key ? message : `${path}: ${message}`))
  const home = homeOf(key)
  return {
    severity: "warning",
    path: key,
    message: `LiteLLM has no such key here, and it does not fit our setting of this name (${reasons.join("; ")}): not read`,
    ...(home === undefined ? {} : { suggestion: home })
  }
}
