/**
 * What can be said of names once the deployments are known: targets that nobody knows, and cycles of fallbacks.
 */
import type { ConfigIssue } from "@switchyard/core/ConfigError"
import * as DeploymentRegistry from "@switchyard/router/DeploymentRegistry"
import * as FallbackChains from "@switchyard/router/FallbackChains"
import type * as Router from "@switchyard/router/Router"
import { told } from "@switchyard/router/Stack"
import { Effect, Either, Option, Schema } from "effect"
import type { Finding } from "../Problem.js"

/** Cycles in the chains of a router that is otherwise in order, as warnings with the paths of its settings. */
export const cycles = (router: Router.Options): ReadonlyArray<Finding> => {
  const chains = told(router.fallback)?.chains
  const registry = Option.getOrUndefined(Effect.runSync(Effect.option(DeploymentRegistry.make(router))))
  if (chains === undefined || registry === undefined) return []
  const { resolve } = registry
  const { warnings } = FallbackChains.FallbackChains.make(chains, resolve).validate(() => true)
  return warnings.map(({ kind, path }) => ({
    severity: "warning",
    path: `fallback.chains.${kind}.${path[0] ?? ""}`,
    message: `these fallbacks lead back to where they began (${path.join(" → ")}); none is tried twice in one request`
  }))
}

/** Names that a fallback or an alias may lead to, for a misspelt one. */
export const knownNames = (settings: Readonly<Record<string, unknown>>): ReadonlyArray<string> => {
  const { aliases, deployments } = settings
  const entries: ReadonlyArray<unknown> = Array.isArray(deployments) ? deployments : []
  const named = entries.flatMap((entry) => {
    const { group, id } = (entry ?? {}) as { readonly group?: unknown; readonly id?: unknown }
    return [group, id]
  })
  const others = typeof aliases === "object" && aliases !== null ? Object.keys(aliases) : []
  return [...named.filter((name) => typeof name === "string"), ...others]
}

const namedAliases = (aliases: unknown): Readonly<Record<string, string>> =>
  typeof aliases === "object" && aliases !== null
    ? Object.fromEntries(Object.entries(aliases).filter(([, target]) => typeof target === "string" && target !== ""))
    : {}
const isChains = Schema.is(FallbackChains.Config)

/** Deployments by nothing but their names, so that other mistakes in them hide nothing. */
const namedOnly = (deployments: unknown): Router.Options["deployments"] => {
  const entries: ReadonlyArray<unknown> = Array.isArray(deployments) ? deployments : []
  const byId = new Map<string, Router.Options["deployments"][number]>()
  entries.forEach((entry, index) => {
    const { group, id } = (entry ?? {}) as { readonly group?: unknown; readonly id?: unknown }
    const name = typeof id === "string" && id !== "" ? id : `#${index}`
    if (typeof group !== "string" || group === "") return
    byId.set(byId.has(name) ? `${name}#${index}` : name, { id: name, group, model: group })
  })
  return [...byId].map(([id, deployment]) => ({ ...deployment, id }))
}

/** What the router does not look at while other settings are wrong: names in aliases and fallbacks that nobody knows. */
export const unknownNames = (settings: Readonly<Record<string, unknown>>): ReadonlyArray<ConfigIssue> => {
  const { defaultGroup, fallback } = settings
  const aliases = namedAliases(settings["aliases"])
  const deployments = namedOnly(settings["deployments"])
  if (deployments.length === 0) return []
  const checked = DeploymentRegistry.decode({
    deployments,
    aliases,
    ...(typeof defaultGroup === "string" ? { defaultGroup } : {})
  })
  const issues = Either.isLeft(checked) ? checked.left.issues : []
  const registry = Effect.runSync(DeploymentRegistry.make({ deployments, ...(issues.length === 0 ? { aliases } : {}) }))
  const chains = (fallback as { readonly chains?: unknown } | null | undefined)?.chains
  if (!isChains(chains)) return issues
  const known = (model: string) => registry.resolve(model) !== undefined || Object.hasOwn(aliases, model)
  const { errors } = FallbackChains.FallbackChains.make(chains, registry.resolve).validate(
    (model) => typeof defaultGroup === "string" || known(model),
    "fallback.chains"
  )
  return [...issues, ...errors]
}

/** Cycles of chains whose configuration has other mistakes: those hide nothing of these. */
export const cyclesAmong = (settings: Readonly<Record<string, unknown>>): ReadonlyArray<Finding> => {
  const { fallback } = settings
  const chains = (fallback as { readonly chains?: unknown } | null | undefined)?.chains
  const deployments = namedOnly(settings["deployments"])
  if (!isChains(chains) || deployments.length === 0) return []
  const aliases = namedAliases(settings["aliases"])
  const isSound = Either.isRight(DeploymentRegistry.decode({ deployments, aliases }))
  return cycles({ deployments, ...(isSound ? { aliases } : {}), fallback: { chains } })
}
