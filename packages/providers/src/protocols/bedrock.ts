/**
 * Amazon Bedrock: Claude by InvokeModel in Anthropic's own words, all others by Converse.
 */
import type { Deployment } from "@switchyard/core/Deployment"
import type { DialectName } from "@switchyard/dialects/Conversation"
import { domainOf, regionOf, unknownRegion } from "./awsPlaces.js"
import { isRanker } from "./mediaPaths.js"
import {
  type Address,
  type Ask,
  badBase,
  baseOf,
  bearer,
  type Env,
  environment,
  isClaude,
  type Protocol,
  type TargetProblem
} from "./protocol.js"

const messages: ReadonlyArray<DialectName> = ["messages"]
const converse: ReadonlyArray<DialectName> = ["converse"]

const dialects = (deployment: Deployment, model: string): ReadonlyArray<DialectName> => {
  if (deployment.dialect === "converse") return converse
  return deployment.dialect === "messages" || isClaude(deployment, model) ? messages : converse
}

/** Rankings are asked of another service than conversations, in the same region. */
const agents = (url: string): string => url.replace(/^(https?:\/\/)bedrock-runtime/, "$1bedrock-agent-runtime")

/** What names a model that ranks. */
export const modelArn = (deployment: Deployment, model: string): string => {
  if (model.startsWith("arn:")) return model
  const region = regionOf(deployment, environment) ?? "us-east-1"
  const partition = region.startsWith("cn-") ? "aws-cn" : region.startsWith("us-gov-") ? "aws-us-gov" : "aws"
  return `arn:${partition}:bedrock:${region}::foundation-model/${model}`
}

const verb = ({ dialect, operation, stream }: Ask): string => {
  if (operation === "embeddings") return "invoke"
  if (operation === "count") return "count-tokens"
  if (dialect === "messages") return stream ? "invoke-with-response-stream" : "invoke"
  return stream ? "converse-stream" : "converse"
}

const address = (deployment: Deployment, baseUrl: string | undefined, env: Env): Address | TargetProblem => {
  const region = regionOf(deployment, env)
  if (baseUrl === undefined && region === undefined) return unknownRegion
  const usual = baseUrl ?? `https://bedrock-runtime.${region}.${domainOf(region)}`
  const base = baseOf(isRanker(deployment.model) ? agents(usual) : usual)
  if (base === undefined) return badBase
  const root = base.path.replace(/\/model(?:\/.*)?$/, "")
  return {
    origin: base.origin,
    // Ids hold colons, and ARNs slashes: both are escaped, and once more where they are signed.
    path: (ask) => {
      if (ask.operation !== "rerank") return `${root}/model/${encodeURIComponent(ask.model)}/${verb(ask)}${base.search}`
      return isRanker(deployment.model) ? `${root}/rerank${base.search}` : undefined
    }
  }
}

/** A prompt as Amazon's counter takes it: the body that would be sent, inside of its own. */
const counted = (body: Record<string, unknown>, { dialect }: Ask): Record<string, unknown> => {
  if (dialect === "messages") {
    // It is checked as a request is, which has a bound.
    return { input: { invokeModel: { body: base64Of(JSON.stringify({ max_tokens: 1, ...body })) } } }
  }
  const { additionalModelRequestFields, messages, system, toolConfig } = body
  return { input: { converse: { messages, system, toolConfig, additionalModelRequestFields } } }
}

const base64Of = (text: string): string => {
  let binary = ""
  for (const byte of new TextEncoder().encode(text)) binary += String.fromCharCode(byte)
  return btoa(binary)
}

/** Bedrock. */
export const bedrock: Protocol = {
  name: "bedrock",
  dialects,
  address,
  key: bearer,
  framing: ({ operation }) => (operation === "embeddings" ? "sse" : "aws"),
  cloud: "aws",
  needsAccount: true,
  betas: [
    "compact-",
    "computer-use-",
    "context-1m-",
    "context-management-",
    "dev-full-thinking-",
    "effort-",
    "fine-grained-tool-streaming-",
    "interleaved-thinking-",
    "output-128k-",
    "token-efficient-tools-",
    "tool-examples-",
    "tool-search-tool-"
  ],
  betasInBody: true,
  counted,
  fit: (body, { dialect, operation }) => {
    if (operation === "embeddings") return
    // Both stand in the path.
    delete body.model
    delete body.stream
    if (dialect !== "messages") return
    body.anthropic_version ??= "bedrock-2023-05-31"
    // Of Anthropic's own service: refused here, and no answer is another without them.
    delete body.service_tier
    delete body.speed
  }
}
