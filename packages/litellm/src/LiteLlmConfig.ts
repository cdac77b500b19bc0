/**
 * LiteLLM's `config.yaml` in our own words: every key that routing needs becomes a setting of ours, every other one a
 * finding, so that nothing is ignored in silence.
 */

import type { Finding } from "@switchyard/core/Problem"
import { Draft, Reader } from "./draft.js"
import { Globals } from "./globals.js"
import type { Key } from "./keys/key.js"
import * as Keys from "./keys/keys.js"
import { tellLimits } from "./limits.js"
import { tellLiterals } from "./literals.js"
import type { Env } from "./models/endpoint.js"
import type { Surroundings } from "./models/entry.js"
import { type Made, type ModelList, readModelList } from "./models/modelList.js"
import { checkParams } from "./models/params.js"
import { readNames, renamedModels } from "./names.js"
import { readProxySettings } from "./settings/proxySettings.js"
import { readRouterSettings } from "./settings/routerSettings.js"
import { tellUnset } from "./unset.js"
import {
  asWords,
  below,
  type Given,
  isOn,
  isText,
  isTree,
  isUnset,
  type Tree,
  toList,
  type UnsetVariables
} from "./values.js"
import { readVariables } from "./variables.js"

export type { Env, Key, UnsetVariables }

/** A LiteLLM file, translated. */
export interface Translation {
  /** The same settings as `GatewayConfig.decode` takes them. */
  readonly settings: Readonly<Record<string, unknown>>
  /** Where settings come from: a path of `settings` to the path in the file. The longest path that fits is the one. */
  readonly origins: ReadonlyMap<string, string>
  readonly findings: ReadonlyArray<Finding>
}

/** Every key of LiteLLM's that is known here, and what becomes of it: the documentation and the warnings are made of it. */
export const keys: ReadonlyArray<Key> = Keys.keys

/** The top-level keys that belong to LiteLLM's format; all others are ours. */
export const topLevelKeys: ReadonlyArray<string> = keys.flatMap(({ key, section }) => (section === "file" ? [key] : []))

type GivenTree = Given & { readonly value: Tree }

const environment = (draft: Draft, { environment_variables: given }: Tree, env: Env): Env => {
  if (isUnset(given)) return env
  if (!isTree(given)) {
    draft.error({ value: given, path: "environment_variables" }, "a map of names to values")
    return env
  }
  const own = Object.entries(given).flatMap(([name, value]) => {
    const text = asWords(value)
    return text === undefined ? [] : [[name, text] as const]
  })
  return { ...env, ...Object.fromEntries(own) }
}

const credentials = (draft: Draft, { credential_list: given }: Tree): ReadonlyMap<string, GivenTree> => {
  const found = new Map<string, GivenTree>()
  if (isUnset(given)) return found
  if (!Array.isArray(given)) {
    draft.error({ value: given, path: "credential_list" }, "a list of credentials")
    return found
  }
  given.forEach((entry: unknown, index) => {
    const path = below("credential_list", index)
    if (isTree(entry) && isText(entry.credential_name) && isTree(entry.credential_values)) {
      const values = { value: entry.credential_values, path: below(path, "credential_values") }
      checkParams(draft, values)
      if (found.has(entry.credential_name)) draft.warn(path, "An earlier credential of this name wins.")
      else found.set(entry.credential_name, values)
    } else draft.error({ value: undefined, path }, "a map with `credential_name` and `credential_values`")
  })
  return found
}

const defaultParams = (draft: Draft, router: Reader): GivenTree | undefined => {
  const given = router.get("default_litellm_params")
  if (given === undefined) return undefined
  if (!isTree(given.value)) {
    draft.error(given, "a map of litellm_params")
    return undefined
  }
  const found = { value: given.value, path: given.path }
  checkParams(draft, found)
  return found
}

const handlers = (settings: Reader): ReadonlySet<string> =>
  new Set(
    toList(settings.get("custom_provider_map")?.value).flatMap((entry) =>
      isTree(entry) && isText(entry.provider) ? [entry.provider] : []
    )
  )

