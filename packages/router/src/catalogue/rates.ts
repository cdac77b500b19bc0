import type { Price, Rates } from "./price.js"

/** `[input, output, cached, written, tiers]`, null where unknown; a tier is `[above, input, output, cached, written]`. */
type RateRow = ReadonlyArray<number | null>

/** A price as the data writes it. */
export type PriceRow = readonly [...RateRow, ReadonlyArray<RateRow>] | RateRow

const rates = (row: ReadonlyArray<unknown>): Rates => {
  const [input, output, cached, written] = row as RateRow
  return {
    input: input ?? 0,
    cachedInput: cached ?? input ?? 0,
    ...(written === null || written === undefined ? {} : { cacheWrite: written }),
    output: output ?? 0
  }
}

/** A price of the data; undefined where there is none. */
export const toPrice = (row: PriceRow | null | undefined): Price | undefined => {
  if (row === null || row === undefined) return undefined
  const tiers = row[4]
  if (!Array.isArray(tiers)) return rates(row)
  return { ...rates(row), tiers: tiers.map((tier: RateRow) => ({ above: tier[0] ?? 0, ...rates(tier.slice(1)) })) }
}
