/**
 * Where to go when a group fails: four maps from a model name to its targets, one for each kind of failure, with `"*"` as
 * the default of each. Which map a failure leads to is decided by the error's own classification.
 */
import { type ConfigIssue, issue } from "@switchyard/core/ConfigError"
import * as Field from "@switchyard/core/Field"
import type { FallbackKind } from "@switchyard/core/LlmError"
import type { FallbackTarget } from "@switchyard/core/LlmRequest"
import * as Wildcard from "@switchyard/core/Wildcard"
import { Schema } from "effect"
import type { Resolved } from "../registry/resolve.js"
import { shortestCycles } from "./cycles.js"

/** The four maps. */
export type ChainKind = "general" | "contextWindow" | "contentPolicy" | "rateLimit"

const kinds: ReadonlyArray<ChainKind> = ["general", "contextWindow", "contentPolicy", "rateLimit"]

const Target = Schema.Union(
  Field.text,
  Schema.Struct({
    /** A group or a deployment id. */
    model: Field.required(Field.text, "A group or a deployment id."),
    /** Payload fields that reach that target only. */
    overrides: Schema.optionalWith(Schema.Record({ key: Schema.String, value: Schema.Unknown }), {
      exact: true
    }).annotations({
      description: "Payload fields that reach that target only."
    })
  })
).annotations({ message: () => ({ message: "a model name, or { model, overrides }", override: true }) })

const Targets = Schema.Array(Target)

const ChainMap = Schema.Record({ key: Schema.String, value: Targets })

/**
 * Fallback chains. Keys are model names as callers ask for them: a group, an alias, a deployment id, a pattern with stars
 * (`openai/*`), or `"*"` for every other. A target is a group or a deployment id, alone or with payload fields that reach
 * that target only; stars in it stand for what the key's stars matched. An empty list means: no fallback.
 */
export const Config = Schema.Struct({
  /** For any failure that may go elsewhere and has no chain of its own. */
  general: Field.option(ChainMap, "For any failure that may go elsewhere and has no chain of its own."),
  /** For prompts that are too long. Else `general`. */
  contextWindow: Field.option(ChainMap, "For prompts that are too long. Else `general`."),
  /** For answers that a safety system refused. Never `general`, unless the Fallback layer is told so. */
  contentPolicy: Field.option(
    ChainMap,
    "For answers that a safety system refused. Never `general`, unless the Fallback layer is told so."
  ),
  /** For upstream rate limits, used-up quotas and local limits. Else `general`. */
  rateLimit: Field.option(ChainMap, "For upstream rate limits, used-up quotas and local limits. Else `general`."),
  /** The targets of names without an entry: the same as the key `"*"` in `general`. */
  default: Field.option(Targets, 'The targets of names without an entry: the same as the key `"*"` in `general`.')
})
/** Fallback chains. */
export type Config = typeof Config.Type

/** The targets for one failure, and the map that they come from (`unknownModel` for a name that nobody knows). */
export interface Chain {
  readonly kind: FallbackKind
  readonly targets: ReadonlyArray<FallbackTarget>
}

/** A cycle in one map. Harmless, since no target is tried twice in a request, but seldom meant. */
export interface ChainCycle {
  readonly kind: ChainKind
  /** A closed path of names, for example `["a", "b", "a"]`. */
  readonly path: ReadonlyArray<string>
}

/** What is wrong with chains. */
export interface Validation {
  /** Targets that nobody knows, with their path in the configuration. */
  readonly errors: ReadonlyArray<ConfigIssue>
  /** One shortest cycle for each knot of cycles, map by map, ordered by name. */
  readonly warnings: ReadonlyArray<ChainCycle>
}

/** A target in its full form. */
export const toTarget = (target: string | FallbackTarget): FallbackTarget =>
  typeof target === "string" ? { model: target } : target

type TargetList = ReadonlyArray<FallbackTarget>

interface Pattern extends Wildcard.Wildcard {
  readonly targets: TargetList
}

interface ChainTable {
  readonly entries: ReadonlyMap<string, TargetList>
  /** Keys with stars, most literal characters first. */
  readonly patterns: ReadonlyArray<Pattern>
}

const toTable = (entries: ReadonlyArray<readonly [string, TargetList]>): ChainTable => ({
  entries: new Map(entries),
  patterns: entries
    .filter(([key]) => Wildcard.isPattern(key))
    .map(([key, targets]) => ({ ...Wildcard.make(key), targets }))
    .sort((a, b) => b.literals - a.literals)
})

const substituted = (targets: TargetList, found: ReadonlyArray<string>): TargetList =>
  targets.some((target) => target.model.includes("*"))
    ? targets.map((target) => ({ ...target, model: Wildcard.substitute(target.model, found) }))
    : targets

