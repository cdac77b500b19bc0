import { closest } from "../closest.js"
import type { Draft } from "./draft.js"
import type { Globals } from "./globals.js"
import type { ModelList } from "./modelList.js"
import { below, type Given, isOn, isText, isTree, isUnset, type Tree, toList } from "./values.js"

/** The names by which requests reach deployments. */
class Names {
  private readonly all: ReadonlySet<string>

  constructor(
    readonly list: ModelList,
    aliases: Iterable<string>
  ) {
    const { deployments } = list
    this.all = new Set([...deployments.flatMap(({ fields, group }) => [group, String(fields.id)]), ...aliases])
  }

  /** Whether anybody is known by a name, a wildcard's or a name without its provider included. */
  knows(name: string): boolean {
    if (this.all.has(name) || this.list.empty.has(name)) return true
    for (const known of this.all) {
      if (known.endsWith(`/${name}`)) return true
      if (!known.includes("*")) continue
      const [first = "", ...rest] = known.split("*")
      if (name.startsWith(first) && name.endsWith(rest[rest.length - 1] ?? "")) return true
    }
    return false
  }

  nearest(name: string): string | undefined {
    return closest(name, this.all)
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

/** `[{ group: [targets] }]`, as a list of chains; bare names together are the default chain. */
const chainsOf = (draft: Draft, given: Given): ReadonlyArray<Chain> => {
  const found: Array<Chain> = []
  const bare: Array<unknown> = []
  toList(given.value).forEach((entry, index) => {
    const path = Array.isArray(given.value) ? below(given.path, index) : given.path
    if (isText(entry)) bare.push(entry)
    else if (!isTree(entry))
      draft.error({ value: entry, path }, "a map of a group to its targets: { group: [targets] }")
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

const readAliases = (draft: Draft, globals: Globals): ReadonlyMap<string, Alias> => {
  const found = new Map<string, Alias>()
  const given = globals.router.get("model_group_alias")
  if (given === undefined) return found
  if (!isTree(given.value)) draft.error(given, "a map of names to groups")
  else {
    for (const [name, raw] of Object.entries(given.value)) {
      const path = below(given.path, name)
      if (isUnset(raw)) continue
      if (isTree(raw)) found.set(name, { target: raw.model, hidden: isOn(raw.hidden), path: below(path, "model") })
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

const setAlias = (draft: Draft, list: ModelList, name: string, target: unknown, path: string): boolean => {
  if (isText(target) && list.empty.has(target)) {
    draft.warn(path, "The alias is left out: its group has no deployment.")
    return false
  }
  draft.set(["aliases", name], target, path)
  return true
}

/** Aliases, hidden names and fallback chains. `models` are the provider models that the list names. */
export const readNames = (
  draft: Draft,
  globals: Globals,
  list: ModelList,
  renamed: Tree,
  models: ReadonlySet<string>
): void => {
  const aliases = readAliases(draft, globals)
  const names = new Names(list, [...aliases.keys(), ...Object.keys(renamed)])
  const hidden: Array<string> = []
  for (const [name, { hidden: isHidden, path, target }] of aliases) {
    if (setAlias(draft, list, name, target, path) && isHidden) hidden.push(name)
  }
  if (hidden.length > 0) draft.set(["hiddenModels"], hidden, below(globals.router.path, "model_group_alias"))
  const path = below(globals.settings.path, "model_alias_map")
  for (const [name, target] of Object.entries(renamed)) {
    const given = { value: target, path: below(path, name) }
    if (isText(target) && names.knows(target)) {
      if (!aliases.has(name)) setAlias(draft, list, name, target, given.path)
    } else if (!models.has(name)) {
      draft.warn(
        given.path,
        "Neither a group nor a model of the list is meant.",
        isText(target) ? names.nearest(target) : undefined
      )
    }
  }
  readChains(draft, globals, names)
}
