import { closest } from "@switchyard/core/Closest"
import leven from "leven"
import { type Draft, Reader } from "../draft.js"
import { find, suggestion } from "../keys/keys.js"
import { notSet } from "../unset.js"
import { asWords, below, type Given, isOn, isText, isTree, isUnset, type Tree, toList } from "../values.js"
import type { Env } from "./endpoint.js"
import { checkParams, isParamsKey, Params } from "./params.js"

/** What of the rest of the file deployments depend on. */
export interface Surroundings {
  readonly env: Env
  readonly credentials: ReadonlyMap<string, Given & { readonly value: Tree }>
  /** `default_litellm_params`. */
  readonly defaults: (Given & { readonly value: Tree }) | undefined
  /** `litellm_settings.ssl_verify`, as `litellm_params` would say it. */
  readonly certificates: (Given & { readonly value: Tree }) | undefined
  /** `model_alias_map`: other names of provider models. */
  readonly renamed: Tree
  /** Providers of `custom_provider_map`: Python that LiteLLM would load. */
  readonly handlers: ReadonlySet<string>
}

/** An entry of `model_list`, taken apart. */
export interface Source {
  readonly group: string
  readonly path: string
  readonly entry: Reader
  readonly params: Params
  readonly info: Reader
  readonly infoGiven: Given | undefined
}

/** One letter off a key that matters. Anything else may be meant: LiteLLM only gives `model_info` out. */
const isSlip = (key: string, meant: string | undefined): meant is string =>
  meant !== undefined && key.length > 3 && leven(key.toLowerCase(), meant, { maxDistance: 2 }) === 1

const checkInfo = (draft: Draft, { path, value }: Given): void => {
  if (!isTree(value)) return draft.error({ path, value }, "a map of settings")
  for (const [key, inner] of Object.entries(value)) {
    const given = { value: inner, path: below(path, key) }
    if (!draft.says(given) || draft.checkKnown("model_info", key, given)) continue
    if (key.startsWith("supports_")) continue
    const meant = suggestion("model_info", key)
    if (isSlip(key, meant)) draft.warn(given.path, "No such key: not read.", meant)
    else draft.noteOnce(given.path, "Fields of `model_info` that mean nothing for routing are not read.")
  }
}

const listed = (keys: ReadonlyArray<string>): string => {
  const quoted = keys.map((key) => `\`${key}\``)
  return quoted.length === 1 ? String(quoted[0]) : `${quoted.slice(0, -1).join(", ")} and ${quoted[quoted.length - 1]}`
}

/** Checks the keys of an entry itself; what stands a step too far left is told as that. */
const checkEntry = (draft: Draft, raw: Tree, path: string): void => {
  const { litellm_params: own } = raw
  const at = below(path, "litellm_params")
  const foreign = Object.keys(raw).filter(
    (key) => draft.says({ value: raw[key], path: below(path, key) }) && find("model_list", key) === undefined
  )
  const strays = foreign.filter((key) => isParamsKey(key))
  const misnamed = isTree(own)
    ? undefined
    : foreign.find((key) => isTree(raw[key]) && suggestion("model_list", key) === "litellm_params")
  for (const key of foreign) {
    if (key === misnamed)
      draft.error({ value: undefined, path: below(path, key) }, "`litellm_params`: this key has another name")
    else if (!strays.includes(key))
      draft.warnOnce(
        below(path, key),
        "No such key: not read, in any entry.",
        `model_list[].${key}`,
        suggestion("model_list", key)
      )
    else if (isTree(own)) draft.warn(below(path, key), "Not read here: it belongs below `litellm_params`.")
  }
  if (isTree(own) || misnamed !== undefined) return
  const belong = strays.length === 1 ? "belongs" : "belong"
  const hint = strays.length === 0 ? "" : `: ${listed(strays)} beside it ${belong} below it, further to the right`
  draft.error({ path: at, value: own }, `a map with at least \`model\`${hint}`)
}

/** Parameters that are no map and no list, whoever reads them. */
const texts = [
  "model",
  "custom_llm_provider",
  "api_base",
  "base_url",
  "api_key",
  "api_version",
  "azure_ad_token",
  "litellm_credential_name",
  "base_model"
]

/** Takes an entry apart and checks its keys; undefined where nothing can be made of it. */
export const readEntry = (draft: Draft, around: Surroundings, raw: unknown, path: string): Source | undefined => {
  if (!isTree(raw)) {
    draft.error({ path, value: raw }, "a map with `model_name` and `litellm_params`")
    return undefined
  }
  const { litellm_params: own, model_info: info, model_name: group } = raw
  const at = below(path, "litellm_params")
  const nameless = draft.unset.get(below(path, "model_name"))
  if (nameless !== undefined && isUnset(group)) {
    draft.leftOut.add(path)
    draft.warn(below(path, "model_name"), `The deployment is left out: ${notSet(nameless.names, around.env)}.`)
    return undefined
  }
  if (!isText(group)) draft.error({ path: below(path, "model_name"), value: group }, "the model group's name")
  checkEntry(draft, raw, path)
  if (!isText(group) || !isTree(own)) return undefined
  checkParams(draft, { value: own, path: at })
  for (const key of texts) {
    const value = Object.hasOwn(own, key) ? own[key] : undefined
    if (!isUnset(value) && asWords(value) === undefined) draft.error({ path: below(at, key), value }, "a string")
  }
  const infoGiven = isUnset(info) ? undefined : { value: info, path: below(path, "model_info") }
  if (infoGiven !== undefined) checkInfo(draft, infoGiven)
  const layers = [{ value: own, path: at }]
  const credential = new Params(layers).get("litellm_credential_name")
  const named = around.credentials.get(asWords(credential?.value) ?? "")
  if (named !== undefined) layers.push(named)
  else if (credential !== undefined) {
    const meant = closest(asWords(credential.value) ?? "", around.credentials.keys())
    draft.warn(credential.path, "No entry of `credential_list` has this name.", meant)
  }
  if (around.defaults !== undefined) layers.push(around.defaults)
  if (around.certificates !== undefined) layers.push(around.certificates)
  const params = new Params(layers)
  return {
    group,
    path,
    params,
    entry: new Reader(raw, path),
    info: new Reader(isTree(info) ? info : {}, below(path, "model_info")),
    infoGiven
  }
}

/** Whether an entry is left out on purpose. */
export const isPaused = (draft: Draft, { info }: Source, env: Env): boolean => {
  const blocked = info.get("blocked")
  if (blocked !== undefined && isOn(blocked.value)) {
    draft.note(blocked.path, "The deployment is left out.")
    return true
  }
  const environments = info.get("supported_environments")
  const current = env.LITELLM_ENVIRONMENT
  if (environments === undefined || toList(environments.value).includes(current)) return false
  if (current === undefined) {
    draft.warn(environments.path, "LITELLM_ENVIRONMENT is not set, so the deployment is used.")
    return false
  }
  draft.note(environments.path, `The deployment is left out: LITELLM_ENVIRONMENT is ${JSON.stringify(current)}.`)
  return true
}
