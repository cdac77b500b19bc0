/**
 * Makes a configuration of a tree: puts the environment in, translates LiteLLM's part, lays our own settings over it, and
 * gathers everything that is wrong with the whole.
 */

import { closest } from "@switchyard/core/Closest"
import type { ConfigIssue } from "@switchyard/core/ConfigError"
import * as LiteLlmConfig from "@switchyard/litellm/LiteLlmConfig"
import * as Router from "@switchyard/router/Router"
import type { AnyStack } from "@switchyard/router/Stack"
import type { Variables } from "./Environment.js"
import { homeOf, misfit, misfitting } from "./findings/misfits.js"
import { mostSuggested, place, sentence, unknownKey } from "./findings/placing.js"
import * as GatewayConfig from "./GatewayConfig.js"
import type { Merged } from "./mergedSettings.js"
import { type Finding, isFatal, type Problem } from "./Problem.js"
import { leavingOut, readSettings } from "./readSettings.js"
import { type Filled, fill, type Unset } from "./yaml/filledTree.js"
import { firstKey, locate } from "./yaml/location.js"
import { maskPath, shown } from "./yaml/shownTree.js"
import { wrapped } from "./yaml/wrapped.js"
import type { MapNode } from "./yaml/yamlTree.js"

/** What a tree comes to. */
export interface Assembled {
  /** Undefined when there are errors. */
  readonly config: GatewayConfig.GatewayConfig | undefined
  readonly problems: ReadonlyArray<Problem>
  readonly display: unknown
}

type Tree = Readonly<Record<string, unknown>>

const standardKeys = new Set(Object.keys(GatewayConfig.Settings.fields))
/** The keys of our own at the top of a file; those of the concerns that a stack has beside the standard ones are among them. */
const ownKeysOf = (stack: AnyStack | undefined): ReadonlySet<string> =>
  stack === undefined ? standardKeys : new Set([...standardKeys, ...Object.keys(Router.fields(stack))])
const liteLlmKeys = new Set(LiteLlmConfig.topLevelKeys)
/** An empty section says nothing; an empty key must not leave the door open. */
const mayNotBeEmpty = new Set(["masterKey", "keys"])

const pick = (tree: Tree, keep: (key: string, value: unknown) => boolean): Tree =>
  Object.fromEntries(Object.entries(tree).filter(([key, value]) => keep(key, value)))

/** Whether keys at the top of a file are LiteLLM's. */
export const isLiteLlm = (topKeys: ReadonlyArray<string>): boolean => topKeys.some((key) => liteLlmKeys.has(key))

const unknownKeys = (root: MapNode, tree: Tree, ownKeys: ReadonlySet<string>): ReadonlyArray<Finding> => {
  const foreign = [...root.entries.keys()].filter(
    (key) => !ownKeys.has(key) && !liteLlmKeys.has(key) && !key.startsWith("x-")
  )
  const isTheirs = isLiteLlm(Object.keys(tree))
  const known = [...ownKeys, ...liteLlmKeys]
  return foreign.map((key, index) => {
    const home = isTheirs ? homeOf(key) : undefined
    const suggestion = home ?? (index < mostSuggested ? closest(key, known) : undefined)
    return {
      severity: isTheirs ? "warning" : "error",
      path: key,
      message: isTheirs ? "no such key: not read" : "no such key",
      ...(suggestion === undefined ? {} : { suggestion })
    }
  })
}

/** `environment_variables` of a file are set for its references, as LiteLLM does. They may refer to the real ones. */
const withFileVariables = (root: MapNode, variables: Variables): Variables => {
  const entry = root.entries.get("environment_variables")
  if (entry?.node.kind !== "map") return variables
  const filled = fill(entry.node, variables)
  const set = Object.entries(filled.value).filter(
    ([name, value]) =>
      value !== null && typeof value !== "object" && (filled.dependents.get(name)?.unset ?? []).length === 0
  )
  return { ...variables, ...Object.fromEntries(set.map(([name, value]) => [name, String(value)])) }
}

