import * as KnownProviders from "@switchyard/providers/KnownProviders"
import { closest } from "../closest.js"
import { DeploymentDraft, fill } from "./deployment.js"
import { clause, type Draft, Reader } from "./draft.js"
import { type Endpoint, type Env, endpointOf, prefixes, splitModel } from "./endpoint.js"
import { find, suggestion } from "./keys.js"
import { checkParams, Params } from "./params.js"
import { below, type Given, isOn, isText, isTree, isUnset, period, type Tree, toList, toNumber } from "./values.js"

/** What of the rest of the file deployments depend on. */
export interface Surroundings {
  readonly env: Env
  readonly credentials: ReadonlyMap<string, Given & { readonly value: Tree }>
  /** `default_litellm_params`. */
  readonly defaults: (Given & { readonly value: Tree }) | undefined
  /** `model_alias_map`: other names of provider models. */
  readonly renamed: Tree
}

/** A deployment that was made of an entry. */
export interface Made extends DeploymentDraft {
  readonly group: string
  /** Where its entry stands. */
  readonly path: string
  /** Whether it may be probed in the background. */
  readonly isProbed: boolean
  readonly budget: { readonly limit: Given; readonly window: Given } | undefined
}

/** What `model_list` gives. */
export interface ModelList {
  readonly deployments: ReadonlyArray<Made>
  /** Groups all of whose deployments were left out. */
  readonly empty: ReadonlySet<string>
}

interface Source {
  readonly group: string
  readonly path: string
  readonly entry: Reader
  readonly params: Params
  readonly info: Reader
  readonly infoGiven: Given | undefined
}

const asText = (given: Given | undefined): string | undefined =>
  given === undefined || given.value === "" ? undefined : String(given.value)

const checkInfo = (draft: Draft, { path, value }: Given): void => {
  if (!isTree(value)) return draft.error({ path, value }, "a map of settings")
  for (const [key, inner] of Object.entries(value)) {
    const given = { value: inner, path: below(path, key) }
    if (isUnset(inner) || draft.checkKnown("model_info", key, given)) continue
    if (key.startsWith("supports_")) continue
    draft.warn(given.path, "No such key: not read.", suggestion("model_info", key))
  }
}

