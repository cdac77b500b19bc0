/**
 * Amazon SageMaker: endpoints of one's own, whose containers take OpenAI's chats.
 */
import type { Deployment } from "@switchyard/core/Deployment"
import type { DialectName } from "@switchyard/dialects/Conversation"
import { domainOf, regionOf, unknownRegion } from "./awsPlaces.js"
import {
  type Address,
  type Ask,
  badBase,
  baseOf,
  bearer,
  type Env,
  type Protocol,
  type TargetProblem
} from "./protocol.js"

const chat: ReadonlyArray<DialectName> = ["chat"]

/** What is done at an endpoint. */
const verb = ({ stream }: Ask): string => (stream ? "invocations-response-stream" : "invocations")

const has = ({ operation }: Ask): boolean => operation === "chat" || operation === "embeddings"

const address = (deployment: Deployment, baseUrl: string | undefined, env: Env): Address | TargetProblem => {
  const region = regionOf(deployment, env)
  if (baseUrl === undefined && region === undefined) return unknownRegion
  const base = baseOf(baseUrl ?? `https://runtime.sagemaker.${region}.${domainOf(region)}`)
  if (base === undefined) return badBase
  // What users write of it: the host, or the whole path of one endpoint.
  const whole = /^(.*)\/invocations(?:-response-stream)?$/.exec(base.path)?.[1]
  const endpoint = ({ model }: Ask): string => whole ?? `${base.path}/endpoints/${encodeURIComponent(model)}`
  return {
    origin: base.origin,
    path: (ask) => (has(ask) ? `${endpoint(ask)}/${verb(ask)}${base.search}` : undefined)
  }
}

/** SageMaker. */
export const sagemaker: Protocol = {
  name: "sagemaker",
  dialects: () => chat,
  address,
  key: bearer,
  framing: ({ operation }) => (operation === "embeddings" ? "sse" : "aws-sse"),
  cloud: "aws",
  needsAccount: true,
  hasOwnEmbeddings: true,
  fit: (body, _, { provider }) => {
    // Nova's containers serve one model, and refuse its name.
    if (provider === "sagemaker_nova") delete body.model
  }
}
