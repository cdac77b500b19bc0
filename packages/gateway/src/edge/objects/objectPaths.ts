/**
 * The paths of what providers keep: files and batches, and those that operators let through.
 */
import { type ObjectPath, type PathTarget, prefixes } from "../callPaths.js"
import { pathOf } from "../requestPath.js"

/** A method and a path that a deployment lets through. A star stands for any text, slashes too. */
export interface Passed {
  readonly method: string
  readonly path: string
}

/** What `passThrough: true` lets through: vector stores and fine-tuning. */
const usualPaths: ReadonlyArray<Passed> = ["/vector_stores", "/fine_tuning"].flatMap((path) =>
  ["GET", "POST", "DELETE"].flatMap((method) => [
    { method, path },
    { method, path: `${path}/*` }
  ])
)

/** Always an object's path, whether or not somebody lets it through: who asks for one learns why there is none. */
const folders = /^\/(files|batches|vector_stores|fine_tuning)(?:\/|$)/

const parts: Readonly<Record<"files" | "batches", RegExp>> = {
  files: /^\/files(?:\/([^/]+)(?:\/(content))?)?$/,
  batches: /^\/batches(?:\/([^/]+)(?:\/(cancel))?)?$/
}

const longestFirst = [...prefixes].sort((a, b) => b.length - a.length)

const belowPrefix = (path: string): string => {
  const prefix = longestFirst.find((before) => path.startsWith(`${before}/`)) ?? ""
  return path.slice(prefix.length)
}

/** What a URL asks of an object; undefined for every other one. `isPassed` knows the paths that are let through beside the usual ones. */
export const objectAt = (url: string, isPassed: (below: string) => boolean): PathTarget | undefined => {
  const object = pathAt(url, isPassed)
  return object === undefined ? undefined : { operation: "object", speech: "chat", model: undefined, object }
}

const pathAt = (url: string, isPassed: (below: string) => boolean): ObjectPath | undefined => {
  const below = belowPrefix(pathOf(url))
  const [, folder] = folders.exec(below) ?? []
  if (folder === "files" || folder === "batches") {
    const [, id, part] = parts[folder].exec(below) ?? []
    return { kind: folder, id, part, below }
  }
  return folder !== undefined || isPassed(below)
    ? { kind: "passThrough", id: undefined, part: undefined, below }
    : undefined
}

/** What makes a path mean something else to who reads it next: dots, slashes in disguise, empty segments. */
const ambiguous = /\/\/|\\|%2f|%5c|%00|(?:^|\/)(?:\.|%2e){1,2}(?:\/|$)/i

/** Why the path of a URL must not go on; undefined where it may. */
export const pathProblem = (url: string): string | undefined => {
  const path = url.replace(/[?#].*$/s, "")
  if (ambiguous.test(path)) {
    return "the path has dot segments, encoded slashes, backslashes or empty segments, which another reader may take for another path"
  }
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  return /[\x00-\x20\x7f-\uffff]|%(?![0-9a-f]{2})/i.test(path) ? "the path has characters that no path has" : undefined
}

const fits = (pattern: string, text: string): boolean => {
  const [first = "", ...rest] = pattern.split("*")
  if (rest.length === 0) return pattern === text
  if (!text.startsWith(first)) return false
  let from = first.length
  for (const [index, part] of rest.entries()) {
    const isLast = index === rest.length - 1
    const at = isLast ? text.length - part.length : text.indexOf(part, from)
    if (at < from || !text.startsWith(part, at)) return false
    from = at + part.length
  }
  return true
}

/** Whether a deployment's list lets a request through. */
export const isLetThrough = (list: true | ReadonlyArray<Passed> | undefined, method: string, below: string): boolean =>
  list !== undefined &&
  (list === true ? usualPaths : list).some((one) => one.method.toUpperCase() === method && fits(one.path, below))

/** The same of any method. */
export const isNamed = (list: true | ReadonlyArray<Passed> | undefined, below: string): boolean =>
  list !== undefined && list !== true && list.some(({ path }) => fits(path, below))
