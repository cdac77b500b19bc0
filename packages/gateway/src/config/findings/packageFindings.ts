/**
 * What deployments need and lack: optional packages that are not installed, and what clouds want to be told.
 */
import * as Deployment from "@switchyard/core/Deployment"
import * as Providers from "@switchyard/providers/Providers"
import type { Finding } from "../Problem.js"
import { installLine, pathOf } from "./tokenizerPackage.js"

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

/** One warning for each deployment on a cloud that lacks what every request to it needs. */
export const unusable = (deployments: ReadonlyArray<Deployment.DeploymentConfig>): ReadonlyArray<Finding> =>
  Providers.unusable(deployments.map(Deployment.make)).map(({ index, problem }) => ({
    severity: "warning",
    path: `deployments[${index}].model`,
    message: `its requests fail: ${problem}`
  }))

/** A warning where tokens are to be counted by a package that is not installed. */
export const tokenizer = (asked: "estimate" | "gpt-tokenizer" | undefined): ReadonlyArray<Finding> =>
  asked !== "gpt-tokenizer" || pathOf("o200k_base") !== undefined
    ? []
    : [
        {
          severity: "warning",
          path: "server.tokenizer",
          message: `counts of tokens are estimates until gpt-tokenizer is installed: ${installLine}`
        }
      ]
