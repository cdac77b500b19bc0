import { assert, describe, it } from "@effect/vitest"
import type { DeploymentConfig } from "@switchyard/core/Deployment"
import type { Operation } from "@switchyard/core/LlmRequest"
import * as StubLlm from "@switchyard/testing/StubLlm"
import { protocolOf } from "../../src/protocols/all.js"
import { type Target, targetOf } from "../../src/protocols/target.js"

const env = { AWS_REGION: "eu-west-1" }

const target = (config: Partial<DeploymentConfig>): Target => {
  const deployment = StubLlm.deployment("d", config)
  const protocol = protocolOf(deployment.protocol)
  if (protocol === undefined) throw new Error("no such protocol")
  const made = targetOf(protocol, deployment, {}, env)
  if ("problem" in made) throw new Error(made.problem)
  return made
}

const url = (
  config: Partial<DeploymentConfig>,
  ask: { readonly operation?: Operation | "count"; readonly stream?: boolean; readonly dialect?: "responses" } = {}
): string | undefined => {
  const made = target(config)
  const deployment = StubLlm.deployment("d", config)
  const { model } = deployment
  const path = made.path({
    model,
    operation: ask.operation ?? "chat",
    stream: ask.stream ?? false,
    dialect: ask.dialect ?? made.protocol.dialects(deployment, model)[0] ?? "chat"
  })
  return path === undefined ? undefined : made.origin + path
}

describe("rankings", () => {
  const nim = { provider: "nvidia_nim", model: "nvidia/llama-nemotron-rerank-1b-v2" }
  const nvidia = "https://integrate.api.nvidia.com/v1"
  const bedrock = { protocol: "bedrock", model: "amazon.rerank-v1:0" }
  const places: ReadonlyArray<readonly [Partial<DeploymentConfig>, string]> = [
    [{ baseUrl: "https://h/v1" }, "https://h/v1/rerank"],
    [{ provider: "tei", baseUrl: "http://h:8080" }, "http://h:8080/rerank"],
    [{ provider: "huggingface", baseUrl: "http://h:8080/v1" }, "http://h:8080/rerank"],
    [{ ...nim, baseUrl: "http://h:8000/v1" }, "http://h:8000/v1/ranking"],
    [{ ...nim, baseUrl: nvidia }, `https://ai.api.nvidia.com/v1/retrieval/${nim.model}/reranking`],
    [bedrock, "https://bedrock-agent-runtime.eu-west-1.amazonaws.com/rerank"],
    [
      { ...bedrock, baseUrl: "https://bedrock-runtime.us-east-1.amazonaws.com" },
      "https://bedrock-agent-runtime.us-east-1.amazonaws.com/rerank"
    ],
    [{ ...bedrock, baseUrl: "https://proxy/bedrock" }, "https://proxy/bedrock/rerank"]
  ]
  it.each(places)("are asked of %o at %s", (config, expected) => {
    assert.strictEqual(url(config, { operation: "rerank" }), expected)
  })
  it("are asked elsewhere than NVIDIA's other models alone", () => {
    assert.strictEqual(
      url({ provider: "nvidia_nim", model: "nvidia/nv-embedqa", baseUrl: nvidia }, { operation: "embeddings" }),
      `${nvidia}/embeddings`
    )
  })
})

