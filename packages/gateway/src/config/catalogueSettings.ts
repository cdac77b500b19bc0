/**
 * What a file says of providers and models in place of what is publicly known of them.
 */
import { DeploymentConfig } from "@switchyard/core/Deployment"
import * as Field from "@switchyard/core/Field"
import { Schema } from "effect"

/** A provider: a new one, or what is otherwise with a known one. */
const CatalogueProvider = Schema.Struct({
  ...DeploymentConfig.pick("baseUrl", "protocol", "dialect", "apiVersion", "headers", "batchDiscount").fields,
  /** Environment variables that may hold the key, the first that is set counts. Default: the provider's name with `_API_KEY`. */
  keyVariables: Field.option(
    Schema.Array(Field.text),
    "Environment variables that may hold the key, the first that is set counts. Default: the provider's name with `_API_KEY`."
  )
})

/** What a model is, whoever is asked for it: fields of deployments, which a deployment's own beat. */
const CatalogueModel = DeploymentConfig.pick(
  "baseModel",
  "baseUrl",
  "protocol",
  "dialect",
  "contextWindow",
  "capabilities",
  "operations",
  "inputPrice",
  "cachedInputPrice",
  "outputPrice",
  "perImage",
  "imagePrices",
  "perSecond",
  "perCharacter",
  "perSearch",
  "batchDiscount",
  "defaults"
)

/** Providers and models beside those that are publicly known, or otherwise. */
export const Catalogue = Schema.Struct({
  /** Providers by the name that stands before the slash in `provider/model`. */
  providers: Field.option(
    Schema.Record({ key: Field.text, value: CatalogueProvider }),
    "Providers by the name that stands before the slash in `provider/model`."
  ),
  /** Models as `provider/model`; `provider/*` for all others of a provider. */
  models: Field.option(
    Schema.Record({ key: Field.text, value: CatalogueModel }),
    "Models as `provider/model`; `provider/*` for all others of a provider."
  )
})

type Tree = Readonly<Record<string, unknown>>

const isTree = (value: unknown): value is Tree => typeof value === "object" && value !== null && !Array.isArray(value)
const text = (value: unknown): string | undefined => (typeof value === "string" && value !== "" ? value : undefined)

const at = (tree: unknown, name: string): Tree | undefined => {
  if (!isTree(tree) || !Object.hasOwn(tree, name)) return undefined
  const found = tree[name]
  return isTree(found) ? found : undefined
}

/** Whose model a deployment names: as it says itself, else as its model begins. */
const namedIn = ({ model, provider }: Tree): { readonly provider: string; readonly rest: string } | undefined => {
  const [name, label] = [text(model), text(provider)]
  if (name === undefined) return undefined
  const slash = name.indexOf("/")
  if (label !== undefined)
    return { provider: label, rest: name.startsWith(`${label}/`) ? name.slice(label.length + 1) : name }
  return slash > 0 ? { provider: name.slice(0, slash), rest: name.slice(slash + 1) } : undefined
}

/** The section of a file, as it stands there: what is wrong with it, its schema says. */
export class CatalogueSection {
  constructor(
    private readonly section: unknown,
    private readonly env: Readonly<Record<string, string | undefined>>
  ) {}

  /** What it says of the provider of a deployment; undefined where it has nothing about that. */
  providerOf(entry: Tree): Tree | undefined {
    const named = namedIn(entry)
    const said = named === undefined ? undefined : at(at(this.section, "providers"), named.provider)
    if (named === undefined || said === undefined) return undefined
    const { keyVariables, ...fields } = said
    const usual = [`${named.provider.toUpperCase().replace(/[^A-Z0-9]+/g, "_")}_API_KEY`]
    const variables: ReadonlyArray<unknown> = Array.isArray(keyVariables) ? keyVariables : usual
    const apiKey = variables.flatMap((name) => text(this.env[String(name)]) ?? [])[0]
    return { provider: named.provider, model: named.rest, ...fields, ...(apiKey === undefined ? {} : { apiKey }) }
  }

  /** A deployment with what is said of its model, where it does not say that itself. `written` is its model as the file has it. */
  withModel(entry: Tree, written: string | undefined): Tree {
    const models = at(this.section, "models")
    if (models === undefined) return entry
    const own = text(entry["provider"])
    const names = [written, `${own}/${text(entry["model"])}`, `${own ?? written?.split("/")[0]}/*`]
    const said = names
      .map((name) => (name === undefined ? undefined : at(models, name)))
      .find((one) => one !== undefined)
    return said === undefined ? entry : { ...said, ...entry }
  }
}
