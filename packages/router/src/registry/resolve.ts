import type { Slot } from "@switchyard/core/Slot"
import * as Wildcard from "@switchyard/core/Wildcard"
import { limitsCapabilities, limitsOperations } from "../catalogue/abilities.js"
import { longestPrompt } from "../catalogue/contextWindow.js"

/** The deployments behind one name: tiers by `order`, lowest first, those without one last. */
export interface Group {
  readonly name: string
  readonly tiers: ReadonlyArray<ReadonlyArray<Slot>>
  readonly size: number
  /** One deployment of a group, named by its id. */
  readonly isById: boolean
  /** What members say about themselves, so that a filter which cannot matter is not even built. */
  readonly declares: {
    readonly tags: boolean
    readonly defaultTag: boolean
    readonly capabilities: boolean
    readonly operations: boolean
    /** Estimated input tokens up to which every member may be asked; infinite when nobody knows a window. */
    readonly longestPrompt: number
    /** Some drain (weight 0), but not all. */
    readonly drained: boolean
  }
}

/** A name resolved to its group; `captures` are what a wildcard's stars stood for. */
export interface Resolved {
  readonly group: Group
  readonly captures: ReadonlyArray<string>
}

/** How a name was resolved: the way to its group, for explanations. */
export interface Trace {
  /** The name and the aliases that it led over, the last one being what was looked up. */
  readonly path: ReadonlyArray<string>
  /** What the last name of the path is; `unknown` when it is nothing, and no default group stands in. */
  readonly via: "group" | "deployment" | "wildcard" | "unknown"
  /** The name was not known, and the default group stood in: the path is that of the default. */
  readonly isDefault: boolean
  readonly resolved: Resolved | undefined
}

export const maxAliasHops = 16

/** Splits slots into tiers by `order`. */
const toGroup = (name: string, slots: ReadonlyArray<Slot>, isById = false): Group => {
  const tiers = new Map<number, Array<Slot>>()
  for (const slot of slots) {
    const order = slot.deployment.order ?? Number.POSITIVE_INFINITY
    const tier = tiers.get(order)
    if (tier === undefined) tiers.set(order, [slot])
    else tier.push(slot)
  }
  return {
    name,
    tiers: [...tiers.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, tier]) => tier),
    size: slots.length,
    isById,
    declares: {
      tags: slots.some(({ deployment }) => deployment.tags.length > 0),
      defaultTag: slots.some(({ deployment }) => deployment.tags.includes("default")),
      capabilities: slots.some(({ deployment }) => limitsCapabilities(deployment)),
      operations: slots.some(({ deployment }) => limitsOperations(deployment)),
      longestPrompt: slots.reduce(
        (least, { deployment }) => Math.min(least, longestPrompt(deployment)),
        Number.POSITIVE_INFINITY
      ),
      drained:
        slots.some(({ deployment }) => deployment.weight === 0) &&
        slots.some(({ deployment }) => deployment.weight !== 0)
    }
  }
}

interface WildcardGroup extends Wildcard.Wildcard {
  readonly group: Group
}

const toWildcard = (group: Group): WildcardGroup => ({ group, ...Wildcard.make(group.name) })

/** Follows aliases from `name`; the names on the way, or undefined when they form a cycle or are too many. */
export const followAliases = (
  aliases: ReadonlyMap<string, string>,
  name: string
): ReadonlyArray<string> | undefined => {
  const path = [name]
  for (let next = aliases.get(name); next !== undefined; next = aliases.get(next)) {
    if (path.length > maxAliasHops || path.includes(next)) return undefined
    path.push(next)
  }
  return path
}

/** Names to groups, in the order: id or alias, group, wildcard, default. Immutable; a reload makes a new one. */
export class Resolver {
  private readonly groups: ReadonlyMap<string, Group>
  private readonly byId: ReadonlyMap<string, Group>
  private readonly wildcards: ReadonlyArray<WildcardGroup>

  constructor(
    slots: ReadonlyArray<Slot>,
    private readonly aliases: ReadonlyMap<string, string>,
    private readonly defaultGroup: string | undefined
  ) {
    const byGroup = new Map<string, Array<Slot>>()
    for (const slot of slots) {
      const members = byGroup.get(slot.deployment.group)
      if (members === undefined) byGroup.set(slot.deployment.group, [slot])
      else members.push(slot)
    }
    this.groups = new Map([...byGroup].map(([name, members]) => [name, toGroup(name, members)]))
    this.byId = new Map(slots.map((slot) => [slot.id as string, toGroup(slot.deployment.group, [slot], true)]))
    this.wildcards = [...this.groups.values()]
      .filter((group) => group.name.includes("*"))
      .map(toWildcard)
      .sort((a, b) => b.literals - a.literals)
  }

  /** All group names, wildcards included. */
  get names(): ReadonlyArray<string> {
    return [...this.groups.keys()]
  }

  resolve(model: string): Resolved | undefined {
    return this.known(model) ?? (this.defaultGroup === undefined ? undefined : this.known(this.defaultGroup))
  }

  /** The same as `resolve`, with the way there. */
  trace(model: string): Trace {
    const own = this.traceOf(model, false)
    return own.resolved !== undefined || this.defaultGroup === undefined ? own : this.traceOf(this.defaultGroup, true)
  }

  private traceOf(model: string, isDefault: boolean): Trace {
    const path = followAliases(this.aliases, model) ?? [model]
    const name = path[path.length - 1] ?? model
    const resolved = this.known(model)
    const via =
      resolved === undefined
        ? "unknown"
        : this.groups.has(name)
          ? "group"
          : this.byId.has(name)
            ? "deployment"
            : "wildcard"
    return { path, via, isDefault: isDefault && resolved !== undefined, resolved }
  }

  private known(model: string): Resolved | undefined {
    const path = this.aliases.size === 0 ? undefined : followAliases(this.aliases, model)
    const name = path === undefined ? model : (path[path.length - 1] ?? model)
    const exact = this.groups.get(name) ?? this.byId.get(name)
    if (exact !== undefined) return { group: exact, captures: [] }
    for (const wildcard of this.wildcards) {
      const captures = Wildcard.capture(wildcard, name)
      if (captures !== undefined) return { group: wildcard.group, captures }
    }
    return undefined
  }
}
