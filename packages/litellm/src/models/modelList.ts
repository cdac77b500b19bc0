import * as Wildcard from "@switchyard/core/Wildcard"
import * as KnownProviders from "@switchyard/providers/KnownProviders"
import { clause, type Draft, firstOf } from "../draft.js"
import {
  asWords,
  below,
  type Given,
  isOn,
  isText,
  isTree,
  isUnset,
  period,
  toList,
  toNumber,
  toWords
} from "../values.js"
import { account, hasAccount } from "./account.js"
import { fill } from "./deployment.js"
import { DeploymentDraft } from "./deploymentDraft.js"
import { endpointOf } from "./endpoint.js"
import { isPaused, readEntry, type Source, type Surroundings } from "./entry.js"
import { identify } from "./identify.js"
import { LeftOut } from "./leftOut.js"
import { hasOciAccount, tellMissing } from "./oci.js"
import { isCompletionOnly, isResponsesOnly, mediaOperations } from "./operations.js"
import type { Params } from "./params.js"
import { asText, baseModelsOf, isUnserved, lacksVariable, targets, type Work } from "./targets.js"
import { tellForeign, watsonxParams } from "./watsonx.js"
import type { As } from "./wildcards.js"

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
  readonly leftOut: LeftOut
}

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
  if (mode !== undefined && !notProbed.has(asWords(mode.value) ?? "")) return false
  return !isOn(info.get("disable_background_health_check")?.value)
}

/** Where a deployment is asked, by the names that its provider has for that. */
const baseOf = (params: Params, provider: string): Given | undefined =>
  firstOf(
    provider.startsWith("sagemaker") ? params.get("sagemaker_base_url") : undefined,
    params.get("api_base"),
    params.get("base_url"),
    params.get("aws_bedrock_runtime_endpoint")
  )

const build = (
  { around, draft, leftOut }: Work,
  source: Source,
  as: As,
  organization: Given | undefined
): Made | undefined => {
  const { info, params, path } = source
  const model = params.get("model") ?? { value: as.model, path }
  const wx = as.provider === "watsonx" ? watsonxParams(params, around.env) : undefined
  const base = wx?.base ?? baseOf(params, as.provider)
  const key = wx?.key ?? params.get("api_key")
  const place = {
    provider: as.provider,
    model: as.model,
    apiBase: asText(base),
    apiKey: asText(key),
    authorization: wx?.authorization,
    apiVersion: asText(params.get("api_version")),
    bearer: asText(params.get("azure_ad_token")),
    isResponses: isResponsesOnly(info.get("mode")?.value, as.provider, as.model, baseModelsOf(source)),
    hasAccount: hasAccount(params, as.provider),
    ociRegion: asText(params.get("oci_region")),
    snowflakeAccount: as.provider.startsWith("snowflake") ? asText(params.get("account_id")) : undefined,
    isSigned: as.provider === "oci" && hasOciAccount(params, around.env)
  }
  const endpoint = endpointOf(place, around.env)
  if ("sentence" in endpoint) {
    const sentence = `The deployment is left out: ${clause(endpoint.sentence)}`
    if (endpoint.dialect) leftOut.dialect(path, model.path, as.provider, sentence)
    else leftOut.other(path, model.path, sentence)
    return undefined
  }
  const { protocol = "openai" } = KnownProviders.find(as.provider) ?? {}
  if (endpoint.protocol === "openai" && protocol !== "openai") {
    draft.noteOnce(model.path, `${as.provider} is asked at its OpenAI-compatible API.`)
  }
  if (endpoint.missingKey.length > 0) {
    const names = endpoint.missingKey.join(", ")
    draft.note(
      model.path,
      `There is no \`api_key\`, and the environment has no ${names}: requests go out without a key.`
    )
  }
  const made = Object.assign(new DeploymentDraft(), {
    group: as.group,
    path,
    isProbed: probing(source),
    budget: budgetOf(draft, source)
  })
  made.put("id", info.get("id"), toWords)
  made.put("group", { value: as.group, path: below(path, "model_name") })
  // An ARN of one's own is asked in place of the model that it stands for.
  // An endpoint of one's own is asked in place of the model that it stands for, too.
  const isDedicated = endpoint.protocol === "oci" && params.get("oci_serving_mode")?.value === "DEDICATED"
  const arn =
    endpoint.protocol === "bedrock" ? params.get("model_id") : isDedicated ? params.get("oci_endpoint_id") : undefined
  if (arn === undefined || isUnset(arn.value)) made.put("model", { ...model, value: endpoint.model })
  else {
    made.put("model", arn, toWords)
    made.put("baseModel", { ...model, value: endpoint.model })
  }
  made.put("provider", { value: as.provider, path: params.get("custom_llm_provider")?.path ?? model.path })
  made.put("baseUrl", { value: endpoint.baseUrl, path: base?.path ?? model.path })
  if (endpoint.protocol !== "openai") made.put("protocol", { value: endpoint.protocol, path: model.path })
  made.put("dialect", { value: endpoint.dialect, path: model.path })
  made.put("location", { value: endpoint.location, path: model.path })
  account(draft, made, params, { provider: as.provider, env: around.env, path: model.path })
  if (endpoint.protocol === "oci") {
    tellMissing(draft, params, around.env, path)
    made.put("project", params.get("oci_compartment_id"), String)
    made.put("location", params.get("oci_region"), String)
  }
  if (wx === undefined) tellForeign(draft, params, as.provider)
  made.put("project", wx?.project, toWords)
  if (endpoint.baseUrl === undefined) made.put("location", wx?.region, toWords)
  if (endpoint.protocol === "watsonx") made.put("apiVersion", params.get("api_version"), toWords)
  if (endpoint.apiKey !== undefined) {
    made.put("apiKey", { value: endpoint.apiKey, path: key?.path ?? model.path })
  }
  if (isCompletionOnly(as.provider, as.model) && info.get("mode")?.value !== "embedding") {
    made.fields.operations = ["completion"]
    draft.warn(model.path, "Serves `/v1/completions` alone: chats are not turned into one text.")
  }
  const media = mediaOperations(info.get("mode")?.value, [as.model, ...baseModelsOf(source)])
  if (media !== undefined) made.fields.operations = media
  const component = as.provider.startsWith("sagemaker") ? asText(params.get("model_id")) : undefined
  const own = component === undefined ? {} : { "x-amzn-sagemaker-inference-component": component }
  fill(draft, made, source, organization, { ...endpoint.headers, ...own }, source.infoGiven)
  return made
}

