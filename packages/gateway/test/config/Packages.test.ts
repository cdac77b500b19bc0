import { assert, describe, it } from "@effect/vitest"
import type { DeploymentConfig } from "@switchyard/core/Deployment"
import { packages } from "../../src/config/findings/packageFindings.js"

const on = (protocol: string, more: Partial<DeploymentConfig> = {}): DeploymentConfig => ({
  id: "d1",
  group: "smart",
  model: "m",
  protocol,
  location: "us-east-1",
  ...more
})

const keys = { accessKeyId: "AKIA", secretAccessKey: "secret" }

/** Nothing is installed. */
const told = (deployment: DeploymentConfig): string | undefined => packages([deployment], () => false)[0]?.message

describe("a package that a deployment needs and that is not installed", () => {
  const cases: ReadonlyArray<readonly [deployment: DeploymentConfig, names: string]> = [
    [on("vertex", { project: "p" }), "google-auth-library@11"],
    [on("vertex", { project: "p", apiKey: "ya29.key" }), ""],
    [on("azure", { baseUrl: "https://a.example", auth: { cloud: "entra" } }), "@azure/identity@4"],
    [on("azure", { baseUrl: "https://a.example", apiKey: "key" }), ""],
    [on("bedrock"), "@smithy/signature-v4@5 @aws-sdk/credential-provider-node@3 @smithy/eventstream-codec@4"],
    [on("bedrock", { auth: keys }), "@smithy/signature-v4@5 @smithy/eventstream-codec@4"],
    [on("bedrock", { apiKey: "key" }), "@smithy/eventstream-codec@4"],
    [on("bedrock", { apiKey: "key", operations: ["embeddings"] }), ""],
    [on("openai", { apiKey: "key" }), ""]
  ]

  it.each(cases.map((one) => [one] as const))("is told with the line that installs it: %j", ([deployment, names]) => {
    const message = told(deployment)
    if (names === "") assert.isUndefined(message)
    else assert.include(message, `npm install ${names}`)
  })

  it("is told as a warning at the deployment, and not where it is installed", () => {
    const deployments = [on("openai", { apiKey: "key" }), on("vertex", { project: "p" })]
    assert.deepStrictEqual(
      packages(deployments, (name) => name !== "google-auth-library").map(({ path, severity }) => [path, severity]),
      [["deployments[1].model", "warning"]]
    )
    assert.deepStrictEqual(packages(deployments), [])
  })
})
