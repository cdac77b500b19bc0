/**
 * Services that the caller built, as the deployments of a tower and the base service that asks them.
 */
import { ConfigError, issue } from "@switchyard/core/ConfigError"
import type { DeploymentConfig } from "@switchyard/core/Deployment"
import { LlmError } from "@switchyard/core/LlmError"
import { ParameterBook, requestOf, tellDropped } from "@switchyard/core/Payload"
import * as Service from "@switchyard/core/Service"
import { Effect, Either } from "effect"

/** A deployment and the service that answers for it. */
export interface ServiceEntry {
  /** `group` defaults to `default`, `model` to the id. */
  readonly deployment: Partial<DeploymentConfig> & { readonly id: string }
  readonly service: Service.RequestService
}

const notOurs = (id: string): LlmError =>
  new LlmError({ reason: "Unavailable", description: "no service was given for this deployment", deployment: id })

const baseOver = (entries: ReadonlyArray<ServiceEntry>): Service.AttemptService => {
  const services = new Map(entries.map(({ deployment, service }) => [deployment.id, service]))
  const book = new ParameterBook()
  return Service.attempt((attempt) => {
    const service = services.get(attempt.deployment)
    if (service === undefined) return Effect.fail(notOurs(attempt.deployment))
    const parameters = book.of(attempt)
    const call = service.call(requestOf(attempt, parameters))
    const told = tellDropped(attempt, parameters)
    return told === undefined ? call : Effect.zipRight(told, call)
  })
}

/** A tower's options over given services, and its base; fails when the weights are not one for each. */
export const routed = <O extends { readonly weights?: ReadonlyArray<number> }>(
  entries: ReadonlyArray<ServiceEntry>,
  options: O
): Either.Either<
  {
    readonly options: Omit<O, "weights"> & { readonly deployments: ReadonlyArray<DeploymentConfig> }
    readonly base: Service.AttemptService
  },
  ConfigError
> => {
  const { weights, ...rest } = options
  if (weights !== undefined && weights.length !== entries.length) {
    const expected = `one weight for each of the ${entries.length} services`
    return Either.left(new ConfigError({ issues: [issue("weights", weights, expected)] }))
  }
  const deployments = entries.map(({ deployment }, index): DeploymentConfig => {
    const weight = weights?.[index] ?? deployment.weight
    return { group: "default", model: deployment.id, ...deployment, ...(weight === undefined ? {} : { weight }) }
  })
  return Either.right({ options: { ...rest, deployments }, base: baseOver(entries) })
}
