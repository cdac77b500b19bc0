/**
 * Lists the models that are known, with what they are for and can do, and what they cost.
 */
import * as Wildcard from "@switchyard/core/Wildcard"
import * as KnownProviders from "@switchyard/providers/KnownProviders"
import type { Model } from "@switchyard/router/ModelCatalogue"
import * as ModelCatalogue from "@switchyard/router/ModelCatalogue"
import type { Price } from "@switchyard/router/PriceBook"
import { Effect } from "effect"
import { counted, fail, print } from "./output.js"
import { table } from "./table.js"

/** What `models` is asked. */
export interface Flags {
  /** Empty for all. */
  readonly pattern: string
  readonly provider: string | undefined
  readonly limit: string
  readonly json: boolean
}

/** A model at the provider under whose name it is asked. */
export interface Named {
  readonly provider: string
  readonly model: Model
}

/** The models whose names hold a text or fit a pattern with stars, or whose `provider/model` does. */
export const matching = (providers: ReadonlyArray<string>, pattern: string): ReadonlyArray<Named> => {
  const wanted = pattern.toLowerCase()
  const fits = (name: string): boolean =>
    wanted.includes("*") ? Wildcard.fits(wanted, name.toLowerCase()) : name.toLowerCase().includes(wanted)
  return providers.flatMap((provider) =>
    ModelCatalogue.models(provider)
      .filter(({ id }) => fits(id) || fits(`${provider}/${id}`))
      .sort(({ id: a }, { id: b }) => (a < b ? -1 : 1))
      .map((model) => ({ provider, model }))
  )
}

const figure = (value: number): string => String(Number(value.toPrecision(6)))

const units: ReadonlyArray<readonly [keyof Price, string]> = [
  ["perImage", "an image"],
  ["perSecond", "a second"],
  ["perCharacter", "a character"],
  ["perSearch", "a search"],
  ["perPage", "a page"]
]

/** A price in few letters: input and output in USD per million tokens, cached input behind them, then what is billed by the piece. */
export const priceText = (price: Price | undefined): string => {
  if (price === undefined) return ""
  const pieces = units.flatMap(([key, name]) =>
    typeof price[key] === "number" ? [`${figure(price[key])} ${name}`] : []
  )
  if (price.input === 0 && price.output === 0 && pieces.length > 0) return pieces.join(", ")
  const cached = price.cachedInput === price.input ? "" : ` (cached ${figure(price.cachedInput)})`
  const tiers = (price.tiers ?? []).map(
    ({ above, input, output }) => `${figure(input)}/${figure(output)} above ${above / 1000}k`
  )
  return [`${figure(price.input)}/${figure(price.output)}${cached}`, ...tiers, ...pieces].join(", ")
}

/** What it is known to be able to do. */
export const abilities = ({ capabilities }: Model): string =>
  Object.keys(capabilities)
    .filter((name) => capabilities[name] === true)
    .join(" ")

const tokens = (count: number | undefined): string => (count === undefined ? "" : String(count))

/** A table, with a line that says how many there are. */
export const render = (found: ReadonlyArray<Named>, limit: number): string => {
  const shown = limit === 0 ? found : found.slice(0, limit)
  const rest = found.length - shown.length
  return [
    table(
      [
        { title: "model" },
        { title: "mode" },
        { title: "window", align: "right" },
        { title: "output", align: "right" },
        { title: "can" },
        { title: "USD per million tokens" }
      ],
      shown.map(({ model, provider }) => [
        `${provider}/${model.id}`,
        model.mode ?? "",
        tokens(model.contextWindow),
        tokens(model.maxOutputTokens),
        abilities(model),
        priceText(model.price)
      ])
    ),
    `${counted(found.length, "model")}${rest === 0 ? "" : `, ${rest} of them not shown (--limit 0 shows all)`}. Data of ${ModelCatalogue.date}.`
  ].join("\n")
}

/** Prints the models of a pattern. */
export const run = ({ json, limit, pattern, provider }: Flags) =>
  Effect.suspend(() => {
    const most = Number(limit)
    if (!Number.isInteger(most) || most < 0) return fail(`models: --limit: expected a whole number, found ${limit}`)
    if (provider !== undefined && ModelCatalogue.models(provider).length === 0) {
      const isKnown = KnownProviders.find(provider) !== undefined
      return fail(`models: --provider: ${isKnown ? "no models of" : "no provider is called"} ${provider}`)
    }
    const found = matching(provider === undefined ? ModelCatalogue.providers() : [provider], pattern)
    return print(
      json
        ? JSON.stringify(
            found.map(({ model, provider: name }) => ({ ...model, provider: name })),
            null,
            2
          )
        : render(found, most)
    )
  })
