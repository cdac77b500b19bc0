/**
 * The keys that a schema knows at a path, to say what a misspelt one was meant to be.
 */
import type { SchemaAST } from "effect"
import { firstKey } from "./yaml/location.js"

const members = (ast: SchemaAST.AST): ReadonlyArray<SchemaAST.AST> => {
  switch (ast._tag) {
    case "Union":
      return ast.types.flatMap(members)
    case "Refinement":
    case "Transformation":
      return members(ast.from)
    case "Suspend":
      return members(ast.f())
    default:
      return [ast]
  }
}

const below = (ast: SchemaAST.AST, segment: string | number): ReadonlyArray<SchemaAST.AST> => {
  if (ast._tag === "TupleType") return typeof segment === "number" ? ast.rest.map(({ type }) => type) : []
  if (ast._tag !== "TypeLiteral") return []
  const named = ast.propertySignatures.filter(({ name }) => name === segment)
  return (named.length > 0 ? named : ast.indexSignatures).map(({ type }) => type)
}

/** Every key that an object at the path may have; none where any may stand. */
export const keysAt = (ast: SchemaAST.AST, path: ReadonlyArray<string | number>): ReadonlyArray<string> => {
  let level = members(ast)
  for (const segment of path) level = level.flatMap((one) => below(one, segment)).flatMap(members)
  const keys = level.flatMap((one) => (one._tag === "TypeLiteral" ? one.propertySignatures : []))
  return [...new Set(keys.map(({ name }) => String(name)))]
}

/** Splits a path by the value that it leads into: keys may hold dots. What leads nowhere is the last segment. */
export const splitPath = (root: unknown, path: string): ReadonlyArray<string | number> => {
  const segments: Array<string | number> = []
  let value = root
  let rest = path
  while (rest !== "") {
    const index = /^\[(\d+)\]\.?/.exec(rest)
    if (Array.isArray(value) && index !== null) {
      segments.push(Number(index[1]))
      value = value[Number(index[1])]
      rest = rest.slice(index[0].length)
      continue
    }
    const object = typeof value === "object" && value !== null ? (value as Readonly<Record<string, unknown>>) : {}
    const key = firstKey(rest, (one) => Object.hasOwn(object, one))
    if (key === undefined) return [...segments, rest]
    segments.push(key)
    value = object[key]
    rest = rest.slice(key.length).replace(/^\./, "")
  }
  return segments
}
