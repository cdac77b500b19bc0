/**
 * What can be said of optional packages: those that deployments need and that are not installed.
 */
import * as Deployment from "@switchyard/core/Deployment"
import * as Providers from "@switchyard/providers/Providers"
import type { Finding } from "../Problem.js"

/** One warning for each deployment that cannot be asked until something is installed. `isThere` tells whether a package is. */
export const packages = (
  deployments: ReadonlyArray<Deployment.DeploymentConfig>,
  isThere?: (name: string) => boolean
): ReadonlyArray<Finding> =>
  Providers.missingPackages(deployments.map(Deployment.make), isThere).map(({ index, install, packages: names }) => ({
    severity: "warning",
    path: `deployments[${index}].model`,
    message: `its requests fail until ${names.join(" and ")} ${names.length === 1 ? "is" : "are"} installed: ${install}`
  }))
