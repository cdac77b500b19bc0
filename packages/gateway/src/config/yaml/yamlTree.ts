/**
 * A YAML text as a tree in which every node knows its file, line and column. Merge keys and aliases are followed, bounded.
 */
import { isAlias, isMap, isScalar, isSeq, type ParsedNode, type Scalar } from "yaml"
import type { Problem } from "../Problem.js"
import * as BoundedYaml from "./boundedYaml.js"
import { maxDepth, maxText } from "./boundedYaml.js"
import * as Yaml11 from "./yaml11.js"

/** Where something stands. Lines and columns count from 1. */
export interface Place {
  readonly file: string
  readonly line: number
  readonly column: number
}

interface Common {
  readonly place: Place
  /** Nodes at and below this one, each alias counted with all that it stands for. */
  readonly size: number
}

/** A single value. */
interface ScalarNode extends Common {
  readonly kind: "scalar"
  readonly value: string | number | boolean | null
}

/** A list. */
export interface ListNode extends Common {
  readonly kind: "list"
  readonly items: ReadonlyArray<TreeNode>
}

/** A value under a key, and where the key stands. */
export interface Entry {
  readonly place: Place
  readonly node: TreeNode
}

/** An object. */
export interface MapNode extends Common {
  readonly kind: "map"
  readonly entries: ReadonlyMap<string, Entry>
}

/** One node of a file. */
export type TreeNode = ScalarNode | ListNode | MapNode

/** A text that was parsed. */
export interface ParsedText {
  /** Undefined when the text has mistakes that leave its meaning open, or says nothing. */
  readonly root: TreeNode | undefined
  readonly problems: ReadonlyArray<Problem>
}

/** Nodes of one file, aliases expanded. */
const maxNodes = 100_000

/** Characters of a key, as many as YAML has for those of a block. */
const maxKey = 1024

/** The first node that nests deeper than {@link maxDepth}. Walks level by level, for the parser's stack is ours, too. */
const tooDeepIn = (root: ParsedNode | null): ParsedNode | undefined => {
  let level: Array<ParsedNode> = root === null ? [] : [root]
  for (let depth = 0; level.length > 0; depth++) {
    const next: Array<ParsedNode> = []
    for (const node of level) {
      if (isSeq(node)) next.push(...node.items)
      else if (isMap(node)) for (const { key, value } of node.items) next.push(key, ...(value === null ? [] : [value]))
    }
    const [first] = next
    if (depth === maxDepth && first !== undefined) return first
    level = next
  }
  return undefined
}

/** Messages that may quote the text, which may be a secret. */
const quoting: Readonly<Record<string, string>> = {
  BAD_DQ_ESCAPE: "no such escape sequence in a string in double quotes",
  UNEXPECTED_TOKEN: "this cannot stand here",
  TAG_RESOLVE_FAILED: "a tag that means nothing here",
  RESOURCE_EXHAUSTION: "nested too deeply",
  MULTIPLE_DOCS: "a file holds one document, and a second one begins here",
  NON_STRING_KEY: "a key must be plain text",
  BAD_DIRECTIVE: "no such directive"
}

const says = (error: BoundedYaml.Mistake): string => quoting[error.code] ?? error.message

/** Mistakes of their own, however many there are; any other may only follow from the first. */
const independent: ReadonlySet<string> = new Set([
  "TAB_AS_INDENT",
  "BAD_DQ_ESCAPE",
  "TAG_RESOLVE_FAILED",
  "NON_STRING_KEY"
])

/** The first mistake of those that the parser finds while it looks for its footing again, and all that stand alone. */
const withoutEchoes = (errors: ReadonlyArray<BoundedYaml.Mistake>): ReadonlyArray<BoundedYaml.Mistake> => {
  const first = errors.find(({ code }) => !independent.has(code))
  return errors.filter((error) => error === first || independent.has(error.code))
}

/** YAML 1.1, which LiteLLM reads, has more words for a boolean, and underscores in numbers. */
const plainValue = (text: string): string | number | boolean => {
  if (/^(yes|Yes|YES|on|On|ON)$/.test(text)) return true
  if (/^(no|No|NO|off|Off|OFF)$/.test(text)) return false
  if (/^[-+]?[1-9][0-9_]*$/.test(text)) return Number(text.replaceAll("_", ""))
  return text
}

