/**
 * What can be said of parameters that a file adds to requests, once the deployments are known: those that their own model
 * refuses, and which are left out of what it is asked.
 */
import type { DeploymentConfig } from "@switchyard/core/Deployment"
import * as ModelFamily from "@switchyard/core/ModelFamily"
import type { Finding } from "../Problem.js"

/** Parameters of a deployment's own that `dropParams` leaves out. A wildcard's models are not known yet. */
const refusedOf = ({ baseModel, baseUrl, defaults = {}, model, provider = "openai" }: DeploymentConfig) => {
  const family = ModelFamily.of({ provider, model, baseModel, baseUrl })
  const isGiven = (name: string) => defaults[name] !== null && defaults[name] !== undefined
  return Object.keys(defaults).filter((name) => isGiven(name) && ModelFamily.refuses(family, defaults, name))
}

/** One note for each deployment that adds what its model refuses. */
export const parameters = (deployments: ReadonlyArray<DeploymentConfig>): ReadonlyArray<Finding> =>
  deployments.flatMap((deployment, index): ReadonlyArray<Finding> => {
    const refused = deployment.dropParams === true ? refusedOf(deployment) : []
    if (refused.length === 0) return []
    return [
      {
        severity: "note",
        path: `deployments[${index}].defaults.${refused[0]}`,
        message: `the model refuses ${refused.join(", ")}: left out of its requests, as what a model refuses is dropped`
      }
    ]
  })
