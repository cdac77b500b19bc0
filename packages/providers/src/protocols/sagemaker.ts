/**
 * Amazon SageMaker: endpoints of one's own, whose containers take OpenAI's chats, or only a text to go on with.
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
import { textShape, writeText } from "./sagemakerText.js"

const chat: ReadonlyArray<DialectName> = ["chat"]
const texts: ReadonlyArray<DialectName> = ["completions"]

/** LiteLLM's name for containers that take no chats. */
const takesText = ({ provider }: Deployment): boolean => provider === "sagemaker"

/** What is done at an endpoint. */
const verb = ({ stream }: Ask): string => (stream ? "invocations-response-stream" : "invocations")

const has = ({ operation }: Ask): boolean =>
  operation === "chat" || operation === "completion" || operation === "embeddings"

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
  dialects: (deployment) => (takesText(deployment) ? texts : chat),
  address,
  key: bearer,
  framing: ({ operation }) => (operation === "embeddings" ? "sse" : "aws-sse"),
  cloud: "aws",
  needsAccount: true,
  hasOwnEmbeddings: true,
  shape: ({ model }, deployment, stamp) => (takesText(deployment) ? textShape(model, stamp) : undefined),
  fit: (body, _, deployment) => {
    if (takesText(deployment)) {
      const said = writeText(body)
      for (const name of Object.keys(body)) delete body[name]
      Object.assign(body, said)
    }
    // Nova's containers serve one model, and refuse its name.
    if (deployment.provider === "sagemaker_nova") delete body.model
  }
}
