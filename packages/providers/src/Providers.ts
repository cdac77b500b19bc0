/**
 * The base service of a tower with deployments of several kinds: it hands each attempt to the service that speaks the
 * deployment's protocol.
 */
import { ConfigError, issue } from "@switchyard/core/ConfigError"
import type { Deployment } from "@switchyard/core/Deployment"
import { DeploymentService } from "@switchyard/core/DeploymentService"
import { LlmError } from "@switchyard/core/LlmError"
import * as Service from "@switchyard/core/Service"
import { open } from "@switchyard/core/Status"
import { type Context, Effect, Either, Layer } from "effect"
import { neededBy } from "./auth/needed.js"
import { installLine, isInstalled, type OptionalPackage } from "./auth/packages.js"
import * as OpenAiCompatible from "./openai/OpenAiCompatible.js"
import { names, protocolOf } from "./protocols/all.js"
import { environment } from "./protocols/protocol.js"
import { targetOf } from "./protocols/target.js"
import { Transport } from "./transport/Transport.js"

/** Base services by the protocol that they speak, as `deployment.protocol` names it. */
export type Protocols = Readonly<Record<string, Service.AttemptService>>

/** The services of this package over one transport. Add your own beside them, and give all to {@link make}. */
export const protocols = (
  transport: Context.Tag.Service<Transport>,
  options: OpenAiCompatible.Options = {}
): Readonly<Record<(typeof names)[number], Service.AttemptService>> => {
  const service = OpenAiCompatible.make(transport, options)
  return Object.fromEntries(names.map((name) => [name, service]))
}

/** The protocols of {@link protocols}, for checks of a configuration. */
export const supported: ReadonlyArray<string> = names

const serviceFor = (services: Protocols, protocol: string): Service.AttemptService | undefined =>
  Object.hasOwn(services, protocol) ? services[protocol] : undefined

/**
 * One service over those of several protocols. A deployment whose protocol nobody speaks fails as `Unavailable` with the
 * code `unknown_protocol`; {@link check} finds it beforehand.
 */
export const make = (services: Protocols): Service.AttemptService => {
  const all = [...new Set(Object.values(services))]
  const entries = new Map(all.map((service) => [service, Service.entry(service)]))
  const service = Service.attemptWithin(
    (attempt, region) => {
      const service = serviceFor(services, attempt.target.protocol)
      const enter = service === undefined ? undefined : entries.get(service)
      if (enter !== undefined) return enter(attempt, region)
      return Effect.fail(
        new LlmError({
          reason: "Unavailable",
          description: `no service speaks the protocol ${JSON.stringify(attempt.target.protocol)}`,
          code: "unknown_protocol",
          provider: attempt.provider,
          deployment: attempt.deployment
        })
      )
    },
    (slot, request, now) => serviceFor(services, slot.deployment.protocol)?.status(slot, request, now) ?? open
  )
  const expiries = all.map(Service.expiryOf)
  return Service.expiring(service, (request) => expiries.every((expires) => expires(request)))
}

/** Says which deployments name a protocol that is not among `known`, with their paths below `path`. */
export const check = (
  deployments: ReadonlyArray<Pick<Deployment, "protocol">>,
  known: ReadonlyArray<string> = supported,
  path = "deployments"
): Either.Either<void, ConfigError> => {
  const issues = deployments.flatMap(({ protocol }, index) =>
    known.includes(protocol) ? [] : [issue(`${path}[${index}].protocol`, protocol, `one of ${known.join(", ")}`)]
  )
  return issues.length === 0 ? Either.void : Either.left(new ConfigError({ issues }))
}

/** A deployment that cannot be asked as it is. */
export interface Unusable {
  /** Its place in the list. */
  readonly index: number
  /** What it lacks, in words. */
  readonly problem: string
}

/** APIs of clouds that cannot tell where, or for whom, they are asked. */
const placed: ReadonlySet<string> = new Set(["sagemaker", "watsonx", "snowflake", "oci"])

/**
 * Says which deployments on clouds lack what every request to them needs: a region, a project, a compartment, an account's address.
 * Their requests would fail as `Unavailable` with the code `invalid_deployment`.
 */
export const unusable = (deployments: ReadonlyArray<Deployment>): ReadonlyArray<Unusable> =>
  deployments.flatMap((deployment, index) => {
    const protocol = placed.has(deployment.protocol) ? protocolOf(deployment.protocol) : undefined
    const target = protocol === undefined ? undefined : targetOf(protocol, deployment, {}, environment)
    return target !== undefined && "problem" in target ? [{ index, problem: target.problem }] : []
  })

/** A deployment that needs packages which are not installed. */
export interface MissingPackages {
  /** Its place in the list. */
  readonly index: number
  /** By their names on npm. */
  readonly packages: ReadonlyArray<string>
  /** What installs them. */
  readonly install: string
}

/** Says which deployments need optional packages that are not installed: cloud accounts, and streams of Bedrock. */
export const missingPackages = (
  deployments: ReadonlyArray<Deployment>,
  isThere: (name: string) => boolean = (name) => isInstalled(name as OptionalPackage)
): ReadonlyArray<MissingPackages> =>
  deployments.flatMap((deployment, index) => {
    const packages = neededBy(deployment, environment).filter((name) => !isThere(name))
    return packages.length === 0 ? [] : [{ index, packages, install: installLine(packages) }]
  })

/** Provides the base service for every protocol that this package speaks, with defaults. */
export const layer: Layer.Layer<DeploymentService, never, Transport> = Layer.fresh(
  Layer.effect(
    DeploymentService,
    Effect.map(Transport, (transport) => make(protocols(transport)))
  )
)