const scalarValue = (node: Scalar, isPython: boolean): ScalarNode["value"] => {
  const { source, value } = node
  if (isPython && node.type === "PLAIN" && node.tag === undefined) return Yaml11.plainValue(source ?? "")
  if (typeof value === "string") return node.type === "PLAIN" && node.tag === undefined ? plainValue(value) : value
  if (typeof value === "number" || typeof value === "boolean" || value === null) return value
  return String(value)
}

const isMergeKey = (node: ParsedNode): boolean =>
  isScalar(node) && node.type === "PLAIN" && (node.source === "<<" || typeof node.value === "symbol")

const keyText = (node: ParsedNode): string | undefined => {
  if (!isScalar(node)) return undefined
  return typeof node.value === "string" ? node.value : (node.source ?? String(node.value))
}

/** A comment as other languages begin one, which is the beginning of a key to YAML. */
const isForeignComment = (node: ParsedNode): boolean =>
  isScalar(node) && node.type === "PLAIN" && /^\/[/*]/.test(node.source ?? "")

/** A key that stands in a map once more; the last one counts, as PyYAML has it. */
interface Duplicate {
  readonly key: string
  readonly isTop: boolean
  readonly place: Place
  /** The lines of the one that is not in force. */
  readonly lines: readonly [first: number, last: number]
}

const duplicateProblem = ({ isTop, key, lines: [first, last], place }: Duplicate, takesLast: boolean): Problem => {
  const lines = first === last ? `line ${first} is` : `lines ${first} to ${last} are`
  const message = takesLast
    ? `this key stands here twice, and the last one counts, as in LiteLLM: ${lines} not in force`
    : "this key stands here twice"
  return { severity: takesLast ? "warning" : "error", path: takesLast && isTop ? key : "", message, ...place }
}

/**
 * Parses a text; `file` is its name in problems. A key that stands in a map twice is an error, but for the files that
 * `isLiteLlm` knows by their keys at the top: they are read as PyYAML reads them.
 */
export const parse = (
  text: string,
  file: string,
  isLiteLlm: (topKeys: ReadonlyArray<string>) => boolean = () => false
): ParsedText => {
  const problems: Array<Problem> = []
  let read: BoundedYaml.Parsed
  try {
    read = BoundedYaml.parse(text, { merge: true })
  } catch {
    return {
      root: undefined,
      problems: [{ severity: "error", path: "", message: "not YAML", file, line: 1, column: 1 }]
    }
  }
  const { document, errors, givenUp, lines, warnings } = read
  const contents = document?.contents ?? null
  const placeAt = (offset: number): Place => {
    const { col, line } = lines.linePos(offset)
    return { file, line: Math.max(line, 1), column: Math.max(col, 1) }
  }
  const placeOf = (node: ParsedNode | null | undefined, parent: Place): Place =>
    node?.range === undefined || node.range === null ? parent : placeAt(node.range[0])
  const report = (place: Place, message: string, severity: Problem["severity"] = "error"): void => {
    if (problems.length <= BoundedYaml.maxMistakes) problems.push({ severity, path: "", message, ...place })
  }

  const tooDeep = tooDeepIn(contents)
  if (tooDeep !== undefined) {
    report(placeAt(tooDeep.range[0]), `nested deeper than ${maxDepth} levels`)
    return { root: undefined, problems }
  }
  if (errors.length > 0 && file.endsWith(".toml")) {
    return {
      root: undefined,
      problems: [{ severity: "error", path: "", message: "a configuration is YAML or JSON, not TOML", ...placeAt(0) }]
    }
  }
  if (givenUp !== undefined) report(placeAt(givenUp.at), givenUp.message)
  for (const error of withoutEchoes(errors)) report(placeAt(error.pos[0]), says(error))
  for (const warning of warnings) report(placeAt(warning.pos[0]), says(warning), "warning")
  if (errors.length > 0 || givenUp !== undefined) return { root: undefined, problems }

  const isPython = isMap(contents) && isLiteLlm(contents.items.flatMap(({ key }) => keyText(key) ?? []))
  const anchors = new Map<string, TreeNode | "open">()
  let tooLarge = false
  let hasForeignComment = false
  const tellLarge = (place: Place): void => {
    if (!tooLarge) report(place, `more than ${maxNodes} values, aliases counted with all that they stand for`)
    tooLarge = true
  }
  const nothing = (place: Place): ScalarNode => ({ kind: "scalar", place, size: 1, value: null })

  let merges = 0
  const mergeInto = (entries: Map<string, Entry>, node: TreeNode): void => {
    const sources = node.kind === "list" ? node.items : [node]
    for (const source of sources) {
      if (source.kind !== "map") {
        report(node.place, "a merge key (<<) takes an object, or a list of them")
        continue
      }
      merges += source.entries.size
      if (merges > maxNodes) return tellLarge(node.place)
      for (const [key, entry] of source.entries) if (!entries.has(key)) entries.set(key, entry)
    }
  }

  const duplicates: Array<Duplicate> = []
  /** The line where a node ends; its range may reach over blank lines. */
  const lastLine = (node: ParsedNode | null, first: number): number => {
    const [start, end] = node?.range ?? [0, 0]
    return Math.max(first, placeAt(start + text.slice(start, end).trimEnd().length - 1).line)
  }

  const content = (node: ParsedNode, place: Place): TreeNode => {
    if (isMap(node)) {
      const ends = new Map<string, readonly [first: number, last: number]>()
      const entries = new Map<string, Entry>()
      const merged: Array<TreeNode> = []
      for (const pair of node.items) {
        const keyPlace = placeOf(pair.key, place)
        const value = pair.value === null ? nothing(keyPlace) : build(pair.value, keyPlace)
        const key = keyText(pair.key)
        if (isMergeKey(pair.key)) merged.push(value)
        else if (key === undefined) report(keyPlace, "a key must be plain text")
        else if (key.length > maxKey) report(keyPlace, `a key of more than ${maxKey} characters`)
        else if (isForeignComment(pair.key)) {
          report(keyPlace, "a comment begins with #, also in JSON")
          hasForeignComment = true
        } else {
          const lines = ends.get(key)
          if (lines !== undefined) {
            duplicates.push({ key, isTop: node === contents, place: keyPlace, lines })
          }
          ends.set(key, [keyPlace.line, lastLine(pair.value, keyPlace.line)])
          entries.set(key, { place: keyPlace, node: value })
        }
      }
      for (const source of merged.reverse()) mergeInto(entries, source)
      let size = 1
      for (const entry of entries.values()) size += entry.node.size
      return { kind: "map", place, size, entries }
    }
    if (isSeq(node)) {
      const items = node.items.map((item) => build(item as ParsedNode, place))
      return { kind: "list", place, size: items.reduce((sum, item) => sum + item.size, 1), items }
    }
    if (!isScalar(node)) return nothing(place)
    const value = scalarValue(node, isPython)
    if (typeof value !== "string" || value.length <= maxText) return { kind: "scalar", place, size: 1, value }
    report(place, `a text of more than ${maxText} characters`)
    return nothing(place)
  }

  const build = (node: ParsedNode | null, parent: Place): TreeNode => {
    const place = placeOf(node, parent)
    if (node === null) return nothing(place)
    if (isAlias(node)) {
      const target = anchors.get(node.source)
      if (target !== undefined && target !== "open") return target
      report(place, target === undefined ? "no anchor of this name stands before it" : "an alias inside its own anchor")
      return nothing(place)
    }
    const { anchor } = node as { readonly anchor?: string }
    if (anchor !== undefined) anchors.set(anchor, "open")
    const built = content(node, place)
    if (anchor !== undefined) anchors.set(anchor, built)
    if (built.size <= maxNodes) return built
    tellLarge(place)
    return nothing(place)
  }

  const root = contents === null ? undefined : build(contents, placeAt(0))
  const isLenient = duplicates.length > 0 && root?.kind === "map" && isLiteLlm([...root.entries.keys()])
  for (const duplicate of duplicates) problems.push(duplicateProblem(duplicate, isLenient))
  return { root: tooLarge || hasForeignComment ? undefined : root, problems }
}