/** `a/b/c` without its prefixes, longest first: `b/c`, `c`. */
const suffixes = (model: string): ReadonlyArray<string> => {
  const found: Array<string> = []
  for (let at = model.indexOf("/"); at !== -1 && found.length < 4; at = model.indexOf("/", at + 1)) {
    found.push(model.slice(at + 1))
  }
  return found
}

/** Immutable chains with their lookup. */
export class FallbackChains {
  private constructor(
    private readonly config: Config,
    private readonly tables: Readonly<Record<ChainKind, ChainTable>>,
    private readonly resolve: (model: string) => Resolved | undefined
  ) {}

  /** Chains of a decoded configuration. `resolve` makes lookup see through aliases: the registry's, if there is one. */
  static make(config: Config, resolve: (model: string) => Resolved | undefined = () => undefined): FallbackChains {
    const table = (kind: ChainKind) => {
      const entries = Object.entries(config[kind] ?? {}).map(([key, list]) => [key, list.map(toTarget)] as const)
      if (kind === "general" && config.default !== undefined) entries.push(["*", config.default.map(toTarget)])
      return toTable(entries)
    }
    return new FallbackChains(
      config,
      {
        general: table("general"),
        contextWindow: table("contextWindow"),
        contentPolicy: table("contentPolicy"),
        rateLimit: table("rateLimit")
      },
      resolve
    )
  }

  /**
   * The entry of one map for a model: its own name first, then the group behind an alias or an id, then the name without
   * its provider (`gpt-x` for `openai/gpt-x`), then the pattern with the most literal characters, `"*"` last.
   */
  entry(kind: ChainKind, model: string): ReadonlyArray<FallbackTarget> | undefined {
    const { entries, patterns } = this.tables[kind]
    if (entries.size === 0) return undefined
    const resolved = this.resolve(model)
    const own = this.namedEntry(kind, model, resolved)
    if (own !== undefined) return entries.get(own)
    if (resolved?.group.name.includes("*")) {
      const targets = entries.get(resolved.group.name)
      if (targets !== undefined) return substituted(targets, resolved.captures)
    }
    for (const pattern of patterns) {
      const found = Wildcard.capture(pattern, model)
      if (found !== undefined) return substituted(pattern.targets, found)
    }
    return undefined
  }

  /**
   * The chain for a kind of failure: the typed map, else `general` for `contextWindow` and `rateLimit`; only its own map
   * for `contentPolicy`; `general` for a model that nobody knows. An empty list is an answer: there is no fallback.
   */
  lookup(kind: FallbackKind, model: string): Chain | undefined {
    if (kind === "none") return undefined
    if (kind !== "unknownModel") {
      const targets = this.entry(kind, model)
      if (targets !== undefined) return { kind, targets }
      if (kind === "contentPolicy" || kind === "general") return undefined
    }
    const targets = this.entry("general", model)
    return targets === undefined ? undefined : { kind: kind === "unknownModel" ? kind : "general", targets }
  }

  /**
   * Checks every target against the names that are `known`, and looks for cycles in each map. The `"*"` entries take part
   * in no cycle: a default list almost always leads back to itself. `path` is where the chains stand in the configuration.
   */
  validate(known: (model: string) => boolean, path = "chains"): Validation {
    const errors: Array<ConfigIssue> = []
    const warnings: Array<ChainCycle> = []
    const check = (list: ReadonlyArray<string | FallbackTarget>, at: string, key: string) => {
      list.forEach((target, index) => {
        const { model } = toTarget(target)
        if (known(model) || (key.includes("*") && model.includes("*"))) return
        const where = typeof target === "string" ? `${at}[${index}]` : `${at}[${index}].model`
        errors.push(issue(where, model, "a group, an alias or a deployment id"))
      })
    }
    for (const kind of kinds) {
      for (const [key, list] of Object.entries(this.config[kind] ?? {})) check(list, `${path}.${kind}.${key}`, key)
      for (const cycle of shortestCycles(this.graph(kind))) warnings.push({ kind, path: cycle })
    }
    if (this.config.default !== undefined) {
      check(this.config.default, `${path}.default`, "*")
      if (this.config.general?.["*"] !== undefined) {
        errors.push(issue(`${path}.default`, this.config.default, 'no list here beside the key "*" in general'))
      }
    }
    return { errors, warnings }
  }

  private graph(kind: ChainKind): ReadonlyMap<string, ReadonlyArray<string>> {
    const graph = new Map<string, ReadonlyArray<string>>()
    for (const [key, targets] of this.tables[kind].entries) {
      if (key === "*") continue
      graph.set(
        key,
        targets.map(({ model }) => this.namedEntry(kind, model, this.resolve(model)) ?? model)
      )
    }
    return graph
  }

  private namedEntry(kind: ChainKind, model: string, resolved: Resolved | undefined): string | undefined {
    const { entries } = this.tables[kind]
    if (entries.has(model)) return model
    const group = resolved?.group.name
    if (group !== undefined && !group.includes("*") && entries.has(group)) return group
    return suffixes(model).find((name) => entries.has(name))
  }
}
