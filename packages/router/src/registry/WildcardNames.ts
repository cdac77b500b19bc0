/**
 * The names that a wildcard group stands for, as far as the `ModelCatalogue` knows the models of its deployments' providers.
 */

import type { Deployment } from "@switchyard/core/Deployment"
import * as Wildcard from "@switchyard/core/Wildcard"
import * as ModelCatalogue from "../catalogue/ModelCatalogue.js"
import type { Group } from "./resolve.js"

/** `openai` is also said of every server that speaks its dialect: there the address decides. */
const modelsOf = ({ baseUrl, provider }: Deployment): ReadonlyArray<ModelCatalogue.Model> =>
  ModelCatalogue.models(provider.toLowerCase() === "openai" ? "" : provider, baseUrl)

const stars = (text: string): number => text.split("*").length - 1

/**
 * The names of a group like `openai/*`, in the order of its deployments and of the catalogue, at most `limit` of them. Empty
 * where the catalogue does not know the providers, and where all names lead to one model.
 */
export const of = (group: Group, limit = 1000): ReadonlyArray<string> => {
  const names = new Set<string>()
  const wanted = stars(group.name)
  for (const { deployment } of group.tiers.flat()) {
    const { model } = deployment
    if (wanted === 0 || stars(model) !== wanted) continue
    const pattern = Wildcard.make(model)
    for (const { id } of modelsOf(deployment)) {
      const captures = Wildcard.capture(pattern, id)
      if (captures === undefined || captures.includes("")) continue
      if (names.size >= limit) return [...names]
      names.add(Wildcard.substitute(group.name, captures))
    }
  }
  return [...names]
}
