/**
 * Where Amazon's services are, and under which name their requests are signed.
 */
import type { Deployment } from "@switchyard/core/Deployment"
import type { Env } from "./protocol.js"

/** An AWS region in a name of a place, or in an ARN. */
const regionIn = (text: string | undefined): string | undefined =>
  text === undefined ? undefined : /(?:^|:)([a-z]{2}(?:-[a-z]+)+-\d)(?::|$)/.exec(text)?.[1]

const hosts = /(?:bedrock-runtime|runtime\.sagemaker)(?:-fips)?\.([\w-]+)\.(?:amazonaws|api\.aws)/

/** The region in which a deployment is asked; undefined where nobody says one. */
export const regionOf = (deployment: Deployment, env: Env): string | undefined =>
  deployment.location ??
  regionIn(deployment.region) ??
  (deployment.model.startsWith("arn:") ? regionIn(deployment.model) : undefined) ??
  hosts.exec(deployment.baseUrl ?? "")?.[1] ??
  env.AWS_REGION_NAME ??
  env.AWS_REGION ??
  env.AWS_DEFAULT_REGION

/** What the names of a region's services end with. */
export const domainOf = (region: string | undefined): string =>
  region?.startsWith("cn-") === true ? "amazonaws.com.cn" : "amazonaws.com"

/** The service that a deployment's requests are signed for. */
export const serviceOf = ({ protocol }: Pick<Deployment, "protocol">): string =>
  protocol === "sagemaker" ? "sagemaker" : "bedrock"

/** A deployment whose region nobody says. */
export const unknownRegion = {
  problem: "no AWS region is known: set `location`, or AWS_REGION in the environment"
}