interface Pass {
  readonly filled: Filled
  readonly merged: Merged
  readonly config: GatewayConfig.GatewayConfig | undefined
  /** Paths in the file's words. */
  readonly findings: ReadonlyArray<Finding>
  /** What is wrong with the environment itself. */
  readonly environment: ReadonlyArray<ConfigIssue>
  /** Keys at the top that are not read. */
  readonly dropped: ReadonlySet<string>
}

/** How bad a variable is that is not set: an `error` where it is needed, or nothing but a `note`. */
type Severity = "error" | "note"

/** A missing variable never stops what a LiteLLM file sets, but for a check elsewhere something stands in for it. */
const unsetBelow =
  (severity: Severity) =>
  (topKey: string): Unset =>
    severity === "error" && liteLlmKeys.has(topKey) ? "nothing" : "standIn"

const unsetOf = ({ dependents }: Filled): LiteLlmConfig.UnsetVariables =>
  new Map(
    [...dependents.values()].flatMap(({ candidates, path, unset }) =>
      unset.length === 0 ? [] : [[path, { names: unset, hasStandIn: candidates[0] !== null }] as const]
    )
  )

const once = (
  root: MapNode,
  variables: Variables,
  choices: ReadonlyMap<string, number>,
  severity: Severity,
  stack: AnyStack | undefined
): Pass => {
  const ownKeys = ownKeysOf(stack)
  const filled = fill(root, variables, choices, unsetBelow(severity))
  const said = pick(filled.value, (key, value) => ownKeys.has(key) && (value !== null || mayNotBeEmpty.has(key)))
  // A stack that could not be loaded is told where it was.
  const own = typeof said["stack"] === "string" ? { ...said, stack } : said
  const unset = unsetOf(filled)
  const translate = (without?: ReadonlySet<string>) => LiteLlmConfig.translate(filled.value, variables, unset, without)
  const readOver = (laid: Tree) =>
    leavingOut(translate, (translation) => readSettings(root, translation, laid, variables))
  const read = readOver(own)
  const wrong = read.own.map(({ path }) => path)
  const dropped = isLiteLlm(Object.keys(filled.value)) ? misfitting(own, wrong) : new Set<string>()
  const kept = dropped.size === 0 ? read : readOver(without(own, dropped))
  const misfits = [...dropped].map((key) =>
    misfit(
      key,
      read.own.filter(({ path }) => topOf(path) === key)
    )
  )
  return {
    filled,
    merged: kept.merged,
    config: kept.config,
    findings: [...kept.translation.findings, ...misfits, ...kept.findings].flatMap((finding) =>
      missingDeployments(finding, kept.merged.settings, kept.translation)
    ),
    environment: kept.environment,
    dropped
  }
}

