import { closest } from "@switchyard/core/Closest"
import * as KnownProviders from "@switchyard/providers/KnownProviders"
import type { Draft } from "../draft.js"
import { notSet } from "../unset.js"
import { asWords, below, type Given, isText } from "../values.js"
import type { Source, Surroundings } from "./entry.js"
import type { LeftOut } from "./leftOut.js"
import { unservedOperation } from "./operations.js"
import { prefixes, splitModel } from "./providerNames.js"
import { type As, everything, isEverything } from "./wildcards.js"

/** What reading the list works with. */
export interface Work {
  readonly draft: Draft
  readonly around: Surroundings
  readonly leftOut: LeftOut
  /** Groups with deployments for which there is no endpoint: what these do, and where the first of them stands. */
  readonly unserved: Map<string, { readonly operations: Set<string>; readonly path: string }>
}

/** A text; undefined where it is empty, or no single value. */
export const asText = (given: Given | undefined): string | undefined => asWords(given?.value) || undefined

/** Without these nobody can tell where requests would go, or who would pay. */
const neededParams = [
  ["model"],
  ["custom_llm_provider"],
  ["api_base", "base_url"],
  ["litellm_credential_name"],
  ["api_key", "azure_ad_token"]
]

/** Servers of one's own, which mostly want no key. */
const keyless: ReadonlySet<string> = new Set(
  KnownProviders.providers.flatMap(({ keyVariables, name }) => (keyVariables.length === 0 ? [name] : []))
)
const isKeyless = (provider: string | undefined): boolean =>
  provider !== undefined && (keyless.has(provider) || provider.startsWith("ollama"))

/** Leaves an entry out whose key or address is in a variable that is not set. True when it is. */
export const lacksVariable = ({ around, draft, leftOut }: Work, { params, path }: Source): boolean => {
  const missing = neededParams.flatMap((keys) => {
    if (keys.some((key) => params.get(key) !== undefined)) return []
    return keys.flatMap((key) => params.places(key)).filter((place) => draft.unset.get(place)?.hasStandIn === false)
  })
  const names = missing.flatMap((place) => draft.unset.get(place)?.names ?? [])
  const [first] = missing
  if (first === undefined) return false
  const model = asText(params.get("model")) ?? ""
  const { provider } = splitModel(model, asText(params.get("custom_llm_provider")), true)
  const isKeyOnly = missing.every((place) => /\.(api_key|azure_ad_token)$/.test(place))
  if (isKeyOnly && isKeyless(provider)) {
    draft.warn(first, `${notSet(names, around.env)}: requests go out without a key.`)
    return false
  }
  for (const place of missing) draft.leftOut.add(place)
  const which = first.startsWith(`${path}.`) ? "The deployment" : path
  leftOut.unset(path, first, names, `${which} is left out: ${notSet([...new Set(names)], around.env)}.`)
  return true
}

/** The groups, providers and models that an entry stands for; none where it is left out. */
export const targets = ({ around, draft, leftOut }: Work, source: Source): ReadonlyArray<As> => {
  const { group, params, path } = source
  const at = below(below(path, "litellm_params"), "model")
  const given = params.get("model")
  if (given === undefined || typeof given.value !== "string") {
    draft.error({ path: at, value: given?.value }, "provider/model")
    return []
  }
  const renamed = Object.hasOwn(around.renamed, given.value) ? around.renamed[given.value] : undefined
  const hasBase = params.get("api_base") !== undefined || params.get("base_url") !== undefined
  const whole = isText(renamed) ? renamed : given.value
  const named = asText(params.get("custom_llm_provider"))
  if (isEverything(group, whole) && named === undefined && !hasBase) {
    const { refused, targets } = everything(group, asText(params.get("api_key")), around.env)
    Object.assign(leftOut.refused, refused)
    const names = [...new Set(targets.map(({ provider }) => provider))].join(", ")
    if (targets.length > 0)
      draft.note(given.path, `Stands for the models of ${names}; a name that means another provider is refused.`)
    else
      leftOut.other(
        path,
        given.path,
        "The deployment is left out: it stands for every provider whose key is in the environment, and there is none."
      )
    return targets
  }
  const handler = named ?? whole.split("/")[0] ?? ""
  if (around.handlers.has(handler)) {
    leftOut.other(
      path,
      given.path,
      `The deployment is left out: ${handler} is a handler in Python (\`litellm_settings.custom_provider_map\`), and none is loaded here.`
    )
    return []
  }
  const { model, provider } = splitModel(whole, named, hasBase || draft.unset.has(given.path))
  if (model === "") {
    leftOut.other(path, given.path, "The deployment is left out: this names no model, as `provider/model` would.")
    return []
  }
  if (provider === undefined) {
    const slash = whole.indexOf("/")
    const meant = slash === -1 ? undefined : closest(whole.slice(0, slash), prefixes)
    const name = meant === undefined ? undefined : meant + whole.slice(slash)
    const sentence = "The deployment is left out: this names no provider, as `provider/model` would."
    leftOut.other(path, given.path, sentence, name)
    return []
  }
  if (named === undefined && provider === "openai" && model === whole && model.includes("/")) {
    draft.note(given.path, "The whole name is sent as the model: what stands before its slash is no provider.")
  }
  if (model.includes("*") && !group.includes("*")) {
    draft.warn(
      given.path,
      "The star is sent as it is, as a model's name: it stands for something only where `model_name` has one too."
    )
  }
  return [{ group, provider, model }]
}

/** What an entry says that its model is publicly known as. */
export const baseModelsOf = ({ info, params }: Source): ReadonlyArray<string> =>
  [params.get("base_model"), info.get("base_model")].flatMap((given) => asWords(given?.value) ?? [])

/** Leaves an entry out that nobody could ask rightly. True when it is. */
export const isUnserved = ({ draft, unserved }: Work, source: Source, { model, provider }: As): boolean => {
  const { group, info, path } = source
  const mode = info.get("mode")?.value
  const protocol = KnownProviders.find(provider)?.protocol ?? "openai"
  const operation = unservedOperation(mode, [model, ...baseModelsOf(source)], protocol)
  if (operation === undefined) return false
  draft.leftOut.add(path)
  const known = unserved.get(group)
  if (known === undefined) unserved.set(group, { operations: new Set([operation]), path })
  else known.operations.add(operation)
  return true
}
