import { closest } from "@switchyard/core/Closest"
import type { DeploymentConfig } from "@switchyard/core/Deployment"
import * as DeploymentRegistry from "@switchyard/router/DeploymentRegistry"
import { Effect, Option } from "effect"
import type { Draft } from "./draft.js"
import type { Globals } from "./globals.js"
import type { ModelList } from "./models/modelList.js"
import { asWords, below, type Given, isOn, isText, isTree, isUnset, type Tree, toList } from "./values.js"

const ownDeployments = ({ deployments }: Tree): ReadonlyArray<DeploymentConfig> =>
  (Array.isArray(deployments) ? deployments : []).flatMap((entry: unknown, index) =>
    isTree(entry) && isText(entry.group)
      ? [{ id: isText(entry.id) ? entry.id : `#${index}`, group: entry.group, model: entry.group }]
      : []
  )

/** The names by which requests reach deployments. */
class Names {
  private readonly all: ReadonlySet<string>
  private readonly resolve: (name: string) => unknown
  private readonly ownAliases: ReadonlySet<string>
  /** Whether a default group of ours serves every name. */
  private readonly isAnything: boolean

  constructor(
    readonly list: ModelList,
    private readonly aliases: ReadonlySet<string>,
    /** Groups, ids and aliases that the file gives in our own words. */
    own: Tree = {}
  ) {
    const { deployments } = list
    this.all = new Set([...deployments.flatMap(({ fields, group }) => [group, asWords(fields.id) ?? ""]), ...aliases])
    this.ownAliases = new Set(isTree(own.aliases) ? Object.keys(own.aliases) : [])
    this.isAnything = isText(own.defaultGroup)
    const named = [
      ...deployments.map(({ fields, group }) => ({ id: asWords(fields.id) ?? "", group, model: group })),
      ...ownDeployments(own)
    ]
    const registry = Effect.runSync(Effect.option(DeploymentRegistry.make({ deployments: named })))
    this.resolve = Option.match(registry, {
      onNone: () => (name) => this.all.has(name),
      onSome: (made) => made.resolve
    })
  }

  /** Whether a request for a name is served: a group, an alias, a deployment's id, or what a wildcard takes. */
  serves(name: string): boolean {
    return this.aliases.has(name) || this.isAnything || this.ownAliases.has(name) || this.resolve(name) !== undefined
  }

  /** Whether anybody is known by a name, one without its provider and a group without deployments included. */
  knows(name: string): boolean {
    return this.serves(name) || this.list.empty.has(name) || [...this.all].some((known) => known.endsWith(`/${name}`))
  }

  /** The name that was probably meant: a group's, where a provider's model stands in its place, or one that is near. */
  nearest(name: string): string | undefined {
    const owner = this.list.deployments.find(
      ({ fields: { model, provider } }) =>
        name === model || name === `${asWords(provider) ?? ""}/${asWords(model) ?? ""}`
    )
    return owner === undefined
      ? closest(name, [...this.all, ...this.list.empty])
      : `the group ${owner.group}, whose model this is`
  }
}

/** A target as chains take it; what is no target stays as it is, for the decoder to refuse. */
const toTarget = (value: unknown): unknown => {
  if (!isTree(value)) return value
  const { model, ...overrides } = value
  return Object.keys(overrides).length === 0 ? model : { model, overrides }
}

const nameOf = (target: unknown): unknown => (isTree(target) ? target.model : target)

interface Chain {
  readonly key: string
  readonly given: Given
}

/** The group of an entry that says it beside its targets, which is none of LiteLLM's forms. */
const groupIn = ({ model, model_name: name }: Tree): string | undefined => [model, name].find(isText)

/** Words in which people say where a group falls back to, beside its name: LiteLLM refuses them. */
const saysTargets = (entry: Tree): boolean =>
  Object.keys(entry).some((key) => /^(fallbacks?(_models?|_to)?|targets?|to)$/.test(key))

const chainOf = (group: string): string =>
  `the group as the key and its targets as a list: { ${JSON.stringify(group)}: [targets] }`

/** `[{ group: [targets] }]`, as a list of chains; bare names together are the default chain. */
const chainsOf = (draft: Draft, given: Given): ReadonlyArray<Chain> => {
  const found: Array<Chain> = []
  const bare: Array<unknown> = []
  toList(given.value).forEach((entry, index) => {
    const path = Array.isArray(given.value) ? below(given.path, index) : given.path
    if (isText(entry)) bare.push(entry)
    else if (!isTree(entry))
      draft.error({ value: entry, path }, "a map of a group to its targets: { group: [targets] }")
    else if (groupIn(entry) !== undefined && saysTargets(entry))
      draft.error({ value: entry, path }, chainOf(groupIn(entry) ?? ""))
    else if (isText(entry.model)) bare.push(entry)
    else for (const key of Object.keys(entry)) found.push({ key, given: { value: entry[key], path: below(path, key) } })
  })
  return bare.length === 0 ? found : [...found, { key: "*", given: { value: bare, path: given.path } }]
}

const kinds = [
  ["general", "fallbacks"],
  ["contextWindow", "context_window_fallbacks"],
  ["contentPolicy", "content_policy_fallbacks"]
] as const

