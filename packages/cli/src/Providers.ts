/**
 * Lists the providers that are known, and says what is known of one.
 */
import { closest } from "@switchyard/core/Closest"
import type { KnownProvider } from "@switchyard/providers/KnownProviders"
import * as KnownProviders from "@switchyard/providers/KnownProviders"
import * as ModelCatalogue from "@switchyard/router/ModelCatalogue"
import { Effect } from "effect"
import { counted, fail, print } from "./output.js"
import { table } from "./table.js"

/** What `providers` is asked. */
export interface Flags {
  /** Empty for all. */
  readonly name: string
  readonly json: boolean
}

/** What is said of a provider. */
export interface Said {
  readonly name: string
  readonly title: string
  /** By which API it is asked, as `deployment.protocol` names it. */
  readonly protocol: string
  /** With what only the user knows in braces; null where that is all of it. */
  readonly baseUrl: string | null
  readonly auth: string
  readonly keyVariables: ReadonlyArray<string>
  readonly baseVariables: ReadonlyArray<string>
  /** Parameters that it takes under other names only. */
  readonly renames: Readonly<Record<string, string>>
  /** Why it cannot be asked; null where it can. */
  readonly missing: string | null
  readonly models: number
  readonly sources: ReadonlyArray<string>
}

/** What is known of a provider, in one object. */
export const describe = (known: KnownProvider): Said => ({
  name: known.name,
  title: known.title,
  protocol: known.protocol,
  baseUrl: known.baseUrl ?? known.template ?? null,
  auth: KnownProviders.authOf(known),
  keyVariables: known.keyVariables,
  baseVariables: known.baseVariables,
  renames: known.renames,
  missing: KnownProviders.isSpoken(known) ? null : (KnownProviders.whyUnspoken(known) ?? null),
  models: ModelCatalogue.models(known.name).length,
  sources: known.sources
})

const sorted = (): ReadonlyArray<KnownProvider> =>
  [...KnownProviders.providers].sort(({ name: a }, { name: b }) => (a < b ? -1 : 1))

const addressOf = ({ baseUrl, missing }: Said): string =>
  missing === null ? (baseUrl ?? "(yours)") : "cannot be asked yet"

/** All of them as a table. */
export const renderAll = (all: ReadonlyArray<Said>): string =>
  [
    table(
      [
        { title: "provider" },
        { title: "protocol" },
        { title: "base URL" },
        { title: "key" },
        { title: "models", align: "right" }
      ],
      all.map((said) => [said.name, said.protocol, addressOf(said), said.keyVariables[0] ?? "", String(said.models)])
    ),
    `${counted(all.length, "provider")}, ${counted(
      all.filter(({ missing }) => missing !== null).length,
      "name"
    )} of them cannot be asked yet: switchyard providers NAME says why. Data of ${ModelCatalogue.date}.`
  ].join("\n")

/** One of them, a line for each thing that is known. */
export const renderOne = (said: Said): string => {
  const lines: ReadonlyArray<readonly [string, string]> = [
    ["provider", said.title === said.name ? said.name : `${said.name} (${said.title})`],
    ["protocol", said.protocol],
    ["base URL", said.baseUrl ?? "(yours)"],
    ["auth", said.auth],
    ["key", said.keyVariables.join(", ") || "none"],
    ["base URL's variables", said.baseVariables.join(", ")],
    ...Object.entries(said.renames).map(([from, to]): readonly [string, string] => ["renames", `${from} to ${to}`]),
    ["models", `${said.models} (switchyard models --provider ${said.name})`],
    ["sources", said.sources.join(", ") || "hand-picked"],
    ...(said.missing === null ? [] : ([["missing", said.missing]] as const))
  ]
  const width = Math.max(...lines.map(([title]) => title.length))
  return lines.map(([title, text]) => `${title.padEnd(width)}  ${text}`).join("\n")
}

/** Prints all providers, or one. */
export const run = ({ json, name }: Flags) =>
  Effect.suspend(() => {
    if (name === "") {
      const all = sorted().map(describe)
      return print(json ? JSON.stringify(all, null, 2) : renderAll(all))
    }
    const known = KnownProviders.find(name)
    if (known === undefined) {
      const meant = closest(
        name,
        KnownProviders.providers.map((one) => one.name)
      )
      return fail(`providers: no provider is called ${name}${meant === undefined ? "" : `; did you mean ${meant}?`}`)
    }
    const said = describe(known)
    return print(json ? JSON.stringify(said, null, 2) : renderOne(said))
  })
