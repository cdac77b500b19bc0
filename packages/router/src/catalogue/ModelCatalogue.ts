/**
 * What is publicly known of models: what they cost, how long their prompts may be, how much they write. The data is part
 * of the package (`scripts/model-catalogue.mjs` renews it) and nothing is ever fetched. A provider's models are read when
 * it is first asked for, and what was found for a name is remembered.
 */
import { catalogueDate, catalogueRows } from "./catalogueData.js"
import { type Clause, matches } from "./nameClause.js"
import type { Price, Rates } from "./price.js"

/** What is known of one model at one provider. */
export interface Model {
  /** The catalogue's name of the provider, for example `openai`, `aws`, `together`. */
  readonly provider: string
  /** The catalogue's name of the model; dated and regional names of it are the same model. */
  readonly id: string
  /** List prices; undefined when unknown. What is billed by the piece alone has rates of 0. */
  readonly price: Price | undefined
  /** What it is for, as LiteLLM calls it: `chat`, `embedding`, `rerank`, `image_generation`, …; undefined when unknown. */
  readonly mode: string | undefined
  /** What it may be asked for, in the words of `deployment.operations`; undefined when unknown, empty for nothing of ours. */
  readonly operations: ReadonlyArray<string> | undefined
  /** What it is known to be able to do, and not to: `tools`, `vision`, `json_schema`, `reasoning`, …; the rest is unknown. */
  readonly capabilities: Readonly<Record<string, boolean>>
  /** Tokens of a prompt that fit; undefined when unknown. */
  readonly contextWindow: number | undefined
  /** Tokens that an answer may have; undefined when unknown. */
  readonly maxOutputTokens: number | undefined
}

/** Where a model is asked. */
export interface Place {
  /** A provider's label, as deployments bear it: `openai`, `azure`, `bedrock`, `together_ai`. */
  readonly provider?: string | undefined
  /** An address that belongs to a known provider says more than a label. */
  readonly baseUrl?: string | undefined
  /** The public name of the model that is asked there, where it goes by a name of its owner's; beats that. */
  readonly baseModel?: string | undefined
}

/** `[input, output, cached, written, tiers]`, null where unknown; a tier is `[above, input, output, cached, written]`. */
type RateRow = ReadonlyArray<number | null>
type PriceRow = readonly [...RateRow, ReadonlyArray<RateRow>] | RateRow
type ModelRow = readonly [
  id: string,
  clause?: Clause | null,
  price?: PriceRow | null,
  contextWindow?: number | null,
  maxOutputTokens?: number | null,
  later?: ReadonlyArray<readonly [from: string, price: PriceRow | null]>
]

interface ProviderRow {
  readonly id: string
  /** A regular expression for the beginning of its addresses. */
  readonly url: string
  /** Labels that mean it. */
  readonly label?: Clause
  /** Model names that mean it wherever they are asked. */
  readonly model?: Clause
  /** Providers whose models it serves too. */
  readonly others?: ReadonlyArray<string>
}

interface Known {
  readonly model: Model
  readonly clause: Clause
  readonly later: ReadonlyArray<readonly [from: number, price: Price | undefined]>
}

const rates = (row: ReadonlyArray<unknown>): Rates => {
  const [input, output, cached, written] = row as RateRow
  return {
    input: input ?? 0,
    cachedInput: cached ?? input ?? 0,
    ...(written === null || written === undefined ? {} : { cacheWrite: written }),
    output: output ?? 0
  }
}

const toPrice = (row: PriceRow | null | undefined): Price | undefined => {
  if (row === null || row === undefined) return undefined
  const tiers = row[4]
  if (!Array.isArray(tiers)) return rates(row)
  return { ...rates(row), tiers: tiers.map((tier: RateRow) => ({ above: tier[0] ?? 0, ...rates(tier.slice(1)) })) }
}

class Provider {
  private readonly address: RegExp
  private known: ReadonlyArray<Known> | undefined

  constructor(
    readonly row: ProviderRow,
    private readonly text: string
  ) {
    this.address = new RegExp(`^(?:${row.url})`)
  }

  isAt(baseUrl: string): boolean {
    return this.address.test(baseUrl)
  }

  get models(): ReadonlyArray<Known> {
    this.known ??= (JSON.parse(this.text) as ReadonlyArray<ModelRow>).map(
      ([id, clause, price, contextWindow, maxOutputTokens, later]) => ({
        model: {
          provider: this.row.id,
          id,
          price: toPrice(price),
          mode: undefined,
          operations: undefined,
          capabilities: {},
          contextWindow: contextWindow ?? undefined,
          maxOutputTokens: maxOutputTokens ?? undefined
        },
        clause: clause ?? `=${id.toLowerCase()}`,
        later: (later ?? []).map(([from, announced]) => [Date.parse(from), toPrice(announced)])
      })
    )
    return this.known
  }
}

let all: ReadonlyMap<string, Provider> | undefined

const providers = (): ReadonlyMap<string, Provider> => {
  all ??= new Map(
    catalogueRows.map(([head, models]) => {
      const row = JSON.parse(head) as ProviderRow
      return [row.id, new Provider(row, models)]
    })
  )
  return all
}

/** Labels in the field that the catalogue's clauses miss. */
const labels: Readonly<Record<string, string>> = {
  azure_ai: "azure",
  azure_text: "azure",
  codestral: "mistral",
  custom_openai: "openai",
  fireworks_ai: "fireworks",
  "text-completion-openai": "openai"
}

