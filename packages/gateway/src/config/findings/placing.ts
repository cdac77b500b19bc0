/**
 * Gives what was found in the settings its place in the file, its suggestion, and a form without secrets.
 */

import { closest } from "@switchyard/core/Closest"
import type { ConfigIssue } from "@switchyard/core/ConfigError"
import { looksSecret, shownText } from "@switchyard/core/Secret"
import { inTheirUnits } from "@switchyard/litellm/TheirUnits"
import * as Environment from "../Environment.js"
import * as GatewayConfig from "../GatewayConfig.js"
import { type Merged, trace } from "../mergedSettings.js"
import type { Finding, Problem } from "../Problem.js"
import { keysAt, splitPath } from "../schemaKeys.js"
import { type Location, locate } from "../yaml/location.js"
import { inProblem, maskPath, shown } from "../yaml/shownTree.js"
import type { MapNode } from "../yaml/yamlTree.js"
import { knownNames } from "./chainFindings.js"

/** What the schemas say of a key that they do not know. */
export const unknownKey = "no such key"

/** What was expected, as a clause. */
export const sentence = (expected: string): string => (expected === unknownKey ? expected : `expected ${expected}`)

const textAt = (settings: unknown, path: ReadonlyArray<string | number>): string | undefined => {
  let value = settings
  for (const segment of path)
    value = (value as Readonly<Record<string | number, unknown>> | null | undefined)?.[segment]
  return typeof value === "string" ? value : undefined
}

const suggestionFor = ({ expected, path }: ConfigIssue, settings: Merged["settings"]): string | undefined => {
  const segments = splitPath(settings, path)
  if (expected === unknownKey) {
    return closest(String(segments[segments.length - 1]), keysAt(GatewayConfig.Settings.ast, segments.slice(0, -1)))
  }
  const text = textAt(settings, segments)
  if (text === undefined) return undefined
  if (expected.startsWith("one of ")) return closest(text, expected.slice("one of ".length).split(", "))
  return expected.startsWith("a group, an") ? closest(text, knownNames(settings)) : undefined
}

/** Of so many mistakes it is said what was probably meant: whoever makes more of them has another kind of file. */
export const mostSuggested = 200

/** An issue of our settings as a finding in the file's words. `index`: how many were told of before. */
export const fromIssue = (issue: ConfigIssue, merged: Merged, root: MapNode, index = 0): Finding => {
  const traced = trace(merged, issue.path)
  const expected = traced.own ? issue.expected : inTheirUnits(issue.expected, traced.path)
  const isThere = traced.own || traced.path === traced.origin || locate(root, traced.path).exact
  const suggestion = index < mostSuggested ? suggestionFor(issue, merged.settings) : undefined
  return {
    severity: "error",
    path: isThere ? traced.path : traced.origin,
    message: isThere ? sentence(expected) : `${sentence(expected)} in ${issue.path}`,
    value: issue.value,
    ...(suggestion === undefined ? {} : { suggestion })
  }
}

/** Texts of the environment, which must not show. */
export interface Held {
  /** What the file refers to. */
  readonly referred: ReadonlyArray<string>
  /** What LiteLLM's rules may have looked up besides. */
  readonly others: ReadonlyArray<string>
}

/** What variables held must not show, not even where a message repeats a value. Short texts tell nobody anything. */
const withoutHeld = (text: string, held: ReadonlyArray<string>): string => {
  let clean = text
  for (const one of held) {
    if (one.length >= 8) clean = clean.replaceAll(one, "<from the environment>")
  }
  return clean
}

/** The last name of a path, without the places in lists. */
const nameOf = (path: string): string => path.replace(/(\[\d+\])+$/, "").replace(/^.*[.\]]/, "")

/** The value of a finding as the file says it, so that no variable's text is in it; undefined where it says nothing. */
const valueOf = ({ message, path, value }: Finding, found: Location, held: Held): string | undefined => {
  if (value === undefined || value === "nothing") return value
  if (message === unknownKey) return undefined
  if (found.exact) {
    const { node } = found
    const text = inProblem(shown(node, nameOf(path)))
    const isReference =
      node.kind === "scalar" && typeof node.value === "string" && Environment.parse(node.value) !== undefined
    // The reference is right; what the variable holds is not.
    return isReference ? `${text} (what the variable holds)` : text
  }
  // A value may have been cut.
  const isHeld = [...held.referred, ...held.others].some((one) => one !== "" && value.includes(one.slice(0, 60)))
  return isHeld || looksSecret(value) ? undefined : value
}

/** Puts a finding in its line. */
export const place = (finding: Finding, root: MapNode, held: Held): Problem => {
  const { leavesOut, message, path, severity, suggestion } = finding
  const found = locate(root, path)
  const value = valueOf(finding, found, held)
  return {
    severity,
    path: maskPath(path),
    message: withoutHeld(message, held.referred),
    ...(value === undefined ? {} : { value }),
    ...(suggestion === undefined || shownText("", suggestion) !== suggestion
      ? {}
      : { suggestion: withoutHeld(suggestion, held.referred) }),
    ...(leavesOut === undefined ? {} : { leavesOut }),
    file: found.place.file,
    line: found.place.line,
    column: found.place.column
  }
}
