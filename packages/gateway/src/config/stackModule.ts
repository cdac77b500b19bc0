/**
 * The module that a file's `stack` names: the concerns of the router, in the order that its author wants. It gives a stack,
 * or a function that makes one of the standard stack.
 */
import { dirname, resolve } from "node:path"
import { pathToFileURL } from "node:url"
import * as Router from "@switchyard/router/Router"
import { type AnyStack, isStack } from "@switchyard/router/Stack"
import type { Problem } from "./Problem.js"
import { bytesOf, fingerprintOf } from "./readFiles.js"
import { kit, type MakeStack } from "./StackKit.js"
import type { MapNode } from "./yaml/yamlTree.js"

/** What became of a file's `stack`. */
export interface StackRead {
  /** Undefined where the file names none, and where what it names is no stack. */
  readonly stack: AnyStack | undefined
  readonly problems: ReadonlyArray<Problem>
  /** The module, as an absolute path with its bytes: it is watched like an included file. */
  readonly file: { readonly path: string; readonly bytes: Buffer | string } | undefined
}

const none: StackRead = { stack: undefined, problems: [], file: undefined }

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

/** Loads a module, by its address; what it says is known. */
export type ImportModule = (url: string, source: string) => Promise<unknown>

/** The stack that a module's default export is, or makes. */
const stackOf = async (imported: Promise<unknown>): Promise<AnyStack | string> => {
  const module = (await imported) as { readonly default?: unknown }
  const { default: given } = module
  if (given === undefined)
    return "a module with a default export: a stack, or a function that makes one of the standard stack"
  const made: unknown =
    typeof given === "function" && !isStack(given) ? await (given as MakeStack)(Router.standard, kit) : given
  return isStack(made) ? made : "a stack, or a function that makes one of the standard stack"
}

/** The file that `stack` names, and how to say what is wrong with it. */
const namedBy = (root: MapNode | undefined) => {
  const entry = root?.entries.get("stack")
  if (entry === undefined || entry.node.kind !== "scalar" || typeof entry.node.value !== "string") return undefined
  const { value } = entry.node
  const { column, file, line } = entry.place
  const problem = (message: string): ReadonlyArray<Problem> => [
    { severity: "error", path: "stack", message, value: JSON.stringify(value), file, line, column }
  ]
  return { path: resolve(dirname(file ?? ""), value), problem }
}

/** A module that has made no stack in time. Its file is watched like any other, so that a better one is read. */
export const unended = async (root: MapNode | undefined, seconds: number): Promise<StackRead> => {
  const named = namedBy(root)
  if (named === undefined) return none
  const problems = named.problem(`the module has not ended after ${seconds} seconds`)
  return { stack: undefined, problems, file: { path: named.path, bytes: await bytesOf(named.path) } }
}

/** Loads what `stack` names, relative to the file that it stands in. A module that has changed is loaded afresh. */
export const readStack = async (
  root: MapNode | undefined,
  importModule: ImportModule = (url) => import(url)
): Promise<StackRead> => {
  const named = namedBy(root)
  if (named === undefined) return none
  const { path, problem } = named
  const bytes = await bytesOf(path)
  if (typeof bytes === "string") return { stack: undefined, problems: problem(bytes), file: { path, bytes } }
  try {
    // Node keeps a module by its address: another content needs another one.
    const url = `${pathToFileURL(path).href}?${fingerprintOf([bytes]).slice(0, 16)}`
    const found = await stackOf(importModule(url, bytes.toString()))
    return typeof found === "string"
      ? { stack: undefined, problems: problem(`expected ${found}`), file: { path, bytes } }
      : { stack: found, problems: [], file: { path, bytes } }
  } catch (error) {
    return { stack: undefined, problems: problem(`the module fails: ${messageOf(error)}`), file: { path, bytes } }
  }
}