const topOf = (path: string): string => path.replace(/[.[].*$/, "")

const without = (own: Tree, dropped: ReadonlySet<string>): Tree => pick(own, (key) => !dropped.has(key))

/** That there are no deployments is said once, best by who knows why. */
const missingDeployments = (finding: Finding, settings: Tree, { findings }: LiteLlmConfig.Translation) => {
  if (finding.path !== "deployments" || settings["deployments"] !== undefined) return [finding]
  if (findings.some(({ path, severity }) => severity === "error" && path.startsWith("model_list"))) return []
  const message = "expected at least one deployment, under model_list or deployments"
  return [{ severity: "error", path: "", message } satisfies Finding]
}

/** Enough for every reference of a file to find the kind of value that fits it, one layer of checks after the other. */
const maxPasses = 20

/** Puts another candidate where the one that stood there was wrong, until nothing changes any more. */
const settle = (root: MapNode, variables: Variables, severity: Severity, stack: AnyStack | undefined): Pass => {
  const choices = new Map<string, number>()
  let pass = once(root, variables, choices, severity, stack)
  for (let count = 1; count < maxPasses; count++) {
    const told = new Set(pass.findings.map(({ path }) => path))
    const wrong = new Set(pass.findings.flatMap((finding) => (finding.severity === "error" ? [finding.path] : [])))
    let changed = false
    for (const { candidates, path, unset } of pass.filled.dependents.values()) {
      const next = (choices.get(path) ?? 0) + 1
      // What stands in for a variable must be borne, but a warning about its setting is true whatever it will hold.
      const isBad = unset.length > 0 ? wrong.has(path) : told.has(path)
      if (!isBad || next >= candidates.length) continue
      choices.set(path, next)
      changed = true
    }
    if (!changed) break
    pass = once(root, variables, choices, severity, stack)
  }
  return pass
}

/** Variables that are not set, each once, where it is needed first. */
const unsetProblems = (
  root: MapNode,
  { dropped, filled }: Pass,
  severity: Severity,
  ownKeys: ReadonlySet<string>
): ReadonlyArray<Problem> => {
  // What nobody reads in a LiteLLM file wants no variable.
  const isTheirs = isLiteLlm(Object.keys(filled.value))
  const places = new Map<string, Array<string>>()
  for (const { path, unset } of filled.dependents.values()) {
    const key = topKeyOf(root, path)
    if (dropped.has(key) || unsetBelow(severity)(key) === "nothing") continue
    if (isTheirs && !ownKeys.has(key) && !liteLlmKeys.has(key)) continue
    for (const name of unset) {
      const known = places.get(name)
      if (known === undefined) places.set(name, [path])
      else known.push(path)
    }
  }
  return [...places].map(([name, [path = "", ...others]]) => {
    const { column, file, line } = locate(root, path).place
    const more = others.length === 0 ? "" : ` (needed in ${others.length + 1} places)`
    const message = `the environment variable ${name} is not set${more}`
    return { severity, path: maskPath(path), message, file, line, column }
  })
}

const topKeyOf = (root: MapNode, path: string): string => firstKey(path, (key) => root.entries.has(key)) ?? path

/** Variables stand in no file. */
const variableProblem = ({ expected, path, value }: ConfigIssue): Problem => ({
  severity: "error",
  path,
  message: sentence(expected),
  ...(expected === unknownKey ? {} : { value }),
  file: undefined,
  line: undefined,
  column: undefined
})

/**
 * Everything about a tree. `unset` is how bad a variable that is not set is; `stack` is what the module is that the tree names,
 * and `ofStack` what is wrong with it.
 */
export const assemble = (
  root: MapNode,
  environment: Variables,
  unset: Severity,
  stack?: AnyStack,
  ofStack: ReadonlyArray<Problem> = []
): Assembled => {
  const inside = wrapped(root)
  if (inside !== undefined) return { config: undefined, problems: [inside], display: shown(root) }
  const variables = withFileVariables(root, environment)
  const pass = settle(root, variables, unset, stack)
  const { dependents, held: referred } = pass.filled
  const held = { referred, others: Object.values(variables).flatMap((text = "") => (text.length < 8 ? [] : [text])) }
  const isUnset = (path: string) =>
    (dependents.get(path)?.unset.length ?? 0) > 0 && unsetBelow(unset)(topKeyOf(root, path)) === "standIn"
  const problems = [
    ...unsetProblems(root, pass, unset, ownKeysOf(stack)),
    ...ofStack,
    // Keys may be those of the concerns of a stack that is not there.
    ...(ofStack.length > 0 ? [] : unknownKeys(root, pass.filled.value, ownKeysOf(stack))).map((finding) =>
      place(finding, root, held)
    ),
    ...pass.findings
      .filter((finding) => finding.severity !== "error" || !isUnset(finding.path))
      .map((finding) => place(finding, root, held)),
    ...pass.environment.map(variableProblem)
  ]
  const isUsable = !problems.some(isFatal)
  return { config: isUsable ? pass.config : undefined, problems, display: shown(root) }
}
