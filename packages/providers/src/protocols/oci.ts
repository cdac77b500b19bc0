/**
 * Oracle's generative AI service, in its own words and by signed requests: Cohere's models in one form, all others in another.
 */
import type { Deployment } from "@switchyard/core/Deployment"
import { isJsonObject, type JsonObject } from "@switchyard/core/Json"
import type { DialectName } from "@switchyard/dialects/Conversation"
import { choicesOf, pieceOf, usageOf, writeChat } from "./ociChat.js"
import { cohereChoices, coherePieces, writeCohere } from "./ociCohere.js"
import {
  type Address,
  badBase,
  baseOf,
  bearer,
  type Env,
  environment,
  type Protocol,
  type Shape,
  type Stamp,
  type TargetProblem,
  variable
} from "./protocol.js"

const chat: ReadonlyArray<DialectName> = ["chat"]

/** The API's one version. */
const version = "20231130"

/** LiteLLM's. */
const usualRegion = "us-ashburn-1"

const isCohere = ({ baseModel }: Deployment, model: string): boolean => /^cohere\./i.test(baseModel ?? model)

const compartmentOf = ({ project }: Deployment, env: Env): string | undefined =>
  project ?? variable(env, "OCI_COMPARTMENT_ID")

/** For whom, and which model is asked: one of the service's, or an endpoint of one's own by its OCID. */
export const placed = (deployment: Deployment, model: string, env: Env = environment): JsonObject => ({
  compartmentId: compartmentOf(deployment, env),
  servingMode: /^ocid1\.generativeaiendpoint\./.test(model)
    ? { servingType: "DEDICATED", endpointId: model }
    : { servingType: "ON_DEMAND", modelId: model }
})

const address = (deployment: Deployment, baseUrl: string | undefined, env: Env): Address | TargetProblem => {
  if (compartmentOf(deployment, env) === undefined) {
    return { problem: "OCI needs a compartment: set `project` to its OCID, or OCI_COMPARTMENT_ID in the environment" }
  }
  const region = deployment.location ?? variable(env, "OCI_REGION") ?? usualRegion
  const base = baseOf(baseUrl ?? `https://inference.generativeai.${region}.oci.oraclecloud.com`)
  if (base === undefined) return badBase
  const root = base.path.replace(/\/20231130(?:\/.*)?$/, "")
  return {
    origin: base.origin,
    path: ({ operation }) => {
      if (operation === "embeddings") return `${root}/${version}/actions/embedText${base.search}`
      const isChat = operation === "chat" || operation === "completion"
      return isChat ? `${root}/${version}/actions/chat${base.search}` : undefined
    }
  }
}

const createdIn = (time: unknown, { created }: Stamp): number => {
  const ms = typeof time === "string" ? Date.parse(time) : Number.NaN
  return Number.isNaN(ms) ? created : Math.floor(ms / 1000)
}

const withUsage = (usage: unknown): JsonObject => {
  const told = usageOf(usage)
  return told === undefined ? {} : { usage: told }
}

const shapeOf = (deployment: Deployment, model: string, stamp: Stamp): Shape => {
  const cohere = isCohere(deployment, model)
  const id = `chatcmpl-${stamp.id}`
  return {
    answer: (body) => {
      const { chatResponse, modelId } = body
      if (!isJsonObject(chatResponse)) return body
      return {
        id,
        object: "chat.completion",
        created: createdIn(chatResponse.timeCreated, stamp),
        model: modelId ?? model,
        choices: cohere ? cohereChoices(chatResponse, stamp.id) : choicesOf(chatResponse),
        ...withUsage(chatResponse.usage)
      }
    },
    events: () => {
      const read = cohere ? coherePieces(stamp.id) : pieceOf
      let isFirst = true
      return (event) => {
        const piece = read(event)
        const delta = isJsonObject(piece.delta) ? piece.delta : {}
        const choice = isFirst ? { ...piece, delta: { role: "assistant", ...delta } } : piece
        isFirst = false
        return {
          id,
          object: "chat.completion.chunk",
          created: stamp.created,
          model,
          choices: [choice],
          ...withUsage(event.usage)
        }
      }
    }
  }
}

/** OCI's generative AI service. */
export const oci: Protocol = {
  name: "oci",
  dialects: () => chat,
  address,
  key: bearer,
  cloud: "oci",
  needsAccount: true,
  hasOwnEmbeddings: true,
  shape: ({ model }, deployment, stamp) => shapeOf(deployment, model, stamp),
  fit: (body, { model }, deployment) => {
    const said = isCohere(deployment, model) ? writeCohere(body) : writeChat(body, model)
    for (const name of Object.keys(body)) delete body[name]
    Object.assign(body, placed(deployment, model), { chatRequest: said })
  }
}
