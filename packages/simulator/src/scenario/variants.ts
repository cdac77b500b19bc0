import { nearest } from "@switchyard/core/Closest"
import { type ConfigIssue, issue } from "@switchyard/core/ConfigError"
import type * as Router from "@switchyard/router/Router"
import * as StrategyNames from "@switchyard/router/RoutingStrategy/Names"
import { Either } from "effect"
import * as PeerRules from "../rules/PeerRules.js"
import { presets } from "./presets.js"
import type { ScenarioModel } from "./ScenarioModel.js"

/** One way to route that is tried. */
export interface Variant {
  readonly name: string
  readonly options: Router.Options
  /** Another router's rule, in place of the strategy that the options name. */
  readonly rule: string | undefined
}

/** What is compared where nobody says what. */
const standardName = "as it is"

/** The variants of these names; or what is wrong with the names. */
export const choose = (
  { variants = {} }: ScenarioModel,
  router: Router.Options,
  compare: ReadonlyArray<string> | undefined
): Either.Either<ReadonlyArray<Variant>, ReadonlyArray<ConfigIssue>> => {
  const wanted = compare ?? (Object.keys(variants).length > 0 ? Object.keys(variants) : [standardName])
  const known = [
    ...new Set([
      ...Object.keys(variants),
      ...Object.keys(presets),
      ...StrategyNames.names,
      ...PeerRules.names,
      standardName
    ])
  ]
  const issues: Array<ConfigIssue> = wanted.length > 0 ? [] : [issue("compare", "", "at least one name")]
  const chosen: Array<Variant> = []
  const ruled = (name: string, rule: string, own: object): Variant => ({
    name,
    rule,
    options: { ...router, ...PeerRules.optionsOf(rule), ...own }
  })
  for (const name of new Set(wanted)) {
    const own = Object.hasOwn(variants, name) ? variants[name] : undefined
    if (own?.rule !== undefined && !PeerRules.names.includes(own.rule)) {
      issues.push(issue(`variants.${name}.rule`, own.rule, `one of ${PeerRules.names.join(", ")}`))
    } else if (own?.rule !== undefined) chosen.push(ruled(name, own.rule, own.router ?? {}))
    else if (own !== undefined) chosen.push({ name, rule: undefined, options: { ...router, ...own.router } })
    else if (name === standardName) chosen.push({ name, rule: undefined, options: router })
    else if (Object.hasOwn(presets, name))
      chosen.push({ name, rule: undefined, options: { ...router, ...presets[name] } })
    else if (PeerRules.names.includes(name)) chosen.push(ruled(name, name, {}))
    else if (known.includes(name))
      chosen.push({ name, rule: undefined, options: { ...router, strategy: name, groupStrategies: {} } })
    else {
      const near = nearest(name, known)
      issues.push(
        issue(
          "compare",
          name,
          near.length > 0 ? `a variant that is known: ${near.join(" or ")}?` : `one of ${known.join(", ")}`
        )
      )
    }
  }
  return issues.length > 0 ? Either.left(issues) : Either.right(chosen)
}