const setChain = (draft: Draft, names: Names, kind: string, { given, key }: Chain): void => {
  const list = toList(given.value)
  const kept: Array<unknown> = []
  list.forEach((raw, index) => {
    const target = toTarget(raw)
    const name = nameOf(target)
    const path = Array.isArray(given.value) ? below(given.path, index) : given.path
    if (isText(name) && names.list.empty.has(name)) {
      draft.warn(path, "The target is left out: its group has no deployment.")
      return
    }
    if (isText(name) && !names.serves(name)) {
      draft.warn(path, "The target is left out: no group has this name.", names.nearest(name))
      return
    }
    if (isUnset(name)) return
    draft.origins.set(`fallback.chains.${kind}.${key}[${kept.length}]`, path)
    kept.push(target)
  })
  if (key !== "*" && !key.includes("*") && !names.knows(key)) {
    draft.warn(given.path, "No group has this name, so the chain is never used.", names.nearest(key))
  }
  draft.set(["fallback", "chains", kind, key], kept, given.path)
}

const readChains = (draft: Draft, globals: Globals, names: Names): void => {
  const standard = globals.get("default_fallbacks")
  for (const [kind, key] of kinds) {
    const given = globals.get(key)
    const chains = given === undefined ? [] : chainsOf(draft, given)
    const seen = new Set<string>()
    for (const chain of chains) {
      if (seen.has(chain.key)) draft.warn(chain.given.path, "An earlier chain of the same group wins.")
      else setChain(draft, names, kind, chain)
      seen.add(chain.key)
    }
    if (kind !== "general" || standard === undefined) continue
    if (seen.has("*")) draft.warn(standard.path, 'The chain of "*" in `fallbacks` wins.')
    else setChain(draft, names, kind, { key: "*", given: standard })
  }
}

interface Alias {
  readonly target: unknown
  readonly hidden: boolean
  readonly path: string
}

const severalGroups =
  "The alias is left out: it stands for one group. Give several deployments one `model_name`, or a group `fallbacks`."

const readAliases = (draft: Draft, globals: Globals): ReadonlyMap<string, Alias> => {
  const found = new Map<string, Alias>()
  const given = globals.router.get("model_group_alias")
  if (given === undefined) return found
  if (!isTree(given.value)) draft.error(given, "a map of names to groups")
  else {
    for (const [name, raw] of Object.entries(given.value)) {
      const path = below(given.path, name)
      if (isUnset(raw)) continue
      if (Array.isArray(raw)) draft.warn(path, severalGroups)
      else if (isTree(raw)) found.set(name, { target: raw.model, hidden: isOn(raw.hidden), path: below(path, "model") })
      else found.set(name, { target: raw, hidden: false, path })
    }
  }
  return found
}

/** The map of `model_alias_map`, for provider models. */
export const renamedModels = (draft: Draft, given: Given | undefined): Tree => {
  if (given === undefined) return {}
  if (isTree(given.value)) return given.value
  draft.error(given, "a map of names to models")
  return {}
}

/** Where an alias leads in the end; undefined when that is back to itself. */
const endOf = (targets: ReadonlyMap<string, unknown>, name: string): unknown => {
  const seen = new Set<unknown>([name])
  let target = targets.get(name)
  while (typeof target === "string" && targets.has(target)) {
    if (seen.has(target)) return undefined
    seen.add(target)
    target = targets.get(target)
  }
  return target
}

/** Whether an alias leads to somebody; says what is wrong when it does not. */
const leadsSomewhere = (
  draft: Draft,
  names: Names,
  targets: ReadonlyMap<string, unknown>,
  name: string,
  path: string
): boolean => {
  const end = endOf(targets, name)
  if (end === undefined) draft.warn(path, "The alias is left out: it leads back to itself.")
  else if (isText(end) && names.list.empty.has(end))
    draft.warn(path, "The alias is left out: its group has no deployment.")
  else if (isText(end) && !names.serves(end)) {
    draft.warn(path, "The alias is left out: no group has this name.", names.nearest(end))
  } else return true
  return false
}

/** Aliases, hidden names and fallback chains. `models` are the provider models that the list names, `own` the whole file. */
export const readNames = (
  draft: Draft,
  globals: Globals,
  list: ModelList,
  renamed: Tree,
  models: ReadonlySet<string>,
  own: Tree
): void => {
  const aliases = readAliases(draft, globals)
  const targets = new Map([...aliases].map(([name, { target }]) => [name, target]))
  const groups = new Names(list, new Set(), own)
  const hidden: Array<string> = []
  const known = new Set<string>()
  for (const [name, { hidden: isHidden, path, target }] of aliases) {
    if (!leadsSomewhere(draft, groups, targets, name, path)) continue
    known.add(name)
    draft.set(["aliases", name], target, path)
    if (isHidden) hidden.push(name)
  }
  if (hidden.length > 0) draft.set(["hiddenModels"], hidden, below(globals.router.path, "model_group_alias"))
  const path = below(globals.settings.path, "model_alias_map")
  for (const [name, target] of Object.entries(renamed)) {
    const given = { value: target, path: below(path, name) }
    if (isText(target) && (groups.knows(target) || known.has(target))) {
      if (aliases.has(name)) continue
      if (list.empty.has(target)) draft.warn(given.path, "The alias is left out: its group has no deployment.")
      else {
        known.add(name)
        draft.set(["aliases", name], target, given.path)
      }
    } else if (!models.has(name)) {
      draft.warn(
        given.path,
        "Neither a group nor a model of the list is meant.",
        isText(target) ? groups.nearest(target) : undefined
      )
    }
  }
  readChains(draft, globals, new Names(list, known, own))
}
