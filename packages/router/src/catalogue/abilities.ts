import type { Deployment } from "@switchyard/core/Deployment"
import * as ModelCatalogue from "./ModelCatalogue.js"
import * as ModelList from "./modelList.js"

/** Behind an address of one's own anything may go by a model's name; a cloud's account needs no address. */
const isAtHome = ({ baseUrl, protocol }: Deployment): boolean =>
  baseUrl === undefined ? protocol === "bedrock" || protocol === "vertex" : ModelList.byAddress(baseUrl) !== undefined

const listed = new WeakMap<Deployment, ModelCatalogue.Model | undefined>()

const modelOf = (deployment: Deployment): ModelCatalogue.Model | undefined => {
  if (!listed.has(deployment)) {
    listed.set(deployment, isAtHome(deployment) ? ModelCatalogue.find(deployment.model, deployment) : undefined)
  }
  return listed.get(deployment)
}

/** Whether it may have a capability: as it declares, else as its model is listed; what nobody knows may be. */
export const mayDo = (deployment: Deployment, capability: string): boolean =>
  deployment.capabilities?.has(capability) ?? modelOf(deployment)?.capabilities[capability] !== false

/** Whether it may be asked for an operation: as it declares, else as its model is listed; what nobody knows may be. */
export const mayBeAsked = (deployment: Deployment, operation: string): boolean =>
  deployment.operations?.has(operation) ?? modelOf(deployment)?.operations?.includes(operation) !== false

/** Whether some capability is known to be missing, or all are declared. */
export const limitsCapabilities = (deployment: Deployment): boolean =>
  deployment.capabilities !== undefined || Object.values(modelOf(deployment)?.capabilities ?? {}).includes(false)

/** Whether it is known what it may be asked for. */
export const limitsOperations = (deployment: Deployment): boolean =>
  deployment.operations !== undefined || modelOf(deployment)?.operations !== undefined
