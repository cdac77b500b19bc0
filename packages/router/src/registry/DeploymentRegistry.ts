/**
 * Which deployments there are, and which of them a model name means. State lives in the slots and is kept by id, so a
 * reload, a re-ordering or a changed weight loses nothing.
 */
import { ConfigError, type ConfigIssue, issue } from "@switchyard/core/ConfigError"
import { type Deployment, type DeploymentConfig, type DeploymentId, decodeAll } from "@switchyard/core/Deployment"
import { Slot } from "@switchyard/core/Slot"
import * as Wildcard from "@switchyard/core/Wildcard"
import { Context, Effect, Either, Layer } from "effect"
import * as State from "../stack/State.js"
import { followAliases, type Group, maxAliasHops, type Resolved, Resolver, type Trace } from "./resolve.js"

export type { Group, Resolved, Trace }

/** What the registry is made of. */
export interface RegistryConfig {
  readonly deployments: ReadonlyArray<DeploymentConfig>
  /** Other names: alias to group, deployment id or another alias (at most 16 hops, no cycle). */
  readonly aliases?: Readonly<Record<string, string>>
  /** The group that serves names which nothing else matches. */
  readonly defaultGroup?: string
  /** Why names that nothing else matches are not served, by a name or a pattern with stars: the caller is told. */
  readonly unserved?: Readonly<Record<string, string>>
}

/** Resolves names to groups of slots. */
export class DeploymentRegistry extends Context.Tag("@switchyard/router/DeploymentRegistry")<
  DeploymentRegistry,
  {
    /** The group that a name means: id or alias, group, wildcard, default; undefined when there is none. */
    readonly resolve: (model: string) => Resolved | undefined
    /** Why a name that is not known is not served; undefined where there is nothing to say. */
    readonly whyUnserved: (model: string) => string | undefined
    /** What `resolve` does with a name, step by step; for explanations, not for the hot path. */
    readonly trace: (model: string) => Trace
    /** The slot of a deployment id. */
    readonly slot: (id: string) => Slot | undefined
    /** All slots, in the order of the configuration. */
    readonly slots: () => ReadonlyArray<Slot>
    /** All group names, wildcards included. */
    readonly groups: () => ReadonlyArray<string>
    /** Counts replacements, so that caches of groups can tell that they are old. */
    readonly version: () => number
    /** Checks a new configuration and puts it in force at once; calls in flight end on the deployment they began on. */
    readonly replace: (config: RegistryConfig) => Effect.Effect<void, ConfigError>
  }
>() {}

const aliasIssues = (
  aliases: ReadonlyMap<string, string>,
  known: (name: string) => boolean
): ReadonlyArray<ConfigIssue> => {
  const issues: Array<ConfigIssue> = []
  for (const [alias, target] of aliases) {
    const path = followAliases(aliases, alias)
    if (path === undefined) {
      issues.push(issue(`aliases.${alias}`, target, `no cycle, and at most ${maxAliasHops} hops`))
    } else if (!known(path[path.length - 1] ?? alias)) {
      issues.push(issue(`aliases.${alias}`, target, "a group, a deployment id or another alias"))
    }
  }
  return issues
}

/** Every problem of a registry's configuration, or its deployments. */
export const decode = (config: RegistryConfig): Either.Either<ReadonlyArray<Deployment>, ConfigError> => {
  const decoded = decodeAll(config.deployments)
  const deployments = Either.getOrElse(decoded, (): ReadonlyArray<Deployment> => [])
  const issues: Array<ConfigIssue> = Either.isLeft(decoded) ? [...decoded.left.issues] : []
  if (Either.isRight(decoded)) {
    const resolver = new Resolver(deployments.map(Slot.make), new Map(), undefined)
    const known = (name: string) => resolver.resolve(name) !== undefined
    const aliases = new Map(Object.entries(config.aliases ?? {}))
    issues.push(...aliasIssues(aliases, known))
    if (config.defaultGroup !== undefined && !known(config.defaultGroup) && !aliases.has(config.defaultGroup)) {
      issues.push(issue("defaultGroup", config.defaultGroup, "a group, an alias or a deployment id"))
    }
  }
  return issues.length === 0 ? Either.right(deployments) : Either.left(new ConfigError({ issues }))
}

interface Reason extends Wildcard.Wildcard {
  readonly text: string
}

/** Slots of deployments that left stay known for a while, so that one that comes back finds its state. */
const maxRetired = 1000

/** Makes a registry; fails with every problem of the configuration. */
export const make = (config: RegistryConfig): Effect.Effect<Context.Tag.Service<DeploymentRegistry>, ConfigError> =>
  Effect.suspend(() => {
    let slots: ReadonlyArray<Slot> = []
    let byId = new Map<string, Slot>()
    const retired = new Map<DeploymentId, Slot>()
    let resolver = new Resolver([], new Map(), undefined)
    let reasons: ReadonlyArray<Reason> = []
    let version = 0
    const install = (deployments: ReadonlyArray<Deployment>, next: RegistryConfig) => {
      const before = byId
      slots = deployments.map((deployment) => {
        const known = before.get(deployment.id) ?? retired.get(deployment.id)
        return known === undefined ? Slot.make(deployment) : known.withDeployment(deployment)
      })
      byId = new Map(slots.map((slot) => [slot.id as string, slot]))
      for (const slot of before.values()) if (!byId.has(slot.id)) retired.set(slot.id, slot)
      for (const slot of slots) retired.delete(slot.id)
      for (const id of retired.keys()) {
        if (retired.size <= maxRetired) break
        retired.delete(id)
      }
      resolver = new Resolver(slots, new Map(Object.entries(next.aliases ?? {})), next.defaultGroup)
      reasons = Object.entries(next.unserved ?? {}).map(([pattern, text]) => ({ ...Wildcard.make(pattern), text }))
      version++
    }
    const replace = (next: RegistryConfig) =>
      Effect.map(
        Effect.suspend(() => decode(next)),
        (deployments) => install(deployments, next)
      )
    return Effect.as(replace(config), {
      resolve: (model) => resolver.resolve(model),
      whyUnserved: (model) => reasons.find((reason) => Wildcard.matches(reason, model))?.text,
      trace: (model) => resolver.trace(model),
      slot: (id) => byId.get(id),
      slots: () => slots,
      groups: () => resolver.names,
      version: () => version,
      replace
    })
  })

/**
 * A registry of these deployments.
 *
 * @example
 * ```ts
 * import * as DeploymentRegistry from "@switchyard/router/DeploymentRegistry"
 *
 * const Registry = DeploymentRegistry.layer({
 *   deployments: [
 *     { id: "openai", group: "smart", model: "gpt-4o", baseUrl: "https://api.openai.com/v1" },
 *     { id: "groq", group: "smart", model: "llama-3.3-70b", baseUrl: "https://api.groq.com/openai/v1" }
 *   ],
 *   aliases: { default: "smart" }
 * })
 * ```
 */
export const layer = (config: RegistryConfig): Layer.Layer<DeploymentRegistry, ConfigError> =>
  Layer.effect(DeploymentRegistry, make(config))

/** The deployments of a tower, which a reload exchanges in place. */
export class Registry extends State.make({
  name: "registry",
  tag: DeploymentRegistry,
  keys: ["deployments", "aliases", "defaultGroup", "unserved"],
  options: State.shape<RegistryConfig>(),
  layer,
  update: (registry, config) => Effect.orDie(registry.replace(config)),
  issues: (given) => {
    const decoded = decode(given as unknown as RegistryConfig)
    return Either.isLeft(decoded) ? decoded.left.issues : []
  }
}) {}
