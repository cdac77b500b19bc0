/**
 * A YAML text as a tree in which every node knows its file, line and column. Merge keys and aliases are followed, bounded.
 */
import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type ParsedNode,
  parseDocument,
  type Scalar,
  type YAMLError
} from "yaml"
import type { Problem } from "../Problem.js"
import * as Yaml11 from "./yaml11.js"

/** Where something stands. Lines and columns count from 1. */
interface Place {
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
interface ListNode extends Common {
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

/** Objects and lists in each other in one file. No configuration needs a tenth of it; the parser bears some hundreds. */
const maxDepth = 100

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

const says = (error: Pick<YAMLError, "code" | "message">): string => quoting[error.code] ?? error.message

/** Mistakes of their own, however many there are; any other may only follow from the first. */
const independent: ReadonlySet<string> = new Set([
  "TAB_AS_INDENT",
  "BAD_DQ_ESCAPE",
  "TAG_RESOLVE_FAILED",
  "NON_STRING_KEY"
])

/** The first mistake of those that the parser finds while it looks for its footing again, and all that stand alone. */
const withoutEchoes = (errors: ReadonlyArray<YAMLError>): ReadonlyArray<YAMLError> => {
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
  const lines = new LineCounter()
  const problems: Array<Problem> = []
  const placeAt = (offset: number): Place => {
    const { col, line } = lines.linePos(offset)
    return { file, line: Math.max(line, 1), column: Math.max(col, 1) }
  }
  const placeOf = (node: ParsedNode | null | undefined, parent: Place): Place =>
    node?.range === undefined || node.range === null ? parent : placeAt(node.range[0])
  const report = (place: Place, message: string, severity: Problem["severity"] = "error") =>
    problems.push({ severity, path: "", message, ...place })

  let document: Document.Parsed
  try {
    document = parseDocument(text, { lineCounter: lines, prettyErrors: false, merge: true, uniqueKeys: false })
  } catch {
    return {
      root: undefined,
      problems: [{ severity: "error", path: "", message: "not YAML", file, line: 1, column: 1 }]
    }
  }
  const tooDeep = tooDeepIn(document.contents)
  if (tooDeep !== undefined) {
    report(placeAt(tooDeep.range[0]), `nested deeper than ${maxDepth} levels`)
    return { root: undefined, problems }
  }
  if (document.errors.length > 0 && file.endsWith(".toml")) {
    return {
      root: undefined,
      problems: [{ severity: "error", path: "", message: "a configuration is YAML or JSON, not TOML", ...placeAt(0) }]
    }
  }
  for (const error of withoutEchoes(document.errors)) report(placeAt(error.pos[0]), says(error))
  for (const warning of document.warnings) report(placeAt(warning.pos[0]), says(warning), "warning")
  if (document.errors.length > 0) return { root: undefined, problems }

  const isPython =
    isMap(document.contents) && isLiteLlm(document.contents.items.flatMap(({ key }) => keyText(key) ?? []))
  const anchors = new Map<string, TreeNode | "open">()
  let tooLarge = false
  let hasForeignComment = false
  const nothing = (place: Place): ScalarNode => ({ kind: "scalar", place, size: 1, value: null })

  const mergeInto = (entries: Map<string, Entry>, node: TreeNode): void => {
    const sources = node.kind === "list" ? node.items : [node]
    for (const source of sources) {
      if (source.kind !== "map") {
        report(node.place, "a merge key (<<) takes an object, or a list of them")
        continue
      }
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
        else if (isForeignComment(pair.key)) {
          report(keyPlace, "a comment begins with #, also in JSON")
          hasForeignComment = true
        } else {
          const lines = ends.get(key)
          if (lines !== undefined) {
            duplicates.push({ key, isTop: node === document.contents, place: keyPlace, lines })
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
    return isScalar(node) ? { kind: "scalar", place, size: 1, value: scalarValue(node, isPython) } : nothing(place)
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
    if (!tooLarge) report(place, `more than ${maxNodes} values, aliases counted with all that they stand for`)
    tooLarge = true
    return nothing(place)
  }

  const root = document.contents === null ? undefined : build(document.contents, placeAt(0))
  const isLenient = duplicates.length > 0 && root?.kind === "map" && isLiteLlm([...root.entries.keys()])
  for (const duplicate of duplicates) problems.push(duplicateProblem(duplicate, isLenient))
  return { root: tooLarge || hasForeignComment ? undefined : root, problems }
}

/** Where a path leads in a tree. */
export interface Location {
  readonly place: Place
  /** The node there, or the nearest one above it. */
  readonly node: TreeNode
  /** Whether the path leads all the way. */
  readonly exact: boolean
}

/**
 * Finds a path such as `a.b[2].c`. A key may hold dots itself, so at each object the longest key that fits is taken. A path
 * that does not lead all the way gives the nearest node above.
 */
export const locate = (root: TreeNode, path: string): Location => {
  let location: Location = { place: root.place, node: root, exact: path === "" }
  let rest = path
  while (rest !== "") {
    const { node } = location
    const next = node.kind === "map" ? intoMap(node, rest) : node.kind === "list" ? intoList(node, rest) : undefined
    if (next === undefined) return { ...location, exact: false }
    rest = next.rest
    location = { place: next.place, node: next.node, exact: rest === "" }
  }
  return location
}

interface Step extends Entry {
  readonly rest: string
}

const intoMap = (node: MapNode, path: string): Step | undefined => {
  let best: string | undefined
  for (const key of node.entries.keys()) {
    const after = path[key.length]
    const fits = path.startsWith(key) && (after === undefined || after === "." || after === "[")
    if (fits && (best === undefined || key.length > best.length)) best = key
  }
  const entry = best === undefined ? undefined : node.entries.get(best)
  if (best === undefined || entry === undefined) return undefined
  return { ...entry, rest: path.slice(best.length).replace(/^\./, "") }
}

const intoList = (node: ListNode, path: string): Step | undefined => {
  const index = /^\[(\d+)\]\.?/.exec(path)
  const item = index === null ? undefined : node.items[Number(index[1])]
  return index === null || item === undefined
    ? undefined
    : { place: item.place, node: item, rest: path.slice(index[0].length) }
}
