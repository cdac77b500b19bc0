/**
 * Makes a configuration of a tree: puts the environment in, translates LiteLLM's part, lays our own settings over it, and
 * gathers everything that is wrong with the whole.
 */
import type { ConfigIssue } from "@switchyard/core/ConfigError"
import { Either } from "effect"
import type { Variables } from "../Environment.js"
import * as EnvironmentKeys from "../EnvironmentKeys.js"
import * as GatewayConfig from "../GatewayConfig.js"
import * as LiteLlmConfig from "../LiteLlmConfig.js"
import type { Finding, Problem } from "../Problem.js"
import { cycles, unknownNames } from "./chainFindings.js"
import { closest } from "./closest.js"
import { type Dependent, type Filled, fill } from "./filledTree.js"
import { type Merged, merge } from "./mergedSettings.js"
import { fromIssue, place, sentence, unknownKey } from "./placing.js"
import { prices } from "./priceFindings.js"
import { maskPath, shown } from "./shownTree.js"
import { locate, type MapNode } from "./yamlTree.js"

/** What a tree comes to. */
export interface Assembled {
  /** Undefined when there are errors. */
  readonly config: GatewayConfig.GatewayConfig | undefined
  readonly problems: ReadonlyArray<Problem>
  readonly display: unknown
}

type Tree = Readonly<Record<string, unknown>>

const ownKeys = new Set(Object.keys(GatewayConfig.Settings.fields))
const liteLlmKeys = new Set(LiteLlmConfig.topLevelKeys)
/** An empty section says nothing; an empty key must not leave the door open. */
const mayNotBeEmpty = new Set(["masterKey", "keys"])

const pick = (tree: Tree, keep: (key: string, value: unknown) => boolean): Tree =>
  Object.fromEntries(Object.entries(tree).filter(([key, value]) => keep(key, value)))

const isLiteLlm = (tree: Tree): boolean => Object.keys(tree).some((key) => liteLlmKeys.has(key))

const unknownKeys = (root: MapNode, tree: Tree): ReadonlyArray<Finding> => {
  const foreign = [...root.entries.keys()].filter(
    (key) => !ownKeys.has(key) && !liteLlmKeys.has(key) && !key.startsWith("x-")
  )
  const isTheirs = isLiteLlm(tree)
  return foreign.map((key) => {
    const suggestion = closest(key, [...ownKeys, ...liteLlmKeys])
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
}

const once = (root: MapNode, variables: Variables, choices: ReadonlyMap<string, number>): Pass => {
  const filled = fill(root, variables, choices)
  const own = pick(filled.value, (key, value) => ownKeys.has(key) && (value !== null || mayNotBeEmpty.has(key)))
  const translation = LiteLlmConfig.translate(filled.value, variables)
  const merged = merge(translation, own)
  const { issues, settings } = EnvironmentKeys.overlay(merged.settings, variables)
  const decoded = GatewayConfig.decode(settings)
  const all = Either.isRight(decoded) ? [] : [...decoded.left.issues, ...unknownNames(settings)]
  const found = new Map(all.map((issue) => [`${issue.path}\n${issue.expected}`, issue]))
  const complete = { ...merged, settings }
  const config = Either.getOrUndefined(decoded)
  const warnings = config === undefined ? [] : [...cycles(config.router), ...prices(config.router, config.keys)]
  return {
    filled,
    merged: complete,
    config,
    findings: [
      ...translation.findings,
      ...[...found.values()].map((issue) => fromIssue(issue, complete, root)),
      ...warnings.map(({ message, path, severity }): Finding => {
        const { path: place } = fromIssue({ path, value: "", expected: message }, complete, root)
        return { severity, path: place, message }
      })
    ].map((finding) => missingDeployments(finding, settings)),
    environment: issues
  }
}

const missingDeployments = (finding: Finding, settings: Tree): Finding =>
  finding.path === "deployments" && settings["deployments"] === undefined
    ? { severity: "error", path: "", message: "expected at least one deployment, under model_list or deployments" }
    : finding

/** Enough for every reference of a file to find the kind of value that fits it, one layer of checks after the other. */
const maxPasses = 20

/** Puts another candidate where the one that stood there was wrong, until nothing changes any more. */
const settle = (root: MapNode, variables: Variables): Pass => {
  const choices = new Map<string, number>()
  let pass = once(root, variables, choices)
  for (let count = 1; count < maxPasses; count++) {
    const wrong = new Set(pass.findings.map(({ path }) => path))
    let changed = false
    for (const { candidates, path } of pass.filled.dependents.values()) {
      const next = (choices.get(path) ?? 0) + 1
      if (!wrong.has(path) || next >= candidates.length) continue
      choices.set(path, next)
      changed = true
    }
    if (!changed) break
    pass = once(root, variables, choices)
  }
  return pass
}

const unsetProblems = (
  root: MapNode,
  dependents: Iterable<Dependent>,
  severity: "error" | "note"
): ReadonlyArray<Problem> =>
  [...dependents].flatMap(({ path, unset }) => {
    const { column, file, line } = locate(root, path).place
    return unset.map((name) => {
      const message = `the environment variable ${name} is not set`
      return { severity, path: maskPath(path), message, file, line, column }
    })
  })

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

/** Everything about a tree. `unset` is how bad a variable that is not set is. */
export const assemble = (root: MapNode, environment: Variables, unset: "error" | "note"): Assembled => {
  const variables = withFileVariables(root, environment)
  const pass = settle(root, variables)
  const { dependents, held: referred } = pass.filled
  const held = { referred, others: Object.values(variables).flatMap((text = "") => (text.length < 8 ? [] : [text])) }
  const isUnset = (path: string) => (dependents.get(path)?.unset.length ?? 0) > 0
  const problems = [
    ...unsetProblems(root, dependents.values(), unset),
    ...unknownKeys(root, pass.filled.value).map((finding) => place(finding, root, held)),
    ...pass.findings
      .filter((finding) => finding.severity !== "error" || !isUnset(finding.path))
      .map((finding) => place(finding, root, held)),
    ...pass.environment.map(variableProblem)
  ]
  const isUsable = !problems.some(({ severity }) => severity === "error")
  return { config: isUsable ? pass.config : undefined, problems, display: shown(root) }
}
