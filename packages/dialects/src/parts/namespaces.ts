/**
 * Names of tools in namespaces, as one name that says both: for dialects without namespaces.
 */

const prefixOf = (namespace: string): string => (namespace.endsWith("__") ? namespace : `${namespace}__`)

/** `mcp__files` and `read` are `mcp__files__read`; without a namespace the name alone. */
export const flatName = (name: string, namespace: string | undefined): string =>
  namespace === undefined ? name : prefixOf(namespace) + name

/** The name inside of its namespace. */
export const innerName = (namespace: string, flat: string): string => {
  const prefix = prefixOf(namespace)
  return flat.startsWith(prefix) ? flat.slice(prefix.length) : flat
}
