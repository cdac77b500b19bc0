/**
 * Keys with white space around them, as secrets made by `echo` have: it is left out, and said at the key's line. Inside a key
 * nothing may stand that no header can hold. Short keys of callers are warned about.
 */
import type { Finding } from "../Problem.js"

type Tree = Readonly<Record<string, unknown>>

/** Settings whose keys are trimmed, and what is worth saying; paths are those of the settings. */
export interface TrimmedKeys {
  readonly settings: Tree
  readonly findings: ReadonlyArray<Finding>
}

const badInside = /[^\t\x20-\x7e\x80-\xff]/

/** The least characters of a caller's key that does not look like a word to guess. */
const leastCharacters = 8

const isTree = (value: unknown): value is Tree => typeof value === "object" && value !== null && !Array.isArray(value)

/** A short key works, since LiteLLM's examples have one (`sk-1234`), but is not much of a lock. */
const judgeLength = (value: unknown, path: string, findings: Array<Finding>): void => {
  if (typeof value !== "string" || value.trim() === "" || value.trim().length >= leastCharacters) return
  findings.push({
    severity: "warning",
    path,
    message: `a key of fewer than ${leastCharacters} characters is easily guessed (switchyard key makes a good one)`
  })
}

/** Trims one text; what is empty after that stays as it is, for the decoder to refuse. */
const trimmed = (value: unknown, path: string, findings: Array<Finding>): unknown => {
  if (typeof value !== "string" || value === "") return value
  const text = value.trim()
  if (text === "") {
    findings.push({ severity: "error", path, message: "expected a key, found only white space" })
  } else if (badInside.test(text)) {
    findings.push({
      severity: "error",
      path,
      message: "expected a key without line breaks and other characters that no header may hold"
    })
  } else if (text !== value) {
    findings.push({ severity: "warning", path, message: "there is white space around the key: it is left out" })
    return text
  }
  return value
}

const mapped = (value: unknown, f: (entry: unknown, index: number) => unknown): unknown =>
  Array.isArray(value) ? value.map(f) : value

/** The settings with their keys trimmed: of deployments (in headers too), the master key, and keys of callers. */
export const trimKeys = (settings: Tree): TrimmedKeys => {
  const findings: Array<Finding> = []
  const field = (entry: Tree, name: string, path: string): Tree =>
    entry[name] === undefined ? entry : { ...entry, [name]: trimmed(entry[name], `${path}.${name}`, findings) }
  const headersOf = (entry: Tree, path: string): Tree => {
    if (!isTree(entry.headers)) return entry
    const headers = Object.entries(entry.headers).map(([name, value]) => [
      name,
      trimmed(value, `${path}.headers.${name}`, findings)
    ])
    return { ...entry, headers: Object.fromEntries(headers) }
  }
  const deployments = mapped(settings.deployments, (entry, index) => {
    const path = `deployments[${index}]`
    return isTree(entry) ? headersOf(field(entry, "apiKey", path), path) : entry
  })
  const keys = mapped(settings.keys, (entry, index) => {
    if (!isTree(entry)) return entry
    judgeLength(entry.key, `keys[${index}].key`, findings)
    return field(entry, "key", `keys[${index}]`)
  })
  judgeLength(settings.masterKey, "masterKey", findings)
  return {
    settings: {
      ...settings,
      ...(settings.deployments === undefined ? {} : { deployments }),
      ...(settings.keys === undefined ? {} : { keys }),
      ...(settings.masterKey === undefined ? {} : { masterKey: trimmed(settings.masterKey, "masterKey", findings) })
    },
    findings
  }
}
