import { showValue } from "@switchyard/core/ConfigError"
import type { Finding } from "@switchyard/core/Problem"
import type { Section } from "./keys/key.js"
import { find, suggestion } from "./keys/keys.js"
import { placeOf } from "./keys/misplaced.js"
import { told } from "./keys/theirKeys.js"
import { below, type Given, isOff, isTree, isUnset, type Tree, type UnsetVariables } from "./values.js"

/** Names that keep their capital inside a sentence. */
const proper = /^(Anthropic|Azure|Entra|Google|OCI|Ollama|Vertex|Bedrock)\b/

/** A sentence as the clause that findings are made of. */
export const clause = (sentence: string): string => {
  const text = sentence.replace(/\.$/, "")
  return /^[A-Z][a-z]*\b/.test(text) && !proper.test(text) ? text.charAt(0).toLowerCase() + text.slice(1) : text
}

/** Unknown keys of which it is said what was probably meant. */
const mostSuggested = 200

/** Collects what a translation finds: settings, where each comes from, and what is worth saying. */
export class Draft {
  readonly settings: Record<string, unknown> = {}
  readonly origins = new Map<string, string>()
  readonly findings: Array<Finding> = []
  /** Paths of what was left out as a whole: whatever else is wrong below them does not matter. */
  readonly leftOut = new Set<string>()
  private readonly said = new Set<string>()
  private entry: string | undefined
  private suggested = 0

  /** `unset` are the references to variables that are not set: their keys are there, with nothing under them. */
  constructor(readonly unset: UnsetVariables = new Map()) {}

  /** Whether a key says anything, be it by a variable that is not set. */
  says({ path, value }: Given): boolean {
    return !isUnset(value) || this.unset.has(path)
  }

  /** Sets one of our settings, maps on the way made as needed. An unset value sets nothing. */
  set(keys: readonly [string, ...ReadonlyArray<string>], value: unknown, origin: string): void {
    if (isUnset(value)) return
    let map = this.settings
    for (const key of keys.slice(0, -1)) {
      const known = Object.hasOwn(map, key) ? map[key] : undefined
      const next: Record<string, unknown> = isTree(known) ? known : {}
      map[key] = next
      map = next
    }
    map[keys[keys.length - 1] ?? ""] = value
    this.origins.set(
      keys.reduce((path, key) => below(path, key), ""),
      origin
    )
  }

  /** Reads one entry of a list: an error leaves it out, and nothing else. Undefined where there was one. */
  within<A>(entry: string, read: () => A): A | undefined {
    this.entry = entry
    const errors = this.findings.length
    const made = read()
    this.entry = undefined
    if (!this.findings.slice(errors).some(({ severity }) => severity === "error")) return made
    this.leftOut.add(entry)
    return undefined
  }

  /** The file cannot be used, or not the entry that is being read. `expected` says what would have been right. */
  error({ path, value }: Given, expected: string): void {
    const found = isUnset(value) ? {} : { value: showValue(path, value) }
    const cost = this.entry === undefined ? {} : { leavesOut: this.entry }
    this.findings.push({ severity: "error", path, message: `expected ${expected}`, ...found, ...cost })
  }

  /** A setting is not honoured; `sentence` says what happens instead. */
  warn(path: string, sentence: string, meant?: string): void {
    const suggestion = meant === undefined ? {} : { suggestion: meant }
    this.findings.push({ severity: "warning", path, message: clause(sentence), ...suggestion })
  }

  /** A setting is honoured, but not as one might think. */
  note(path: string, sentence: string, meant?: string): void {
    const suggestion = meant === undefined ? {} : { suggestion: meant }
    this.findings.push({ severity: "note", path, message: clause(sentence), ...suggestion })
  }

  /** A warning of which one says all. */
  warnOnce(path: string, sentence: string, about: string, meant?: string): void {
    if (this.said.has(about)) return
    this.said.add(about)
    this.warn(path, sentence, meant)
  }

  /** A note that is worth making once in a file. */
  noteOnce(path: string, sentence: string): void {
    if (this.said.has(sentence)) return
    this.said.add(sentence)
    this.note(path, sentence)
  }

  /** Warns about a key that is known, but not honoured. True when the key is known at all. */
  checkKnown(section: Section, key: string, given: Given): boolean {
    const row = find(section, key)
    if (row === undefined) return false
    const asks = isUnset(given.value) ? this.says(given) : !isOff(given.value)
    if (row.support === "warned" && asks && !row.harmless.includes(given.value)) {
      this.warn(given.path, row.how)
    }
    return true
  }

  /** A section's map, every key that is not honoured warned about; undefined, and an error, where it is no map. */
  section(name: Section, given: Given): Tree | undefined {
    const { path, value } = given
    if (isUnset(value)) return undefined
    if (!isTree(value)) {
      this.error(given, "a map of settings")
      return undefined
    }
    for (const [key, inner] of Object.entries(value)) {
      const found = { value: inner, path: below(path, key) }
      if (this.says(found) && !this.checkKnown(name, key, found)) this.unknown(name, key, found)
    }
    return value
  }

  private unknown(section: Section, key: string, given: Given): void {
    if (isOff(given.value) && told(section, key) !== undefined) return
    const sentence = told(section, key)
    const place = sentence === undefined ? placeOf(section, key) : undefined
    if (place === undefined) {
      // Whoever misspells more than this has another kind of file.
      const meant = this.suggested++ < mostSuggested ? suggestion(section, key) : undefined
      this.warn(given.path, sentence ?? "No such key: not read.", meant)
    } else {
      const harm = key === "master_key" ? ", and locks nothing here" : ""
      this.warn(given.path, `Not read here, as in LiteLLM: it belongs below \`${place}\`${harm}.`)
    }
  }
}

/** The values of a section, with their paths. */
export class Reader {
  constructor(
    private readonly tree: Tree | undefined,
    readonly path: string
  ) {}

  /** The value of a key; undefined where it says nothing. */
  get(key: string): Given | undefined {
    const value = this.tree !== undefined && Object.hasOwn(this.tree, key) ? this.tree[key] : undefined
    return isUnset(value) ? undefined : { value, path: below(this.path, key) }
  }
}

/** The first that is there. */
export const firstOf = (...all: ReadonlyArray<Given | undefined>): Given | undefined =>
  all.find((given) => given !== undefined)