const readEntry = (draft: Draft, around: Surroundings, raw: unknown, path: string): Source | undefined => {
  if (!isTree(raw)) {
    draft.error({ path, value: raw }, "a map with `model_name` and `litellm_params`")
    return undefined
  }
  for (const [key, value] of Object.entries(raw)) {
    if (isUnset(value) || find("model_list", key) !== undefined) continue
    draft.warn(below(path, key), "No such key: not read.", suggestion("model_list", key))
  }
  const { litellm_params: own, model_info: info, model_name: group } = raw
  const at = below(path, "litellm_params")
  if (!isText(group)) draft.error({ path: below(path, "model_name"), value: group }, "the model group's name")
  if (!isTree(own)) draft.error({ path: at, value: own }, "a map with at least `model`")
  if (!isText(group) || !isTree(own)) return undefined
  checkParams(draft, { value: own, path: at })
  const infoGiven = isUnset(info) ? undefined : { value: info, path: below(path, "model_info") }
  if (infoGiven !== undefined) checkInfo(draft, infoGiven)
  const layers = [{ value: own, path: at }]
  const credential = new Params(layers).get("litellm_credential_name")
  const named = around.credentials.get(String(credential?.value))
  if (named !== undefined) layers.push(named)
  else if (credential !== undefined) {
    const meant = closest(String(credential.value), around.credentials.keys())
    draft.warn(credential.path, "No entry of `credential_list` has this name.", meant)
  }
  if (around.defaults !== undefined) layers.push(around.defaults)
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
const isPaused = (draft: Draft, { info }: Source, env: Env): boolean => {
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

const hostOf = (url: string): string => (URL.canParse(url) ? new URL(url).host : url)

const budgetOf = (draft: Draft, { params }: Source): Made["budget"] => {
  const limit = params.get("max_budget")
  const window = params.get("budget_duration")
  if (limit === undefined) {
    if (window !== undefined) draft.warn(window.path, "Means nothing without `max_budget`.")
    return undefined
  }
  if (window === undefined) {
    draft.warn(limit.path, "Means nothing without `budget_duration`.")
    return undefined
  }
  return { limit: { ...limit, value: toNumber(limit.value) }, window: { ...window, value: period(window.value) } }
}

const notProbed = new Set(["chat", "completion"])

const probing = ({ info }: Source): boolean => {
  const mode = info.get("mode")
  if (mode !== undefined && !notProbed.has(String(mode.value))) return false
  return !isOn(info.get("disable_background_health_check")?.value)
}

/** A name and a model in place of those that an entry gives, for `*`, which stands for every provider. */
interface As {
  readonly group: string
  readonly provider: string
  readonly model: string
}

const build = (
  draft: Draft,
  around: Surroundings,
  source: Source,
  as: As,
  organization: Given | undefined
): Made | undefined => {
  const { info, params, path } = source
  const model = params.get("model") ?? { value: as.model, path }
  const place = {
    provider: as.provider,
    model: as.model,
    apiBase: asText(params.get("api_base") ?? params.get("base_url")),
    apiKey: asText(params.get("api_key")),
    apiVersion: asText(params.get("api_version")),
    bearer: asText(params.get("azure_ad_token"))
  }
  const endpoint: Endpoint | string = endpointOf(place, around.env)
  if (typeof endpoint === "string") {
    draft.warn(model.path, `The deployment is left out: ${clause(endpoint)}`)
    return undefined
  }
  if (endpoint.isForeign) {
    draft.noteOnce(model.path, `${as.provider} is asked at its OpenAI-compatible API, ${endpoint.baseUrl}.`)
  }
  if (endpoint.missingKey.length > 0) {
    const names = endpoint.missingKey.join(", ")
    draft.note(
      model.path,
      `There is no \`api_key\`, and the environment has no ${names}: requests go out without a key.`
    )
  }
  const base = params.get("api_base") ?? params.get("base_url")
  const made = Object.assign(new DeploymentDraft(), {
    group: as.group,
    path,
    isProbed: probing(source),
    budget: budgetOf(draft, source)
  })
  made.put("id", info.get("id"), String)
  made.put("group", { value: as.group, path: below(path, "model_name") })
  made.put("model", { ...model, value: endpoint.model })
  made.put("provider", { value: as.provider, path: params.get("custom_llm_provider")?.path ?? model.path })
  made.put("baseUrl", { value: endpoint.baseUrl, path: base?.path ?? model.path })
  if (endpoint.apiKey !== undefined) {
    made.put("apiKey", { value: endpoint.apiKey, path: params.get("api_key")?.path ?? model.path })
  }
  fill(draft, made, source, organization, endpoint.headers, source.infoGiven)
  return made
}

/** The providers that `*` leads to: those whose key is in the environment. */
const everyProvider = (env: Env): ReadonlyArray<As> =>
  KnownProviders.providers
    .filter(
      ({ baseUrl, keyVariables }) => baseUrl !== undefined && KnownProviders.firstSet(keyVariables, env) !== undefined
    )
    .map(({ name }) => ({ group: `${name}/*`, provider: name, model: "*" }))

const targets = (draft: Draft, around: Surroundings, source: Source): ReadonlyArray<As> => {
  const { group, params, path } = source
  const given = params.get("model")
  if (given === undefined || !isText(given.value)) {
    draft.error({ path: below(below(path, "litellm_params"), "model"), value: given?.value }, "provider/model")
    return []
  }
  const renamed = Object.hasOwn(around.renamed, given.value) ? around.renamed[given.value] : undefined
  const hasBase = params.get("api_base") !== undefined || params.get("base_url") !== undefined
  const whole = isText(renamed) ? renamed : given.value
  const named = asText(params.get("custom_llm_provider"))
  const { model, provider } = splitModel(whole, named, hasBase)
  if (provider === undefined) {
    const slash = whole.indexOf("/")
    const meant = slash === -1 ? undefined : closest(whole.slice(0, slash), prefixes)
    const name = meant === undefined ? undefined : meant + whole.slice(slash)
    draft.warn(given.path, "The deployment is left out: this names no provider, as `provider/model` would.", name)
    return []
  }
  const one = { group, provider, model }
  const isEverything = group === "*" && whole === "*" && named === undefined && !hasBase
  if (!isEverything || params.get("api_key") !== undefined) return [one]
  draft.note(given.path, "Stands for `provider/*` of each provider whose key is in the environment, and for OpenAI.")
  return [one, ...everyProvider(around.env)]
}

const differing = (members: ReadonlyArray<Made>, field: (made: Made) => string): boolean =>
  new Set(members.map(field)).size > 1

const versionOf = ({ fields }: Made): string => /api-version=([^&]*)/.exec(String(fields.baseUrl))?.[1] ?? ""
const regionOf = ({ fields }: Made): string => (isUnset(fields.region) ? "" : String(fields.region))

/**
 * Ids for deployments without one: group, provider, model and host; version and region where they tell deployments apart; a
 * number where nothing does. Limits, weights and keys take no part, so changing them keeps a deployment's state.
 */
const identify = (deployments: ReadonlyArray<Made>): void => {
  const taken = new Set(deployments.flatMap(({ fields }) => (isText(fields.id) ? [fields.id] : [])))
  const alike = new Map<string, Array<Made>>()
  for (const made of deployments) {
    if (made.fields.id !== undefined) continue
    const { baseUrl, model, provider } = made.fields
    const name = `${made.group}:${provider}/${model}@${hostOf(String(baseUrl))}`
    alike.set(name, [...(alike.get(name) ?? []), made])
  }
  for (const [name, members] of alike) {
    const hasVersions = differing(members, versionOf)
    const hasRegions = differing(members, regionOf)
    for (const made of members) {
      const region = hasRegions && regionOf(made) !== "" ? `+${regionOf(made)}` : ""
      const version = hasVersions && versionOf(made) !== "" ? `+${versionOf(made)}` : ""
      const full = name + region + version
      let id = full
      for (let number = 2; taken.has(id); number++) id = `${full}#${number}`
      taken.add(id)
      made.fields.id = id
    }
  }
}

/** One for each deployment that an entry stands for. */
const organizationsOf = ({ params }: Source): ReadonlyArray<Given | undefined> => {
  const given = params.get("organization")
  const all = toList(given?.value)
  return given === undefined || all.length === 0 ? [undefined] : all.map((value) => ({ value, path: given.path }))
}

/** The deployments of one entry; an id of its own gets `#2`, `#3` where they are several. */
const makeAll = (draft: Draft, around: Surroundings, source: Source): ReadonlyArray<Made> => {
  const all: Array<Made> = []
  for (const as of targets(draft, around, source)) {
    for (const organization of organizationsOf(source)) {
      const made = build(draft, around, source, as, organization)
      if (made === undefined) continue
      all.push(made)
      if (isText(made.fields.id) && all.length > 1) made.fields.id = `${made.fields.id}#${all.length}`
    }
  }
  return all
}

/** Translates `model_list`. */
export const readModelList = (draft: Draft, around: Surroundings, given: Given): ModelList => {
  const { path, value } = given
  if (!Array.isArray(value)) {
    draft.error(given, "a list of models")
    return { deployments: [], empty: new Set() }
  }
  const deployments: Array<Made> = []
  const groups = new Map<string, string>()
  const unreachable = new Set<string>()
  value.forEach((raw: unknown, index) => {
    const source = readEntry(draft, around, raw, below(path, index))
    if (source === undefined) return
    const { group } = source
    if (!groups.has(group)) groups.set(group, below(source.path, "model_name"))
    if (isPaused(draft, source, around.env)) return
    const made = makeAll(draft, around, source)
    if (made.length === 0) unreachable.add(group)
    deployments.push(...made)
  })
  identify(deployments)
  const empty = new Set<string>()
  for (const [group, at] of groups) {
    if (deployments.some((made) => made.group === group)) continue
    empty.add(group)
    const message = "The group has no deployment left, so nobody can ask for it."
    if (unreachable.has(group)) draft.warn(at, message)
    else draft.note(at, message)
  }
  return { deployments, empty }
}