const putDeployments = (draft: Draft, deployments: ReadonlyArray<Made>): void => {
  draft.set(
    ["deployments"],
    deployments.map(({ fields }) => fields),
    "model_list"
  )
  deployments.forEach(({ origins, path }, index) => {
    draft.origins.set(`deployments[${index}]`, path)
    for (const [field, origin] of origins) draft.origins.set(`deployments[${index}].${field}`, origin)
  })
}

const modelNames = (list: unknown): ReadonlySet<string> =>
  new Set(
    (Array.isArray(list) ? list : []).flatMap((entry: unknown) => {
      const params = isTree(entry) ? entry.litellm_params : undefined
      return isTree(params) && isText(params.model) ? [params.model] : []
    })
  )

const inDatabase =
  "models in the file: those of this proxy are in its database, which is not read; export them (GET /model/info) into model_list"

const readList = (
  draft: Draft,
  tree: Tree,
  general: Reader,
  around: Surroundings,
  without: ReadonlySet<string>
): ModelList => {
  const given = { value: tree.model_list ?? [], path: "model_list" }
  const list = readModelList(draft, around, given, without)
  const { deployments, leftOut } = list
  if (deployments.length > 0 || !Array.isArray(given.value) || tree.deployments !== undefined) return list
  if (draft.findings.some(({ path, severity }) => severity === "error" && path.startsWith("model_list["))) return list
  const isEmpty = given.value.length === 0
  const stored = [general.get("store_model_in_db")?.value, around.env.STORE_MODEL_IN_DB].some(isOn)
  if (isEmpty && stored) draft.error({ value: undefined, path: "model_list" }, inDatabase)
  else if (!isEmpty || !isUnset(tree.model_list)) {
    draft.error(
      { value: undefined, path: "model_list" },
      `at least one deployment that can be reached${leftOut.causes}`
    )
  }
  return list
}

/**
 * Translates the LiteLLM part of a file; keys of ours in it are left alone. References to the environment are resolved
 * already; `env` is where keys and base URLs are looked up that the file does not give, as LiteLLM does (`OPENAI_API_KEY`).
 * `unset` are the references to variables that are not set. `without` are entries, by their paths, of which no deployment is to
 * be made, as if their provider could not be reached. A file without a LiteLLM key gives nothing.
 */
export const translate = (
  tree: Readonly<Record<string, unknown>>,
  env: Env = {},
  unset: UnsetVariables = new Map(),
  without: ReadonlySet<string> = new Set()
): Translation => {
  const draft = new Draft(unset)
  const { findings, origins, settings } = draft
  if (!topLevelKeys.some((key) => draft.says({ value: tree[key], path: key }))) return { settings, origins, findings }
  for (const key of topLevelKeys) {
    const given = { value: tree[key], path: key }
    if (draft.says(given)) draft.checkKnown("file", key, given)
    tellLiterals(draft, given.value, key, key)
  }
  const section = (name: "router_settings" | "litellm_settings" | "general_settings") =>
    new Reader(draft.section(name, { value: tree[name], path: name }), name)
  const globals = new Globals(draft, section("router_settings"), section("litellm_settings"))
  const general = section("general_settings")
  const renamed = renamedModels(draft, globals.settings.get("model_alias_map"))
  const verify = globals.settings.get("ssl_verify")
  const around = {
    certificates:
      verify === undefined ? undefined : { value: { ssl_verify: verify.value }, path: globals.settings.path },
    env: environment(draft, tree, env),
    credentials: credentials(draft, tree),
    defaults: defaultParams(draft, globals.router),
    handlers: handlers(globals.settings),
    renamed
  }
  const list = readList(draft, tree, general, around, without)
  const { deployments } = list
  readNames(draft, globals, list, renamed, modelNames(tree.model_list), tree)
  readRouterSettings(draft, globals, general, deployments, tree.strategy !== undefined)
  if (Object.keys(list.leftOut.refused).length > 0) draft.set(["unserved"], list.leftOut.refused, "model_list")
  tellLimits(draft, globals, deployments)
  readProxySettings(draft, globals, general, deployments)
  readVariables(draft, general, tree, env)
  if (deployments.length > 0) putDeployments(draft, deployments)
  tellUnset(draft, env)
  return { settings, origins, findings }
}
