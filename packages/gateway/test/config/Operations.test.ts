import { assert, describe, it } from "@effect/vitest"
import type { DeploymentConfig } from "@switchyard/core/Deployment"
import { operations } from "../../src/config/findings/operationFindings.js"

const on = (group: string, protocol: string, served?: DeploymentConfig["operations"]): DeploymentConfig => ({
  id: `${group}-${protocol}`,
  group,
  model: "m",
  protocol,
  ...(served === undefined ? {} : { operations: served })
})

describe("a deployment for operations that its protocol has no endpoint for", () => {
  it("is told of, and its group where nobody else is in it", () => {
    const found = operations([
      on("sort", "gemini", ["rerank"]),
      on("draw", "azure", ["imageVariation"]),
      on("draw", "openai", ["image"]),
      on("talk", "anthropic", ["chat", "speech"]),
      on("any", "bedrock")
    ])
    assert.deepStrictEqual(found, [
      {
        severity: "warning",
        path: "deployments[0].operations",
        message: "nobody can ask for the group sort: there is no endpoint for rerank in the protocol gemini"
      },
      {
        severity: "warning",
        path: "deployments[1].operations",
        message: "nobody asks this deployment: there is no endpoint for imageVariation in the protocol azure"
      }
    ])
  })
})
