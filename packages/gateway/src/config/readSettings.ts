/**
 * Settings that were translated, and those of our own laid over them, as a configuration. An entry of LiteLLM's `model_list` with
 * a mistake in it costs its deployments, and nothing else.
 */
import type { ConfigIssue } from "@switchyard/core/ConfigError"
import type * as LiteLlmConfig from "@switchyard/litellm/LiteLlmConfig"
import { Either } from "effect"
import type { Variables } from "./Environment.js"
import * as EnvironmentKeys from "./EnvironmentKeys.js"
import { cycles, cyclesAmong, unknownNames } from "./findings/chainFindings.js"
import { trimKeys } from "./findings/keyFindings.js"
import { operations } from "./findings/operationFindings.js"
import { packages, tokenizer, unusable } from "./findings/packageFindings.js"
import { parameters } from "./findings/parameterFindings.js"
import { fromIssue } from "./findings/placing.js"
import { prices } from "./findings/priceFindings.js"
import { replicas } from "./findings/replicaFindings.js"
import { users } from "./findings/urlFindings.js"
import * as GatewayConfig from "./GatewayConfig.js"
import { type Merged, merge, trace } from "./mergedSettings.js"
import { type Finding, leftOut } from "./Problem.js"
import { resolveModels } from "./resolvedModels.js"
import type { MapNode } from "./yaml/yamlTree.js"

type Tree = Readonly<Record<string, unknown>>

/** What settings come to. */
export interface ReadSettings {
  readonly translation: LiteLlmConfig.Translation
  readonly merged: Merged
  /** Undefined when there are errors. */
  readonly config: GatewayConfig.GatewayConfig | undefined
  /** Paths in the file's words; those of the translation are not among them. */
  readonly findings: ReadonlyArray<Finding>
  /** What is wrong with the environment itself. */
  readonly environment: ReadonlyArray<ConfigIssue>
  /** What is wrong with what the file says in our own words. */
  readonly own: ReadonlyArray<Finding>
  /** Errors inside of entries of `model_list`, which could be left out for them. */
  readonly spoilt: ReadonlyArray<Finding>
}

/** The entry of `model_list` that an issue is about: whose deployment it is, or whose key it stands below. */
const entryOf = ({ path }: ConfigIssue, traced: string, { origins }: LiteLlmConfig.Translation): string | undefined => {
  const deployment = /^deployments\[\d+\]/.exec(path)?.[0]
  const entry = deployment === undefined ? traced : origins.get(deployment)
  return /^model_list\[\d+\]/.exec(entry ?? "")?.[0]
}

/** Reads the settings of a translation with our `own` over them. */
export const readSettings = (
  root: MapNode,
  translation: LiteLlmConfig.Translation,
  own: Tree,
  variables: Variables
): ReadSettings => {
  const { findings: ofModels, own: filled } = resolveModels(own, variables)
  const merged = merge(translation, filled)
  const { issues, settings: laid } = EnvironmentKeys.overlay(merged.settings, variables)
  const { findings: ofKeys, settings } = trimKeys(laid)
  const decoded = GatewayConfig.decode(settings)
  const all = Either.isRight(decoded) ? [] : [...decoded.left.issues, ...unknownNames(settings)]
  const found = [...new Map(all.map((issue) => [`${issue.path}\n${issue.expected}`, issue])).values()]
  const complete = { ...merged, settings }
  const config = Either.getOrUndefined(decoded)
  const warnings =
    config === undefined
      ? cyclesAmong(settings)
      : [
          ...cycles(config.router),
          ...prices(config.router, config.keys),
          ...parameters(config.router.deployments),
          ...packages(config.router.deployments),
          ...unusable(config.router.deployments),
          ...tokenizer(config.server?.tokenizer),
          ...users(config.router.deployments),
          ...operations(config.router.deployments),
          ...replicas(config)
        ]
  const told = found.map((issue, index) => ({ issue, finding: fromIssue(issue, complete, root, index) }))
  const isOwn = ({ path }: ConfigIssue): boolean => trace(complete, path).own
  return {
    translation,
    merged: complete,
    config,
    environment: issues,
    own: told.flatMap(({ finding, issue }) => (isOwn(issue) ? [finding] : [])),
    spoilt: told.flatMap(({ finding, issue }) => {
      const leavesOut = isOwn(issue) ? undefined : entryOf(issue, finding.path, translation)
      return leavesOut === undefined ? [] : [{ ...finding, leavesOut }]
    }),
    findings: [
      ...ofModels,
      ...told.map(({ finding }) => finding),
      ...[...ofKeys.filter(({ path }) => !found.some((one) => one.path === path)), ...warnings].map(
        ({ message, path, severity }): Finding => {
          const { path: place } = fromIssue({ path, value: "", expected: message }, complete, root)
          return { severity, path: place, message }
        }
      )
    ]
  }
}

/** Where nothing is left, what is wrong costs everything. */
const costly = ({ leavesOut: _, ...finding }: Finding): Finding => finding

const hasDeployments = ({ merged }: ReadSettings): boolean => merged.settings["deployments"] !== undefined

/**
 * Reads a translation, and again without the entries that have mistakes in them, until the rest has none or nothing is left. The
 * first mistakes of each entry are among the findings.
 */
export const leavingOut = (
  translate: (without?: ReadonlySet<string>) => LiteLlmConfig.Translation,
  read: (translation: LiteLlmConfig.Translation) => ReadSettings
): ReadSettings => {
  const first = read(translate())
  const told: Array<Finding> = []
  const without = new Set<string>()
  let settings = first
  while (hasDeployments(settings)) {
    const found = settings.spoilt.filter(({ leavesOut = "" }) => !without.has(leavesOut))
    if (found.length === 0) break
    told.push(...found)
    for (const entry of leftOut(found)) without.add(entry)
    settings = read(translate(without))
  }
  if (hasDeployments(settings)) return { ...settings, findings: [...told, ...settings.findings] }
  const { translation } = first
  return { ...first, translation: { ...translation, findings: translation.findings.map(costly) } }
}
