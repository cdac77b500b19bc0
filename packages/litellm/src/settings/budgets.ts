import { closest } from "@switchyard/core/Closest"
import { type Draft, firstOf, Reader } from "../draft.js"
import type { Globals } from "../globals.js"
import type { Made } from "../models/modelList.js"
import { asWords, below, type Given, isTree, period, toNumber } from "../values.js"

const setLimit = (
  draft: Draft,
  scope: string,
  key: string,
  limit: Given | undefined,
  window: Given | undefined
): void => {
  if (limit !== undefined) draft.set(["spendLimits", scope, key, "limit"], toNumber(limit.value), limit.path)
  if (window !== undefined) draft.set(["spendLimits", scope, key, "window"], period(window.value), window.path)
}

const budgetKeys = ["budget_limit", "max_budget", "time_period", "budget_duration"]

/** The proxy's own budget, for all that goes through it; 0 is none. */
const proxyBudget = (draft: Draft, { settings }: Globals): void => {
  const limit = settings.get("max_budget")
  const window = settings.get("budget_duration")
  const amount = toNumber(limit?.value)
  if (limit !== undefined && amount !== 0 && window !== undefined) {
    draft.set(["spendLimits", "total", "limit"], amount, limit.path)
    draft.set(["spendLimits", "total", "window"], period(window.value), window.path)
    draft.origins.set("spendLimits.total", limit.path)
  } else if (limit !== undefined && amount !== 0) {
    draft.warn(limit.path, "Means nothing without `budget_duration`.")
  }
}

/** Translates what may be spent: in all, on deployments and on providers. */
export const readBudgets = (draft: Draft, globals: Globals, deployments: ReadonlyArray<Made>): void => {
  const { router } = globals
  proxyBudget(draft, globals)
  for (const { budget, fields } of deployments) {
    if (budget === undefined) continue
    setLimit(draft, "deployments", asWords(fields.id) ?? "", budget.limit, budget.window)
    if (budget.limit !== undefined) draft.origins.set(`spendLimits.deployments.${fields.id}`, budget.limit.path)
  }
  const given = router.get("provider_budget_config")
  if (given === undefined) return
  if (!isTree(given.value)) return draft.error(given, "a map of providers to { budget_limit, time_period }")
  const providers = new Set(deployments.map(({ fields }) => asWords(fields.provider) ?? ""))
  for (const [provider, value] of Object.entries(given.value)) {
    const path = below(given.path, provider)
    if (!isTree(value)) {
      draft.error({ value, path }, "a map with `budget_limit` and `time_period`")
      continue
    }
    for (const key of Object.keys(value)) {
      if (budgetKeys.includes(key)) continue
      draft.warn(below(path, key), "No such key: not read.", closest(key, budgetKeys))
    }
    if (!providers.has(provider)) {
      draft.warn(path, "No deployment is of this provider.", closest(provider, providers))
    }
    const budget = new Reader(value, path)
    const limit = firstOf(budget.get("budget_limit"), budget.get("max_budget"))
    setLimit(draft, "providers", provider, limit, firstOf(budget.get("time_period"), budget.get("budget_duration")))
    draft.origins.set(`spendLimits.providers.${provider}`, path)
  }
}
