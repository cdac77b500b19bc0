/**
 * What can be said of prices once everything else is in order: budgets that cannot bind, and prices of which half is missing.
 */
import type { ConfigIssue } from "@switchyard/core/ConfigError"
import * as Wildcard from "@switchyard/core/Wildcard"
import type * as Router from "@switchyard/router/Router"
import * as UnpricedBudgets from "@switchyard/router/UnpricedBudgets"
import type { Finding } from "../Problem.js"

/** What a virtual key has to do with money. */
interface Key {
  readonly groups?: ReadonlyArray<string> | undefined
  readonly budget?: unknown
}

const ofKeys = (keys: ReadonlyArray<Key>): ReadonlyArray<UnpricedBudgets.OtherBudget> =>
  keys.flatMap(({ budget, groups }, index) =>
    budget === undefined
      ? []
      : [
          {
            path: `keys[${index}].budget`,
            covers: ({ group, id }) =>
              groups === undefined ||
              groups.some((pattern) => Wildcard.fits(pattern, group) || Wildcard.fits(pattern, id))
          }
        ]
  )

/** Warnings (notes, where a request's model decides) with the paths of the settings; none where `unknownPrice` refuses, for there they are errors, or assumes a price. */
export const prices = (router: Router.Options, keys: ReadonlyArray<Key>): ReadonlyArray<Finding> =>
  UnpricedBudgets.find(router, ofKeys(keys)).map(({ isOpen, message, path }) => ({
    severity: isOpen ? "note" : "warning",
    path,
    message
  }))

/** What `unknownPrice: refuse` refuses of keys; the router refuses the rest. */
export const refusedKeys = (router: Router.Options, keys: ReadonlyArray<Key>): ReadonlyArray<ConfigIssue> => {
  const { callerBudget: _, spendLimits: __, ...others } = router
  return UnpricedBudgets.refused(others, ofKeys(keys)).filter(({ path }) => path.startsWith("keys["))
}
