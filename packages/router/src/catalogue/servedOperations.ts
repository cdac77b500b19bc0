import type { Deployment } from "@switchyard/core/Deployment"
import { isMedia, type Operation } from "@switchyard/core/Operation"
import { serves } from "@switchyard/core/Serving"
import * as ModelCatalogue from "./ModelCatalogue.js"

/** Operations of which a model that does one may be asked for the others: lists name one alone. */
const kindOf = (operation: string): string => {
  switch (operation) {
    case "imageEdit":
    case "imageVariation":
      return "image"
    case "translation":
      return "transcription"
    default:
      return operation
  }
}

const listed = new WeakMap<Deployment, ReadonlySet<string> | undefined>()

/** What a deployment's model is publicly known to do; undefined when nobody knows. */
const listedOperations = (deployment: Deployment): ReadonlySet<string> | undefined => {
  if (!listed.has(deployment)) {
    const operations = ModelCatalogue.find(deployment.model, deployment)?.operations
    listed.set(deployment, operations === undefined ? undefined : new Set(operations.map(kindOf)))
  }
  return listed.get(deployment)
}

/**
 * Whether a deployment can be asked for an operation: by its own word, else by its protocol and, beside conversations, by what
 * is publicly known of its model. Whoever is not known may be asked.
 */
export const servesOperation = (deployment: Deployment, operation: Operation): boolean => {
  if (!serves(deployment, operation)) return false
  if (deployment.operations !== undefined || !isMedia(operation)) return true
  return listedOperations(deployment)?.has(kindOf(operation)) !== false
}
