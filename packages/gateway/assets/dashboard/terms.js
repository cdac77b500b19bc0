// @ts-check
/** What keys and teams have in common: their budget and limits, in words. */
import { dateOf, usd } from "./words.js"

/** @import { KeyView, TeamView } from "../../src/api/KeyViews.js" */

/** @param {KeyView | TeamView} view */
export const budgetOf = ({ budget_reset_at, max_budget, soft_budget, spend }) =>
  [
    max_budget === null ? usd(spend) : `${usd(spend)} of ${usd(max_budget)}`,
    soft_budget === null ? "" : `warns at ${usd(soft_budget)}`,
    budget_reset_at === null ? "" : `until ${dateOf(budget_reset_at)}`
  ]
    .filter((text) => text !== "")
    .join(", ")

/** @param {KeyView | TeamView} view */
export const limitsOf = ({ max_parallel_requests, rpm_limit, tpm_limit }) =>
  [
    rpm_limit === null ? "" : `${rpm_limit} requests / min`,
    tpm_limit === null ? "" : `${tpm_limit} tokens / min`,
    max_parallel_requests === null ? "" : `${max_parallel_requests} at once`
  ]
    .filter((text) => text !== "")
    .join(", ") || "–"

/** @param {KeyView | TeamView} view */
export const modelsOf = ({ models }) => (models.length === 0 ? "all" : models.join(", "))
