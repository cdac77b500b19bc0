import { priceRows } from "./data/prices.js"
import { type Clause, matches } from "./nameClause.js"
import type { Price } from "./price.js"
import { type PriceRow, toPrice } from "./rates.js"

/** A model of the list of prices. */
export interface Listed {
  readonly provider: string
  readonly id: string
  readonly price: Price | undefined
  readonly contextWindow: number | undefined
  readonly maxOutputTokens: number | undefined
  readonly clause: Clause
  readonly later: ReadonlyArray<readonly [from: number, price: Price | undefined]>
}

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

/** A provider of the list; its models are read when they are first asked for. */
export class Lister {
  private readonly address: RegExp
  private known: ReadonlyArray<Listed> | undefined

  constructor(
    readonly row: ProviderRow,
    private readonly text: () => string
  ) {
    this.address = new RegExp(`^(?:${row.url})`)
  }

  isAt(baseUrl: string): boolean {
    return this.address.test(baseUrl)
  }

  get models(): ReadonlyArray<Listed> {
    this.known ??= (JSON.parse(this.text()) as ReadonlyArray<ModelRow>).map(
      ([id, clause, price, contextWindow, maxOutputTokens, later]) => ({
        provider: this.row.id,
        id,
        price: toPrice(price),
        contextWindow: contextWindow ?? undefined,
        maxOutputTokens: maxOutputTokens ?? undefined,
        clause: clause ?? `=${id.toLowerCase()}`,
        later: (later ?? []).map(([from, announced]) => [Date.parse(from), toPrice(announced)])
      })
    )
    return this.known
  }
}

let all: ReadonlyMap<string, Lister> | undefined

/** Every provider of the list, by its name there. */
export const listers = (): ReadonlyMap<string, Lister> => {
  all ??= new Map(
    priceRows.map(([head, models]) => {
      const row = JSON.parse(head) as ProviderRow
      return [row.id, new Lister(row, models)]
    })
  )
  return all
}

/** Labels in the field that the list's clauses miss. */
const labels: Readonly<Record<string, string>> = {
  azure_ai: "azure",
  azure_text: "azure",
  codestral: "mistral",
  custom_openai: "openai",
  fireworks_ai: "fireworks",
  "text-completion-openai": "openai"
}

/** The provider that a deployment's label means. */
export const byLabel = (label: string): Lister | undefined => {
  const name = label.toLowerCase().trim()
  const known = listers().get(labels[name] ?? name)
  if (known !== undefined) return known
  for (const lister of listers().values()) {
    if (lister.row.label !== undefined && matches(lister.row.label, name)) return lister
  }
  return undefined
}

/** The provider to whom an address belongs. */
export const byAddress = (baseUrl: string): Lister | undefined => {
  for (const lister of listers().values()) if (lister.isAt(baseUrl)) return lister
  return undefined
}

/** The provider whose models go by such names wherever they are asked. */
export const byModel = (model: string): Lister | undefined => {
  for (const lister of listers().values()) {
    if (lister.row.model !== undefined && matches(lister.row.model, model)) return lister
  }
  return undefined
}

const compactDate = /-(20\d{2})(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])(?=-|:|$)/g
const version = /[-@](\d{4}-\d{2}-\d{2}|\d{8}|latest)$/

/** A name as it is, with its date as others write it, and without any. */
export const spellings = (name: string): ReadonlyArray<string> => [
  name,
  name.replace(compactDate, "-$1-$2-$3"),
  name.replace(version, "")
]

const inProvider = (lister: Lister, name: string): Listed | undefined => {
  const found = lister.models.find(({ clause }) => matches(clause, name))
  if (found !== undefined) return found
  for (const other of lister.row.others ?? []) {
    const next = listers().get(other)
    const known = next === undefined ? undefined : inProvider(next, name)
    if (known !== undefined) return known
  }
  return undefined
}

/** A provider's model by any spelling of its name. */
export const lookUp = (lister: Lister | undefined, name: string): Listed | undefined => {
  if (lister === undefined) return undefined
  for (const spelling of spellings(name)) {
    const found = inProvider(lister, spelling)
    if (found !== undefined) return found
  }
  return undefined
}
