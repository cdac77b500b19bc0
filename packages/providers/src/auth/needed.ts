/**
 * Which optional packages a deployment needs: so that one that is missing is told before the first request fails.
 */
import { clear, type Deployment } from "@switchyard/core/Deployment"
import { protocolOf } from "../protocols/all.js"
import type { Env } from "../protocols/protocol.js"
import { targetOf } from "../protocols/target.js"
import type { OptionalPackage } from "./packages.js"

const byCloud = {
  google: ["google-auth-library"],
  entra: ["@azure/identity"],
  aws: ["@smithy/signature-v4"],
  ibm: [],
  oci: []
} as const satisfies Readonly<Record<string, ReadonlyArray<OptionalPackage>>>

const hasKeys = ({ auth }: Deployment): boolean =>
  clear(auth?.webIdentityToken) !== undefined ||
  (clear(auth?.accessKeyId) !== undefined && clear(auth?.secretAccessKey) !== undefined)

const embedsOnly = ({ operations }: Deployment): boolean =>
  operations !== undefined && operations.size === 1 && operations.has("embeddings")

/** The packages without which a deployment cannot be asked, or not streamed from. */
export const neededBy = (deployment: Deployment, env: Env): ReadonlyArray<OptionalPackage> => {
  const protocol = protocolOf(deployment.protocol)
  if (protocol === undefined) return []
  // Where it is makes no difference.
  const target = targetOf(protocol, deployment, { [deployment.provider]: "https://provider.invalid" }, env)
  const cloud = "problem" in target ? undefined : target.cloud
  const needed: Array<OptionalPackage> = cloud === undefined ? [] : [...byCloud[cloud]]
  if (cloud === "aws" && !hasKeys(deployment)) needed.push("@aws-sdk/credential-provider-node")
  if (protocol.cloud === "aws" && !embedsOnly(deployment)) needed.push("@smithy/eventstream-codec")
  return needed
}
