/**
 * Deployments that are there for operations which no endpoint of their provider's protocol has here.
 */
import type { DeploymentConfig } from "@switchyard/core/Deployment"
import { hasOperation } from "@switchyard/core/Serving"
import type { Finding } from "../Problem.js"

const isUnserved = ({ operations, protocol = "openai" }: DeploymentConfig): boolean =>
  operations !== undefined &&
  operations.length > 0 &&
  operations.every((operation) => !hasOperation(protocol, operation))

/** One finding for each deployment that nobody can ask; it says so where that is its whole group. */
export const operations = (deployments: ReadonlyArray<DeploymentConfig>): ReadonlyArray<Finding> => {
  const served = new Set(deployments.filter((one) => !isUnserved(one)).map(({ group }) => group))
  return deployments.flatMap((deployment, index): ReadonlyArray<Finding> => {
    if (!isUnserved(deployment)) return []
    const { group, operations = [], protocol = "openai" } = deployment
    const who = served.has(group) ? "nobody asks this deployment" : `nobody can ask for the group ${group}`
    return [
      {
        severity: "warning",
        path: `deployments[${index}].operations`,
        message: `${who}: there is no endpoint for ${operations.join(" and ")} in the protocol ${protocol}`
      }
    ]
  })
}
