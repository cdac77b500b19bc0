/**
 * What can be said of URLs that can be used, and hold a user and a password.
 */
import type { DeploymentConfig } from "@switchyard/core/Deployment"
import type { Finding } from "../Problem.js"

const hasUser = (url: string | undefined): boolean => {
  if (url === undefined || !URL.canParse(url)) return false
  const { password, username } = new URL(url)
  return username !== "" || password !== ""
}

const hasAuthorization = ({ apiKey, headers = {} }: DeploymentConfig): boolean =>
  apiKey !== undefined || Object.keys(headers).some((name) => name.toLowerCase() === "authorization")

/** One finding for each deployment whose base URL holds a user and a password: they are sent, or they are not. */
export const users = (deployments: ReadonlyArray<DeploymentConfig>): ReadonlyArray<Finding> =>
  deployments.flatMap((deployment, index): ReadonlyArray<Finding> => {
    if (!hasUser(deployment.baseUrl)) return []
    const path = `deployments[${index}].baseUrl`
    return hasAuthorization(deployment)
      ? [
          {
            severity: "warning",
            path,
            message:
              "the user and password in the URL are not sent, as the deployment has a key: take them out, or send them in a header of their own"
          }
        ]
      : [{ severity: "note", path, message: "the user and password in the URL are sent as Basic authorization" }]
  })