/** Servers of one's own: what a provider takes for the same model says nothing. */
const selfHosted = new Set(["hosted_vllm", "vllm", "ollama", "ollama_chat", "lm_studio", "llamafile", "xinference"])

const byLabel = (label: string): Provider | undefined => {
  const name = label.toLowerCase().trim()
  const known = providers().get(labels[name] ?? name)
  if (known !== undefined) return known
  for (const provider of providers().values()) {
    if (provider.row.label !== undefined && matches(provider.row.label, name)) return provider
  }
  return undefined
}

const byAddress = (baseUrl: string): Provider | undefined => {
  for (const provider of providers().values()) if (provider.isAt(baseUrl)) return provider
  return undefined
}

const byModel = (model: string): Provider | undefined => {
  for (const provider of providers().values()) {
    if (provider.row.model !== undefined && matches(provider.row.model, model)) return provider
  }
  return undefined
}

const compactDate = /-(20\d{2})(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])(?=-|:|$)/g
const version = /[-@](\d{4}-\d{2}-\d{2}|\d{8}|latest)$/

const inProvider = (provider: Provider, name: string): Known | undefined => {
  const found = provider.models.find(({ clause }) => matches(clause, name))
  if (found !== undefined) return found
  for (const other of provider.row.others ?? []) {
    const next = providers().get(other)
    const known = next === undefined ? undefined : inProvider(next, name)
    if (known !== undefined) return known
  }
  return undefined
}

/** The name itself, with its date as others write it, and without any. */
const lookUp = (provider: Provider | undefined, name: string): Known | undefined =>
  provider === undefined
    ? undefined
    : (inProvider(provider, name) ??
      inProvider(provider, name.replace(compactDate, "-$1-$2-$3")) ??
      inProvider(provider, name.replace(version, "")))

const afterFirstSlash = (name: string): string => name.slice(name.indexOf("/") + 1)

const search = (name: string, { baseUrl, provider: label }: Place): Known | undefined => {
  const there = baseUrl === undefined ? undefined : byAddress(baseUrl)
  if (there !== undefined) return lookUp(there, name) ?? lookUp(there, afterFirstSlash(name))
  if (label !== undefined && selfHosted.has(label.toLowerCase())) return undefined
  const labelled = label === undefined ? undefined : byLabel(label)
  const found = lookUp(labelled, name) ?? lookUp(labelled, afterFirstSlash(name))
  // `openai` is also what is said of every server that speaks its dialect: there the model's own name decides.
  if (found !== undefined || (labelled !== undefined && labelled.row.id !== "openai")) return found
  const slash = name.indexOf("/")
  const prefixed = slash === -1 ? undefined : lookUp(byLabel(name.slice(0, slash)), afterFirstSlash(name))
  const last = name.slice(name.lastIndexOf("/") + 1)
  return prefixed ?? lookUp(byModel(name), name) ?? lookUp(byModel(last), last)
}

/** Names that are remembered; callers choose them, where a deployment's model is a wildcard. */
const capacity = 10_000
/** Longer names are no model's, and nobody gets to fill the memory with them. */
const longestName = 256

const remembered = new Map<string, Known | undefined>()

const findNamed = (model: string, place: Place): Known | undefined => {
  if (model.length > longestName || model.includes("*")) return undefined
  const key = `${place.provider ?? ""}\n${place.baseUrl ?? ""}\n${model}`
  const known = remembered.get(key)
  if (known !== undefined || remembered.has(key)) return known
  const found = search(model.toLowerCase().trim(), place)
  if (remembered.size >= capacity) remembered.clear()
  remembered.set(key, found)
  return found
}

/** A public name may bear another provider's prefix than the one where the model is asked. */
const find_ = (model: string, { baseModel, baseUrl, provider }: Place): Known | undefined => {
  const place = { baseUrl, provider }
  return baseModel === undefined ? findNamed(model, place) : (findNamed(baseModel, place) ?? findNamed(baseModel, {}))
}

/** What is known of a model at a place; undefined when nothing is. A name with a star in it is no model. */
export const find = (model: string, place: Place = {}): Model | undefined => find_(model, place)?.model

/**
 * The list price of a model at a place. `at` is wall time in ms, for prices that are announced for a later day; without it
 * those count that were in force on the day of the data. Where a price changes by the hour, it is the dearest.
 */
export const priceOf = (model: string, place: Place = {}, at?: number): Price | undefined => {
  const known = find_(model, place)
  if (known === undefined || at === undefined) return known?.model.price
  let { price } = known.model
  for (const [from, announced] of known.later) if (at >= from) price = announced
  return price
}

/**
 * The models of a provider, by its label or by the address of its API, in the order of the catalogue; empty when the
 * provider is unknown. What a wildcard stands for, as far as anybody can say.
 *
 * @example
 * ```ts
 * import * as ModelCatalogue from "@switchyard/router/ModelCatalogue"
 *
 * const names = ModelCatalogue.models("openai").map(({ id }) => id)
 * ```
 */
export const models = (provider: string, baseUrl?: string): ReadonlyArray<Model> => {
  const found = (baseUrl === undefined ? undefined : byAddress(baseUrl)) ?? byLabel(provider)
  return found === undefined ? [] : found.models.map(({ model }) => model)
}

/** The day of the data, for example `2026-11-28`. */
export const date: string = catalogueDate
