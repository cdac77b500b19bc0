/**
 * The models that a caller may ask for, as OpenAI's `/v1/models` lists them: groups and aliases, by their names.
 */
import { DeploymentRegistry, type Resolved } from "@switchyard/router/DeploymentRegistry"
import * as WildcardNames from "@switchyard/router/WildcardNames"
import { Context } from "effect"
import type { Generation } from "../generations/Generations.js"
import type { Caller } from "../keys/KeyRing.js"

/** A model in OpenAI's words. */
export interface Model {
  readonly id: string
  readonly object: "model"
  /** Seconds since 1970: when the configuration came into force. */
  readonly created: number
  /** The provider, or `switchyard` where a group has several. */
  readonly owned_by: string
}

const ownerOf = ({ group }: Resolved): string => {
  const providers = new Set(group.tiers.flat().map((slot) => slot.deployment.provider))
  const [only] = providers
  return providers.size === 1 && only !== undefined ? only : "switchyard"
}

const toModel = (id: string, resolved: Resolved, { installedAt }: Generation): Model => ({
  id,
  object: "model",
  created: Math.floor(installedAt / 1000),
  owned_by: ownerOf(resolved)
})

/** The model of that name; undefined when there is none, or the caller may not use it. Hidden names are answered too. */
export const find = (id: string, caller: Caller, generation: Generation): Model | undefined => {
  const resolved = Context.get(generation.tower.state, DeploymentRegistry).resolve(id)
  return resolved === undefined || !caller.mayUse(id) ? undefined : toModel(id, resolved, generation)
}

/** Names of wildcards that are listed, in all. */
const maxKnown = 1000

const known = new WeakMap<Generation, ReadonlyArray<string>>()

/** What the wildcards of a generation stand for, where the catalogue knows it; found out once. */
const knownNames = (generation: Generation): ReadonlyArray<string> => {
  const found = known.get(generation)
  if (found !== undefined) return found
  const registry = Context.get(generation.tower.state, DeploymentRegistry)
  const names: Array<string> = []
  for (const wildcard of registry.groups()) {
    if (!wildcard.includes("*")) continue
    const group = registry.resolve(wildcard)?.group
    if (group?.name !== wildcard) continue
    for (const name of WildcardNames.of(group, maxKnown - names.length)) {
      // Another group may have a better claim to the name.
      if (registry.resolve(name)?.group === group) names.push(name)
    }
  }
  known.set(generation, names)
  return names
}

/** Names that callers may ask for: groups and aliases but for `hiddenModels`, wildcards among them. */
export const ownNames = (caller: Caller, generation: Generation): ReadonlyArray<string> => {
  const { hiddenModels, router } = generation.source.config
  const hidden = new Set(hiddenModels)
  const groups = Context.get(generation.tower.state, DeploymentRegistry).groups()
  const names = new Set([...groups, ...Object.keys(router.aliases ?? {})])
  return [...names].filter((name) => !hidden.has(name) && caller.mayUse(name))
}

/**
 * Every model that has a name: groups and aliases, and what wildcards stand for where the catalogue knows it. `hiddenModels`
 * are left out, and patterns themselves unless `withPatterns` asks for them.
 */
export const list = (caller: Caller, generation: Generation, withPatterns = false): ReadonlyArray<Model> => {
  const hidden = new Set(generation.source.config.hiddenModels)
  const own = ownNames(caller, generation).filter((name) => withPatterns || !name.includes("*"))
  const names = new Set([...own, ...knownNames(generation).filter((name) => !hidden.has(name))])
  return [...names].flatMap((name) => find(name, caller, generation) ?? [])
}
