/**
 * The models that a caller may ask for, as OpenAI's `/v1/models` lists them: groups and aliases, by their names.
 */
import { DeploymentRegistry, type Resolved } from "@switchyard/router/DeploymentRegistry"
import { Context } from "effect"
import type { Generation } from "./Generations.js"
import type { Caller } from "./KeyRing.js"

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

/** Every model that has a name of its own: patterns and `hiddenModels` are left out. */
export const list = (caller: Caller, generation: Generation): ReadonlyArray<Model> => {
  const { hiddenModels, router } = generation.source.config
  const hidden = new Set(hiddenModels)
  const groups = Context.get(generation.tower.state, DeploymentRegistry).groups()
  const names = new Set([...groups, ...Object.keys(router.aliases ?? {})])
  return [...names].flatMap((name) => {
    if (name.includes("*") || hidden.has(name)) return []
    return find(name, caller, generation) ?? []
  })
}