describe("the protocols of providers", () => {
  const bases: ReadonlyArray<
    readonly [Partial<DeploymentConfig>, string] | readonly [Partial<DeploymentConfig>, string, string]
  > = [
    [{ protocol: "openai", baseUrl: "https://h/v1" }, "https://h/v1/chat/completions"],
    [{ protocol: "responses", baseUrl: "https://h/v1" }, "https://h/v1/responses"],
    [{ protocol: "openai", dialect: "responses", baseUrl: "https://h/v1/" }, "https://h/v1/responses"],
    [{ protocol: "anthropic" }, "https://api.anthropic.com/v1/messages"],
    [{ protocol: "anthropic", baseUrl: "https://h" }, "https://h/v1/messages"],
    [{ protocol: "anthropic", baseUrl: "https://h/v1" }, "https://h/v1/messages"],
    [{ protocol: "anthropic", baseUrl: "https://h/v1/messages" }, "https://h/v1/messages"],
    [{ protocol: "anthropic", baseUrl: "https://h/api/anthropic/" }, "https://h/api/anthropic/v1/messages"],
    [
      { protocol: "gemini", model: "gemini-2.5-flash" },
      "https://generativelanguage.googleapis.com/v1beta/models/gemini-2.5-flash:generateContent",
      "https://generativelanguage.googleapis.com/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse"
    ],
    [{ protocol: "gemini", model: "g", baseUrl: "https://h" }, "https://h/v1beta/models/g:generateContent"],
    [
      { protocol: "gemini", model: "g", baseUrl: "https://h/v1beta/models/x:generateContent" },
      "https://h/v1beta/models/g:generateContent"
    ],
    [
      { protocol: "gemini", model: "g", baseUrl: "https://h/x/publishers/google?key=k" },
      "https://h/x/publishers/google/models/g:generateContent?key=k",
      "https://h/x/publishers/google/models/g:streamGenerateContent?alt=sse&key=k"
    ],
    [
      { protocol: "vertex", model: "gemini-2.5-pro", project: "acme", location: "europe-west4" },
      "https://europe-west4-aiplatform.googleapis.com/v1/projects/acme/locations/europe-west4/publishers/google/models/gemini-2.5-pro:generateContent"
    ],
    [
      { protocol: "vertex", model: "gemini-3-pro", project: "acme", location: "global" },
      "https://aiplatform.googleapis.com/v1/projects/acme/locations/global/publishers/google/models/gemini-3-pro:generateContent"
    ],
    [
      { protocol: "vertex", model: "claude-sonnet-4-5@20250929", project: "acme", location: "us-east5" },
      "https://us-east5-aiplatform.googleapis.com/v1/projects/acme/locations/us-east5/publishers/anthropic/models/claude-sonnet-4-5%4020250929:rawPredict",
      "https://us-east5-aiplatform.googleapis.com/v1/projects/acme/locations/us-east5/publishers/anthropic/models/claude-sonnet-4-5%4020250929:streamRawPredict"
    ],
    [
      { protocol: "vertex", model: "meta/llama-3.3-70b-instruct-maas", project: "acme", location: "us-central1" },
      "https://us-central1-aiplatform.googleapis.com/v1/projects/acme/locations/us-central1/endpoints/openapi/chat/completions"
    ],
    [
      { protocol: "vertex", model: "gemini-2.5-pro", apiKey: "AQ.k" },
      "https://us-central1-aiplatform.googleapis.com/v1/publishers/google/models/gemini-2.5-pro:generateContent"
    ],
    [
      { protocol: "bedrock", model: "us.anthropic.claude-sonnet-4-20250514-v1:0", location: "us-west-2" },
      "https://bedrock-runtime.us-west-2.amazonaws.com/model/us.anthropic.claude-sonnet-4-20250514-v1%3A0/invoke",
      "https://bedrock-runtime.us-west-2.amazonaws.com/model/us.anthropic.claude-sonnet-4-20250514-v1%3A0/invoke-with-response-stream"
    ],
    [
      { protocol: "bedrock", model: "amazon.nova-pro-v1:0" },
      "https://bedrock-runtime.eu-west-1.amazonaws.com/model/amazon.nova-pro-v1%3A0/converse",
      "https://bedrock-runtime.eu-west-1.amazonaws.com/model/amazon.nova-pro-v1%3A0/converse-stream"
    ],
    [
      { protocol: "bedrock", model: "arn:aws:bedrock:us-east-1:1:application-inference-profile/abc" },
      "https://bedrock-runtime.us-east-1.amazonaws.com/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Aapplication-inference-profile%2Fabc/converse"
    ],
    [
      { protocol: "bedrock", model: "anthropic.claude-v2", dialect: "converse", baseUrl: "https://h" },
      "https://h/model/anthropic.claude-v2/converse"
    ],
    [{ protocol: "cohere" }, "https://api.cohere.com/v2/chat"],
    [{ protocol: "cohere", baseUrl: "https://api.cohere.ai/compatibility/v1" }, "https://api.cohere.ai/v2/chat"],
    [{ protocol: "ollama" }, "http://localhost:11434/api/chat"],
    [{ protocol: "ollama", baseUrl: "http://h:1/api/generate" }, "http://h:1/api/chat"],
    [{ protocol: "ollama", baseUrl: "http://h:1/v1" }, "http://h:1/api/chat"],
    [
      { protocol: "azure", model: "my 4o", baseUrl: "https://r.openai.azure.com", apiVersion: "2024-10-21" },
      "https://r.openai.azure.com/openai/deployments/my%204o/chat/completions?api-version=2024-10-21"
    ],
    [
      { protocol: "azure", model: "m", baseUrl: "https://r.openai.azure.com" },
      "https://r.openai.azure.com/openai/v1/chat/completions"
    ],
    [
      { protocol: "azure", model: "m", baseUrl: "https://r.openai.azure.com/openai/v1/", apiVersion: "preview" },
      "https://r.openai.azure.com/openai/v1/chat/completions?api-version=preview"
    ],
    [
      {
        protocol: "azure",
        model: "m",
        baseUrl: "https://r.openai.azure.com/openai/deployments/x/chat/completions?api-version=2024-10-21"
      },
      "https://r.openai.azure.com/openai/deployments/x/chat/completions?api-version=2024-10-21"
    ]
  ]
  it.each(bases)("%o is asked at %s", (...[config, whole, streamed]) => {
    assert.strictEqual(url(config), whole)
    if (streamed !== undefined) assert.strictEqual(url(config, { stream: true }), streamed)
  })

  it("Azure's Responses has no deployment in its path, and no version where the version is older than it", () => {
    const at = (apiVersion: string | undefined) =>
      url({ protocol: "azure", baseUrl: "https://r", apiVersion }, { dialect: "responses" })
    assert.strictEqual(at("2025-04-01-preview"), "https://r/openai/responses?api-version=2025-04-01-preview")
    assert.strictEqual(at("2024-10-21"), "https://r/openai/v1/responses")
    assert.strictEqual(at(undefined), "https://r/openai/v1/responses")
  })

  it("a prompt is counted, and texts are embedded, where the provider does that", () => {
    const of = (config: Partial<DeploymentConfig>, operation: Operation | "count") => url(config, { operation })
    assert.strictEqual(of({ protocol: "anthropic" }, "count"), "https://api.anthropic.com/v1/messages/count_tokens")
    assert.strictEqual(of({ protocol: "anthropic" }, "embeddings"), undefined)
    assert.match(of({ protocol: "gemini", model: "g" }, "count") ?? "", /\/models\/g:countTokens$/)
    assert.match(of({ protocol: "gemini", model: "g" }, "embeddings") ?? "", /\/models\/g:batchEmbedContents$/)
    assert.match(of({ protocol: "bedrock", model: "m" }, "embeddings") ?? "", /\/model\/m\/invoke$/)
    assert.match(of({ protocol: "cohere" }, "embeddings") ?? "", /\/v2\/embed$/)
    assert.match(of({ protocol: "ollama" }, "embeddings") ?? "", /\/api\/embed$/)
    assert.strictEqual(of({ protocol: "ollama" }, "count"), undefined)
  })

  const keys: ReadonlyArray<readonly [protocol: string, key: string, header: string, value: string]> = [
    ["openai", "k", "authorization", "Bearer k"],
    ["azure", "k", "api-key", "k"],
    ["anthropic", "k", "x-api-key", "k"],
    ["anthropic", "sk-ant-oat01-k", "authorization", "Bearer sk-ant-oat01-k"],
    ["gemini", "k", "x-goog-api-key", "k"],
    ["vertex", "ya29.k", "authorization", "Bearer ya29.k"],
    ["bedrock", "k", "authorization", "Bearer k"],
    ["cohere", "k", "authorization", "Bearer k"]
  ]
  it.each(keys)("%s shows the key %s as %s", (protocol, apiKey, header, value) => {
    const { cloud, plain } = target({ protocol, apiKey, baseUrl: "https://h" })
    assert.strictEqual(plain.headers[header], value)
    assert.include(plain.secrets, apiKey)
    assert.strictEqual(cloud, undefined)
  })

  it("without a key the cloud's account asks, where there is one or nothing can be asked without", () => {
    const cloudOf = (config: Partial<DeploymentConfig>) => target({ baseUrl: "https://h", ...config }).cloud
    assert.strictEqual(cloudOf({ protocol: "bedrock" }), "aws")
    assert.strictEqual(cloudOf({ protocol: "vertex" }), "google")
    assert.strictEqual(cloudOf({ protocol: "azure" }), undefined)
    assert.strictEqual(cloudOf({ protocol: "azure", auth: {} }), "entra")
    assert.strictEqual(cloudOf({ protocol: "openai", auth: { cloud: "entra" } }), "entra")
    assert.strictEqual(cloudOf({ protocol: "bedrock", headers: { authorization: "Bearer x" } }), undefined)
  })

  it("Anthropic is told a version", () => {
    assert.strictEqual(target({ protocol: "anthropic" }).plain.headers["anthropic-version"], "2023-06-01")
    const newer = target({ protocol: "anthropic", apiVersion: "2026-01-01" })
    assert.strictEqual(newer.plain.headers["anthropic-version"], "2026-01-01")
  })
})
