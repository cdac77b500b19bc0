/**
 * Reads a configuration file and the files that it includes, and lays them over one another as LiteLLM does: lists are
 * extended, any other key is replaced by the included file's.
 */
import { createHash } from "node:crypto"
import { readFile } from "node:fs/promises"
import { dirname, isAbsolute, join, resolve } from "node:path"
import * as Environment from "./Environment.js"
import type { Problem } from "./Problem.js"
import { type Entry, type MapNode, parse, type TreeNode } from "./yaml/yamlTree.js"

/** Files that were read. */
export interface FilesRead {
  /** All in one; undefined when the main file says nothing that can be understood. */
  readonly root: MapNode | undefined
  readonly problems: ReadonlyArray<Problem>
  /** The names of the files in problems, in their order. */
  readonly names: ReadonlyArray<string>
  /** Absolute paths, the main file first. Also those that could not be read: they may come. */
  readonly files: ReadonlyArray<string>
  /** What each of the files says, or why it cannot be read. */
  readonly contents: ReadonlyArray<Buffer | string>
}

/** What files say, or why they cannot be read, by their absolute paths. */
export type Contents = ReadonlyMap<string, Uint8Array | string>

const maxBytes = 10 * 1024 * 1024

const reasons: Readonly<Record<string, string>> = {
  ENOENT: "no such file",
  EACCES: "no permission to read it",
  EPERM: "no permission to read it",
  EISDIR: "a folder, not a file",
  ENOTDIR: "no such file: part of its path is not a folder",
  ELOOP: "a loop of symbolic links"
}

const reasonOf = (error: unknown): string => {
  const { code } = error as { readonly code?: unknown }
  return (typeof code === "string" ? reasons[code] : undefined) ?? "it cannot be read"
}

/** The bytes of a file, or why there are none. */
export const bytesOf = async (file: string): Promise<Buffer | string> => {
  try {
    return await readFile(file)
  } catch (error) {
    return reasonOf(error)
  }
}

/** What files say, in 64 hex digits. A file that cannot be read counts as one that says why. */
export const fingerprintOf = (contents: ReadonlyArray<Buffer | string>): string => {
  const hash = createHash("sha256")
  for (const content of contents) hash.update(typeof content === "string" ? `!${content}` : content).update("\0")
  return hash.digest("hex")
}

const decode = (bytes: Buffer): string | undefined => {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes)
  } catch {
    return undefined
  }
}

const textOf = (bytes: Buffer): { readonly text: string } | { readonly wrong: string } => {
  if (bytes.length > maxBytes) return { wrong: `larger than ${maxBytes / 1024 / 1024} MiB` }
  const text = decode(bytes)
  return text === undefined ? { wrong: "not UTF-8 text" } : { text }
}

const at = (
  entry: Pick<Entry, "place">,
  path: string,
  message: string,
  severity: Problem["severity"] = "error"
): Problem => ({
  severity,
  path,
  message,
  ...entry.place
})

interface OneFile {
  readonly root: MapNode | undefined
  readonly problems: ReadonlyArray<Problem>
}

const fileProblem = (file: string, message: string): OneFile => ({
  root: undefined,
  problems: [{ severity: "error", path: "", message, file, line: undefined, column: undefined }]
})

/** Whether a file is one of LiteLLM's, by its keys at the top. */
type IsLiteLlm = (topKeys: ReadonlyArray<string>) => boolean

const parseFile = (content: Buffer | string, name: string, isLiteLlm: IsLiteLlm): OneFile => {
  if (typeof content === "string") return fileProblem(name, content)
  const decoded = textOf(content)
  if ("wrong" in decoded) return fileProblem(name, decoded.wrong)
  const { problems, root } = parse(decoded.text, name, isLiteLlm)
  if (root?.kind === "map") return { root, problems }
  if (problems.some(({ severity }) => severity === "error")) return { root: undefined, problems }
  if (root === undefined || (root.kind === "scalar" && root.value === null)) {
    return { root: { kind: "map", place: { file: name, line: 1, column: 1 }, size: 1, entries: new Map() }, problems }
  }
  return { root: undefined, problems: [...problems, at(root, "", "expected settings: names, each with its value")] }
}