/** One for each deployment that an entry stands for. */
const organizationsOf = ({ params }: Source): ReadonlyArray<Given | undefined> => {
  const given = params.get("organization")
  const all = toList(given?.value)
  return given === undefined || all.length === 0 ? [undefined] : all.map((value) => ({ value, path: given.path }))
}

/** The deployments of one entry; an id of its own gets `#2`, `#3` where they are several. */
const makeAll = (work: Work, source: Source): ReadonlyArray<Made> => {
  if (lacksVariable(work, source)) return []
  const all: Array<Made> = []
  const found = targets(work, source)
  const [only] = found
  if (found.length === 1 && only !== undefined && isUnserved(work, source, only)) return []
  for (const as of found) {
    for (const organization of organizationsOf(source)) {
      const made = build(work, source, as, organization)
      if (made === undefined) continue
      all.push(made)
      if (isText(made.fields.id) && all.length > 1) made.fields.id = `${made.fields.id}#${all.length}`
    }
  }
  return all
}

/** Says which groups nobody can ask for, and why. */
const tellEmpty = (
  { draft, unserved }: Work,
  groups: ReadonlyMap<string, string>,
  served: ReadonlySet<string>,
  unreachable: ReadonlySet<string>
): ReadonlySet<string> => {
  const empty = new Set<string>()
  for (const [group, at] of groups) {
    const { operations, path } = unserved.get(group) ?? {}
    const lack = operations === undefined ? "" : `there is no endpoint for ${[...operations].join(" and ")}`
    if (served.has(group)) {
      if (path !== undefined) draft.warn(path, `This and all alike of the group are left out: ${lack}.`)
      continue
    }
    empty.add(group)
    const wildcard = [...served].find((name) => name.includes("*") && Wildcard.matches(Wildcard.make(name), group))
    const asked = wildcard === undefined ? "nobody can ask for it" : `\`${wildcard}\` takes the requests for it`
    if (lack !== "") draft.warn(at, `Nobody can ask for this group: ${lack}.`)
    else if (served.size === 0) continue
    else if (unreachable.has(group)) draft.warn(at, `The group has no deployment left, so ${asked}.`)
    else draft.note(at, `The group has no deployment left, so ${asked}.`)
  }
  return empty
}

/** Translates `model_list`; of the entries `without` nothing is made. */
export const readModelList = (
  draft: Draft,
  around: Surroundings,
  given: Given,
  without: ReadonlySet<string>
): ModelList => {
  const { path, value } = given
  const leftOut = new LeftOut(draft)
  if (!Array.isArray(value)) {
    draft.error(given, "a list of models")
    return { deployments: [], empty: new Set(), leftOut }
  }
  const work: Work = { draft, around, leftOut, unserved: new Map() }
  const deployments: Array<Made> = []
  const groups = new Map<string, string>()
  const served = new Set<string>()
  const unreachable = new Set<string>()
  const readOne = (raw: unknown, at: string): ReadonlyArray<Made> | "none" => {
    const source = readEntry(draft, around, raw, at)
    if (source === undefined || isPaused(draft, source, around.env)) return "none"
    if (!without.has(at)) return makeAll(work, source)
    draft.leftOut.add(at)
    return []
  }
  value.forEach((raw: unknown, index) => {
    const at = below(path, index)
    const group = isTree(raw) && isText(raw.model_name) ? raw.model_name : undefined
    if (group !== undefined && !groups.has(group)) groups.set(group, below(at, "model_name"))
    const made = draft.within(at, () => readOne(raw, at))
    if (made === "none" || group === undefined) return
    if (made === undefined || made.length === 0) unreachable.add(group)
    else {
      served.add(group)
      deployments.push(...made)
    }
  })
  identify(draft, deployments)
  return { deployments, empty: tellEmpty(work, groups, served, unreachable), leftOut }
}
