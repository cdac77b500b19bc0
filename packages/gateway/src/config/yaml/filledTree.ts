/**
 * A file's tree with the environment put in. What a variable holds is text; where a number, a boolean or a URL is needed
 * instead, the next candidate is tried, so that texts of digits stay texts wherever texts are wanted.
 */
import { isSecretName } from "@switchyard/core/Secret"
import { sha256 } from "../callerSecrets.js"
import * as Environment from "../Environment.js"
import type { MapNode, TreeNode } from "./yamlTree.js"

/** A string that refers to variables. */
interface Dependent {
  readonly path: string
  /** The names of variables that are unset; empty when the string could be resolved. */
  readonly unset: ReadonlyArray<string>
  /** What may be put in, the likeliest first. */
  readonly candidates: ReadonlyArray<unknown>
}

/** A tree that was filled. */
export interface Filled {
  readonly value: Readonly<Record<string, unknown>>
  /** The strings that refer to variables, by path. */
  readonly dependents: ReadonlyMap<string, Dependent>
  /** What the variables held, longest first: never to be shown. */
  readonly held: ReadonlyArray<string>
}

/** In place of a key that no candidate fits: the key is left out. */
const nothing = Symbol("nothing")

const namesOf = (parts: Environment.Parts): ReadonlyArray<string> =>
  parts.flatMap((part) => (typeof part === "string" ? [] : [part.name]))

/** Equal texts have equal stand-ins, and others have others. It is long enough for a key; what should be a hash looks like one. */
const standInOf = (parts: Environment.Parts, name: string): string => {
  const text = parts.map((part) => (typeof part === "string" ? part : `unset-variable-${part.name}`)).join("")
  return name === "hash" ? sha256(text) : text
}

/** What stands for a reference to a variable that is unset. */
export type Unset =
  /** Values of several kinds, one of which fits, so that everything else can be checked without the environment. */
  | "standIn"
  /** Nothing: the setting counts as unset, also where a variable is set, but empty. */
  | "nothing"

/** What stands for the address of a database in a variable that is unset. */
const unsetDatabase = "postgresql://unset.invalid/unset"

const candidatesOf = (parts: Environment.Parts, name: string, { text, unset }: Environment.Resolved, how: Unset) => {
  if (how === "nothing" && unset.length > 0) return [null]
  if (text === undefined) return [standInOf(parts, name), 1, true, "http://unset.invalid", unsetDatabase, nothing]
  const plain = Environment.isWhole(parts) ? Environment.plain(text) : undefined
  // A key of digits is a text, whatever else is said of it.
  return plain === undefined || (typeof plain === "number" && isSecretName(name)) ? [text] : [text, plain]
}

/**
 * Puts the environment in. `choices` says which candidate stands at a path, the first where it says nothing; `unsetBelow` what
 * stands for unset variables below a key at the top.
 */
export const fill = (
  root: MapNode,
  variables: Environment.Variables,
  choices: ReadonlyMap<string, number> = new Map(),
  unsetBelow: (topKey: string) => Unset = () => "standIn"
): Filled => {
  const dependents = new Map<string, Dependent>()
  const held = new Set<string>()

  const text = (value: string, path: string, name: string, how: Unset): unknown => {
    const parts = Environment.parse(value)
    if (parts === undefined) return value
    const found = Environment.resolve(parts, variables)
    const resolved =
      how === "nothing" && Environment.isWhole(parts) && found.text === "" ? { ...found, unset: namesOf(parts) } : found
    for (const one of resolved.held) held.add(one)
    const candidates = candidatesOf(parts, name, resolved, how)
    dependents.set(path, { path, unset: resolved.unset, candidates })
    return candidates[choices.get(path) ?? 0]
  }

  const visit = (node: TreeNode, path: string, name: string, how: Unset): unknown => {
    if (node.kind === "scalar") return typeof node.value === "string" ? text(node.value, path, name, how) : node.value
    if (node.kind === "list") {
      return node.items.flatMap((item, index) => {
        const at = `${path}[${index}]`
        const filled = visit(item, at, name, how)
        const isMissing = filled === null && (dependents.get(at)?.unset.length ?? 0) > 0
        return filled === nothing || isMissing ? [] : [filled]
      })
    }
    return visitMap(node, path, () => how)
  }

  const visitMap = (node: MapNode, path: string, how: (key: string) => Unset): Record<string, unknown> =>
    Object.fromEntries(
      [...node.entries]
        .map(([key, entry]) => [key, visit(entry.node, path === "" ? key : `${path}.${key}`, key, how(key))] as const)
        .filter(([, value]) => value !== nothing)
    )

  const value = visitMap(root, "", unsetBelow)
  return { value, dependents, held: [...held].sort((a, b) => b.length - a.length) }
}