interface Included {
  readonly name: string
  readonly entry: Pick<Entry, "place">
  readonly path: string
}

const includesOf = (
  root: MapNode,
  variables: Environment.Variables,
  problems: Array<Problem>
): ReadonlyArray<Included> => {
  const include = root.entries.get("include")
  if (include === undefined || (include.node.kind === "scalar" && include.node.value === null)) return []
  const items: ReadonlyArray<TreeNode> = include.node.kind === "list" ? include.node.items : [include.node]
  return items.flatMap((item, index) => {
    const path = include.node.kind === "list" ? `include[${index}]` : "include"
    if (item.kind !== "scalar" || typeof item.value !== "string" || item.value === "") {
      problems.push(at(item, path, "expected the name of a file"))
      return []
    }
    const parts = Environment.parse(item.value)
    const resolved = parts === undefined ? undefined : Environment.resolve(parts, variables)
    for (const name of resolved?.unset ?? []) {
      problems.push(at(item, path, `the environment variable ${name} is not set`))
    }
    const name = resolved === undefined ? item.value : resolved.text
    return name === undefined ? [] : [{ name, entry: item, path }]
  })
}

const overlay = (main: Map<string, Entry>, included: MapNode, name: string, problems: Array<Problem>): void => {
  for (const [key, entry] of included.entries) {
    const before = main.get(key)
    if (key === "include") {
      problems.push(at(entry, key, "an included file includes no others: not read", "warning"))
    } else if (before?.node.kind === "list" && entry.node.kind === "list") {
      const { node } = before
      const items = [...node.items, ...entry.node.items]
      main.set(key, { place: before.place, node: { ...node, items, size: node.size + entry.node.size } })
    } else {
      if (before !== undefined) problems.push(at(before, key, `replaced by the one in ${name}`, "note"))
      main.set(key, entry)
    }
  }
}

/** Reads a file and its includes. `path` is the main file's name in problems too; includes are named relative to it. */
export const readFiles = async (
  path: string,
  variables: Environment.Variables,
  isLiteLlm: IsLiteLlm,
  contents?: Contents
): Promise<FilesRead> => {
  const saying = (file: string): Promise<Buffer | string> => {
    const known = contents?.get(resolve(file))
    if (known === undefined) return bytesOf(file)
    return Promise.resolve(typeof known === "string" ? known : Buffer.from(known))
  }
  const content = await saying(path)
  const main = parseFile(content, path, isLiteLlm)
  const problems = [...main.problems]
  const names = [path]
  const files = [resolve(path)]
  const said = [content]
  if (main.root === undefined) return { root: undefined, problems, names, files, contents: said }
  const entries = new Map(main.root.entries)
  entries.delete("include")
  let isWhole = true
  for (const { entry, name, path: includePath } of includesOf(main.root, variables, problems)) {
    const file = isAbsolute(name) ? name : join(dirname(path), name)
    if (files.includes(resolve(file))) {
      problems.push(at(entry, includePath, "this file was read already", "warning"))
      continue
    }
    const bytes = await saying(file)
    names.push(file)
    files.push(resolve(file))
    said.push(bytes)
    if (typeof bytes === "string") problems.push(at(entry, includePath, bytes))
    const included = typeof bytes === "string" ? undefined : parseFile(bytes, file, isLiteLlm)
    problems.push(...(included?.problems ?? []))
    if (included?.root === undefined) isWhole = false
    else overlay(entries, included.root, file, problems)
  }
  const root: MapNode = { ...main.root, entries }
  return { root: isWhole ? root : undefined, problems, names, files, contents: said }
}
