import type { Draft } from "./draft.js"

type Variables = Readonly<Record<string, string | undefined>>

/** `the environment variable A is not set`, also of several, and of those that are set to nothing. */
export const notSet = (names: ReadonlyArray<string>, env: Variables): string => {
  const [first = ""] = names
  if (names.length > 1) return `the environment variables ${names.join(", ")} are not set`
  return `the environment variable ${first} is ${env[first] === "" ? "empty" : "not set"}`
}

const above = function* (path: string): Generator<string> {
  for (let end = path.length; end > 0; end--) {
    const after = path[end]
    if (after === undefined || after === "." || after === "[") yield path.slice(0, end)
  }
}

/** Without it there is no door. */
const needed: ReadonlySet<string> = new Set(["general_settings.master_key"])

/**
 * Says what a missing variable means, once per place: a setting that is not read is none the worse for it, one that is read
 * counts as unset, and only the master key must be there.
 */
export const tellUnset = (draft: Draft, env: Variables): void => {
  const told = new Set(draft.findings.flatMap(({ path, severity }) => (severity === "note" ? [] : [path])))
  for (const [path, { hasStandIn, names }] of draft.unset) {
    if (hasStandIn) continue
    if (needed.has(path)) {
      draft.findings.push({ severity: "error", path, message: notSet(names, env) })
    } else if (![...above(path)].some((one) => told.has(one) || draft.leftOut.has(one))) {
      draft.warn(path, `${notSet(names, env)}: this counts as unset.`)
    }
  }
}
