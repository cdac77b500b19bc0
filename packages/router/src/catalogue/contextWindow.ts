import type { Deployment } from "@switchyard/core/Deployment"
import * as ModelCatalogue from "./ModelCatalogue.js"

/**
 * A prompt's length is an estimate, and the list may be behind: only what is longer than a listed window by this factor is
 * not even asked. What the provider refuses takes the same chain.
 */
const doubt = 1.5

const listed = new WeakMap<Deployment, number | undefined>()

const listedWindow = (deployment: Deployment): number | undefined => {
  if (!listed.has(deployment)) listed.set(deployment, ModelCatalogue.find(deployment.model, deployment)?.contextWindow)
  return listed.get(deployment)
}

/** Input tokens that fit: the deployment's own value, else the listed one of its model; undefined when nobody knows. */
export const windowOf = (deployment: Deployment): number | undefined =>
  deployment.contextWindow ?? listedWindow(deployment)

/** Estimated input tokens up to which a prompt is worth sending; infinite when nobody knows. */
export const longestPrompt = (deployment: Deployment): number => {
  if (deployment.contextWindow !== undefined) return deployment.contextWindow
  const window = listedWindow(deployment)
  return window === undefined ? Number.POSITIVE_INFINITY : window * doubt
}
