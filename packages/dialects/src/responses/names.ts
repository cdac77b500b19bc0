/**
 * Names of tools in namespaces: one name that says both, which dialects without namespaces can call.
 */

const prefixOf = (namespace: string): string => (namespace.endsWith("__") ? namespace : `${namespace}__`)

/** `mcp__files` and `read` are `mcp__files__read`. */
export const flatName = (namespace: string, name: string): string => prefixOf(namespace) + name

/** The name inside of its namespace. */
export const innerName = (namespace: string, flat: string): string => {
  const prefix = prefixOf(namespace)
  return flat.startsWith(prefix) ? flat.slice(prefix.length) : flat
}
